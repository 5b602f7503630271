/* SPDX-License-Identifier: BSD-3-Clause */
/* conf_text.c: see conf_text.h. */
#include "conf_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct port_ops vhost = {.type = "vhost-user"};
static const struct port_ops tap = {.type = "tap"};
static const struct port_ops vf = {.type = "vf"};
static const struct port_ops ethdev = {.type = "ethdev"};

const struct port_ops *const kinds[] = {&vhost, &tap, &vf, &ethdev, NULL};

struct conf *
load(const char *text)
{
	struct error e = {0};
	struct conf *conf;
	int rc = conf_load_text(text, strlen(text), "t.yaml", kinds, &conf, &e);

	if (rc)
		fail_msg("refused: %s", e.text);
	assert_non_null(conf);
	return conf;
}

void
refused_len(const char *text, size_t len, const char *sentence)
{
	struct conf other, *conf = &other; /* to see that it is set */
	struct error e = {0};
	int rc = conf_load_text(text, len, "t.yaml", kinds, &conf, &e);

	assert_string_equal(e.text, sentence);
	assert_true(rc < 0);
	assert_null(conf);
}

void
refused(const char *text, const char *sentence)
{
	refused_len(text, strlen(text), sentence);
}

void
all_refused(const struct wrong *wrong, size_t n)
{
	for (size_t i = 0; i < n; i++)
		refused(wrong[i].text, wrong[i].sentence);
}

const char full[] =
	"switch:\n"
	"  name: lab\n"
	"  workers: [1, 3]\n"
	"  idle: sleep\n"
	"  idle_max_us: 1000\n"
	"  control: /tmp/c.sock\n"
	"  state: /tmp/state\n"
	"  memory: 1G\n"
	"  hugepages: false\n"
	"  log: debug\n"
	"  mtu: 1400\n"
	"  fdb: {max: 1024, ageing: 20}\n"
	"ports:\n"
	"  - {name: vm1, type: vhost-user, socket: \"/tmp/a \\\"b\\\\.sock\", mode: client, "
	"queues: 4,\n"
	"     lcores: [3, 1], mtu: 9000, datapath: library, owner: root, group: kvm,\n"
	"     permissions: \"0600\", max_macs: 7, viommu: true, offloads: {tso: false},\n"
	"     vm: {name: \"a \\\"vm\\\"\", nic: net0, mac: \"52:54:00:77:00:01\", memory: shared, "
	"auto: true}}\n"
	"  - {name: vm2, type: vhost-user, socket: /tmp/\xc3\xa4.sock, features: pin,\n"
	"     selinux: \"system_u:object_r:svirt_image_t:s0:c1,c2\"}\n"
	"  - {name: inband, type: tap, ifname: vs-inband, mac: \"52:54:00:77:00:FE\",\n"
	"     backend: vhost-net,\n"
	"     address: [10.77.0.254/24, \"fd77::fe/64\"], queues: 2, max_macs: 9}\n"
	"  - {name: tap2, type: tap}\n"
	"  - {name: up0, type: vf, pf: eth2, vf: 2, num_vfs: 4, mac: \"52:54:00:77:01:00\",\n"
	"     offloads: {checksum: off}, vlan: 100, trust: on, spoofcheck: off, link_state: "
	"enable, min_rate: 10,\n"
	"     max_rate: 4294967295, filter: mac-list, vlans: [10, 4094], queues: 2}\n"
	"  - {name: up1, type: vf, pci: 01:1F.7}\n"
	"  - {name: up2, type: ethdev, devargs: \"net_af_packet0,iface=veth0\",\n"
	"     filter: promiscuous, vlans: [1]}\n";

/* Field by field but for where it is from; conf_load_text() zeroes what it does not set. */
void
assert_same(struct conf *a, struct conf *b)
{
	assert_int_equal(a->n_ports, b->n_ports);
	for (uint32_t i = 0; i < a->n_ports; i++) {
		assert_memory_equal(&a->ports[i], &b->ports[i], sizeof(a->ports[i]));
		assert_true(conf_same_port(&a->ports[i], &b->ports[i]));
	}
	assert_memory_equal(a, b, offsetof(struct conf, ports));
}

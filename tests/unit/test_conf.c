/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_conf.c: configurations that are right: defaults, every key, printed and loaded again, with
 * a port more or less, and for a machine; see conf.h. Keys that change are in test_conf_set.c, what
 * is wrong in test_conf_errors.c.
 */
#include "conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf_text.h"
#include "offload.h"

static void
test_defaults(void **state)
{
	static const char *const texts[] = {"{}", "switch:\nports:\n", "ports: []", "switch: {}",
					    "# nothing but\n{}\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct conf *conf = load(texts[i]);

		assert_string_equal(conf->name, "vswitch");
		assert_int_equal(conf->n_workers, 0);
		assert_int_equal(conf->idle, CONF_IDLE_AUTO);
		assert_int_equal(conf->idle_max_us, 250);
		assert_string_equal(conf->control, "/run/vswitch/vswitchd.sock");
		assert_int_equal(conf->memory, 256 << 20);
		assert_true(conf->hugepages);
		assert_int_equal(conf->log, LOG_LEVEL_INFO);
		assert_int_equal(conf->mtu, 1500);
		assert_int_equal(conf->fdb_max, 65536);
		assert_int_equal(conf->fdb_ageing_s, 300);
		assert_int_equal(conf->n_ports, 0);
		conf_free(conf);
	}
}

static void
test_full_uplinks(void **state)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 0x77, 1, 0};
	struct conf *conf = load(full);
	const struct port_conf *p = &conf->ports[4];

	(void)state;
	assert_string_equal(p[0].type, "vf");
	assert_string_equal(p[0].vf.pf, "eth2");
	assert_string_equal(p[0].vf.pci, "");
	assert_int_equal(p[0].vf.vf, 2);
	assert_int_equal(p[0].vf.num_vfs, 4);
	assert_true(p[0].vf.wish.has_mac);
	assert_memory_equal(&p[0].vf.wish.mac, mac, 6);
	assert_false(p[0].tap.has_mac);
	assert_int_equal(p[0].offloads, 0);
	assert_int_equal(p[0].vf.wish.vlan, 100);
	assert_int_equal(p[0].vf.wish.trust, PORT_WISH_ON);
	assert_int_equal(p[0].vf.wish.spoofcheck, PORT_WISH_OFF);
	assert_int_equal(p[0].vf.wish.link_state, PORT_LINK_STATE_ENABLE);
	assert_int_equal(p[0].vf.wish.min_rate, 10);
	assert_int_equal(p[0].vf.wish.max_rate, UINT32_MAX);
	assert_int_equal(p[0].uplink.filter, PORT_FILTER_MAC_LIST);
	assert_int_equal(p[0].uplink.n_vlans, 2);
	assert_int_equal(p[0].uplink.vlans[0], 10);
	assert_int_equal(p[0].uplink.vlans[1], 4094);
	assert_int_equal(p[0].queues, 2);
	assert_true(p[0].max_macs == (uint32_t)PORT_MACS_UNLIMITED);

	assert_string_equal(p[1].vf.pci, "0000:01:1f.7");
	assert_string_equal(p[1].vf.pf, "");
	assert_int_equal(p[1].vf.num_vfs, 0);
	assert_false(p[1].vf.wish.has_mac);
	assert_int_equal(p[1].vf.wish.vlan, PORT_VLAN_NONE);
	assert_int_equal(p[1].vf.wish.trust, PORT_WISH_NONE);
	assert_int_equal(p[1].vf.wish.spoofcheck, PORT_WISH_NONE);
	assert_int_equal(p[1].vf.wish.link_state, PORT_LINK_STATE_NONE);
	assert_int_equal(p[1].vf.wish.min_rate, PORT_RATE_NONE);
	assert_int_equal(p[1].vf.wish.max_rate, PORT_RATE_NONE);
	assert_int_equal(p[1].uplink.filter, PORT_FILTER_AUTO);
	assert_int_equal(p[1].uplink.n_vlans, 0);

	assert_string_equal(p[2].type, "ethdev");
	assert_string_equal(p[2].ethdev.devargs, "net_af_packet0,iface=veth0");
	assert_int_equal(p[2].uplink.filter, PORT_FILTER_PROMISCUOUS);
	assert_int_equal(p[2].uplink.n_vlans, 1);
	assert_int_equal(p[2].uplink.vlans[0], 1);
	conf_free(conf);
}

static void
test_full(void **state)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 0x77, 0, 0xfe};
	static const uint8_t fd77[16] = {0xfd, 0x77, [15] = 0xfe};
	struct conf *conf = load(full);
	const struct port_conf *p = conf->ports;

	(void)state;
	assert_string_equal(conf->name, "lab");
	assert_int_equal(conf->n_workers, 2);
	assert_int_equal(conf->workers[1], 3);
	assert_int_equal(conf->idle, CONF_IDLE_SLEEP);
	assert_int_equal(conf->idle_max_us, 1000);
	assert_string_equal(conf->control, "/tmp/c.sock");
	assert_string_equal(conf->state, "/tmp/state");
	assert_int_equal(conf->memory, 1 << 30);
	assert_false(conf->hugepages);
	assert_int_equal(conf->log, LOG_LEVEL_DEBUG);
	assert_int_equal(conf->mtu, 1400);
	assert_int_equal(conf->fdb_max, 1024);
	assert_int_equal(conf->fdb_ageing_s, 20);
	assert_int_equal(conf->n_ports, 7);

	assert_string_equal(p[0].type, "vhost-user");
	assert_string_equal(p[0].vhost.socket, "/tmp/a \"b\\.sock");
	assert_true(p[0].vhost.is_client);
	assert_true(p[0].vhost.is_library);
	assert_true(p[0].vhost.has_viommu);
	assert_string_equal(p[0].vhost.owner, "root");
	assert_string_equal(p[0].vhost.group, "kvm");
	assert_int_equal(p[0].vhost.permissions, 0600);
	assert_int_equal(p[0].queues, 4);
	assert_int_equal(p[0].mtu, 9000);
	assert_int_equal(p[0].offloads, OFFLOAD_ALL & ~OFFLOAD_TSO);
	assert_int_equal(p[0].max_macs, 7);
	assert_int_equal(p[0].n_lcores, 2);
	assert_int_equal(p[0].lcores[0], 3);
	assert_int_equal(conf->lines[0], 14);
	assert_false(p[0].vhost.is_pinned);
	assert_string_equal(p[0].vhost.selinux, "");

	assert_false(p[1].vhost.is_client);
	assert_false(p[1].vhost.is_library);
	assert_false(p[1].vhost.has_viommu);
	assert_int_equal(p[1].vhost.permissions, 0660);
	assert_true(p[1].vhost.is_pinned);
	assert_string_equal(p[1].vhost.selinux, "system_u:object_r:svirt_image_t:s0:c1,c2");
	assert_int_equal(p[1].mtu, 1400);
	assert_int_equal(p[1].offloads, OFFLOAD_ALL);
	assert_int_equal(p[1].queues, 1);
	assert_int_equal(p[1].max_macs, 4096);
	assert_int_equal(p[1].n_lcores, 0);

	assert_int_equal(p[2].tap.backend, PORT_BACKEND_VHOST_NET);
	assert_true(p[2].tap.has_mac);
	assert_memory_equal(&p[2].tap.mac, mac, 6);
	assert_int_equal(p[2].tap.n_addresses, 2);
	assert_int_equal(p[2].tap.addresses[0].family, AF_INET);
	assert_int_equal(p[2].tap.addresses[0].prefix_len, 24);
	assert_int_equal(ntohl(p[2].tap.addresses[0].in.s_addr), 0x0a4d00fe);
	assert_int_equal(p[2].tap.addresses[1].family, AF_INET6);
	assert_int_equal(p[2].tap.addresses[1].prefix_len, 64);
	assert_memory_equal(&p[2].tap.addresses[1].in6, fd77, 16);

	assert_string_equal(p[3].tap.ifname, "tap2");
	assert_int_equal(p[3].tap.backend, PORT_BACKEND_TUN);
	assert_false(p[3].tap.has_mac);
	assert_true(p[3].max_macs == (uint32_t)PORT_MACS_UNLIMITED);
	conf_free(conf);
}

/* What is asked for in so many words is not what is left out. */
#define VF_OF_ZEROES                                                                               \
	"ports: [{name: a, type: vf, pf: \"0000:0A:00.0\", vf: 0, vlan: 0, trust: off, "           \
	"spoofcheck: no, min_rate: 0, max_rate: 0, filter: own}]"
#define VF_OF_OTHER_WORDS                                                                          \
	"ports: [{name: a, type: vf, pci: 10000:01:10.0, vlan: 4094, trust: true, spoofcheck: "    \
	"\"on\", link_state: disable, min_rate: 5, filter: promiscuous}]"

static void
test_zeroes(void **state)
{
	struct conf *conf = load(VF_OF_ZEROES);
	const struct port_conf *p = &conf->ports[0];

	(void)state;
	assert_string_equal(p->vf.pf, "0000:0a:00.0");
	assert_int_equal(p->vf.vf, 0);
	assert_int_equal(p->vf.wish.vlan, 0);
	assert_int_equal(p->vf.wish.trust, PORT_WISH_OFF);
	assert_int_equal(p->vf.wish.spoofcheck, PORT_WISH_OFF);
	assert_int_equal(p->vf.wish.min_rate, 0);
	assert_int_equal(p->vf.wish.max_rate, 0);
	assert_int_equal(p->uplink.filter, PORT_FILTER_OWN);
	conf_free(conf);
}

static void
test_round_trip(void **state)
{
	static const char *const texts[] = {full,
					    "{}",
					    "switch: {idle: poll, log: err}",
					    "switch: {idle: auto, log: warn, memory: 65M}",
					    "switch: {mtu: 65535}\nports:\n"
					    "- {name: a, type: tap, mtu: 1500}\n"
					    "- {name: b, type: tap, mtu: 65535}\n"
					    "- {name: c, type: tap, offloads: {uso: no}}\n",
					    VF_OF_ZEROES,
					    VF_OF_OTHER_WORDS};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct conf *first = load(texts[i]), *second;
		char *text = conf_print(first), *again;

		assert_non_null(text);
		second = load(text);
		assert_same(first, second);
		again = conf_print(second);
		assert_string_equal(text, again);
		free(text);
		free(again);
		conf_free(first);
		conf_free(second);
	}
}

struct field {
	uint32_t port;	/* of the full configuration */
	size_t offset;	/* of the field's byte */
	uint8_t change; /* bits to turn over */
};

/* Every field that a port can differ in makes it another port. */
static void
test_same_port(void **state)
{
	static const struct field fields[] = {
		{0, offsetof(struct port_conf, name), 1},
		{0, offsetof(struct port_conf, mtu), 1},
		{0, offsetof(struct port_conf, queues), 1},
		{0, offsetof(struct port_conf, n_lcores), 3},
		{0, offsetof(struct port_conf, lcores[1]), 1},
		{0, offsetof(struct port_conf, max_macs), 1},
		{0, offsetof(struct port_conf, offloads), OFFLOAD_CHECKSUM},
		{0, offsetof(struct port_conf, offloads), OFFLOAD_TSO},
		{0, offsetof(struct port_conf, offloads), OFFLOAD_USO},
		{0, offsetof(struct port_conf, vhost.socket[1]), 1},
		{0, offsetof(struct port_conf, vhost.is_client), 1},
		{0, offsetof(struct port_conf, vhost.is_library), 1},
		{0, offsetof(struct port_conf, vhost.has_viommu), 1},
		{0, offsetof(struct port_conf, vhost.owner), 1},
		{0, offsetof(struct port_conf, vhost.group), 1},
		{0, offsetof(struct port_conf, vhost.permissions), 1},
		{0, offsetof(struct port_conf, vhost.vm.name), 1},
		{0, offsetof(struct port_conf, vhost.vm.nic), 1},
		{0, offsetof(struct port_conf, vhost.vm.has_mac), 1},
		{0, offsetof(struct port_conf, vhost.vm.mac.ether_addr_octet[5]), 1},
		{0, offsetof(struct port_conf, vhost.vm.memory), 1},
		{0, offsetof(struct port_conf, vhost.vm.is_auto), 1},
		{1, offsetof(struct port_conf, vhost.is_pinned), 1},
		{1, offsetof(struct port_conf, vhost.selinux), 1},
		{2, offsetof(struct port_conf, tap.ifname), 1},
		{2, offsetof(struct port_conf, tap.backend), 3},
		{2, offsetof(struct port_conf, tap.has_mac), 1},
		{2, offsetof(struct port_conf, tap.mac.ether_addr_octet[5]), 1},
		{2, offsetof(struct port_conf, tap.n_addresses), 3},
		{2, offsetof(struct port_conf, tap.addresses[1].in6.s6_addr[15]), 1},
		{2, offsetof(struct port_conf, tap.addresses[0].prefix_len), 1},
		{4, offsetof(struct port_conf, vf.pf), 1},
		{4, offsetof(struct port_conf, vf.vf), 1},
		{4, offsetof(struct port_conf, vf.num_vfs), 1},
		{4, offsetof(struct port_conf, vf.wish.has_mac), 1},
		{4, offsetof(struct port_conf, vf.wish.mac.ether_addr_octet[5]), 1},
		{4, offsetof(struct port_conf, vf.wish.vlan), 1},
		{4, offsetof(struct port_conf, vf.wish.trust), 3},
		{4, offsetof(struct port_conf, vf.wish.spoofcheck), 3},
		{4, offsetof(struct port_conf, vf.wish.link_state), 3},
		{4, offsetof(struct port_conf, vf.wish.min_rate), 1},
		{4, offsetof(struct port_conf, vf.wish.max_rate), 1},
		{4, offsetof(struct port_conf, uplink.filter), 1},
		{4, offsetof(struct port_conf, uplink.n_vlans), 3},
		{4, offsetof(struct port_conf, uplink.vlans[1]), 1},
		{5, offsetof(struct port_conf, vf.pci[11]), 1},
		{6, offsetof(struct port_conf, ethdev.devargs), 1},
		{6, offsetof(struct port_conf, uplink.filter), 1},
		{6, offsetof(struct port_conf, uplink.vlans[0]), 2},
	};
	struct conf *conf = load(full);

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct port_conf *port = &conf->ports[fields[i].port];
		struct port_conf other = *port;

		assert_true(conf_same_port(port, &other));
		((uint8_t *)&other)[fields[i].offset] ^= fields[i].change;
		assert_false(conf_same_port(port, &other));
	}
	conf_free(conf);
}

static void
add_refused(const struct conf *base, const char *text, const char *sentence)
{
	struct conf *next;
	struct error e = {0};

	assert_true(conf_add_port(base, text, strlen(text), kinds, &next, &e) < 0);
	assert_null(next);
	assert_string_equal(e.text, sentence);
}

static void
test_add_and_del(void **state)
{
	static const char json[] = "{\"name\":\"vm3\",\"type\":\"vhost-user\",\"socket\":\"/vm3\","
				   "\"queues\":\"2\",\"mtu\":2000,\"lcores\":[1]}";
	struct conf *base = load(full), *more, *less;
	struct error e = {0};

	(void)state;
	assert_int_equal(conf_add_port(base, json, strlen(json), kinds, &more, &e), 0);
	assert_int_equal(base->n_ports, 7);
	assert_int_equal(more->n_ports, 8);
	assert_string_equal(more->ports[7].vhost.socket, "/vm3");
	assert_int_equal(more->ports[7].queues, 2);
	assert_int_equal(more->ports[7].mtu, 2000);
	assert_int_equal(more->lines[7], 0);
	assert_int_equal(conf_del_port(more, "vm3", &less, &e), 0);
	assert_same(base, less);
	conf_free(less);
	assert_int_equal(conf_del_port(more, "vm1", &less, &e), 0);
	assert_int_equal(less->n_ports, 7);
	assert_null(conf_find_port(less, "vm1"));
	assert_string_equal(less->ports[0].name, "vm2");
	assert_int_equal(less->lines[0], 18);
	conf_free(less);
	assert_int_equal(conf_del_port(base, "vm3", &less, &e), -ENOENT);
	assert_string_equal(e.text, "port vm3: there is no such port");
	assert_null(less);

	add_refused(base, "{name: vm3, type: tap, mtu: 90000}",
		    "port vm3: mtu: 90000 is not in 68..65535");
	add_refused(base, "{name: vm3, type: vhost-user, socket: /a, ifname: b}",
		    "port vm3: ifname: only a port of type tap has one");
	add_refused(base, "{name: vm1, type: tap}", "port vm1: name: another port has this name");
	add_refused(base, "{type: tap}", "port: name is missing");
	add_refused(
		base, "{name: x, foo: 1}",
		"foo: there is no such key; there are name, type, lcores, queues, mtu, max_macs, "
		"offloads, socket, mode, datapath, viommu, features, owner, group, permissions, "
		"vm, "
		"selinux, ifname, backend, mac, address, filter, "
		"vlans, pf, vf, num_vfs, pci, vlan, trust, spoofcheck, link_state, min_rate, "
		"max_rate, devargs");
	add_refused(base, "{name: vm3, type: tap, lcores: [2]}",
		    "port vm3: lcores: CPU 2 is not in switch: workers");
	conf_free(more);
	conf_free(base);
}

static void
test_switch_of_machine(void **state)
{
	static const struct conf_cpus bare = {.last = 3};
	static const struct conf_cpus isolated = {.n_isolated = 2, .isolated = {4, 5}, .last = 7};
	struct switch_conf sw;
	struct error e = {0};
	struct conf *conf = load("{}");

	(void)state;
	assert_int_equal(conf_switch(conf, &bare, &sw, &e), 0);
	assert_int_equal(sw.n_workers, 1);
	assert_int_equal(sw.workers[0], 3);
	assert_int_equal(sw.idle_max_us, 250);
	assert_int_equal(conf_switch(conf, &isolated, &sw, &e), 0);
	assert_int_equal(sw.n_workers, 2);
	assert_int_equal(sw.workers[1], 5);
	assert_int_equal(sw.idle_max_us, 0);
	conf_free(conf);
	conf = load("switch: {workers: [4, 6]}");
	assert_int_equal(conf_switch(conf, &isolated, &sw, &e), 0);
	assert_int_equal(sw.idle_max_us, 250);
	conf_free(conf);
	conf = load("switch: {workers: [4, 6], idle: poll}");
	assert_int_equal(conf_switch(conf, &isolated, &sw, &e), 0);
	assert_int_equal(sw.idle_max_us, 0);
	conf_free(conf);
	conf = load("ports:\n- {name: a, type: tap, lcores: [9]}\n");
	assert_int_equal(conf_switch(conf, &isolated, &sw, &e), -EINVAL);
	assert_string_equal(e.text,
			    "t.yaml:2: port a: lcores: CPU 9 has no worker: add it to switch: "
			    "workers");
	conf_free(conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),     cmocka_unit_test(test_full),
		cmocka_unit_test(test_full_uplinks), cmocka_unit_test(test_zeroes),
		cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_same_port),
		cmocka_unit_test(test_add_and_del),  cmocka_unit_test(test_switch_of_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

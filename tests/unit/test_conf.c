/* SPDX-License-Identifier: BSD-3-Clause */
/* test_conf.c: configurations that are right, wrong in every way, and hostile; see conf.h. */
#include "conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct port_ops vhost = {.type = "vhost-user"};
static const struct port_ops tap = {.type = "tap"};
static const struct port_ops *const kinds[] = {&vhost, &tap, NULL};

static const char full[] =
	"switch:\n"
	"  name: lab\n"
	"  workers: [1, 3]\n"
	"  idle: sleep\n"
	"  idle_max_us: 1000\n"
	"  control: /tmp/c.sock\n"
	"  memory: 1G\n"
	"  hugepages: false\n"
	"  log: debug\n"
	"  fdb: {max: 1024, ageing: 20}\n"
	"ports:\n"
	"  - {name: vm1, type: vhost-user, socket: \"/tmp/a \\\"b\\\\.sock\", mode: client, "
	"queues: 4,\n"
	"     lcores: [3, 1], mtu: 9000, datapath: library, owner: root, group: kvm,\n"
	"     permissions: \"0600\", max_macs: 7}\n"
	"  - {name: vm2, type: vhost-user, socket: /tmp/\xc3\xa4.sock}\n"
	"  - {name: inband, type: tap, ifname: vs-inband, mac: \"52:54:00:77:00:FE\",\n"
	"     address: [10.77.0.254/24, \"fd77::fe/64\"], queues: 2, max_macs: 9}\n"
	"  - {name: tap2, type: tap}\n";

static struct conf *
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

/* The text is refused with exactly this sentence. */
static void
refused_len(const char *text, size_t len, const char *sentence)
{
	struct conf other, *conf = &other; /* to see that it is set */
	struct error e = {0};
	int rc = conf_load_text(text, len, "t.yaml", kinds, &conf, &e);

	assert_string_equal(e.text, sentence);
	assert_true(rc < 0);
	assert_null(conf);
}

static void
refused(const char *text, const char *sentence)
{
	refused_len(text, strlen(text), sentence);
}

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
		assert_int_equal(conf->fdb_max, 65536);
		assert_int_equal(conf->fdb_ageing_s, 300);
		assert_int_equal(conf->n_ports, 0);
		conf_free(conf);
	}
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
	assert_int_equal(conf->memory, 1 << 30);
	assert_false(conf->hugepages);
	assert_int_equal(conf->log, LOG_LEVEL_DEBUG);
	assert_int_equal(conf->fdb_max, 1024);
	assert_int_equal(conf->fdb_ageing_s, 20);
	assert_int_equal(conf->n_ports, 4);

	assert_string_equal(p[0].type, "vhost-user");
	assert_string_equal(p[0].vhost.socket, "/tmp/a \"b\\.sock");
	assert_true(p[0].vhost.is_client);
	assert_true(p[0].vhost.is_library);
	assert_string_equal(p[0].vhost.owner, "root");
	assert_string_equal(p[0].vhost.group, "kvm");
	assert_int_equal(p[0].vhost.permissions, 0600);
	assert_int_equal(p[0].queues, 4);
	assert_int_equal(p[0].mtu, 9000);
	assert_int_equal(p[0].max_macs, 7);
	assert_int_equal(p[0].n_lcores, 2);
	assert_int_equal(p[0].lcores[0], 3);
	assert_int_equal(conf->lines[0], 12);

	assert_false(p[1].vhost.is_client);
	assert_false(p[1].vhost.is_library);
	assert_int_equal(p[1].vhost.permissions, 0660);
	assert_int_equal(p[1].mtu, 1500);
	assert_int_equal(p[1].queues, 1);
	assert_int_equal(p[1].max_macs, 4096);
	assert_int_equal(p[1].n_lcores, 0);

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
	assert_false(p[3].tap.has_mac);
	assert_true(p[3].max_macs == (uint32_t)PORT_MACS_UNLIMITED);
	conf_free(conf);
}

/* Field by field but for where it is from; conf_load_text() zeroes what it does not set. */
static void
assert_same(struct conf *a, struct conf *b)
{
	assert_int_equal(a->n_ports, b->n_ports);
	for (uint32_t i = 0; i < a->n_ports; i++) {
		assert_memory_equal(&a->ports[i], &b->ports[i], sizeof(a->ports[i]));
		assert_true(conf_same_port(&a->ports[i], &b->ports[i]));
	}
	assert_memory_equal(a, b, offsetof(struct conf, ports));
}

static void
test_round_trip(void **state)
{
	static const char *const texts[] = {full, "{}", "switch: {idle: poll, log: err}",
					    "switch: {idle: auto, log: warn, memory: 65M}"};

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
		{0, offsetof(struct port_conf, vhost.socket[1]), 1},
		{0, offsetof(struct port_conf, vhost.is_client), 1},
		{0, offsetof(struct port_conf, vhost.is_library), 1},
		{0, offsetof(struct port_conf, vhost.owner), 1},
		{0, offsetof(struct port_conf, vhost.group), 1},
		{0, offsetof(struct port_conf, vhost.permissions), 1},
		{2, offsetof(struct port_conf, tap.ifname), 1},
		{2, offsetof(struct port_conf, tap.has_mac), 1},
		{2, offsetof(struct port_conf, tap.mac.ether_addr_octet[5]), 1},
		{2, offsetof(struct port_conf, tap.n_addresses), 3},
		{2, offsetof(struct port_conf, tap.addresses[1].in6.s6_addr[15]), 1},
		{2, offsetof(struct port_conf, tap.addresses[0].prefix_len), 1},
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

struct wrong {
	const char *text, *sentence;
};

static void
all_refused(const struct wrong *wrong, size_t n)
{
	for (size_t i = 0; i < n; i++)
		refused(wrong[i].text, wrong[i].sentence);
}

static void
test_structure(void **state)
{
	static const struct wrong wrong[] = {
		{"", "t.yaml:1: there is nothing in it; a switch without ports is written "
		     "`ports: []`"},
		{"# only words\n", "t.yaml:1: there is nothing in it; a switch without ports is "
				   "written `ports: []`"},
		{"---\n...\n", "t.yaml:1: there is nothing in it; a switch without ports is "
			       "written `ports: []`"},
		{"- 1\n",
		 "t.yaml:1: expected keys with values (`key: value`), found something else"},
		{"word",
		 "t.yaml:1: expected keys with values (`key: value`), found something else"},
		{"switch: {}\nswitsh: 1\n",
		 "t.yaml:2: switsh: there is no such key; there are switch, ports"},
		{"switch:\n  fdb:\n    max: 64\n    min: 1\n",
		 "t.yaml:4: switch: fdb: min: there is no such key; there are max, ageing"},
		{"ports:\n- name: a\n  type: tap\n  mtu: 1400\n  mtu: 1500\n",
		 "t.yaml:5: ports: a: mtu: is there twice"},
		{"switch:\n  name: [a]\n", "t.yaml:2: switch: name: one value is expected here"},
		{"ports:\n- name: a\n  type: tap\n  lcores: 1\n",
		 "t.yaml:4: ports: a: lcores: a list is expected here, as in [1, 2]"},
		{"ports: 5\n", "t.yaml:1: ports: a list is expected here, as in [1, 2]"},
		{"ports:\n- {name: a, type: tap}\n- word\n",
		 "t.yaml:3: ports: entry 2: keys with values are expected here, as in {key: "
		 "value}"},
		{"switch: {\n{a: b}: c}\n", "t.yaml:2: a list or mapping can't be a key"},
		{"switch: [\n", "t.yaml:2: not valid YAML: did not find expected node content"},
		{"a: b: c\n",
		 "t.yaml:1: not valid YAML: mapping values are not allowed in this context"},
		{"{}\n---\n{}\n", "t.yaml:2: a second document begins here; a configuration is one "
				  "document"},
		{"ports: &a []\n",
		 "t.yaml:1: anchors (&name) are not allowed; write the value itself"},
		{"switch: &a {}\nports: *a\n",
		 "t.yaml:1: anchors (&name) are not allowed; write the value itself"},
		{"switch: {name: *a}\n",
		 "t.yaml:1: aliases (*name) are not allowed; write the value itself"},
		{"switch: {<<: {name: a}}\n",
		 "t.yaml:1: switch: <<: there is no such key; there are name, workers, idle, "
		 "idle_max_us, control, memory, hugepages, log, fdb"},
		{"switch: {name: \"a\\0b\"}\n", "t.yaml:1: a value contains a control character or "
						"line break, which no value may"},
		{"switch: {name: \"a\\Lb\"}\n", "t.yaml:1: a value contains a control character or "
						"line break, which no value may"},
		{"switch:\n  name: |\n    a\n    b\n",
		 "t.yaml:2: a value contains a control character or line break, which no value "
		 "may"},
		{"switch: {}\nports: \xff\n",
		 "t.yaml:2: not UTF-8 text: invalid leading UTF-8 octet"},
		{"a: \xc3", "t.yaml:1: not UTF-8 text: incomplete UTF-8 octet sequence"},
		{"a: \x01", "t.yaml:1: not UTF-8 text: control characters are not allowed"},
	};

	(void)state;
	all_refused(wrong, sizeof(wrong) / sizeof(wrong[0]));
	refused_len("a: \0b", 5, "t.yaml:1: not UTF-8 text: control characters are not allowed");
	refused_len("\xff\xfe{\0}\0", 6, "t.yaml:1: not UTF-8 text: invalid leading UTF-8 octet");
}

static void
test_switch_keys(void **state)
{
	static const struct wrong wrong[] = {
		{"switch: {name: a b}",
		 "t.yaml:1: switch: name: \"a b\" is no name: 1 to 31 of A-Z "
		 "a-z 0-9 _ . -, not beginning with . or -"},
		{"switch: {name: }", "t.yaml:1: switch: name: \"\" is no name: 1 to 31 of A-Z "
				     "a-z 0-9 _ . -, not beginning with . or -"},
		{"switch:\n  workers:\n  - 1\n  - x\n",
		 "t.yaml:4: switch: workers: \"x\" is not the number of a CPU"},
		{"switch: {workers: [1, 1]}", "t.yaml:1: switch: workers: CPU 1 is there twice"},
		{"switch: {workers: [1024]}",
		 "t.yaml:1: switch: workers: CPU 1024 is not in 0..1023"},
		{"switch: {workers: [-1]}",
		 "t.yaml:1: switch: workers: \"-1\" is not the number of a CPU"},
		{"switch: {idle: nap}",
		 "t.yaml:1: switch: idle: \"nap\" is none of: auto, poll, sleep"},
		{"switch: {idle_max_us: 0}",
		 "t.yaml:1: switch: idle_max_us: 0 is not in 1..100000"},
		{"switch: {idle_max_us: 100001}",
		 "t.yaml:1: switch: idle_max_us: 100001 is not in 1..100000"},
		{"switch: {idle_max_us: 18446744073709551617}",
		 "t.yaml:1: switch: idle_max_us: \"18446744073709551617\" is not a number"},
		{"switch: {idle_max_us: 010}",
		 "t.yaml:1: switch: idle_max_us: \"010\" is not a number"},
		{"switch: {idle_max_us: 1x}",
		 "t.yaml:1: switch: idle_max_us: \"1x\" is not a number"},
		{"switch: {control: c.sock}",
		 "t.yaml:1: switch: control: \"c.sock\" does not begin with /"},
		{"switch: {control: /tmp/}",
		 "t.yaml:1: switch: control: \"/tmp/\" is a directory, not the path of a socket"},
		{"switch: {memory: lots}",
		 "t.yaml:1: switch: memory: \"lots\" is not a size, as 256M or 1G are"},
		{"switch: {memory: 63M}", "t.yaml:1: switch: memory: 63M is not in 64M..1048576M"},
		{"switch: {memory: 1025G}",
		 "t.yaml:1: switch: memory: 1025G is not in 64M..1048576M"},
		{"switch: {memory: 99999999999999999G}",
		 "t.yaml:1: switch: memory: \"99999999999999999G\" is not a size, as 256M or 1G "
		 "are"},
		{"switch: {memory: 65537K}",
		 "t.yaml:1: switch: memory: 65537K is no multiple of 1M"},
		{"switch: {hugepages: flase}",
		 "t.yaml:1: switch: hugepages: \"flase\" is neither true nor false"},
		{"switch: {log: all}",
		 "t.yaml:1: switch: log: \"all\" is none of: err, warn, info, debug"},
		{"switch: {fdb: {max: 63}}",
		 "t.yaml:1: switch: fdb: max: 63 is not in 64..4194304"},
		{"switch: {fdb: {max: 4194305}}",
		 "t.yaml:1: switch: fdb: max: 4194305 is not in 64..4194304"},
		{"switch:\n  fdb:\n    ageing: 1000001\n",
		 "t.yaml:3: switch: fdb: ageing: 1000001 is not in 0..1000000"},
	};

	(void)state;
	all_refused(wrong, sizeof(wrong) / sizeof(wrong[0]));
}

#define VM   "ports:\n- name: vm1\n  type: vhost-user\n  socket: /a\n"
#define TAP_ "ports:\n- name: in\n  type: tap\n  ifname: t0\n"

static void
test_port_keys(void **state)
{
	static const struct wrong wrong[] = {
		{"ports:\n- type: tap\n", "t.yaml:2: ports: entry 1: name is missing"},
		{"ports:\n- name: vm1\n", "t.yaml:2: ports: vm1: type is missing"},
		{"ports:\n- name: -x\n  type: tap\n",
		 "t.yaml:2: ports: -x: name: \"-x\" is no name: 1 to 31 of A-Z a-z 0-9 _ . -, not "
		 "beginning with . or -"},
		{"ports:\n- name: n234567890123456789012345678901x\n  type: tap\n",
		 "t.yaml:2: ports: n234567890123456789012345678901x: name: "
		 "\"n234567890123456789012345678901x\" is no name: 1 to 31 of A-Z a-z 0-9 _ . -, "
		 "not "
		 "beginning with . or -"},
		{"ports:\n- name: vm1\n  type: bridge\n",
		 "t.yaml:3: ports: vm1: type: \"bridge\" is none of: vhost-user, tap"},
		{VM "  mtu: 90000\n", "t.yaml:5: ports: vm1: mtu: 90000 is not in 68..65535"},
		{VM "  mtu: 67\n", "t.yaml:5: ports: vm1: mtu: 67 is not in 68..65535"},
		{VM "  mtu: -1\n", "t.yaml:5: ports: vm1: mtu: \"-1\" is not a number"},
		{VM "  queues: 0\n", "t.yaml:5: ports: vm1: queues: 0 is not in 1..16"},
		{VM "  queues: 17\n", "t.yaml:5: ports: vm1: queues: 17 is not in 1..16"},
		{VM "  max_macs: 0\n", "t.yaml:5: ports: vm1: max_macs: 0 is not in 1..4194304"},
		{VM "  lcores: [2]\nswitch: {workers: [1]}",
		 "t.yaml:5: ports: vm1: lcores: CPU 2 is not in switch: workers"},
		{VM "  lcores: [2, 2]\n", "t.yaml:5: ports: vm1: lcores: CPU 2 is there twice"},
		{"ports:\n- name: vm1\n  type: vhost-user\n",
		 "t.yaml:2: ports: vm1: socket is missing"},
		{"ports: [{name: vm1, type: vhost-user, socket: a}]",
		 "t.yaml:1: ports: vm1: socket: \"a\" does not begin with /"},
		{VM "  mode: both\n",
		 "t.yaml:5: ports: vm1: mode: \"both\" is none of: server, client"},
		{VM "  datapath: fast\n",
		 "t.yaml:5: ports: vm1: datapath: \"fast\" is none of: direct, library"},
		{VM "  owner: a/b\n",
		 "t.yaml:5: ports: vm1: owner: \"a/b\" is no name: 1 to 63 of A-Z "
		 "a-z 0-9 _ . -, not beginning with . or -"},
		{VM "  group: ''\n", "t.yaml:5: ports: vm1: group: \"\" is no name: 1 to 63 of A-Z "
				     "a-z 0-9 _ . -, not beginning with . or -"},
		{VM "  permissions: \"0888\"\n",
		 "t.yaml:5: ports: vm1: permissions: \"0888\" is not octal and in 0000..0777, as "
		 "\"0660\" is"},
		{VM "  permissions: \"4755\"\n",
		 "t.yaml:5: ports: vm1: permissions: \"4755\" is not octal and in 0000..0777, as "
		 "\"0660\" is"},
		{VM "  ifname: t0\n", "t.yaml:5: ports: vm1: ifname: only a tap port has one"},
		{VM "  address: []\n", "t.yaml:5: ports: vm1: address: only a tap port has one"},
		{VM "  mac: \"52:54:00:00:00:01\"\n",
		 "t.yaml:5: ports: vm1: mac: only a tap port has one"},
		{TAP_ "  socket: /a\n",
		 "t.yaml:5: ports: in: socket: only a vhost-user port has one"},
		{TAP_ "  mode: server\n",
		 "t.yaml:5: ports: in: mode: only a vhost-user port has one"},
		{TAP_ "  datapath: direct\n",
		 "t.yaml:5: ports: in: datapath: only a vhost-user port has one"},
		{TAP_ "  owner: root\n",
		 "t.yaml:5: ports: in: owner: only a vhost-user port has one"},
		{TAP_ "  group: kvm\n",
		 "t.yaml:5: ports: in: group: only a vhost-user port has one"},
		{TAP_ "  permissions: \"0660\"\n",
		 "t.yaml:5: ports: in: permissions: only a vhost-user port has one"},
		{TAP_ "  mac: 52:54:00:77:00\n", "t.yaml:5: ports: in: mac: \"52:54:00:77:00\" is "
						 "not a MAC, as \"52:54:00:77:00:fe\" is"},
		{TAP_ "  mac: 52-54-00-77-00-01\n",
		 "t.yaml:5: ports: in: mac: \"52-54-00-77-00-01\" is "
		 "not a MAC, as \"52:54:00:77:00:fe\" is"},
		{TAP_ "  mac: 53:54:00:77:00:01\n",
		 "t.yaml:5: ports: in: mac: 53:54:00:77:00:01 is a "
		 "group's address, not a station's"},
		{TAP_ "  mac: 00:00:00:00:00:00\n",
		 "t.yaml:5: ports: in: mac: all zeroes is nobody's address"},
		{TAP_ "  address:\n  - 10.0.0.1/8\n  - 10.0.0.2\n",
		 "t.yaml:7: ports: in: address: \"10.0.0.2\" is not an address with its prefix "
		 "length, "
		 "as 10.77.0.254/24 or fd77::fe/64 are"},
		{TAP_ "  address: [10.0.0.1/33]\n", "t.yaml:5: ports: in: address: \"10.0.0.1/33\" "
						    "is not an address with its prefix length, "
						    "as 10.77.0.254/24 or fd77::fe/64 are"},
		{TAP_ "  address: [\"fd77::1/129\"]\n",
		 "t.yaml:5: ports: in: address: \"fd77::1/129\" is not an address with its prefix "
		 "length, "
		 "as 10.77.0.254/24 or fd77::fe/64 are"},
		{TAP_ "  address: [224.0.0.1/24]\n",
		 "t.yaml:5: ports: in: address: 224.0.0.1/24 can't be the address of a host"},
		{TAP_ "  address: [\"ff02::1/64\"]\n",
		 "t.yaml:5: ports: in: address: ff02::1/64 can't be the address of a host"},
		{TAP_ "  address: [10.0.0.1/8, 10.0.0.1/8]\n",
		 "t.yaml:5: ports: in: address: 10.0.0.1/8 is there twice"},
		{"ports: [{name: a, type: tap, ifname: sixteen-bytes-xx}]",
		 "t.yaml:1: ports: a: ifname: \"sixteen-bytes-xx\" is no name: 1 to 15 of A-Z a-z "
		 "0-9 _ . "
		 "-, not beginning with . or -"},
		{"ports: [{name: sixteen-bytes-xx, type: tap}]",
		 "t.yaml:1: ports: sixteen-bytes-xx: ifname is missing, and the port's name is too "
		 "long "
		 "for an interface, which takes 15 bytes"},
	};

	(void)state;
	all_refused(wrong, sizeof(wrong) / sizeof(wrong[0]));
}

static void
test_ports_beside(void **state)
{
	static const struct wrong wrong[] = {
		{VM "- name: vm1\n  type: tap\n",
		 "t.yaml:5: ports: vm1: name: another port has this name"},
		{VM "- name: vm2\n  type: vhost-user\n  socket: /a\n",
		 "t.yaml:7: ports: vm2: socket: port vm1 has this socket"},
		{VM "switch: {control: /a}\n",
		 "t.yaml:4: ports: vm1: socket: this is the control socket of the switch"},
		{TAP_ "- name: t0\n  type: tap\n",
		 "t.yaml:5: ports: t0: ifname: port in has interface t0"},
		{TAP_
		 "  mac: 52:54:00:00:00:01\n- name: t1\n  type: tap\n  mac: 52:54:00:00:00:01\n",
		 "t.yaml:8: ports: t1: mac: port in has this address"},
		{TAP_ "  address: [10.0.0.1/8]\n- name: t1\n  type: tap\n  address: [10.0.0.1/8]\n",
		 "t.yaml:8: ports: t1: address: port in has this address"},
	};

	(void)state;
	all_refused(wrong, sizeof(wrong) / sizeof(wrong[0]));
}

/* The longest path is taken, one byte more is not. */
static void
test_socket_path_length(void **state)
{
	char text[512], path[110], sentence[300];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[108] = 0;
	snprintf(text, sizeof(text), "ports:\n- name: vm1\n  type: vhost-user\n  socket: %s\n",
		 path);
	snprintf(sentence, sizeof(sentence),
		 "t.yaml:4: ports: vm1: socket: path is 108 bytes, a UNIX socket takes 107");
	refused(text, sentence);
	path[107] = 0;
	snprintf(text, sizeof(text), "ports:\n- name: vm1\n  type: vhost-user\n  socket: %s\n",
		 path);
	conf_free(load(text));
}

/* The text repeated until it has len bytes at least, with head before it and tail behind. */
static char *
repeat(const char *head, const char *text, const char *tail, size_t len)
{
	size_t n = len / strlen(text) + 1;
	char *all = malloc(strlen(head) + n * strlen(text) + strlen(tail) + 1), *to = all;

	to = stpcpy(to, head);
	while (n-- > 0)
		to = stpcpy(to, text);
	stpcpy(to, tail);
	return all;
}

static void
refused_begins(const char *text, const char *begin)
{
	struct conf *conf;
	struct error e = {0};

	assert_true(conf_load_text(text, strlen(text), "t.yaml", kinds, &conf, &e) < 0);
	assert_null(conf);
	if (strncmp(e.text, begin, strlen(begin)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", e.text, begin);
}

static void
test_hostile(void **state)
{
	const size_t most = CONF_TEXT_MAX - 100;
	char *text;

	(void)state;
	text = repeat("", "[", "", most);
	refused_begins(text, "t.yaml:1: mappings and lists are nested deeper");
	free(text);
	text = repeat("", "- ", "", most);
	refused_begins(text, "t.yaml:1: mappings and lists are nested deeper");
	free(text);
	text = repeat("a: ", "{a: ", "", most);
	refused_begins(text, "t.yaml:1: mappings and lists are nested deeper");
	free(text);
	text = repeat("switch: {workers: [", "1,", "1]}", most);
	refused_begins(text, "t.yaml:1: switch: workers: there are more than 127 entries");
	free(text);
	text = repeat("ports: [", "{},", "{}]", most);
	refused_begins(text, "t.yaml:1: ports: there are more than 1024 entries");
	free(text);
	text = repeat("switch: {", "name: a,", "}", most);
	refused_begins(text, "t.yaml:1: switch: name: is there twice");
	free(text);
	text = repeat("switch: {name: ", "a", "}", most);
	refused_begins(text, "t.yaml:1: switch: name: \"aaaa");
	free(text);
	text = repeat("ports: [{name: ", "a", ", type: tap}]", most);
	refused_begins(text, "t.yaml:1: ports: aaaa");
	free(text);
	text = repeat("", "a", ": b", most);
	refused_begins(text, "t.yaml:");
	free(text);
	text = repeat("", "? ", "", most);
	refused_begins(text, "t.yaml:");
	free(text);
	text = repeat("{}\n", "#", "", CONF_TEXT_MAX);
	refused_begins(text, "t.yaml: has ");
	free(text);
	/* the billion laughs */
	refused_begins("a: &a [l, l, l]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\n",
		       "t.yaml:1: anchors (&name) are not allowed");
}

static int
load_file(const char *path, struct error *e)
{
	struct conf *conf;
	int rc = conf_load_file(path, kinds, &conf, e);

	conf_free(conf);
	return rc;
}

static void
test_files(void **state)
{
	char path[] = "/tmp/test_conf.XXXXXX", sentence[128];
	struct error e = {0};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "ports: [{name: a, type: tap}]", 29), 29);
	assert_int_equal(load_file(path, &e), 0);
	assert_int_equal(ftruncate(fd, 100 << 20), 0);
	assert_int_equal(load_file(path, &e), -EFBIG);
	snprintf(sentence, sizeof(sentence),
		 "%s: has more than %d bytes, which no configuration has", path, CONF_TEXT_MAX);
	assert_string_equal(e.text, sentence);
	close(fd);
	unlink(path);
	assert_int_equal(load_file(path, &e), -ENOENT);
	snprintf(sentence, sizeof(sentence), "%s: can't be opened: No such file or directory",
		 path);
	assert_string_equal(e.text, sentence);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(load_file(path, &e), -EINVAL);
	snprintf(sentence, sizeof(sentence), "%s: is not a file", path);
	assert_string_equal(e.text, sentence);
	unlink(path);
	assert_int_equal(load_file("/tmp", &e), -EINVAL);
	assert_string_equal(e.text, "/tmp: is not a file");
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
	assert_int_equal(base->n_ports, 4);
	assert_int_equal(more->n_ports, 5);
	assert_string_equal(more->ports[4].vhost.socket, "/vm3");
	assert_int_equal(more->ports[4].queues, 2);
	assert_int_equal(more->ports[4].mtu, 2000);
	assert_int_equal(more->lines[4], 0);
	assert_int_equal(conf_del_port(more, "vm3", &less, &e), 0);
	assert_same(base, less);
	conf_free(less);
	assert_int_equal(conf_del_port(more, "vm1", &less, &e), 0);
	assert_int_equal(less->n_ports, 4);
	assert_null(conf_find_port(less, "vm1"));
	assert_string_equal(less->ports[0].name, "vm2");
	assert_int_equal(less->lines[0], 15);
	conf_free(less);
	assert_int_equal(conf_del_port(base, "vm3", &less, &e), -ENOENT);
	assert_string_equal(e.text, "port vm3: there is no such port");
	assert_null(less);

	add_refused(base, "{name: vm3, type: tap, mtu: 90000}",
		    "port vm3: mtu: 90000 is not in 68..65535");
	add_refused(base, "{name: vm3, type: vhost-user, socket: /a, ifname: b}",
		    "port vm3: ifname: only a tap port has one");
	add_refused(base, "{name: vm1, type: tap}", "port vm1: name: another port has this name");
	add_refused(base, "{type: tap}", "port: name is missing");
	add_refused(
		base, "{name: x, foo: 1}",
		"foo: there is no such key; there are name, type, lcores, queues, mtu, max_macs, "
		"socket, mode, datapath, owner, group, permissions, ifname, mac, address");
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
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_same_port),
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_switch_keys),
		cmocka_unit_test(test_port_keys),
		cmocka_unit_test(test_ports_beside),
		cmocka_unit_test(test_socket_path_length),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_add_and_del),
		cmocka_unit_test(test_switch_of_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

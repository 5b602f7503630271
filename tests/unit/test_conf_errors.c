/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_conf_errors.c: configurations that are wrong in every way, each with its line and key, and
 * hostile ones; see conf.h. What is right is in test_conf.c.
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf_text.h"

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
		 "idle_max_us, control, state, memory, hugepages, log, mtu, fdb"},
		{"switch: {name: \"a\\0b\"}\n", "t.yaml:1: a value contains a control character or "
						"line break, which no value may"},
		{"switch: {name: \"a\\Lb\"}\n", "t.yaml:1: a value contains a control character or "
						"line break, which no value may"},
		{"switch: {name: \"a\\Nb\"}\n", "t.yaml:1: a value contains a control character or "
						"line break, which no value may"},
		{"switch: {name: \"a\\x80b\"}\n",
		 "t.yaml:1: a value contains a control character or "
		 "line break, which no value may"},
		{"switch: {name: \"a\\u009f\"}\n", "t.yaml:1: a value contains a control character "
						   "or line break, which no value may"},
		{"switch: {name: a\xc2\x84}\n",
		 "t.yaml:1: not UTF-8 text: control characters are not "
		 "allowed"},
		{"ports: [{\"na\\x9bme\": a}]\n",
		 "t.yaml:1: a value contains a control character or "
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
		{"switch: {state: var/lib}",
		 "t.yaml:1: switch: state: \"var/lib\" does not begin with /"},
		{"switch: {control: /tmp/}",
		 "t.yaml:1: switch: control: \"/tmp/\" is a directory, not the path of a socket"},
		{"switch: {control: /tmp/.}",
		 "t.yaml:1: switch: control: \"/tmp/.\" is a directory, not the path of a socket"},
		{"switch: {control: /tmp/..}",
		 "t.yaml:1: switch: control: \"/tmp/..\" is a directory, not the path of a socket"},
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
		{"switch: {mtu: 67}", "t.yaml:1: switch: mtu: 67 is not in 68..65535"},
		{"switch: {mtu: 65536}", "t.yaml:1: switch: mtu: 65536 is not in 68..65535"},
		{"switch: {mtu: jumbo}", "t.yaml:1: switch: mtu: \"jumbo\" is not a number"},
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
		 "t.yaml:3: ports: vm1: type: \"bridge\" is none of: vhost-user, tap, vf, ethdev"},
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
		{VM "  features: keep\n",
		 "t.yaml:5: ports: vm1: features: \"keep\" is none of: auto, pin"},
		{VM "  selinux: svirt_image_t\n",
		 "t.yaml:5: ports: vm1: selinux: \"svirt_image_t\" is not the label of a file, as "
		 "\"system_u:object_r:svirt_image_t:s0\" is"},
		{VM "  selinux: \"a:b :c\"\n",
		 "t.yaml:5: ports: vm1: selinux: \"a:b :c\" is not the label of a file, as "
		 "\"system_u:object_r:svirt_image_t:s0\" is"},
		{VM "  mode: client\n  selinux: \"u:r:t\"\n",
		 "t.yaml:6: ports: vm1: selinux: QEMU makes the socket of a port with mode: "
		 "client, "
		 "and labels it"},
		{TAP_ "  features: pin\n",
		 "t.yaml:5: ports: in: features: only a port of type vhost-user has one"},
		{TAP_ "  selinux: \"u:r:t\"\n",
		 "t.yaml:5: ports: in: selinux: only a port of type vhost-user has one"},
		{VM "  ifname: t0\n",
		 "t.yaml:5: ports: vm1: ifname: only a port of type tap has one"},
		{VM "  backend: net_tap\n",
		 "t.yaml:5: ports: vm1: backend: only a port of type tap has one"},
		{TAP_ "  backend: vhost_net\n",
		 "t.yaml:5: ports: in: backend: \"vhost_net\" is none of: tun, net_tap, vhost-net"},
		{VM "  address: []\n",
		 "t.yaml:5: ports: vm1: address: only a port of type tap has one"},
		{VM "  mac: \"52:54:00:00:00:01\"\n",
		 "t.yaml:5: ports: vm1: mac: only a port of type tap or vf has one"},
		{TAP_ "  socket: /a\n",
		 "t.yaml:5: ports: in: socket: only a port of type vhost-user has one"},
		{TAP_ "  mode: server\n",
		 "t.yaml:5: ports: in: mode: only a port of type vhost-user has one"},
		{TAP_ "  datapath: direct\n",
		 "t.yaml:5: ports: in: datapath: only a port of type vhost-user has one"},
		{TAP_ "  owner: root\n",
		 "t.yaml:5: ports: in: owner: only a port of type vhost-user has one"},
		{TAP_ "  group: kvm\n",
		 "t.yaml:5: ports: in: group: only a port of type vhost-user has one"},
		{TAP_ "  permissions: \"0660\"\n",
		 "t.yaml:5: ports: in: permissions: only a port of type vhost-user has one"},
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
		 "t.yaml:7: ports: vm2: socket: port vm1 has the same"},
		{VM "switch: {control: /a}\n",
		 "t.yaml:4: ports: vm1: socket: this is the control socket of the switch"},
		{TAP_ "- name: t0\n  type: tap\n",
		 "t.yaml:5: ports: t0: ifname: port in has the same"},
		{TAP_
		 "  mac: 52:54:00:00:00:01\n- name: t1\n  type: tap\n  mac: 52:54:00:00:00:01\n",
		 "t.yaml:8: ports: t1: mac: port in has this address"},
		{TAP_ "  address: [10.0.0.1/8]\n- name: t1\n  type: tap\n  address: [10.0.0.1/8]\n",
		 "t.yaml:8: ports: t1: address: port in has this address"},
	};

	(void)state;
	all_refused(wrong, sizeof(wrong) / sizeof(wrong[0]));
}

/* What is spelled otherwise is the same socket, and is kept in one spelling. */
static void
test_socket_path_spelling(void **state)
{
	static const char *const same[] = {"//run/x.sock", "/run//x.sock", "/run/./x.sock",
					   "/./run/././x.sock", "/run///./x.sock"};
	static const char *const others[] = {"/run/.x.sock", "/run/x.sock.", "/run/...", "/run/..x",
					     "/run/../run/x.sock"};
	char text[512];
	struct conf *conf;

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		snprintf(text, sizeof(text),
			 "ports:\n- {name: a, type: vhost-user, socket: /run/x.sock}\n"
			 "- {name: b, type: vhost-user, socket: %s}\n",
			 same[i]);
		refused(text, "t.yaml:3: ports: b: socket: port a has the same");
		snprintf(text, sizeof(text),
			 "switch: {control: %s}\n"
			 "ports: [{name: a, type: vhost-user, socket: /run/x.sock}]\n",
			 same[i]);
		refused(text, "t.yaml:2: ports: a: socket: this is the control socket of the "
			      "switch");
		snprintf(text, sizeof(text), "ports: [{name: a, type: vhost-user, socket: %s}]\n",
			 same[i]);
		conf = load(text);
		assert_string_equal(conf->ports[0].vhost.socket, "/run/x.sock");
		conf_free(conf);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		snprintf(text, sizeof(text),
			 "ports:\n- {name: a, type: vhost-user, socket: /run/x.sock}\n"
			 "- {name: b, type: vhost-user, socket: %s}\n",
			 others[i]);
		conf = load(text);
		assert_string_equal(conf->ports[1].vhost.socket, others[i]);
		conf_free(conf);
	}
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_switch_keys),
		cmocka_unit_test(test_port_keys),
		cmocka_unit_test(test_ports_beside),
		cmocka_unit_test(test_socket_path_spelling),
		cmocka_unit_test(test_socket_path_length),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

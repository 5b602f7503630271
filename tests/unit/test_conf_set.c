/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_conf_set.c: a port's keys are given other values (vswitchctl port set), its offloads among
 * them; see conf.h.
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
/* The offloads of keys, which are those of a mapping. */
static uint32_t
offloads_of(const char *keys)
{
	struct conf *conf;
	uint32_t offloads;
	char text[128];

	snprintf(text, sizeof(text), "ports: [{name: a, type: tap, offloads: {%s}}]", keys);
	conf = load(text);
	offloads = conf->ports[0].offloads;
	conf_free(conf);
	return offloads;
}

static void
test_offloads(void **state)
{
	const uint32_t sums = OFFLOAD_ALL & ~OFFLOAD_SEGMENTS;

	(void)state;
	assert_int_equal(offloads_of(""), OFFLOAD_ALL);
	assert_int_equal(offloads_of("checksum: true, tso: yes, uso: on"), OFFLOAD_ALL);
	assert_int_equal(offloads_of("tso: false"), sums | OFFLOAD_USO);
	assert_int_equal(offloads_of("uso: false"), sums | OFFLOAD_TSO);
	assert_int_equal(offloads_of("tso: false, uso: false"), sums);
	assert_int_equal(offloads_of("checksum: false"), 0);
	assert_int_equal(offloads_of("checksum: false, tso: false, uso: false"), 0);
}

/* Makes *base what it is with the changes of text. */
static void
set(struct conf **base, const char *text)
{
	struct error e = {0};
	struct conf *next;

	if (conf_set_port(*base, text, strlen(text), kinds, &next, &e))
		fail_msg("%s: %s", text, e.text);
	conf_free(*base);
	*base = next;
}

static void
set_refused(const struct conf *base, const char *text, int code, const char *sentence)
{
	struct conf *next;
	struct error e = {0};

	assert_int_equal(conf_set_port(base, text, strlen(text), kinds, &next, &e), code);
	assert_null(next);
	assert_string_equal(e.text, sentence);
}

static void
test_set(void **state)
{
	struct conf *base = load(full), *was = load(full);
	const struct port_conf *p;

	(void)state;
	/* one key, at its place, and it is not the file's port any more */
	set(&base, "{\"name\": \"vm2\", \"mtu\": 9000}");
	p = &base->ports[1];
	assert_int_equal(base->n_ports, 7);
	assert_string_equal(p->name, "vm2");
	assert_int_equal(p->mtu, 9000);
	assert_int_equal(base->lines[1], 0);
	assert_int_equal(base->lines[0], 14);
	assert_int_equal(base->lines[2], was->lines[2]);
	/* and back: the rest of all ports is as it was */
	set(&base, "{name: vm2, mtu: 1400}");
	assert_same(base, was);
	for (uint32_t i = 0; i < was->n_ports; i++) {
		char text[64];

		snprintf(text, sizeof(text), "{name: %s}", was->ports[i].name);
		set(&base, text);
	}
	assert_same(base, was);
	/* lists are replaced, those that were not there come */
	set(&base, "{name: inband, address: [\"fd77::1/64\"], lcores: [\"3\"]}");
	p = &base->ports[2];
	assert_int_equal(p->tap.n_addresses, 1);
	assert_int_equal(p->tap.addresses[0].family, AF_INET6);
	assert_int_equal(p->n_lcores, 1);
	assert_int_equal(p->lcores[0], 3);
	set(&base, "{name: inband, address: []}");
	assert_int_equal(base->ports[2].tap.n_addresses, 0);
	/* text with what has to be escaped */
	set(&base, "{name: vm1, socket: \"/b \\\"\\\\\", mode: server}");
	assert_string_equal(base->ports[0].vhost.socket, "/b \"\\");
	assert_false(base->ports[0].vhost.is_client);
	assert_true(base->ports[0].vhost.is_library);
	conf_free(base);
	conf_free(was);
}

static void
test_set_offloads(void **state)
{
	const uint32_t sums = OFFLOAD_ALL & ~OFFLOAD_SEGMENTS;
	struct conf *base = load("ports: [{name: a, type: tap}]");

	(void)state;
	set(&base, "{name: a, offloads: {tso: false}}");
	assert_int_equal(base->ports[0].offloads, sums | OFFLOAD_USO);
	set(&base, "{name: a, offloads: {uso: false}}");
	assert_int_equal(base->ports[0].offloads, sums);
	set(&base, "{name: a, offloads: {tso: true, uso: true}}");
	assert_int_equal(base->ports[0].offloads, OFFLOAD_ALL);
	/* segments go and come with what they need */
	set(&base, "{name: a, offloads: {checksum: false}}");
	assert_int_equal(base->ports[0].offloads, 0);
	set_refused(base, "{name: a, offloads: {uso: true}}", -EINVAL,
		    "port a: offloads: uso: needs checksum, which is false: turn that on, or this "
		    "off");
	set(&base, "{name: a, offloads: {checksum: true}}");
	assert_int_equal(base->ports[0].offloads, OFFLOAD_ALL);
	conf_free(base);
}

/* What is known of the machine comes and goes, key by key. */
static void
test_set_vm(void **state)
{
	struct conf *base = load("ports: [{name: a, type: vhost-user, socket: /a}]");
	const struct port_vm *vm;
	char *text;

	(void)state;
	set(&base, "{name: a, vm: {name: vm1, nic: net0}}");
	set(&base, "{name: a, vm: {mac: \"52:54:00:00:00:01\", memory: private}}");
	vm = &base->ports[0].vhost.vm;
	assert_string_equal(vm->name, "vm1");
	assert_string_equal(vm->nic, "net0");
	assert_true(vm->has_mac);
	assert_int_equal(vm->mac.ether_addr_octet[5], 1);
	assert_int_equal(vm->memory, PORT_VM_MEMORY_PRIVATE);
	assert_false(vm->is_auto);
	set(&base, "{name: a, vm: {name: \"\", nic: \"\", mac: \"\", memory: unknown}}");
	vm = &base->ports[0].vhost.vm;
	assert_string_equal(vm->name, "");
	assert_false(vm->has_mac);
	text = conf_print(base);
	assert_null(strstr(text, "vm:"));
	free(text);
	set_refused(base, "{name: a, vm: {mac: 1}}", -EINVAL,
		    "port a: vm: mac: \"1\" is not a MAC, as \"52:54:00:77:00:fe\" is");
	set_refused(base, "{name: a, vm: {memory: some}}", -EINVAL,
		    "port a: vm: memory: \"some\" is none of: unknown, shared, private");
	set_refused(base,
		    "{name: a, vm: {nic: "
		    "1234567890123456789012345678901234567890123456789012345678901234}}",
		    -EINVAL, "port a: vm: nic: has 64 bytes, at most 63 can be");
	conf_free(base);
}

static void
test_set_refused(void **state)
{
	struct conf *base = load(full);

	(void)state;
	set_refused(base, "{mtu: 9000}", -EINVAL, "port: name is missing");
	set_refused(base, "{name: vm9, mtu: 9000}", -ENOENT, "port vm9: there is no such port");
	set_refused(base, "{name: vm1, mtu: 90000}", -EINVAL,
		    "port vm1: mtu: 90000 is not in 68..65535");
	set_refused(base, "{name: vm1, mtu: [9000]}", -EINVAL, "mtu: one value is expected here");
	set_refused(base, "{name: vm1, mtu: null}", -EINVAL,
		    "port vm1: mtu: \"null\" is not a number");
	set_refused(base, "{name: vm1, mtu: 1, mtu: 2}", -EINVAL, "mtu: is there twice");
	set_refused(base, "{name: vm1, offloads: off}", -EINVAL,
		    "offloads: keys with values are expected here, as in {key: value}");
	set_refused(base, "{name: vm1, offloads: {lro: true}}", -EINVAL,
		    "offloads: lro: there is no such key; there are checksum, tso, uso");
	set_refused(base, "{name: vm1, ifname: x}", -EINVAL,
		    "port vm1: ifname: only a port of type tap has one");
	set_refused(base, "{name: vm2, socket: \"/tmp/a \\\"b\\\\.sock\"}", -EINVAL,
		    "port vm2: socket: port vm1 has the same");
	set_refused(base, "{name: vm1, lcores: [2]}", -EINVAL,
		    "port vm1: lcores: CPU 2 is not in switch: workers");
	set_refused(base, "[]", -EINVAL,
		    "expected keys with values (`key: value`), found something else");
	conf_free(base);
}

/* A port that has the switch's MTU keeps to it when other keys change. */
static void
test_switch_mtu(void **state)
{
	struct conf *base = load("switch: {mtu: 9000}\nports:\n- {name: a, type: tap}\n"
				 "- {name: b, type: tap, mtu: 1500}\n");
	char *text;

	(void)state;
	assert_int_equal(base->ports[0].mtu, 9000);
	assert_int_equal(base->ports[1].mtu, 1500);
	set(&base, "{name: a, max_macs: 5}");
	set(&base, "{name: b, max_macs: 5}");
	assert_int_equal(base->ports[0].mtu, 9000);
	assert_int_equal(base->ports[1].mtu, 1500);
	text = conf_print(base);
	assert_non_null(strstr(text, "  mtu: 9000\n"));
	assert_non_null(strstr(text, "    mtu: 1500\n"));
	assert_null(strstr(text, "    mtu: 9000\n"));
	free(text);
	conf_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offloads),     cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_offloads), cmocka_unit_test(test_set_vm),
		cmocka_unit_test(test_set_refused),  cmocka_unit_test(test_switch_mtu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

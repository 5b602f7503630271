/* SPDX-License-Identifier: BSD-3-Clause */
/* test_apply.c: from one configuration to the next on a fake switch, and back when it fails. */
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

#include "fake_switch.h"

#define VM(n)  "- {name: vm" n ", type: vhost-user, socket: /vm" n "}\n"
#define TAP(n) "- {name: tap" n ", type: tap}\n"

static const struct conf_cpus cpus = {.last = 1};
static struct conf_failed failed;
static struct conf *now; /* in force */

static struct conf *
load(const char *text)
{
	struct error e = {0};
	struct conf *conf;

	if (conf_load_text(text, strlen(text), "t.yaml", fake_kinds, &conf, &e))
		fail_msg("refused: %s", e.text);
	return conf;
}

/* Applies text; the steps are in the journal. */
static void
applied(const char *text, const char *journal)
{
	struct conf *next = load(text);
	struct error e = {0};

	fake.journal[0] = 0;
	if (conf_apply(&fake.sw, &cpus, now, next, &failed, &e))
		fail_msg("refused: %s", e.text);
	assert_string_equal(fake.journal, journal);
	conf_free(now);
	now = next;
}

static void
refused(const char *text, int code, const char *sentence, const char *journal)
{
	struct conf *next = load(text);
	struct error e = {0};

	fake.journal[0] = 0;
	assert_int_equal(conf_apply(&fake.sw, &cpus, now, next, &failed, &e), code);
	assert_string_equal(e.text, sentence);
	assert_string_equal(fake.journal, journal);
	conf_free(next);
}

static int
setup(void **state)
{
	(void)state;
	fake_init();
	memset(&failed, 0, sizeof(failed));
	now = NULL;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fake_fini();
	conf_free(now);
	free(failed.ports);
	return 0;
}

static void
test_difference(void **state)
{
	(void)state;
	applied("ports:\n" VM("1") VM("2"), "add vm1; add vm2; ");
	applied("ports:\n" VM("1") VM("2"), "");
	applied("ports:\n" VM("2") VM("1"), "");
	applied("ports:\n" VM("2") VM("3"), "del vm1; add vm3; ");
	/* what goes is gone before what comes needs its socket */
	applied("ports:\n- {name: x, type: vhost-user, socket: /vm2}\n" VM("3"),
		"del vm2; add x; ");
	applied("ports:\n- {name: x, type: vhost-user, socket: /vm2, queues: 2}\n" VM("3"),
		"del x; add x; ");
	applied("ports: []", "del x; del vm3; ");
}

static void
test_mtu(void **state)
{
	(void)state;
	applied("ports:\n" TAP("1") VM("1"), "add tap1; add vm1; ");
	applied("ports:\n- {name: tap1, type: tap, mtu: 9000}\n" VM("1"), "mtu tap1 9000; ");
	assert_int_equal(port_mtu(switch_port_find(&fake.sw, "tap1")), 9000);
	/* not all that differs */
	applied("ports:\n- {name: tap1, type: tap, mtu: 1500, queues: 2}\n" VM("1"),
		"del tap1; add tap1; ");
	/* a kind that can't */
	applied("ports:\n- {name: tap1, type: tap, queues: 2}\n"
		"- {name: vm1, type: vhost-user, socket: /vm1, mtu: 9000}\n",
		"del vm1; add vm1; ");
}

#define TAP_WITH(keys) "ports:\n- {name: tap1, type: tap, " keys "}\n" VM("1")

static void
test_offloads(void **state)
{
	(void)state;
	applied("ports:\n" TAP("1") VM("1"), "add tap1; add vm1; ");
	applied(TAP_WITH("offloads: {checksum: true}"), "");
	applied(TAP_WITH("offloads: {tso: false}"), "offloads tap1 0xe3; ");
	applied(TAP_WITH("offloads: {checksum: false}"), "offloads tap1 0; ");
	/* both at once; what may be refused comes first */
	applied(TAP_WITH("mtu: 9000"), "mtu tap1 9000; offloads tap1 0xff; ");
	/* not all that differs */
	applied(TAP_WITH("mtu: 9000, offloads: {uso: false}, queues: 2"), "del tap1; add tap1; ");
	/* a kind that can't */
	applied("ports:\n- {name: vm1, type: vhost-user, socket: /vm1, offloads: {tso: false}}\n",
		"del tap1; del vm1; add vm1; ");
}

static void
test_offloads_undone(void **state)
{
	(void)state;
	applied("ports:\n" TAP("1") VM("1"), "add tap1; add vm1; ");
	fake.fail_open = "vm2";
	refused(TAP_WITH("mtu: 9000, offloads: {tso: false}") VM("2"), -EBUSY,
		"t.yaml:4: port vm2: open: refused",
		"mtu tap1 9000; offloads tap1 0xe3; add vm2; mtu tap1 1500; offloads tap1 0xff; ");
	assert_int_equal(port_mtu(switch_port_find(&fake.sw, "tap1")), 1500);
	fake.fail_mtu = true;
	refused(TAP_WITH("mtu: 9000, offloads: {tso: false}"), -EINVAL,
		"t.yaml:2: port tap1: mtu: refused", "mtu tap1 9000; ");
	assert_int_equal(port_mtu(switch_port_find(&fake.sw, "tap1")), 1500);
}

/* Ports that have none of their own follow it. */
static void
test_switch_mtu(void **state)
{
	(void)state;
	applied("ports:\n" TAP("1") TAP("2"), "add tap1; add tap2; ");
	applied("switch: {mtu: 9000}\nports:\n" TAP("1") TAP("2"),
		"mtu tap1 9000; mtu tap2 9000; ");
	applied("switch: {mtu: 9000}\nports:\n" TAP("1") "- {name: tap2, type: tap, mtu: 1400}\n",
		"mtu tap2 1400; ");
	applied("switch: {mtu: 1500}\nports:\n" TAP("1") "- {name: tap2, type: tap, mtu: 1400}\n",
		"mtu tap1 1500; ");
}

#define VF(name, keys)	   "- {name: " name ", type: vf, " keys "}\n"
#define ETHDEV(name, args) "- {name: " name ", type: ethdev, devargs: \"" args "\"}\n"

/*
 * A device goes from one port to another: it is not asked for before it is free. The check of a
 * port that fails stands for what it says of a device that is in use.
 */
static void
test_devices(void **state)
{
	static const char *const uplinks[][2] = {
		{VF("a", "pf: eth2, vf: 1"), VF("b", "pf: eth2, vf: 1, trust: on")},
		{VF("a", "pci: 0000:01:10.0"), VF("b", "pci: 01:10.0")},
		{ETHDEV("a", "net_af_packet0,iface=x"), ETHDEV("b", "net_af_packet0,iface=y")},
		{ETHDEV("a", "0000:01:10.0"), VF("b", "pci: 01:10.0")},
		{VF("a", "pci: 01:10.0"), ETHDEV("b", "0000:01:10.0,x=1")},
		{ETHDEV("a", "bus=pci,addr=1"), ETHDEV("b", "bus=pci,addr=1")},
	};
	static const char *const others[][2] = {
		{VF("a", "pf: eth2, vf: 1"), VF("b", "pf: eth2, vf: 2")},
		{VF("a", "pf: eth2, vf: 1"), VF("b", "pf: eth3, vf: 1")},
		{VF("a", "pci: 01:10.0"), VF("b", "pci: 01:10.2")},
		{ETHDEV("a", "net_af_packet0"), ETHDEV("b", "net_af_packet00")},
		{ETHDEV("a", "bus=pci,addr=1"), ETHDEV("b", "bus=pci,addr=2")},
		{ETHDEV("a", "net_tap0"), VF("b", "pf: eth2, vf: 0")},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(uplinks) / sizeof(uplinks[0]); i++) {
		fake.fail_check = NULL;
		snprintf(text, sizeof(text), "ports:\n%s", uplinks[i][0]);
		applied(text, i ? "del b; add a; " : "add a; ");
		fake.fail_check = "b";
		fake.fail_check_code = -EBUSY;
		snprintf(text, sizeof(text), "ports:\n%s", uplinks[i][1]);
		refused(text, -EBUSY, "t.yaml:2: port b: check: refused", "del a; add a; ");
		fake.fail_check = NULL;
		applied(text, "del a; add b; ");
	}
	applied("ports: []", "del b; ");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		fake.fail_check = NULL;
		snprintf(text, sizeof(text), "ports:\n%s", others[i][0]);
		applied(text, "add a; ");
		fake.fail_check = "b";
		snprintf(text, sizeof(text), "ports:\n%s", others[i][1]);
		refused(text, -EBUSY, "t.yaml:2: port b: check: refused", "");
		applied("ports: []", "del a; ");
	}
}

/* What is wanted of the PF and the filter makes it another port; said otherwise it is the same. */
static void
test_uplink_keys(void **state)
{
	(void)state;
	applied("ports:\n" VF("a", "pci: 01:1A.0, trust: on"), "add a; ");
	applied("ports:\n" VF("a", "pci: \"0000:01:1a.0\", trust: yes, filter: auto, vlans: []"),
		"");
	applied("ports:\n" VF("a", "pci: 01:1a.0, trust: off"), "del a; add a; ");
	applied("ports:\n" VF("a", "pci: 01:1a.0"), "del a; add a; ");
	applied("ports:\n" VF("a", "pci: 01:1a.0, vlan: 0"), "del a; add a; ");
	applied("ports:\n" VF("a", "pci: 01:1a.0, vlan: 0, vlans: [7]"), "del a; add a; ");
	/* the fake one has no set_mtu */
	applied("ports:\n" VF("a", "pci: 01:1a.0, vlan: 0, vlans: [7], mtu: 9000"),
		"del a; add a; ");
}

static void
test_switch_keys(void **state)
{
	static const char *const refusals[][2] = {
		{"{name: x}", "switch: name: can't change while running; restart vswitchd"},
		{"{workers: [0]}", "switch: workers: can't change while running; restart vswitchd"},
		{"{workers: [1, 0]}",
		 "switch: workers: can't change while running; restart vswitchd"},
		{"{control: /x}", "switch: control: can't change while running; restart vswitchd"},
		{"{memory: 64M}", "switch: memory: can't change while running; restart vswitchd"},
		{"{hugepages: false}",
		 "switch: hugepages: can't change while running; restart vswitchd"},
		{"{fdb: {max: 64}}",
		 "switch: fdb: max: can't change while running; restart vswitchd"},
	};

	(void)state;
	fake.sw.conf.n_mbufs = 77;
	applied("ports:\n" VM("1"), "add vm1; ");
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		char text[128] = "switch: ";

		strcat(text, refusals[i][0]);
		refused(text, -ENOTSUP, refusals[i][1], "");
	}
	/* said otherwise, the same: the last CPU is the default */
	applied("switch: {workers: [1], idle: sleep, idle_max_us: 7, fdb: {ageing: "
		"5}}\nports:\n" VM("1"),
		"");
	assert_int_equal(fake.sw.conf.idle_max_us, 7);
	assert_int_equal(fake.sw.conf.fdb_ageing_s, 5);
	assert_int_equal(fake.sw.conf.n_mbufs, 77);
	/* the ports are as they were when the switch itself refuses */
	fake.fail_reconfigure = true;
	refused("ports:\n" VM("2"), -ENOTSUP, "switch: refused",
		"del vm1; add vm2; del vm2; add vm1; ");
	fake.fail_reconfigure = false;
}

static void
test_refused_before_any_step(void **state)
{
	(void)state;
	applied("ports:\n" VM("1"), "add vm1; ");
	fake.fail_check = "vm3";
	fake.fail_check_code = -ENOENT;
	refused("ports:\n" VM("2") VM("3"), -ENOENT, "t.yaml:3: port vm3: check: refused", "");
}

static void
test_undone(void **state)
{
	(void)state;
	applied("ports:\n" VM("1") VM("2") TAP("1"), "add vm1; add vm2; add tap1; ");
	fake.fail_open = "vm4";
	refused("ports:\n- {name: tap1, type: tap, mtu: 1400}\n" VM("2") VM("3") VM("4"), -EBUSY,
		"t.yaml:5: port vm4: open: refused",
		"del vm1; mtu tap1 1400; add vm3; add vm4; del vm3; mtu tap1 1500; add vm1; ");
	assert_int_equal(fake.n, 3);
	assert_int_equal(port_mtu(switch_port_find(&fake.sw, "tap1")), 1500);
	assert_int_equal(failed.n, 0);
	fake.fail_open = NULL;
	fake.fail_mtu = true;
	refused("ports:\n- {name: tap1, type: tap, mtu: 1400}\n" VM("2"), -EINVAL,
		"t.yaml:2: port tap1: mtu: refused", "del vm1; mtu tap1 1400; add vm1; ");
	assert_int_equal(fake.n, 3);
}

/* One that can't even be had back is known to have failed, and is tried the next time. */
static void
test_undo_fails(void **state)
{
	(void)state;
	applied("ports:\n" VM("1"), "add vm1; ");
	fake.fail_open = "vm2";
	fake.fail_check = "vm1";
	fake.fail_check_code = -EBUSY;
	refused("ports:\n" VM("2"), -EBUSY, "t.yaml:2: port vm2: open: refused",
		"del vm1; add vm2; ");
	assert_int_equal(failed.n, 1);
	assert_string_equal(failed.ports[0].name, "vm1");
	assert_string_equal(failed.ports[0].reason, "port vm1: check: refused");
	fake.fail_check = NULL;
	applied("ports:\n" VM("1"), "add vm1; ");
	assert_int_equal(failed.n, 0);
}

static void
count(void *n)
{
	(*(uint32_t *)n)++;
}

/* Who waits hears from each port, also on the way back. */
static void
test_progress(void **state)
{
	uint32_t n = 0;

	(void)state;
	fake.sw.on_progress = count;
	fake.sw.progress_arg = &n;
	applied("ports:\n" VM("1") TAP("1"), "add vm1; add tap1; ");
	assert_int_equal(n, 4); /* looked at and opened */
	applied("ports:\n" VM("1") TAP("1"), "");
	assert_int_equal(n, 4);
	fake.fail_open = "vm3";
	refused("ports:\n- {name: tap1, type: tap, mtu: 1400}\n" VM("2") VM("3"), -EBUSY,
		"t.yaml:4: port vm3: open: refused",
		"del vm1; mtu tap1 1400; add vm2; add vm3; del vm2; mtu tap1 1500; add vm1; ");
	assert_int_equal(n, 4 + 2 + 4 + 3);
}

/* What outlives a port goes with the configuration that had it, not when it is made anew, and not
 * when that is refused. */
static void
test_forgotten(void **state)
{
	(void)state;
	applied("ports:\n" VM("1") VM("2") VM("3"), "add vm1; add vm2; add vm3; ");
	assert_int_equal(fake.n_settled, 1);
	applied("ports:\n- {name: vm1, type: vhost-user, socket: /other}\n" VM("2") VM("3"),
		"del vm1; add vm1; ");
	assert_string_equal(fake.forgotten, "");
	fake.fail_open = "vm4";
	refused("ports:\n" VM("4"), -EBUSY, "t.yaml:2: port vm4: open: refused",
		"del vm1; del vm2; del vm3; add vm4; add vm3; add vm2; add vm1; ");
	assert_string_equal(fake.forgotten, "");
	assert_int_equal(fake.n_settled, 3);
	/* another kind of port is another port */
	applied("ports:\n" VM("2") "- {name: vm3, type: tap}\n", "del vm1; del vm3; add vm3; ");
	assert_string_equal(fake.forgotten, "vm1; vm3; ");
	assert_int_equal(fake.n_settled, 4);
}

/* One that could not be opened is forgotten like others. */
static void
test_forgotten_failed(void **state)
{
	(void)state;
	fake.fail_open = "vm1";
	applied("ports:\n" VM("1"), "add vm1; ");
	applied("ports: []\n", "");
	assert_string_equal(fake.forgotten, "vm1; ");
}

static void
test_start(void **state)
{
	(void)state;
	/* wrong on any machine */
	fake.fail_check = "vm2";
	fake.fail_check_code = -EINVAL;
	refused("ports:\n" VM("1") VM("2"), -EINVAL, "t.yaml:3: port vm2: check: refused", "");
	/* of this machine: the others run */
	fake.fail_check_code = -EACCES;
	fake.fail_open = "vm3";
	applied("ports:\n" VM("1") VM("2") VM("3") VM("4"), "add vm1; add vm3; add vm4; ");
	assert_int_equal(failed.n, 2);
	assert_string_equal(failed.ports[0].name, "vm2");
	assert_string_equal(failed.ports[0].reason, "port vm2: check: refused");
	assert_string_equal(failed.ports[1].name, "vm3");
	assert_string_equal(failed.ports[1].reason, "port vm3: open: refused");
	/* tried again, and it may fail again */
	fake.fail_check = NULL;
	applied("ports:\n" VM("1") VM("2") VM("3") VM("4"), "add vm2; add vm3; ");
	assert_int_equal(failed.n, 1);
	assert_string_equal(failed.ports[0].name, "vm3");
	/* but not once it was changed */
	refused("ports:\n" VM("1") VM("2")
			VM("4") "- {name: vm3, type: vhost-user, socket: /other}\n",
		-EBUSY, "t.yaml:5: port vm3: open: refused", "add vm3; ");
	assert_int_equal(failed.n, 1);
	/* one that failed needs no closing */
	applied("ports:\n" VM("1") VM("2") VM("4"), "");
	assert_int_equal(failed.n, 0);
}

/* A port that was only tried stays when the rest is undone. */
static void
test_recovered_stays(void **state)
{
	(void)state;
	fake.fail_open = "vm1";
	applied("ports:\n" VM("1"), "add vm1; ");
	assert_int_equal(failed.n, 1);
	fake.fail_open = "vm2";
	refused("ports:\n" VM("1") VM("2"), -EBUSY, "t.yaml:3: port vm2: open: refused",
		"add vm1; add vm2; ");
	assert_int_equal(failed.n, 0);
	assert_non_null(switch_port_find(&fake.sw, "vm1"));
	applied("ports:\n" VM("1"), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_difference, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mtu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offloads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offloads_undone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_switch_mtu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_devices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uplink_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_switch_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_before_any_step, setup, teardown),
		cmocka_unit_test_setup_teardown(test_undone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_undo_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_progress, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgotten_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recovered_stays, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

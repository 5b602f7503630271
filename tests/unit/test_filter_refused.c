/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_filter_refused.c: addresses that a driver or the PF refuses: who keeps a place, when they
 * are asked for again, and what is said of it (macs.c, filter.c).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "filter_rig.h"

/* An untrusted VF of which the PF takes 5 addresses beside its own, with the 6 stations 1..6. */
static void
be_short_of_slots(void)
{
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slots = 5;
	nic.lacks_list = true;
	for (uint32_t n = 1; n <= 6; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(fake_nic_n_macs(), 5);
	rig_assert_shown("macs_refused", "1");
}

static void
full_by_driver(void **state)
{
	(void)state;
	be_short_of_slots();
	rig_show();
	assert_non_null(strstr(rig.shown, "filter full (6 of 6)\n"));
}

static void
complaints_are_bounded(void **state)
{
	uint32_t n_lines = 0;

	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slots = 1;
	for (uint32_t n = 1; n <= 40; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown("unreachable", "39");
	rig_show();
	assert_non_null(strstr(rig.shown, "unreachable_15="));
	assert_null(strstr(rig.shown, "unreachable_16="));
	for (const char *at = rig.logged; (at = strstr(at, "not reachable")) != NULL; at++)
		n_lines++;
	assert_int_equal(n_lines, 5);
	/* nor is it told twice */
	rig.logged[0] = 0;
	fake_nic_now_ns += 11 * S;
	rig_tick();
	assert_string_equal(rig.logged, "");
}

static void
places_go_by_rank(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 4, PORT_WISH_OFF);
	rig_learn(1, 0, UP1);
	rig_learn(2, 0, VM1);
	assert_int_equal(fdb_add_static(rig.sw.fdb, rig_key(3, 0), UP1, 1), 0);
	rig_learn(4, 0, VM2);
	assert_int_equal(fdb_add_static(rig.sw.fdb, rig_key(5, 0), VM2, 1), 0);
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(rig_receives(5) && rig_receives(4) && rig_receives(2));
	assert_false(rig_receives(3) || rig_receives(1));
	rig_forget(4, 0);
	rig_tick();
	assert_true(rig_receives(3));
	assert_false(rig_receives(1));
	/* who has a place keeps it */
	rig_learn(6, 0, VM1);
	rig_tick();
	assert_true(rig_receives(3));
	assert_false(rig_receives(6));
}

static void
refused_are_retried_in_time(void **state)
{
	uint32_t n_adds;

	(void)state;
	be_short_of_slots();
	nic.slots = 6;
	n_adds = nic.n_adds;
	for (int i = 0; i < 90; i++)
		rig_tick();
	assert_int_equal(nic.n_adds, n_adds);
	for (int i = 0; i < 20; i++)
		rig_tick();
	assert_int_equal(fake_nic_n_macs(), 6);
	rig_assert_shown("unreachable", "0");
}

static void
refused_are_retried_when_a_place_is_free(void **state)
{
	uint32_t n = 1;

	(void)state;
	be_short_of_slots();
	while (!rig_receives(n))
		n++;
	rig_forget(n, 0);
	rig_tick();
	assert_int_equal(fake_nic_n_macs(), 5);
	rig_assert_shown("macs_refused", "0");
}

static void
refused_are_retried_when_renewed(void **state)
{
	(void)state;
	be_short_of_slots();
	nic.slots = 6;
	filter_renew(rig.f, &rig.facts);
	rig_tick();
	assert_int_equal(fake_nic_n_macs(), 6);
}

/* As rte_eth_dev_stop() and _start() do where the PF takes none of what ethdev sets again. */
static void
start_anew(void)
{
	memset(nic.is_in_table, 0, sizeof(nic.is_in_table));
	nic.n_adds = 0;
	filter_renew(rig.f, &rig.facts);
}

/* What ethdev has set again, it has not looked at the answer of. */
static void
refused_after_a_restart(void **state)
{
	(void)state;
	rig_be_vf("net_bnxt", 64, PORT_WISH_OFF);
	for (uint32_t n = 1; n <= 3; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_MAC_LIST);
	assert_int_equal(fake_nic_n_macs(), 3);
	nic.is_bound = true;
	start_anew();
	rig_tick();
	rig_assert_shown("macs_listed", "0");
	rig_assert_shown("macs_refused", "3");
	rig_assert_shown("unreachable", "3");
	nic.is_bound = false;
	fake_nic_now_ns += 11 * S;
	rig_tick();
	assert_int_equal(fake_nic_n_macs(), 3);
	rig_assert_shown("unreachable", "0");
}

/* It is asked for one by one, as long as there is time. */
static void
slow_after_a_restart(void **state)
{
	(void)state;
	rig_be_vf("net_bnxt", 64, PORT_WISH_OFF);
	nic.lacks_list = true;
	for (uint32_t n = 1; n <= 12; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_MAC_LIST);
	assert_int_equal(fake_nic_n_macs(), 12);
	nic.slow_ns = S / 20;
	start_anew();
	rig_tick();
	assert_int_equal(fake_nic_n_macs(), 5);
	rig_tick();
	rig_tick();
	assert_int_equal(fake_nic_n_macs(), 12);
	/* a PF that is away is not waited for twelve times */
	nic.slow_ns = 2 * S;
	nic.is_bound = true;
	start_anew();
	for (int i = 0; i < 20; i++)
		rig_tick();
	assert_in_range(nic.n_adds, 1, 2);
}

static void
few_are_tried_in_vain(void **state)
{
	uint32_t n_adds;

	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slots = 2;
	nic.lacks_list = true;
	for (uint32_t n = 1; n <= 200; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_adds, 2 + 4);
	rig_assert_shown("macs_refused", "198");
	n_adds = nic.n_adds;
	fake_nic_now_ns += 11 * S;
	rig_tick();
	assert_int_equal(nic.n_adds - n_adds, 4);
}

static void
refused_ones_starve_nobody(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.enemy = rig_station(1); /* and the seven after it */
	nic.n_enemies = 8;
	for (uint32_t n = 1; n <= 9; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	for (int i = 0; i < 3; i++) {
		fake_nic_now_ns += 11 * S;
		rig_tick();
	}
	assert_true(rig_receives(9));
	rig_assert_shown("macs_refused", "8");
}

static void
bound_by_the_pf(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig.facts.is_pf_mac = true;
	strcpy(rig.facts.pf_ifname, "eth2");
	nic.is_bound = true;
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown(
		"unreachable_0",
		"vm1 52:54:00:00:00:01: not reachable from uplink up0: the PF refuses "
		"addresses beside the one that it has set: set trust: on, or ip link set eth2 "
		"vf 0 trust on");
	/* trusted, with a driver whose mode is refused: the list is all there is, and it works */
	rig.facts.trust = PORT_WISH_ON;
	nic.is_bound = false;
	nic.promiscuous_error = -EAGAIN;
	filter_renew(rig.f, &rig.facts);
	rig_tick();
	assert_true(rig_receives(1));
	rig_assert_shown("unreachable", "0");
}

static void
refused_for_no_known_reason(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.is_bound = true;
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown("unreachable_0",
			 "vm1 52:54:00:00:00:01: not reachable from uplink up0: the "
			 "driver net_iavf or its PF refuses every address (code -5)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(full_by_driver),
		CASE(complaints_are_bounded),
		CASE(places_go_by_rank),
		CASE(refused_are_retried_in_time),
		CASE(refused_are_retried_when_a_place_is_free),
		CASE(refused_are_retried_when_renewed),
		CASE(refused_after_a_restart),
		CASE(slow_after_a_restart),
		CASE(few_are_tried_in_vain),
		CASE(refused_ones_starve_nobody),
		CASE(bound_by_the_pf),
		CASE(refused_for_no_known_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

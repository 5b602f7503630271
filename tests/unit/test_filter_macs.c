/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_filter_macs.c: the list of unicast addresses that an uplink's device receives, with devices
 * that have few places for them, and when it is looked at (macs.c, stations.c, filter.c).
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

static void
list_follows_stations(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig_open_as(PORT_FILTER_AUTO);
	assert_false(rig_receives(1));
	rig_learn(1, 0, VM1);
	rig_learn(2, 10, VM2);
	rig_tick();
	assert_true(rig_receives(1) && rig_receives(2));
	rig_forget(1, 0);
	rig_tick();
	assert_false(rig_receives(1));
	assert_true(rig_receives(2));
}

static void
list_follows_moves(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_learn(1, 0, UP0);
	rig_tick();
	assert_false(rig_receives(1));
	rig_learn(1, 0, VM2);
	rig_tick();
	assert_true(rig_receives(1));
	rig_learn(1, 0, VM1); /* between others nothing is to do */
	nic.n_calls = 0;
	rig_tick();
	assert_true(rig_receives(1));
	assert_int_equal(nic.n_adds, 2);
}

static void
list_is_not_for_own_stations(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig_learn(1, 0, UP0);
	assert_int_equal(fdb_add_static(rig.sw.fdb, rig_key(2, 0), UP0, 1), 0);
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_adds, 0);
	rig_assert_shown("unreachable", "0");
}

static void
list_has_configured_addresses(void **state)
{
	struct rte_ether_addr mac = rig_station(77);

	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig_open_as(PORT_FILTER_AUTO);
	rig.ports[TAP].conf.tap.has_mac = true;
	memcpy(&rig.ports[TAP].conf.tap.mac, &mac, sizeof(mac));
	rig_tick();
	assert_true(rig_receives(77));
	rig.is_there[TAP] = false;
	rig_tick();
	assert_false(rig_receives(77));
}

static void
list_has_an_address_once(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig_learn(1, 0, VM1);
	rig_learn(1, 10, VM2);
	rig_learn(1, 20, UP0);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown("macs_listed", "1");
	assert_int_equal(nic.n_adds, 1);
	rig_forget(1, 0);
	rig_tick();
	assert_true(rig_receives(1));
	rig_forget(1, 10);
	rig_tick();
	assert_false(rig_receives(1));
}

static void
own_address_is_not_listed(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.own = rig_station(1);
	rig_learn(1, 0, VM1);
	rig_learn(2, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown("macs_listed", "1");
	/* the PF gives it another one, which another station has */
	nic.own = rig_station(2);
	rig_tick();
	assert_true(rig_receives(1) && rig_receives(2));
	rig_assert_shown("macs_listed", "1");
	rig_assert_shown("unreachable", "0");
}

static void
full_by_ethdev(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 18, PORT_WISH_OFF);
	for (uint32_t n = 1; n <= 17; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown("unreachable", "0");
	rig_learn(18, 0, VM1);
	rig_tick();
	rig_assert_shown("unreachable", "1");
	rig_assert_shown("unreachable_0", "vm1 52:54:00:00:00:12: not reachable from uplink up0: "
					  "filter full (18 of 18)");
	rig_assert_logged(LOG_LEVEL_WARN,
			  "port up0: vm1 52:54:00:00:00:12: not reachable from uplink "
			  "up0: filter full (18 of 18)");
	rig_assert_shown("macs_listed", "17");
	rig_assert_shown("macs_max", "18");
	rig_assert_shown("macs_refused", "1");
}

/* A guest that invents addresses takes the places from nobody who has fewer. */
static void
places_are_shared(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 18, PORT_WISH_OFF);
	for (uint32_t n = 1; n <= 40; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown("macs_listed", "17");
	rig_learn(100, 0, VM2);
	rig_learn(101, 0, VM2);
	rig_learn(200, 0, TAP);
	rig_tick();
	assert_true(rig_receives(100) && rig_receives(101) && rig_receives(200));
	rig_assert_shown("macs_listed", "17");
	rig_assert_shown("unreachable", "26");
	/* and it stays so */
	nic.n_adds = 0;
	rig_learn(201, 0, TAP);
	rig_tick();
	assert_true(rig_receives(201));
	nic.n_adds = 0;
	rig_tick();
	assert_int_equal(nic.n_adds, 0);
}

/* More stations than are kept at all: those of others are among them. */
static void
stations_are_shared(void **state)
{
	uint32_t n_received = 0;

	(void)state;
	rig_be_vf("net_iavf", 18, PORT_WISH_OFF);
	for (uint32_t n = 1; n <= 4200; n++)
		rig_learn(n, 0, VM1);
	for (uint32_t n = 5001; n <= 5010; n++)
		rig_learn(n, 0, VM2);
	rig_open_as(PORT_FILTER_AUTO);
	for (int i = 0; i < 8; i++)
		rig_tick();
	for (uint32_t n = 5001; n <= 5010; n++)
		n_received += rig_receives(n);
	assert_int_equal(n_received, 8); /* of 17 places */
}

/* Stations 101..100+n of vm2, which the PF refuses though there is room; 1..10 of vm1 are listed.
 */
static void
have_enemies(uint32_t n)
{
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.enemy = rig_station(101);
	nic.n_enemies = n;
	for (uint32_t i = 1; i <= 10; i++)
		rig_learn(i, 0, VM1);
	for (uint32_t i = 101; i <= 100 + n; i++)
		rig_learn(i, 0, VM2);
	rig_open_as(PORT_FILTER_AUTO);
}

static void
assert_ten_are_received(void)
{
	for (uint32_t n = 1; n <= 10; n++)
		assert_true(rig_receives(n));
	rig_assert_shown("macs_listed", "10");
}

/* A place is worth nothing to who is refused for another reason: it goes back to who had it. */
static void
places_are_not_drained(void **state)
{
	uint32_t n_adds;

	(void)state;
	have_enemies(2);
	assert_ten_are_received();
	rig_assert_shown("macs_refused", "2");
	for (uint16_t vlan = 1; vlan <= 20; vlan++) {
		n_adds = nic.n_adds;
		rig_learn(1, vlan, VM1); /* a change, of which nothing comes */
		rig_tick();
		assert_ten_are_received();
	}
	assert_int_equal(nic.n_adds, n_adds);
	for (int i = 0; i < 5; i++) {
		fake_nic_now_ns += 11 * S;
		rig_tick();
	}
	rig_assert_shown("macs_refused", "2");
}

/* And it is said that the filter is not full. */
static void
refused_though_there_is_room(void **state)
{
	(void)state;
	have_enemies(1);
	rig_assert_shown("unreachable", "1");
	rig_assert_shown("unreachable_0",
			 "vm2 52:54:00:00:00:65: not reachable from uplink up0: the driver "
			 "net_iavf or its PF refuses this address (code -5)");
}

/* Many of them cost little, and keep the places of nobody else who is refused by turns. */
static void
few_places_are_made_in_vain(void **state)
{
	uint32_t n_adds;

	(void)state;
	have_enemies(40);
	for (int i = 0; i < 10; i++) {
		fake_nic_now_ns += 11 * S;
		rig_tick();
	}
	nic.slots = 10;
	assert_ten_are_received();
	n_adds = nic.n_adds;
	fake_nic_now_ns += 11 * S;
	rig_tick();
	assert_in_range(nic.n_adds - n_adds, 1, 12);
	assert_ten_are_received();
	rig_learn(200, 0, VM2);
	for (int i = 0; i < 30 && !rig_receives(200); i++) {
		fake_nic_now_ns += 11 * S;
		rig_tick();
	}
	assert_true(rig_receives(200));
	rig_assert_shown("macs_listed", "10");
}

/* A PF that dies just then is asked for nothing more. */
static void
places_of_a_dead_pf(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slots = 4;
	for (uint32_t n = 1; n <= 4; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	nic.slow_ns = 2 * S;
	nic.is_bound = true;
	nic.n_adds = 0;
	rig_learn(101, 0, VM2);
	rig_tick();
	assert_in_range(nic.n_adds, 1, 2);
	for (int i = 0; i < 20; i++)
		rig_tick();
	assert_in_range(nic.n_adds, 1, 2);
}

static void
stations_take_the_places_of_groups(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slots = 18;
	nic.shares_slots = true;
	for (uint8_t n = 1; n <= 10; n++)
		rig_join(n, 0, VM1);
	for (uint32_t n = 1; n <= 6; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(fake_nic_n_macs(), 6);
	assert_int_equal(nic.n_groups, 9); /* half of 2 + 6 + 10 */
	rig_assert_shown("groups_missing", "9");
	for (uint32_t n = 7; n <= 16; n++)
		rig_learn(n, 0, VM2);
	rig_tick();
	assert_int_equal(fake_nic_n_macs(), 16);
	rig_assert_shown("macs_refused", "0");
	assert_in_range(nic.n_groups, 1, 2);
	rig_learn(17, 0, VM2);
	rig_learn(18, 0, VM2);
	rig_learn(19, 0, VM2);
	rig_tick();
	assert_int_equal(fake_nic_n_macs(), 18);
	assert_int_equal(nic.n_groups, 0);
	rig_assert_shown("unreachable", "1");
	rig_show();
	assert_non_null(strstr(rig.shown, "filter full (19 of 19)"));
	/* and they come back */
	for (uint32_t n = 5; n <= 19; n++)
		rig_forget(n, 0);
	rig_tick();
	assert_int_equal(fake_nic_n_macs(), 4);
	assert_true(rig_receives_every_host());
}

static void
room_is_made_in_vain_once(void **state)
{
	uint32_t n_lists;

	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slots = 2;
	for (uint32_t n = 1; n <= 3; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO); /* there are no groups yet to be given up */
	assert_int_equal(nic.n_lists, 1);
	fake_nic_now_ns += 11 * S;
	rig_tick();
	assert_int_equal(nic.n_lists, 3); /* given up, and set again */
	assert_int_equal(nic.n_groups, 2 + 3);
	n_lists = nic.n_lists;
	fake_nic_now_ns += 11 * S;
	rig_tick();
	assert_int_equal(nic.n_lists, n_lists);
	/* another firmware may be of another mind */
	nic.slots = 7;
	nic.shares_slots = true;
	filter_renew(rig.f, &rig.facts);
	rig_tick();
	assert_int_equal(fake_nic_n_macs(), 3);
}

static void
nothing_new_costs_nothing(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig_learn(1, 0, VM1);
	rig_join(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	nic.n_calls = 0;
	rig_learn(1, 0, VM1); /* heard again */
	for (int i = 0; i < 500; i++)
		rig_tick();
	assert_int_equal(nic.n_calls, 0);
}

static void
walks_take_a_twentieth(void **state)
{
	uint64_t opened;

	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig.clock_step_ns = S; /* from one look at the clock to the next: so long is a walk */
	rig_open_as(PORT_FILTER_AUTO);
	rig.clock_step_ns = 0;
	opened = fake_nic_now_ns;
	rig_learn(1, 0, VM1);
	while (!rig_receives(1))
		rig_tick();
	assert_in_range(fake_nic_now_ns - opened, 15 * S, 21 * S);
	/* a restart does not wait */
	rig.clock_step_ns = S;
	filter_renew(rig.f, &rig.facts);
	rig_tick();
	rig.clock_step_ns = 0;
	rig_learn(2, 0, VM1);
	filter_renew(rig.f, &rig.facts);
	rig_tick();
	assert_true(rig_receives(2));
}

static void
slow_drivers_are_left_time(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slow_ns = S / 20;
	for (uint32_t n = 1; n <= 12; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(fake_nic_n_macs(), 5);
	rig_assert_shown("unreachable", "0"); /* just not yet */
	rig_tick();
	assert_int_equal(fake_nic_n_macs(), 10);
	rig_tick();
	assert_int_equal(fake_nic_n_macs(), 12);
}

static void
dead_pfs_are_asked_once(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.lacks_list = true;
	nic.slow_ns = 2 * S;
	nic.is_bound = true;
	for (uint32_t n = 1; n <= 12; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_adds, 1);
	rig_assert_shown("macs_refused", "12");
	fake_nic_now_ns += 30 * S; /* 20 times as long, not only 10 s */
	rig_tick();
	assert_int_equal(nic.n_adds, 1);
	fake_nic_now_ns += 10 * S;
	rig_tick();
	assert_int_equal(nic.n_adds, 2);
}

static void
more_than_can_be_kept(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 4, PORT_WISH_OFF);
	for (uint32_t n = 1; n <= 6000; n++)
		rig_learn(n, 0, UP1);
	rig_learn(6001, 0, VM1);
	rig_learn(6002, 0, VM1);
	assert_int_equal(fdb_add_static(rig.sw.fdb, rig_key(6003, 0), VM1, 1), 0);
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(rig_receives(6001) && rig_receives(6002) && rig_receives(6003));
	rig_assert_shown("unreachable", "6000");
}

static void
holes_of_virtio_are_mended(void **state)
{
	(void)state;
	rig_be_vf("net_virtio", 64, PORT_WISH_NONE);
	nic.stops_at_hole = nic.lacks_list = true;
	for (uint32_t n = 1; n <= 4; n++)
		rig_learn(n, 0, VM1);
	rig_open_as(PORT_FILTER_MAC_LIST);
	for (uint32_t n = 1; n <= 4; n++)
		if (rte_is_same_ether_addr(&nic.macs[n], &(struct rte_ether_addr){{0}}))
			fail();
	for (int i = 1; i <= 2; i++) {
		struct rte_ether_addr first = nic.macs[i];

		assert_int_equal(fdb_remove(rig.sw.fdb, fdb_key(0, first.addr_bytes)), 0);
	}
	rig_tick();
	assert_int_equal(fake_nic_n_macs(), 2);
	rig_learn(5, 0, VM1);
	rig_tick();
	assert_int_equal(fake_nic_n_macs(), 3);
	assert_true(rig_receives(5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(list_follows_stations),
		CASE(list_follows_moves),
		CASE(list_is_not_for_own_stations),
		CASE(list_has_configured_addresses),
		CASE(list_has_an_address_once),
		CASE(own_address_is_not_listed),
		CASE(full_by_ethdev),
		CASE(places_are_shared),
		CASE(stations_are_shared),
		CASE(places_are_not_drained),
		CASE(refused_though_there_is_room),
		CASE(few_places_are_made_in_vain),
		CASE(places_of_a_dead_pf),
		CASE(stations_take_the_places_of_groups),
		CASE(room_is_made_in_vain_once),
		CASE(nothing_new_costs_nothing),
		CASE(walks_take_a_twentieth),
		CASE(slow_drivers_are_left_time),
		CASE(dead_pfs_are_asked_once),
		CASE(more_than_can_be_kept),
		CASE(holes_of_virtio_are_mended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_filter.c: the groups and VLANs that an uplink's device receives, what is set again after a
 * restart, and small parts.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver.h"
#include "filter_rig.h"
#include "macset.h"

/* --- groups */

static void
groups_by_list(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig_learn(1, 0, VM1);
	rig_learn(2, 0, UP0);
	rig_join(1, 0, VM1);
	rig_join(2, 10, VM2);
	rig_join(1, 20, VM2);
	rig_join(3, 0, UP0);
	rig_open_as(PORT_FILTER_AUTO);
	assert_false(nic.is_allmulticast);
	assert_true(rig_receives_every_host());
	assert_true(rig_receives_neighbour_of(1));
	assert_false(rig_receives_neighbour_of(2));
	assert_true(rig_receives_group(1) && rig_receives_group(2));
	assert_false(rig_receives_group(3));
	assert_int_equal(nic.n_groups, 5);
	rig_assert_shown("groups", "list of 5");
	rig_assert_shown("groups_missing", "0");
	rig.n_members = 1;
	rig.members_version++;
	rig_tick();
	assert_false(rig_receives_group(2));
}

static void
groups_are_halved(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.groups_max = 7;
	rig_learn(1, 0, VM1);
	for (uint8_t n = 1; n <= 20; n++)
		rig_join(n, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_groups, 5); /* of 23 */
	assert_true(rig_receives_every_host() && rig_receives_neighbour_of(1));
	rig_assert_shown("groups", "list of 5, and allmulticast mode, which may do nothing");
	rig_assert_shown("groups_missing", "18");
	rig_assert_logged(LOG_LEVEL_WARN,
			  "port up0: 18 groups don't fit into the device's filter: see "
			  "vswitchctl port show up0");
	nic.groups_max = 0;
	fake_nic_now_ns += 11 * S;
	rig_tick();
	assert_int_equal(nic.n_groups, 23);
	rig_assert_shown("groups_missing", "0");
}

static void
groups_that_a_driver_would_cut(void **state)
{
	(void)state;
	rig_be_vf("net_ixgbe_vf", 128, PORT_WISH_OFF);
	nic.groups_cut = 30;
	for (uint8_t n = 1; n <= 40; n++)
		rig_join(n, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_groups, 30);
	rig_assert_shown("groups_missing", "12");
}

/* A guest that invents addresses: the groups of their neighbours are many, and of little use. */
static void
joined_groups_come_before_unlisted_stations(void **state)
{
	(void)state;
	rig_be_vf("net_ixgbe_vf", 4, PORT_WISH_OFF);
	for (uint32_t n = 1; n <= 60; n++)
		rig_learn(n, 0, VM1);
	rig_join(1, 0, VM2);
	rig_join(2, 0, VM2);
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_groups, 30);
	assert_true(rig_receives_every_host());
	assert_true(rig_receives_group(1) && rig_receives_group(2));
	for (uint8_t n = 1; n <= 60; n++)
		if (rig_receives(n))
			assert_true(rig_receives_neighbour_of(n));
}

/* Neither by many listed stations, nor by joining many, does a port take what others need. */
static void
groups_go_by_turns(void **state)
{
	(void)state;
	rig_be_vf("net_ixgbe_vf", 128, PORT_WISH_OFF);
	for (uint32_t n = 1; n <= 60; n++)
		rig_learn(n, 0, VM1);
	for (uint8_t n = 1; n <= 60; n++)
		rig_join(n, 0, VM2);
	rig_learn(100, 0, TAP);
	rig_join(100, 0, TAP);
	rig_join(101, 0, TAP);
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(rig_receives(100));
	assert_int_equal(nic.n_groups, 30);
	assert_true(rig_receives_neighbour_of(100));
	assert_true(rig_receives_group(100) && rig_receives_group(101));
	for (uint8_t n = 1; n <= 12; n++)
		assert_true(rig_receives_group(n)); /* half of 30 - 2 - 3 */
}

/* Of stations that are not listed, too. */
static void
unlisted_stations_go_by_turns(void **state)
{
	(void)state;
	rig_be_vf("net_ixgbe_vf", 4, PORT_WISH_OFF);
	nic.is_bound = true;
	for (uint32_t n = 1; n <= 200; n++)
		rig_learn(n, 0, VM1);
	rig_learn(201, 0, VM2);
	rig_learn(202, 0, VM2);
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_groups, 30);
	assert_true(rig_receives_neighbour_of(201) && rig_receives_neighbour_of(202));
}

static void
groups_without_a_list(void **state)
{
	(void)state;
	rig_be_vf("net_of_tomorrow_vf", 16, PORT_WISH_OFF);
	nic.lacks_list = true;
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(nic.is_allmulticast);
	rig_assert_shown("groups",
			 "none: the driver takes no list, and allmulticast mode, which may "
			 "do nothing");
	assert_int_equal(nic.n_lists, 1); /* it is not for its length */
}

static void
groups_of_a_trusted_vf_that_is_refused(void **state)
{
	(void)state;
	rig_be_vf("net_ixgbe_vf", 128, PORT_WISH_ON);
	nic.allmulticast_error = -EAGAIN;
	rig_join(9, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown("groups", "list of 3");
	nic.is_promiscuous = false;
	assert_true(rig_receives_group(9));
}

static void
groups_mode_is_asked_for_again(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.lacks_list = true;
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_allmulticast, 1); /* ignored */
	rig.facts.trust = PORT_WISH_ON;
	filter_renew(rig.f, &rig.facts);
	assert_int_equal(nic.n_allmulticast, 2);
	rig_assert_shown("groups", "allmulticast");
	rig_assert_shown("groups_missing", "0");
}

static void
groups_refused_altogether(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slots = 1;
	nic.shares_slots = true;
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(rig_receives(1));
	assert_int_equal(nic.n_groups, 0);
	rig_assert_shown("groups_missing", "3");
}

/* --- VLANs */

static void
vlans_follow_use(void **state)
{
	(void)state;
	rig_be_vf("net_e1000_igb_vf", 1, PORT_WISH_OFF);
	nic.lacks_macs = true;
	nic.vlan_offloads = RTE_ETH_VLAN_FILTER_OFFLOAD;
	rig.ports[UP0].conf.uplink.n_vlans = 1;
	rig.ports[UP0].conf.uplink.vlans[0] = 4094;
	rig_learn(1, 10, VM1);
	rig_learn(2, 10, VM2);
	rig_learn(3, 0, VM2);
	rig_learn(4, 30, UP0);
	rig_join(1, 20, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(nic.vlans[10] && nic.vlans[20] && nic.vlans[4094]);
	assert_false(nic.vlans[0] || nic.vlans[30]);
	rig_assert_shown("vlans", "10, 20, 4094");
	rig_assert_shown("vlans_listed", "3");
	rig_forget(1, 10);
	rig_tick();
	assert_true(nic.vlans[10]);
	rig_forget(2, 10);
	rig.n_members = 0;
	rig.members_version++;
	rig_tick();
	assert_false(nic.vlans[10] || nic.vlans[20]);
	assert_true(nic.vlans[4094]);
}

static void
vlans_without_a_filter(void **state)
{
	(void)state;
	rig.ports[UP0].conf.uplink.n_vlans = 1;
	rig.ports[UP0].conf.uplink.vlans[0] = 100;
	rig_learn(1, 10, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_vlans, 0);
	rig_assert_shown("vlans", "all");
}

static void
vlans_of_a_nic_that_filters(void **state)
{
	(void)state;
	nic.vlan_offloads = RTE_ETH_VLAN_FILTER_OFFLOAD | RTE_ETH_VLAN_STRIP_OFFLOAD;
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown("vlans", "none");
	rig_learn(1, 10, VM1);
	rig_tick();
	assert_true(nic.vlans[10]);
}

static void
vlans_refused(void **state)
{
	(void)state;
	rig_be_vf("net_ixgbe_vf", 128, PORT_WISH_OFF);
	nic.vlan_offloads = RTE_ETH_VLAN_FILTER_OFFLOAD;
	nic.vlans_max = 2;
	for (uint16_t vlan = 1; vlan <= 10; vlan++)
		rig_learn(vlan, vlan, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown("vlans", "1, 2");
	rig_assert_shown("vlans_refused", "8");
	rig_assert_shown("vlans_not_let_in", "3, 4, 5, 6, 7, 8, 9, 10");
	rig_assert_logged(LOG_LEVEL_WARN, "port up0: net_ixgbe_vf refuses to let 8 VLANs in: see "
					  "vswitchctl port show up0");
	/* something else changes */
	nic.n_calls = 0;
	rig_learn(99, 0, UP0);
	rig_tick();
	assert_int_equal(nic.n_calls, 0);
	/* a place is free */
	rig_forget(1, 1);
	rig_tick();
	rig_assert_shown("vlans", "2, 3");
	/* the PF has more */
	nic.vlans_max = 0;
	fake_nic_now_ns += 11 * S;
	rig_tick();
	rig_assert_shown("vlans_refused", "0");
	rig_assert_not_shown("vlans_not_let_in");
}

static void
vlans_refused_one_by_one(void **state)
{
	(void)state;
	nic.vlan_offloads = RTE_ETH_VLAN_FILTER_OFFLOAD;
	nic.refuses_odd_vlans = true;
	for (uint16_t vlan = 1; vlan <= 12; vlan++)
		rig_learn(vlan, vlan, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown("vlans", "2, 4, 6, 8, 10, 12");
	rig_assert_shown("vlans_refused", "6");
}

static void
vlans_not_supported(void **state)
{
	(void)state;
	rig_be_vf("net_ixgbe_vf", 128, PORT_WISH_OFF);
	nic.vlan_offloads = -ENODEV;
	rig_learn(1, 10, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown("vlans", "none");
	rig_assert_shown("vlans_refused", "1");
}

/* A virtio device that does not offer CTRL_VLAN lets all in, though others filter. */
static void
vlans_of_a_simple_virtio(void **state)
{
	(void)state;
	rig_be_vf("net_virtio", 64, PORT_WISH_NONE);
	rig_learn(1, 10, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown("vlans", "all");
	rig_assert_not_shown("vlans_refused");
}

static void
vlans_too_many_to_be_shown(void **state)
{
	(void)state;
	nic.vlan_offloads = RTE_ETH_VLAN_FILTER_OFFLOAD;
	for (uint16_t port = UP1; port < N_PORTS; port++)
		for (uint16_t i = 0; i < 40; i++)
			rig_learn(port, 1000 + 40 * port + i, port);
	rig_open_as(PORT_FILTER_AUTO);
	/* a guest that speaks in all VLANs leaves room in the PF's table */
	assert_int_equal(nic.n_vlans, 16 * (N_PORTS - UP1));
	rig_show();
	assert_non_null(strstr(rig.shown, ", more\n"));
}

/* --- restarts */

static void
reset_devices_get_all_again(void **state)
{
	(void)state;
	rig_be_vf("net_ixgbe_vf", 128, PORT_WISH_OFF);
	nic.vlan_offloads = RTE_ETH_VLAN_FILTER_OFFLOAD;
	nic.filters_vlans = true;
	rig_learn(1, 10, VM1);
	rig_learn(2, 0, VM1);
	rig_join(7, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	fake_nic_forget();
	filter_renew(rig.f, &rig.facts);
	rig_tick();
	assert_true(rig_receives(1) && rig_receives(2) && rig_receives_group(7) &&
		    rig_receives_every_host());
	assert_true(nic.vlans[10]);
	rig_assert_shown("macs_listed", "2");
}

static void
restarted_devices_keep_none_too_many(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig_learn(1, 0, VM1);
	rig_learn(2, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	/* ethdev has set all again when the device was started; one went away meanwhile */
	rig_forget(1, 0);
	filter_renew(rig.f, &rig.facts);
	rig_tick();
	assert_false(rig_receives(1));
	assert_true(rig_receives(2));
	assert_int_equal(nic.n_adds, 3); /* the one that is left is asked for anew */
}

/* ethdev replays VLANs when a device is started, also those that nobody wants by then. */
static void
vlans_that_went_meanwhile(void **state)
{
	(void)state;
	rig_be_vf("net_ixgbe_vf", 128, PORT_WISH_OFF);
	nic.vlan_offloads = RTE_ETH_VLAN_FILTER_OFFLOAD;
	nic.filters_vlans = true;
	rig_learn(1, 10, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(nic.vlans[10]);
	rig_forget(1, 10);
	filter_renew(rig.f, &rig.facts);
	filter_renew(rig.f, &rig.facts);
	rig_tick();
	assert_false(nic.vlans[10]);
}

static void
reset_devices_may_refuse(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	fake_nic_forget();
	nic.is_bound = true;
	filter_renew(rig.f, &rig.facts);
	rig_tick();
	rig_assert_shown("macs_listed", "0");
	rig_assert_shown("unreachable", "1");
}

/* --- parts */

static void
drivers_that_are_known(void **state)
{
	const struct driver *nic_of_mlx5 = driver_find("mlx5_pci", false);

	(void)state;
	assert_true(driver_find("mlx5_pci", true)->is_kernels);
	assert_int_equal(driver_find("mlx5_pci", true)->promiscuous, DRIVER_WORD_TRUSTED);
	assert_int_equal(nic_of_mlx5->promiscuous, DRIVER_WORD_TRUE);
	assert_false(nic_of_mlx5->is_vf);
	/* a driver of VFs only is one even where nobody says that the device is a VF */
	assert_true(driver_find("net_iavf", false)->is_vf);
	assert_int_equal(driver_find("net_e1000_igb_vf", true)->promiscuous, DRIVER_WORD_FALSE);
	assert_true(driver_find("net_e1000_igb_vf", true)->restarts_on_link_up);
	assert_int_equal(driver_find("net_virtio", true)->promiscuous, DRIVER_WORD_TRUE);
}

static void
drivers_that_are_not(void **state)
{
	const struct driver *vf = driver_find("net_x", true), *other = driver_find("net_x", false);

	(void)state;
	assert_true(vf->is_vf && vf->filters_vlans && vf->restarts_on_link_up);
	assert_int_equal(vf->promiscuous, DRIVER_WORD_TRUSTED);
	assert_int_equal(vf->allmulticast, DRIVER_WORD_TRUSTED);
	assert_false(other->is_vf || other->filters_vlans || other->restarts_on_link_up);
	assert_int_equal(other->promiscuous, DRIVER_WORD_TRUE);
}

static void
sets_of_addresses(void **state)
{
	struct macset *set = malloc(sizeof(*set));
	struct rte_ether_addr mac;

	(void)state;
	macset_clear(set);
	for (uint32_t n = 0; n < MACSET_MAX; n++) {
		mac = rig_station(n);
		assert_int_equal(macset_find(set, &mac), -1);
		assert_int_equal(macset_add(set, &mac), n);
	}
	for (uint32_t n = 0; n < MACSET_MAX; n++) {
		mac = rig_station(n);
		assert_int_equal(macset_find(set, &mac), n);
		assert_int_equal(macset_add(set, &mac), n);
	}
	mac = rig_station(MACSET_MAX);
	assert_int_equal(macset_add(set, &mac), -1);
	macset_clear(set);
	assert_int_equal(macset_add(set, &mac), 0);
	free(set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(groups_by_list),
		CASE(groups_are_halved),
		CASE(groups_that_a_driver_would_cut),
		CASE(joined_groups_come_before_unlisted_stations),
		CASE(groups_go_by_turns),
		CASE(unlisted_stations_go_by_turns),
		CASE(groups_without_a_list),
		CASE(groups_of_a_trusted_vf_that_is_refused),
		CASE(groups_mode_is_asked_for_again),
		CASE(groups_refused_altogether),
		CASE(vlans_follow_use),
		CASE(vlans_without_a_filter),
		CASE(vlans_of_a_nic_that_filters),
		CASE(vlans_refused),
		CASE(vlans_refused_one_by_one),
		CASE(vlans_not_supported),
		CASE(vlans_of_a_simple_virtio),
		CASE(vlans_too_many_to_be_shown),
		CASE(reset_devices_get_all_again),
		CASE(restarted_devices_keep_none_too_many),
		CASE(vlans_that_went_meanwhile),
		CASE(reset_devices_may_refuse),
		cmocka_unit_test(drivers_that_are_known),
		cmocka_unit_test(drivers_that_are_not),
		cmocka_unit_test(sets_of_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_filter_mode.c: which mode an uplink's filter is in, and what is said of it (mode.c). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "filter_rig.h"

static void
nic_is_promiscuous(void **state)
{
	(void)state;
	nic.macs_max = 16;
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(rig_receives(1));
	rig_assert_mode("promiscuous", "net_af_packet receives all when told to");
	rig_assert_shown("filter_asked", "auto");
	rig_assert_shown("groups", "allmulticast");
	rig_assert_shown("unreachable", "0");
	assert_int_equal(nic.n_adds, 0); /* no VF: it needs no list */
}

static void
nic_without_modes_filters_nothing(void **state)
{
	(void)state;
	nic.driver = "net_pcap";
	nic.promiscuous_error = nic.allmulticast_error = -ENOTSUP;
	nic.lacks_list = true;
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown("filter", "promiscuous");
	rig_assert_shown("groups", "promiscuous");
	filter_close(rig.f);
	rig_open_as(PORT_FILTER_PROMISCUOUS);
	rig_assert_mode("promiscuous", "asked for");
	rig_assert_not_shown("warning_0");
	rig_assert_shown("groups_missing", "0");
	/* without that mode it is known of no group that it comes in */
	filter_close(rig.f);
	rig_open_as(PORT_FILTER_OWN);
	rig_assert_shown("groups", "none: the driver takes no list");
	rig_assert_shown("groups_missing", "2");
}

static void
nic_that_refuses_gets_a_list(void **state)
{
	(void)state;
	fake_nic_reset("net_some", 16);
	nic.promiscuous_error = -EIO;
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(rig_receives(1));
	rig_assert_mode("mac-list",
			"net_some or its PF refuses promiscuous mode (Input/output error)");
}

static void
nic_that_refuses_and_has_no_list(void **state)
{
	(void)state;
	nic.promiscuous_error = -EIO;
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_mode("own",
			"net_af_packet or its PF refuses promiscuous mode (Input/output error), "
			"and net_af_packet takes no address beside its own");
	rig_assert_shown("unreachable_0",
			 "vm1 52:54:00:00:00:01: not reachable from uplink up0: the driver "
			 "net_af_packet takes no address beside its own");
}

static void
cloud_nic_receives_its_own(void **state)
{
	(void)state;
	nic.driver = "net_ena";
	nic.promiscuous_error = nic.allmulticast_error = -ENOTSUP;
	nic.lacks_list = nic.lacks_macs = true;
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_mode("own",
			"net_ena's promiscuous mode does nothing, and net_ena takes no address "
			"beside its own");
	rig_assert_shown("groups", "none: the driver takes no list");
}

static void
trusted_vf_is_promiscuous(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_ON);
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_mode("promiscuous",
			"the PF trusts the VF, so net_iavf's promiscuous mode works");
	rig_assert_shown("groups", "allmulticast");
	/* the list as well: for frames of other VFs of the PF */
	assert_int_equal(fake_nic_n_macs(), 1);
	nic.ignores_modes = true;
	assert_true(rig_receives(1));
}

static void
untrusted_vf_gets_a_list(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(rig_receives(1));
	assert_false(rig_receives(2));
	assert_int_equal(nic.n_promiscuous, 0);
	rig_assert_mode("mac-list", "the PF does not trust the VF, so net_iavf's promiscuous mode "
				    "would be ignored");
	rig_assert_shown("macs_listed", "1");
	rig_assert_shown("macs_max", "64");
}

static void
vf_of_unknown_trust_gets_a_list(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_NONE);
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(rig_receives(1));
	rig_assert_mode("mac-list", "the PF does not say that it trusts the VF, so net_iavf's "
				    "promiscuous mode would be ignored");
}

static void
trusted_vf_that_is_refused_gets_a_list(void **state)
{
	(void)state;
	rig_be_vf("net_ixgbe_vf", 128, PORT_WISH_ON);
	nic.promiscuous_error = -EAGAIN;
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(rig_receives(1));
	rig_assert_mode("mac-list", "the PF trusts the VF, but net_ixgbe_vf or its PF refuses "
				    "promiscuous mode (Resource temporarily unavailable)");
}

static void
igbvf_receives_its_own(void **state)
{
	(void)state;
	rig_be_vf("net_e1000_igb_vf", 1, PORT_WISH_ON);
	nic.ignores_modes = nic.lacks_macs = true;
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_false(rig_receives(1));
	rig_assert_mode("own", "net_e1000_igb_vf's promiscuous mode does nothing, and "
			       "net_e1000_igb_vf takes no address beside its own");
	rig_assert_shown("unreachable", "1");
	rig_assert_shown("unreachable_0",
			 "vm1 52:54:00:00:00:01: not reachable from uplink up0: the driver "
			 "net_e1000_igb_vf takes no address beside its own");
	rig_assert_logged(
		LOG_LEVEL_WARN,
		"port up0: vm1 52:54:00:00:00:01: not reachable from uplink up0: the driver "
		"net_e1000_igb_vf takes no address beside its own");
}

static void
deaf_mode_with_places_is_a_list(void **state)
{
	(void)state;
	rig_be_vf("net_e1000_igb_vf", 4, PORT_WISH_ON);
	nic.ignores_modes = true;
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(rig_receives(1));
	rig_assert_mode("mac-list", "net_e1000_igb_vf's promiscuous mode does nothing");
}

static void
unknown_vf_gets_a_list(void **state)
{
	(void)state;
	rig_be_vf("net_of_tomorrow_vf", 16, PORT_WISH_OFF);
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_true(rig_receives(1));
	rig_assert_shown("filter", "mac-list");
}

static void
virtio_vf_is_promiscuous(void **state)
{
	(void)state;
	rig_be_vf("net_virtio", 64, PORT_WISH_NONE);
	nic.ignores_modes = false;
	nic.lacks_list = true;
	rig_learn(1, 0, VM1);
	rig_join(5, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_mode("promiscuous", "net_virtio receives all when told to");
	assert_true(rig_receives_group(5));
	assert_int_equal(fake_nic_n_macs(), 1);
}

static void
asked_promiscuous_and_refused(void **state)
{
	(void)state;
	rig_be_vf("net_ixgbe_vf", 128, PORT_WISH_OFF);
	strcpy(rig.facts.pf_ifname, "eth2");
	rig.facts.number = 3;
	nic.promiscuous_error = -ENOTSUP;
	rig_expect_refusal(
		PORT_FILTER_PROMISCUOUS,
		"port up0: filter: promiscuous is refused by the driver net_ixgbe_vf or its "
		"PF (Operation not supported): set filter: auto or mac-list, or let the PF "
		"allow it: set trust: on, or ip link set eth2 vf 3 trust on");
	nic.promiscuous_error = -EAGAIN;
	rig.facts.pf_ifname[0] = 0;
	rig_expect_refusal(
		PORT_FILTER_PROMISCUOUS,
		"port up0: filter: promiscuous is refused by the driver net_ixgbe_vf or its "
		"PF (Resource temporarily unavailable): set filter: auto or mac-list, or "
		"let the PF allow it: on the machine that has the PF: ip link set PF vf N "
		"trust on");
}

static void
asked_promiscuous_and_ignored(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	strcpy(rig.facts.pf_ifname, "eth2");
	nic.slots = 1;
	rig_learn(1, 0, VM1);
	rig_learn(2, 0, VM2);
	rig_open_as(PORT_FILTER_PROMISCUOUS);
	assert_true(nic.is_promiscuous); /* as asked */
	rig_assert_mode("promiscuous",
			"asked for, but the PF does not trust the VF, so it is ignored");
	rig_assert_shown(
		"warning_0",
		"filter: promiscuous can't work, for the PF does not trust the VF: set trust: "
		"on, or ip link set eth2 vf 0 trust on; or set filter: mac-list");
	rig_assert_logged(
		LOG_LEVEL_WARN,
		"port up0: filter: promiscuous can't work, for the PF does not trust the VF: "
		"set trust: on, or ip link set eth2 vf 0 trust on; or set filter: mac-list");
	assert_true(rig_receives(1) ^ rig_receives(2)); /* the list does what it can */
	rig_assert_shown("unreachable", "1");
}

static void
asked_promiscuous_of_the_deaf(void **state)
{
	(void)state;
	rig_be_vf("net_e1000_igb_vf", 1, PORT_WISH_ON);
	nic.ignores_modes = nic.lacks_macs = true;
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_PROMISCUOUS);
	assert_true(nic.is_promiscuous);
	rig_assert_mode("promiscuous",
			"asked for, but net_e1000_igb_vf takes the wish and does nothing");
	rig_assert_shown("warning_0",
			 "filter: promiscuous can't work: net_e1000_igb_vf takes the wish "
			 "and does nothing: set filter: auto");
	rig_assert_shown("unreachable_0",
			 "vm1 52:54:00:00:00:01: not reachable from uplink up0: the driver "
			 "net_e1000_igb_vf takes no address beside its own");
}

static void
asked_promiscuous_of_unknown_trust(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_NONE);
	rig_open_as(PORT_FILTER_PROMISCUOUS);
	rig_assert_mode("promiscuous",
			"asked for; if the PF does not trust the VF, it does nothing");
	rig_assert_not_shown("warning_0");
}

static void
asked_list_without_places(void **state)
{
	(void)state;
	rig_be_vf("net_e1000_igb_vf", 1, PORT_WISH_OFF);
	rig_expect_refusal(
		PORT_FILTER_MAC_LIST,
		"port up0: filter: mac-list: the driver net_e1000_igb_vf takes no address "
		"beside its own: set filter: auto");
}

static void
asked_list_that_is_not_supported(void **state)
{
	(void)state;
	rig_be_vf("net_bnxt", 128, PORT_WISH_OFF);
	nic.lacks_macs = true;
	rig_learn(1, 0, VM1);
	rig_learn(2, 0, VM2);
	rig_open_as(PORT_FILTER_MAC_LIST);
	rig_assert_mode("mac-list", "asked for");
	rig_assert_shown("macs_refused", "2");
	rig_assert_shown("unreachable", "2");
	rig_show();
	assert_non_null(strstr(rig.shown,
			       "vm2 52:54:00:00:00:02: not reachable from uplink up0: the "
			       "driver net_bnxt takes no address beside its own while the "
			       "PF does not trust the VF\n"));
	/* which a change of mind mends */
	nic.lacks_macs = false;
	rig.facts.trust = PORT_WISH_ON;
	filter_renew(rig.f, &rig.facts);
	rig_tick();
	assert_true(rig_receives(1) && rig_receives(2));
	rig_assert_shown("unreachable", "0");
}

static void
asked_own(void **state)
{
	(void)state;
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_OWN);
	assert_false(rig_receives(1));
	rig_assert_mode("own", "asked for");
	rig_assert_shown("unreachable_0", "vm1 52:54:00:00:00:01: not reachable from uplink up0: "
					  "filter: own is asked for");
	assert_null(strstr(rig.logged, "not reachable")); /* no news */
}

static void
spoof_check_is_warned_of(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_ON);
	strcpy(rig.facts.pf_ifname, "eth2");
	rig.facts.number = 1;
	rig.facts.spoofcheck = PORT_WISH_ON;
	rig_open_as(PORT_FILTER_AUTO);
	rig_assert_shown(
		"warning_0",
		"spoof check is on, so the PF drops what stations of other ports send: set "
		"spoofcheck: off, or ip link set eth2 vf 1 spoofchk off");
	assert_non_null(strstr(rig.logged, "4 port up0: spoof check is on"));
	/* not again, and not once it is off */
	rig.logged[0] = 0;
	filter_renew(rig.f, &rig.facts);
	assert_string_equal(rig.logged, "");
	rig.facts.spoofcheck = PORT_WISH_OFF;
	filter_renew(rig.f, &rig.facts);
	rig_assert_not_shown("warning_0");
}

static void
device_without_words(void **state)
{
	(void)state;
	nic.info_error = -EIO;
	rig_expect_refusal(PORT_FILTER_AUTO,
			   "port up0: the device tells nothing of itself: Input/output error");
	filter_close(NULL);
}

static void
trust_comes_and_goes(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_groups, 3);
	rig.facts.trust = PORT_WISH_ON;
	nic.ignores_modes = false;
	filter_renew(rig.f, &rig.facts);
	assert_true(nic.is_promiscuous);
	assert_int_equal(nic.n_groups, 0); /* all come in, and the places are for addresses */
	rig_assert_mode("promiscuous",
			"the PF trusts the VF, so net_iavf's promiscuous mode works");
	rig.facts.trust = PORT_WISH_OFF;
	filter_renew(rig.f, &rig.facts);
	rig_tick();
	assert_false(nic.is_promiscuous);
	rig_assert_shown("filter", "mac-list");
	assert_true(rig_receives(1) && rig_receives_every_host());
}

static void
ignored_mode_is_asked_for_again(void **state)
{
	(void)state;
	rig_be_vf("net_iavf", 64, PORT_WISH_OFF);
	rig_open_as(PORT_FILTER_PROMISCUOUS);
	assert_int_equal(nic.n_promiscuous, 1);
	rig.facts.trust = PORT_WISH_ON;
	filter_renew(rig.f, &rig.facts);
	assert_int_equal(nic.n_promiscuous, 2);
	rig_assert_mode("promiscuous", "asked for");
	rig_assert_not_shown("warning_0");
}

static void
asked_mode_that_is_refused_later(void **state)
{
	(void)state;
	rig_be_vf("net_ixgbe_vf", 128, PORT_WISH_ON);
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_PROMISCUOUS);
	nic.promiscuous_error = -EAGAIN;
	filter_renew(rig.f, &rig.facts);
	rig_tick();
	rig_assert_shown("filter", "promiscuous");
	rig_assert_shown("filter_why", "asked for, but net_ixgbe_vf or the PF refuses it");
	assert_non_null(strstr(rig.logged, "4 port up0: filter: promiscuous is refused"));
	assert_true(rig_receives(1)); /* by its list */
}

static void
list_is_given_up(void **state)
{
	(void)state;
	fake_nic_reset("net_some", 16);
	nic.promiscuous_error = -EIO;
	rig_learn(1, 0, VM1);
	rig_open_as(PORT_FILTER_AUTO);
	assert_int_equal(fake_nic_n_macs(), 1);
	nic.promiscuous_error = 0;
	filter_renew(rig.f, &rig.facts);
	rig_tick();
	rig_assert_shown("filter", "promiscuous");
	rig_assert_shown("macs_listed", "0");
	assert_int_equal(fake_nic_n_macs(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nic_is_promiscuous),
		CASE(nic_without_modes_filters_nothing),
		CASE(nic_that_refuses_gets_a_list),
		CASE(nic_that_refuses_and_has_no_list),
		CASE(cloud_nic_receives_its_own),
		CASE(trusted_vf_is_promiscuous),
		CASE(untrusted_vf_gets_a_list),
		CASE(vf_of_unknown_trust_gets_a_list),
		CASE(trusted_vf_that_is_refused_gets_a_list),
		CASE(igbvf_receives_its_own),
		CASE(deaf_mode_with_places_is_a_list),
		CASE(unknown_vf_gets_a_list),
		CASE(virtio_vf_is_promiscuous),
		CASE(asked_promiscuous_and_refused),
		CASE(asked_promiscuous_and_ignored),
		CASE(asked_promiscuous_of_the_deaf),
		CASE(asked_promiscuous_of_unknown_trust),
		CASE(asked_list_without_places),
		CASE(asked_list_that_is_not_supported),
		CASE(asked_own),
		CASE(spoof_check_is_warned_of),
		CASE(device_without_words),
		CASE(trust_comes_and_goes),
		CASE(ignored_mode_is_asked_for_again),
		CASE(asked_mode_that_is_refused_later),
		CASE(list_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

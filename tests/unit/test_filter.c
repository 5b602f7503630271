/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_filter.c: what an uplink's device is told to receive, and what is said of it, with devices
 * that behave as documented hardware (fake_nic.h): those that reject a mode, accept and ignore it,
 * have few places, or take no address beside their own.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver.h"
#include "error.h"
#include "fake_nic.h"
#include "fdb.h"
#include "filter.h"
#include "groups.h"
#include "log.h"
#include "macset.h"
#include "port.h"
#include "switch.h"

enum {
	UP0 = 0, /* the uplink whose filter it is */
	UP1 = 1, /* another one */
	VM1 = 2,
	VM2 = 3,
	TAP = 4,
	N_PORTS = 5,
	STATIONS = 8192, /* that the fdb holds */
};

#define S 1000000000ull

static const struct port_ops uplink_ops = {.type = "vf", .is_uplink = true};
static const struct port_ops guest_ops = {.type = "vhost-user"};
static struct vswitch sw;
static struct port ports[N_PORTS];
static bool is_there[N_PORTS];
static struct filter *f;
static struct filter_facts facts;
static struct error e;
static char logged[65536]; /* since the filter was opened, by level and line */
static char shown[16384];  /* by the last show() */
static uint64_t clock_step_ns;

/* --- what the filter works with */

void
log_line(enum log_level level, const char *format, ...)
{
	size_t used = strlen(logged);
	va_list args;

	used += (size_t)snprintf(logged + used, sizeof(logged) - used, "%d ", (int)level);
	va_start(args, format);
	used += (size_t)vsnprintf(logged + used, sizeof(logged) - used, format, args);
	va_end(args);
	assert_true(used < sizeof(logged) - 2);
	strcat(logged, "\n");
}

void
log_set_level(enum log_level max)
{
	(void)max;
}

bool
log_allowed(struct log_limit *limit, uint32_t *suppressed)
{
	*suppressed = limit->n_suppressed;
	return limit->n++ < limit->burst;
}

void
switch_port_walk(struct vswitch *of, bool (*each)(struct port *port, void *arg), void *arg)
{
	assert_ptr_equal(of, &sw);
	for (int i = 0; i < N_PORTS; i++)
		if (is_there[i] && !each(&ports[i], arg))
			return;
}

/* Members of groups, in the place of groups.c. */
static struct {
	uint64_t key;
	uint16_t port;
} members[256];
static uint32_t n_members, members_version;

uint32_t
groups_version(const struct groups *g)
{
	(void)g;
	return members_version;
}

void
groups_walk(const struct groups *g, bool (*each)(uint64_t key, uint16_t port, void *arg), void *arg)
{
	(void)g;
	for (uint32_t i = 0; i < n_members; i++)
		if (!each(members[i].key, members[i].port, arg))
			return;
}

static void
synchronize(void)
{
}

static uint64_t
test_clock(void)
{
	return fake_nic_now_ns += clock_step_ns;
}

/* --- what tests say */

static int
set_up(void **state)
{
	static const char *const names[N_PORTS] = {"up0", "up1", "vm1", "vm2", "inband"};

	(void)state;
	memset(&sw, 0, sizeof(sw));
	sw.fdb_mem = aligned_alloc(64, fdb_size(STATIONS));
	memset(sw.fdb_mem, 0, fdb_size(STATIONS));
	sw.fdb = fdb_create(sw.fdb_mem, STATIONS, 1, synchronize);
	memset(ports, 0, sizeof(ports));
	for (uint16_t i = 0; i < N_PORTS; i++) {
		ports[i].id = i;
		ports[i].sw = &sw;
		ports[i].ops = i <= UP1 ? &uplink_ops : &guest_ops;
		strcpy(ports[i].conf.name, names[i]);
		is_there[i] = true;
	}
	n_members = 0;
	memset(&facts, 0, sizeof(facts));
	logged[0] = 0;
	clock_step_ns = 0;
	fake_nic_now_ns = 1000 * S;
	filter_clock = test_clock;
	fake_nic_reset("net_af_packet", 1);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	filter_close(f);
	f = NULL;
	free(sw.fdb_mem);
	return 0;
}

/* 52:54:00:00:xx:xx */
static struct rte_ether_addr
station(uint32_t n)
{
	return (struct rte_ether_addr){{0x52, 0x54, 0, 0, (uint8_t)(n >> 8), (uint8_t)n}};
}

static uint64_t
key(uint32_t n, uint16_t vlan)
{
	struct rte_ether_addr mac = station(n);

	return fdb_key(vlan, mac.addr_bytes);
}

static void
learn(uint32_t n, uint16_t vlan, uint16_t port)
{
	assert_in_range(fdb_learn(sw.fdb, key(n, vlan), port, 1), FDB_KNOWN, FDB_MOVED);
}

static void
forget(uint32_t n, uint16_t vlan)
{
	assert_int_equal(fdb_remove(sw.fdb, key(n, vlan)), 0);
}

/* 224.1.0.n */
static struct rte_ether_addr
group(uint8_t n)
{
	return (struct rte_ether_addr){{0x01, 0x00, 0x5e, 1, 0, n}};
}

static void
join(uint8_t n, uint16_t vlan, uint16_t port)
{
	struct rte_ether_addr mac = group(n);

	members[n_members].key = fdb_key(vlan, mac.addr_bytes);
	members[n_members++].port = port;
	members_version++;
}

static bool
receives(uint32_t n)
{
	struct rte_ether_addr mac = station(n);

	return fake_nic_receives(&mac, 0);
}

static bool
receives_group(uint8_t n)
{
	struct rte_ether_addr mac = group(n);

	return fake_nic_receives(&mac, 0);
}

static bool
receives_neighbour_of(uint8_t n)
{
	struct rte_ether_addr mac = {{0x33, 0x33, 0xff, 0, 0, n}};

	return fake_nic_receives(&mac, 0);
}

static bool
receives_every_host(void)
{
	struct rte_ether_addr v4 = {{0x01, 0x00, 0x5e, 0, 0, 1}}, v6 = {{0x33, 0x33, 0, 0, 0, 1}};

	return fake_nic_receives(&v4, 0) && fake_nic_receives(&v6, 0);
}

static void
tick(void)
{
	fake_nic_now_ns += S / 10;
	filter_sync(f);
}

static void
open_as(enum port_filter asked)
{
	ports[UP0].conf.uplink.filter = asked;
	f = filter_open(&ports[UP0], FAKE_NIC_PORT, &facts, &e);
	if (!f)
		fail_msg("%s", e.text);
	tick();
}

static void
expect_refusal(enum port_filter asked, const char *sentence)
{
	ports[UP0].conf.uplink.filter = asked;
	f = filter_open(&ports[UP0], FAKE_NIC_PORT, &facts, &e);
	assert_null(f);
	assert_string_equal(e.text, sentence);
}

static void
show_text(struct report *report, const char *name, const char *value)
{
	size_t used = strlen(shown);

	(void)report;
	used += (size_t)snprintf(shown + used, sizeof(shown) - used, "\n%s=%s\n", name, value);
	assert_true(used < sizeof(shown));
}

static void
show_number(struct report *report, const char *name, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	show_text(report, name, text);
}

static void
show(void)
{
	struct report report = {.text = show_text, .number = show_number};

	shown[0] = 0;
	filter_show(f, &report);
}

static void
assert_shown(const char *name, const char *value)
{
	char line[512];

	show();
	snprintf(line, sizeof(line), "\n%s=%s\n", name, value);
	if (!strstr(shown, line))
		fail_msg("expected %s=%s in:%s", name, value, shown);
}

static void
assert_not_shown(const char *name)
{
	char start[64];

	show();
	snprintf(start, sizeof(start), "\n%s=", name);
	if (strstr(shown, start))
		fail_msg("expected no %s in:%s", name, shown);
}

static void
assert_logged(enum log_level level, const char *text)
{
	char line[1024];

	snprintf(line, sizeof(line), "%d %s\n", (int)level, text);
	if (!strstr(logged, line))
		fail_msg("expected '%s' in:\n%s", line, logged);
}

static void
assert_mode(const char *mode, const char *why)
{
	char line[512];

	assert_shown("filter", mode);
	assert_shown("filter_why", why);
	snprintf(line, sizeof(line), "port up0: filter: %s: %s", mode, why);
	assert_logged(LOG_LEVEL_INFO, line);
}

static void
be_vf(const char *driver, uint32_t macs_max, enum port_wish trust)
{
	fake_nic_reset(driver, macs_max);
	facts.is_vf = true;
	facts.trust = trust;
	nic.ignores_modes = trust != PORT_WISH_ON;
}

/* An untrusted VF of which the PF takes 5 addresses beside its own, with the 6 stations 1..6. */
static void
be_short_of_slots(void)
{
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slots = 5;
	nic.lacks_list = true;
	for (uint32_t n = 1; n <= 6; n++)
		learn(n, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_int_equal(fake_nic_n_macs(), 5);
	assert_shown("macs_refused", "1");
}

/* --- mode */

static void
nic_is_promiscuous(void **state)
{
	(void)state;
	nic.macs_max = 16;
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_true(receives(1));
	assert_mode("promiscuous", "net_af_packet receives all when told to");
	assert_shown("filter_asked", "auto");
	assert_shown("groups", "allmulticast");
	assert_shown("unreachable", "0");
	assert_int_equal(nic.n_adds, 0); /* no VF: it needs no list */
}

static void
nic_without_modes_filters_nothing(void **state)
{
	(void)state;
	nic.driver = "net_pcap";
	nic.promiscuous_error = nic.allmulticast_error = -ENOTSUP;
	nic.lacks_list = true;
	open_as(PORT_FILTER_AUTO);
	assert_shown("filter", "promiscuous");
	assert_shown("groups", "promiscuous");
	filter_close(f);
	open_as(PORT_FILTER_PROMISCUOUS);
	assert_mode("promiscuous", "asked for");
	assert_not_shown("warning_0");
	assert_shown("groups_missing", "0");
	/* without that mode it is known of no group that it comes in */
	filter_close(f);
	open_as(PORT_FILTER_OWN);
	assert_shown("groups", "none: the driver takes no list");
	assert_shown("groups_missing", "2");
}

static void
nic_that_refuses_gets_a_list(void **state)
{
	(void)state;
	fake_nic_reset("net_some", 16);
	nic.promiscuous_error = -EIO;
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_true(receives(1));
	assert_mode("mac-list", "net_some or its PF refuses promiscuous mode (Input/output error)");
}

static void
nic_that_refuses_and_has_no_list(void **state)
{
	(void)state;
	nic.promiscuous_error = -EIO;
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_mode("own", "net_af_packet or its PF refuses promiscuous mode (Input/output error), "
			   "and net_af_packet takes no address beside its own");
	assert_shown("unreachable_0",
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
	open_as(PORT_FILTER_AUTO);
	assert_mode("own", "net_ena's promiscuous mode does nothing, and net_ena takes no address "
			   "beside its own");
	assert_shown("groups", "none: the driver takes no list");
}

static void
trusted_vf_is_promiscuous(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_ON);
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_mode("promiscuous", "the PF trusts the VF, so net_iavf's promiscuous mode works");
	assert_shown("groups", "allmulticast");
	/* the list as well: for frames of other VFs of the PF */
	assert_int_equal(fake_nic_n_macs(), 1);
	nic.ignores_modes = true;
	assert_true(receives(1));
}

static void
untrusted_vf_gets_a_list(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_true(receives(1));
	assert_false(receives(2));
	assert_int_equal(nic.n_promiscuous, 0);
	assert_mode("mac-list", "the PF does not trust the VF, so net_iavf's promiscuous mode "
				"would be ignored");
	assert_shown("macs_listed", "1");
	assert_shown("macs_max", "64");
}

static void
vf_of_unknown_trust_gets_a_list(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_NONE);
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_true(receives(1));
	assert_mode("mac-list", "the PF does not say that it trusts the VF, so net_iavf's "
				"promiscuous mode would be ignored");
}

static void
trusted_vf_that_is_refused_gets_a_list(void **state)
{
	(void)state;
	be_vf("net_ixgbe_vf", 128, PORT_WISH_ON);
	nic.promiscuous_error = -EAGAIN;
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_true(receives(1));
	assert_mode("mac-list", "the PF trusts the VF, but net_ixgbe_vf or its PF refuses "
				"promiscuous mode (Resource temporarily unavailable)");
}

static void
igbvf_receives_its_own(void **state)
{
	(void)state;
	be_vf("net_e1000_igb_vf", 1, PORT_WISH_ON);
	nic.ignores_modes = nic.lacks_macs = true;
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_false(receives(1));
	assert_mode("own", "net_e1000_igb_vf's promiscuous mode does nothing, and "
			   "net_e1000_igb_vf takes no address beside its own");
	assert_shown("unreachable", "1");
	assert_shown("unreachable_0",
		     "vm1 52:54:00:00:00:01: not reachable from uplink up0: the driver "
		     "net_e1000_igb_vf takes no address beside its own");
	assert_logged(LOG_LEVEL_WARN,
		      "port up0: vm1 52:54:00:00:00:01: not reachable from uplink up0: the driver "
		      "net_e1000_igb_vf takes no address beside its own");
}

static void
deaf_mode_with_places_is_a_list(void **state)
{
	(void)state;
	be_vf("net_e1000_igb_vf", 4, PORT_WISH_ON);
	nic.ignores_modes = true;
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_true(receives(1));
	assert_mode("mac-list", "net_e1000_igb_vf's promiscuous mode does nothing");
}

static void
unknown_vf_gets_a_list(void **state)
{
	(void)state;
	be_vf("net_of_tomorrow_vf", 16, PORT_WISH_OFF);
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_true(receives(1));
	assert_shown("filter", "mac-list");
}

static void
virtio_vf_is_promiscuous(void **state)
{
	(void)state;
	be_vf("net_virtio", 64, PORT_WISH_NONE);
	nic.ignores_modes = false;
	nic.lacks_list = true;
	learn(1, 0, VM1);
	join(5, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_mode("promiscuous", "net_virtio receives all when told to");
	assert_true(receives_group(5));
	assert_int_equal(fake_nic_n_macs(), 1);
}

static void
asked_promiscuous_and_refused(void **state)
{
	(void)state;
	be_vf("net_ixgbe_vf", 128, PORT_WISH_OFF);
	strcpy(facts.pf_ifname, "eth2");
	facts.number = 3;
	nic.promiscuous_error = -ENOTSUP;
	expect_refusal(PORT_FILTER_PROMISCUOUS,
		       "port up0: filter: promiscuous is refused by the driver net_ixgbe_vf or its "
		       "PF (Operation not supported): set filter: auto or mac-list, or let the PF "
		       "allow it: set trust: on, or ip link set eth2 vf 3 trust on");
	nic.promiscuous_error = -EAGAIN;
	facts.pf_ifname[0] = 0;
	expect_refusal(PORT_FILTER_PROMISCUOUS,
		       "port up0: filter: promiscuous is refused by the driver net_ixgbe_vf or its "
		       "PF (Resource temporarily unavailable): set filter: auto or mac-list, or "
		       "let the PF allow it: on the machine that has the PF: ip link set PF vf N "
		       "trust on");
}

static void
asked_promiscuous_and_ignored(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	strcpy(facts.pf_ifname, "eth2");
	nic.slots = 1;
	learn(1, 0, VM1);
	learn(2, 0, VM2);
	open_as(PORT_FILTER_PROMISCUOUS);
	assert_true(nic.is_promiscuous); /* as asked */
	assert_mode("promiscuous", "asked for, but the PF does not trust the VF, so it is ignored");
	assert_shown("warning_0",
		     "filter: promiscuous can't work, for the PF does not trust the VF: set trust: "
		     "on, or ip link set eth2 vf 0 trust on; or set filter: mac-list");
	assert_logged(LOG_LEVEL_WARN,
		      "port up0: filter: promiscuous can't work, for the PF does not trust the VF: "
		      "set trust: on, or ip link set eth2 vf 0 trust on; or set filter: mac-list");
	assert_true(receives(1) ^ receives(2)); /* the list does what it can */
	assert_shown("unreachable", "1");
}

static void
asked_promiscuous_of_the_deaf(void **state)
{
	(void)state;
	be_vf("net_e1000_igb_vf", 1, PORT_WISH_ON);
	nic.ignores_modes = nic.lacks_macs = true;
	learn(1, 0, VM1);
	open_as(PORT_FILTER_PROMISCUOUS);
	assert_true(nic.is_promiscuous);
	assert_mode("promiscuous",
		    "asked for, but net_e1000_igb_vf takes the wish and does nothing");
	assert_shown("warning_0", "filter: promiscuous can't work: net_e1000_igb_vf takes the wish "
				  "and does nothing: set filter: auto");
	assert_shown("unreachable_0",
		     "vm1 52:54:00:00:00:01: not reachable from uplink up0: the driver "
		     "net_e1000_igb_vf takes no address beside its own");
}

static void
asked_promiscuous_of_unknown_trust(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_NONE);
	open_as(PORT_FILTER_PROMISCUOUS);
	assert_mode("promiscuous", "asked for; if the PF does not trust the VF, it does nothing");
	assert_not_shown("warning_0");
}

static void
asked_list_without_places(void **state)
{
	(void)state;
	be_vf("net_e1000_igb_vf", 1, PORT_WISH_OFF);
	expect_refusal(PORT_FILTER_MAC_LIST,
		       "port up0: filter: mac-list: the driver net_e1000_igb_vf takes no address "
		       "beside its own: set filter: auto");
}

static void
asked_list_that_is_not_supported(void **state)
{
	(void)state;
	be_vf("net_bnxt", 128, PORT_WISH_OFF);
	nic.lacks_macs = true;
	learn(1, 0, VM1);
	learn(2, 0, VM2);
	open_as(PORT_FILTER_MAC_LIST);
	assert_mode("mac-list", "asked for");
	assert_shown("macs_refused", "2");
	assert_shown("unreachable", "2");
	show();
	assert_non_null(strstr(shown, "vm2 52:54:00:00:00:02: not reachable from uplink up0: the "
				      "driver net_bnxt takes no address beside its own while the "
				      "PF does not trust the VF\n"));
	/* which a change of mind mends */
	nic.lacks_macs = false;
	facts.trust = PORT_WISH_ON;
	filter_renew(f, &facts);
	tick();
	assert_true(receives(1) && receives(2));
	assert_shown("unreachable", "0");
}

static void
asked_own(void **state)
{
	(void)state;
	learn(1, 0, VM1);
	open_as(PORT_FILTER_OWN);
	assert_false(receives(1));
	assert_mode("own", "asked for");
	assert_shown("unreachable_0", "vm1 52:54:00:00:00:01: not reachable from uplink up0: "
				      "filter: own is asked for");
	assert_null(strstr(logged, "not reachable")); /* no news */
}

static void
spoof_check_is_warned_of(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_ON);
	strcpy(facts.pf_ifname, "eth2");
	facts.number = 1;
	facts.spoofcheck = PORT_WISH_ON;
	open_as(PORT_FILTER_AUTO);
	assert_shown("warning_0",
		     "spoof check is on, so the PF drops what stations of other ports send: set "
		     "spoofcheck: off, or ip link set eth2 vf 1 spoofchk off");
	assert_non_null(strstr(logged, "4 port up0: spoof check is on"));
	/* not again, and not once it is off */
	logged[0] = 0;
	filter_renew(f, &facts);
	assert_string_equal(logged, "");
	facts.spoofcheck = PORT_WISH_OFF;
	filter_renew(f, &facts);
	assert_not_shown("warning_0");
}

static void
device_without_words(void **state)
{
	(void)state;
	nic.info_error = -EIO;
	expect_refusal(PORT_FILTER_AUTO,
		       "port up0: the device tells nothing of itself: Input/output error");
	filter_close(NULL);
}

static void
trust_comes_and_goes(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_groups, 3);
	facts.trust = PORT_WISH_ON;
	nic.ignores_modes = false;
	filter_renew(f, &facts);
	assert_true(nic.is_promiscuous);
	assert_int_equal(nic.n_groups, 0); /* all come in, and the places are for addresses */
	assert_mode("promiscuous", "the PF trusts the VF, so net_iavf's promiscuous mode works");
	facts.trust = PORT_WISH_OFF;
	filter_renew(f, &facts);
	tick();
	assert_false(nic.is_promiscuous);
	assert_shown("filter", "mac-list");
	assert_true(receives(1) && receives_every_host());
}

static void
ignored_mode_is_asked_for_again(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	open_as(PORT_FILTER_PROMISCUOUS);
	assert_int_equal(nic.n_promiscuous, 1);
	facts.trust = PORT_WISH_ON;
	filter_renew(f, &facts);
	assert_int_equal(nic.n_promiscuous, 2);
	assert_mode("promiscuous", "asked for");
	assert_not_shown("warning_0");
}

static void
asked_mode_that_is_refused_later(void **state)
{
	(void)state;
	be_vf("net_ixgbe_vf", 128, PORT_WISH_ON);
	learn(1, 0, VM1);
	open_as(PORT_FILTER_PROMISCUOUS);
	nic.promiscuous_error = -EAGAIN;
	filter_renew(f, &facts);
	tick();
	assert_shown("filter", "promiscuous");
	assert_shown("filter_why", "asked for, but net_ixgbe_vf or the PF refuses it");
	assert_non_null(strstr(logged, "4 port up0: filter: promiscuous is refused"));
	assert_true(receives(1)); /* by its list */
}

static void
list_is_given_up(void **state)
{
	(void)state;
	fake_nic_reset("net_some", 16);
	nic.promiscuous_error = -EIO;
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_int_equal(fake_nic_n_macs(), 1);
	nic.promiscuous_error = 0;
	filter_renew(f, &facts);
	tick();
	assert_shown("filter", "promiscuous");
	assert_shown("macs_listed", "0");
	assert_int_equal(fake_nic_n_macs(), 0);
}

/* --- list of addresses */

static void
list_follows_stations(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	open_as(PORT_FILTER_AUTO);
	assert_false(receives(1));
	learn(1, 0, VM1);
	learn(2, 10, VM2);
	tick();
	assert_true(receives(1) && receives(2));
	forget(1, 0);
	tick();
	assert_false(receives(1));
	assert_true(receives(2));
}

static void
list_follows_moves(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	learn(1, 0, UP0);
	tick();
	assert_false(receives(1));
	learn(1, 0, VM2);
	tick();
	assert_true(receives(1));
	learn(1, 0, VM1); /* between others nothing is to do */
	nic.n_calls = 0;
	tick();
	assert_true(receives(1));
	assert_int_equal(nic.n_adds, 2);
}

static void
list_is_not_for_own_stations(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	learn(1, 0, UP0);
	assert_int_equal(fdb_add_static(sw.fdb, key(2, 0), UP0, 1), 0);
	open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_adds, 0);
	assert_shown("unreachable", "0");
}

static void
list_has_configured_addresses(void **state)
{
	struct rte_ether_addr mac = station(77);

	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	open_as(PORT_FILTER_AUTO);
	ports[TAP].conf.tap.has_mac = true;
	memcpy(&ports[TAP].conf.tap.mac, &mac, sizeof(mac));
	tick();
	assert_true(receives(77));
	is_there[TAP] = false;
	tick();
	assert_false(receives(77));
}

static void
list_has_an_address_once(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	learn(1, 0, VM1);
	learn(1, 10, VM2);
	learn(1, 20, UP0);
	open_as(PORT_FILTER_AUTO);
	assert_shown("macs_listed", "1");
	assert_int_equal(nic.n_adds, 1);
	forget(1, 0);
	tick();
	assert_true(receives(1));
	forget(1, 10);
	tick();
	assert_false(receives(1));
}

static void
own_address_is_not_listed(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.own = station(1);
	learn(1, 0, VM1);
	learn(2, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_shown("macs_listed", "1");
	/* the PF gives it another one, which another station has */
	nic.own = station(2);
	tick();
	assert_true(receives(1) && receives(2));
	assert_shown("macs_listed", "1");
	assert_shown("unreachable", "0");
}

static void
full_by_ethdev(void **state)
{
	(void)state;
	be_vf("net_iavf", 18, PORT_WISH_OFF);
	for (uint32_t n = 1; n <= 17; n++)
		learn(n, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_shown("unreachable", "0");
	learn(18, 0, VM2);
	tick();
	assert_shown("unreachable", "1");
	assert_shown("unreachable_0", "vm2 52:54:00:00:00:12: not reachable from uplink up0: "
				      "filter full (18 of 18)");
	assert_logged(LOG_LEVEL_WARN, "port up0: vm2 52:54:00:00:00:12: not reachable from uplink "
				      "up0: filter full (18 of 18)");
	assert_shown("macs_listed", "17");
	assert_shown("macs_max", "18");
	assert_shown("macs_refused", "1");
}

static void
full_by_driver(void **state)
{
	(void)state;
	be_short_of_slots();
	show();
	assert_non_null(strstr(shown, "filter full (6 of 6)\n"));
}

static void
complaints_are_bounded(void **state)
{
	uint32_t n_lines = 0;

	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slots = 1;
	for (uint32_t n = 1; n <= 40; n++)
		learn(n, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_shown("unreachable", "39");
	show();
	assert_non_null(strstr(shown, "unreachable_15="));
	assert_null(strstr(shown, "unreachable_16="));
	for (const char *at = logged; (at = strstr(at, "not reachable")) != NULL; at++)
		n_lines++;
	assert_int_equal(n_lines, 5);
	/* nor is it told twice */
	logged[0] = 0;
	fake_nic_now_ns += 11 * S;
	tick();
	assert_string_equal(logged, "");
}

static void
places_go_by_rank(void **state)
{
	(void)state;
	be_vf("net_iavf", 4, PORT_WISH_OFF);
	learn(1, 0, UP1);
	learn(2, 0, VM1);
	assert_int_equal(fdb_add_static(sw.fdb, key(3, 0), UP1, 1), 0);
	learn(4, 0, VM2);
	assert_int_equal(fdb_add_static(sw.fdb, key(5, 0), VM2, 1), 0);
	open_as(PORT_FILTER_AUTO);
	assert_true(receives(5) && receives(4) && receives(2));
	assert_false(receives(3) || receives(1));
	forget(4, 0);
	tick();
	assert_true(receives(3));
	assert_false(receives(1));
	/* who has a place keeps it */
	learn(6, 0, VM1);
	tick();
	assert_true(receives(3));
	assert_false(receives(6));
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
		tick();
	assert_int_equal(nic.n_adds, n_adds);
	for (int i = 0; i < 20; i++)
		tick();
	assert_int_equal(fake_nic_n_macs(), 6);
	assert_shown("unreachable", "0");
}

static void
refused_are_retried_when_a_place_is_free(void **state)
{
	uint32_t n = 1;

	(void)state;
	be_short_of_slots();
	while (!receives(n))
		n++;
	forget(n, 0);
	tick();
	assert_int_equal(fake_nic_n_macs(), 5);
	assert_shown("macs_refused", "0");
}

static void
refused_are_retried_when_renewed(void **state)
{
	(void)state;
	be_short_of_slots();
	nic.slots = 6;
	filter_renew(f, &facts);
	tick();
	assert_int_equal(fake_nic_n_macs(), 6);
}

static void
few_are_tried_in_vain(void **state)
{
	uint32_t n_adds;

	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slots = 2;
	nic.lacks_list = true;
	for (uint32_t n = 1; n <= 200; n++)
		learn(n, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_adds, 2 + 4);
	assert_shown("macs_refused", "198");
	n_adds = nic.n_adds;
	fake_nic_now_ns += 11 * S;
	tick();
	assert_int_equal(nic.n_adds - n_adds, 4);
}

static void
refused_ones_starve_nobody(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.enemy = station(1); /* and the seven after it */
	nic.n_enemies = 8;
	for (uint32_t n = 1; n <= 9; n++)
		learn(n, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	for (int i = 0; i < 3; i++) {
		fake_nic_now_ns += 11 * S;
		tick();
	}
	assert_true(receives(9));
	assert_shown("macs_refused", "8");
}

static void
bound_by_the_pf(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	facts.is_pf_mac = true;
	strcpy(facts.pf_ifname, "eth2");
	nic.is_bound = true;
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_shown("unreachable_0",
		     "vm1 52:54:00:00:00:01: not reachable from uplink up0: the PF refuses "
		     "addresses beside the one that it has set: set trust: on, or ip link set eth2 "
		     "vf 0 trust on");
	/* trusted, with a driver whose mode is refused: the list is all there is, and it works */
	facts.trust = PORT_WISH_ON;
	nic.is_bound = false;
	nic.promiscuous_error = -EAGAIN;
	filter_renew(f, &facts);
	tick();
	assert_true(receives(1));
	assert_shown("unreachable", "0");
}

static void
refused_for_no_known_reason(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.is_bound = true;
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_shown("unreachable_0", "vm1 52:54:00:00:00:01: not reachable from uplink up0: the "
				      "driver net_iavf or its PF refuses every address (code -5)");
}

static void
stations_take_the_places_of_groups(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slots = 18;
	nic.shares_slots = true;
	for (uint8_t n = 1; n <= 10; n++)
		join(n, 0, VM1);
	for (uint32_t n = 1; n <= 6; n++)
		learn(n, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_int_equal(fake_nic_n_macs(), 6);
	assert_int_equal(nic.n_groups, 9); /* half of 2 + 6 + 10 */
	assert_shown("groups_missing", "9");
	for (uint32_t n = 7; n <= 16; n++)
		learn(n, 0, VM2);
	tick();
	assert_int_equal(fake_nic_n_macs(), 16);
	assert_shown("macs_refused", "0");
	assert_in_range(nic.n_groups, 1, 2);
	learn(17, 0, VM2);
	learn(18, 0, VM2);
	learn(19, 0, VM2);
	tick();
	assert_int_equal(fake_nic_n_macs(), 18);
	assert_int_equal(nic.n_groups, 0);
	assert_shown("unreachable", "1");
	show();
	assert_non_null(strstr(shown, "filter full (19 of 19)"));
	/* and they come back */
	for (uint32_t n = 5; n <= 19; n++)
		forget(n, 0);
	tick();
	assert_int_equal(fake_nic_n_macs(), 4);
	assert_true(receives_every_host());
}

static void
room_is_made_in_vain_once(void **state)
{
	uint32_t n_lists;

	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slots = 2;
	for (uint32_t n = 1; n <= 3; n++)
		learn(n, 0, VM1);
	open_as(PORT_FILTER_AUTO); /* there are no groups yet to be given up */
	assert_int_equal(nic.n_lists, 1);
	fake_nic_now_ns += 11 * S;
	tick();
	assert_int_equal(nic.n_lists, 3); /* given up, and set again */
	assert_int_equal(nic.n_groups, 2 + 3);
	n_lists = nic.n_lists;
	fake_nic_now_ns += 11 * S;
	tick();
	assert_int_equal(nic.n_lists, n_lists);
	/* another firmware may be of another mind */
	nic.slots = 7;
	nic.shares_slots = true;
	filter_renew(f, &facts);
	tick();
	assert_int_equal(fake_nic_n_macs(), 3);
}

static void
nothing_new_costs_nothing(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	learn(1, 0, VM1);
	join(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	nic.n_calls = 0;
	learn(1, 0, VM1); /* heard again */
	for (int i = 0; i < 500; i++)
		tick();
	assert_int_equal(nic.n_calls, 0);
}

static void
walks_take_a_twentieth(void **state)
{
	uint64_t opened;

	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	clock_step_ns = S; /* from one look at the clock to the next: so long is a walk */
	open_as(PORT_FILTER_AUTO);
	clock_step_ns = 0;
	opened = fake_nic_now_ns;
	learn(1, 0, VM1);
	while (!receives(1))
		tick();
	assert_in_range(fake_nic_now_ns - opened, 15 * S, 21 * S);
	/* a restart does not wait */
	clock_step_ns = S;
	filter_renew(f, &facts);
	tick();
	clock_step_ns = 0;
	learn(2, 0, VM1);
	filter_renew(f, &facts);
	tick();
	assert_true(receives(2));
}

static void
slow_drivers_are_left_time(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slow_ns = S / 20;
	for (uint32_t n = 1; n <= 12; n++)
		learn(n, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_int_equal(fake_nic_n_macs(), 5);
	assert_shown("unreachable", "0"); /* just not yet */
	tick();
	assert_int_equal(fake_nic_n_macs(), 10);
	tick();
	assert_int_equal(fake_nic_n_macs(), 12);
}

static void
dead_pfs_are_asked_once(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.lacks_list = true;
	nic.slow_ns = 2 * S;
	nic.is_bound = true;
	for (uint32_t n = 1; n <= 12; n++)
		learn(n, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_adds, 1);
	assert_shown("macs_refused", "12");
	fake_nic_now_ns += 30 * S; /* 20 times as long, not only 10 s */
	tick();
	assert_int_equal(nic.n_adds, 1);
	fake_nic_now_ns += 10 * S;
	tick();
	assert_int_equal(nic.n_adds, 2);
}

static void
more_than_can_be_kept(void **state)
{
	(void)state;
	be_vf("net_iavf", 4, PORT_WISH_OFF);
	for (uint32_t n = 1; n <= 6000; n++)
		learn(n, 0, UP1);
	learn(6001, 0, VM1);
	learn(6002, 0, VM1);
	assert_int_equal(fdb_add_static(sw.fdb, key(6003, 0), VM1, 1), 0);
	open_as(PORT_FILTER_AUTO);
	assert_true(receives(6001) && receives(6002) && receives(6003));
	assert_shown("unreachable", "6000");
}

static void
reset_devices_get_all_again(void **state)
{
	(void)state;
	be_vf("net_ixgbe_vf", 128, PORT_WISH_OFF);
	nic.vlan_offloads = RTE_ETH_VLAN_FILTER_OFFLOAD;
	nic.filters_vlans = true;
	learn(1, 10, VM1);
	learn(2, 0, VM1);
	join(7, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	fake_nic_forget();
	filter_renew(f, &facts);
	tick();
	assert_true(receives(1) && receives(2) && receives_group(7) && receives_every_host());
	assert_true(nic.vlans[10]);
	assert_shown("macs_listed", "2");
}

static void
restarted_devices_keep_none_too_many(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	learn(1, 0, VM1);
	learn(2, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	/* ethdev has set all again when the device was started; one went away meanwhile */
	forget(1, 0);
	filter_renew(f, &facts);
	tick();
	assert_false(receives(1));
	assert_true(receives(2));
	assert_int_equal(nic.n_adds, 2);
}

static void
reset_devices_may_refuse(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	fake_nic_forget();
	nic.is_bound = true;
	filter_renew(f, &facts);
	tick();
	assert_shown("macs_listed", "0");
	assert_shown("unreachable", "1");
}

static void
holes_of_virtio_are_mended(void **state)
{
	(void)state;
	be_vf("net_virtio", 64, PORT_WISH_NONE);
	nic.stops_at_hole = nic.lacks_list = true;
	for (uint32_t n = 1; n <= 4; n++)
		learn(n, 0, VM1);
	open_as(PORT_FILTER_MAC_LIST);
	for (uint32_t n = 1; n <= 4; n++)
		if (rte_is_same_ether_addr(&nic.macs[n], &(struct rte_ether_addr){{0}}))
			fail();
	for (int i = 1; i <= 2; i++) {
		struct rte_ether_addr first = nic.macs[i];

		assert_int_equal(fdb_remove(sw.fdb, fdb_key(0, first.addr_bytes)), 0);
	}
	tick();
	assert_int_equal(fake_nic_n_macs(), 2);
	learn(5, 0, VM1);
	tick();
	assert_int_equal(fake_nic_n_macs(), 3);
	assert_true(receives(5));
}

/* --- groups */

static void
groups_by_list(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	learn(1, 0, VM1);
	learn(2, 0, UP0);
	join(1, 0, VM1);
	join(2, 10, VM2);
	join(1, 20, VM2);
	join(3, 0, UP0);
	open_as(PORT_FILTER_AUTO);
	assert_false(nic.is_allmulticast);
	assert_true(receives_every_host());
	assert_true(receives_neighbour_of(1));
	assert_false(receives_neighbour_of(2));
	assert_true(receives_group(1) && receives_group(2));
	assert_false(receives_group(3));
	assert_int_equal(nic.n_groups, 5);
	assert_shown("groups", "list of 5");
	assert_shown("groups_missing", "0");
	n_members = 1;
	members_version++;
	tick();
	assert_false(receives_group(2));
}

static void
groups_are_halved(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.groups_max = 7;
	learn(1, 0, VM1);
	for (uint8_t n = 1; n <= 20; n++)
		join(n, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_groups, 5); /* of 23 */
	assert_true(receives_every_host() && receives_neighbour_of(1));
	assert_shown("groups", "list of 5, and allmulticast mode, which may do nothing");
	assert_shown("groups_missing", "18");
	assert_logged(LOG_LEVEL_WARN, "port up0: 18 groups don't fit into the device's filter: see "
				      "vswitchctl port show up0");
	nic.groups_max = 0;
	fake_nic_now_ns += 11 * S;
	tick();
	assert_int_equal(nic.n_groups, 23);
	assert_shown("groups_missing", "0");
}

static void
groups_that_a_driver_would_cut(void **state)
{
	(void)state;
	be_vf("net_ixgbe_vf", 128, PORT_WISH_OFF);
	nic.groups_cut = 30;
	for (uint8_t n = 1; n <= 40; n++)
		join(n, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_groups, 30);
	assert_shown("groups_missing", "12");
}

static void
groups_without_a_list(void **state)
{
	(void)state;
	be_vf("net_of_tomorrow_vf", 16, PORT_WISH_OFF);
	nic.lacks_list = true;
	open_as(PORT_FILTER_AUTO);
	assert_true(nic.is_allmulticast);
	assert_shown("groups", "none: the driver takes no list, and allmulticast mode, which may "
			       "do nothing");
	assert_int_equal(nic.n_lists, 1); /* it is not for its length */
}

static void
groups_of_a_trusted_vf_that_is_refused(void **state)
{
	(void)state;
	be_vf("net_ixgbe_vf", 128, PORT_WISH_ON);
	nic.allmulticast_error = -EAGAIN;
	join(9, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_shown("groups", "list of 3");
	nic.is_promiscuous = false;
	assert_true(receives_group(9));
}

static void
groups_mode_is_asked_for_again(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.lacks_list = true;
	open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_allmulticast, 1); /* ignored */
	facts.trust = PORT_WISH_ON;
	filter_renew(f, &facts);
	assert_int_equal(nic.n_allmulticast, 2);
	assert_shown("groups", "allmulticast");
	assert_shown("groups_missing", "0");
}

static void
groups_refused_altogether(void **state)
{
	(void)state;
	be_vf("net_iavf", 64, PORT_WISH_OFF);
	nic.slots = 1;
	nic.shares_slots = true;
	learn(1, 0, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_true(receives(1));
	assert_int_equal(nic.n_groups, 0);
	assert_shown("groups_missing", "3");
}

/* --- VLANs */

static void
vlans_follow_use(void **state)
{
	(void)state;
	be_vf("net_e1000_igb_vf", 1, PORT_WISH_OFF);
	nic.lacks_macs = true;
	nic.vlan_offloads = RTE_ETH_VLAN_FILTER_OFFLOAD;
	ports[UP0].conf.uplink.n_vlans = 1;
	ports[UP0].conf.uplink.vlans[0] = 4094;
	learn(1, 10, VM1);
	learn(2, 10, VM2);
	learn(3, 0, VM2);
	learn(4, 30, UP0);
	join(1, 20, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_true(nic.vlans[10] && nic.vlans[20] && nic.vlans[4094]);
	assert_false(nic.vlans[0] || nic.vlans[30]);
	assert_shown("vlans", "10, 20, 4094");
	assert_shown("vlans_listed", "3");
	forget(1, 10);
	tick();
	assert_true(nic.vlans[10]);
	forget(2, 10);
	n_members = 0;
	members_version++;
	tick();
	assert_false(nic.vlans[10] || nic.vlans[20]);
	assert_true(nic.vlans[4094]);
}

static void
vlans_without_a_filter(void **state)
{
	(void)state;
	ports[UP0].conf.uplink.n_vlans = 1;
	ports[UP0].conf.uplink.vlans[0] = 100;
	learn(1, 10, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_vlans, 0);
	assert_shown("vlans", "all");
}

static void
vlans_of_a_nic_that_filters(void **state)
{
	(void)state;
	nic.vlan_offloads = RTE_ETH_VLAN_FILTER_OFFLOAD | RTE_ETH_VLAN_STRIP_OFFLOAD;
	open_as(PORT_FILTER_AUTO);
	assert_shown("vlans", "none");
	learn(1, 10, VM1);
	tick();
	assert_true(nic.vlans[10]);
}

static void
vlans_refused(void **state)
{
	(void)state;
	be_vf("net_ixgbe_vf", 128, PORT_WISH_OFF);
	nic.vlan_offloads = RTE_ETH_VLAN_FILTER_OFFLOAD;
	nic.vlans_max = 2;
	for (uint16_t vlan = 1; vlan <= 10; vlan++)
		learn(vlan, vlan, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_shown("vlans", "1, 2");
	assert_shown("vlans_refused", "8");
	assert_shown("vlans_not_let_in", "3, 4, 5, 6, 7, 8, 9, 10");
	assert_logged(LOG_LEVEL_WARN, "port up0: net_ixgbe_vf refuses to let 8 VLANs in: see "
				      "vswitchctl port show up0");
	/* something else changes */
	nic.n_calls = 0;
	learn(99, 0, UP0);
	tick();
	assert_int_equal(nic.n_calls, 0);
	/* a place is free */
	forget(1, 1);
	tick();
	assert_shown("vlans", "2, 3");
	/* the PF has more */
	nic.vlans_max = 0;
	fake_nic_now_ns += 11 * S;
	tick();
	assert_shown("vlans_refused", "0");
	assert_not_shown("vlans_not_let_in");
}

static void
vlans_refused_one_by_one(void **state)
{
	(void)state;
	nic.vlan_offloads = RTE_ETH_VLAN_FILTER_OFFLOAD;
	nic.refuses_odd_vlans = true;
	for (uint16_t vlan = 1; vlan <= 12; vlan++)
		learn(vlan, vlan, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_shown("vlans", "2, 4, 6, 8, 10, 12");
	assert_shown("vlans_refused", "6");
}

static void
vlans_not_supported(void **state)
{
	(void)state;
	be_vf("net_ixgbe_vf", 128, PORT_WISH_OFF);
	nic.vlan_offloads = -ENODEV;
	learn(1, 10, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_shown("vlans", "none");
	assert_shown("vlans_refused", "1");
}

static void
vlans_too_many_to_be_shown(void **state)
{
	(void)state;
	nic.vlan_offloads = RTE_ETH_VLAN_FILTER_OFFLOAD;
	for (uint16_t vlan = 1000; vlan < 1200; vlan++)
		learn(1, vlan, VM1);
	open_as(PORT_FILTER_AUTO);
	assert_int_equal(nic.n_vlans, 200);
	show();
	assert_non_null(strstr(shown, ", more\n"));
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
		mac = station(n);
		assert_int_equal(macset_find(set, &mac), -1);
		assert_int_equal(macset_add(set, &mac), n);
	}
	for (uint32_t n = 0; n < MACSET_MAX; n++) {
		mac = station(n);
		assert_int_equal(macset_find(set, &mac), n);
		assert_int_equal(macset_add(set, &mac), n);
	}
	mac = station(MACSET_MAX);
	assert_int_equal(macset_add(set, &mac), -1);
	macset_clear(set);
	assert_int_equal(macset_add(set, &mac), 0);
	free(set);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

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
		CASE(list_follows_stations),
		CASE(list_follows_moves),
		CASE(list_is_not_for_own_stations),
		CASE(list_has_configured_addresses),
		CASE(list_has_an_address_once),
		CASE(own_address_is_not_listed),
		CASE(full_by_ethdev),
		CASE(full_by_driver),
		CASE(complaints_are_bounded),
		CASE(places_go_by_rank),
		CASE(refused_are_retried_in_time),
		CASE(refused_are_retried_when_a_place_is_free),
		CASE(refused_are_retried_when_renewed),
		CASE(few_are_tried_in_vain),
		CASE(refused_ones_starve_nobody),
		CASE(bound_by_the_pf),
		CASE(refused_for_no_known_reason),
		CASE(stations_take_the_places_of_groups),
		CASE(room_is_made_in_vain_once),
		CASE(nothing_new_costs_nothing),
		CASE(walks_take_a_twentieth),
		CASE(slow_drivers_are_left_time),
		CASE(dead_pfs_are_asked_once),
		CASE(more_than_can_be_kept),
		CASE(reset_devices_get_all_again),
		CASE(restarted_devices_keep_none_too_many),
		CASE(reset_devices_may_refuse),
		CASE(holes_of_virtio_are_mended),
		CASE(groups_by_list),
		CASE(groups_are_halved),
		CASE(groups_that_a_driver_would_cut),
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
		CASE(vlans_too_many_to_be_shown),
		cmocka_unit_test(drivers_that_are_known),
		cmocka_unit_test(drivers_that_are_not),
		cmocka_unit_test(sets_of_addresses),
	};

	return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* filter_rig.c: see filter_rig.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "error.h"
#include "fdb.h"
#include "filter_rig.h"
#include "groups.h"

static const struct port_ops uplink_ops = {.type = "vf", .is_uplink = true};
static const struct port_ops guest_ops = {.type = "vhost-user"};

struct rig rig;

/* --- what the filter works with */

void
log_line(enum log_level level, const char *format, ...)
{
	size_t used = strlen(rig.logged);
	va_list args;

	used += (size_t)snprintf(rig.logged + used, sizeof(rig.logged) - used, "%d ", (int)level);
	va_start(args, format);
	used += (size_t)vsnprintf(rig.logged + used, sizeof(rig.logged) - used, format, args);
	va_end(args);
	assert_true(used < sizeof(rig.logged) - 2);
	strcat(rig.logged, "\n");
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
	assert_ptr_equal(of, &rig.sw);
	for (int i = 0; i < N_PORTS; i++)
		if (rig.is_there[i] && !each(&rig.ports[i], arg))
			return;
}

/* In the place of groups.c. */
uint32_t
groups_version(const struct groups *g)
{
	(void)g;
	return rig.members_version;
}

void
groups_walk(const struct groups *g, bool (*each)(uint64_t key, uint16_t port, void *arg), void *arg)
{
	(void)g;
	for (uint32_t i = 0; i < rig.n_members; i++)
		if (!each(rig.members[i].key, rig.members[i].port, arg))
			return;
}

static void
synchronize(void)
{
}

static uint64_t
test_clock(void)
{
	return fake_nic_now_ns += rig.clock_step_ns;
}

/* --- what tests say */

int
rig_set_up(void **state)
{
	static const char *const names[N_PORTS] = {"up0", "up1", "vm1", "vm2", "inband"};

	(void)state;
	memset(&rig.sw, 0, sizeof(rig.sw));
	rig.sw.fdb_mem = aligned_alloc(64, fdb_size(STATIONS));
	memset(rig.sw.fdb_mem, 0, fdb_size(STATIONS));
	rig.sw.fdb = fdb_create(rig.sw.fdb_mem, STATIONS, 1, synchronize);
	memset(rig.ports, 0, sizeof(rig.ports));
	for (uint16_t i = 0; i < N_PORTS; i++) {
		rig.ports[i].id = i;
		rig.ports[i].sw = &rig.sw;
		rig.ports[i].ops = i <= UP1 ? &uplink_ops : &guest_ops;
		strcpy(rig.ports[i].conf.name, names[i]);
		rig.is_there[i] = true;
	}
	rig.n_members = 0;
	memset(&rig.facts, 0, sizeof(rig.facts));
	rig.logged[0] = 0;
	rig.clock_step_ns = 0;
	fake_nic_now_ns = 1000 * S;
	filter_clock = test_clock;
	fake_nic_reset("net_af_packet", 1);
	return 0;
}

int
rig_tear_down(void **state)
{
	(void)state;
	filter_close(rig.f);
	rig.f = NULL;
	free(rig.sw.fdb_mem);
	return 0;
}

/* 52:54:00:00:xx:xx */
struct rte_ether_addr
rig_station(uint32_t n)
{
	return (struct rte_ether_addr){{0x52, 0x54, 0, 0, (uint8_t)(n >> 8), (uint8_t)n}};
}

uint64_t
rig_key(uint32_t n, uint16_t vlan)
{
	struct rte_ether_addr mac = rig_station(n);

	return fdb_key(vlan, mac.addr_bytes);
}

void
rig_learn(uint32_t n, uint16_t vlan, uint16_t port)
{
	assert_in_range(fdb_learn(rig.sw.fdb, rig_key(n, vlan), port, 1), FDB_KNOWN, FDB_MOVED);
}

void
rig_forget(uint32_t n, uint16_t vlan)
{
	assert_int_equal(fdb_remove(rig.sw.fdb, rig_key(n, vlan)), 0);
}

/* 224.1.0.n */
struct rte_ether_addr
rig_group(uint8_t n)
{
	return (struct rte_ether_addr){{0x01, 0x00, 0x5e, 1, 0, n}};
}

void
rig_join(uint8_t n, uint16_t vlan, uint16_t port)
{
	struct rte_ether_addr mac = rig_group(n);

	rig.members[rig.n_members].key = fdb_key(vlan, mac.addr_bytes);
	rig.members[rig.n_members++].port = port;
	rig.members_version++;
}

bool
rig_receives(uint32_t n)
{
	struct rte_ether_addr mac = rig_station(n);

	return fake_nic_receives(&mac, 0);
}

bool
rig_receives_group(uint8_t n)
{
	struct rte_ether_addr mac = rig_group(n);

	return fake_nic_receives(&mac, 0);
}

bool
rig_receives_neighbour_of(uint8_t n)
{
	struct rte_ether_addr mac = {{0x33, 0x33, 0xff, 0, 0, n}};

	return fake_nic_receives(&mac, 0);
}

bool
rig_receives_every_host(void)
{
	struct rte_ether_addr v4 = {{0x01, 0x00, 0x5e, 0, 0, 1}}, v6 = {{0x33, 0x33, 0, 0, 0, 1}};

	return fake_nic_receives(&v4, 0) && fake_nic_receives(&v6, 0);
}

void
rig_tick(void)
{
	fake_nic_now_ns += S / 10;
	filter_sync(rig.f);
}

void
rig_open_as(enum port_filter asked)
{
	rig.ports[UP0].conf.uplink.filter = asked;
	rig.f = filter_open(&rig.ports[UP0], FAKE_NIC_PORT, &rig.facts, &rig.e);
	if (!rig.f)
		fail_msg("%s", rig.e.text);
	rig_tick();
}

void
rig_expect_refusal(enum port_filter asked, const char *sentence)
{
	rig.ports[UP0].conf.uplink.filter = asked;
	rig.f = filter_open(&rig.ports[UP0], FAKE_NIC_PORT, &rig.facts, &rig.e);
	assert_null(rig.f);
	assert_string_equal(rig.e.text, sentence);
}

static void
show_text(struct report *report, const char *name, const char *value)
{
	size_t used = strlen(rig.shown);

	(void)report;
	used += (size_t)snprintf(rig.shown + used, sizeof(rig.shown) - used, "\n%s=%s\n", name,
				 value);
	assert_true(used < sizeof(rig.shown));
}

static void
show_number(struct report *report, const char *name, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	show_text(report, name, text);
}

void
rig_show(void)
{
	struct report report = {.text = show_text, .number = show_number};

	rig.shown[0] = 0;
	filter_show(rig.f, &report);
}

void
rig_assert_shown(const char *name, const char *value)
{
	char line[512];

	rig_show();
	snprintf(line, sizeof(line), "\n%s=%s\n", name, value);
	if (!strstr(rig.shown, line))
		fail_msg("expected %s=%s in:%s", name, value, rig.shown);
}

void
rig_assert_not_shown(const char *name)
{
	char start[64];

	rig_show();
	snprintf(start, sizeof(start), "\n%s=", name);
	if (strstr(rig.shown, start))
		fail_msg("expected no %s in:%s", name, rig.shown);
}

void
rig_assert_logged(enum log_level level, const char *text)
{
	char line[1024];

	snprintf(line, sizeof(line), "%d %s\n", (int)level, text);
	if (!strstr(rig.logged, line))
		fail_msg("expected '%s' in:\n%s", line, rig.logged);
}

void
rig_assert_mode(const char *mode, const char *why)
{
	char line[512];

	rig_assert_shown("filter", mode);
	rig_assert_shown("filter_why", why);
	snprintf(line, sizeof(line), "port up0: filter: %s: %s", mode, why);
	rig_assert_logged(LOG_LEVEL_INFO, line);
}

void
rig_be_vf(const char *driver, uint32_t macs_max, enum port_wish trust)
{
	fake_nic_reset(driver, macs_max);
	rig.facts.is_vf = true;
	rig.facts.trust = trust;
	nic.ignores_modes = trust != PORT_WISH_ON;
}

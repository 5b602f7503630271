/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter_rig.h: a switch of five ports without workers, its log, and what tests of an uplink's
 * filter say: the device is fake_nic.h's, time passes only here.
 *
 * It defines what the filter uses of log.h, switch.h and groups.h, so that those are not linked.
 */
#ifndef TESTS_FILTER_RIG_H
#define TESTS_FILTER_RIG_H

#include "error.h"
#include "fake_nic.h"
#include "fdb.h"
#include "filter.h"
#include "log.h"
#include "port.h"
#include "switch.h"

enum {
	UP0, /* the uplink whose filter it is */
	UP1, /* another one */
	VM1,
	VM2,
	TAP,
	N_PORTS,
	STATIONS = 8192, /* that the fdb holds */
};

static const uint64_t S = 1000000000; /* ns */

struct rig {
	struct vswitch sw;
	struct port ports[N_PORTS];
	bool is_there[N_PORTS];
	struct {
		uint64_t key;
		uint16_t port;
	} members[256]; /* of groups */
	uint32_t n_members, members_version;
	struct filter *f;
	struct filter_facts facts;
	struct error e;
	char logged[65536];	/* "4 port up0: ...", by level and line */
	char shown[16384];	/* by the last rig_show() */
	uint64_t clock_step_ns; /* that each look at the clock takes */
};

extern struct rig rig;

/* Of each test: all ports are there and know nobody; the device is a NIC. */
int rig_set_up(void **state);
int rig_tear_down(void **state);

/* 52:54:00:00:xx:xx, and its key in the fdb */
struct rte_ether_addr rig_station(uint32_t n);
uint64_t rig_key(uint32_t n, uint16_t vlan);

/* Station n is heard on a port; it is gone. */
void rig_learn(uint32_t n, uint16_t vlan, uint16_t port);
void rig_forget(uint32_t n, uint16_t vlan);

/* 224.1.0.n; one behind a port joins it */
struct rte_ether_addr rig_group(uint8_t n);
void rig_join(uint8_t n, uint16_t vlan, uint16_t port);

/* Do frames to station n, or to a group, come in? */
bool rig_receives(uint32_t n);
bool rig_receives_group(uint8_t n);
bool rig_receives_neighbour_of(uint8_t n);
bool rig_receives_every_host(void);

/* A tenth of a second passes, and filter_sync() is called. */
void rig_tick(void);

/* With that filter in the config, and its first tick. */
void rig_open_as(enum port_filter asked);

/* The same, but it is refused. */
void rig_expect_refusal(enum port_filter asked, const char *sentence);

/* What filter_show() says, into rig.shown; and what it must say, or must not. */
void rig_show(void);
void rig_assert_shown(const char *name, const char *value);
void rig_assert_not_shown(const char *name);
void rig_assert_logged(enum log_level level, const char *text);

/* Mode and reason, shown and logged. */
void rig_assert_mode(const char *mode, const char *why);

/* The device is a VF that, unless trusted, ignores the modes it is asked for. */
void rig_be_vf(const char *driver, uint32_t macs_max, enum port_wish trust);

/* A case of cmocka's with a rig of its own. */
#define CASE(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)

#endif

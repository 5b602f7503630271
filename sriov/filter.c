/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter.c: see filter.h. When the lists are looked at, and in which order they are set: unicast
 * addresses, groups, VLANs.
 */
#include "filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_common.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "error.h"
#include "fdb.h"
#include "filter_state.h"
#include "groups.h"
#include "switch.h"

static const uint64_t RETRY_NS = 10000000000u;

enum {
	REST = 20, /* a walk that took t is followed by none for REST * t: 5 % of the thread */
};

static uint64_t
monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t (*filter_clock)(void) = monotonic_ns;

/* --- mode */

/* Warnings that were not there before, and the mode if it is another one, or for another reason. */
static void
log_decision(const struct mode *m, const struct mode *was, const char *port_name)
{
	if (m->mode != was->mode || strcmp(m->why, was->why) != 0)
		log_info("port %s: filter: %s: %s", port_name, mode_name(m->mode), m->why);
	for (uint32_t i = 0; i < m->n_warnings; i++) {
		bool is_new = true;

		for (uint32_t k = 0; k < was->n_warnings; k++)
			is_new &= strcmp(m->warnings[i], was->warnings[k]) != 0;
		if (is_new)
			log_warn("port %s: %s", port_name, m->warnings[i]);
	}
}

static int
decide(struct filter *f, const struct filter_facts *facts, struct error *e)
{
	struct mode was = f->mode;
	int err;

	f->dev.facts = *facts;
	f->dev.is_vf = facts->is_vf || f->dev.driver->is_vf;
	err = mode_decide(&f->mode, &f->dev, e);
	mcast_decide(&f->mcast, &f->dev, f->mode.receives_all);
	vlans_decide(&f->vlans, &f->dev);
	f->is_renewed = true;
	f->gains_nothing = false;
	if (err == 0)
		log_decision(&f->mode, &was, f->dev.port->conf.name);
	return err;
}

struct filter *
filter_open(const struct port *port, uint16_t dpdk_port, const struct filter_facts *facts,
	    struct error *e)
{
	struct rte_eth_dev_info info;
	struct filter *f;
	int err = rte_eth_dev_info_get(dpdk_port, &info);

	if (err) {
		error_set(e, err, "port %s: the device tells nothing of itself: %s",
			  port->conf.name, rte_strerror(-err));
		return NULL;
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		error_set(e, -ENOMEM, "port %s: out of memory", port->conf.name);
		return NULL;
	}
	f->dev.port = port;
	f->dev.dpdk_port = dpdk_port;
	f->dev.macs_max = info.max_mac_addrs;
	snprintf(f->dev.driver_name, sizeof(f->dev.driver_name), "%s", info.driver_name);
	f->dev.driver = driver_find(info.driver_name, facts->is_vf);
	f->limit = (struct log_limit){.burst = 5, .interval_s = 60};
	if (decide(f, facts, e) == 0)
		return f;
	filter_close(f);
	return NULL;
}

void
filter_close(struct filter *f)
{
	free(f);
}

void
filter_renew(struct filter *f, const struct filter_facts *facts)
{
	struct error e;

	if (decide(f, facts, &e) != 0)
		log_warn("%s", e.text);
	macs_forget(&f->macs, &f->stations);
}

/* --- lists */

static bool
own_changed(struct filter *f)
{
	struct rte_ether_addr own;

	if (rte_eth_macaddr_get(f->dev.dpdk_port, &own) != 0 ||
	    rte_is_same_ether_addr(&own, &f->own))
		return false;
	f->own = own;
	return true;
}

/* Is the switch another one than at the last sync? */
static bool
changed(struct filter *f)
{
	const struct vswitch *sw = f->dev.port->sw;

	return own_changed(f) || fdb_version(sw->fdb) != f->fdb_version ||
	       groups_version(sw->groups) != f->groups_version ||
	       stations_configured(f->dev.port) != f->configured;
}

/* Before the walk: what changes during it is a change at the next tick. */
static void
note_versions(struct filter *f)
{
	const struct vswitch *sw = f->dev.port->sw;

	f->fdb_version = fdb_version(sw->fdb);
	f->groups_version = groups_version(sw->groups);
	f->configured = stations_configured(f->dev.port);
}

static bool
is_short(const struct filter *f)
{
	return f->macs.n_refused > 0 || mcast_n_missing(&f->mcast) > 0 || f->vlans.n_refused > 0;
}

/*
 * Some PFs (i40e, ice) count unicast addresses and groups together. A station that is refused gets
 * the place of a group, unless that was seen not to help.
 */
static void
make_room(struct filter *f)
{
	uint32_t n_refused = f->macs.n_refused;

	if (n_refused == 0 || f->mcast.n_listed == 0 || f->macs.is_unsupported ||
	    f->gains_nothing || f->macs.n_listed + 1 >= f->dev.macs_max)
		return;
	mcast_make_room(&f->mcast, &f->dev);
	f->is_unfinished |= macs_sync(&f->macs, &f->dev, &f->stations, true);
	f->gains_nothing = f->macs.n_refused == n_refused;
}

static void
set_lists(struct filter *f, bool retry)
{
	if (f->mode.has_list) {
		f->is_unfinished = macs_sync(&f->macs, &f->dev, &f->stations, retry);
		make_room(f);
	} else {
		macs_remove_all(&f->macs, &f->dev, &f->stations);
	}
	mcast_sync(&f->mcast, &f->dev, &f->stations, retry);
	vlans_sync(&f->vlans, &f->dev, f->stations.vlans, retry);
}

/* --- log */

/* Once for each station, while it can't be reached. */
static void
log_stations(struct filter *f)
{
	const char *name = f->dev.port->conf.name;
	char text[FILTER_SENTENCE_MAX];
	uint32_t n_suppressed;

	for (uint32_t i = 0; i < f->stations.macs.n; i++) {
		struct station *st = &f->stations.list[i];
		bool was_announced = st->is_announced;

		st->is_announced = filter_misses(f, st);
		if (was_announced || !st->is_announced || !log_allowed(&f->limit, &n_suppressed))
			continue;
		filter_complain(f, i, text);
		if (n_suppressed)
			log_warn("port %s: %s; and %u others before", name, text, n_suppressed);
		else
			log_warn("port %s: %s", name, text);
	}
}

static void
log_shortage(struct filter *f)
{
	const char *name = f->dev.port->conf.name;
	bool is_short_of_groups = mcast_n_missing(&f->mcast) > 0 && !f->mode.receives_all;
	bool is_short_of_vlans = f->vlans.n_refused > 0;

	/* that the mode which was asked for does what it does is no news */
	if (f->dev.port->conf.uplink.filter != PORT_FILTER_OWN)
		log_stations(f);
	if (is_short_of_groups && !f->was_short_of_groups)
		log_warn("port %s: %u groups %s: see vswitchctl port show %s", name,
			 mcast_n_missing(&f->mcast),
			 f->mcast.refusal == -ENOTSUP
				 ? "can't be asked for, since the driver takes no list"
				 : "don't fit into the device's filter",
			 name);
	if (is_short_of_vlans && !f->was_short_of_vlans)
		log_warn("port %s: %s refuses to let %u VLANs in: see vswitchctl port show %s",
			 name, f->dev.driver_name, f->vlans.n_refused, name);
	f->was_short_of_groups = is_short_of_groups;
	f->was_short_of_vlans = is_short_of_vlans;
}

/* --- sync */

void
filter_sync(struct filter *f)
{
	uint64_t start = filter_clock(), walked, end;
	bool retry = f->is_renewed || (is_short(f) && start >= f->retry_ns);

	if (!f->is_renewed && start < f->walk_ns)
		return;
	if (!changed(f) && !retry && !f->is_unfinished)
		return;
	note_versions(f);
	stations_collect(&f->stations, f->dev.port, &f->own);
	walked = filter_clock();
	f->walk_ns = walked + REST * (walked - start);
	f->is_renewed = false;
	f->is_unfinished = false;
	set_lists(f, retry);
	end = filter_clock();
	if (retry || !is_short(f) || f->retry_ns < end)
		f->retry_ns = end + RTE_MAX(RETRY_NS, REST * (end - walked));
	log_shortage(f);
}

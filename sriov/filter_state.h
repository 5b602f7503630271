/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter_state.h: what filter.c keeps and filter_show.c tells.
 *
 * Threads: control.
 */
#ifndef SRIOV_FILTER_STATE_H
#define SRIOV_FILTER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "filter_device.h"
#include "log.h"
#include "macs.h"
#include "mcast.h"
#include "mode.h"
#include "stations.h"
#include "vlans.h"

struct filter {
	struct filter_device dev;
	struct mode mode;
	struct rte_ether_addr own;
	struct stations stations;
	struct macs macs;
	struct mcast mcast;
	struct vlans vlans;

	/* of the last sync */
	uint32_t fdb_version, groups_version;
	uint64_t configured; /* stations_configured() */

	bool is_renewed;    /* all is to be set again */
	bool is_unfinished; /* the last sync had no time for all */
	bool gains_nothing; /* the lists share no places: making room was in vain */
	uint64_t walk_ns;   /* no walk before */
	uint64_t retry_ns;  /* what was refused is tried again then */
	bool was_short_of_groups, was_short_of_vlans; /* and logged */
	struct log_limit limit;			      /* of lines about stations */
};

/* Is it known that frames from the uplink to this station don't come in? */
bool filter_misses(const struct filter *f, const struct station *st);

/* "vm1 52:54:00:00:00:01: not reachable from uplink up0: filter full (18 of 18)" */
void filter_complain(const struct filter *f, uint32_t i, char text[FILTER_SENTENCE_MAX]);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mcast.h: the group addresses that a device receives: all, or a list: what every host listens to,
 * what IPv6 neighbours of the stations are found by (RFC 4291 §2.7.1), and the groups that have
 * members (groups.h).
 *
 * Threads: control.
 */
#ifndef SRIOV_MCAST_H
#define SRIOV_MCAST_H

#include <stdbool.h>
#include <stdint.h>

#include "macset.h"

struct filter_device;
struct report;
struct stations;

struct mcast {
	const char *mode;  /* that lets all in, and keeps its word: there is no list; else NULL */
	bool is_all_tried; /* that mode, because the list falls short; nothing is known of it */
	int refusal;	   /* of the list as it should be, or 0 */
	uint32_t n_listed;
	struct macset wanted;
	uint32_t n_asked; /* what the list was to be when it was last set, in full */
	struct rte_ether_addr asked[MACSET_MAX];
};

/*
 * Anew: by mode or by list, which the device may have forgotten? receives_all: it is in promiscuous
 * mode, which with some drivers is for unicast frames only, and with others is all there is.
 */
void mcast_decide(struct mcast *m, const struct filter_device *dev, bool receives_all);

/* Gives the list's places back, until the next mcast_sync(). */
void mcast_make_room(struct mcast *m, const struct filter_device *dev);

/* Sets the list if it is to be another one or, if retry is set, was refused in part. */
void mcast_sync(struct mcast *m, const struct filter_device *dev, const struct stations *s,
		bool retry);

/* How many groups are wanted and not in the list. */
uint32_t mcast_n_missing(const struct mcast *m);

void mcast_show(const struct mcast *m, struct report *report);

#endif

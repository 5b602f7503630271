/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pace.h: how many frames are due at a given rate.
 *
 * Threads: a pace belongs to one thread.
 */
#ifndef PERF_PACE_H
#define PERF_PACE_H

#include <stdint.h>

#include "clock.h"

enum {
	/*
	 * What guests could not send in time, because the ring was full or somebody else had the
	 * CPU, is made up for if it is no more than this; else it is not sent at all, since a long
	 * burst would be another load than the one asked for.
	 */
	PACE_BACKLOG_US = 100, /* and so many bursts: */
	PACE_BACKLOG_BURSTS = 8,
};

struct pace {
	double per_tick; /* frames; 0: as many as can be */
	uint64_t start;	 /* in ticks */
	uint64_t n_gone; /* frames sent, or given up, since */
};

static inline struct pace
pace_start(double mpps, uint64_t now)
{
	return (struct pace){.per_tick = mpps * 1e6 / clock_hz, .start = now};
}

/* Frames that may be sent now. */
static inline uint32_t
pace_due(struct pace *p, uint64_t now, uint32_t burst)
{
	uint64_t due, most;

	if (p->per_tick == 0)
		return UINT32_MAX;
	due = (uint64_t)((double)(now - p->start) * p->per_tick);
	due -= due < p->n_gone ? due : p->n_gone;
	most = PACE_BACKLOG_BURSTS * burst +
	       (uint64_t)(p->per_tick * clock_hz * PACE_BACKLOG_US / 1000000);
	if (due > most) {
		p->n_gone += due - most;
		due = most;
	}
	return (uint32_t)due;
}

#endif

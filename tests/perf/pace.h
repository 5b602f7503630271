/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pace.h: how many frames are due at a given rate, and since when.
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
	double per_tick;      /* frames; 0: as many as can be */
	uint64_t start;	      /* in ticks */
	uint64_t backlog_max; /* frames; of more, the oldest are given up */
	uint64_t n_gone;      /* frames sent, or given up, since */
	uint64_t n_given_up;  /* of these */
};

static inline struct pace
pace_start(double mpps, uint32_t burst, uint64_t now)
{
	return (struct pace){
		.per_tick = mpps * 1e6 / clock_hz,
		.start = now,
		.backlog_max = PACE_BACKLOG_BURSTS * burst + (uint64_t)(mpps * PACE_BACKLOG_US),
	};
}

/* Gives nothing up: each frame is sent, however late. */
static inline void
pace_keep_all(struct pace *p)
{
	p->backlog_max = UINT32_MAX;
}

/* Frames that may be sent now. */
static inline uint32_t
pace_due(struct pace *p, uint64_t now)
{
	uint64_t due;

	if (p->per_tick == 0)
		return UINT32_MAX;
	due = (uint64_t)((double)(now - p->start) * p->per_tick);
	due -= due < p->n_gone ? due : p->n_gone;
	if (due > p->backlog_max) {
		p->n_gone += due - p->backlog_max;
		p->n_given_up += due - p->backlog_max;
		due = p->backlog_max;
	}
	return (uint32_t)due;
}

/* In ticks: when the i-th of the frames that may be sent now, from 0, was due. */
static inline uint64_t
pace_time(const struct pace *p, uint32_t i)
{
	return p->start + (uint64_t)((double)(p->n_gone + i + 1) / p->per_tick);
}

#endif

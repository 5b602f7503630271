/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * turn.h: how the receive queues of a worker share its time.
 *
 * Queues that are busy share it fairly, whatever their frames cost: a queue that got more service
 * than another one waits until that one has had as much (start-time fair queueing: Goyal, Vin,
 * Cheng, SIGCOMM 1996), measured in TSC cycles. And a queue whose batches take long (floods to many
 * ports, long frames) gets smaller ones, so that the others wait no longer than TURN_BATCH_US for
 * each.
 *
 * Threads: the worker. Knows no clock: who calls says how long it took.
 */
#ifndef VSWITCH_TURN_H
#define VSWITCH_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

#include "frame.h"

enum {
	TURN_SLACK_US = 25, /* service that a busy queue may be ahead of another one */
	TURN_BATCH_US = 20, /* that a batch should take at most */
	TURN_BURST_MIN = 8, /* frames; some drivers give none if asked for fewer */
	TURN_COST_MAX = 50, /* times TURN_BATCH_US; beyond, the CPU was taken from us */
};

/* What all queues of a worker have in common. */
struct turns {
	uint64_t slack_cycles, batch_cycles; /* ro once it runs */
	uint64_t served;		     /* cycles: no busy queue has had less service */
	uint64_t least;			     /* the least service seen in this round */
};

/* What a queue had; zeroes for a new one. */
struct turn {
	uint64_t served; /* cycles; means something only while it is busy */
	uint16_t cut;	 /* frames that its next batch is smaller than BATCH_MAX */
	bool is_busy;	 /* there was something in it when it was looked at last */
};

static inline void
turns_init(struct turns *all, uint64_t hz)
{
	*all = (struct turns){
		.slack_cycles = TURN_SLACK_US * hz / 1000000,
		.batch_cycles = TURN_BATCH_US * hz / 1000000,
	};
}

static inline void
turns_begin_round(struct turns *all)
{
	all->least = UINT64_MAX;
}

static inline void
turns_end_round(struct turns *all)
{
	if (all->least != UINT64_MAX)
		all->served = all->least;
}

/* Is it the queue's turn? There is one that it is, as long as one is busy. */
static inline bool
turn_is_due(struct turns *all, const struct turn *t)
{
	if (__builtin_expect(!t->is_busy || t->served <= all->served + all->slack_cycles, 1))
		return true;
	all->least = RTE_MIN(all->least, t->served);
	return false;
}

/* How many frames it may have. */
static inline uint32_t
turn_burst(const struct turn *t)
{
	return BATCH_MAX - t->cut;
}

/* There was nothing in the queue. */
static inline void
turn_empty(struct turn *t)
{
	t->is_busy = false;
}

/* It had a batch, which took cycles. */
static inline void
turn_took(struct turns *all, struct turn *t, uint64_t cycles)
{
	uint64_t from = t->is_busy && t->served > all->served ? t->served : all->served;
	uint32_t burst = turn_burst(t);

	if (__builtin_expect(cycles > all->batch_cycles, 0)) {
		t->cut = (uint16_t)(BATCH_MAX - RTE_MAX(burst / 2, (uint32_t)TURN_BURST_MIN));
		cycles = RTE_MIN(cycles, TURN_COST_MAX * all->batch_cycles);
	} else if (__builtin_expect(t->cut > 0 && cycles < all->batch_cycles / 2, 0)) {
		t->cut = (uint16_t)(BATCH_MAX - RTE_MIN(2 * burst, (uint32_t)BATCH_MAX));
	}
	t->served = from + cycles;
	t->is_busy = true;
	all->least = RTE_MIN(all->least, t->served);
}

#endif

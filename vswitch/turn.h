/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * turn.h: how the ports of a worker share its time.
 *
 * Ports that are busy share it fairly, whatever their frames cost: one that got more service than
 * another one waits until that one has had as much (start-time fair queueing: Goyal, Vin, Cheng,
 * SIGCOMM 1996), measured in TSC cycles. Who has left nothing in its queues is not waited for, but
 * stays in debt: to be empty for a moment buys nothing as long as another one is not. And a port
 * whose batches take long (floods to many ports, long frames) gets smaller ones, so that the others
 * wait no longer than TURN_BATCH_US for each.
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
	TURN_SLACK_US = 25,  /* service that a busy port may be ahead of another one */
	TURN_BATCH_US = 100, /* that a batch should take at most: one that goes to 64 ports needs
				some frames for each of them, or most of its time is lost */
	TURN_COST_US = 20,   /* that a batch may be charged TURN_COST_MAX times, and once more for
				each port that it touched: beyond, the CPU was taken from us */
	TURN_COST_MAX = 10,
	TURN_NOTIFY_US = 10, /* that to notify a port takes at most; beyond, the same */
};

/* What all ports of a worker have in common. */
struct turns {
	uint64_t slack_cycles, batch_cycles, cost_cycles, notify_cycles; /* ro once it runs */
	uint64_t served; /* cycles: no port that waits has had less service; never falls */
	uint64_t least;	 /* the least service of a port that has to wait after this round */
	uint64_t most;	 /* the most service of all */
};

/* What a port had on this worker; zeroes for a new one. */
struct turn {
	uint64_t served;    /* cycles; less than that of all means as much */
	uint64_t owed;	    /* cycles; of notifying, to be paid with the next batch */
	uint32_t n_touched; /* ports to notify after this round, each counted once a batch */
	uint16_t cut;	    /* frames that its next batch is smaller than BATCH_MAX */
};

static inline void
turns_init(struct turns *all, uint64_t hz)
{
	*all = (struct turns){
		.slack_cycles = TURN_SLACK_US * hz / 1000000,
		.batch_cycles = TURN_BATCH_US * hz / 1000000,
		.cost_cycles = TURN_COST_US * hz / 1000000,
		.notify_cycles = TURN_NOTIFY_US * hz / 1000000,
	};
}

static inline void
turns_begin_round(struct turns *all)
{
	all->least = UINT64_MAX;
}

/* Nobody waits: all debts are paid. */
static inline void
turns_end_round(struct turns *all)
{
	all->served = RTE_MAX(all->served, all->least != UINT64_MAX ? all->least : all->most);
}

/* Is it the port's turn? There is one that it is, at least every other round. */
static inline bool
turn_is_due(const struct turns *all, const struct turn *t)
{
	return __builtin_expect(t->served <= all->served + all->slack_cycles, 1);
}

/* How many frames its next batch may have, at least 1. */
static inline uint32_t
turn_burst(const struct turn *t)
{
	return BATCH_MAX - t->cut;
}

/* How many bytes. */
static inline uint32_t
turn_bytes(const struct turn *t)
{
	return turn_burst(t) * (BATCH_BYTES_MAX / BATCH_MAX);
}

/* The rest of what it has, or all of it, has to wait for the next round. */
static inline void
turn_wait(struct turns *all, const struct turn *t)
{
	all->least = RTE_MIN(all->least, t->served);
}

/*
 * It had a batch, which took cycles and touched so many ports; is_full: there may have been more
 * for it.
 */
static inline void
turn_took(struct turns *all, struct turn *t, uint64_t cycles, uint32_t n_touched, bool is_full)
{
	uint32_t burst = turn_burst(t);

	if (__builtin_expect(cycles > all->batch_cycles, 0)) {
		t->cut = (uint16_t)(BATCH_MAX - RTE_MAX(burst / 2, 1u));
		cycles = RTE_MIN(cycles, (TURN_COST_MAX + n_touched) * all->cost_cycles);
	} else if (__builtin_expect(t->cut > 0 && is_full && cycles < all->batch_cycles / 2, 0)) {
		t->cut--; /* slowly: a few frames that cost little say nothing of the others */
	}
	t->served = RTE_MAX(t->served, all->served) + cycles + t->owed;
	t->owed = 0;
	t->n_touched += n_touched;
	all->most = RTE_MAX(all->most, t->served);
}

/* What to notify each of the n_touched ports took, on average, in cycles. */
static inline uint64_t
turns_notify_price(const struct turns *all, uint64_t cycles, uint32_t n_touched)
{
	return RTE_MIN(cycles / n_touched, all->notify_cycles);
}

/* The ports that it touched in this round were notified. */
static inline void
turn_notified(struct turn *t, uint64_t price)
{
	if (t->n_touched == 0)
		return;
	t->owed += t->n_touched * price;
	t->n_touched = 0;
}

#endif

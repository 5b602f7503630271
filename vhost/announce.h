/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * announce.h: the announcement of a guest that has moved here and can't make it itself (vhost-user
 * protocol, VHOST_USER_SEND_RARP): a frame that the switch takes in as if the guest had sent it, so
 * that stations are learned and told in the one way that there is.
 *
 * Threads: announce_ask() and announce_forget() by the vhost thread; announce_lend() and
 * announce_release() by the worker that polls the port's receive queue 0.
 */
#ifndef VHOST_ANNOUNCE_H
#define VHOST_ANNOUNCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

struct batch;

struct announce {
	_Atomic uint64_t asked; /* for which MAC, with one more bit, or 0; both: rw */
	bool is_lent;		/* worker only */
};

/* The station whose MAC is the 6 bytes at mac is to be announced. A second one replaces it. */
void announce_ask(struct announce *a, const void *mac);

/* The guest has gone. */
void announce_forget(struct announce *a);

/* See announce_lend(). */
bool announce_take(struct announce *a, struct batch *b);

/* Lends the announcement that was asked for to an empty batch. False if there is none. */
static inline bool
announce_lend(struct announce *a, struct batch *b)
{
	return unlikely(atomic_load_explicit(&a->asked, memory_order_relaxed) != 0) &&
	       announce_take(a, b);
}

/* Was it that what was lent last? Then there is nothing to give back. */
static inline bool
announce_release(struct announce *a)
{
	bool was_lent = a->is_lent;

	a->is_lent = false;
	return was_lent;
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * role.h: the part that a guest plays: whom it sends to, whom it expects frames from, and what it
 * has counted. All kinds of guests have it in common.
 *
 * Threads: a role belongs to one thread.
 */
#ifndef PERF_ROLE_H
#define PERF_ROLE_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "frame.h"
#include "hist.h"

struct role {
	uint8_t id; /* from 1: in its stations' addresses */

	/* set by role_prepare() */
	bool sends;
	bool is_hostile; /* sends whatever the others' rate is */
	bool is_steady;	 /* all its frames have the same headers */
	bool is_checked; /* role_check() looks at what it receives */
	uint8_t to;	 /* the guest it sends to, or FRAME_BROADCAST */
	uint8_t from;	 /* the one it receives from; 0: from any */
	uint8_t n_guests;
	enum command_pattern pattern;
	enum frame_kind kind;
	uint32_t macs;
	uint64_t wanted, mask; /* how the first 8 bytes of what it receives look */
	struct hist *hist;     /* of the times in frames; NULL: they have numbers */

	/* moving */
	uint32_t station; /* the next one to be taught */
	uint64_t random;
	uint64_t n_sent; /* the next frame's number */
	uint64_t n_received;
	uint64_t n_foreign;   /* frames that nobody sent it, such as the switch's own */
	uint64_t n_reordered; /* frames after one that was sent later */

	uint64_t next[FRAME_GUESTS_MAX + 1]; /* lowest number, or time, to come from each guest */
};

void role_init(struct role *r, uint8_t id);

/* What the guest does at this command. hist: where times go, if frames are stamped. */
void role_prepare(struct role *r, const struct command *c, uint32_t n_guests, struct hist *hist);

/* Looks at a frame that is this role's: its turn, and how long it took until now, in ticks. */
void role_check(struct role *r, const uint8_t *f, uint64_t now);

/* Below n, each number as likely as any other. */
static inline uint32_t
role_draw(struct role *r, uint32_t n)
{
	r->random = r->random * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)((r->random >> 32) * n >> 32);
}

/*
 * Who sends the next frame to whom. Stations are drawn, so that nobody's caches or prefetching can
 * know the next one; that takes two multiplications, and no table.
 */
static inline struct frame_ends
role_next(struct role *r)
{
	struct frame_ends e = {.from = r->id, .to = r->to};

	if (r->pattern == COMMAND_TEACH) {
		e.from_station = r->station++;
		/* two guests: as in pairs; more: to one that is known, so that it isn't flooded */
		e.to_station = r->n_guests == 2 ? e.from_station : 0;
		return e;
	}
	if (r->macs > 1)
		e.from_station = e.to_station = role_draw(r, r->macs);
	if (r->pattern == COMMAND_MESH) {
		e.to = (uint8_t)(1 + role_draw(r, r->n_guests - 1u));
		e.to += e.to >= r->id;
		e.to_station = role_draw(r, r->macs);
	}
	return e;
}

/* The last n frames of role_next() found no room: those stations are still to be taught. */
static inline void
role_unsend(struct role *r, uint32_t n)
{
	r->station -= n;
}

/*
 * Is it a frame for this guest, of those that guests send? By its destination: a switch may put its
 * own address in the source's place.
 */
static inline bool
role_is_ours(const struct role *r, const uint8_t *f)
{
	uint64_t first;

	memcpy(&first, f, sizeof(first));
	return ((first ^ r->wanted) & r->mask) == 0;
}

#endif

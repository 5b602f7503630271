/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fdb_slots.h: the table of the forwarding database, for fdb.c (look-up, learning), fdb_bulk.c (for
 * a batch) and fdb_sweep.c (removal, ageing, listing) only; the others include fdb.h.
 *
 * Life of a slot, key word and value word:
 *
 *	   0, 0       empty
 *	   0, live    claimed: a worker (or control, for a static entry) swapped the value in
 *	   K, live    in sight: the claimant has stored the key
 *	   K, live'   seen again or moved: a worker swapped the value
 *	   K, dead    removed by control, or a duplicate that a claimant found; final
 *	gone, dead    control has hidden the key; waits for the grace period
 *	   0, 0       empty again, in this order: key, then value
 *
 * Why a reader never gets another station's port: it reads the value after it has matched the key
 * (acquire; the other side is the claimant's store of the key, which comes after the value).
 * Between the two the slot may at most have come to dead, because the step from gone to empty waits
 * until that reader has been quiescent, and nobody claims a slot before. For the same reason a
 * worker that matched a key and swaps the value of what it saw can't hit a successor (no ABA), and
 * dead is never swapped for anything: nothing that was removed comes back.
 */
#ifndef VSWITCH_FDB_SLOTS_H
#define VSWITCH_FDB_SLOTS_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "fdb.h"

enum {
	LINE_SLOTS = 4,
	HOMES = 2, /* lines that a station may be in */
};

/* Words of a key. The highest bit makes the key of any station differ from the others. */
enum {
	KEY_NONE = 0,
	KEY_GONE = 1,
	KEY_STATION = 1ull << 63,
};

/* Words of a value: port in bits 63..48, flags in 47..32, second when last seen in 31..0. */
enum {
	VALUE_NONE = 0,
	VALUE_SEEN = 0xffffffffull,
	VALUE_LIVE = 1ull << 32,
	VALUE_STATIC = 1ull << 33,
	VALUE_DEAD = 1ull << 34,
};

/*
 * Workers: claim (value, then key), swap live values, kill duplicates. Control: these too, and all
 * that takes a key out of sight.
 */
struct slot {
	_Atomic uint64_t key;
	_Atomic uint64_t value;
};

/* One cache line. */
struct line {
	alignas(64) struct slot slots[LINE_SLOTS];
};

/* How many stations there are, and how many there may be. */
struct quota {
	_Atomic uint32_t n;   /* workers, control: rw, where a station comes, moves or goes */
	_Atomic uint32_t max; /* control: wo, workers: ro */
};

struct fdb {
	/* control: wo before it is shared, all: ro */
	alignas(64) struct line *lines;
	uint64_t line_mask;
	uint64_t seeds[2];
	uint32_t max;
	void (*synchronize)(void);

	/* apart: what is above is read for every frame */
	alignas(64) struct quota all;
	_Atomic uint32_t version; /* workers, control: rw, with all.n and at each move */
	alignas(64) struct quota ports[FDB_PORTS_MAX];
};

static inline uint64_t
key_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * Two rounds: one is not enough for the MACs that people give out in a row. With it one seed in
 * some hundred filled lines unevenly, so that stations found no room in a table that was half
 * empty.
 */
static inline uint64_t
key_hash(const struct fdb *fdb, uint64_t key)
{
	return key_mix(key_mix(key ^ fdb->seeds[0], 0x9e3779b97f4a7c15ull) ^ fdb->seeds[1],
		       0xd6e8feb86659fd93ull);
}

/* The homes differ in the lowest bit, and so always. */
static inline struct line *
line_home(const struct fdb *fdb, uint64_t h, uint32_t home)
{
	uint64_t other = home ? h >> 32 | 1 : 0;

	return &fdb->lines[(h ^ other) & fdb->line_mask];
}

/* The i-th of the HOMES * LINE_SLOTS slots where a key with hash h may be. */
static inline struct slot *
slot_home(const struct fdb *fdb, uint64_t h, uint32_t i)
{
	return &line_home(fdb, h, i / LINE_SLOTS)->slots[i % LINE_SLOTS];
}

static inline uint16_t
value_port(uint64_t value)
{
	return (uint16_t)(value >> 48);
}

static inline uint64_t
value_make(uint16_t port, uint64_t flags, uint32_t seen_s)
{
	return (uint64_t)port << 48 | flags | seen_s;
}

/* Clocks of two workers may differ by a moment: who was seen in the future is seen now. */
static inline uint32_t
value_age(uint64_t value, uint32_t now_s)
{
	int32_t age_s = (int32_t)(now_s - (uint32_t)value);

	return age_s > 0 ? (uint32_t)age_s : 0;
}

static inline void
quota_give(struct quota *q, uint32_t n)
{
	atomic_fetch_sub_explicit(&q->n, n, memory_order_relaxed);
}

static inline void
version_next(struct fdb *fdb)
{
	/* release: who sees the version sees what it stands for, see fdb_version() */
	atomic_fetch_add_explicit(&fdb->version, 1, memory_order_release);
}

/* Swaps the value of a slot that was seen with *value; tells in *value what is there otherwise. */
static inline bool
slot_swap(struct slot *slot, uint64_t *value, uint64_t to)
{
	return atomic_compare_exchange_strong_explicit(&slot->value, value, to,
						       memory_order_relaxed, memory_order_relaxed);
}

/* Like slot_swap(), to dead. */
static inline bool
slot_kill(struct fdb *fdb, struct slot *slot, uint64_t *value)
{
	uint16_t port = value_port(*value);

	if (!slot_swap(slot, value, VALUE_DEAD))
		return false;
	quota_give(&fdb->ports[port], 1);
	quota_give(&fdb->all, 1);
	version_next(fdb);
	return true;
}

/*
 * The station in slot, where value was seen, is seen at now_s: noted once a second. Who loses the
 * race was not the only one to see it, or it is removed.
 */
static inline void
slot_refresh(struct slot *slot, uint64_t value, uint32_t now_s)
{
	if (value_age(value, now_s) > 0)
		slot_swap(slot, &value, (value & ~VALUE_SEEN) | now_s);
}

/* The slot of line with that key which is live, and its value then; NULL if there is none. */
static inline struct slot *
line_find(struct line *line, uint64_t key, uint64_t *value)
{
	uint32_t i;

	for (i = 0; i < LINE_SLOTS; i++) {
		struct slot *slot = &line->slots[i];

		if (atomic_load_explicit(&slot->key, memory_order_acquire) != key)
			continue;
		*value = atomic_load_explicit(&slot->value, memory_order_acquire);
		if (likely(*value & VALUE_LIVE))
			return slot;
	}
	return NULL;
}

/* The same among all slots where that key may be. */
static inline struct slot *
slot_find(const struct fdb *fdb, uint64_t key, uint64_t *value)
{
	uint64_t h = key_hash(fdb, key);
	struct slot *slot = NULL;
	uint32_t home;

	for (home = 0; !slot && home < HOMES; home++)
		slot = line_find(line_home(fdb, h, home), key, value);
	return slot;
}

#endif

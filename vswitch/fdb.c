/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fdb.c: the forwarding database's look-up and learning, see fdb.h; the same for a whole batch is
 * in fdb_bulk.c, removal in fdb_sweep.c.
 */
#include "fdb.h"

#include <errno.h>

#include <rte_bitops.h>
#include <rte_common.h>

#include "fdb_slots.h"

enum {
	FIRST_HOME_MIN = 3, /* slots of the first home that fill before the second one counts */
	LINES_MIN = 2,	    /* the homes of a station differ */
};

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t
next_seed(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

size_t
fdb_size(uint32_t max)
{
	/*
	 * A line, that is four slots, for each station: then the chance that a station finds both
	 * homes full is some 10^-7 in a full table, and one line is all that most look-ups read.
	 */
	uint64_t n_lines = rte_align64pow2(RTE_MAX(max, (uint32_t)LINES_MIN));

	return sizeof(struct fdb) + n_lines * sizeof(struct line);
}

struct fdb *
fdb_create(void *mem, uint32_t max, uint64_t seed, void (*synchronize)(void))
{
	struct fdb *fdb = mem;
	uint32_t i;

	fdb->lines = (struct line *)(fdb + 1);
	fdb->line_mask = (fdb_size(max) - sizeof(struct fdb)) / sizeof(struct line) - 1;
	fdb->seeds[0] = next_seed(&seed);
	fdb->seeds[1] = next_seed(&seed);
	fdb->max = max;
	fdb->synchronize = synchronize;
	atomic_init(&fdb->all.max, max);
	for (i = 0; i < FDB_PORTS_MAX; i++)
		atomic_init(&fdb->ports[i].max, UINT32_MAX);
	return fdb;
}

static bool
quota_has_room(const struct quota *q)
{
	return atomic_load_explicit(&q->n, memory_order_relaxed) <
	       atomic_load_explicit(&q->max, memory_order_relaxed);
}

/* False, and nothing written, where there is no place left: it never exceeds the maximum. */
static bool
quota_take(struct quota *q)
{
	uint32_t n = atomic_load_explicit(&q->n, memory_order_relaxed);

	do {
		if (n >= atomic_load_explicit(&q->max, memory_order_relaxed))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&q->n, &n, n + 1, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

/*
 * Puts an entry into a slot of the key's homes; false if both are full. The first home is filled
 * but for one slot before the second one is used, so that nearly all look-ups read one line (98 of
 * 100 in a full table; with two slots it were 91); then the emptier of the two is taken, so that
 * hardly a line fills up before the table does.
 */
static bool
claim(struct fdb *fdb, uint64_t key, uint64_t value)
{
	uint64_t h = key_hash(fdb, key);
	uint32_t home, i;

	for (;;) {
		struct slot *empty[HOMES] = {NULL};
		uint32_t n_used[HOMES] = {0};
		uint64_t none = VALUE_NONE;

		for (i = HOMES * LINE_SLOTS; i-- > 0;) {
			struct slot *slot = slot_home(fdb, h, i);

			home = i / LINE_SLOTS;
			if (atomic_load_explicit(&slot->value, memory_order_relaxed) == VALUE_NONE)
				empty[home] = slot;
			else
				n_used[home]++;
		}
		home = n_used[0] >= FIRST_HOME_MIN && n_used[1] < n_used[0];
		if (!empty[home])
			return false;
		/* acquire: control emptied the key before the value, see free_slots() */
		if (atomic_compare_exchange_strong_explicit(&empty[home]->value, &none, value,
							    memory_order_acquire,
							    memory_order_relaxed)) {
			/* seq_cst: see remove_duplicates(), the other side */
			atomic_store_explicit(&empty[home]->key, key, memory_order_seq_cst);
			return true;
		}
	}
}

/* One look at all entries of key, see remove_duplicates(). False if it has to be repeated. */
static bool
leave_one(struct fdb *fdb, uint64_t key, uint64_t h)
{
	struct slot *kept = NULL;
	uint64_t kept_value = 0;
	uint32_t i;

	for (i = 0; i < HOMES * LINE_SLOTS; i++) {
		struct slot *slot = slot_home(fdb, h, i);
		uint64_t value;

		if (atomic_load_explicit(&slot->key, memory_order_seq_cst) != key)
			continue;
		value = atomic_load_explicit(&slot->value, memory_order_acquire);
		if (!(value & VALUE_LIVE))
			continue;
		if (!kept) {
			kept = slot;
			kept_value = value;
			continue;
		}
		if (value & VALUE_STATIC) {
			RTE_SWAP(kept, slot);
			RTE_SWAP(kept_value, value);
		}
		if (!slot_kill(fdb, slot, &value))
			return false; /* seen again, moved, made static, removed: judge anew */
	}
	return true;
}

/*
 * Kills all live entries of key but one. Two workers that meet a new station at the same time may
 * claim two slots. Each stores its key first (claim()) and looks for others after (leave_one()): in
 * the one order of all seq_cst operations one of the stores comes last, and whoever made it finds
 * the other's key. So, once both are done, one of them has seen both entries and left one. All
 * agree on which, the static one or else the first in order of homes, and none kills what has
 * become static, or the last one it sees. Until then both are live, with ports behind which the
 * station was seen: harmless. A dead duplicate keeps its slot until control's next sweep.
 */
static void
remove_duplicates(struct fdb *fdb, uint64_t key)
{
	uint64_t h = key_hash(fdb, key);

	while (!leave_one(fdb, key, h))
		continue;
}

/* Not inlined: fdb_learn() then needs no stack for the stations that it knows. */
static __rte_noinline enum fdb_learned
learn_new(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now_s)
{
	/* looks at both before it takes of one: in a storm no line is written for each frame */
	if (!quota_has_room(&fdb->ports[port]))
		return FDB_PORT_FULL;
	if (!quota_has_room(&fdb->all))
		return FDB_FULL;
	if (!quota_take(&fdb->ports[port]))
		return FDB_PORT_FULL;
	if (!quota_take(&fdb->all))
		goto no_room;
	if (!claim(fdb, key, value_make(port, VALUE_LIVE, now_s)))
		goto no_slot;
	remove_duplicates(fdb, key);
	version_next(fdb);
	return FDB_NEW;

no_slot:
	quota_give(&fdb->all, 1);
no_room:
	quota_give(&fdb->ports[port], 1);
	return FDB_FULL;
}

/* A frame from the station in slot, where value was seen, came in on port. */
static __rte_noinline enum fdb_learned
move(struct fdb *fdb, struct slot *slot, uint64_t value, uint16_t port, uint32_t now_s)
{
	while (value & VALUE_LIVE && value_port(value) != port) {
		uint16_t old_port = value_port(value);

		if (value & VALUE_STATIC)
			return FDB_STATIC;
		if (!quota_take(&fdb->ports[port]))
			return FDB_PORT_FULL;
		if (slot_swap(slot, &value, value_make(port, VALUE_LIVE, now_s))) {
			quota_give(&fdb->ports[old_port], 1);
			version_next(fdb);
			return FDB_MOVED;
		}
		quota_give(&fdb->ports[port], 1);
	}
	return FDB_KNOWN; /* moved by another worker, or removed: the next frame learns it again */
}

uint16_t
fdb_find(const struct fdb *fdb, uint64_t key)
{
	uint64_t value;

	return slot_find(fdb, key | KEY_STATION, &value) ? value_port(value) : FDB_NO_PORT;
}

enum fdb_learned
fdb_learn(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now_s)
{
	uint64_t value;
	struct slot *slot = slot_find(fdb, key | KEY_STATION, &value);

	if (!slot)
		return learn_new(fdb, key | KEY_STATION, port, now_s);
	if (value_port(value) != port)
		return move(fdb, slot, value, port, now_s);
	slot_refresh(slot, value, now_s);
	return FDB_KNOWN;
}

enum fdb_learned
fdb_learn_unless_fresh(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now_s,
		       uint32_t fresh_s, uint16_t *holder)
{
	uint64_t value;
	struct slot *slot = slot_find(fdb, key | KEY_STATION, &value);

	if (slot && value_port(value) != port &&
	    (value & VALUE_STATIC || value_age(value, now_s) < fresh_s)) {
		*holder = value_port(value);
		return FDB_HELD;
	}
	return fdb_learn(fdb, key, port, now_s);
}

int
fdb_add_static(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now_s)
{
	uint64_t wanted = value_make(port, VALUE_LIVE | VALUE_STATIC, now_s), value;
	struct slot *slot;

	key |= KEY_STATION;
	/* A port's limit is for what guests do: what the operator sets counts and always fits. */
	atomic_fetch_add_explicit(&fdb->ports[port].n, 1, memory_order_relaxed);
	while ((slot = slot_find(fdb, key, &value))) {
		while (value & VALUE_LIVE) {
			uint16_t old_port = value_port(value);

			if (!slot_swap(slot, &value, wanted))
				continue;
			quota_give(&fdb->ports[old_port], 1);
			remove_duplicates(fdb, key);
			version_next(fdb);
			return 0;
		}
	}
	if (!quota_take(&fdb->all))
		goto no_room;
	if (!claim(fdb, key, wanted))
		goto no_slot;
	remove_duplicates(fdb, key);
	version_next(fdb);
	return 0;

no_slot:
	quota_give(&fdb->all, 1);
no_room:
	quota_give(&fdb->ports[port], 1);
	return -ENOSPC;
}

void
fdb_set_port_limit(struct fdb *fdb, uint16_t port, uint32_t max)
{
	atomic_store_explicit(&fdb->ports[port].max, max, memory_order_relaxed);
}

uint32_t
fdb_version(const struct fdb *fdb)
{
	/* acquire: a walk behind it sees all that version_next() has counted so far */
	return atomic_load_explicit(&fdb->version, memory_order_acquire);
}

uint32_t
fdb_count(const struct fdb *fdb)
{
	return atomic_load_explicit(&fdb->all.n, memory_order_relaxed);
}

uint32_t
fdb_max(const struct fdb *fdb)
{
	return fdb->max;
}

uint32_t
fdb_port_count(const struct fdb *fdb, uint16_t port)
{
	return atomic_load_explicit(&fdb->ports[port].n, memory_order_relaxed);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fdb_bulk.c: the forwarding database's look-up for a whole batch, see fdb.h. A line of a large
 * table is far away: some 400 cycles for one, but hardly 15 for each of many that are asked for at
 * the same time. So nothing here waits for one line: all first homes are asked for, then read, then
 * the second homes of those that were not in their first are asked for, then read.
 */
#include "fdb.h"

#include "fdb_slots.h"
#include "frame.h"

enum {
	FAR_STATIONS = 2048, /* 128 KiB of lines: the caches that are near have frames to hold */
	MISSED_MANY = 4,     /* of a batch: more than the few that are in their second homes */
};

/*
 * To the second-level cache: of such prefetches CPUs have more under way at a time than of those to
 * the first level (measured on Zen 4: 14 cycles a line against 26, 128 lines at once).
 */
static void
line_prefetch(const struct line *line)
{
	__builtin_prefetch(line, 0, 2);
}

static uint64_t
set_after(uint64_t set, uint64_t i)
{
	return set & ~set_first((uint32_t)i + 1);
}

/* The hash of keys[i], whose word is key. */
static uint64_t
bulk_hash(const struct fdb *fdb, const uint64_t *hashes, uint64_t i, uint64_t key)
{
	return hashes ? hashes[i] : key_hash(fdb, key);
}

/* Asks for the first homes of all keys in set; fills hashes and returns them. */
static const uint64_t *
prefetch_homes(const struct fdb *fdb, const uint64_t *keys, uint64_t set, uint64_t *hashes)
{
	uint64_t last = KEY_NONE, h = 0;

	set_foreach (i, set) {
		uint64_t key = keys[i] | KEY_STATION;

		if (key != last) {
			last = key;
			h = key_hash(fdb, key);
			line_prefetch(line_home(fdb, h, 0));
		}
		hashes[i] = h;
	}
	return hashes;
}

const uint64_t *
fdb_bulk_prefetch(const struct fdb *fdb, const uint64_t *keys, uint64_t set, uint64_t *hashes)
{
	if (fdb_count(fdb) <= FAR_STATIONS)
		return NULL;
	return prefetch_homes(fdb, keys, set, hashes);
}

uint64_t
fdb_bulk_refresh(struct fdb *fdb, const uint64_t *keys, const uint64_t *hashes, uint64_t set,
		 uint16_t port, uint32_t now_s)
{
	uint64_t last = KEY_NONE, others = 0, is_other = 0, room[BATCH_MAX];
	uint32_t n_missed = 0;

	set_foreach (i, set) {
		uint64_t key = keys[i] | KEY_STATION;

		if (key != last) {
			uint64_t h = bulk_hash(fdb, hashes, i, key), value = 0;
			struct slot *slot = line_find(line_home(fdb, h, 0), key, &value);

			last = key;
			is_other = !slot || value_port(value) != port;
			if (unlikely(!slot)) {
				line_prefetch(line_home(fdb, h, 1));
				if (!hashes && ++n_missed == MISSED_MANY)
					hashes = prefetch_homes(fdb, keys, set_after(set, i), room);
			} else if (!is_other) {
				slot_refresh(slot, value, now_s);
			}
		}
		others |= is_other << i;
	}
	return others;
}

/* Looks into that home of each key. Returns those that are not there, their next home asked for. */
static uint64_t
find_at_home(const struct fdb *fdb, const uint64_t *keys, const uint64_t *hashes, uint64_t set,
	     uint32_t home, uint16_t *ports)
{
	uint64_t last = KEY_NONE, missed = 0, is_missed = 0, room[BATCH_MAX];
	uint32_t n_missed = 0;
	uint16_t port = FDB_NO_PORT;

	set_foreach (i, set) {
		uint64_t key = keys[i] | KEY_STATION;

		if (key != last) {
			uint64_t h = bulk_hash(fdb, hashes, i, key), value = 0;
			bool is_group = key & FDB_KEY_GROUP;
			const struct slot *slot =
				is_group ? NULL : line_find(line_home(fdb, h, home), key, &value);

			last = key;
			port = slot ? value_port(value) : FDB_NO_PORT;
			is_missed = !slot && !is_group;
			if (is_missed && home == 0) {
				line_prefetch(line_home(fdb, h, 1));
				if (!hashes && ++n_missed == MISSED_MANY)
					hashes = prefetch_homes(fdb, keys, set_after(set, i), room);
			}
		}
		ports[i] = port;
		missed |= is_missed << i;
	}
	return missed;
}

void
fdb_bulk_find(const struct fdb *fdb, const uint64_t *keys, const uint64_t *hashes, uint64_t set,
	      uint16_t *ports)
{
	uint32_t home;

	for (home = 0; set && home < HOMES; home++)
		set = find_at_home(fdb, keys, hashes, set, home, ports);
}

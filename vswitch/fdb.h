/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fdb.h: the forwarding database: which station (VLAN and MAC) is behind which port.
 *
 * A hash table of lines of four pairs of key and value. A station has two home lines and is, but
 * for few, in the first. Key and value are one 64-bit word each, so that every reader sees a whole
 * key and a whole value. Workers claim empty slots by compare-and-swap; only the control thread
 * takes keys away, and a slot carries no other key until a grace period after that has passed: a
 * reader that matched a key can never read its successor's port. Proof in fdb_slots.h.
 *
 * Threads: fdb_learn and fdb_bulk_ by workers that are online (rcu.h), fdb_find by them and the
 * control thread, and fdb_count, fdb_max, fdb_version and fdb_port_count by all; everything else by
 * the control thread.
 */
#ifndef VSWITCH_FDB_H
#define VSWITCH_FDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct error;
struct fdb;

enum {
	FDB_MAX_DEFAULT = 65536, /* stations */
	FDB_MAX_LIMIT = 4194304,
	FDB_AGEING_DEFAULT_S = 300, /* IEEE 802.1Q §8.8.3 */
	FDB_NO_PORT = 0xffff,
	FDB_PORTS_MAX = 1024, /* port ids are below */
};

enum {
	FDB_KEY_GROUP = 1ull << 40, /* of a key whose MAC is a group's, IEEE 802 §8.2 */
};

enum fdb_learned {
	FDB_KNOWN, /* as it was, last-seen refreshed where a second has passed */
	FDB_NEW,
	FDB_MOVED,     /* was behind another port */
	FDB_STATIC,    /* a static entry says another port: not changed */
	FDB_PORT_FULL, /* the port has reached its limit of stations */
	FDB_HELD,      /* fdb_learn_unless_fresh(): another port heard it just now: not moved */
	FDB_FULL, /* the table has its most stations, or (1 in some 10^7) both homes are full */
};

/* One station, as fdb_walk() shows it. */
struct fdb_entry {
	uint8_t mac[6];
	uint16_t vlan;
	uint16_t port;
	uint32_t age_s; /* since the last frame from it */
	bool is_static;
};

/* vlan << 48 | MAC, first byte of the MAC in the highest place. Never 0 for a station's address. */
static inline uint64_t
fdb_key(uint16_t vlan, const uint8_t mac[6])
{
	uint32_t high;
	uint16_t low;

	/* two loads, and no store that a wider load would have to wait for */
	memcpy(&high, mac, sizeof(high));
	memcpy(&low, mac + sizeof(high), sizeof(low));
	return (uint64_t)(vlan & 0xfff) << 48 | (uint64_t)__builtin_bswap32(high) << 16 |
	       __builtin_bswap16(low);
}

/* Bytes of memory (64-byte aligned, zeroed) that a table of max stations needs. */
size_t fdb_size(uint32_t max);

/*
 * Makes a table in mem, which the caller has allocated on the NUMA node it likes and frees after.
 * seed: random, so that nobody can aim at a line. synchronize waits a grace period (rcu.h).
 */
struct fdb *fdb_create(void *mem, uint32_t max, uint64_t seed, void (*synchronize)(void));

/* Port behind which the station is, or FDB_NO_PORT. */
uint16_t fdb_find(const struct fdb *fdb, uint64_t key);

/*
 * A frame of station key came in on port at now_s (seconds of any origin, one clock for all).
 */
enum fdb_learned fdb_learn(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now_s);

/*
 * As fdb_learn(), but a station that another port heard less than fresh_s ago, or that is static
 * there, stays where it is: FDB_HELD, and that port in *holder.
 */
enum fdb_learned fdb_learn_unless_fresh(struct fdb *fdb, uint64_t key, uint16_t port,
					uint32_t now_s, uint32_t fresh_s, uint16_t *holder);

/*
 * For the frames of a batch at once, so that what is not in the cache is waited for once and not
 * for each. set has bit i for keys[i], up to 64; of equal keys in a row the first one is looked up.
 *
 * fdb_bulk_prefetch() brings the lines of the keys near and returns hashes, filled; or NULL, where
 * the table is so small that it is near anyway. Pass what it returned to the other two, with the
 * same keys, and call it for sources and destinations before them: a wait is shared by all.
 */
const uint64_t *fdb_bulk_prefetch(const struct fdb *fdb, const uint64_t *keys, uint64_t set,
				  uint64_t *hashes);

/* fdb_learn() where that says FDB_KNOWN at once; returns the others, for which to call it. */
uint64_t fdb_bulk_refresh(struct fdb *fdb, const uint64_t *keys, const uint64_t *hashes,
			  uint64_t set, uint16_t port, uint32_t now_s);

/* fdb_find() of all, to ports[i]; FDB_NO_PORT for a group's address, which is no station's. */
void fdb_bulk_find(const struct fdb *fdb, const uint64_t *keys, const uint64_t *hashes,
		   uint64_t set, uint16_t *ports);

/* Most stations that port may have; UINT32_MAX is no limit. Lowering it removes nothing. */
void fdb_set_port_limit(struct fdb *fdb, uint16_t port, uint32_t max);

/* Sets or makes a static entry, which neither ages nor moves. Returns 0 or -ENOSPC. */
int fdb_add_static(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now_s);

/* Returns 0 or -ENOENT. Waits a grace period. */
int fdb_remove(struct fdb *fdb, uint64_t key);

/*
 * Removes the entries of port (FDB_NO_PORT: of all ports), static ones only if with_static.
 * Returns how many. Waits a grace period.
 */
uint32_t fdb_flush(struct fdb *fdb, uint16_t port, bool with_static);

/*
 * The same for a set of ports (bit per id, FDB_PORTS_MAX of them; NULL: all ports), in the part-th
 * of parts of the table (from 0).
 */
uint32_t fdb_flush_part(struct fdb *fdb, const uint64_t *ports, bool with_static, uint32_t part,
			uint32_t parts);

/* How many parts make one of them take about a millisecond, grace period aside. */
uint32_t fdb_parts(const struct fdb *fdb);

/*
 * One step of ageing over the part-th of parts of the table (from 0): removes what was not seen for
 * more than ageing_s (0: never). Returns how many. Also frees the slots of duplicates that workers
 * made by learning a station at the same time, so call it even if nothing ages. Waits a grace
 * period if there was anything to do.
 */
uint32_t fdb_age(struct fdb *fdb, uint32_t now_s, uint32_t ageing_s, uint32_t part, uint32_t parts);

/*
 * Changes (and wraps) whenever a station comes, moves to another port, or goes: a walk that begins
 * after it was read shows all that it counts.
 */
uint32_t fdb_version(const struct fdb *fdb);

uint32_t fdb_count(const struct fdb *fdb); /* stations in the table */
uint32_t fdb_max(const struct fdb *fdb);   /* as given to fdb_create */
uint32_t fdb_port_count(const struct fdb *fdb, uint16_t port);

/* Calls each() for every station; stops when it returns false. */
void fdb_walk(const struct fdb *fdb, uint32_t now_s,
	      bool (*each)(const struct fdb_entry *entry, void *arg), void *arg);

/* The same for the part-th of parts of the table (from 0). False: each() did. */
bool fdb_walk_part(const struct fdb *fdb, uint32_t now_s, uint32_t part, uint32_t parts,
		   bool (*each)(const struct fdb_entry *entry, void *arg), void *arg);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* fdb_sweep.c: what only the control thread does with the forwarding database, see fdb.h. */
#include "fdb.h"

#include <errno.h>

#include <rte_common.h>

#include "fdb_slots.h"

enum {
	STRETCH_LINES = 4096, /* swept between two updates of what workers read and write, too */
	PART_LINES = 16384,   /* some 0.7 ms if all of it goes */
};

/* What a sweep removes: entries to which all of this applies. */
struct sweep {
	uint64_t key;  /* word of a key, or KEY_NONE: any */
	uint16_t port; /* ends when this one has no more stations; FDB_NO_PORT: at the end */
	const uint64_t *ports; /* of one of these, bit per id; NULL: any */
	bool with_static;      /* static ones too */
	uint32_t now_s;
	uint64_t unseen_s;	      /* not seen for at least so long */
	uint32_t n_removed;	      /* result */
	uint32_t n_untold;	      /* of them the quotas do not know yet */
	uint32_t n_of[FDB_PORTS_MAX]; /* the same, by port */
	struct slot *first, *last;    /* result: slots that wait for a grace period, or NULL */
};

static bool
port_in(const uint64_t *ports, uint16_t port)
{
	return ports[port / 64] >> port % 64 & 1;
}

static bool
sweep_wants(const struct sweep *sweep, uint64_t value)
{
	if (value & VALUE_STATIC && !sweep->with_static)
		return false;
	if (sweep->ports && !port_in(sweep->ports, value_port(value)))
		return false;
	return sweep->unseen_s == 0 || value_age(value, sweep->now_s) >= sweep->unseen_s;
}

/* Control. Removes what the sweep wants and hides it; hides duplicates that workers killed. */
static void
sweep_slots(struct slot *slots, uint64_t n, struct sweep *sweep)
{
	uint64_t i;

	for (i = 0; i < n; i++) {
		struct slot *slot = &slots[i];
		uint64_t value = atomic_load_explicit(&slot->value, memory_order_relaxed);
		uint64_t key = atomic_load_explicit(&slot->key, memory_order_acquire);

		/* Empty, or its claimant is about to store the key: not there yet. */
		if (value == VALUE_NONE || key == KEY_NONE)
			continue;
		if (sweep->key != KEY_NONE && sweep->key != key)
			continue;
		while (value & VALUE_LIVE && sweep_wants(sweep, value)) {
			uint16_t port = value_port(value);

			if (slot_swap(slot, &value, VALUE_DEAD)) {
				sweep->n_of[port]++;
				sweep->n_untold++;
				value = VALUE_DEAD;
			}
		}
		if (value & VALUE_DEAD) {
			atomic_store_explicit(&slot->key, KEY_GONE, memory_order_relaxed);
			if (!sweep->first)
				sweep->first = slot;
			sweep->last = slot;
		}
	}
}

/*
 * Control. Gives the places of what was removed back. Not one by one: workers use these counters
 * all the time. Until then they count too much, which breaks no limit.
 */
static void
sweep_tell(struct fdb *fdb, struct sweep *sweep)
{
	uint32_t port;

	if (sweep->n_untold == 0)
		return;
	for (port = 0; port < FDB_PORTS_MAX; port++) {
		if (sweep->n_of[port] == 0)
			continue;
		quota_give(&fdb->ports[port], sweep->n_of[port]);
		sweep->n_of[port] = 0;
	}
	quota_give(&fdb->all, sweep->n_untold);
	version_next(fdb);
	sweep->n_removed += sweep->n_untold;
	sweep->n_untold = 0;
}

/* Control. After a grace period: nobody has matched the key that was hidden and still holds it. */
static void
free_slots(struct slot *slots, uint64_t n)
{
	uint64_t i;

	for (i = 0; i < n; i++) {
		if (atomic_load_explicit(&slots[i].key, memory_order_relaxed) != KEY_GONE)
			continue;
		atomic_store_explicit(&slots[i].key, KEY_NONE, memory_order_relaxed);
		/* release: who claims the value stores its key after ours */
		atomic_store_explicit(&slots[i].value, VALUE_NONE, memory_order_release);
	}
}

/* Control. Whether the stations of the port that the sweep is for are all gone. */
static bool
sweep_is_done(const struct fdb *fdb, const struct sweep *sweep)
{
	return sweep->port != FDB_NO_PORT && fdb_port_count(fdb, sweep->port) == 0;
}

/* Control. Sweeps lines from first to before end. */
static uint32_t
sweep_lines(struct fdb *fdb, uint64_t first, uint64_t end, struct sweep *sweep)
{
	while (first < end && !sweep_is_done(fdb, sweep)) {
		uint64_t n = RTE_MIN(end - first, (uint64_t)STRETCH_LINES);

		sweep_slots(fdb->lines[first].slots, n * LINE_SLOTS, sweep);
		sweep_tell(fdb, sweep);
		first += n;
	}
	if (sweep->first) {
		fdb->synchronize();
		free_slots(sweep->first, (uint64_t)(sweep->last - sweep->first) + 1);
	}
	return sweep->n_removed;
}

static uint64_t
first_line(const struct fdb *fdb, uint32_t part, uint32_t parts)
{
	return (fdb->line_mask + 1) * part / parts;
}

int
fdb_remove(struct fdb *fdb, uint64_t key)
{
	struct sweep sweep = {.key = key | KEY_STATION, .port = FDB_NO_PORT, .with_static = true};
	uint64_t h = key_hash(fdb, sweep.key);
	uint32_t home;

	for (home = 0; home < HOMES; home++)
		sweep_slots(line_home(fdb, h, home)->slots, LINE_SLOTS, &sweep);
	sweep_tell(fdb, &sweep);
	if (sweep.first) {
		fdb->synchronize();
		for (home = 0; home < HOMES; home++)
			free_slots(line_home(fdb, h, home)->slots, LINE_SLOTS);
	}
	return sweep.n_removed > 0 ? 0 : -ENOENT;
}

uint32_t
fdb_flush(struct fdb *fdb, uint16_t port, bool with_static)
{
	uint64_t only[FDB_PORTS_MAX / 64] = {0};
	struct sweep sweep = {.port = port, .with_static = with_static};

	if (port != FDB_NO_PORT) {
		only[port / 64] = 1ull << port % 64;
		sweep.ports = only;
	}
	return sweep_lines(fdb, 0, fdb->line_mask + 1, &sweep);
}

uint32_t
fdb_flush_part(struct fdb *fdb, const uint64_t *ports, bool with_static, uint32_t part,
	       uint32_t parts)
{
	struct sweep sweep = {.port = FDB_NO_PORT, .ports = ports, .with_static = with_static};

	return sweep_lines(fdb, first_line(fdb, part, parts), first_line(fdb, part + 1, parts),
			   &sweep);
}

uint32_t
fdb_parts(const struct fdb *fdb)
{
	return (uint32_t)(fdb->line_mask / PART_LINES + 1);
}

uint32_t
fdb_age(struct fdb *fdb, uint32_t now_s, uint32_t ageing_s, uint32_t part, uint32_t parts)
{
	struct sweep sweep = {
		.port = FDB_NO_PORT,
		.now_s = now_s,
		.unseen_s = ageing_s > 0 ? (uint64_t)ageing_s + 1 : UINT64_MAX,
	};

	return sweep_lines(fdb, first_line(fdb, part, parts), first_line(fdb, part + 1, parts),
			   &sweep);
}

bool
fdb_walk_part(const struct fdb *fdb, uint32_t now_s, uint32_t part, uint32_t parts,
	      bool (*each)(const struct fdb_entry *entry, void *arg), void *arg)
{
	uint64_t n = first_line(fdb, part + 1, parts) * LINE_SLOTS, value = 0, i;
	struct slot *slots = fdb->lines->slots;
	struct fdb_entry entry;
	uint32_t byte;

	for (i = first_line(fdb, part, parts) * LINE_SLOTS; i < n; i++) {
		uint64_t key = atomic_load_explicit(&slots[i].key, memory_order_acquire);

		/* Each station once: of duplicates, the one that workers find. */
		if (!(key & KEY_STATION) || slot_find(fdb, key, &value) != &slots[i])
			continue;
		for (byte = 0; byte < sizeof(entry.mac); byte++)
			entry.mac[byte] = (uint8_t)(key >> (40 - 8 * byte));
		entry.vlan = key >> 48 & 0xfff;
		entry.port = value_port(value);
		entry.age_s = value_age(value, now_s);
		entry.is_static = value & VALUE_STATIC;
		if (!each(&entry, arg))
			return false;
	}
	return true;
}

void
fdb_walk(const struct fdb *fdb, uint32_t now_s,
	 bool (*each)(const struct fdb_entry *entry, void *arg), void *arg)
{
	fdb_walk_part(fdb, now_s, 0, 1, each, arg);
}

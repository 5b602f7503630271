/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_fdb_large.c: the forwarding database at scale: batches by the fdb_bulk_ functions against
 * the same frames one by one, in tables that are near and far, sweeps of more than one stretch, and
 * a million stations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <rte_common.h>

#include "fdb.h"
#include "fdb_slots.h"
#include "frame.h"

enum {
	PORTS = 5,
	BATCHES = 4000,
	UNTOUCHED = 0xabcd, /* in place of a port */
	LARGE = 40000,	    /* stations: ten stretches of a sweep and more */
	MILLION = 1000000,
	STORM = 100 * BATCH_MAX, /* frames */
	PARTS = 10,		 /* in which the switch ages */
	PAGE = 4096,
};

/* Two tables that are told the same. */
struct twins {
	struct fdb *bulk, *single;
	uint32_t n_lines;
	uint32_t n_stations; /* that frames are from and for */
};

static uint64_t rng;
static uint32_t n_grace_periods;

static uint32_t
any_below(uint32_t n)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((rng >> 32) * n >> 32);
}

static void
grace_period(void)
{
	n_grace_periods++;
}

static struct fdb *
make(uint32_t max)
{
	/* pages of its own, see storm() */
	size_t size = RTE_ALIGN_CEIL(fdb_size(max), (size_t)PAGE);
	void *mem = aligned_alloc(PAGE, size);

	assert_non_null(mem);
	memset(mem, 0, size);
	n_grace_periods = 0;
	return fdb_create(mem, max, 77, grace_period);
}

static uint64_t
key_of(uint32_t station)
{
	return 0x525400000000ull + station;
}

static void
twins_make(struct twins *t, uint32_t max, uint32_t n_stations)
{
	rng = max;
	*t = (struct twins){.bulk = make(max), .single = make(max), .n_stations = n_stations};
	t->n_lines = (uint32_t)t->bulk->line_mask + 1;
	fdb_set_port_limit(t->bulk, 1, n_stations / 8);
	fdb_set_port_limit(t->single, 1, n_stations / 8);
	for (uint32_t i = 0; i < n_stations / 16; i++) {
		uint64_t key = key_of(any_below(n_stations));
		uint16_t port = (uint16_t)any_below(PORTS);

		assert_int_equal(fdb_add_static(t->bulk, key, port, 0), 0);
		assert_int_equal(fdb_add_static(t->single, key, port, 0), 0);
	}
}

static void
twins_compare(const struct twins *t)
{
	assert_memory_equal(t->bulk->lines, t->single->lines, t->n_lines * sizeof(struct line));
	assert_int_equal(fdb_count(t->bulk), fdb_count(t->single));
	for (uint16_t port = 0; port < PORTS; port++)
		assert_int_equal(fdb_port_count(t->bulk, port), fdb_port_count(t->single, port));
}

static void
twins_free(struct twins *t)
{
	free(t->single);
	free(t->bulk);
}

/* Keys as of a batch: some of them in a row, some of groups where these may be. */
static void
choose(const struct twins *t, uint64_t keys[BATCH_MAX], bool with_groups)
{
	for (uint32_t i = 0; i < BATCH_MAX; i++) {
		keys[i] = key_of(any_below(t->n_stations));
		if (i > 0 && any_below(3) == 0)
			keys[i] = keys[i - 1];
		if (with_groups && any_below(16) == 0)
			keys[i] |= FDB_KEY_GROUP;
	}
}

static uint64_t
any_set(void)
{
	return any_below(4) == 0 ? ~0ull : (uint64_t)any_below(UINT32_MAX) << 32 | any_below(99);
}

/* Learns sources from port: what is in no set and is said to be others is learned, too. */
static void
twins_learn(struct twins *t, uint16_t port, uint32_t now_s, bool is_far)
{
	uint64_t keys[BATCH_MAX], room[BATCH_MAX], set = any_set(), others;
	const uint64_t *hashes;

	choose(t, keys, false);
	hashes = fdb_bulk_prefetch(t->bulk, keys, set, room);
	if (is_far)
		assert_ptr_equal(hashes, room);
	others = fdb_bulk_refresh(t->bulk, keys, hashes, set, port, now_s);
	assert_int_equal(others & ~set, 0);
	set_foreach (i, set) {
		enum fdb_learned learned = fdb_learn(t->single, keys[i], port, now_s);

		if (others & 1ull << i)
			assert_int_equal(fdb_learn(t->bulk, keys[i], port, now_s), learned);
		else
			assert_int_equal(learned, FDB_KNOWN);
	}
}

static void
twins_find(const struct twins *t)
{
	uint64_t keys[BATCH_MAX], room[BATCH_MAX], set = any_set();
	uint16_t ports[BATCH_MAX];
	const uint64_t *hashes;

	choose(t, keys, true);
	for (uint32_t i = 0; i < BATCH_MAX; i++)
		ports[i] = UNTOUCHED;
	hashes = fdb_bulk_prefetch(t->bulk, keys, set, room);
	fdb_bulk_find(t->bulk, keys, hashes, set, ports);
	for (uint32_t i = 0; i < BATCH_MAX; i++)
		assert_int_equal(ports[i],
				 set & 1ull << i ? fdb_find(t->single, keys[i]) : UNTOUCHED);
}

/* Whatever the table's size and however full it is, a batch does what its frames do. */
static void
batch_equals_its_frames(void **state)
{
	static const struct {
		uint32_t max, n_stations;
		bool is_far;
	} cases[] = {
		{64, 96, false},       /* full, and many in their second homes */
		{4096, 1000, false},   /* near */
		{4096, 4500, true},    /* far and full */
		{65536, 20000, false}, /* near at first: nearly all stations are new */
	};

	(void)state;
	for (uint32_t i = 0; i < RTE_DIM(cases); i++) {
		uint32_t now_s = UINT32_MAX - 20, n;
		struct twins t;

		twins_make(&t, cases[i].max, cases[i].n_stations);
		for (n = 0; cases[i].is_far && n < 4000; n++) {
			fdb_learn(t.bulk, key_of(n), 2, now_s);
			fdb_learn(t.single, key_of(n), 2, now_s);
		}
		for (n = 0; n < BATCHES; n++) {
			now_s += any_below(50) == 0;
			twins_learn(&t, (uint16_t)any_below(PORTS), now_s, cases[i].is_far);
			twins_find(&t);
		}
		twins_compare(&t);
		assert_true(fdb_count(t.bulk) > cases[i].n_stations / 2);
		twins_free(&t);
	}
}

/* No group is a station, even if the table were told so. */
static void
groups_are_not_looked_up(void **state)
{
	struct fdb *fdb = make(64);
	uint64_t keys[] = {key_of(1), key_of(1) | FDB_KEY_GROUP, key_of(1)};
	uint16_t ports[3];

	(void)state;
	assert_int_equal(fdb_learn(fdb, keys[0], 1, 0), FDB_NEW);
	assert_int_equal(fdb_learn(fdb, keys[1], 2, 0), FDB_NEW);
	fdb_bulk_find(fdb, keys, NULL, 7, ports);
	assert_int_equal(ports[0], 1);
	assert_int_equal(ports[1], FDB_NO_PORT);
	assert_int_equal(ports[2], 1);
	free(fdb);
}

/* A duplicate that was killed hides nothing behind it; and what is removed is for fdb_learn(). */
static void
dead_slots_are_passed(void **state)
{
	struct fdb *fdb = make(64);
	uint64_t key = key_of(1), h = key_hash(fdb, key | KEY_STATION), value = 0;
	struct slot *slot, *second = line_home(fdb, h, 1)->slots;
	uint16_t port;

	(void)state;
	assert_int_equal(fdb_learn(fdb, key, 1, 0), FDB_NEW);
	slot = slot_find(fdb, key | KEY_STATION, &value);
	assert_ptr_equal(slot, line_home(fdb, h, 0)->slots);
	slot->value = VALUE_DEAD;
	fdb_bulk_find(fdb, &key, NULL, 1, &port);
	assert_int_equal(port, FDB_NO_PORT);
	assert_int_equal(fdb_bulk_refresh(fdb, &key, NULL, 1, 1, 5), 1);
	assert_true(slot->value == VALUE_DEAD);
	second->value = value;
	second->key = key | KEY_STATION;
	fdb_bulk_find(fdb, &key, NULL, 1, &port);
	assert_int_equal(port, 1);
	free(fdb);
}

/* Counts are right after sweeps that tell of them in between, and only what is wanted has gone. */
static void
sweeps_of_many_stretches(void **state)
{
	struct fdb *fdb = make(LARGE);
	uint32_t version, n_aged = 0;
	struct slot *dead;
	uint64_t value = 0;

	(void)state;
	for (uint32_t i = 0; i < LARGE; i++)
		assert_int_equal(fdb_learn(fdb, key_of(i), (uint16_t)(i % 4), i % 2 ? 10 : 0),
				 FDB_NEW);
	dead = slot_find(fdb, key_of(2) | KEY_STATION, &value);
	assert_true(slot_kill(fdb, dead, &value)); /* as a worker, a duplicate */
	version = fdb_version(fdb);
	/* has none: nothing is looked at, not even what waits for a sweep */
	assert_int_equal(fdb_flush(fdb, 4, true), 0);
	assert_int_equal(n_grace_periods, 0);
	assert_int_equal(fdb_version(fdb), version);
	assert_int_equal(fdb_flush(fdb, 2, true), LARGE / 4 - 1);
	assert_int_equal(n_grace_periods, 1);
	assert_int_not_equal(fdb_version(fdb), version);
	assert_int_equal(fdb_count(fdb), LARGE / 4 * 3);
	assert_int_equal(fdb_port_count(fdb, 2), 0);
	for (uint32_t part = 0; part < 3; part++)
		n_aged += fdb_age(fdb, 305, 300, part, 3);
	assert_int_equal(n_aged, LARGE / 4);
	for (uint32_t i = 0; i < LARGE; i++)
		assert_int_equal(fdb_find(fdb, key_of(i)), i % 2 ? i % 4 : FDB_NO_PORT);
	/* all slots are free again: as many as before have room */
	for (uint32_t i = 0; i < LARGE; i++)
		assert_int_equal(fdb_learn(fdb, key_of(LARGE + i), 9, 305),
				 i < LARGE / 2 ? FDB_NEW : FDB_FULL);
	assert_int_equal(fdb_flush(fdb, FDB_NO_PORT, true), LARGE);
	for (uint64_t i = 0; i <= fdb->line_mask; i++)
		for (uint32_t j = 0; j < LINE_SLOTS; j++) {
			assert_true(fdb->lines[i].slots[j].key == KEY_NONE);
			assert_true(fdb->lines[i].slots[j].value == VALUE_NONE);
		}
	free(fdb);
}

struct seen {
	uint32_t n, of[PORTS];
};

static bool
see(const struct fdb_entry *entry, void *arg)
{
	struct seen *seen = arg;

	seen->n++;
	seen->of[entry->port]++;
	return true;
}

/* Each part of a walk shows its own stations, each part of a flush removes them. */
static void
parts_make_the_whole(void **state)
{
	const uint64_t odd[FDB_PORTS_MAX / 64] = {1 << 1 | 1 << 3};
	struct fdb *fdb = make(LARGE);
	uint32_t parts = fdb_parts(fdb), n = 0, before;

	(void)state;
	assert_in_range(parts, 2, 100);
	for (uint32_t i = 0; i < LARGE; i++)
		assert_int_equal(fdb_learn(fdb, key_of(i), (uint16_t)(i % 4), 0), FDB_NEW);
	assert_int_equal(fdb_add_static(fdb, key_of(1), 1, 0), 0);
	for (uint32_t part = 0; part < parts; part++) {
		struct seen seen = {0}, left = {0};

		assert_true(fdb_walk_part(fdb, 0, part, parts, see, &seen));
		assert_in_range(seen.n, 1, LARGE / parts * 2);
		before = fdb_count(fdb);
		n += seen.n;
		/* twice: the second time there is nothing left of them */
		assert_in_range(fdb_flush_part(fdb, odd, false, part, parts),
				seen.of[1] + seen.of[3] - 1, seen.of[1] + seen.of[3]);
		assert_int_equal(fdb_flush_part(fdb, odd, false, part, parts), 0);
		assert_true(fdb_walk_part(fdb, 0, part, parts, see, &left));
		assert_int_equal(left.of[0] + left.of[2], seen.of[0] + seen.of[2]);
		assert_int_equal(before - fdb_count(fdb), seen.n - left.n);
	}
	assert_int_equal(n, LARGE);
	assert_int_equal(fdb_port_count(fdb, 1), 1); /* the static one */
	for (uint32_t part = 0; part < parts; part++)
		fdb_flush_part(fdb, NULL, true, part, parts);
	assert_int_equal(fdb_count(fdb), 0);
	free(fdb);
}

/* A worker's batch from port, whose sources are unknown; all that learning says is expected. */
static void
learn_unknown(struct fdb *fdb, const uint64_t keys[BATCH_MAX], uint16_t port,
	      enum fdb_learned expected)
{
	uint64_t room[BATCH_MAX];
	const uint64_t *hashes = fdb_bulk_prefetch(fdb, keys, ~0ull, room);
	uint16_t ports[BATCH_MAX], holder;

	assert_ptr_equal(hashes, room);
	assert_true(fdb_bulk_refresh(fdb, keys, hashes, ~0ull, port, 20) == ~0ull);
	fdb_bulk_find(fdb, keys, hashes, ~0ull, ports);
	for (uint32_t i = 0; i < BATCH_MAX; i++) {
		assert_int_equal(ports[i], FDB_NO_PORT);
		assert_int_equal(fdb_learn(fdb, keys[i], port, 20), expected);
		assert_int_equal(fdb_learn_unless_fresh(fdb, keys[i], port, 20, 2, &holder),
				 expected);
	}
}

/*
 * A storm of frames for which a full table, or port 3, has no room, of such that would move to port
 * 3, and of such that are as they were: for none of them a line is written, or it would fault.
 */
static void
storm(struct fdb *fdb)
{
	size_t size = RTE_ALIGN_CEIL(fdb_size(MILLION), (size_t)PAGE);
	uint64_t keys[BATCH_MAX];

	assert_int_equal(mprotect(fdb, size, PROT_READ), 0);
	for (uint32_t i = 0; i < STORM; i += BATCH_MAX) {
		for (uint32_t k = 0; k < BATCH_MAX; k++)
			keys[k] = key_of(2 * MILLION + i + k);
		learn_unknown(fdb, keys, 4, FDB_FULL);
		learn_unknown(fdb, keys, 3, FDB_PORT_FULL);
		assert_int_equal(fdb_learn(fdb, key_of(4 * i), 3, 20), FDB_PORT_FULL);
		assert_int_equal(fdb_learn(fdb, key_of(4 * i), 0, 20), FDB_KNOWN);
	}
	assert_int_equal(mprotect(fdb, size, PROT_READ | PROT_WRITE), 0);
}

/* Full to the last station; ageing takes its part at each step, and none a second look. */
static void
a_million_stations(void **state)
{
	struct fdb *fdb = make(MILLION);
	uint32_t n, n_homeless = 0, n_old = 0, n_aged = 0;

	(void)state;
	for (n = 0; fdb_count(fdb) < MILLION; n++) {
		bool is_old = n % 8 >= 4;
		enum fdb_learned learned =
			fdb_learn(fdb, key_of(n), (uint16_t)(n % 4), is_old ? 0 : 20);

		n_homeless += learned != FDB_NEW;
		n_old += learned == FDB_NEW && is_old;
	}
	assert_in_range(n_homeless, 0, 5); /* both homes full: 1 in some 10^7 in a full table */
	fdb_set_port_limit(fdb, 3, MILLION / 8);
	storm(fdb);
	assert_int_equal(fdb_count(fdb), MILLION);
	for (uint32_t part = 0; part < PARTS; part++) {
		uint32_t n_part = fdb_age(fdb, 310, 300, part, PARTS);

		assert_in_range(n_part, n_old / PARTS / 10 * 9, n_old / PARTS / 10 * 11);
		n_aged += n_part;
	}
	assert_int_equal(n_aged, n_old);
	assert_int_equal(n_grace_periods, PARTS);
	assert_int_equal(fdb_count(fdb), MILLION - n_old);
	n = fdb_port_count(fdb, 2);
	assert_int_equal(fdb_flush(fdb, 2, true), n);
	assert_int_equal(fdb_flush(fdb, FDB_NO_PORT, true), MILLION - n_old - n);
	assert_int_equal(n_grace_periods, PARTS + 2);
	assert_int_equal(fdb_count(fdb), 0);
	for (uint16_t port = 0; port < PORTS; port++)
		assert_int_equal(fdb_port_count(fdb, port), 0);
	assert_int_equal(fdb_learn(fdb, key_of(0), 4, 310), FDB_NEW);
	free(fdb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batch_equals_its_frames),
		cmocka_unit_test(groups_are_not_looked_up),
		cmocka_unit_test(dead_slots_are_passed),
		cmocka_unit_test(sweeps_of_many_stretches),
		cmocka_unit_test(parts_make_the_whole),
		cmocka_unit_test(a_million_stations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

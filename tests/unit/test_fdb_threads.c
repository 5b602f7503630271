/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_fdb_threads.c: workers that learn, move and find the same few stations in a small table
 * while control flushes, ages, removes and sets static entries; with the grace periods of rcu.c.
 * Run it under TSan too (-Db_sanitize=thread).
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "error.h"
#include "fdb.h"
#include "fdb_slots.h"
#include "frame.h"
#include "rcu.h"

enum {
	WORKERS = 4,	   /* at most */
	TABLE_MAX = 24,	   /* 32 lines: slots are used again and again */
	STATIONS = 40,	   /* more than there is room for */
	GROUPS = 8,	   /* of stations; no two groups share a port */
	STATION_PORTS = 3, /* behind which a station may be */
	PORT_LIMIT = 2,	   /* five stations in a group: too few places now and then */
	STATIC_GROUP = 0,  /* the one with static entries, for which limits do not count */
	BATCH = 16,	   /* frames between two quiescent states */
	DISTURBANCES = 300,
	RUN_MS = 1500, /* at least, and until each result of fdb_learn() was seen */
	PATIENCE_MS = 60000,
	RACES = 3000,
	RACE_STATIONS = 6,
};

struct world {
	struct fdb *fdb;
	uint32_t n_workers;
	_Atomic uint32_t now_s;
	_Atomic bool stop;
	_Atomic uint64_t n_wrong; /* ports behind which a station never was */
	_Atomic uint64_t n_learned[FDB_FULL + 1];
	_Atomic uint64_t n_met; /* how many times a worker came to meet() */
	pthread_barrier_t barrier;
};

struct thread {
	struct world *world;
	uint32_t id;
	uint64_t rng;
	pthread_t pthread;
};

static uint32_t
any_below(uint64_t *rng, uint32_t n)
{
	*rng = *rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((*rng >> 32) * n >> 32);
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t
station_key(uint32_t station)
{
	return 0x525400000000ull + station;
}

static uint16_t
station_port(uint32_t station, uint32_t i)
{
	return (uint16_t)(station % GROUPS + GROUPS * i);
}

static bool
may_be_behind(uint32_t station, uint16_t port)
{
	return port == FDB_NO_PORT || port % GROUPS == station % GROUPS;
}

static void
world_make(struct world *w, uint32_t n_workers, uint32_t max)
{
	void *mem = aligned_alloc(64, fdb_size(max));
	struct error e;

	assert_non_null(mem);
	memset(mem, 0, fdb_size(max));
	memset(w, 0, sizeof(*w));
	w->fdb = fdb_create(mem, max, 20231, rcu_synchronize);
	w->n_workers = n_workers;
	assert_int_equal(rcu_init(n_workers, &e), 0);
	assert_int_equal(pthread_barrier_init(&w->barrier, NULL, n_workers + 1), 0);
}

static void
world_free(struct world *w)
{
	pthread_barrier_destroy(&w->barrier);
	rcu_fini();
	free(w->fdb);
}

static void
start(struct world *w, struct thread *threads, void *(*run)(void *))
{
	for (uint32_t i = 0; i < w->n_workers; i++) {
		threads[i] = (struct thread){.world = w, .id = i, .rng = 99 + i};
		assert_int_equal(pthread_create(&threads[i].pthread, NULL, run, &threads[i]), 0);
	}
}

static void
join(struct world *w, struct thread *threads)
{
	for (uint32_t i = 0; i < w->n_workers; i++)
		assert_int_equal(pthread_join(threads[i].pthread, NULL), 0);
}

struct listed {
	uint32_t n, n_static;
	uint32_t of_port[FDB_PORTS_MAX];
	uint32_t of_station[STATIONS];
	uint16_t port[STATIONS];
};

static bool
list_entry(const struct fdb_entry *entry, void *arg)
{
	struct listed *l = arg;
	uint64_t station = fdb_key(entry->vlan, entry->mac) - station_key(0);

	assert_true(station < STATIONS);
	assert_true(may_be_behind((uint32_t)station, entry->port));
	l->n++;
	l->n_static += entry->is_static;
	l->of_port[entry->port]++;
	l->of_station[station]++;
	l->port[station] = entry->port;
	return true;
}

/* With all workers at rest: counts, contents and slots agree, and no station is there twice. */
static void
check_at_rest(struct world *w, struct listed *l)
{
	const struct slot *slots = w->fdb->lines->slots;
	uint32_t n_used = 0;

	memset(l, 0, sizeof(*l));
	fdb_age(w->fdb, 0, 0, 0, 1); /* frees what duplicates left */
	fdb_walk(w->fdb, 0, list_entry, l);
	for (uint64_t i = 0; i < (w->fdb->line_mask + 1) * LINE_SLOTS; i++) {
		uint64_t key = slots[i].key, value = slots[i].value;

		n_used += key != KEY_NONE;
		assert_int_equal(key != KEY_NONE, (value & VALUE_LIVE) != 0);
		assert_int_equal(key == KEY_NONE, value == VALUE_NONE);
	}
	assert_int_equal(n_used, l->n); /* walk shows a station once, so no slot is a duplicate */
	assert_int_equal(fdb_count(w->fdb), l->n);
	for (uint16_t port = 0; port < FDB_PORTS_MAX; port++)
		assert_int_equal(fdb_port_count(w->fdb, port), l->of_port[port]);
	for (uint32_t i = 0; i < STATIONS; i++)
		assert_int_equal(fdb_find(w->fdb, station_key(i)),
				 l->of_station[i] ? l->port[i] : FDB_NO_PORT);
}

/* As from a guest, or, where port is the wire, as a frame that may be an echo. */
static enum fdb_learned
learn(struct thread *t, uint32_t station, uint16_t port, uint32_t now_s, uint32_t *n_wrong)
{
	struct fdb *fdb = t->world->fdb;
	enum fdb_learned learned;
	uint16_t holder = port;

	if (any_below(&t->rng, 2))
		return fdb_learn(fdb, station_key(station), port, now_s);
	learned = fdb_learn_unless_fresh(fdb, station_key(station), port, now_s, 1, &holder);
	*n_wrong += (learned == FDB_HELD) != (holder != port) || !may_be_behind(station, holder);
	return learned;
}

/* Any station, on any of its ports; and looks up any other. */
static void
one_by_one(struct thread *t, uint32_t now_s, uint32_t n_learned[FDB_FULL + 1], uint32_t *n_wrong)
{
	struct fdb *fdb = t->world->fdb;

	for (uint32_t i = 0; i < BATCH; i++) {
		uint32_t from = any_below(&t->rng, STATIONS);
		uint32_t to = any_below(&t->rng, STATIONS);
		uint16_t port = station_port(from, any_below(&t->rng, STATION_PORTS));

		n_learned[learn(t, from, port, now_s, n_wrong)]++;
		*n_wrong += !may_be_behind(to, fdb_find(fdb, station_key(to)));
		*n_wrong += !may_be_behind(from, fdb_find(fdb, station_key(from)));
	}
}

/* What fdb_bulk_prefetch() makes where the table is large. */
static const uint64_t *
hash_all(const struct fdb *fdb, const uint64_t keys[BATCH], uint64_t hashes[BATCH])
{
	for (uint32_t i = 0; i < BATCH; i++)
		hashes[i] = key_hash(fdb, keys[i] | KEY_STATION);
	return hashes;
}

/* The same with a batch of stations that are on one port, as in a small table or a large one. */
static void
in_bulk(struct thread *t, uint32_t now_s, uint32_t n_learned[FDB_FULL + 1], uint32_t *n_wrong)
{
	uint32_t group = any_below(&t->rng, GROUPS), from[BATCH], to[BATCH];
	uint16_t port = station_port(group, any_below(&t->rng, STATION_PORTS)), ports[BATCH];
	uint64_t src[BATCH], dst[BATCH], src_room[BATCH], dst_room[BATCH], others;
	const uint64_t *src_hashes = NULL, *dst_hashes = NULL;

	for (uint32_t i = 0; i < BATCH; i++) {
		from[i] = group + GROUPS * any_below(&t->rng, STATIONS / GROUPS);
		to[i] = any_below(&t->rng, STATIONS);
		src[i] = station_key(from[i]);
		dst[i] = station_key(to[i]);
	}
	if (any_below(&t->rng, 2)) {
		src_hashes = hash_all(t->world->fdb, src, src_room);
		dst_hashes = hash_all(t->world->fdb, dst, dst_room);
	}
	others = fdb_bulk_refresh(t->world->fdb, src, src_hashes, set_first(BATCH), port, now_s);
	n_learned[FDB_KNOWN] += BATCH - set_count(others);
	set_foreach (i, others)
		n_learned[learn(t, from[i], port, now_s, n_wrong)]++;
	fdb_bulk_find(t->world->fdb, dst, dst_hashes, set_first(BATCH), ports);
	for (uint32_t i = 0; i < BATCH; i++)
		*n_wrong += !may_be_behind(to[i], ports[i]);
}

/* A worker of the long run. */
static void *
learn_and_find(void *arg)
{
	struct thread *t = arg;
	struct world *w = t->world;

	rcu_online(t->id);
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		uint32_t now_s = atomic_load_explicit(&w->now_s, memory_order_relaxed);
		uint32_t n_learned[FDB_FULL + 1] = {0}, n_wrong = 0;

		if (any_below(&t->rng, 2))
			in_bulk(t, now_s, n_learned, &n_wrong);
		else
			one_by_one(t, now_s, n_learned, &n_wrong);
		rcu_quiescent(t->id);
		for (uint32_t i = 0; i <= FDB_FULL; i++)
			atomic_fetch_add_explicit(&w->n_learned[i], n_learned[i],
						  memory_order_relaxed);
		atomic_fetch_add_explicit(&w->n_wrong, n_wrong, memory_order_relaxed);
	}
	rcu_offline(t->id);
	return NULL;
}

static bool
check_entry(const struct fdb_entry *entry, void *arg)
{
	(void)arg;
	assert_true(may_be_behind((uint32_t)(fdb_key(entry->vlan, entry->mac) - station_key(0)),
				  entry->port));
	return true;
}

/* What control does, one of all that it can. */
static void
disturb(struct world *w, uint64_t *rng)
{
	uint32_t station = any_below(rng, STATIONS), now_s, part;
	uint16_t port = station_port(station, any_below(rng, STATION_PORTS));

	switch (any_below(rng, 8)) {
	case 0:
		fdb_flush(w->fdb, port, any_below(rng, 2));
		break;
	case 1:
		fdb_flush(w->fdb, FDB_NO_PORT, any_below(rng, 2));
		break;
	case 2:
		station -= station % GROUPS - STATIC_GROUP;
		port = station_port(station, any_below(rng, STATION_PORTS));
		fdb_add_static(w->fdb, station_key(station), port,
			       atomic_load_explicit(&w->now_s, memory_order_relaxed));
		break;
	case 3:
		fdb_walk(w->fdb, 0, check_entry, NULL);
		break;
	case 4:
		now_s = atomic_fetch_add_explicit(&w->now_s, 1, memory_order_relaxed) + 1;
		for (part = 0; part < 4; part++)
			fdb_age(w->fdb, now_s, 1, part, 4);
		break;
	default:
		fdb_remove(w->fdb, station_key(station));
	}
	assert_true(fdb_count(w->fdb) <= TABLE_MAX);
	if (port % GROUPS != STATIC_GROUP)
		assert_true(fdb_port_count(w->fdb, port) <= PORT_LIMIT);
}

/* Everything that learning can say was said. */
static bool
all_learned(struct world *w)
{
	for (uint32_t i = 0; i <= FDB_FULL; i++)
		if (atomic_load_explicit(&w->n_learned[i], memory_order_relaxed) == 0)
			return false;
	return true;
}

static void
run(uint32_t n_workers)
{
	struct thread threads[WORKERS];
	uint64_t rng = 7, end_ms = now_ms() + RUN_MS;
	struct listed listed;
	struct world w;

	world_make(&w, n_workers, TABLE_MAX);
	for (uint16_t port = 0; port < GROUPS * STATION_PORTS; port++)
		fdb_set_port_limit(w.fdb, port, PORT_LIMIT);
	start(&w, threads, learn_and_find);
	for (uint32_t i = 0; i < DISTURBANCES || now_ms() < end_ms ||
			     (!all_learned(&w) && now_ms() < end_ms + PATIENCE_MS);
	     i++)
		disturb(&w, &rng);
	atomic_store(&w.stop, true);
	join(&w, threads);
	assert_int_equal(w.n_wrong, 0);
	assert_true(all_learned(&w));
	check_at_rest(&w, &listed);
	assert_int_equal(fdb_flush(w.fdb, FDB_NO_PORT, true), listed.n);
	check_at_rest(&w, &listed);
	assert_int_equal(listed.n, 0);
	world_free(&w);
}

static void
two_workers_and_control(void **state)
{
	(void)state;
	run(2);
}

static void
four_workers_and_control(void **state)
{
	(void)state;
	run(4);
}

/* Lets workers go on in the same moment, as far as there are CPUs for them. */
static void
meet(struct world *w, uint64_t times)
{
	atomic_fetch_add(&w->n_met, 1);
	for (uint32_t i = 1; atomic_load(&w->n_met) < times * w->n_workers; i++)
		if (i % 4096 == 0)
			sched_yield();
}

/* A worker of the races: all learn the same new stations at the same time, each on its own port. */
static void *
race(void *arg)
{
	struct thread *t = arg;
	struct world *w = t->world;

	for (uint32_t i = 0; i < RACES; i++) {
		pthread_barrier_wait(&w->barrier);
		rcu_online(t->id);
		for (uint32_t s = 0; s < RACE_STATIONS; s++) {
			uint32_t station = (i + s) % STATIONS;

			meet(w, (uint64_t)i * RACE_STATIONS + s + 1);
			fdb_learn(w->fdb, station_key(station),
				  station_port(station, t->id % STATION_PORTS), i);
		}
		rcu_offline(t->id);
		pthread_barrier_wait(&w->barrier);
	}
	return NULL;
}

/* However two workers meet, each station is there once when they are done, and is not lost. */
static void
races(uint32_t n_workers)
{
	struct thread threads[WORKERS];
	struct listed listed;
	struct world w;
	uint32_t i, s;

	world_make(&w, n_workers, STATIONS);
	start(&w, threads, race);
	for (i = 0; i < RACES; i++) {
		pthread_barrier_wait(&w.barrier);
		/* control is one of those that meet, every other time */
		if (i % 2)
			fdb_add_static(w.fdb, station_key((i + 1) % STATIONS),
				       station_port((i + 1) % STATIONS, 0), i);
		pthread_barrier_wait(&w.barrier);
		check_at_rest(&w, &listed);
		assert_int_equal(listed.n, RACE_STATIONS);
		for (s = 0; s < RACE_STATIONS; s++)
			assert_int_equal(listed.of_station[(i + s) % STATIONS], 1);
		assert_int_equal(listed.n_static, i % 2);
		assert_int_equal(fdb_flush(w.fdb, FDB_NO_PORT, true), listed.n);
	}
	join(&w, threads);
	world_free(&w);
}

static void
two_meet_and_leave_one_entry(void **state)
{
	(void)state;
	races(2);
}

static void
four_meet_and_leave_one_entry(void **state)
{
	(void)state;
	races(4);
}

/* Workers that all know where a station is by now: nothing that was before is left. */
static void *
settle(void *arg)
{
	struct thread *t = arg;
	struct world *w = t->world;

	rcu_online(t->id);
	for (uint32_t i = 0; i < 200; i++) {
		for (uint32_t s = 0; s < STATIONS; s++)
			fdb_learn(w->fdb, station_key(s), station_port(s, any_below(&t->rng, 3)),
				  i);
		rcu_quiescent(t->id);
	}
	rcu_offline(t->id);
	pthread_barrier_wait(&w->barrier);
	pthread_barrier_wait(&w->barrier);
	rcu_online(t->id);
	for (uint32_t s = 0; s < STATIONS; s++)
		fdb_learn(w->fdb, station_key(s), station_port(s, s % STATION_PORTS), 200);
	rcu_offline(t->id);
	return NULL;
}

static void
last_word_counts(void **state)
{
	struct thread threads[WORKERS];
	struct listed listed;
	struct world w;

	(void)state;
	world_make(&w, WORKERS, STATIONS);
	start(&w, threads, settle);
	for (uint32_t i = 0; i < 20; i++)
		fdb_flush(w.fdb, FDB_NO_PORT, true);
	pthread_barrier_wait(&w.barrier);
	check_at_rest(&w, &listed);
	pthread_barrier_wait(&w.barrier);
	join(&w, threads);
	check_at_rest(&w, &listed);
	assert_int_equal(listed.n, STATIONS);
	for (uint32_t s = 0; s < STATIONS; s++)
		assert_int_equal(listed.port[s], station_port(s, s % STATION_PORTS));
	world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_workers_and_control),
		cmocka_unit_test(four_workers_and_control),
		cmocka_unit_test(two_meet_and_leave_one_entry),
		cmocka_unit_test(four_meet_and_leave_one_entry),
		cmocka_unit_test(last_word_counts),
	};

	/* a failure jumps out of a test whose threads still run: the next one would wait for ever
	 */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

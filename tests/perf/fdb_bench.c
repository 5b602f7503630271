/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fdb_bench.c: what the forwarding database costs, by number of stations, all used at random.
 *
 * frame: TSC cycles to learn the source and find the destination of a frame, in batches of 64: by
 *	the fdb_bulk_ functions, as the switch does it, and one by one
 * learn: the same for frames of new stations, from an empty table to all of them
 * storm: the same for frames of new stations that find port or table full
 * sweep: milliseconds of the control thread to flush and to age, and how long the batches of a
 *	worker take meanwhile, against those before
 *
 * Usage: fdb_bench [WORKER_CPU CONTROL_CPU]. Medians of many short slots, what is compared in
 * turns, and their fastest twentieth, as the machine may be shared. Needs no rights and no EAL, but
 * huge pages of 2 MiB, as the switch has them.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_common.h>

#include "clock.h"
#include "error.h"
#include "fdb.h"
#include "rcu.h"

enum {
	BATCH = 64, /* frames, as in the switch */
	SLOT_BATCHES = 128,
	SLOTS = 151,
	PORT = 1,	/* of all stations but those of */
	FEW_PORT = 2,	/* which has */
	FEW = 100,	/* stations */
	STORM_PORT = 3, /* and of the storm */
	SWEEPS = 9,
	AGE_PARTS = 10,	 /* as in switch.c */
	TIMES = 1 << 20, /* of batches that are remembered */
	HUGE_PAGE = 2 << 20,
	WAIT_MS = 20, /* for a worker's batches when nothing else happens */
};

/* A batch's keys and what becomes of them. */
struct batch_keys {
	uint64_t src[BATCH], dst[BATCH];
};

struct bench {
	struct fdb *fdb;
	size_t fdb_len;
	uint64_t *stations;
	uint32_t n_stations;
	struct batch_keys *batches; /* SLOT_BATCHES */
};

/* A worker that switches batch after batch, and what it writes down of them in the meantime. */
struct looker {
	struct bench *bench;
	int cpu;
	_Atomic bool stop;	       /* control: wo */
	_Atomic(struct times *) times; /* control: wo; NULL: nothing is written down */
};

struct times {
	uint32_t n;
	uint32_t ticks[TIMES];
};

/* What a sweep is to be measured doing. */
struct task {
	const char *name;
	void (*run)(struct fdb *fdb);
};

static uint64_t rng = 88172645463325252ull;
static uint64_t checksum; /* what was found: keeps the compiler from leaving it out */

static uint64_t
any(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng * 0x2545f4914f6cdd1dull; /* xorshift64* (Vigna, 2016) */
}

static uint64_t
any_station(void)
{
	return (any() >> 16 & ~(uint64_t)FDB_KEY_GROUP) | 1ull << 48; /* VLAN 1 */
}

static uint32_t
now_s(void)
{
	return (uint32_t)(clock_ns() / 1000000000ull);
}

/* As forward_batch() does it. */
static void
switch_bulk(struct fdb *fdb, const struct batch_keys *keys, uint16_t port, uint32_t at_s)
{
	uint64_t all = UINT64_MAX, src_room[BATCH], dst_room[BATCH], others;
	const uint64_t *src_hashes = fdb_bulk_prefetch(fdb, keys->src, all, src_room);
	const uint64_t *dst_hashes = fdb_bulk_prefetch(fdb, keys->dst, all, dst_room);
	uint16_t ports[BATCH];

	others = fdb_bulk_refresh(fdb, keys->src, src_hashes, all, port, at_s);
	for (; others; others &= others - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(others);

		checksum += fdb_learn(fdb, keys->src[i], port, at_s);
	}
	fdb_bulk_find(fdb, keys->dst, dst_hashes, all, ports);
	checksum += ports[at_s % BATCH];
}

static void
switch_one_by_one(struct fdb *fdb, const struct batch_keys *keys, uint16_t port, uint32_t at_s)
{
	for (uint32_t i = 0; i < BATCH; i++) {
		checksum += fdb_learn(fdb, keys->src[i], port, at_s);
		checksum += fdb_find(fdb, keys->dst[i]);
	}
}

static void
choose_frames(struct bench *b)
{
	for (uint32_t i = 0; i < SLOT_BATCHES; i++)
		for (uint32_t j = 0; j < BATCH; j++) {
			b->batches[i].src[j] = b->stations[any() % b->n_stations];
			b->batches[i].dst[j] = b->stations[any() % b->n_stations];
		}
}

/* Cycles a frame of the batches. */
static double
switch_all(struct bench *b, uint16_t port,
	   void (*way)(struct fdb *, const struct batch_keys *, uint16_t, uint32_t))
{
	uint32_t at_s = now_s();
	uint64_t start = clock_ticks();

	for (uint32_t i = 0; i < SLOT_BATCHES; i++)
		way(b->fdb, &b->batches[i], port, at_s);
	return (double)(clock_ticks() - start) / (SLOT_BATCHES * BATCH);
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
print_slots(const struct bench *b, const char *name, double *slots)
{
	qsort(slots, SLOTS, sizeof(slots[0]), compare);
	printf("%8u  %-34s %8.1f %8.1f\n", b->n_stations, name, slots[SLOTS / 2],
	       slots[SLOTS / 20]);
}

static void
bench_frames(struct bench *b)
{
	static double bulk[SLOTS], one_by_one[SLOTS];

	for (uint32_t i = 0; i < SLOTS; i++) {
		choose_frames(b);
		bulk[i] = switch_all(b, PORT, switch_bulk);
		choose_frames(b);
		one_by_one[i] = switch_all(b, PORT, switch_one_by_one);
	}
	print_slots(b, "frame, as the switch does it", bulk);
	print_slots(b, "frame, one by one", one_by_one);
}

/* Frames of new stations to one that is known, into a table or from a port that is full. */
static void
bench_storm(struct bench *b, const char *name)
{
	static double slots[SLOTS];

	for (uint32_t i = 0; i < SLOTS; i++) {
		choose_frames(b);
		for (uint32_t j = 0; j < SLOT_BATCHES; j++)
			for (uint32_t k = 0; k < BATCH; k++)
				b->batches[j].src[k] = any_station();
		slots[i] = switch_all(b, STORM_PORT, switch_bulk);
	}
	print_slots(b, name, slots);
}

static void
learn_all(struct bench *b)
{
	struct batch_keys keys;

	for (uint32_t i = 0; i < b->n_stations; i += BATCH) {
		for (uint32_t j = 0; j < BATCH; j++) {
			keys.src[j] = b->stations[RTE_MIN(i + j, b->n_stations - 1)];
			keys.dst[j] = b->stations[0];
		}
		switch_bulk(b->fdb, &keys, PORT, now_s());
	}
}

static void
bench_learn(struct bench *b)
{
	double rates[SWEEPS];

	for (uint32_t i = 0; i < SWEEPS; i++) {
		uint64_t start;

		fdb_flush(b->fdb, FDB_NO_PORT, true);
		start = clock_ns();
		learn_all(b);
		rates[i] = b->n_stations * 1e6 / (double)(clock_ns() - start);
	}
	if (fdb_count(b->fdb) != b->n_stations) {
		fprintf(stderr, "fdb_bench: only %u of %u stations were learned\n",
			fdb_count(b->fdb), b->n_stations);
		exit(1);
	}
	qsort(rates, SWEEPS, sizeof(rates[0]), compare);
	printf("%8u  %-34s %8.0f %8.0f\n", b->n_stations, "learn, thousand stations a second",
	       rates[SWEEPS / 2], rates[SWEEPS - 1]);
}

static void
run_on(int cpu)
{
	cpu_set_t cpus;
	int err;

	if (cpu < 0)
		return;
	CPU_ZERO(&cpus);
	CPU_SET((unsigned int)cpu, &cpus);
	err = pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	if (err != 0) {
		fprintf(stderr, "fdb_bench: can't run on CPU %d: %s\n", cpu, strerror(err));
		exit(1);
	}
}

static void *
look(void *arg)
{
	struct looker *l = arg;
	uint64_t start = clock_ticks(), end;

	run_on(l->cpu);
	rcu_online(0);
	for (uint32_t i = 0; !atomic_load_explicit(&l->stop, memory_order_relaxed); i++) {
		const struct batch_keys *keys = &l->bench->batches[i % SLOT_BATCHES];
		struct times *times;

		switch_bulk(l->bench->fdb, keys, PORT, now_s());
		end = clock_ticks();
		times = atomic_load_explicit(&l->times, memory_order_acquire);
		if (times && times->n < TIMES)
			times->ticks[times->n++] = (uint32_t)(end - start);
		start = end;
		rcu_quiescent(0);
	}
	rcu_offline(0);
	return NULL;
}

static int
compare_ticks(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
print_times(const char *name, struct times *t)
{
	static const double parts[] = {0.5, 0.99, 0.999, 1};

	qsort(t->ticks, t->n, sizeof(t->ticks[0]), compare_ticks);
	printf("%10s%-34s %8u  ", "", name, t->n);
	for (uint32_t i = 0; t->n > 0 && i < RTE_DIM(parts); i++)
		printf(" %7.1f", 1e6 * clock_seconds(t->ticks[(uint32_t)((t->n - 1) * parts[i])]));
	printf("\n");
}

/* The worker writes down in times from now on, and nowhere else any more. */
static void
write_down(struct looker *l, struct times *times)
{
	atomic_store_explicit(&l->times, times, memory_order_release);
	rcu_synchronize();
}

static void
flush_all(struct fdb *fdb)
{
	fdb_flush(fdb, FDB_NO_PORT, true);
}

static void
flush_few(struct fdb *fdb)
{
	fdb_flush(fdb, FEW_PORT, true);
}

static void
flush_none(struct fdb *fdb)
{
	fdb_flush(fdb, STORM_PORT, true);
}

static void
age_nothing(struct fdb *fdb)
{
	fdb_age(fdb, now_s(), FDB_AGEING_DEFAULT_S, any() % AGE_PARTS, AGE_PARTS);
}

static void
age_all(struct fdb *fdb)
{
	fdb_age(fdb, now_s() + 2 * FDB_AGEING_DEFAULT_S, FDB_AGEING_DEFAULT_S, any() % AGE_PARTS,
		AGE_PARTS);
}

/* Time that this thread has worked: the machine may be shared. */
static uint64_t
own_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void
bench_task(struct bench *b, struct looker *l, const struct task *task)
{
	static struct times before, meanwhile;
	double ms[SWEEPS];

	before.n = meanwhile.n = 0;
	for (uint32_t i = 0; i < SWEEPS; i++) {
		uint64_t start;

		learn_all(b);
		for (uint32_t j = 0; j < FEW; j++)
			fdb_learn(b->fdb, any_station(), FEW_PORT, now_s());
		write_down(l, &before);
		usleep(WAIT_MS * 1000);
		write_down(l, &meanwhile);
		start = own_ns();
		task->run(b->fdb);
		ms[i] = (double)(own_ns() - start) / 1e6;
		write_down(l, NULL);
	}
	qsort(ms, SWEEPS, sizeof(ms[0]), compare);
	printf("%8u  %-34s %8.3f %8.3f\n", b->n_stations, task->name, ms[SWEEPS / 2], ms[0]);
	print_times("  batches of a worker before", &before);
	print_times("  batches of a worker meanwhile", &meanwhile);
}

static void
bench_sweeps(struct bench *b, int cpu)
{
	static const struct task tasks[] = {
		{"flush of all", flush_all},
		{"flush of a port with 100 stations", flush_few},
		{"flush of a port without stations", flush_none},
		{"step of ageing, 1/10, all are young", age_nothing},
		{"step of ageing, 1/10, all are old", age_all},
	};
	static struct looker l;
	pthread_t thread;
	int err;

	l.bench = b;
	l.cpu = cpu;
	choose_frames(b);
	err = pthread_create(&thread, NULL, look, &l);
	if (err != 0) {
		fprintf(stderr, "fdb_bench: can't start a thread: %s\n", strerror(err));
		exit(1);
	}
	for (uint32_t i = 0; i < RTE_DIM(tasks); i++)
		bench_task(b, &l, &tasks[i]);
	atomic_store_explicit(&l.stop, true, memory_order_relaxed);
	pthread_join(thread, NULL);
}

static void *
allocate(size_t len)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);

	if (mem == MAP_FAILED) {
		fprintf(stderr,
			"fdb_bench: %zu free huge pages of 2 MiB are needed (%s): raise "
			"/proc/sys/vm/nr_hugepages\n",
			len / HUGE_PAGE, strerror(errno));
		exit(1);
	}
	return mem;
}

/* A table that n_stations just fit in, of the default size at least, with some room for the few. */
static void
bench_make(struct bench *b, uint32_t n_stations)
{
	uint32_t max = RTE_MAX(n_stations + FEW, (uint32_t)FDB_MAX_DEFAULT);

	*b = (struct bench){.n_stations = n_stations,
			    .fdb_len = RTE_ALIGN_CEIL(fdb_size(max), (size_t)HUGE_PAGE),
			    .stations = malloc(n_stations * sizeof(b->stations[0])),
			    .batches = malloc(SLOT_BATCHES * sizeof(b->batches[0]))};
	if (!b->stations || !b->batches) {
		fprintf(stderr, "fdb_bench: out of memory\n");
		exit(1);
	}
	b->fdb = fdb_create(allocate(b->fdb_len), max, any(), rcu_synchronize);
	for (uint32_t i = 0; i < n_stations; i++)
		b->stations[i] = any_station();
}

static void
bench_free(struct bench *b)
{
	free(b->batches);
	free(b->stations);
	munmap(b->fdb, b->fdb_len);
}

int
main(int argc, char **argv)
{
	static const uint32_t sizes[] = {1, 100, 10000, 100000, 1000000};
	struct error e;
	struct bench b;

	if (argc != 1 && argc != 3) {
		fprintf(stderr, "usage: fdb_bench [WORKER_CPU CONTROL_CPU]\n");
		return 2;
	}
	if (rcu_init(1, &e) != 0) {
		fprintf(stderr, "fdb_bench: %s\n", e.text);
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	clock_start();
	run_on(argc == 3 ? atoi(argv[2]) : -1);
	printf("%8s  %-34s %8s %8s\n", "stations", "", "median", "best");
	for (uint32_t i = 0; i < RTE_DIM(sizes); i++) {
		bench_make(&b, sizes[i]);
		bench_learn(&b);
		bench_frames(&b);
		fdb_set_port_limit(b.fdb, STORM_PORT, 0);
		bench_storm(&b, "frame of a storm, port is full");
		if (i == RTE_DIM(sizes) - 1) {
			printf("\n%8s  %-34s %8s %8s   batches' times: median, 99 %%, 99.9 %%, "
			       "most\n",
			       "stations", "milliseconds", "median", "best");
			bench_sweeps(&b, argc == 3 ? atoi(argv[1]) : -1);
		}
		bench_free(&b);
	}
	rcu_fini();
	return checksum == 42; /* hardly */
}

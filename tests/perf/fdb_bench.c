/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fdb_bench.c: TSC cycles per operation of the forwarding database, by number of stations: look-up,
 * refresh by learning within a second, the same in batches of 64 as the switch does it, with and
 * without fdb_prefetch(), learning of new stations, look-up of unknown ones, and the switch's pair
 * of learn and find. Tables have the default size, or what the stations need if that is more.
 *
 * Usage: fdb_bench [CPU]. Prints the median of some runs and the fastest one, as the machine may be
 * shared. Needs neither EAL nor rights; huge pages are used as the kernel gives them.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_cycles.h>

#include "fdb.h"

enum {
	OPERATIONS = 1 << 18, /* of one run */
	BATCH = 64,
	RUNS = 9,
	PORTS = 64,
	HUGE_PAGE = 2 << 20,
};

struct bench {
	struct fdb *fdb;
	uint64_t *stations;
	uint32_t n_stations;
	uint64_t *keys;	   /* OPERATIONS random ones of the stations */
	uint64_t *others;  /* OPERATIONS of none */
	uint64_t checksum; /* what was found: keeps the compiler from leaving it out */
};

static uint64_t rng = 88172645463325252ull;

static uint64_t
any(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng * 0x2545f4914f6cdd1dull; /* xorshift64* (Vigna, 2016) */
}

static void
no_readers(void)
{
}

static uint16_t
port_of(uint64_t key)
{
	return key % PORTS;
}

static void
find(struct bench *b)
{
	for (uint32_t i = 0; i < OPERATIONS; i++)
		b->checksum += fdb_find(b->fdb, b->keys[i]);
}

static void
find_unknown(struct bench *b)
{
	for (uint32_t i = 0; i < OPERATIONS; i++)
		b->checksum += fdb_find(b->fdb, b->others[i]);
}

static void
refresh(struct bench *b)
{
	for (uint32_t i = 0; i < OPERATIONS; i++)
		b->checksum += fdb_learn(b->fdb, b->keys[i], port_of(b->keys[i]), 0);
}

static void
prefetch(const struct bench *b, uint32_t first)
{
	for (uint32_t i = 0; i < BATCH; i++)
		fdb_prefetch(b->fdb, b->keys[first + i]);
}

static void
find_batch(struct bench *b)
{
	for (uint32_t i = 0; i < OPERATIONS; i += BATCH) {
		prefetch(b, i);
		for (uint32_t j = i; j < i + BATCH; j++)
			b->checksum += fdb_find(b->fdb, b->keys[j]);
	}
}

static void
refresh_batch(struct bench *b)
{
	for (uint32_t i = 0; i < OPERATIONS; i += BATCH) {
		prefetch(b, i);
		for (uint32_t j = i; j < i + BATCH; j++)
			b->checksum += fdb_learn(b->fdb, b->keys[j], port_of(b->keys[j]), 0);
	}
}

/* Learns the source, finds the destination, as for each frame that the switch sees. */
static void
learn_and_find_batch(struct bench *b)
{
	for (uint32_t i = 0; i < OPERATIONS; i += BATCH) {
		prefetch(b, i);
		for (uint32_t j = i; j < i + BATCH; j += 2) {
			b->checksum += fdb_learn(b->fdb, b->keys[j], port_of(b->keys[j]), 0);
			b->checksum += fdb_find(b->fdb, b->keys[j + 1]);
		}
	}
}

static void
learn_all(struct bench *b)
{
	for (uint32_t i = 0; i < b->n_stations; i++)
		b->checksum += fdb_learn(b->fdb, b->stations[i], port_of(b->stations[i]), 0);
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Cycles per operation of some runs: median and least. */
static void
measure(struct bench *b, const char *name, void (*run)(struct bench *b), uint32_t n)
{
	double cycles[RUNS];

	for (uint32_t i = 0; i < RUNS; i++) {
		uint64_t start;

		if (run == learn_all)
			fdb_flush(b->fdb, FDB_NO_PORT, true);
		start = rte_rdtsc_precise();
		run(b);
		cycles[i] = (double)(rte_rdtsc_precise() - start) / n;
	}
	qsort(cycles, RUNS, sizeof(cycles[0]), compare);
	printf("%9u  %-28s %8.1f %8.1f\n", b->n_stations, name, cycles[RUNS / 2], cycles[0]);
}

static void *
allocate(size_t size)
{
	void *mem = aligned_alloc(HUGE_PAGE, (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);

	if (!mem) {
		fprintf(stderr, "fdb_bench: no memory: a table needs %zu bytes\n", size);
		exit(1);
	}
	madvise(mem, size, MADV_HUGEPAGE);
	memset(mem, 0, size);
	return mem;
}

static void
bench(uint32_t n_stations)
{
	uint32_t max = n_stations > FDB_MAX_DEFAULT ? n_stations : FDB_MAX_DEFAULT;
	void *mem = allocate(fdb_size(max));
	struct bench b = {
		.fdb = fdb_create(mem, max, any(), no_readers),
		.stations = allocate(n_stations * sizeof(uint64_t)),
		.n_stations = n_stations,
		.keys = allocate(OPERATIONS * sizeof(uint64_t)),
		.others = allocate(OPERATIONS * sizeof(uint64_t)),
	};

	for (uint32_t i = 0; i < n_stations; i++)
		b.stations[i] = any() >> 16 | 1ull << 48; /* VLAN 1 */
	for (uint32_t i = 0; i < OPERATIONS; i++) {
		b.keys[i] = b.stations[any() % n_stations];
		b.others[i] = any() >> 16 | 2ull << 48;
	}
	measure(&b, "learn new", learn_all, n_stations);
	if (fdb_count(b.fdb) != n_stations) {
		fprintf(stderr, "fdb_bench: only %u of %u stations were learned\n",
			fdb_count(b.fdb), n_stations);
		exit(1);
	}
	measure(&b, "find", find, OPERATIONS);
	measure(&b, "find, batch", find_batch, OPERATIONS);
	measure(&b, "learn known", refresh, OPERATIONS);
	measure(&b, "learn known, batch", refresh_batch, OPERATIONS);
	measure(&b, "learn and find a frame, batch", learn_and_find_batch, OPERATIONS / 2);
	measure(&b, "find unknown", find_unknown, OPERATIONS);
	free(b.others);
	free(b.keys);
	free(b.stations);
	free(mem);
}

int
main(int argc, char **argv)
{
	static const uint32_t sizes[] = {16, 256, 1000, 16384, 65536, 131072, 1048576};
	cpu_set_t cpus;

	if (argc > 1) {
		CPU_ZERO(&cpus);
		CPU_SET(strtoul(argv[1], NULL, 10), &cpus);
		if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0) {
			fprintf(stderr, "fdb_bench: can't run on CPU %s: %s\n", argv[1],
				strerror(errno));
			return 1;
		}
	}
	printf("%9s  %-28s %8s %8s   (TSC cycles per operation)\n", "stations", "operation",
	       "median", "least");
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		bench(sizes[i]);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring_bench.c: what the stages of a frame's way from ring to ring cost, each by itself, with the
 * code of each level of CPU: guests' rings in the heap, all caches warm, one thread. The floor
 * below the figures of tests/perf/run, in which most of the time is spent waiting for the guests'
 * cache lines.
 *
 * A figure is the least of many rounds; the levels take turns, so that they share what disturbs.
 *
 * usage: ring_bench [TURNS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "ring_guest.h"

enum {
	BUFFER = 2048, /* bytes between two buffers */
	RING = 256,
	LEVELS_MAX = 8,
	STAGES = 3,
	ROUNDS = 400, /* of a turn */
	TURNS = 50,
};

static const char *const stage_names[STAGES] = {"rx", "tx", "release"};
static const uint32_t lens[] = {64, 512, 1518}; /* bytes of a frame */

static struct ring_guest from, to;
static struct batch batch;
static struct port_stats stats;

/* The guests' part of a round: 64 frames of len bytes, and as many buffers. */
static void
offer(uint32_t len)
{
	for (uint16_t i = 0; i < BATCH_MAX; i++) {
		ring_guest_buffer(&from, i, GUEST_LOW + i * BUFFER, FRAME_RECORD_LEN + len, false);
		ring_guest_buffer(&to, i, GUEST_LOW + i * BUFFER, BUFFER, true);
	}
}

static void
run_round(uint64_t least[STAGES])
{
	const struct ring_ops *ops = from.view.ops;
	uint64_t t[STAGES + 1];
	uint32_t n;

	batch_start(&batch, 0, 0);
	t[0] = rte_rdtsc_precise();
	n = ops->rx(&from.view, &from.ring, &batch, &stats);
	t[1] = rte_rdtsc_precise();
	ops->tx(&to.view, &to.ring, &batch, set_first(n), &stats);
	t[2] = rte_rdtsc_precise();
	ops->release(&from.ring);
	t[3] = rte_rdtsc_precise();
	for (uint32_t i = 0; i < STAGES; i++)
		least[i] = RTE_MIN(least[i], t[i + 1] - t[i]);
	if (n != BATCH_MAX || ring_guest_n_used(&from) != n || ring_guest_n_used(&to) != n) {
		fprintf(stderr, "ring_bench: of %d frames %u came in, and not all went out\n",
			BATCH_MAX, n);
		exit(EXIT_FAILURE);
	}
}

static void
run_turn(const struct level *level, bool is_packed, uint32_t len, uint64_t least[STAGES])
{
	const struct ring_guest_conf conf = {
		.size = RING, .is_mergeable = true, .is_packed = is_packed, .level = level};

	ring_guest_open(&from, conf);
	ring_guest_open(&to, conf);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		offer(len);
		run_round(least);
	}
	ring_guest_close(&from);
	ring_guest_close(&to);
}

static void
print(const char *level, bool is_packed, uint32_t len, const uint64_t least[STAGES])
{
	uint64_t sum = 0;

	printf("%-6s %4u B %-8s:", is_packed ? "packed" : "split", len, level);
	for (uint32_t i = 0; i < STAGES; i++) {
		printf("  %s %5.1f", stage_names[i], (double)least[i] / BATCH_MAX);
		sum += least[i];
	}
	printf("  together %5.1f cycles a frame\n", (double)sum / BATCH_MAX);
}

static void
measure(bool is_packed, uint32_t len, uint32_t turns)
{
	uint64_t least[LEVELS_MAX][STAGES];
	const struct level *level;

	memset(least, 0xff, sizeof(least));
	for (uint32_t turn = 0; turn < turns; turn++)
		for (uint32_t i = 0; i < LEVELS_MAX && (level = level_usable(i)) != NULL; i++)
			run_turn(level, is_packed, len, least[i]);
	for (uint32_t i = 0; i < LEVELS_MAX && (level = level_usable(i)) != NULL; i++)
		print(level->name, is_packed, len, least[i]);
}

int
main(int argc, char **argv)
{
	uint32_t turns = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : TURNS;

	for (uint32_t is_packed = 0; is_packed < 2; is_packed++)
		for (uint32_t i = 0; i < RTE_DIM(lens); i++)
			measure(is_packed, lens[i], turns);
	return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_turn.c: how receive queues share a worker: with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "turn.h"

enum {
	HZ = 1000000000, /* a cycle is a nanosecond */
	QUEUES = 8,
	POLL_NS = 20, /* that a look at an empty queue takes */
};

/* A queue that costs something. */
struct queue {
	struct turn turn;
	uint64_t frame_ns; /* that a frame of it takes */
	bool is_empty;
	uint64_t n_frames, took_ns;	/* so far */
	uint64_t waited_ns, longest_ns; /* between its turns, while there was something in it */
};

static struct turns turns;
static struct queue queues[QUEUES];
static uint32_t n_queues;
static uint64_t now_ns;

static void
start(uint32_t n)
{
	turns_init(&turns, HZ);
	memset(queues, 0, sizeof(queues));
	n_queues = n;
	now_ns = 0;
}

static void
round_of_all(void)
{
	turns_begin_round(&turns);
	for (uint32_t i = 0; i < n_queues; i++) {
		struct queue *q = &queues[i];
		uint64_t ns;

		if (!turn_is_due(&turns, &q->turn))
			continue;
		if (q->is_empty) {
			turn_empty(&q->turn);
			now_ns += POLL_NS;
			continue;
		}
		q->longest_ns = RTE_MAX(q->longest_ns, now_ns - q->waited_ns);
		ns = turn_burst(&q->turn) * q->frame_ns;
		now_ns += ns;
		q->waited_ns = now_ns;
		q->n_frames += turn_burst(&q->turn);
		q->took_ns += ns;
		turn_took(&turns, &q->turn, ns);
	}
	turns_end_round(&turns);
}

static void
run_for(uint64_t ns)
{
	uint64_t until = now_ns + ns;

	while (now_ns < until)
		round_of_all();
}

static void
assert_near(uint64_t a, uint64_t b, uint64_t off)
{
	assert_in_range(a, b > off ? b - off : 0, b + off);
}

static void
test_alone(void **state)
{
	(void)state;
	start(3);
	queues[0].frame_ns = 40;
	queues[1].is_empty = queues[2].is_empty = true;
	for (uint32_t i = 0; i < 1000; i++)
		round_of_all();
	/* no round without a batch, and none smaller than it could be */
	assert_int_equal(queues[0].n_frames, 1000 * BATCH_MAX);
}

/* Each has its part of the time, however much the frames of the others cost. */
static void
test_share(void **state)
{
	const uint64_t costs_ns[QUEUES] = {40, 40, 100, 250, 700, 3000, 20000, 100000};

	(void)state;
	for (uint32_t n = 2; n <= QUEUES; n++) {
		start(n);
		for (uint32_t i = 0; i < n; i++)
			queues[i].frame_ns = costs_ns[(i * 5 + n) % QUEUES];
		run_for(1000 * 1000 * 1000);
		for (uint32_t i = 0; i < n; i++)
			assert_in_range(queues[i].took_ns * n, now_ns / 100 * 95, UINT64_MAX);
	}
}

/* Who had nothing to send has saved nothing up, and owes nothing. */
static void
test_comes_later(void **state)
{
	(void)state;
	start(2);
	queues[0].frame_ns = queues[1].frame_ns = 100;
	queues[1].is_empty = true;
	run_for(100 * 1000 * 1000);
	queues[1].is_empty = false;
	queues[0].n_frames = 0;
	run_for(10 * 1000 * 1000);
	assert_near(queues[0].n_frames, queues[1].n_frames, 1000);
}

/* A queue of frames that cost much gets small batches: the others don't wait long. */
static void
test_long_batches(void **state)
{
	(void)state;
	start(3);
	queues[0].frame_ns = 2000; /* 64 of these would be 128 us */
	queues[1].frame_ns = queues[2].frame_ns = 50;
	run_for(1000 * 1000); /* until it is known */
	for (uint32_t i = 0; i < n_queues; i++)
		queues[i].longest_ns = 0;
	run_for(100 * 1000 * 1000);
	for (uint32_t i = 1; i < n_queues; i++)
		assert_in_range(queues[i].longest_ns, 0, 3 * TURN_BATCH_US * 1000);
	/* and large ones again when they cost less */
	queues[0].frame_ns = 50;
	run_for(1000 * 1000);
	assert_int_equal(turn_burst(&queues[0].turn), BATCH_MAX);
}

/* Time that the host took from us is not the queue's debt. */
static void
test_stolen(void **state)
{
	(void)state;
	start(2);
	queues[0].frame_ns = queues[1].frame_ns = 100;
	run_for(1000 * 1000);
	turns_begin_round(&turns);
	turn_took(&turns, &queues[0].turn, HZ); /* a second */
	turn_took(&turns, &queues[1].turn, 6400);
	turns_end_round(&turns);
	queues[0].n_frames = queues[1].n_frames = 0;
	run_for(10 * 1000 * 1000);
	assert_near(queues[0].took_ns, queues[1].took_ns,
		    (TURN_COST_MAX + 2) * TURN_BATCH_US * 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),	    cmocka_unit_test(test_share),
		cmocka_unit_test(test_comes_later), cmocka_unit_test(test_long_batches),
		cmocka_unit_test(test_stolen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_turn.c: how ports share a worker: with a clock of the test's own. */
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
	US = 1000,
	MS = 1000000,
	QUEUES = 8, /* of the tests with few */
	QUEUES_MAX = 64,
	POLL_NS = 20,	 /* that a look at an empty queue takes */
	RING_SIZE = 256, /* frames that wait for a turn; what comes more is lost */
	STOLEN_NS = 10 * MS,
};

/* A port with one queue, whose frames cost something. */
struct queue {
	struct turn turn;
	uint64_t frame_ns; /* that a frame of it takes */
	/* if not 0, of every cycle frames the last n_dear take dear_ns each */
	uint32_t cycle, n_dear;
	uint64_t dear_ns;
	uint64_t every_ns;  /* a frame comes each so many; 0: there are always more */
	bool is_empty;	    /* nothing ever comes */
	bool is_pulsed;	    /* leaves its ring empty for one look after TURN_BATCH_US of frames */
	uint32_t n_touched; /* by each batch */
	uint64_t notify_ns; /* for each that it touched */

	uint64_t came_ns, n_waiting;	/* where every_ns is not 0 */
	uint64_t pulse_ns;		/* of the present pulse */
	uint64_t n_frames, took_ns;	/* so far, with notifying */
	uint64_t waited_ns, longest_ns; /* between its turns, while there was something in it */
};

static struct turns turns;
static struct queue queues[QUEUES_MAX];
static uint32_t n_queues;
static uint64_t now_ns;
static uint64_t steal_every; /* batches, on average; 0: nothing is stolen */
static uint64_t rng;

static void
start(uint32_t n)
{
	turns_init(&turns, HZ);
	memset(queues, 0, sizeof(queues));
	n_queues = n;
	now_ns = 0;
	steal_every = 0;
	rng = n;
}

static uint64_t
any_below(uint64_t n)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (rng >> 32) * n >> 32;
}

/* How many frames are in its ring. */
static uint64_t
look(struct queue *q)
{
	if (q->is_empty)
		return 0;
	if (q->is_pulsed && q->pulse_ns >= TURN_BATCH_US * US) {
		q->pulse_ns = 0;
		return 0;
	}
	if (q->every_ns == 0)
		return RING_SIZE;
	q->n_waiting += (now_ns - q->came_ns) / q->every_ns;
	q->came_ns += (now_ns - q->came_ns) / q->every_ns * q->every_ns;
	q->n_waiting = RTE_MIN(q->n_waiting, (uint64_t)RING_SIZE);
	return q->n_waiting;
}

static uint64_t
cost_ns(const struct queue *q, uint64_t n)
{
	uint64_t ns = 0;

	for (uint64_t i = q->n_frames; i < q->n_frames + n; i++)
		ns += q->cycle && i % q->cycle >= q->cycle - q->n_dear ? q->dear_ns : q->frame_ns;
	return ns;
}

static void
take(struct queue *q, uint64_t n, bool is_left)
{
	uint64_t ns = cost_ns(q, n), stolen_ns = 0;

	if (steal_every && any_below(steal_every) == 0)
		stolen_ns = STOLEN_NS;
	q->longest_ns = RTE_MAX(q->longest_ns, now_ns - q->waited_ns);
	now_ns += ns;
	q->waited_ns = now_ns;
	q->n_waiting -= q->every_ns ? n : 0;
	q->pulse_ns += ns;
	q->n_frames += n;
	q->took_ns += ns;
	turn_took(&turns, &q->turn, ns + stolen_ns, q->n_touched, is_left);
}

static void
notify(void)
{
	uint64_t ns = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_queues; i++) {
		struct queue *q = &queues[i];

		n += q->turn.n_touched;
		ns += q->turn.n_touched * q->notify_ns;
		q->took_ns += q->turn.n_touched * q->notify_ns;
	}
	now_ns += ns;
	for (uint32_t i = 0; n && i < n_queues; i++)
		turn_notified(&queues[i].turn, turns_notify_price(&turns, ns, n));
}

static void
round_of_all(void)
{
	turns_begin_round(&turns);
	for (uint32_t i = 0; i < n_queues; i++) {
		struct queue *q = &queues[i];
		uint64_t n, n_waiting;

		if (!turn_is_due(&turns, &q->turn)) {
			turn_wait(&turns, &q->turn);
			continue;
		}
		n_waiting = look(q);
		n = RTE_MIN(n_waiting, turn_burst(&q->turn));
		if (n == 0) {
			now_ns += POLL_NS;
			q->waited_ns = now_ns;
			continue;
		}
		take(q, n, n < n_waiting);
		if (n < n_waiting)
			turn_wait(&turns, &q->turn);
	}
	turns_end_round(&turns);
	notify();
}

static void
run_for(uint64_t ns)
{
	uint64_t until = now_ns + ns;

	while (now_ns < until)
		round_of_all();
}

static void
forget(void)
{
	for (uint32_t i = 0; i < n_queues; i++) {
		queues[i].n_frames = queues[i].took_ns = queues[i].longest_ns = 0;
		queues[i].waited_ns = now_ns;
	}
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
		run_for(1000 * MS);
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
	run_for(100 * MS);
	queues[1].is_empty = false;
	queues[0].n_frames = 0;
	run_for(10 * MS);
	assert_near(queues[0].n_frames, queues[1].n_frames, 1000);
}

/* Frames of bulk, which is at that place among many idle queues, in 10 ms. */
static uint64_t
bulk_beside(uint32_t bulk, uint32_t trickle, uint64_t every_ns)
{
	start(QUEUES_MAX);
	for (uint32_t i = 0; i < n_queues; i++)
		queues[i].is_empty = i != bulk && i != trickle;
	queues[bulk].frame_ns = queues[trickle].frame_ns = 50;
	queues[trickle].every_ns = every_ns;
	run_for(10 * MS);
	/* who asks for less than its share gets all of it */
	assert_near(queues[trickle].n_frames, 10 * MS / every_ns, BATCH_MAX);
	return queues[bulk].n_frames;
}

/* Who sends a little keeps nobody from what is left, wherever the two are in the list. */
static void
test_trickle(void **state)
{
	uint64_t alone = bulk_beside(0, QUEUES_MAX - 1, 10 * MS);

	(void)state;
	assert_in_range(bulk_beside(0, QUEUES_MAX - 1, 667), alone / 100 * 90, alone);
	assert_in_range(bulk_beside(QUEUES_MAX - 1, 0, 667), alone / 100 * 90, alone);
	assert_in_range(bulk_beside(1, 0, 667), alone / 100 * 90, alone);
}

/* A ring that is empty at one look pays no debt. */
static void
test_pulsed(void **state)
{
	const uint64_t costs_ns[] = {50, 2000, 20 * US, 200 * US};

	(void)state;
	for (uint32_t i = 0; i < RTE_DIM(costs_ns); i++)
		for (uint32_t flooder = 0; flooder < 2; flooder++) {
			start(2);
			queues[0].frame_ns = queues[1].frame_ns = 50;
			queues[flooder].frame_ns = costs_ns[i];
			queues[flooder].is_pulsed = true;
			run_for(100 * MS); /* until its batches are small */
			forget();
			run_for(100 * MS);
			assert_in_range(queues[!flooder].took_ns, 48 * MS, 100 * MS);
			assert_in_range(queues[flooder].took_ns, 40 * MS, 100 * MS);
		}
}

/* A queue of frames that cost much gets small batches: the others don't wait long. */
static void
test_long_batches(void **state)
{
	(void)state;
	start(3);
	queues[0].frame_ns = 2000; /* 64 of these would be 128 us */
	queues[1].frame_ns = queues[2].frame_ns = 50;
	run_for(MS); /* until it is known */
	forget();
	run_for(100 * MS);
	for (uint32_t i = 1; i < n_queues; i++)
		assert_in_range(queues[i].longest_ns, 0, 3 * TURN_BATCH_US * US);
	/* and large ones again when they cost less */
	queues[0].frame_ns = 50;
	run_for(MS);
	assert_int_equal(turn_burst(&queues[0].turn), BATCH_MAX);
}

/* Frames that take longer than any batch should come one by one. */
static void
test_longest_frames(void **state)
{
	(void)state;
	start(2);
	queues[0].frame_ns = 480 * US; /* 64 KiB to 63 ports */
	queues[0].n_touched = 64;
	queues[1].frame_ns = 50;
	run_for(200 * MS);
	assert_int_equal(turn_burst(&queues[0].turn), 1);
	assert_int_equal(turn_bytes(&queues[0].turn), BATCH_BYTES_MAX / BATCH_MAX);
	forget();
	run_for(1000 * MS);
	assert_in_range(queues[1].longest_ns, 0, 500 * US);
	/* charged in full, though it is more than a batch may cost that touches few */
	assert_near(queues[0].took_ns, queues[1].took_ns, 2 * 480 * US);
}

/* Cheap frames in between buy the dear ones neither time nor large batches. */
static void
test_mixed(void **state)
{
	(void)state;
	for (uint32_t cycle = 2; cycle <= 128; cycle *= 2) {
		start(2);
		queues[0].cycle = cycle;
		queues[0].n_dear = cycle / 2;
		queues[0].frame_ns = queues[1].frame_ns = 50;
		queues[0].dear_ns = 40 * US;
		queues[0].n_touched = 64;
		run_for(30 * MS);
		forget();
		run_for(1000 * MS);
		assert_in_range(queues[1].took_ns, 450 * MS, 1000 * MS);
		/* no more of them than there were cheap ones before, and these in small steps */
		assert_in_range(queues[1].longest_ns, 0, 16 * 40 * US);
	}
}

/* Who has many woken pays for it. */
static void
test_notify(void **state)
{
	(void)state;
	for (uint32_t flooder = 0; flooder < 2; flooder++) {
		start(2);
		queues[0].frame_ns = queues[1].frame_ns = 50;
		queues[0].n_touched = queues[1].n_touched = 2;
		queues[flooder].n_touched = 65;
		queues[flooder].notify_ns = 1000;
		run_for(1000 * MS);
		/* who touched few of those that were woken pays for few */
		assert_in_range(queues[!flooder].took_ns, now_ns / 100 * 45, UINT64_MAX);
		assert_in_range(queues[flooder].took_ns, now_ns / 100 * 45, UINT64_MAX);
	}
	/* alone, it waits for nobody */
	start(1);
	queues[0] = (struct queue){.frame_ns = 50, .n_touched = 65, .notify_ns = 1000};
	for (uint32_t i = 0; i < 1000; i++)
		round_of_all();
	assert_int_equal(queues[0].n_frames, 1000 * BATCH_MAX);
}

/* Time that the host took from us is not the queue's debt. */
static void
test_stolen(void **state)
{
	(void)state;
	start(2);
	queues[0].frame_ns = queues[1].frame_ns = 100;
	run_for(MS);
	turns_begin_round(&turns);
	turn_took(&turns, &queues[0].turn, HZ, 2, true); /* a second */
	turn_wait(&turns, &queues[0].turn);
	turn_took(&turns, &queues[1].turn, 6400, 2, true);
	turn_wait(&turns, &queues[1].turn);
	turns_end_round(&turns);
	forget();
	run_for(10 * MS);
	assert_near(queues[0].took_ns, queues[1].took_ns, (TURN_COST_MAX + 4) * TURN_COST_US * US);
	/* and to have many notified does not take a second either */
	assert_int_equal(turns_notify_price(&turns, HZ, 4), TURN_NOTIFY_US * US);
}

/* The more queues there are, the longer one is held that the host took time from: not too long. */
static void
test_stolen_from_many(void **state)
{
	uint64_t held_ns = (TURN_COST_MAX + 2) * TURN_COST_US * US;

	(void)state;
	start(QUEUES_MAX);
	for (uint32_t i = 0; i < n_queues; i++) {
		queues[i].frame_ns = 100;
		queues[i].n_touched = 1;
	}
	steal_every = 10000;
	run_for(10000ull * MS);
	for (uint32_t i = 0; i < n_queues; i++) {
		assert_in_range(queues[i].longest_ns, 0, 2 * QUEUES_MAX * held_ns);
		assert_in_range(queues[i].took_ns * n_queues, now_ns / 100 * 80,
				now_ns / 100 * 120);
	}
}

/* In a new list all begin as equals, and nobody waits for what was. */
static void
test_new_list(void **state)
{
	(void)state;
	start(3);
	queues[0].frame_ns = 480 * US;
	queues[0].n_touched = 64;
	queues[1].frame_ns = queues[2].frame_ns = 50;
	do
		round_of_all();
	while (turn_is_due(&turns, &queues[0].turn));
	for (uint32_t i = 0; i < n_queues; i++)
		queues[i].turn = (struct turn){0};
	queues[0].frame_ns = 50;
	forget();
	run_for(3 * MS);
	for (uint32_t i = 0; i < n_queues; i++) {
		assert_near(queues[i].took_ns, MS, 2 * TURN_SLACK_US * US);
		assert_in_range(queues[i].longest_ns, 0, 3 * TURN_SLACK_US * US);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_comes_later),
		cmocka_unit_test(test_trickle),
		cmocka_unit_test(test_pulsed),
		cmocka_unit_test(test_long_batches),
		cmocka_unit_test(test_longest_frames),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_stolen),
		cmocka_unit_test(test_stolen_from_many),
		cmocka_unit_test(test_new_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

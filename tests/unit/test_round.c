/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_round.c: a worker's round with ports that do as they are told: what it calls, and whom it
 * charges. Time is the machine's, which others use, too: of many rounds the shortest tells.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "fake_hint.h"
#include "fdb.h"
#include "frame.h"
#include "round.h"
#include "switch.h"
#include "worker.h"
#include "worker_rig.h"

enum {
	ROUNDS = 20,
	MANY_ROUNDS = 10000,   /* more than could all be disturbed */
	CYCLES_PER_US = 10000, /* of what turns are told; a test takes no notice of real time */
	LONG = 100 * CYCLES_PER_US,
};

/* What a port does and has seen. */
struct acts {
	uint32_t n_good, n_bad; /* frames that rx gives, and drops by itself */
	bool is_left;		/* and says that there are more */
	uint32_t rx_cycles;	/* that it takes for it */
	uint32_t notify_cycles;

	uint32_t n_rx, n_release, n_tx, n_notify;
	uint32_t of_queue[PORT_QUEUES_MAX]; /* of n_rx */
	uint32_t max, bytes_max;	    /* of the last batch */
};

static struct acts acts[N_PORTS];

static void
spin(uint32_t cycles)
{
	uint64_t until = rte_rdtsc() + cycles;

	while (rte_rdtsc() < until)
		;
}

/* From station 02::(port) to all. */
static void
add_frame(struct batch *b, uint16_t port)
{
	struct frame *f = batch_next(b);

	memset(f->head, 0, FRAME_HEAD_MAX);
	memset(f->head, 0xff, 6);
	f->head[6] = 2;
	f->head[11] = (uint8_t)port;
	f->head[12] = 0x08;
	f->len = f->head_len = 60;
	batch_commit(b);
}

static uint32_t
act_rx(struct port *port, uint16_t queue, struct batch *b, struct port_stats *stats)
{
	struct acts *a = &acts[port->id];

	(void)stats;
	a->n_rx++;
	a->of_queue[queue]++;
	a->max = b->max;
	a->bytes_max = b->bytes_max;
	spin(a->rx_cycles);
	for (uint32_t i = 0; i < RTE_MIN(a->n_good, b->max); i++)
		add_frame(b, port->id);
	b->is_drained = !a->is_left;
	return b->n + a->n_bad;
}

static void
act_release(struct port *port, uint16_t queue, struct batch *b)
{
	assert_int_equal(b->in_port, port->id);
	assert_int_equal(b->in_queue, queue);
	acts[port->id].n_release++;
}

static uint64_t
act_tx(struct port *port, struct batch *b, uint64_t set, struct worker *worker,
       struct port_stats *stats)
{
	(void)b;
	(void)worker;
	(void)stats;
	acts[port->id].n_tx++;
	return set;
}

static void
act_notify(struct port *port, struct worker *worker, struct port_stats *stats)
{
	(void)worker;
	(void)stats;
	acts[port->id].n_notify++;
	spin(acts[port->id].notify_cycles);
}

static const struct port_ops ops = {
	.type = "fake", .rx = act_rx, .release = act_release, .tx = act_tx, .notify = act_notify};

static int
set_up(void **state)
{
	(void)state;
	worker_rig_open(&ops);
	memset(acts, 0, sizeof(acts));
	turns_init(&rig->worker.turns, CYCLES_PER_US * 1000000ull);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	worker_rig_close();
	return 0;
}

static struct turn *
turn_of(uint32_t port)
{
	return &rig->polls->polls[port].turn;
}

/* A round from a state without debts; what that port was charged for it. */
static uint64_t
charge_of(uint32_t port)
{
	turns_init(&rig->worker.turns, CYCLES_PER_US * 1000000ull);
	for (uint32_t i = 0; i < N_PORTS; i++)
		*turn_of(i) = (struct turn){0};
	round_run(&rig->worker);
	return turn_of(port)->served;
}

/* The same, the shortest of some. */
static uint64_t
least_charge_of(uint32_t port)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < ROUNDS; i++)
		least = RTE_MIN(least, charge_of(port));
	return least;
}

static void
test_nothing_came(void **state)
{
	(void)state;
	assert_int_equal(round_run(&rig->worker), 0);
	for (uint32_t i = 0; i < N_PORTS; i++) {
		assert_int_equal(acts[i].n_rx, 1);
		assert_int_equal(acts[i].max, BATCH_MAX);
		assert_int_equal(acts[i].bytes_max, BATCH_BYTES_MAX);
		assert_int_equal(acts[i].n_release, 0);
		assert_int_equal(acts[i].n_notify, 0);
		assert_int_equal(turn_of(i)->served, 0);
	}
	assert_int_equal(rig->worker.n_batches, 0);
}

static void
test_frames_go_round(void **state)
{
	(void)state;
	acts[1].n_good = 3;
	assert_int_equal(round_run(&rig->worker), 3);
	for (uint32_t i = 0; i < N_PORTS; i++) {
		assert_int_equal(acts[i].n_release, i == 1);
		assert_int_equal(acts[i].n_tx, i != 1);
		assert_int_equal(acts[i].n_notify, 1);
	}
	assert_int_equal(rig->worker.n_frames, 3);
	assert_int_equal(rig->worker.n_batches, 1);
	/* nobody is notified twice */
	acts[1].n_good = 0;
	assert_int_equal(round_run(&rig->worker), 0);
	assert_int_equal(acts[0].n_notify, 1);
}

/* Frames that rx dropped are given back, counted and charged, and go nowhere. */
static void
test_all_were_dropped(void **state)
{
	(void)state;
	acts[2].n_bad = 64;
	acts[2].rx_cycles = LONG;
	assert_int_equal(round_run(&rig->worker), 64);
	for (uint32_t i = 0; i < N_PORTS; i++) {
		assert_int_equal(acts[i].n_release, i == 2);
		assert_int_equal(acts[i].n_tx, 0);
		assert_int_equal(acts[i].n_notify, i == 2);
	}
	assert_int_equal(rig->worker.n_frames, 64);
	assert_int_equal(rig->worker.n_batches, 1);
	assert_in_range(turn_of(2)->served, LONG, UINT64_MAX);
	assert_true(turn_burst(turn_of(2)) < BATCH_MAX);
}

/* Each pays for its own batch, and a busy one not for looks at the empty queues of others. */
static void
test_who_pays(void **state)
{
	(void)state;
	acts[0].n_good = acts[3].n_good = 1;
	acts[1].rx_cycles = acts[2].rx_cycles = LONG;
	round_run(&rig->worker); /* until it is known who is busy */
	assert_in_range(least_charge_of(0), 1, LONG / 2);
	assert_in_range(least_charge_of(3), 1, LONG / 2);
	assert_int_equal(least_charge_of(1), 0);
	acts[0].rx_cycles = LONG;
	assert_in_range(least_charge_of(0), LONG, UINT64_MAX);
	assert_in_range(least_charge_of(3), 1, LONG / 2);
}

/* Who has others woken pays for that with the next batch. */
static void
test_who_pays_for_notifying(void **state)
{
	(void)state;
	acts[0].n_good = 1;
	acts[1].n_bad = 1;
	for (uint32_t i = 0; i < N_PORTS; i++)
		acts[i].notify_cycles = LONG / 100;
	charge_of(0);
	/* one has touched all four, the other itself */
	assert_in_range(turn_of(0)->owed, 3 * LONG / 100, UINT64_MAX);
	assert_in_range(turn_of(1)->owed, 1, turn_of(0)->owed / 4);
	assert_int_equal(turn_of(2)->owed, 0);
	acts[0].n_good = 0;
	round_run(&rig->worker);
	assert_in_range(turn_of(0)->owed, 3 * LONG / 100, UINT64_MAX);
	acts[0].n_good = 1;
	round_run(&rig->worker);
	assert_in_range(turn_of(0)->served, 3 * LONG / 100, UINT64_MAX);
}

/* A port that is ahead waits for one that has not got through, and not for one that has. */
static void
test_who_waits(void **state)
{
	(void)state;
	acts[0].n_good = acts[1].n_good = 1;
	acts[0].is_left = true;
	acts[0].rx_cycles = LONG;
	for (uint32_t i = 0; i < ROUNDS; i++)
		round_run(&rig->worker);
	/* but where the machine was taken from the other one for so long that it had to wait */
	assert_in_range(acts[0].n_rx, ROUNDS / 2, ROUNDS);
	acts[0].n_rx = acts[1].n_rx = 0;
	acts[1].is_left = true;
	for (uint32_t i = 0; i < MANY_ROUNDS && acts[0].n_rx >= acts[1].n_rx; i++)
		round_run(&rig->worker);
	assert_true(acts[0].n_rx < acts[1].n_rx);
}

/* A port has no more for its many queues, each of which has its turn. */
static void
test_queues_share_a_turn(void **state)
{
	struct poll *p = &rig->polls->polls[0];
	uint32_t n = 0;

	(void)state;
	p->n_queues = 5;
	for (uint8_t q = 0; q < p->n_queues; q++)
		p->queues[q] = q + 3;
	for (uint32_t i = 0; i < 2; i++) {
		acts[i].n_good = 1;
		acts[i].is_left = true;
		acts[i].rx_cycles = LONG;
	}
	while (acts[0].n_rx + acts[1].n_rx < 400)
		round_run(&rig->worker);
	assert_in_range(acts[0].n_rx, 100, 300);
	for (uint8_t q = 0; q < p->n_queues; q++) {
		assert_in_range(acts[0].of_queue[q + 3], acts[0].n_rx / 5 - 2,
				acts[0].n_rx / 5 + 2);
		n += acts[0].of_queue[q + 3];
	}
	assert_int_equal(n, acts[0].n_rx);
}

/* Alone, none of them waits, whether there is something in the others or not. */
static void
test_queues_alone(void **state)
{
	struct poll *p = &rig->polls->polls[0];

	(void)state;
	p->n_queues = 3;
	for (uint8_t q = 0; q < p->n_queues; q++)
		p->queues[q] = q;
	acts[0].n_good = 1;
	acts[0].is_left = true;
	for (uint32_t i = 0; i < ROUNDS; i++)
		assert_in_range(round_run(&rig->worker), 1, 3);
	assert_in_range(acts[0].of_queue[2], ROUNDS / 3 - 2, ROUNDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_came, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_frames_go_round, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_all_were_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_pays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_pays_for_notifying, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_queues_share_a_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_queues_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

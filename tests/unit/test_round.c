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

enum {
	N_PORTS = 4,
	FDB_STATIONS = 64,
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

struct world {
	struct vswitch sw;
	struct worker worker;
	struct port ports[N_PORTS];
	struct acts acts[N_PORTS];
	struct port_table *table;
	struct poll_list *polls;
};

static struct world *world;

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
	struct acts *a = &world->acts[port->id];

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
	world->acts[port->id].n_release++;
}

static uint64_t
act_tx(struct port *port, struct batch *b, uint64_t set, struct worker *worker,
       struct port_stats *stats)
{
	(void)b;
	(void)worker;
	(void)stats;
	world->acts[port->id].n_tx++;
	return set;
}

static void
act_notify(struct port *port, struct worker *worker, struct port_stats *stats)
{
	(void)worker;
	(void)stats;
	world->acts[port->id].n_notify++;
	spin(world->acts[port->id].notify_cycles);
}

static const struct port_ops ops = {
	.type = "fake", .rx = act_rx, .release = act_release, .tx = act_tx, .notify = act_notify};

static void
no_grace_period(void)
{
}

static void *
zeroed(size_t size)
{
	size_t whole = (size + 63) / 64 * 64;
	void *mem = aligned_alloc(64, whole);

	assert_non_null(mem);
	return memset(mem, 0, whole);
}

static int
set_up(void **state)
{
	(void)state;
	world = zeroed(sizeof(*world));
	world->table = calloc(1, sizeof(*world->table) + N_PORTS * sizeof(struct port *));
	world->polls = zeroed(sizeof(*world->polls) + N_PORTS * sizeof(struct poll));
	world->sw.fdb_mem = zeroed(fdb_size(FDB_STATIONS));
	world->sw.fdb = fdb_create(world->sw.fdb_mem, FDB_STATIONS, 42, no_grace_period);
	for (uint16_t i = 0; i < N_PORTS; i++) {
		struct port *p = &world->ports[i];

		p->ops = &ops;
		p->id = i;
		atomic_store(&p->mtu, 1500);
		atomic_store(&p->link_up, true);
		world->table->by_id[i] = p;
		world->table->ports[world->table->n++] = p;
		world->polls->polls[world->polls->n++] = (struct poll){.port = p, .n_queues = 1};
	}
	atomic_store(&world->sw.table, world->table);
	world->worker.sw = &world->sw;
	world->worker.batch = zeroed(sizeof(struct batch));
	world->worker.stats = zeroed(PORTS_MAX * sizeof(struct port_stats));
	atomic_store(&world->worker.polls, world->polls);
	turns_init(&world->worker.turns, CYCLES_PER_US * 1000000ull);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	free(world->worker.stats);
	free(world->worker.batch);
	free(world->sw.fdb_mem);
	free(world->polls);
	free(world->table);
	free(world);
	return 0;
}

static struct turn *
turn_of(uint32_t port)
{
	return &world->polls->polls[port].turn;
}

/* A round from a state without debts; what that port was charged for it. */
static uint64_t
charge_of(uint32_t port)
{
	turns_init(&world->worker.turns, CYCLES_PER_US * 1000000ull);
	for (uint32_t i = 0; i < N_PORTS; i++)
		*turn_of(i) = (struct turn){0};
	round_run(&world->worker);
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
	assert_int_equal(round_run(&world->worker), 0);
	for (uint32_t i = 0; i < N_PORTS; i++) {
		assert_int_equal(world->acts[i].n_rx, 1);
		assert_int_equal(world->acts[i].max, BATCH_MAX);
		assert_int_equal(world->acts[i].bytes_max, BATCH_BYTES_MAX);
		assert_int_equal(world->acts[i].n_release, 0);
		assert_int_equal(world->acts[i].n_notify, 0);
		assert_int_equal(turn_of(i)->served, 0);
	}
	assert_int_equal(world->worker.n_batches, 0);
}

static void
test_frames_go_round(void **state)
{
	(void)state;
	world->acts[1].n_good = 3;
	assert_int_equal(round_run(&world->worker), 3);
	for (uint32_t i = 0; i < N_PORTS; i++) {
		assert_int_equal(world->acts[i].n_release, i == 1);
		assert_int_equal(world->acts[i].n_tx, i != 1);
		assert_int_equal(world->acts[i].n_notify, 1);
	}
	assert_int_equal(world->worker.n_frames, 3);
	assert_int_equal(world->worker.n_batches, 1);
	/* nobody is notified twice */
	world->acts[1].n_good = 0;
	assert_int_equal(round_run(&world->worker), 0);
	assert_int_equal(world->acts[0].n_notify, 1);
}

/* Frames that rx dropped are given back, counted and charged, and go nowhere. */
static void
test_all_were_dropped(void **state)
{
	(void)state;
	world->acts[2].n_bad = 64;
	world->acts[2].rx_cycles = LONG;
	assert_int_equal(round_run(&world->worker), 64);
	for (uint32_t i = 0; i < N_PORTS; i++) {
		assert_int_equal(world->acts[i].n_release, i == 2);
		assert_int_equal(world->acts[i].n_tx, 0);
		assert_int_equal(world->acts[i].n_notify, i == 2);
	}
	assert_int_equal(world->worker.n_frames, 64);
	assert_int_equal(world->worker.n_batches, 1);
	assert_in_range(turn_of(2)->served, LONG, UINT64_MAX);
	assert_true(turn_burst(turn_of(2)) < BATCH_MAX);
}

/* Each pays for its own batch, and a busy one not for looks at the empty queues of others. */
static void
test_who_pays(void **state)
{
	(void)state;
	world->acts[0].n_good = world->acts[3].n_good = 1;
	world->acts[1].rx_cycles = world->acts[2].rx_cycles = LONG;
	round_run(&world->worker); /* until it is known who is busy */
	assert_in_range(least_charge_of(0), 1, LONG / 2);
	assert_in_range(least_charge_of(3), 1, LONG / 2);
	assert_int_equal(least_charge_of(1), 0);
	world->acts[0].rx_cycles = LONG;
	assert_in_range(least_charge_of(0), LONG, UINT64_MAX);
	assert_in_range(least_charge_of(3), 1, LONG / 2);
}

/* Who has others woken pays for that with the next batch. */
static void
test_who_pays_for_notifying(void **state)
{
	(void)state;
	world->acts[0].n_good = 1;
	world->acts[1].n_bad = 1;
	for (uint32_t i = 0; i < N_PORTS; i++)
		world->acts[i].notify_cycles = LONG / 100;
	charge_of(0);
	/* one has touched all four, the other itself */
	assert_in_range(turn_of(0)->owed, 3 * LONG / 100, UINT64_MAX);
	assert_in_range(turn_of(1)->owed, 1, turn_of(0)->owed / 4);
	assert_int_equal(turn_of(2)->owed, 0);
	world->acts[0].n_good = 0;
	round_run(&world->worker);
	assert_in_range(turn_of(0)->owed, 3 * LONG / 100, UINT64_MAX);
	world->acts[0].n_good = 1;
	round_run(&world->worker);
	assert_in_range(turn_of(0)->served, 3 * LONG / 100, UINT64_MAX);
}

/* A port that is ahead waits for one that has not got through, and not for one that has. */
static void
test_who_waits(void **state)
{
	(void)state;
	world->acts[0].n_good = world->acts[1].n_good = 1;
	world->acts[0].is_left = true;
	world->acts[0].rx_cycles = LONG;
	for (uint32_t i = 0; i < ROUNDS; i++)
		round_run(&world->worker);
	/* but where the machine was taken from the other one for so long that it had to wait */
	assert_in_range(world->acts[0].n_rx, ROUNDS / 2, ROUNDS);
	world->acts[0].n_rx = world->acts[1].n_rx = 0;
	world->acts[1].is_left = true;
	for (uint32_t i = 0; i < MANY_ROUNDS && world->acts[0].n_rx >= world->acts[1].n_rx; i++)
		round_run(&world->worker);
	assert_true(world->acts[0].n_rx < world->acts[1].n_rx);
}

/* A port has no more for its many queues, each of which has its turn. */
static void
test_queues_share_a_turn(void **state)
{
	struct poll *p = &world->polls->polls[0];
	uint32_t n = 0;

	(void)state;
	p->n_queues = 5;
	for (uint8_t q = 0; q < p->n_queues; q++)
		p->queues[q] = q + 3;
	for (uint32_t i = 0; i < 2; i++) {
		world->acts[i].n_good = 1;
		world->acts[i].is_left = true;
		world->acts[i].rx_cycles = LONG;
	}
	while (world->acts[0].n_rx + world->acts[1].n_rx < 400)
		round_run(&world->worker);
	assert_in_range(world->acts[0].n_rx, 100, 300);
	for (uint8_t q = 0; q < p->n_queues; q++) {
		assert_in_range(world->acts[0].of_queue[q + 3], world->acts[0].n_rx / 5 - 2,
				world->acts[0].n_rx / 5 + 2);
		n += world->acts[0].of_queue[q + 3];
	}
	assert_int_equal(n, world->acts[0].n_rx);
}

/* Alone, none of them waits, whether there is something in the others or not. */
static void
test_queues_alone(void **state)
{
	struct poll *p = &world->polls->polls[0];

	(void)state;
	p->n_queues = 3;
	for (uint8_t q = 0; q < p->n_queues; q++)
		p->queues[q] = q;
	world->acts[0].n_good = 1;
	world->acts[0].is_left = true;
	for (uint32_t i = 0; i < ROUNDS; i++)
		assert_in_range(round_run(&world->worker), 1, 3);
	assert_in_range(world->acts[0].of_queue[2], ROUNDS / 3 - 2, ROUNDS);
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

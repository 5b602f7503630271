/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.h: a thread on a CPU of its own that polls receive queues.
 *
 * A round: for each of its receive queues rx, switch, release; then notify each peer it touched
 * once; report quiescent; idle as configured. A worker never blocks, allocates, logs or enters the
 * kernel, but to sleep where `idle: sleep`, and to wake a guest.
 * How its ports share its time is in turn.h.
 *
 * Threads: worker_* functions are the control thread's.
 */
#ifndef VSWITCH_WORKER_H
#define VSWITCH_WORKER_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "port.h"
#include "stats.h"
#include "turn.h"

struct batch;
struct error;
struct vswitch;

enum {
	WORKERS_MAX = 127, /* RTE_MAX_LCORE less the control thread */
	IDLE_MAX_US_DEFAULT = 250,
	IDLE_MAX_US_LIMIT = 100000,
};

/*
 * The receive queues of a port that a worker polls, which share one turn: a guest gets no more of a
 * worker for having more queues. A cache line of its own: the lists of two workers share none.
 */
struct poll {
	/* control: wo before it is published, worker: ro */
	alignas(64) struct port *port;
	uint8_t n_queues;
	uint8_t queues[PORT_QUEUES_MAX];

	/* worker; 0 in a new list */
	uint8_t first; /* place in queues where its next turn begins */
	bool is_busy;  /* there was something in them when they were looked at last */
	struct turn turn;
};

_Static_assert(sizeof(struct poll) == 64, "a cache line");

/* Published whole; a new one replaces it. */
struct poll_list {
	uint32_t n; /* ports */
	struct poll polls[];
};

struct worker {
	/* control: wo before start, all: ro */
	uint32_t id; /* 0..; also its number in rcu.h */
	uint16_t cpu;
	int node; /* NUMA node of cpu; 0 where the machine has none */
	struct vswitch *sw;
	struct rte_mempool *pool; /* mbufs on its node, for ports that send mbufs */
	pthread_t thread;
	pid_t tid; /* of thread; wo by it, before worker_start() is done */
	bool started;

	_Atomic(struct poll_list *) polls; /* control: wo, worker: ro */
	_Atomic uint32_t idle_max_us;	   /* control: wo, worker: ro; 0: poll */
	_Atomic bool stop;		   /* control: wo, worker: ro */

	/* worker: rw, others: ro, relaxed */
	alignas(64) _Atomic uint64_t n_rounds;
	_Atomic uint64_t n_busy_rounds; /* rounds that moved a frame */
	_Atomic uint64_t n_sleeps;
	_Atomic uint64_t busy_cycles; /* TSC cycles of busy rounds */
	_Atomic uint64_t idle_cycles; /* of empty rounds and sleep */
	_Atomic uint64_t n_frames;    /* that came in; those that rx dropped, too */
	_Atomic uint16_t at;	      /* id of the port of which it called what may wake a peer */
	_Atomic uint64_t n_batches;   /* and batches in which they came, even if all were dropped */

	/* worker only */
	struct batch *batch;
	struct batch *finished; /* frames of batch, as one receiver takes them */
	struct turns turns;
	uint64_t touched[PORTS_MAX / 64]; /* ports to notify at the end of the round */
	uint64_t touched_words;		  /* which words of touched are not 0 */
	uint32_t n_touches;		  /* calls of worker_touch() for this batch */
	uint32_t full_s;		  /* second after the last HINT_FDB_FULL; 0: none */

	struct port_stats *stats; /* [PORTS_MAX]; worker: rw, others: ro */

	/* worker only, snoop.c */
	uint32_t heard_s;	     /* the second that n_heard is of */
	uint16_t n_heard[PORTS_MAX]; /* HINT_GROUPs posted for each port */
};

static inline struct port_stats *
worker_stats(struct worker *w, const struct port *port)
{
	return &w->stats[port->id];
}

/* The peer of port is to be notified. Once a batch for each port. */
static inline void
worker_touch(struct worker *w, const struct port *port)
{
	w->touched[port->id / 64] |= 1ull << port->id % 64;
	w->touched_words |= 1ull << port->id / 64;
	w->n_touches++;
}

static inline uint64_t
worker_rounds(const struct worker *w)
{
	return atomic_load_explicit(&w->n_rounds, memory_order_relaxed);
}

/* Before each call of a port's that may wake its peer. */
static inline void
worker_enter(struct worker *w, const struct port *port)
{
	atomic_store_explicit(&w->at, port->id, memory_order_relaxed);
}

/* Makes a worker for cpu with its memory on that CPU's node; NULL with the sentence in e. */
struct worker *worker_create(struct vswitch *sw, uint32_t id, uint16_t cpu, uint32_t n_mbufs,
			     uint32_t idle_max_us, struct error *e);

/* Starts its thread with an empty poll list. 0 or -errno. */
int worker_start(struct worker *w, struct error *e);

/* Ends the thread and frees the worker; takes NULL and one that was not started. */
void worker_destroy(struct worker *w);

/*
 * Publishes a new poll list (taken over; NULL is an empty one), waits a grace period and frees the
 * old one: when it returns, the worker polls nothing that is not in the new list.
 */
void worker_set_polls(struct worker *w, struct poll_list *polls);

#endif

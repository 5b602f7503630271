/* SPDX-License-Identifier: BSD-3-Clause */
/* worker.c: a worker's life, see worker.h; its rounds are in round.c. */
#include "worker.h"

#include <errno.h>
#include <numa.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_pause.h>

#include "error.h"
#include "frame.h"
#include "mbuf.h"
#include "rcu.h"
#include "round.h"
#include "stall.h"
#include "switch.h"

enum {
	EMPTY_ROUNDS = 200, /* before the first sleep: some ten microseconds */
	SLEEP_FIRST_US = 1,
};

static struct poll_list no_polls;

/* Sleeps off the CPU; the switch waits for no grace period of a sleeper. */
static void
worker_sleep(struct worker *w, uint32_t us)
{
	struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000l};

	rcu_offline(w->id);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
	rcu_online(w->id);
	stats_add(&w->n_sleeps, 1);
}

/* Sleeps longer the longer nothing came. */
static void
worker_idle(struct worker *w, uint32_t n_empty, uint32_t *sleep_us)
{
	uint32_t max_us = atomic_load_explicit(&w->idle_max_us, memory_order_relaxed);

	if (max_us == 0 || n_empty < EMPTY_ROUNDS) {
		rte_pause();
		return;
	}
	*sleep_us = *sleep_us ? *sleep_us * 2 : SLEEP_FIRST_US;
	if (*sleep_us > max_us)
		*sleep_us = max_us;
	worker_sleep(w, *sleep_us);
}

static void
worker_loop(struct worker *w)
{
	uint64_t now, last = rte_rdtsc();
	uint32_t n_empty = 0, sleep_us = 0;

	while (likely(!atomic_load_explicit(&w->stop, memory_order_relaxed))) {
		uint32_t n = round_run(w);

		rcu_quiescent(w->id);
		stats_add(&w->n_rounds, 1);
		if (n) {
			n_empty = sleep_us = 0;
			stats_add(&w->n_busy_rounds, 1);
			now = rte_rdtsc();
			stats_add(&w->busy_cycles, now - last);
		} else {
			worker_idle(w, ++n_empty, &sleep_us);
			now = rte_rdtsc();
			stats_add(&w->idle_cycles, now - last);
		}
		last = now;
	}
}

/* What worker_start() and the new thread have to say to each other. */
struct start {
	struct worker *worker;
	sem_t done;
	int err; /* rte_errno, read after done */
};

static void *
worker_main(void *arg)
{
	struct start *start = arg;
	struct worker *w = start->worker;
	char name[16];

	snprintf(name, sizeof(name), "worker-%u", w->cpu);
	pthread_setname_np(pthread_self(), name);
	prctl(PR_SET_TIMERSLACK, 1); /* ns: sleeps of a few microseconds mean what they say */
	w->tid = gettid();
	start->err = rte_thread_register() == 0 ? 0 : rte_errno;
	if (start->err) {
		sem_post(&start->done);
		return NULL;
	}
	rcu_online(w->id);
	sem_post(&start->done); /* start is gone from here on */
	worker_loop(w);
	rcu_offline(w->id);
	rte_thread_unregister();
	return NULL;
}

static int
node_of_cpu(uint16_t cpu)
{
	int node = numa_available() < 0 ? 0 : numa_node_of_cpu(cpu);

	return node < 0 ? 0 : node;
}

struct worker *
worker_create(struct vswitch *sw, uint32_t id, uint16_t cpu, uint32_t n_mbufs, uint32_t idle_max_us,
	      struct error *e)
{
	int node = node_of_cpu(cpu);
	struct worker *w = rte_zmalloc_socket("worker", sizeof(*w), 64, node);

	if (!w)
		goto no_memory;
	w->id = id;
	w->cpu = cpu;
	w->node = node;
	w->sw = sw;
	atomic_init(&w->polls, &no_polls);
	turns_init(&w->turns, rte_get_tsc_hz());
	atomic_init(&w->idle_max_us, idle_max_us);
	w->batch = rte_zmalloc_socket("batch", sizeof(*w->batch), 64, node);
	w->finished = rte_zmalloc_socket("batch", sizeof(*w->finished), 64, node);
	w->stats = rte_zmalloc_socket("stats", PORTS_MAX * sizeof(*w->stats), 64, node);
	if (!w->batch || !w->finished || !w->stats)
		goto no_memory;
	w->pool = mbuf_pool_create("worker", n_mbufs, node, e);
	if (!w->pool)
		goto fail;
	return w;

no_memory:
	error_set(e, -ENOMEM,
		  "worker on CPU %u: no packet memory left on NUMA node %d: raise switch: memory",
		  cpu, node);
fail:
	worker_destroy(w);
	return NULL;
}

int
worker_start(struct worker *w, struct error *e)
{
	struct start start = {.worker = w};
	pthread_attr_t attr;
	sigset_t all, before;
	cpu_set_t cpus;
	int err;

	CPU_ZERO(&cpus);
	CPU_SET(w->cpu, &cpus);
	sem_init(&start.done, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	/* signals are the control thread's: a worker is born with all of them blocked */
	sigfillset(&all);
	sigdelset(&all, SIGBUS); /* of a worker's own doing: a kind of port may handle it */
	sigdelset(&all, STALL_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, &attr, worker_main, &start);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (err)
		return error_set(e, -err, "worker on CPU %u: can't start a thread: %s", w->cpu,
				 strerror(err));
	while (sem_wait(&start.done) != 0)
		;
	sem_destroy(&start.done);
	if (start.err) {
		pthread_join(w->thread, NULL);
		return error_set(e, -start.err, "worker on CPU %u: can't become a DPDK lcore: %s",
				 w->cpu, rte_strerror(start.err));
	}
	w->started = true;
	return 0;
}

void
worker_destroy(struct worker *w)
{
	struct poll_list *polls;

	if (!w)
		return;
	if (w->started) {
		atomic_store_explicit(&w->stop, true, memory_order_relaxed);
		pthread_join(w->thread, NULL);
	}
	polls = atomic_load_explicit(&w->polls, memory_order_relaxed);
	if (polls != &no_polls)
		free(polls);
	mbuf_pool_retire(w->pool);
	rte_free(w->stats);
	rte_free(w->finished);
	rte_free(w->batch);
	rte_free(w);
}

void
worker_set_polls(struct worker *w, struct poll_list *polls)
{
	struct poll_list *old;

	old = atomic_exchange_explicit(&w->polls, polls ? polls : &no_polls, memory_order_acq_rel);
	rcu_synchronize();
	if (old != &no_polls)
		free(old);
}

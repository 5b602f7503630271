/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * probe.c: ping-pong of one cache line between two CPUs (probe.h).
 */
#include "probe.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"

enum {
	PROBE_BLOCKS = 5,   /* the best counts: an interrupt spoils one */
	PROBE_ROUNDS = 300, /* to and fro in a block */
	PROBE_WAIT_MS = 200,
	PROBE_END_S = 1, /* for a thread that had no CPU to see that it is to end */
};

struct probe {
	alignas(64) _Atomic uint32_t ball; /* even: ours to hit, odd: the other's; rw by both */
	alignas(64) _Atomic bool stop;	   /* owner: wo, other: ro */
	sem_t start;			   /* owner posts, the other waits */
	pthread_t thread;
	bool is_started;
	_Atomic bool is_realtime; /* other: wo before the first answer */
	uint16_t cpu;
};

static void *
answer(void *arg)
{
	const struct sched_param lowest = {.sched_priority = 1};
	struct probe *p = arg;

	atomic_store(&p->is_realtime,
		     pthread_setschedparam(pthread_self(), SCHED_FIFO, &lowest) == 0);
	for (;;) {
		while (sem_wait(&p->start) != 0)
			;
		if (atomic_load(&p->stop))
			return NULL;
		for (uint32_t i = 0; i < PROBE_BLOCKS * PROBE_ROUNDS; i++) {
			while (atomic_load_explicit(&p->ball, memory_order_acquire) != 2 * i + 1)
				if (atomic_load_explicit(&p->stop, memory_order_relaxed))
					return NULL;
			atomic_store_explicit(&p->ball, 2 * i + 2, memory_order_release);
		}
	}
}

static bool
start(struct probe *p)
{
	pthread_attr_t attr;
	cpu_set_t set;

	atomic_store(&p->stop, false);
	sem_init(&p->start, 0, 0);
	CPU_ZERO(&set);
	CPU_SET(p->cpu, &set);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	p->is_started = pthread_create(&p->thread, &attr, answer, p) == 0;
	pthread_attr_destroy(&attr);
	return p->is_started;
}

/* After a ball that did not come back. False: the other thread still has no CPU. */
static bool
start_anew(struct probe *p)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PROBE_END_S;
	if (p->is_started && pthread_timedjoin_np(p->thread, NULL, &until) != 0)
		return false;
	p->is_started = false;
	sem_destroy(&p->start);
	return start(p);
}

struct probe *
probe_create(uint16_t cpu)
{
	struct probe *p = aligned_alloc(alignof(struct probe), sizeof(*p));

	if (p == NULL)
		return NULL;
	*p = (struct probe){.cpu = cpu};
	if (start(p))
		return p;
	probe_destroy(p);
	return NULL;
}

void
probe_destroy(struct probe *p)
{
	if (p == NULL)
		return;
	if (p->is_started) {
		atomic_store(&p->stop, true);
		sem_post(&p->start);
		pthread_join(p->thread, NULL);
	}
	sem_destroy(&p->start);
	free(p);
}

bool
probe_is_realtime(const struct probe *p)
{
	return atomic_load(&p->is_realtime);
}

/* Hits the ball and waits until it is back. False if it does not come: the other is to end. */
static bool
hit(struct probe *p, uint32_t i)
{
	uint64_t until = clock_ticks() + (uint64_t)(clock_hz * PROBE_WAIT_MS / 1000);
	uint32_t spins = 0;

	atomic_store_explicit(&p->ball, 2 * i + 1, memory_order_release);
	while (atomic_load_explicit(&p->ball, memory_order_acquire) != 2 * i + 2)
		if (++spins % 4096 == 0 && clock_ticks() > until) {
			atomic_store(&p->stop, true);
			return false;
		}
	return true;
}

double
probe_measure(struct probe *p)
{
	double best_s = -1;

	if (atomic_load(&p->stop) && !start_anew(p))
		return -1;
	atomic_store(&p->ball, 0);
	sem_post(&p->start);
	for (uint32_t block = 0; block < PROBE_BLOCKS; block++) {
		uint64_t start;
		double s;

		/* the first hit also waits until the other thread runs */
		if (!hit(p, block * PROBE_ROUNDS))
			return -1;
		start = clock_ticks();
		for (uint32_t i = 1; i < PROBE_ROUNDS; i++)
			if (!hit(p, block * PROBE_ROUNDS + i))
				return -1;
		s = clock_seconds(clock_ticks() - start) / (2 * (PROBE_ROUNDS - 1));
		if (best_s < 0 || s < best_s)
			best_s = s;
	}
	return best_s * 1e9;
}

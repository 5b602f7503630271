/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.h: a clock that costs little, for the generator's loop. Its rate is measured once.
 *
 * Threads: clock_start() once, before the others.
 */
#ifndef PERF_CLOCK_H
#define PERF_CLOCK_H

#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

extern double clock_hz; /* ticks a second; set by clock_start() */

void clock_start(void);

static inline uint64_t
clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline uint64_t
clock_ticks(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#else
	return clock_ns();
#endif
}

static inline double
clock_seconds(uint64_t ticks)
{
	return (double)ticks / clock_hz;
}

#endif

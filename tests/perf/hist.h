/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hist.h: a histogram of times, finer than 1 % of each.
 *
 * Values below 2 * HIST_STEPS have a counter each; above, each power of two is cut into HIST_STEPS
 * equal parts.
 *
 * Threads: a histogram belongs to one thread.
 */
#ifndef PERF_HIST_H
#define PERF_HIST_H

#include <stdint.h>

enum {
	HIST_BITS = 7,
	HIST_STEPS = 1 << HIST_BITS,
	HIST_COUNTERS = (64 - HIST_BITS + 1) * HIST_STEPS,
};

struct hist {
	uint64_t n, sum, max;
	uint32_t counters[HIST_COUNTERS];
};

/* The value that this part of all values is at or below: the middle of its step. */
uint64_t hist_quantile(const struct hist *h, double part);

static inline void
hist_add(struct hist *h, uint64_t value)
{
	uint32_t shift = 0;

	if (value >= 2 * HIST_STEPS)
		shift = 63 - HIST_BITS - (uint32_t)__builtin_clzll(value);
	h->counters[shift * HIST_STEPS + (value >> shift)]++;
	h->n++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
}

#endif

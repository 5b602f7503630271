/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hist.c: reading a histogram (hist.h).
 */
#include "hist.h"

uint64_t
hist_quantile(const struct hist *h, double part)
{
	uint64_t wanted = (uint64_t)((double)h->n * part), seen = 0;

	if (wanted >= h->n)
		return h->max;
	for (uint32_t i = 0; i < HIST_COUNTERS; i++) {
		uint32_t shift = i < 2 * HIST_STEPS ? 0 : i / HIST_STEPS - 1;
		uint64_t middle;

		seen += h->counters[i];
		if (seen <= wanted)
			continue;
		middle = ((uint64_t)(i - shift * HIST_STEPS) << shift) + ((1ull << shift) >> 1);
		return middle < h->max ? middle : h->max;
	}
	return h->max;
}

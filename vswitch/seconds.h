/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * seconds.h: the seconds that stations and groups are old in. Nobody is heard while this clock
 * stands still, so a second of it has to last for workers to hear in: of a stall of the control
 * thread, which moves it, one second counts. Else all stations would be forgotten at its end.
 *
 * Threads: control.
 */
#ifndef VSWITCH_SECONDS_H
#define VSWITCH_SECONDS_H

#include <stdint.h>

enum {
	SECONDS_STEP_NS = 1000000000, /* at most, from one tick to the next */
};

struct seconds {
	uint64_t ticked_ns; /* of CLOCK_MONOTONIC */
	uint64_t ns;	    /* that count */
};

static inline void
seconds_start(struct seconds *s, uint64_t now_ns)
{
	*s = (struct seconds){.ticked_ns = now_ns};
}

/* Seconds since the start, at most one more than at the last call. */
static inline uint32_t
seconds_tick(struct seconds *s, uint64_t now_ns)
{
	uint64_t step_ns = now_ns - s->ticked_ns;

	s->ticked_ns = now_ns;
	s->ns += step_ns < SECONDS_STEP_NS ? step_ns : SECONDS_STEP_NS;
	return (uint32_t)(s->ns / 1000000000);
}

#endif

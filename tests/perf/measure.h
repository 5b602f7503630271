/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * measure.h: what perf_gen does with its two guests; each function answers on stdout with one line
 * of JSON, {"error": SENTENCE} if it could not be done.
 *
 * Threads: the one that has both guests.
 */
#ifndef PERF_MEASURE_H
#define PERF_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe.h"
#include "traffic.h"

enum {
	MEASURE_LIMIT = 512, /* frames in flight that no ring of 1024 runs full of */
};

struct gen {
	struct guest guests[2];
	struct guest_conf confs[2];
	struct probe *probe;
	int cpu, switch_cpu; /* -1: wherever */
	pid_t switch_pid;    /* 0: not known */
};

/* One command line. */
struct command {
	char verb[16];
	struct traffic traffic;
	bool both_ways;
	uint32_t ms;
	uint64_t frames;
};

/* Every station sends a frame, so that the switch knows where it is. */
void measure_teach(struct gen *gen, const struct command *c);

/* Sends as fast as it goes for c->ms milliseconds and counts what arrives. */
void measure_window(struct gen *gen, const struct command *c);

/*
 * Accounts for each of c->frames frames: received once, in order, as it was sent; or lost.
 * c->traffic is verified and has a limit.
 */
void measure_verify(struct gen *gen, const struct command *c);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.h: the command line of the programs that play guests: [OPTIONS] NAME NAME [NAME ...],
 * where a name is a guest's socket or interface.
 *
 * Threads: main.
 */
#ifndef PERF_OPTIONS_H
#define PERF_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe.h"

struct options {
	bool is_server; /* the guests listen, the switch connects */
	bool is_packed, is_in_order, has_event_idx;
	bool has_sum, has_tso;	  /* what guests may leave to the switch, and take as it is left */
	bool has_plain_receivers; /* but every second guest has none of it */
	bool is_mergeable, has_hugepages;
	uint16_t ring_size;
	uint32_t rx_len, frame_max; /* bytes */
	int cpu, switch_cpu;	    /* -1: wherever */
	pid_t switch_pid;	    /* 0: not known */
	uint32_t n_names;
	char **names;
};

/*
 * What a program takes: its name, what its guests' names are, and the letters of the options that
 * it has, of those in options.c.
 */
struct options_kind {
	const char *program, *names, *letters;
	uint32_t names_max;
};

/* False: it has written how it is to be used. */
bool options_parse(struct options *o, const struct options_kind *kind, int argc, char **argv);

/*
 * Goes to the CPU, starts the clock, makes stdout answer line by line. 0 or -errno, with a line
 * on stderr.
 */
int options_settle(const struct options *o, const struct options_kind *kind);

#endif

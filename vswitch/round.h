/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * round.h: what a worker does again and again: for each of its receive queues rx, switch, release;
 * then notify each peer that it touched once. How its ports share its time is in turn.h.
 *
 * Threads: the worker.
 */
#ifndef VSWITCH_ROUND_H
#define VSWITCH_ROUND_H

#include <stdint.h>

struct worker;

/* Returns the number of frames received, those that rx dropped included. */
uint32_t round_run(struct worker *w);

#endif

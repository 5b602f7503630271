/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * probe.h: how far apart are two CPUs at this moment?
 *
 * In a virtual machine the host may move a vCPU between two windows of a measurement. A cache line
 * that goes to and fro between both CPUs shows it: some 30 ns one way where they share an L3 cache,
 * ten times as much where they do not. What is measured while they are apart says nothing about a
 * switch.
 *
 * Threads: the owner's, which runs on the one CPU; a thread of the probe's own sleeps on the other,
 * with a real-time priority, so that it can interrupt what polls there.
 */
#ifndef PERF_PROBE_H
#define PERF_PROBE_H

#include <stdbool.h>
#include <stdint.h>

struct probe;

/* Starts the other thread on cpu. NULL if that can't be. */
struct probe *probe_create(uint16_t cpu);
void probe_destroy(struct probe *p); /* takes NULL */

/* Nanoseconds that a cache line takes one way; negative if the other thread did not answer. */
double probe_measure(struct probe *p);

/* False: not allowed a real-time priority; a busy switch on that CPU makes figures too high. */
bool probe_is_realtime(const struct probe *p);

#endif

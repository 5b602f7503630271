/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * steal.h: how long did a thread wait for a CPU because somebody else had it?
 *
 * Threads: any.
 */
#ifndef PERF_STEAL_H
#define PERF_STEAL_H

#include <stdint.h>
#include <sys/types.h>

/* Nanoseconds that the calling thread has waited since it was made; 0 if the kernel doesn't say. */
uint64_t steal_self_ns(void);

/* The thread of a process that has used the most CPU time, so the one that polls; 0: none. */
pid_t steal_busiest(pid_t pid);

/* Nanoseconds that it has waited; 0 for thread 0. */
uint64_t steal_thread_ns(pid_t pid, pid_t thread);

#endif

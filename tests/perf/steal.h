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

/*
 * The thread of a process that polls: of those that may run on this CPU only, the one that has used
 * the most CPU time; of all, if there are none such; 0: none.
 */
pid_t steal_poller(pid_t pid, int cpu);

/* Nanoseconds that it has waited; 0 for thread 0. */
uint64_t steal_thread_ns(pid_t pid, pid_t thread);

/*
 * Seconds that the host of a virtual machine has kept the calling thread's CPU and this one for
 * itself, in steps of 10 ms; 0 if it doesn't say.
 */
double steal_host_seconds(int cpu);

#endif

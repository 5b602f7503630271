/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * startup.h: what main.c does before there is a switch: look at the machine, start DPDK.
 *
 * Threads: the main thread, before any other.
 */
#ifndef VSWITCH_STARTUP_H
#define VSWITCH_STARTUP_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct switch_conf;

/* Are the workers' CPUs there, and may this process run on them? 0 or -EINVAL. */
int startup_check_cpus(const struct switch_conf *conf, struct error *e);

/* Are memory bytes of hugepages free on the nodes of the workers? 0 or -ENOMEM. */
int startup_check_hugepages(const struct switch_conf *conf, uint64_t memory, struct error *e);

/*
 * Starts EAL on this thread only, with memory bytes, its log going through log.h. more: NULL-ended
 * further EAL options. 0 or -errno.
 */
int startup_eal(const struct switch_conf *conf, uint64_t memory, bool hugepages, bool debug,
		char *const *more, struct error *e);

/* Ends EAL and removes what it has left behind. Call once, if startup_eal() succeeded. */
void startup_eal_end(void);

/* mbufs for each worker out of memory bytes: a quarter of it, within sensible bounds. */
uint32_t startup_mbufs(uint64_t memory, uint32_t n_workers);

#endif

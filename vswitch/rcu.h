/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rcu.h: grace periods (rte_rcu_qsbr). What a worker read from a published pointer stays valid
 * until that worker next reports quiescent; who takes something out of sight waits a grace period
 * before it frees or reuses it.
 *
 * Threads: a worker calls rcu_online/offline/quiescent with its own id. rcu_synchronize may be
 * called by every other thread (control, vhost), several at a time; never by a worker, and never
 * while holding a lock that a worker takes.
 */
#ifndef VSWITCH_RCU_H
#define VSWITCH_RCU_H

#include <stdint.h>

struct error;

/* Room for n_workers with ids from 0. Returns 0 or -ENOMEM. Call once, before workers start. */
int rcu_init(uint32_t n_workers, struct error *e);
void rcu_fini(void);

void rcu_online(uint32_t worker);    /* before the first read, and after each rcu_offline() */
void rcu_offline(uint32_t worker);   /* holds nothing, will not report: asleep or gone */
void rcu_quiescent(uint32_t worker); /* holds nothing at this moment */

/* Waits until each worker online at the call was quiescent or offline once. */
void rcu_synchronize(void);

#endif

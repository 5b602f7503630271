/* SPDX-License-Identifier: BSD-3-Clause */
/* rcu.c: one rte_rcu_qsbr variable for the whole switch, see rcu.h. */
#include "rcu.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <rte_common.h>
#include <rte_rcu_qsbr.h>

#include "error.h"

static struct rte_rcu_qsbr *qsbr;

int
rcu_init(uint32_t n_workers, struct error *e)
{
	size_t size = rte_rcu_qsbr_get_memsize(n_workers);

	qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(size, RTE_CACHE_LINE_SIZE));
	if (!qsbr)
		return error_set(e, -ENOMEM, "out of memory for the grace periods of %u workers",
				 n_workers);
	rte_rcu_qsbr_init(qsbr, n_workers);
	for (uint32_t i = 0; i < n_workers; i++)
		rte_rcu_qsbr_thread_register(qsbr, i);
	return 0;
}

void
rcu_fini(void)
{
	free(qsbr);
	qsbr = NULL;
}

void
rcu_online(uint32_t worker)
{
	rte_rcu_qsbr_thread_online(qsbr, worker);
}

void
rcu_offline(uint32_t worker)
{
	rte_rcu_qsbr_thread_offline(qsbr, worker);
}

void
rcu_quiescent(uint32_t worker)
{
	rte_rcu_qsbr_quiescent(qsbr, worker);
}

void
rcu_synchronize(void)
{
	/*
	 * Full fence: what was taken out of sight must be so before we read that a worker is
	 * offline. One that comes online has its own (rte_rcu_qsbr_thread_online()), between saying
	 * so and its first read. DPDK has only a release on this side.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	rte_rcu_qsbr_synchronize(qsbr, RTE_QSBR_THRID_INVALID);
}

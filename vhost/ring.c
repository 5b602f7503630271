/* SPDX-License-Identifier: BSD-3-Clause */
/* ring.c: what all rings have in common, see ring.h. */
#include "ring.h"

#include <sys/eventfd.h>

void
ring_attach(struct ring *r, const struct ring_view *v, uint16_t avail, uint16_t used)
{
	r->avail = avail;
	atomic_store_explicit(&r->used, used, memory_order_relaxed);
	r->hint = 0;
	r->n_lent = 0;
	r->lent = NULL;
	atomic_store_explicit(&r->signalled, 0, memory_order_relaxed);
	v->ops->silence(v, r);
}

void
ring_reset(struct ring *r)
{
	rte_spinlock_init(&r->lock);
	r->avail = 0;
	r->n_lent = 0;
	r->lent = NULL;
	atomic_store_explicit(&r->used, 0, memory_order_relaxed);
	atomic_store_explicit(&r->fault, RING_FINE, memory_order_relaxed);
	atomic_store_explicit(&r->touched, false, memory_order_relaxed);
	atomic_store_explicit(&r->signalled, 0, memory_order_relaxed);
}

void
ring_call(const struct ring_view *v)
{
	if (v->call_fd >= 0)
		eventfd_write(v->call_fd, 1); /* fails only if an interrupt is pending already */
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* ring.c: what receive and send rings have in common, see ring.h. */
#include "ring.h"

#include <sys/eventfd.h>

#include "guest.h"
#include "memory.h"

enum {
	DESC_ALIGN = 16, /* virtio 1.2 §2.7 */
	AVAIL_ALIGN = 2,
	USED_ALIGN = 4,
	SIGNALLED_VALID = 1 << 16,
	NO_KICK_DISTANCE = 1 << 15, /* indices; as far away as an event index can be */
};

static bool
lies_in(const struct memory *m, const void *at, uint64_t len, uintptr_t align)
{
	return (uintptr_t)at % align == 0 && memory_holds(m, at, len);
}

bool
ring_view_is_sound(const struct ring_view *v)
{
	uint64_t event = v->has_event_idx ? sizeof(uint16_t) : 0;

	if (v->size == 0 || v->size > RING_SIZE_MAX || v->size & (v->size - 1))
		return false;
	return lies_in(v->memory, v->desc, v->size * sizeof(v->desc[0]), DESC_ALIGN) &&
	       lies_in(v->memory, v->avail,
		       sizeof(*v->avail) + v->size * sizeof(v->avail->ring[0]) + event,
		       AVAIL_ALIGN) &&
	       lies_in(v->memory, v->used,
		       sizeof(*v->used) + v->size * sizeof(v->used->ring[0]) + event, USED_ALIGN);
}

void
ring_attach(struct ring *r, const struct ring_view *v, uint16_t avail, uint16_t used)
{
	r->avail = avail;
	atomic_store_explicit(&r->used, used, memory_order_relaxed);
	r->hint = 0;
	r->n_lent = 0;
	r->lent = NULL;
	atomic_store_explicit(&r->signalled, 0, memory_order_relaxed);
	/*
	 * Without event index a flag says it once for all. With it we can only say "kick when you
	 * reach this index": one that is far away costs the guest a kick every 65536 buffers.
	 */
	guest_write16(&v->used->flags, VRING_USED_F_NO_NOTIFY);
	if (v->has_event_idx)
		guest_write16(&v->used->ring[v->size], (uint16_t)(avail + NO_KICK_DISTANCE));
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

bool
ring_wants_call(struct ring *r, const struct ring_view *v)
{
	uint16_t now = atomic_load_explicit(&r->used, memory_order_relaxed);
	uint16_t event;
	uint32_t then;

	if (!v->has_event_idx)
		return !(guest_read16(&v->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	/* two workers that notify at the same time may both say yes, never both no */
	then = atomic_exchange_explicit(&r->signalled, now | SIGNALLED_VALID, memory_order_relaxed);
	event = guest_read16(&v->avail->ring[v->size]);
	return !(then & SIGNALLED_VALID) ||
	       (uint16_t)(now - event - 1) < (uint16_t)(now - (uint16_t)then);
}

void
ring_call(const struct ring_view *v)
{
	if (v->call_fd >= 0)
		eventfd_write(v->call_fd, 1); /* fails only if an interrupt is pending already */
}

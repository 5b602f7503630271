/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * split.h: the parts of split rings (virtio 1.2 §2.7): what they do is said at struct ring_ops.
 */
#ifndef VHOST_SPLIT_H
#define VHOST_SPLIT_H

#include <stdint.h>

#include "guest.h"
#include "ring.h"

/*
 * How many buffers the guest offers from index at on, which we have come to from r->avail. A ring
 * that claims more than it has entries lies: it is switched off, and offers nothing until the guest
 * resets it.
 */
static inline uint32_t
split_offered(const struct ring_view *v, struct ring *r, uint16_t at)
{
	/* acquire: pairs with the guest's release; entries and descriptors are read after it */
	uint16_t idx = __atomic_load_n(&v->avail->idx, __ATOMIC_ACQUIRE);
	uint16_t n = idx - r->avail, n_taken = at - r->avail;

	/* or it takes back what we have come past already */
	if (__builtin_expect(n > v->size || n < n_taken, 0)) {
		ring_break(r, RING_INDEX_JUMPED);
		return 0;
	}
	return (uint16_t)(n - n_taken);
}

/* The guest has read these lines since they were written: they are to be ours again. */
static inline void
split_prefetch_used(const struct ring_view *v, uint16_t used, uint32_t n)
{
	for (uint32_t i = 0; i < n + 7; i += 8)
		__builtin_prefetch(&v->used->ring[(uint16_t)(used + i) & (v->size - 1)], 1);
}

/* Entry used of the used ring: the buffer of that id comes back, len bytes of it written. */
static inline void
split_put_used(const struct ring_view *v, uint16_t used, uint16_t id, uint32_t len)
{
	struct vring_used_elem *to = &v->used->ring[used & (v->size - 1)];

	/* little endian: id in the lower half (virtio 1.2 §2.7.8) */
	guest_write64(to, (uint64_t)len << 32 | id);
	ring_log(v, to, sizeof(*to));
}

/* Shows the guest all entries before used. */
static inline void
split_publish(const struct ring_view *v, struct ring *r, uint16_t used)
{
	/* release: pairs with the guest's acquire; entries and data are written before the index */
	__atomic_store_n(&v->used->idx, used, __ATOMIC_RELEASE);
	ring_log(v, &v->used->idx, sizeof(v->used->idx));
	ring_set_used(r, used);
}

/* split_rx.c and split_tx.c */
uint32_t split_rx(const struct ring_view *v, struct ring *r, struct batch *b,
		  struct port_stats *stats);
void split_release(struct ring *r);
uint64_t split_tx(const struct ring_view *v, struct ring *r, const struct batch *b, uint64_t set,
		  struct port_stats *stats);

#endif

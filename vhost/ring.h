/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring.h: one split virtqueue as we see it: an immutable view of where it lies in the guest's
 * memory, and beside it the mutable state of our side.
 *
 * Knows nothing of librte_vhost: session.c makes views of a running guest, unit tests of the heap.
 *
 * Threads: a view is written before it is published and then read by workers. Who writes which
 * field of struct ring is said there; the vhost thread writes it only while no worker can see a
 * view of it.
 */
#ifndef VHOST_RING_H
#define VHOST_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_spinlock.h>

#include <linux/virtio_ring.h>

#include "frame.h"
#include "stats.h"

struct memory;

enum {
	RING_SIZE_MAX = 32768,	/* virtio 1.2 §2.7 */
	RECORD_LEN_LEGACY = 10, /* struct virtio_net_hdr, virtio 1.2 §5.1.6.1 */
};

struct ring_view {
	const struct memory *memory;
	struct vring_desc *desc; /* these three: guest memory, size entries each, checked */
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t size;	    /* entries, a power of two; 0: the ring is off */
	uint8_t record_len; /* bytes of the offload record before each frame: 12, or 10 */
	bool is_mergeable;  /* VIRTIO_NET_F_MRG_RXBUF */
	bool has_event_idx; /* VIRTIO_F_EVENT_IDX */
	bool has_indirect;  /* VIRTIO_F_INDIRECT_DESC */
	int call_fd;	    /* eventfd that interrupts the guest; -1: it wants no interrupts */
};

/* How a guest's ring can lie about itself. */
enum ring_fault {
	RING_FINE,
	RING_INDEX_JUMPED, /* more buffers offered than the ring has entries */
	RING_BAD_HEAD,	   /* number of a descriptor that the ring does not have */
};

struct ring {
	alignas(64) rte_spinlock_t lock; /* of workers that send to it; a receive ring has one */

	/* the worker that polls it, or that holds the lock */
	uint16_t avail;	       /* next index of the available ring to take */
	_Atomic uint16_t used; /* next index of the used ring; others: ro */
	uint32_t hint;	       /* memory region hit last */

	_Atomic uint8_t fault; /* enum ring_fault; worker: wo, others: ro */
	_Atomic bool touched;  /* buffers given back since the last notify; workers: rw */
	_Atomic uint32_t
		signalled; /* used index at the last notify + SIGNALLED_VALID; workers: rw */

	/* receive rings: what release() has to give back; the worker that polls it */
	const struct ring_view *lent; /* the view that it was taken from */
	uint16_t n_lent;
	uint16_t heads[BATCH_MAX];
};

/* Does the ring lie wholly in the memory, aligned, with a legal size? (virtio 1.2 §2.7) */
bool ring_view_is_sound(const struct ring_view *v);

/*
 * Begins at the guest's index base, as if no buffer had been signalled, and asks the guest not to
 * kick: we poll. Keeps touched, so that an interrupt that was due when the ring was detached is not
 * lost.
 */
void ring_attach(struct ring *r, const struct ring_view *v, uint16_t avail, uint16_t used);

/* Nothing is known of the guest any more. */
void ring_reset(struct ring *r);

static inline enum ring_fault
ring_fault(const struct ring *r)
{
	return atomic_load_explicit(&r->fault, memory_order_relaxed);
}

/* Takes the lock of a send ring; counts when it was not free at once. */
static inline void
ring_lock(struct ring *r, struct port_stats *stats)
{
	if (__builtin_expect(rte_spinlock_trylock(&r->lock), 1))
		return;
	stats_add(&stats->tx_contended, 1);
	rte_spinlock_lock(&r->lock);
}

/*
 * How many buffers the guest offers that we have not taken. A ring that claims more than it has
 * entries lies: it is switched off, and offers nothing until the guest resets it.
 */
static inline uint32_t
ring_offered(struct ring *r, const struct ring_view *v)
{
	/* acquire: pairs with the guest's release; entries and descriptors are read after it */
	uint16_t n = (uint16_t)(__atomic_load_n(&v->avail->idx, __ATOMIC_ACQUIRE) - r->avail);

	if (__builtin_expect(n > v->size, 0)) {
		atomic_store_explicit(&r->fault, RING_INDEX_JUMPED, memory_order_relaxed);
		return 0;
	}
	return n;
}

/* The guest has read these lines since they were written: they are to be ours again. */
static inline void
ring_prefetch_used(const struct ring *r, const struct ring_view *v, uint32_t pos, uint32_t n)
{
	uint16_t used = (uint16_t)(atomic_load_explicit(&r->used, memory_order_relaxed) + pos);

	for (uint32_t i = 0; i < n + 7; i += 8)
		__builtin_prefetch(&v->used->ring[(uint16_t)(used + i) & (v->size - 1)], 1);
}

/* Marks the used index as new for the guest and for notify. */
static inline void
ring_publish(struct ring *r, const struct ring_view *v, uint16_t used)
{
	/* release: pairs with the guest's acquire; entries and data are written before the index */
	__atomic_store_n(&v->used->idx, used, __ATOMIC_RELEASE);
	atomic_store_explicit(&r->used, used, memory_order_relaxed);
	/* release: who sees touched sees the index */
	atomic_store_explicit(&r->touched, true, memory_order_release);
}

/* Were buffers given back since the last call? */
static inline bool
ring_take_touched(struct ring *r)
{
	return atomic_load_explicit(&r->touched, memory_order_relaxed) &&
	       atomic_exchange_explicit(&r->touched, false, memory_order_acq_rel);
}

/*
 * Does the guest want an interrupt for what was given back since the last call? (virtio 1.2 §2.7.7)
 * The caller has put one full fence between ring_take_touched() and this.
 */
bool ring_wants_call(struct ring *r, const struct ring_view *v);

/* Interrupts the guest; the only system call that a worker makes for it. */
void ring_call(const struct ring_view *v);

#endif

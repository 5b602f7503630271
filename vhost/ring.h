/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring.h: one virtqueue as we see it: an immutable view of where it lies in the guest's memory, and
 * beside it the mutable state of our side. What differs between the two kinds of ring, split and
 * packed, is behind struct ring_ops.
 *
 * Knows nothing of librte_vhost: attach.c makes views of a running guest, unit tests of the heap.
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

#include "dirty.h"
#include "frame.h"
#include "stats.h"

struct batch;
struct memory;
struct ring;
struct ring_ops;

enum {
	RING_SIZE_MAX = 32768,	/* virtio 1.2 §2.7, §2.8 */
	RING_DESC_ALIGN = 16,	/* bytes; the same */
	RECORD_LEN_LEGACY = 10, /* struct virtio_net_hdr, virtio 1.2 §5.1.6.1 */
};

struct ring_view {
	const struct ring_ops *ops;	 /* split or packed */
	const struct memory *memory;	 /* of the guest */
	const struct dirty_log *log;	 /* NULL: nobody wants to know what we write */
	union {				 /* these three: guest memory, checked by is_sound() */
		struct vring_desc *desc; /* split: size entries each */
		struct vring_packed_desc *packed;
	};
	union {
		struct vring_avail *avail;
		struct vring_packed_desc_event *driver; /* when the guest wants an interrupt */
	};
	union {
		struct vring_used *used;
		struct vring_packed_desc_event *device; /* when we want a kick */
	};
	uint16_t size;	    /* entries; 0: the ring is off. Of a split one a power of two */
	uint8_t record_len; /* bytes of the offload record before each frame: 12, or 10 */
	bool is_mergeable;  /* VIRTIO_NET_F_MRG_RXBUF */
	bool is_in_order;   /* VIRTIO_F_IN_ORDER */
	bool has_event_idx; /* VIRTIO_F_EVENT_IDX */
	bool has_indirect;  /* VIRTIO_F_INDIRECT_DESC */
	uint32_t offloads;  /* that the guest may ask for: enum offload */
	int call_fd;	    /* eventfd that interrupts the guest; -1: it wants no interrupts */
};

/* How a guest's ring can lie about itself. */
enum ring_fault {
	RING_FINE,
	RING_INDEX_JUMPED, /* split: more buffers offered than the ring has entries */
	RING_BAD_HEAD,	   /* split: number of a descriptor that the ring does not have */
	RING_ENDLESS,	   /* packed: a chain that is longer than the ring */
};

struct ring {
	alignas(64) rte_spinlock_t lock; /* of workers that send to it; a receive ring has one */

	/*
	 * The worker that polls it, or that holds the lock. Where we are, as vhost-user counts: in
	 * a split ring a free-running index, in a packed one the position and, in bit 15, the wrap
	 * counter.
	 */
	uint16_t avail;	       /* next buffer to take */
	_Atomic uint16_t used; /* next buffer to give back; others: ro */
	uint32_t hint;	       /* memory region hit last */

	_Atomic uint8_t fault;	    /* enum ring_fault; worker: wo, others: ro */
	_Atomic bool touched;	    /* buffers given back since the last notify; workers: rw */
	_Atomic uint32_t signalled; /* used at the last notify + SIGNALLED_VALID; workers: rw */

	/* receive rings: what release() has to give back; the worker that polls it */
	const struct ring_view *lent; /* the view that it was taken from */
	uint16_t n_lent;
	uint16_t ids[BATCH_MAX];     /* split: number of the first descriptor; packed: buffer id */
	uint16_t n_descs[BATCH_MAX]; /* packed: of each in the ring */
};

/*
 * A kind of ring. rx and release are called by the worker that polls the ring; tx by one worker at
 * a time, under the ring's lock. The caller has checked that the view is on and the ring without
 * fault.
 */
struct ring_ops {
	/* Do its parts lie wholly in the memory, aligned, with a legal size? */
	bool (*is_sound)(const struct ring_view *v);

	/* Can a sound ring be at this place? */
	bool (*has_place)(const struct ring_view *v, uint16_t at);

	/* Asks the guest not to kick, from where the ring is: we poll. */
	void (*silence)(const struct ring_view *v, const struct ring *r);

	/*
	 * Lends the next frames of a guest's transmit ring to an empty batch. Returns how many
	 * buffers it took: those that can't be frames are counted, and not in the batch. If it took
	 * any, release() follows.
	 */
	uint32_t (*rx)(const struct ring_view *v, struct ring *r, struct batch *b,
		       struct port_stats *stats);

	/* Gives all that the last rx took back to the guest, in sight of it all at once. */
	void (*release)(struct ring *r);

	/*
	 * Copies the frames of set into a guest's receive ring. Returns those that found room; the
	 * others are counted.
	 */
	uint64_t (*tx)(const struct ring_view *v, struct ring *r, const struct batch *b,
		       uint64_t set, struct port_stats *stats);

	/*
	 * Does the guest want an interrupt for what was given back since the last call, up to place
	 * now? The caller has read now (ring_used()) after ring_take_touched(), and put one full
	 * fence behind both. What another worker gives back after that fence the guest may see only
	 * after it has gone to sleep: that worker asks for itself.
	 */
	bool (*wants_call)(const struct ring_view *v, struct ring *r, uint16_t now);
};

/* At the baseline; level.h has the others. */
extern const struct ring_ops split_ops;	 /* split.c */
extern const struct ring_ops packed_ops; /* packed.c */

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

/* We wrote len bytes of the guest's memory. */
static inline void
ring_log(const struct ring_view *v, const void *at, uint64_t len)
{
	if (__builtin_expect(v->log != NULL, 0))
		dirty_mark(v->log, v->memory, at, len);
}

/* Switches a ring that lies off, until the guest sets it up anew. */
static inline void
ring_break(struct ring *r, enum ring_fault fault)
{
	atomic_store_explicit(&r->fault, fault, memory_order_relaxed);
}

static inline uint16_t
ring_used(const struct ring *r)
{
	return atomic_load_explicit(&r->used, memory_order_relaxed);
}

/* Buffers up to used are the guest's again: so it must be told, if it wants to. */
static inline void
ring_set_used(struct ring *r, uint16_t used)
{
	/* release: another worker that reads it, and has its fence behind that (vhost_notify()),
	 * has the guest's part in the guest's sight */
	atomic_store_explicit(&r->used, used, memory_order_release);
	/* release: who sees touched sees used */
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
 * For wants_call: where the ring was at its last call, plus SIGNALLED_VALID if there was one; from
 * now on it is now. Two workers that notify at the same time may both say yes, never both no: each
 * looks at what the guest wants after the fence that follows all that it answers for.
 */
enum {
	SIGNALLED_VALID = 1 << 16
};
static inline uint32_t
ring_swap_signalled(struct ring *r, uint16_t now)
{
	return atomic_exchange_explicit(&r->signalled, now | SIGNALLED_VALID, memory_order_relaxed);
}

/* Interrupts the guest; the only system call that a worker makes for it. */
void ring_call(const struct ring_view *v);

#endif

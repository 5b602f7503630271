/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring.h: the guest's side of a virtqueue, split or packed, in memory of a struct frontend.
 *
 * A ring has slots, one for each chain that may be on its way, and each slot has a buffer. The
 * caller puts chains, publishes them together, and takes back the slots that the switch has used.
 * Everything else about buffers is guest.c's.
 *
 * Source: virtio 1.2 §2.7 (split), §2.8 (packed).
 *
 * Threads: a ring belongs to one thread.
 */
#ifndef PERF_RING_H
#define PERF_RING_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "frontend.h"

enum {
	RING_SIZE_MAX = 32768,
	RING_HEADER_LEN = 12, /* struct virtio_net_hdr_mrg_rxbuf: a descriptor of its own, or not */
	RING_PIECE_LEN = 4096, /* bytes of a frame in one descriptor of RING_CHAIN */
	RING_TAKE_MAX = 64,    /* slots that one ring_take() gives */
};

/* How a chain is laid out in descriptors. */
enum ring_layout {
	RING_SINGLE,   /* header and frame in one */
	RING_TWO,      /* header, frame */
	RING_INDIRECT, /* header, frame in a table of their own */
	RING_CHAIN,    /* header, pieces of the frame in a table of their own */
};

/* Where the chains' bytes lie: slot i's at gpa + i * stride. */
struct ring_buffers {
	uint64_t gpa;
	uint32_t stride; /* bytes */
	uint32_t len;	 /* most bytes in one, virtio header included */
	uint32_t n;
};

/* A slot that the switch has used. */
struct ring_done {
	uint16_t slot;
	uint32_t len; /* bytes that it says it wrote */
};

struct ring {
	/* set by ring_create() */
	struct frontend_ring told; /* what the switch is told of it */
	bool is_packed;
	bool is_in_order;
	bool has_event_idx;
	bool wants_interrupts;
	bool is_rx;    /* the guest receives from it: buffers are the switch's to write */
	uint16_t size; /* descriptors, a power of two */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct vring_packed_desc *packed;
	struct vring_packed_desc_event *driver, *device;
	void *tables; /* of indirect chains */
	uint64_t tables_gpa;
	uint32_t n_table_descs; /* of all of them together */

	/* set by ring_set_layout() */
	enum ring_layout layout;
	struct ring_buffers buffers;
	uint16_t chain_len; /* descriptors in the ring that a chain takes */
	uint16_t table_len; /* descriptors between one slot's table and the next one's */
	uint16_t n_slots;
	uint16_t first_desc; /* split: slot 0's descriptor; not 0 only in order */

	/* moving */
	uint16_t avail_next; /* split: free running; packed: position */
	uint16_t used_next;
	uint16_t published;   /* avail_next when it was last published */
	uint16_t n_pending;   /* descriptors (packed) or chains (split) put since */
	uint16_t first_flags; /* packed: of the first unpublished descriptor, written last */
	bool avail_wrap, used_wrap;
	bool *in_flight;	       /* [size]: the switch has the slot */
	uint16_t *free;		       /* [size]: a queue of slots that it has not, oldest first */
	uint16_t free_head, free_tail; /* free running */
	uint64_t n_kicks;
	uint64_t n_bad_used; /* the switch returned a slot that it had not */

	/* in order: a batch that the switch has returned by its last slot only */
	uint16_t oldest;    /* slot that it has had longest */
	uint16_t n_batched; /* slots of it still to be taken */
	uint32_t batch_len; /* bytes written to the last one */
};

/*
 * Takes memory for queue index out of a region; size is a power of two; n_table_descs is for all
 * indirect chains together. The frontend has agreed on its features. NULL with the sentence in fe.
 */
struct ring *ring_create(struct frontend *fe, uint32_t region, uint16_t index, uint16_t size,
			 uint32_t n_table_descs);
void ring_destroy(struct ring *r); /* takes NULL */

/* Descriptors of a slot's table for chains of at most len bytes; 0: it needs none. */
uint32_t ring_table_len(enum ring_layout layout, uint32_t len);

/*
 * All slots are free and have this layout, as many as there are buffers, descriptors and tables
 * for. Call only if none is in flight. Chains in order need a buffer for each.
 */
void ring_set_layout(struct ring *r, enum ring_layout layout, const struct ring_buffers *buffers);

/* Brings near what ring_put() of n will write: the switch has read those lines since. */
void ring_prefetch(const struct ring *r, uint32_t n);

/* Puts the next n free slots (n <= ring_n_free()) as chains of len bytes, header included. */
void ring_put(struct ring *r, uint32_t len, uint32_t n);

/* The same, with a length for each. */
void ring_put_mixed(struct ring *r, const uint32_t *lens, uint32_t n);

/* Whether the switch is to interrupt the guest when it has used something; nobody waits for it. */
void ring_want_interrupts(struct ring *r, bool wants);

/* Makes what was put visible, and kicks if the switch asks for it. */
void ring_publish(struct ring *r);

/*
 * Takes back at most RING_TAKE_MAX used slots, which are free from then on. Returns how many. In
 * order, a slot that the switch has skipped counts as used up to its end (virtio 1.2 §2.7.9).
 */
uint32_t ring_take(struct ring *r, struct ring_done *done);

static inline uint16_t
ring_n_free(const struct ring *r)
{
	return (uint16_t)(r->free_tail - r->free_head);
}

/* The free slot that ring_put() uses as the i-th from now, from 0; i < ring_n_free(). */
static inline uint16_t
ring_next_slot(const struct ring *r, uint32_t i)
{
	return r->free[(r->free_head + i) & (r->size - 1)];
}

#endif

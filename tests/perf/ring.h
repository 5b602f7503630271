/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring.h: the guest's side of a virtqueue, split or packed, in memory of a struct frontend.
 *
 * A ring has slots, one for each chain that may be on its way; the caller keeps one buffer per
 * slot. It puts chains, publishes them together, and takes back the slots that the switch has used.
 * Everything else about buffers is traffic.c's.
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
	RING_TAKE_MAX = 64,   /* slots that one ring_take() gives */
};

/* How a chain is laid out in descriptors. */
enum ring_layout {
	RING_SINGLE,   /* header and frame in one */
	RING_TWO,      /* header, frame */
	RING_INDIRECT, /* header, frame in a table of their own */
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
	bool has_event_idx;
	bool is_rx;    /* the guest receives from it: buffers are the switch's to write */
	uint16_t size; /* descriptors, a power of two */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct vring_packed_desc *packed;
	struct vring_packed_desc_event *driver, *device;
	void *tables; /* of indirect chains: two descriptors for each slot */
	uint64_t tables_gpa;

	/* set by ring_set_layout() */
	enum ring_layout layout;
	uint16_t chain_len; /* descriptors in the ring that a chain takes */
	uint16_t n_slots;

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
};

/*
 * Takes memory for queue index out of a region; size is a power of two. The frontend has agreed on
 * its features. NULL with the sentence in fe.
 */
struct ring *ring_create(struct frontend *fe, uint32_t region, uint16_t index, uint16_t size);
void ring_destroy(struct ring *r); /* takes NULL */

/* All slots are free and have this layout. Call only if none is in flight. */
void ring_set_layout(struct ring *r, enum ring_layout layout);

/* Brings near what ring_put() of n will write: the switch has read those lines since. */
void ring_prefetch(const struct ring *r, uint32_t n);

/*
 * Puts the next n free slots (n <= ring_n_free()) as chains of len bytes, virtio header included,
 * each in its slot's buffer, which lies stride bytes behind the one before; slot 0's is at gpa.
 */
void ring_put(struct ring *r, uint64_t gpa, uint32_t stride, uint32_t len, uint32_t n);

/* Makes what was put visible, and kicks if the switch asks for it. */
void ring_publish(struct ring *r);

/* Takes back at most RING_TAKE_MAX used slots, which are free from then on. Returns how many. */
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

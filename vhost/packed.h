/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packed.h: what a packed ring looks like (virtio 1.2 §2.8), for packed*.c, chain.c and tests.
 *
 * A place in the ring is a position and, in bit 15, the wrap counter: as vhost-user counts, and as
 * struct ring keeps them.
 */
#ifndef VHOST_PACKED_H
#define VHOST_PACKED_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#include "guest.h"
#include "ring.h"

enum {
	PACKED_WRAP = 1 << 15,
	PACKED_AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
	PACKED_USED = 1 << VRING_PACKED_DESC_F_USED,
};

/* A descriptor, read once. */
struct packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id;
	uint16_t flags;
};

static inline uint16_t
packed_position(uint16_t at)
{
	return at & (PACKED_WRAP - 1);
}

/* The place n descriptors behind at, n <= size. */
static inline uint16_t
packed_next(uint16_t at, uint32_t n, uint16_t size)
{
	uint32_t position = packed_position(at) + n;

	if (position >= size)
		return (uint16_t)((position - size) | (~at & PACKED_WRAP));
	return (uint16_t)(position | (at & PACKED_WRAP));
}

/* Does a descriptor with these flags at this place belong to us? */
static inline bool
packed_is_available(uint16_t flags, uint16_t at)
{
	return (flags & (PACKED_AVAIL | PACKED_USED)) ==
	       (at & PACKED_WRAP ? PACKED_AVAIL : PACKED_USED);
}

/* The flags with which it is the guest's again. */
static inline uint16_t
packed_used_flags(uint16_t at)
{
	return at & PACKED_WRAP ? PACKED_AVAIL | PACKED_USED : 0;
}

/* The second half of a descriptor, which we write as one word: a reader sees all of it. */
static inline uint64_t
packed_word(uint32_t len, uint16_t id, uint16_t flags)
{
	return len | (uint64_t)id << 32 | (uint64_t)flags << 48;
}

static inline struct packed_desc
packed_desc_make(uint64_t addr, uint64_t word)
{
	return (struct packed_desc){
		.addr = addr,
		.len = (uint32_t)word,
		.id = (uint16_t)(word >> 32),
		.flags = (uint16_t)(word >> 48),
	};
}

/* One whose chain was found to be available, or one of a table. */
static inline struct packed_desc
packed_desc_read(const void *at)
{
	return packed_desc_make(guest_read64(at),
				guest_read64((const uint8_t *)at + sizeof(uint64_t)));
}

/* We have read these descriptors, and will write them: until then they are to be ours alone. */
static inline void
packed_prefetch_used(const struct ring_view *v, uint16_t at, uint32_t n)
{
	const uint32_t per_line = 64 / sizeof(v->packed[0]);

	for (uint32_t i = 0; i < n; i += per_line)
		__builtin_prefetch(&v->packed[packed_position(packed_next(at, i, v->size))], 1);
}

/* Writes the second half of the descriptor at that place. */
static inline void
packed_put(const struct ring_view *v, uint16_t at, uint64_t word)
{
	struct vring_packed_desc *to = &v->packed[packed_position(at)];

	guest_write64(&to->len, word);
	ring_log(v, to, sizeof(*to));
}

/* The same for the first one of several: the others are written before, and in sight with it. */
static inline void
packed_put_first(const struct ring_view *v, uint16_t at, uint64_t word)
{
	struct vring_packed_desc *to = &v->packed[packed_position(at)];

	guest_store64(&to->len, word);
	ring_log(v, to, sizeof(*to));
}

/* packed_rx.c and packed_tx.c: see struct ring_ops. */
uint32_t packed_rx(const struct ring_view *v, struct ring *r, struct batch *b,
		   struct port_stats *stats);
void packed_release(struct ring *r);
uint64_t packed_tx(const struct ring_view *v, struct ring *r, const struct batch *b, uint64_t set,
		   struct port_stats *stats);

/*
 * Finds the end of the chain whose first descriptor, at that place, has the NEXT flag. Returns how
 * many descriptors it has and its buffer id in *id, or 0, and the ring is off, if it has more than
 * the ring.
 */
uint16_t packed_chain_len(const struct ring_view *v, struct ring *r, uint16_t at, uint16_t *id);

#endif

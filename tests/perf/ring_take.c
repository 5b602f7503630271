/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring_take.c: what the switch has used, taken back from it (ring.h).
 *
 * In order, the switch may return a batch of chains by naming its last one only, at the place in
 * the used ring (split) or at the descriptor (packed) of the first (virtio 1.2 §2.7.9, §2.8.9).
 */
#include "ring.h"

static inline void
free_slot(struct ring *r, uint16_t slot)
{
	r->in_flight[slot] = false;
	r->free[r->free_tail++ & (r->size - 1)] = slot;
}

/* Is it one that the switch had? */
static inline bool
take_slot(struct ring *r, uint32_t slot, uint32_t len, struct ring_done *done)
{
	if (slot >= r->n_slots || !r->in_flight[slot]) {
		r->n_bad_used++;
		return false;
	}
	free_slot(r, (uint16_t)slot);
	*done = (struct ring_done){(uint16_t)slot, len};
	return true;
}

/* The slot of a split ring's chain; too large a number if there is none. */
static inline uint32_t
slot_of(const struct ring *r, uint32_t head)
{
	uint32_t from_first = (head - r->first_desc) & (r->size - 1u);

	if (head >= r->size || from_first & (r->chain_len - 1u))
		return UINT32_MAX;
	return from_first >> (r->chain_len - 1);
}

static uint32_t
take_split(struct ring *r, struct ring_done *done)
{
	uint16_t waiting = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) - r->used_next;
	uint32_t n = 0;

	if (waiting > RING_TAKE_MAX)
		waiting = RING_TAKE_MAX;
	for (uint16_t i = 0; i < waiting; i += 64 / sizeof(struct vring_used_elem))
		__builtin_prefetch(&r->used->ring[(r->used_next + i) & (r->size - 1)]);
	for (uint16_t i = 0; i < waiting; i++) {
		struct vring_used_elem u = r->used->ring[r->used_next++ & (r->size - 1)];

		n += take_slot(r, slot_of(r, u.id), u.len, &done[n]);
	}
	return n;
}

/* Is there something at the next used descriptor of a packed ring? */
static inline bool
is_used(const struct ring *r)
{
	const uint16_t both = 1 << VRING_PACKED_DESC_F_AVAIL | 1 << VRING_PACKED_DESC_F_USED;
	uint16_t flags = __atomic_load_n(&r->packed[r->used_next].flags, __ATOMIC_ACQUIRE);

	return (flags & both) == (r->used_wrap ? both : 0);
}

static inline void
pass_packed(struct ring *r, uint32_t n_descs)
{
	uint32_t next = r->used_next + n_descs;

	if (next >= r->size) {
		next -= r->size;
		r->used_wrap = !r->used_wrap;
	}
	r->used_next = (uint16_t)next;
}

static uint32_t
take_packed(struct ring *r, struct ring_done *done)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < RING_TAKE_MAX && is_used(r); i++) {
		const struct vring_packed_desc *d = &r->packed[r->used_next];

		n += take_slot(r, d->id, d->len, &done[n]);
		pass_packed(r, r->chain_len);
	}
	return n;
}

/* Slots from the oldest one on its way to this one; 0: the switch has not so many. */
static uint32_t
batch_size(const struct ring *r, uint32_t slot)
{
	uint32_t n;

	if (slot >= r->n_slots)
		return 0;
	n = (slot >= r->oldest ? slot : slot + r->n_slots) - r->oldest + 1u;
	return n <= (uint32_t)r->n_slots - ring_n_free(r) ? n : 0;
}

/* What the switch has returned since, by the last slot of it. False: nothing. */
static bool
next_batch(struct ring *r)
{
	uint32_t n;

	if (r->is_packed) {
		const struct vring_packed_desc *d = &r->packed[r->used_next];

		if (!is_used(r))
			return false;
		n = batch_size(r, d->id);
		r->batch_len = d->len;
		pass_packed(r, (n > 0 ? n : 1) * r->chain_len);
	} else {
		uint16_t waiting = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) - r->used_next;
		struct vring_used_elem u = r->used->ring[r->used_next & (r->size - 1)];

		if (waiting == 0)
			return false;
		n = batch_size(r, slot_of(r, u.id));
		n = n <= waiting ? n : 0;
		r->batch_len = u.len;
		r->used_next += n > 0 ? n : 1;
	}
	r->n_bad_used += n == 0;
	r->n_batched = (uint16_t)n;
	return n > 0;
}

static uint32_t
take_in_order(struct ring *r, struct ring_done *done)
{
	uint32_t n = 0;

	while (n < RING_TAKE_MAX && (r->n_batched > 0 || next_batch(r))) {
		bool is_last = --r->n_batched == 0;

		done[n++] = (struct ring_done){r->oldest, is_last ? r->batch_len : r->buffers.len};
		free_slot(r, r->oldest);
		r->oldest = r->oldest + 1 < r->n_slots ? r->oldest + 1 : 0;
	}
	return n;
}

uint32_t
ring_take(struct ring *r, struct ring_done *done)
{
	uint32_t n;

	if (r->is_in_order)
		n = take_in_order(r, done);
	else
		n = r->is_packed ? take_packed(r, done) : take_split(r, done);
	if (r->has_event_idx && !r->is_packed && n > 0) /* if not the next, as far away as can be */
		r->avail->ring[r->size] = r->used_next - !r->wants_interrupts;
	return n;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* packed_tx.c: frames into a guest's packed receive ring, see send.h. */
#include "packed.h"
#include "send.h"

/*
 * How many descriptors from place at on are not ours yet, where at is ahead of r->used. A guest
 * that says so of more than the ring has finds nothing taken twice.
 */
static inline uint32_t
not_taken(const struct ring_view *v, const struct ring *r, uint16_t at)
{
	int32_t n = packed_position(at) - packed_position(ring_used(r));

	return v->size - (uint32_t)((at ^ ring_used(r)) & PACKED_WRAP ? n + v->size : n);
}

static inline uint32_t
look_up(const struct ring_view *v, struct ring *r, uint16_t at, struct buffer *to, uint32_t n)
{
	const uint16_t odd = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT;
	uint32_t i, left = not_taken(v, r, at);
	uint16_t first = at;

	for (i = 0; i < n; i++) {
		const struct vring_packed_desc *desc = &v->packed[packed_position(at)];
		/* acquire: pairs with the guest's release; the rest of the chain is read after it
		 */
		uint64_t word = guest_load64(&desc->len);
		struct packed_desc d = packed_desc_make(0, word);

		if (!packed_is_available(d.flags, at))
			break;
		d.addr = guest_read64(&desc->addr);
		to[i].n_descs = 1;
		if (likely((d.flags & odd) == VRING_DESC_F_WRITE)) {
			send_look_up(v, r, &to[i], d.addr, d.len);
		} else {
			to[i].at = NULL;
			if (d.flags & VRING_DESC_F_NEXT)
				to[i].n_descs = packed_chain_len(v, r, at, &d.id);
		}
		if (unlikely(to[i].n_descs == 0 || to[i].n_descs > left))
			break;
		to[i].id = d.id;
		left -= to[i].n_descs;
		at = packed_next(at, to[i].n_descs, v->size);
	}
	packed_prefetch_used(v, first, i);
	return i;
}

static inline int
read_chain(const struct ring_view *v, struct ring *r, uint16_t at, const struct buffer *buffer,
	   struct chain_piece *pieces, uint32_t max, uint64_t *len)
{
	return chain_read_packed(v, r, at, buffer->n_descs, true, pieces, max, len);
}

static inline uint16_t
step(const struct ring_view *v, uint16_t at, const struct buffer *buffer)
{
	return packed_next(at, buffer->n_descs, v->size);
}

static inline void
give(const struct ring_view *v, struct send_at *at, const struct buffer *buffer, uint32_t len)
{
	uint16_t flags = packed_used_flags(at->used) | VRING_DESC_F_WRITE;
	uint64_t word = packed_word(len, buffer->id, flags);

	if (at->n_given == 0)
		at->first_word = word;
	else
		packed_put(v, at->used, word);
}

static inline void
publish(struct sending *s)
{
	packed_put_first(s->v, ring_used(s->r), s->at.first_word);
	ring_set_used(s->r, s->at.used);
}

uint64_t
packed_tx(const struct ring_view *v, struct ring *r, const struct batch *b, uint64_t set,
	  struct port_stats *stats)
{
	static const struct send_kind packed = {
		.look_up = look_up,
		.read_chain = read_chain,
		.step = step,
		.give = give,
		.publish = publish,
	};

	return send_set(&packed, v, r, b, set, stats);
}

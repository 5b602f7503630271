/* SPDX-License-Identifier: BSD-3-Clause */
/* split_tx.c: frames into a guest's split receive ring, see send.h. */
#include "send.h"
#include "split.h"

static inline uint32_t
look_up(const struct ring_view *v, struct ring *r, uint16_t at, struct buffer *to, uint32_t n)
{
	const uint16_t odd = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT;
	uint16_t mask = v->size - 1;

	n = RTE_MIN(n, split_offered(v, r, at));
	split_prefetch_used(v, (uint16_t)(ring_used(r) + (uint16_t)(at - r->avail)), n);
	for (uint32_t i = 0; i < n; i++) {
		uint16_t head = guest_read16(&v->avail->ring[(uint16_t)(at + i) & mask]);

		if (unlikely(head > mask)) {
			ring_break(r, RING_BAD_HEAD);
			n = i;
			break;
		}
		to[i].id = head;
		rte_prefetch0(&v->desc[head]);
	}
	for (uint32_t i = 0; i < n; i++) {
		struct chain_desc d = chain_desc_read(&v->desc[to[i].id]);

		if (likely((d.flags & odd) == VRING_DESC_F_WRITE))
			send_look_up(v, r, &to[i], d.addr, d.len);
		else
			to[i].at = NULL;
	}
	return n;
}

static inline int
read_chain(const struct ring_view *v, struct ring *r, uint16_t at, const struct buffer *buffer,
	   struct chain_piece *pieces, uint32_t max, uint64_t *len)
{
	(void)at;
	return chain_read_split(v, r, buffer->id, true, pieces, max, len);
}

static inline uint16_t
step(const struct ring_view *v, uint16_t at, const struct buffer *buffer)
{
	(void)v;
	(void)buffer;
	return (uint16_t)(at + 1);
}

static inline void
give(const struct ring_view *v, struct send_at *at, const struct buffer *buffer, uint32_t len)
{
	split_put_used(v, at->used, buffer->id, len);
}

static inline void
publish(struct sending *s)
{
	split_publish(s->v, s->r, s->at.used);
}

uint64_t
split_tx(const struct ring_view *v, struct ring *r, const struct batch *b, uint64_t set,
	 struct port_stats *stats)
{
	static const struct send_kind split = {
		.look_up = look_up,
		.read_chain = read_chain,
		.step = step,
		.give = give,
		.publish = publish,
	};

	return send_set(&split, v, r, b, set, stats);
}

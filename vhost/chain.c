/* SPDX-License-Identifier: BSD-3-Clause */
/* chain.c: walking descriptor chains, see chain.h; virtio 1.2 §2.7.5. */
#include "chain.h"

#include <rte_branch_prediction.h>

#include "memory.h"
#include "ring.h"

enum {
	TABLE_LEN_MAX = CHAIN_TABLE_MAX * sizeof(struct vring_desc)
};

/* What is found on the way; who walks keeps the rest in registers. */
struct walk {
	const struct ring_view *v;
	struct ring *r;
	struct chain_piece *pieces;
	uint32_t n_pieces, max;
	uint64_t len;
	uint16_t flag; /* VRING_DESC_F_WRITE, or 0: what all descriptors must say */
};

static inline bool
add_buffer(struct walk *w, const struct chain_desc *d)
{
	uint64_t addr = d->addr;
	uint32_t left = d->len, part;

	while (left > 0) {
		uint8_t *at = memory_find(w->v->memory, &w->r->hint, addr, left, &part);

		if (unlikely(!at || w->n_pieces == w->max))
			return false;
		w->pieces[w->n_pieces++] = (struct chain_piece){.addr = at, .len = part};
		addr += part;
		left -= part;
	}
	w->len += d->len;
	return true;
}

static bool walk_split_table(struct walk *w, const struct chain_desc *d);

/*
 * Walks from entry at of a table of n. Inlined into its two callers: one for the ring's own table,
 * or an indirect one that lies in one region, and the other for one that does not.
 */
static inline __attribute__((always_inline)) bool
walk_table(struct walk *w, const uint8_t *table, uint32_t n, uint32_t at, bool is_indirect)
{
	for (uint32_t n_descs = 0; n_descs < CHAIN_DESCS_MAX; n_descs++) {
		struct chain_desc d;

		if (unlikely(at >= n))
			return false;
		d = chain_desc_read(table + at * sizeof(struct vring_desc));
		if (d.flags & VRING_DESC_F_INDIRECT) {
			uint32_t part;

			if (unlikely(is_indirect || !w->v->has_indirect ||
				     d.flags & VRING_DESC_F_NEXT || d.len == 0 ||
				     d.len % sizeof(struct vring_desc) != 0 ||
				     d.len > TABLE_LEN_MAX))
				return false;
			table = memory_find(w->v->memory, &w->r->hint, d.addr, d.len, &part);
			if (unlikely(!table))
				return false;
			if (unlikely(part != d.len))
				return walk_split_table(w, &d);
			n = d.len / sizeof(struct vring_desc);
			is_indirect = true;
			at = 0;
			continue;
		}
		if (unlikely((d.flags & VRING_DESC_F_WRITE) != w->flag) || !add_buffer(w, &d))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return true;
		at = d.next;
	}
	return false; /* too long, or a loop */
}

/* An indirect table that goes on in another region: walks a copy. */
static __attribute__((noinline, cold)) bool
walk_split_table(struct walk *w, const struct chain_desc *d)
{
	uint8_t copy[TABLE_LEN_MAX];
	uint32_t done = 0, part;

	while (done < d->len) {
		const uint8_t *at = memory_find(w->v->memory, &w->r->hint, d->addr + done,
						d->len - done, &part);

		if (!at)
			return false;
		guest_copy(copy + done, at, part);
		done += part;
	}
	return walk_table(w, copy, d->len / sizeof(struct vring_desc), 0, true);
}

int
chain_read(const struct ring_view *v, struct ring *r, uint16_t head, bool is_writable,
	   struct chain_piece *pieces, uint32_t max, uint64_t *len)
{
	struct walk w = {
		.v = v,
		.r = r,
		.pieces = pieces,
		.max = max,
		.flag = is_writable ? VRING_DESC_F_WRITE : 0,
	};

	if (unlikely(!walk_table(&w, (const uint8_t *)v->desc, v->size, head, false)))
		return -1;
	*len = w.len;
	return (int)w.n_pieces;
}

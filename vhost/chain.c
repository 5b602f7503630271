/* SPDX-License-Identifier: BSD-3-Clause */
/* chain.c: walking descriptor chains, see chain.h; virtio 1.2 §2.7.5. */
#include "chain.h"

#include <stddef.h>

#include "memory.h"
#include "ring.h"

/* What is being walked: the ring's own table, or an indirect one. */
struct walk {
	const struct ring_view *v;
	struct ring *r;
	const uint8_t *table;
	uint32_t n;    /* entries of table */
	uint16_t flag; /* VRING_DESC_F_WRITE, or 0: what all descriptors must say */
	struct chain_piece *pieces;
	uint32_t n_pieces, max;
	uint64_t len;
	uint8_t copy[CHAIN_TABLE_MAX * sizeof(struct vring_desc)]; /* of a table in two regions */
};

static int
add_buffer(struct walk *w, const struct chain_desc *d)
{
	uint64_t addr = d->addr;
	uint32_t left = d->len;

	while (left > 0) {
		uint32_t part;
		uint8_t *at = memory_find(w->v->memory, &w->r->hint, addr, left, &part);

		if (!at || w->n_pieces == w->max)
			return -1;
		w->pieces[w->n_pieces++] = (struct chain_piece){.addr = at, .len = part};
		addr += part;
		left -= part;
	}
	w->len += d->len;
	return 0;
}

/* Goes on in the indirect table that d describes. */
static int
enter_table(struct walk *w, const struct chain_desc *d)
{
	uint32_t part, done = 0;
	const uint8_t *at;

	if (!w->v->has_indirect || d->flags & VRING_DESC_F_NEXT || d->len == 0 ||
	    d->len % sizeof(struct vring_desc) != 0 || d->len > sizeof(w->copy))
		return -1;
	at = memory_find(w->v->memory, &w->r->hint, d->addr, d->len, &part);
	if (!at)
		return -1;
	w->n = d->len / sizeof(struct vring_desc);
	w->table = at;
	if (part == d->len)
		return 0;
	for (w->table = w->copy; at;
	     at = memory_find(w->v->memory, &w->r->hint, d->addr + done, d->len - done, &part)) {
		guest_copy(w->copy + done, at, part);
		done += part;
		if (done == d->len)
			return 0;
	}
	return -1;
}

static int
walk_chain(struct walk *w, uint32_t at)
{
	bool is_indirect = false;

	for (uint32_t n_descs = 0; n_descs < CHAIN_DESCS_MAX; n_descs++) {
		struct chain_desc d;

		if (at >= w->n)
			return -1;
		d = chain_desc_read(w->table + at * sizeof(struct vring_desc));
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (is_indirect || enter_table(w, &d) != 0)
				return -1;
			is_indirect = true;
			at = 0;
			continue;
		}
		if ((d.flags & VRING_DESC_F_WRITE) != w->flag || add_buffer(w, &d) != 0)
			return -1;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return 0;
		at = d.next;
	}
	return -1; /* too long, or a loop */
}

int
chain_read(const struct ring_view *v, struct ring *r, uint16_t head, bool is_writable,
	   struct chain_piece *pieces, uint32_t max, uint64_t *len)
{
	struct walk w; /* not initialised: the copy is large and seldom used */

	w.v = v;
	w.r = r;
	w.table = (const uint8_t *)v->desc;
	w.n = v->size;
	w.flag = is_writable ? VRING_DESC_F_WRITE : 0;
	w.pieces = pieces;
	w.n_pieces = 0;
	w.max = max;
	w.len = 0;
	if (walk_chain(&w, head) != 0)
		return -1;
	*len = w.len;
	return (int)w.n_pieces;
}

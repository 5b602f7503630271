/* SPDX-License-Identifier: BSD-3-Clause */
/* chain.c: walking descriptor chains, see chain.h; virtio 1.2 §2.7.5, §2.8.6 to §2.8.8. */
#include "chain.h"

#include <rte_branch_prediction.h>

#include "memory.h"
#include "packed.h"
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
add_buffer(struct walk *w, uint64_t addr, uint32_t len)
{
	uint32_t left = len, part;

	/* or one frame could cost us as many descriptors as the ring can name */
	if (unlikely(left == 0 && w->flag))
		return false;
	while (left > 0) {
		uint8_t *at = memory_find(w->v->memory, &w->r->hint, addr, left, &part);

		if (unlikely(!at || w->n_pieces == w->max))
			return false;
		w->pieces[w->n_pieces++] = (struct chain_piece){.addr = at, .len = part};
		addr += part;
		left -= part;
	}
	w->len += len;
	return true;
}

static bool walk_parted_table(struct walk *w, const struct chain_desc *d);

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
				return walk_parted_table(w, &d);
			n = d.len / sizeof(struct vring_desc);
			is_indirect = true;
			at = 0;
			continue;
		}
		if (unlikely((d.flags & VRING_DESC_F_WRITE) != w->flag) ||
		    !add_buffer(w, d.addr, d.len))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return true;
		at = d.next;
	}
	return false; /* too long, or a loop */
}

/* Copies len guest bytes that may lie in several regions; to is NULL: only asks if they are there.
 */
static bool
read_parted(struct walk *w, uint64_t addr, uint8_t *to, uint32_t len)
{
	while (len > 0) {
		uint32_t part;
		const uint8_t *at = memory_find(w->v->memory, &w->r->hint, addr, len, &part);

		if (!at)
			return false;
		if (to) {
			guest_copy(to, at, part);
			to += part;
		}
		addr += part;
		len -= part;
	}
	return true;
}

/*
 * The table of an indirect descriptor of a packed ring: all of its entries belong to the chain, in
 * order. They are few, and read where they lie, region by region.
 */
static bool
walk_packed_table(struct walk *w, const struct packed_desc *table)
{
	uint32_t n = table->len / sizeof(struct vring_packed_desc);
	uint32_t part = 0;
	const uint8_t *at;

	if (unlikely(!w->v->has_indirect || table->len % sizeof(struct vring_packed_desc) != 0 ||
		     n == 0 || n > CHAIN_DESCS_MAX))
		return false;
	at = memory_find(w->v->memory, &w->r->hint, table->addr, table->len, &part);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t off = i * (uint32_t)sizeof(struct vring_packed_desc);
		uint8_t copy[sizeof(struct vring_packed_desc)];
		const uint8_t *entry = copy;
		struct packed_desc d;

		if (likely(part == table->len))
			entry = at + off;
		else if (!read_parted(w, table->addr + off, copy, sizeof(copy)))
			return false;
		d = packed_desc_read(entry);
		/* that WRITE is set where we read is a slip of DPDK's driver, and harmless */
		if (unlikely(d.flags & VRING_DESC_F_INDIRECT || (w->flag & ~d.flags)) ||
		    !add_buffer(w, d.addr, d.len))
			return false;
	}
	return true;
}

/*
 * An indirect table that goes on in another region. Only what is walked is copied: a copy of the
 * whole table would cost as much for a chain of one descriptor.
 */
static __attribute__((noinline, cold)) bool
walk_parted_table(struct walk *w, const struct chain_desc *table)
{
	uint32_t n = table->len / sizeof(struct vring_desc), at = 0;

	if (!read_parted(w, table->addr, NULL, table->len))
		return false;
	for (uint32_t n_descs = 0; n_descs < CHAIN_DESCS_MAX && at < n; n_descs++) {
		uint8_t copy[sizeof(struct vring_desc)];
		struct chain_desc d;

		if (!read_parted(w, table->addr + at * sizeof(copy), copy, sizeof(copy)))
			return false;
		d = chain_desc_read(copy);
		if (d.flags & VRING_DESC_F_INDIRECT || (d.flags & VRING_DESC_F_WRITE) != w->flag ||
		    !add_buffer(w, d.addr, d.len))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return true;
		at = d.next;
	}
	return false;
}

int
chain_read_split(const struct ring_view *v, struct ring *r, uint16_t head, bool is_writable,
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

int
chain_read_packed(const struct ring_view *v, struct ring *r, uint16_t at, uint16_t n_descs,
		  bool is_writable, struct chain_piece *pieces, uint32_t max, uint64_t *len)
{
	struct walk w = {
		.v = v,
		.r = r,
		.pieces = pieces,
		.max = max,
		.flag = is_writable ? VRING_DESC_F_WRITE : 0,
	};

	if (unlikely(n_descs > CHAIN_DESCS_MAX))
		return -1;
	for (uint16_t i = 0; i < n_descs; i++) {
		struct packed_desc d = packed_desc_read(&v->packed[packed_position(at)]);

		at = packed_next(at, 1, v->size);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			/* the one descriptor of its chain */
			if (unlikely(n_descs != 1) || !walk_packed_table(&w, &d))
				return -1;
		} else if (unlikely((d.flags & VRING_DESC_F_WRITE) != w.flag) ||
			   !add_buffer(&w, d.addr, d.len)) {
			return -1;
		}
	}
	*len = w.len;
	return (int)w.n_pieces;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring_put.c: chains of descriptors, in each layout, for the switch to find (ring.h).
 *
 * The loops over chains are inlined with constant layouts and lengths, so that each kind of chain
 * gets a loop of its own.
 */
#include "ring.h"

/* Where the next descriptor of a packed ring goes: a ring's, in registers for a while. */
struct place {
	struct vring_packed_desc *descs;
	uint16_t size;
	uint16_t next, n_pending, first_flags;
	bool wrap;
};

static inline __attribute__((always_inline)) void
put_packed_desc(struct place *p, uint64_t addr, uint32_t len, uint16_t id, uint16_t flags)
{
	struct vring_packed_desc *d = &p->descs[p->next];

	flags |= p->wrap ? 1 << VRING_PACKED_DESC_F_AVAIL : 1 << VRING_PACKED_DESC_F_USED;
	d->addr = addr;
	d->len = len;
	d->id = id;
	if (p->n_pending++ == 0)
		p->first_flags = flags;
	else
		d->flags = flags;
	if (++p->next == p->size) {
		p->next = 0;
		p->wrap = !p->wrap;
	}
}

/* Most bytes of a frame in one descriptor. */
static inline __attribute__((always_inline)) uint32_t
piece_max(enum ring_layout layout)
{
	return layout == RING_CHAIN ? RING_PIECE_LEN : UINT32_MAX;
}

static inline __attribute__((always_inline)) uint32_t
piece_len(uint32_t left, enum ring_layout layout)
{
	return left < piece_max(layout) ? left : piece_max(layout);
}

/* Returns the number of its descriptors. */
static inline __attribute__((always_inline)) uint32_t
fill_packed_table(struct vring_packed_desc *table, uint16_t write, enum ring_layout layout,
		  uint64_t gpa, uint32_t len)
{
	uint32_t n = 0;

	table[n++] = (struct vring_packed_desc){gpa, RING_HEADER_LEN, 0, write};
	gpa += RING_HEADER_LEN;
	len -= RING_HEADER_LEN;
	do {
		uint32_t piece = piece_len(len, layout);

		table[n++] = (struct vring_packed_desc){gpa, piece, 0, write};
		gpa += piece;
		len -= piece;
	} while (len > 0);
	return n;
}

static inline __attribute__((always_inline)) void
put_packed(struct ring *r, struct place *p, enum ring_layout layout, uint16_t slot, uint64_t gpa,
	   uint32_t len)
{
	struct vring_packed_desc *tables = r->tables;
	uint32_t at = (uint32_t)slot * r->table_len, n;
	uint16_t write = r->is_rx ? VRING_DESC_F_WRITE : 0;

	if (layout == RING_SINGLE) {
		put_packed_desc(p, gpa, len, slot, write);
	} else if (layout == RING_TWO) {
		put_packed_desc(p, gpa, RING_HEADER_LEN, slot, write | VRING_DESC_F_NEXT);
		put_packed_desc(p, gpa + RING_HEADER_LEN, len - RING_HEADER_LEN, slot, write);
	} else {
		n = fill_packed_table(&tables[at], write, layout, gpa, len);
		put_packed_desc(p, r->tables_gpa + at * sizeof(*tables),
				n * (uint32_t)sizeof(*tables), slot, VRING_DESC_F_INDIRECT);
	}
}

/* The same of a split ring. */
static inline __attribute__((always_inline)) uint32_t
fill_split_table(struct vring_desc *table, uint16_t write, enum ring_layout layout, uint64_t gpa,
		 uint32_t len)
{
	const uint16_t more = write | VRING_DESC_F_NEXT;
	uint16_t n = 0;

	table[n] = (struct vring_desc){gpa, RING_HEADER_LEN, more, n + 1};
	gpa += RING_HEADER_LEN;
	len -= RING_HEADER_LEN;
	do {
		uint32_t piece = piece_len(len, layout);

		n++;
		table[n] = (struct vring_desc){gpa, piece, piece < len ? more : write,
					       piece < len ? n + 1 : 0};
		gpa += piece;
		len -= piece;
	} while (len > 0);
	return n + 1u;
}

/* The descriptors of one chain, and of its table. */
static inline __attribute__((always_inline)) void
put_split(struct vring_desc *desc, uint32_t mask, struct vring_desc *table, uint64_t table_gpa,
	  uint16_t head, uint16_t write, enum ring_layout layout, uint64_t gpa, uint32_t len)
{
	uint16_t next = (head + 1) & mask;
	uint32_t n;

	if (layout == RING_SINGLE) {
		desc[head] = (struct vring_desc){gpa, len, write, 0};
	} else if (layout == RING_TWO) {
		desc[head] =
			(struct vring_desc){gpa, RING_HEADER_LEN, write | VRING_DESC_F_NEXT, next};
		desc[next] =
			(struct vring_desc){gpa + RING_HEADER_LEN, len - RING_HEADER_LEN, write, 0};
	} else {
		n = fill_split_table(table, write, layout, gpa, len);
		desc[head] = (struct vring_desc){table_gpa, n * (uint32_t)sizeof(*table),
						 VRING_DESC_F_INDIRECT, 0};
	}
}

/* lens: NULL if each has len bytes. */
static inline __attribute__((always_inline)) void
put_split_all(struct ring *r, enum ring_layout layout, uint32_t len, const uint32_t *lens,
	      uint32_t n)
{
	struct vring_desc *const desc = r->desc, *const tables = r->tables;
	uint16_t *const avail = r->avail->ring;
	bool *const in_flight = r->in_flight;
	const uint16_t *const free_slots = r->free;
	const uint32_t mask = r->size - 1, first = r->free_head, next = r->avail_next;
	const uint32_t first_desc = r->first_desc, stride = r->buffers.stride;
	const uint32_t table_len = layout >= RING_INDIRECT ? r->table_len : 0;
	const uint64_t tables_gpa = r->tables_gpa, gpa = r->buffers.gpa;
	const uint16_t write = r->is_rx ? VRING_DESC_F_WRITE : 0;

	for (uint32_t i = 0; i < n; i++) {
		uint16_t slot = free_slots[(first + i) & mask];
		uint16_t head = (first_desc + (layout == RING_TWO ? 2u * slot : slot)) & mask;
		uint32_t at = slot * table_len;

		in_flight[slot] = true;
		put_split(desc, mask, table_len > 0 ? &tables[at] : NULL,
			  tables_gpa + at * sizeof(*tables), head, write, layout,
			  gpa + (uint64_t)slot * stride, lens != NULL ? lens[i] : len);
		avail[(next + i) & mask] = head;
	}
	r->avail_next += (uint16_t)n;
	r->n_pending += (uint16_t)n;
}

static inline __attribute__((always_inline)) void
put_packed_all(struct ring *r, enum ring_layout layout, uint32_t len, const uint32_t *lens,
	       uint32_t n)
{
	const uint64_t gpa = r->buffers.gpa;
	const uint32_t stride = r->buffers.stride;
	struct place p = {r->packed,	r->size,	r->avail_next,
			  r->n_pending, r->first_flags, r->avail_wrap};

	for (uint32_t i = 0; i < n; i++) {
		uint16_t slot = ring_next_slot(r, i);

		r->in_flight[slot] = true;
		put_packed(r, &p, layout, slot, gpa + (uint64_t)slot * stride,
			   lens != NULL ? lens[i] : len);
	}
	r->avail_next = p.next;
	r->n_pending = p.n_pending;
	r->first_flags = p.first_flags;
	r->avail_wrap = p.wrap;
}

static inline __attribute__((always_inline)) void
put_all(struct ring *r, enum ring_layout layout, uint32_t len, const uint32_t *lens, uint32_t n)
{
	if (r->is_packed)
		put_packed_all(r, layout, len, lens, n);
	else
		put_split_all(r, layout, len, lens, n);
	r->free_head += (uint16_t)n;
}

static inline __attribute__((always_inline)) void
put_layout(struct ring *r, uint32_t len, const uint32_t *lens, uint32_t n)
{
	if (r->layout == RING_SINGLE)
		put_all(r, RING_SINGLE, len, lens, n);
	else if (r->layout == RING_TWO)
		put_all(r, RING_TWO, len, lens, n);
	else if (r->layout == RING_INDIRECT)
		put_all(r, RING_INDIRECT, len, lens, n);
	else
		put_all(r, RING_CHAIN, len, lens, n);
}

void
ring_prefetch(const struct ring *r, uint32_t n)
{
	const struct vring_desc *desc = r->is_packed ? (const void *)r->packed : r->desc;
	const uint32_t per_line = 64 / sizeof(*desc);

	for (uint32_t i = 0; i < n; i += per_line / r->chain_len) {
		uint32_t at = r->is_packed ? r->avail_next + i * r->chain_len
					   : r->first_desc +
						     (uint32_t)ring_next_slot(r, i) * r->chain_len;

		__builtin_prefetch(&desc[at & (r->size - 1)], 1);
	}
	if (!r->is_packed)
		__builtin_prefetch(&r->avail->ring[r->avail_next & (r->size - 1)], 1);
}

void
ring_put(struct ring *r, uint32_t len, uint32_t n)
{
	put_layout(r, len, NULL, n);
}

void
ring_put_mixed(struct ring *r, const uint32_t *lens, uint32_t n)
{
	put_layout(r, 0, lens, n);
}

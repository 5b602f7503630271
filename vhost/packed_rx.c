/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packed_rx.c: frames out of a guest's packed transmit ring.
 *
 * In two stages over the whole burst: descriptors and addresses, heads.
 */
#include "lend.h"
#include "packed.h"

/*
 * Looks up the next buffers, at most max, and where each begins. More descriptors than the ring has
 * can't be on offer: a guest that says so finds nothing taken twice.
 */
static uint32_t
stage_buffers(const struct ring_view *v, struct ring *r, struct staged *staged, uint32_t max)
{
	const uint16_t odd = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT;
	uint32_t n, left = v->size;
	uint16_t at = r->avail;

	for (n = 0; n < max; n++) {
		const struct vring_packed_desc *desc = &v->packed[packed_position(at)];
		/* acquire: pairs with the guest's release; the rest of the chain is read after it
		 */
		uint64_t word = guest_load64(&desc->len);
		struct packed_desc d = packed_desc_make(0, word);
		uint16_t n_descs = 1;

		if (!packed_is_available(d.flags, at))
			break;
		d.addr = guest_read64(&desc->addr);
		staged[n].place = at;
		if (likely(!(d.flags & odd))) {
			lend_stage(v, r, &staged[n], d.addr, d.len);
		} else {
			staged[n].at = NULL;
			if (d.flags & VRING_DESC_F_NEXT)
				n_descs = packed_chain_len(v, r, at, &d.id);
			else if (d.flags & VRING_DESC_F_INDIRECT)
				lend_prefetch_table(v, r, d.addr, d.len);
		}
		if (unlikely(n_descs == 0 || n_descs > left))
			break;
		r->ids[n] = d.id;
		r->n_descs[n] = n_descs;
		left -= n_descs;
		at = packed_next(at, n_descs, v->size);
	}
	return n;
}

static enum drop_reason
lend_chain(const struct ring_view *v, struct ring *r, struct batch *b, uint16_t at,
	   uint16_t n_descs)
{
	struct chain_piece pieces[CHAIN_PIECES_MAX];
	uint64_t len = 0;
	int n = chain_read_packed(v, r, at, n_descs, false, pieces, CHAIN_PIECES_MAX, &len);

	return lend_pieces(v, b, pieces, n, len);
}

uint32_t
packed_rx(const struct ring_view *v, struct ring *r, struct batch *b, struct port_stats *stats)
{
	struct staged staged[BATCH_MAX];
	uint32_t i, n = stage_buffers(v, r, staged, b->max);
	uint32_t n_descs = 0;

	packed_prefetch_used(v, r->avail, n);
	for (i = 0; i < n && likely(lend_has_room(b)); i++) {
		enum drop_reason reason;

		if (likely(staged[i].at != NULL))
			reason = lend_single(v, b, &staged[i]);
		else
			reason = lend_chain(v, r, b, staged[i].place, r->n_descs[i]);
		if (unlikely(reason != DROP_REASONS))
			stats_rx_drop(stats, reason, 1);
		n_descs += r->n_descs[i];
	}
	r->lent = v;
	r->n_lent = (uint16_t)i;
	r->avail = packed_next(r->avail, n_descs, v->size);
	b->is_drained = i == n && n < b->max;
	return i;
}

void
packed_release(struct ring *r)
{
	/* not the published view: it may be gone by now, ours is valid until we are quiescent */
	const struct ring_view *v = r->lent;
	uint16_t first = ring_used(r), at = first;
	uint32_t i, begin = 0;

	if (v->is_in_order) { /* one descriptor for all: the last one's id (virtio 1.2 §2.8.9) */
		begin = r->n_lent - 1u;
		for (i = 0; i < begin; i++)
			at = packed_next(at, r->n_descs[i], v->size);
	}
	at = packed_next(at, r->n_descs[begin], v->size);
	for (i = begin + 1; i < r->n_lent; i++) {
		packed_put(v, at, packed_word(0, r->ids[i], packed_used_flags(at)));
		at = packed_next(at, r->n_descs[i], v->size);
	}
	packed_put_first(v, first, packed_word(0, r->ids[begin], packed_used_flags(first)));
	ring_set_used(r, at);
	r->n_lent = 0;
}

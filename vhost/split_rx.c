/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * split_rx.c: frames out of a guest's split transmit ring.
 *
 * In stages over the whole burst, each of which starts the memory accesses that the next one needs:
 * numbers of descriptors, descriptors and addresses, heads.
 */
#include "lend.h"
#include "split.h"

/* False, and the ring is off, if it names a descriptor that it does not have. */
static bool
stage_heads(const struct ring_view *v, struct ring *r, uint32_t n)
{
	uint16_t mask = v->size - 1;
	bool is_bad = false;

	for (uint32_t i = 0; i < n; i++) {
		uint16_t head = guest_read16(&v->avail->ring[(uint16_t)(r->avail + i) & mask]);

		r->ids[i] = head;
		is_bad |= head > mask;
		rte_prefetch0(&v->desc[head & mask]);
	}
	if (unlikely(is_bad))
		ring_break(r, RING_BAD_HEAD);
	return !is_bad;
}

static void
stage_buffers(const struct ring_view *v, struct ring *r, struct staged *staged, uint32_t n)
{
	const uint16_t odd = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT;

	for (uint32_t i = 0; i < n; i++) {
		struct chain_desc d = chain_desc_read(&v->desc[r->ids[i]]);

		if (likely(!(d.flags & odd))) {
			lend_stage(v, r, &staged[i], d.addr, d.len);
			continue;
		}
		staged[i].at = NULL;
		if (d.flags & VRING_DESC_F_INDIRECT)
			lend_prefetch_table(v, r, d.addr, d.len);
		else
			rte_prefetch0(&v->desc[d.next & (v->size - 1)]);
	}
}

static enum drop_reason
lend_chain(const struct ring_view *v, struct ring *r, struct batch *b, uint16_t head)
{
	struct chain_piece pieces[CHAIN_PIECES_MAX];
	uint64_t len = 0;
	int n = chain_read_split(v, r, head, false, pieces, CHAIN_PIECES_MAX, &len);

	return lend_pieces(v, b, pieces, n, len);
}

uint32_t
split_rx(const struct ring_view *v, struct ring *r, struct batch *b, struct port_stats *stats)
{
	struct staged staged[BATCH_MAX];
	uint32_t i, n_offered = split_offered(v, r, r->avail), n = RTE_MIN(n_offered, b->max);

	if (n == 0 || unlikely(!stage_heads(v, r, n)))
		return 0;
	stage_buffers(v, r, staged, n);
	split_prefetch_used(v, ring_used(r), n);
	for (i = 0; i < n && likely(lend_has_room(b)); i++) {
		enum drop_reason reason;

		if (likely(staged[i].at != NULL))
			reason = lend_single(v, b, &staged[i]);
		else
			reason = lend_chain(v, r, b, r->ids[i]);
		if (unlikely(reason != DROP_REASONS))
			stats_rx_drop(stats, reason, 1);
	}
	r->lent = v;
	r->n_lent = (uint16_t)i;
	r->avail += (uint16_t)i;
	b->is_drained = i == n_offered;
	return i;
}

void
split_release(struct ring *r)
{
	/* not the published view: it may be gone by now, ours is valid until we are quiescent */
	const struct ring_view *v = r->lent;
	uint16_t used = ring_used(r);

	if (v->is_in_order) /* one entry for all: the last one's (virtio 1.2 §2.7.9) */
		split_put_used(v, used, r->ids[r->n_lent - 1], 0);
	else
		for (uint32_t i = 0; i < r->n_lent; i++) /* length 0: nothing was written */
			split_put_used(v, (uint16_t)(used + i), r->ids[i], 0);
	split_publish(v, r, (uint16_t)(used + r->n_lent));
	r->n_lent = 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * split_rx.c: frames out of a guest's transmit ring, see split.h.
 *
 * In stages over the whole burst, each of which starts the memory accesses that the next one needs:
 * numbers of descriptors, descriptors and addresses, heads.
 */
#include "split.h"

#include <stddef.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_prefetch.h>

#include <linux/virtio_net.h>

#include "chain.h"
#include "frame.h"
#include "guest.h"
#include "memory.h"
#include "ring.h"
#include "stats.h"

enum {
	CACHE_LINE = 64
};

/* A frame in one buffer, or where to look for the data of a chain. */
struct staged {
	const uint8_t *at; /* NULL: a chain */
	uint32_t len;
};

/* False, and the ring is off, if it names a descriptor that it does not have. */
static bool
stage_heads(const struct ring_view *v, struct ring *r, uint32_t n)
{
	uint16_t mask = v->size - 1;
	bool is_bad = false;

	for (uint32_t i = 0; i < n; i++) {
		uint16_t head = guest_read16(&v->avail->ring[(uint16_t)(r->avail + i) & mask]);

		r->heads[i] = head;
		is_bad |= head > mask;
		rte_prefetch0(&v->desc[head & mask]);
	}
	if (unlikely(is_bad))
		atomic_store_explicit(&r->fault, RING_BAD_HEAD, memory_order_relaxed);
	return !is_bad;
}

/* Only a hint: chain_read() reads and checks the descriptor itself. */
static void
prefetch_chain(const struct ring_view *v, struct ring *r, const struct chain_desc *d)
{
	const uint8_t *at;
	uint32_t part;

	if (!(d->flags & VRING_DESC_F_INDIRECT)) {
		rte_prefetch0(&v->desc[d->next & (v->size - 1)]);
		return;
	}
	at = memory_find(v->memory, &r->hint, d->addr, d->len, &part);
	if (at)
		rte_prefetch0(at);
}

static void
stage_buffers(const struct ring_view *v, struct ring *r, struct staged *staged, uint32_t n)
{
	const uint16_t odd = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT;

	for (uint32_t i = 0; i < n; i++) {
		struct chain_desc d = chain_desc_read(&v->desc[r->heads[i]]);
		const uint8_t *at = NULL;
		uint32_t part = 0;

		if (likely(!(d.flags & odd)))
			at = memory_find(v->memory, &r->hint, d.addr, d.len, &part);
		if (unlikely(!at || part != d.len)) {
			staged[i].at = NULL;
			prefetch_chain(v, r, &d);
			continue;
		}
		staged[i] = (struct staged){.at = at, .len = d.len};
		rte_prefetch0(at);
		rte_prefetch0(at + CACHE_LINE);
	}
}

/*
 * No offload has been negotiated: a driver that asks for segmentation all the same does not get it,
 * and what else it says in the record is not passed on.
 */
static bool
check_record(struct frame_head *h)
{
	uint8_t gso_type = h->record[offsetof(struct virtio_net_hdr, gso_type)];

	memset(h->record, 0, sizeof(h->record));
	return gso_type == VIRTIO_NET_HDR_GSO_NONE;
}

static enum drop_reason
check_len(const struct ring_view *v, uint64_t len)
{
	if (unlikely(len < v->record_len + (uint32_t)FRAME_LEN_MIN))
		return DROP_RX_RUNT;
	if (unlikely(len > v->record_len + (uint32_t)FRAME_LEN_MAX))
		return DROP_RX_OVERSIZE;
	return DROP_REASONS;
}

static struct frame *
next_frame(struct batch *b, uint32_t len)
{
	struct frame *f = &b->frames[b->n];

	*f = (struct frame){
		.head = b->heads[b->n].bytes,
		.body = &b->pieces[b->n_pieces],
		.len = len,
		.head_len = (uint16_t)RTE_MIN(len, (uint32_t)FRAME_HEAD_MAX),
	};
	return f;
}

/* Record and frame in one buffer: what most drivers send, and the fast way. */
static enum drop_reason
lend_single(const struct ring_view *v, struct batch *b, const struct staged *s)
{
	enum drop_reason reason = check_len(v, s->len);
	struct frame_head *h = &b->heads[b->n];
	const uint8_t *at = s->at + v->record_len;
	struct frame *f;

	if (unlikely(reason != DROP_REASONS))
		return reason;
	f = next_frame(b, s->len - v->record_len);
	if (likely(v->record_len == FRAME_RECORD_LEN)) {
		/* the record and the bytes behind it lie in one piece here as there */
		guest_copy_head((uint8_t *)h + offsetof(struct frame_head, record), s->at,
				FRAME_RECORD_LEN + (uint32_t)f->head_len);
	} else {
		guest_copy_head(h->record, s->at, v->record_len);
		guest_copy_head(h->bytes, at, f->head_len);
	}
	if (unlikely(!check_record(h)))
		return DROP_RX_BAD_RECORD;
	if (f->len > f->head_len)
		batch_add_piece(b, f, at + f->head_len, f->len - f->head_len);
	batch_commit(b);
	return DROP_REASONS;
}

/* The whole frame in one buffer, its record in another. */
static void
lend_bytes(struct batch *b, struct frame *f, const uint8_t *at)
{
	guest_copy_head(f->head, at, f->head_len);
	if (f->len > f->head_len)
		batch_add_piece(b, f, at + f->head_len, f->len - f->head_len);
	batch_commit(b);
}

/* Shares out what is behind the record: the first bytes to the head, the rest to the body. */
static void
share_out(struct batch *b, struct frame *f, uint32_t skip, const struct chain_piece *pieces,
	  uint32_t n)
{
	uint32_t head_len = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t off = RTE_MIN(skip, pieces[i].len);
		uint32_t left = pieces[i].len - off;
		uint32_t part = RTE_MIN(left, f->head_len - head_len);

		skip -= off;
		if (part) {
			guest_copy_head(f->head + head_len, pieces[i].addr + off, part);
			head_len += part;
		}
		if (left > part)
			batch_add_piece(b, f, pieces[i].addr + off + part, left - part);
	}
}

static enum drop_reason
lend_chain(const struct ring_view *v, struct ring *r, struct batch *b, uint16_t head)
{
	struct chain_piece pieces[CHAIN_PIECES_MAX];
	struct frame_head *h = &b->heads[b->n];
	enum drop_reason reason;
	struct frame *f;
	uint64_t len;
	int n;

	n = chain_read(v, r, head, false, pieces, CHAIN_PIECES_MAX, &len);
	if (unlikely(n < 0))
		return DROP_RX_BAD_CHAIN;
	reason = check_len(v, len);
	if (unlikely(reason != DROP_REASONS))
		return reason;
	f = next_frame(b, (uint32_t)len - v->record_len);
	/*
	 * A record in a buffer of its own is not read: nothing in it could be granted, and it would
	 * cost a cache line for each frame.
	 */
	memset(h->record, 0, sizeof(h->record));
	if (likely(pieces[0].len == v->record_len && n == 2)) {
		lend_bytes(b, f, pieces[1].addr);
		return DROP_REASONS;
	}
	if (pieces[0].len > v->record_len)
		guest_copy_head(h->record, pieces[0].addr, v->record_len);
	if (unlikely(!check_record(h)))
		return DROP_RX_BAD_RECORD;
	share_out(b, f, v->record_len, pieces, (uint32_t)n);
	batch_commit(b);
	return DROP_REASONS;
}

uint32_t
split_rx(const struct ring_view *v, struct ring *r, struct batch *b, struct port_stats *stats)
{
	struct staged staged[BATCH_MAX];
	uint32_t i, n = RTE_MIN(ring_offered(r, v), (uint32_t)BATCH_MAX);

	if (n == 0 || unlikely(!stage_heads(v, r, n)))
		return 0;
	stage_buffers(v, r, staged, n);
	ring_prefetch_used(r, v, 0, n);
	for (i = 0; i < n && likely(batch_room(b, CHAIN_PIECES_MAX)); i++) {
		enum drop_reason reason;

		if (likely(staged[i].at != NULL))
			reason = lend_single(v, b, &staged[i]);
		else
			reason = lend_chain(v, r, b, r->heads[i]);
		if (unlikely(reason != DROP_REASONS))
			stats_rx_drop(stats, reason, 1);
	}
	r->lent = v;
	r->n_lent = (uint16_t)i;
	r->avail += (uint16_t)i;
	if (unlikely(b->n == 0))
		split_release(r); /* nobody else will */
	return b->n;
}

void
split_release(struct ring *r)
{
	/* not the published view: it may be gone by now, ours is valid until we are quiescent */
	const struct ring_view *v = r->lent;
	uint16_t used = atomic_load_explicit(&r->used, memory_order_relaxed);

	for (uint32_t i = 0; i < r->n_lent; i++) /* length 0: nothing was written */
		guest_write64(&v->used->ring[(uint16_t)(used + i) & (v->size - 1)], r->heads[i]);
	ring_publish(r, v, (uint16_t)(used + r->n_lent));
	r->n_lent = 0;
}

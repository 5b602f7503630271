/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lend.h: from a buffer of a guest's transmit ring to a frame of a batch, the same for both kinds
 * of ring: the head is copied once, the body stays where it is (virtio 1.2 §5.1.6).
 *
 * Threads: the worker that polls the ring.
 */
#ifndef VHOST_LEND_H
#define VHOST_LEND_H

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
#include "offload.h"
#include "ring.h"
#include "stats.h"

enum {
	LEND_CACHE_LINE = 64
};

/* What a descriptor says of a buffer of the guest's to read, looked up ahead. */
struct staged {
	const uint8_t *at; /* NULL: a chain, or one that can't be used */
	uint32_t len;
	uint16_t place; /* packed: of its first descriptor */
};

/* Is there room in the batch for whatever the next buffer may be? */
static inline bool
lend_has_room(const struct batch *b)
{
	return b->n_bytes < b->bytes_max && batch_room(b, CHAIN_PIECES_MAX);
}

/* Looks up a buffer that is one descriptor; in two regions it is a chain. */
static inline void
lend_stage(const struct ring_view *v, struct ring *r, struct staged *s, uint64_t addr, uint32_t len)
{
	uint32_t part = 0;
	const uint8_t *at = memory_find(v->memory, &r->hint, addr, len, &part);

	s->at = likely(part == len) ? at : NULL;
	s->len = len;
	if (likely(at != NULL)) {
		rte_prefetch0(at);
		rte_prefetch0(at + LEND_CACHE_LINE);
	}
}

/* Only a hint: who walks the table reads and checks it. */
static inline void
lend_prefetch_table(const struct ring_view *v, struct ring *r, uint64_t addr, uint32_t len)
{
	uint32_t part;
	const uint8_t *at = memory_find(v->memory, &r->hint, addr, len, &part);

	if (at)
		rte_prefetch0(at);
}

/* Looks at the record of a frame that is there but for batch_commit(). False if it can't be
 * granted. */
static inline bool
lend_check_record(const struct ring_view *v, struct frame_head *h, struct frame *f)
{
	uint8_t flags = h->record[offsetof(struct virtio_net_hdr, flags)];
	uint8_t gso_type = h->record[offsetof(struct virtio_net_hdr, gso_type)];

	if (unlikely(flags | gso_type))
		return likely(offload_check_quickly(f, v->offloads)) ||
		       offload_check(f, v->offloads);
	memset(h->record, 0, sizeof(h->record));
	return true;
}

static inline enum drop_reason
lend_check_len(const struct ring_view *v, uint64_t len)
{
	if (unlikely(len < v->record_len + (uint32_t)FRAME_LEN_MIN))
		return DROP_RX_RUNT;
	if (unlikely(len > v->record_len + (uint32_t)FRAME_LEN_MAX))
		return DROP_RX_OVERSIZE;
	return DROP_REASONS;
}

static inline struct frame *
lend_next_frame(struct batch *b, uint32_t len)
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
static inline enum drop_reason
lend_single(const struct ring_view *v, struct batch *b, const struct staged *s)
{
	enum drop_reason reason = lend_check_len(v, s->len);
	struct frame_head *h = &b->heads[b->n];
	const uint8_t *at = s->at + v->record_len;
	struct frame *f;

	if (unlikely(reason != DROP_REASONS))
		return reason;
	f = lend_next_frame(b, s->len - v->record_len);
	if (likely(v->record_len == FRAME_RECORD_LEN)) {
		/* the record and the bytes behind it lie in one piece here as there */
		guest_copy_head((uint8_t *)h + offsetof(struct frame_head, record), s->at,
				FRAME_RECORD_LEN + (uint32_t)f->head_len);
	} else {
		guest_copy_head(h->record, s->at, v->record_len);
		guest_copy_head(h->bytes, at, f->head_len);
	}
	if (f->len > f->head_len)
		batch_add_piece(b, f, at + f->head_len, f->len - f->head_len);
	if (unlikely(!lend_check_record(v, h, f)))
		return DROP_RX_BAD_RECORD;
	batch_commit(b);
	return DROP_REASONS;
}

/* A frame whose n >= 0 pieces of together len bytes were read from its chain; n < 0: unreadable. */
enum drop_reason lend_pieces(const struct ring_view *v, struct batch *b,
			     const struct chain_piece *pieces, int n, uint64_t len);

#endif

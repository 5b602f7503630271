/* SPDX-License-Identifier: BSD-3-Clause */
/* lend.c: frames that lie in several pieces, see lend.h. */
#include "lend.h"

/* The record, which is as long as that at least, may lie in several pieces. */
static void
read_record(struct frame_head *h, uint32_t len, const struct chain_piece *pieces)
{
	uint32_t done = 0;

	for (; done < len; pieces++) {
		uint32_t part = RTE_MIN(len - done, pieces->len);

		guest_copy_head(h->record + done, pieces->addr, part);
		done += part;
	}
}

/* The whole frame in one buffer, its record in another. */
static void
lend_bytes(struct batch *b, struct frame *f, const uint8_t *at)
{
	guest_copy_head(f->head, at, f->head_len);
	if (f->len > f->head_len)
		batch_add_piece(b, f, at + f->head_len, f->len - f->head_len);
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

enum drop_reason
lend_pieces(const struct ring_view *v, struct batch *b, const struct chain_piece *pieces, int n,
	    uint64_t len)
{
	struct frame_head *h = &b->heads[b->n];
	enum drop_reason reason;
	struct frame *f;

	if (unlikely(n < 0))
		return DROP_RX_BAD_CHAIN;
	reason = lend_check_len(v, len);
	if (unlikely(reason != DROP_REASONS))
		return reason;
	f = lend_next_frame(b, (uint32_t)len - v->record_len);
	memset(h->record, 0, sizeof(h->record));
	/*
	 * A record in a buffer of its own is not read if nothing in it could be granted: it would
	 * cost a cache line for each frame.
	 */
	if (v->offloads || pieces[0].len != v->record_len)
		read_record(h, v->record_len, pieces);
	if (likely(pieces[0].len == v->record_len && n == 2))
		lend_bytes(b, f, pieces[1].addr);
	else
		share_out(b, f, v->record_len, pieces, (uint32_t)n);
	if (unlikely(!lend_check_record(v, h, f)))
		return DROP_RX_BAD_RECORD;
	batch_commit(b);
	return DROP_REASONS;
}

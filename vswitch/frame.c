/* SPDX-License-Identifier: BSD-3-Clause */
/* frame.c: what is done to a single frame, see frame.h. */
#include "frame.h"

#include <arpa/inet.h>

#include <rte_common.h>

enum {
	ADDRESSES_LEN = 12, /* destination and source */
	TPID_8021Q = 0x8100,
	TPID_8021AD = 0x88a8,
};

void
batch_start(struct batch *b, uint16_t in_port, uint16_t in_queue)
{
	b->in_port = in_port;
	b->in_queue = in_queue;
	b->max = BATCH_MAX;
	b->bytes_max = BATCH_BYTES_MAX;
	b->is_drained = false;
	b->n = 0;
	b->n_pieces = 0;
	b->n_bytes = 0;
	b->offloads = 0;
}

struct frame *
batch_next(struct batch *b)
{
	struct frame *f = &b->frames[b->n];
	struct frame_head *h = &b->heads[b->n];

	memset(h->record, 0, sizeof(h->record));
	*f = (struct frame){.head = h->bytes, .body = &b->pieces[b->n_pieces]};
	return f;
}

static uint16_t
read_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* What the record says of the frame's bytes counts from its start, which moves by len. */
static void
shift_record(struct frame *f, int len)
{
	struct virtio_net_hdr_mrg_rxbuf record = frame_record(f);

	if (record.hdr.csum_start)
		record.hdr.csum_start = (uint16_t)(record.hdr.csum_start + len);
	if (record.hdr.hdr_len)
		record.hdr.hdr_len = (uint16_t)(record.hdr.hdr_len + len);
	frame_set_record(f, record);
}

bool
frame_untag(struct frame *f)
{
	uint16_t tpid = read_be16(f->head + ADDRESSES_LEN);

	if (tpid != TPID_8021Q && tpid != TPID_8021AD)
		return true;
	if (f->head_len < FRAME_LEN_MIN + FRAME_TAG_LEN)
		return false;
	f->tpid = tpid;
	f->tci = read_be16(f->head + ADDRESSES_LEN + 2);
	memmove(f->head - FRAME_RECORD_LEN + FRAME_TAG_LEN, f->head - FRAME_RECORD_LEN,
		FRAME_RECORD_LEN + ADDRESSES_LEN);
	f->head += FRAME_TAG_LEN;
	f->head_len -= FRAME_TAG_LEN;
	f->len -= FRAME_TAG_LEN;
	if (f->offloads)
		shift_record(f, -FRAME_TAG_LEN);
	return true;
}

void
frame_tag(struct frame *f)
{
	uint16_t tag[2] = {htons(f->tpid), htons(f->tci)};

	memmove(f->head - FRAME_RECORD_LEN - FRAME_TAG_LEN, f->head - FRAME_RECORD_LEN,
		FRAME_RECORD_LEN + ADDRESSES_LEN);
	f->head -= FRAME_TAG_LEN;
	f->head_len += FRAME_TAG_LEN;
	f->len += FRAME_TAG_LEN;
	memcpy(f->head + ADDRESSES_LEN, tag, sizeof(tag));
	if (f->offloads)
		shift_record(f, FRAME_TAG_LEN);
}

void
frame_read(const struct frame *f, uint32_t off, void *to, uint32_t len)
{
	uint8_t *at = to;
	uint32_t skip, part, i;

	if (off < f->head_len) {
		part = RTE_MIN(len, f->head_len - off);
		memcpy(at, f->head + off, part);
		at += part;
		len -= part;
		off += part;
	}
	skip = off - f->head_len;
	for (i = 0; len > 0 && i < f->n_pieces; i++) {
		const struct frame_piece *p = &f->body[i];

		if (skip >= p->len) {
			skip -= p->len;
			continue;
		}
		part = RTE_MIN(len, p->len - skip);
		memcpy(at, p->addr + skip, part);
		at += part;
		len -= part;
		skip = 0;
	}
}

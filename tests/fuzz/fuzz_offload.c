/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_offload.c: any head with any record, and any receiver: what is checked can be finished, no
 * byte of the payload is lost or doubled, every checksum that was put in is right, and nothing is
 * read or written beyond heads and pieces, which lie in heap memory of just their length.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "offload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
	OPTIONS_LEN = 6, /* bytes of the input before record and frame */
	BYTES_MAX = FRAME_LEN_MAX + 1,
};

static struct batch from, to;
static struct offload_work work;
static uint8_t bytes[BYTES_MAX], got[BYTES_MAX];

static uint32_t
add(uint32_t sum, const uint8_t *at, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The sum of the pseudo header of layer 4 with len bytes. */
static uint32_t
pseudo(const uint8_t *frame, const struct offload_headers *h, uint32_t len)
{
	const uint8_t rest[] = {0, h->protocol, (uint8_t)(len >> 8), (uint8_t)len};
	const uint8_t *ip = frame + h->l3;

	return add(h->is_ipv6 ? add(0, ip + 8, 32) : add(0, ip + 12, 8), rest, sizeof(rest));
}

static void
lend(uint32_t len, uint32_t head_len, uint32_t piece_len)
{
	struct frame *f = batch_next(&from);

	f->len = len;
	f->head_len = (uint16_t)(len < head_len ? len : head_len);
	memcpy(f->head, bytes, f->head_len);
	for (uint32_t off = f->head_len, part; off < len; off += part) {
		uint8_t *piece;

		part = len - off < piece_len ? len - off : piece_len;
		piece = malloc(part);
		if (!piece)
			abort();
		memcpy(piece, bytes + off, part);
		batch_add_piece(&from, f, piece, part);
	}
}

static void
give_back(void)
{
	for (uint32_t i = 0; i < from.frames[0].n_pieces; i++)
		free((void *)(uintptr_t)from.pieces[i].addr);
}

/* The frame is one segment of the one lent, whose payload is done up to byte *at. */
static void
check_segment(const struct frame *g, const struct offload_headers *h, uint32_t *at, bool has_pseudo)
{
	uint32_t len = g->len - h->payload, sum;

	if (g->len <= h->payload || g->len > offload_wire_len(&from.frames[0]))
		abort();
	frame_read(g, 0, got, g->len);
	if (memcmp(got + h->payload, bytes + h->payload + *at, len) != 0)
		abort();
	*at += len;
	if (!has_pseudo)
		return;
	sum = pseudo(got, h, g->len - h->l4);
	if (g->offloads & OFFLOAD_CHECKSUM) {
		uint32_t place = h->l4 + frame_record(g).hdr.csum_offset;
		uint32_t partial = (uint32_t)got[place] << 8 | got[place + 1];

		if (partial % 0xffff != sum % 0xffff)
			abort();
	} else if (add(sum, got + h->l4, g->len - h->l4) != 0xffff) {
		abort();
	}
}

static void
check_whole(const struct frame *g, const struct frame *f)
{
	struct virtio_net_hdr record = frame_record(f).hdr;
	uint32_t place = record.csum_start + (uint32_t)record.csum_offset;

	if (g->len != f->len)
		abort();
	frame_read(g, 0, got, g->len);
	if (g->offloads == f->offloads) {
		if (memcmp(got, bytes, g->len) != 0)
			abort();
		return;
	}
	if (f->offloads & OFFLOAD_CHECKSUM) {
		uint32_t sum = ~add(0, bytes + record.csum_start, f->len - record.csum_start);

		sum = sum & 0xffff ? sum & 0xffff : 0xffff;
		bytes[place] = (uint8_t)(sum >> 8);
		bytes[place + 1] = (uint8_t)sum;
	}
	if (g->offloads || memcmp(got, bytes, g->len) != 0)
		abort();
}

static void
finish(uint32_t accepted, bool has_pseudo)
{
	/* what the receiver has to take all of, or the frame is divided */
	const uint32_t divided = OFFLOAD_SEGMENTS | OFFLOAD_EXTENSIONS;
	const struct frame *f = &from.frames[0];
	uint32_t at = 0, n = 0;
	struct offload_headers h;

	offload_begin(&work, &from, 1, accepted);
	for (;;) {
		batch_start(&to, 1, 0);
		if (!offload_next(&work, &to))
			break;
		for (uint32_t i = 0; i < to.n; i++, n++) {
			const struct frame *g = &to.frames[i];

			if (g->offloads & ~accepted)
				abort();
			if (!(f->offloads & ~accepted & divided))
				check_whole(g, f);
			else if (offload_parse(f, &h))
				check_segment(g, &h, &at, has_pseudo);
			else
				abort();
		}
	}
	if (n == 0 || (f->offloads & ~accepted & divided && h.payload + at != f->len))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct virtio_net_hdr_mrg_rxbuf record;
	struct offload_headers h;
	bool has_pseudo = false;
	uint32_t frame_len;
	struct frame *f;

	if (len < OPTIONS_LEN + sizeof(record) + FRAME_LEN_MIN)
		return 0;
	memcpy(&record, data + OPTIONS_LEN, sizeof(record));
	len -= OPTIONS_LEN + sizeof(record);
	if (len > FRAME_LEN_MAX)
		len = FRAME_LEN_MAX;
	/* what the input has no bytes for follows from them */
	frame_len = (uint32_t)len + (data[2] | (uint32_t)data[3] << 8);
	if (frame_len > FRAME_LEN_MAX)
		frame_len = FRAME_LEN_MAX;
	memcpy(bytes, data + OPTIONS_LEN + sizeof(record), len);
	for (size_t i = len; i < frame_len; i++)
		bytes[i] = (uint8_t)(bytes[i - 1] * 5 + 1);
	batch_start(&from, 1, 0);
	lend(frame_len, FRAME_LEN_MIN + data[4] % (FRAME_HEAD_MAX - FRAME_LEN_MIN + 1),
	     frame_len / FRAME_PIECES_MAX + 1 + data[5] * 8);
	f = &from.frames[0];
	if (data[0] & 0x80 && offload_parse(f, &h) && !h.is_fragment &&
	    (h.protocol == IPPROTO_TCP || h.protocol == IPPROTO_UDP)) {
		uint32_t place = h.l4 + (h.protocol == IPPROTO_TCP ? 16u : 6u);
		uint32_t sum = pseudo(bytes, &h, frame_len - h.l4);

		record.hdr.flags |= VIRTIO_NET_HDR_F_NEEDS_CSUM;
		record.hdr.csum_start = h.l4;
		record.hdr.csum_offset = (uint16_t)(place - h.l4);
		bytes[place] = f->head[place] = (uint8_t)(sum >> 8);
		bytes[place + 1] = f->head[place + 1] = (uint8_t)sum;
		has_pseudo = true;
	}
	frame_set_record(f, record);
	if (offload_check(f, data[0] & OFFLOAD_ALL)) {
		frame_read(f, 0, bytes, f->len); /* the CRC of SCTP may be in it now */
		batch_commit(&from);
		finish(data[1] & OFFLOAD_ALL, has_pseudo);
	}
	give_back();
	return 0;
}

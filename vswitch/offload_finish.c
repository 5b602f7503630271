/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offload_finish.c: does what a frame asks for and its receiver does not take, see offload.h:
 * checksums (RFC 1071), segments of TCP and datagrams of UDP.
 *
 * Nothing of a body is copied: a segment has a head of its own and pieces of the frame's body. A
 * guest that rewrites a body meanwhile sends checksums that are wrong, and nothing else.
 */
#include "offload.h"

#include <netinet/in.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_common.h>

enum {
	SUM_LEN = 2,
	IPV4_TOTAL_LEN_AT = 2, /* RFC 791 §3.1 */
	IPV4_ID_AT = 4,
	IPV4_CHECKSUM_AT = 10,
	IPV6_PAYLOAD_LEN_AT = 4, /* RFC 8200 §3 */
	IPV6_LEN = 40,
	TCP_SEQUENCE_AT = 4, /* RFC 9293 §3.1, and RFC 3168 §6.1 for CWR */
	TCP_FLAGS_AT = 13,
	TCP_FIN = 0x01,
	TCP_PSH = 0x08,
	TCP_CWR = 0x80,
	UDP_LEN_AT = 4,
	PIECES_MORE = 4, /* that a frame may have more when its head or its checksum is parted */
};

static uint16_t
read_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void
write_be16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static uint16_t
fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & UINT32_MAX);
	sum = (sum >> 32) + (sum & UINT32_MAX);
	sum = (sum >> 16) + (sum & UINT16_MAX);
	sum = (sum >> 16) + (sum & UINT16_MAX);
	return (uint16_t)sum;
}

/* The sum of bytes in the order of this machine, not folded. */
static uint64_t
sum_bytes(const uint8_t *at, uint32_t len)
{
	uint64_t sum = 0;
	uint32_t word, i;
	uint16_t last = 0;

	for (i = 0; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, at + i, sizeof(word));
		sum += word;
	}
	if (len - i >= SUM_LEN) {
		memcpy(&last, at + i, SUM_LEN);
		sum += last;
		i += SUM_LEN;
		last = 0;
	}
	if (i < len) {
		memcpy(&last, at + i, 1);
		sum += last;
	}
	return sum;
}

/* The sum of a frame from its byte start on, as if that were an even one. */
static uint16_t
sum_frame(const struct frame *f, uint32_t start)
{
	uint64_t sum = 0;
	bool is_odd = false;
	uint32_t skip = 0;

	if (start < f->head_len) {
		sum = fold(sum_bytes(f->head + start, f->head_len - start));
		is_odd = (f->head_len - start) & 1;
	} else {
		skip = start - f->head_len;
	}
	for (uint32_t i = 0; i < f->n_pieces; i++) {
		uint32_t off = RTE_MIN(skip, f->body[i].len), len = f->body[i].len - off;
		uint16_t part = fold(sum_bytes(f->body[i].addr + off, len));

		skip -= off;
		sum += is_odd ? rte_bswap16(part) : part;
		is_odd ^= len & 1;
	}
	return fold(sum);
}

/* A sum as a checksum: 0 would mean that there is none (RFC 768), and equals this. */
static uint16_t
checksum_of(uint16_t sum)
{
	uint16_t checksum = (uint16_t)~sum;

	return checksum ? checksum : UINT16_MAX;
}

/* Appends those bytes of f to the body of to's next frame g. */
static void
add_range(struct batch *to, struct frame *g, const struct frame *f, uint32_t at, uint32_t len)
{
	uint32_t part;

	if (at < f->head_len) {
		part = RTE_MIN(len, f->head_len - at);
		if (part)
			batch_add_piece(to, g, f->head + at, part);
		at += part;
		len -= part;
	}
	at -= f->head_len;
	for (uint32_t i = 0; len > 0 && i < f->n_pieces; i++) {
		const struct frame_piece *p = &f->body[i];

		if (at >= p->len) {
			at -= p->len;
			continue;
		}
		part = RTE_MIN(len, p->len - at);
		batch_add_piece(to, g, p->addr + at, part);
		len -= part;
		at = 0;
	}
}

/* The next frame of to, with a copy of the first head_len bytes of f's head, and no record. */
static struct frame *
next_frame(struct batch *to, const struct frame *f, uint32_t head_len)
{
	struct frame *g = batch_next(to);

	g->tpid = f->tpid;
	g->tci = f->tci;
	g->head_len = (uint16_t)head_len;
	memcpy(g->head, f->head, head_len);
	return g;
}

/* As it is, but for a record that is not of this receiver's business. */
static void
pass(struct batch *to, const struct frame *f, uint32_t accepted)
{
	struct frame *g;

	if (!(f->offloads & ~accepted)) {
		/* head and body are the other batch's */
		to->frames[to->n++] = *f;
		to->n_bytes += f->len;
		to->offloads |= f->offloads;
		return;
	}
	g = next_frame(to, f, f->head_len);
	add_range(to, g, f, f->head_len, f->len - f->head_len);
	g->len = f->len;
	g->mbuf = f->mbuf;
	batch_commit(to);
}

/* The frame with its checksum in its place, which holds the sum of the pseudo header until then. */
static void
put_checksum(struct offload_work *work, struct batch *to, const struct frame *f)
{
	struct virtio_net_hdr_mrg_rxbuf record = frame_record(f);
	uint32_t start = record.hdr.csum_start, place = start + record.hdr.csum_offset;
	uint16_t checksum = checksum_of(sum_frame(f, start));
	uint32_t head_len = place + SUM_LEN <= f->head_len ? f->head_len
							   : RTE_MIN(place, (uint32_t)f->head_len);
	struct frame *g = next_frame(to, f, head_len);

	g->len = f->len;
	if (likely(place + SUM_LEN <= head_len)) {
		memcpy(g->head + place, &checksum, SUM_LEN);
		add_range(to, g, f, head_len, f->len - head_len);
	} else {
		uint8_t *sum = work->sums[to->n];

		memcpy(sum, &checksum, SUM_LEN);
		add_range(to, g, f, head_len, place - head_len);
		batch_add_piece(to, g, sum, SUM_LEN);
		add_range(to, g, f, place + SUM_LEN, f->len - place - SUM_LEN);
	}
	batch_commit(to);
}

/* A frame that becomes segments. */
struct segmented {
	const struct frame *f;
	struct offload_headers h;
	struct virtio_net_hdr record;
};

static void
edit_ip(struct frame *g, const struct offload_headers *h, uint32_t n_before)
{
	uint8_t *ip = g->head + h->l3;
	uint16_t checksum;

	if (h->is_ipv6) {
		write_be16(ip + IPV6_PAYLOAD_LEN_AT, g->len - h->l3 - IPV6_LEN);
		return;
	}
	write_be16(ip + IPV4_TOTAL_LEN_AT, g->len - h->l3);
	write_be16(ip + IPV4_ID_AT, read_be16(ip + IPV4_ID_AT) + n_before);
	memset(ip + IPV4_CHECKSUM_AT, 0, SUM_LEN);
	checksum = (uint16_t)~fold(sum_bytes(ip, h->l4 - h->l3));
	memcpy(ip + IPV4_CHECKSUM_AT, &checksum, SUM_LEN);
}

static void
edit_tcp(uint8_t *tcp, uint32_t at, bool is_last)
{
	uint32_t sequence;

	memcpy(&sequence, tcp + TCP_SEQUENCE_AT, sizeof(sequence));
	sequence = rte_cpu_to_be_32(rte_be_to_cpu_32(sequence) + at);
	memcpy(tcp + TCP_SEQUENCE_AT, &sequence, sizeof(sequence));
	if (!is_last)
		tcp[TCP_FLAGS_AT] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (at > 0)
		tcp[TCP_FLAGS_AT] &= (uint8_t)~TCP_CWR;
}

/*
 * The place of the checksum holds the sum of the pseudo header with the length of all segments
 * together: with that of this one, it is the segment's (RFC 1624). Then the rest is added, unless
 * the receiver does that.
 */
static void
edit_checksum(struct frame *g, const struct segmented *s, bool is_left)
{
	uint8_t *place = g->head + s->h.l4 + s->record.csum_offset;
	uint16_t all = rte_cpu_to_be_16((uint16_t)(s->f->len - s->h.l4));
	uint16_t mine = rte_cpu_to_be_16((uint16_t)(g->len - s->h.l4)), sum;

	memcpy(&sum, place, SUM_LEN);
	sum = fold((uint64_t)sum + (uint16_t)~all + mine);
	memcpy(place, &sum, SUM_LEN);
	if (is_left) {
		struct virtio_net_hdr_mrg_rxbuf record = {
			.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.hdr.csum_start = s->record.csum_start,
			.hdr.csum_offset = s->record.csum_offset,
		};

		frame_set_record(g, record);
		g->offloads = OFFLOAD_CHECKSUM;
		return;
	}
	sum = checksum_of(sum_frame(g, s->h.l4));
	memcpy(place, &sum, SUM_LEN);
}

/* The segment with the len bytes from byte at of the payload on. */
static void
add_segment(struct batch *to, const struct segmented *s, const struct offload_work *work,
	    uint32_t len)
{
	const struct frame *f = s->f;
	struct frame *g = next_frame(to, f, RTE_MIN((uint32_t)s->h.payload, (uint32_t)f->head_len));
	bool is_last = s->h.payload + work->at + len == f->len;

	/* options of TCP may be behind the head */
	add_range(to, g, f, g->head_len, s->h.payload - g->head_len);
	add_range(to, g, f, s->h.payload + work->at, len);
	g->len = s->h.payload + len;
	edit_ip(g, &s->h, work->n_segments);
	if (s->h.protocol == IPPROTO_TCP)
		edit_tcp(g->head + s->h.l4, work->at, is_last);
	else
		write_be16(g->head + s->h.l4 + UDP_LEN_AT, g->len - s->h.l4);
	edit_checksum(g, s,
		      work->accepted & OFFLOAD_CHECKSUM &&
			      !(f->offloads & ~work->accepted & OFFLOAD_EXTENSIONS));
	batch_commit(to);
}

/* False if to has no room for all segments of f that are left. */
static bool
add_segments(struct offload_work *work, struct batch *to, const struct frame *f)
{
	struct segmented s = {.f = f, .record = frame_record(f).hdr};

	if (!offload_parse(f, &s.h)) /* it could be when it was checked */
		return true;
	while (s.h.payload + work->at < f->len) {
		uint32_t len =
			RTE_MIN((uint32_t)s.record.gso_size, f->len - s.h.payload - work->at);

		if (!batch_room(to, f->n_pieces + PIECES_MORE))
			return false;
		add_segment(to, &s, work, len);
		work->at += len;
		work->n_segments++;
	}
	work->at = work->n_segments = 0;
	return true;
}

void
offload_begin(struct offload_work *work, const struct batch *from, uint64_t set, uint32_t accepted)
{
	work->from = from;
	work->left = set;
	work->accepted = accepted;
	work->at = work->n_segments = 0;
}

bool
offload_next(struct offload_work *work, struct batch *to)
{
	while (work->left) {
		const struct frame *f = &work->from->frames[__builtin_ctzll(work->left)];
		uint32_t missing = f->offloads & ~work->accepted;

		if (!batch_room(to, f->n_pieces + PIECES_MORE))
			break;
		if (missing & (OFFLOAD_SEGMENTS | OFFLOAD_EXTENSIONS)) {
			if (!add_segments(work, to, f))
				break;
		} else if (missing & OFFLOAD_CHECKSUM) {
			put_checksum(work, to, f);
		} else {
			pass(to, f, work->accepted);
		}
		work->left &= work->left - 1;
	}
	return to->n > 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offload.c: looking at what a frame asks for, see offload.h; doing it is in offload_finish.c.
 *
 * Everything is read from the head, which is private: what was checked here is what is sent.
 */
#include "offload.h"

#include <netinet/in.h>
#include <stdio.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_hash_crc.h>

#include "port.h"

enum {
	TYPE_AT = 12, /* of the first EtherType */
	TYPE_LEN = 2,
	TAGS_MAX = 2,
	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	TYPE_8021Q = 0x8100,
	TYPE_8021AD = 0x88a8,
	IPV4_LEN = 20, /* RFC 791 §3.1 */
	IPV4_FRAGMENT_AT = 6,
	IPV4_FRAGMENT_MASK = 0x3fff, /* more fragments, and the offset */
	IPV4_PROTOCOL_AT = 9,
	IPV6_LEN = 40, /* RFC 8200 §3 */
	IPV6_NEXT_AT = 6,
	EXTENSION_LEN = 8, /* RFC 8200 §4: of the shortest one */
	EXTENSIONS_MAX = 8,
	TCP_LEN = 20, /* RFC 9293 §3.1 */
	TCP_OFFSET_AT = 12,
	UDP_LEN = 8,   /* RFC 768 */
	SCTP_LEN = 12, /* RFC 9260 §3.1 */
};

static uint16_t
read_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool
parse_ipv4(const struct frame *f, struct offload_headers *h)
{
	const uint8_t *ip = f->head + h->l3;
	uint16_t len;

	if (h->l3 + IPV4_LEN > f->head_len || ip[0] >> 4 != 4)
		return false;
	len = (ip[0] & 0xf) * 4;
	h->l4 = h->l3 + len;
	h->protocol = ip[IPV4_PROTOCOL_AT];
	h->is_fragment = read_be16(ip + IPV4_FRAGMENT_AT) & IPV4_FRAGMENT_MASK;
	return len >= IPV4_LEN;
}

static bool
parse_ipv6(const struct frame *f, struct offload_headers *h)
{
	const uint8_t *ip = f->head + h->l3;

	if (h->l3 + IPV6_LEN > f->head_len || ip[0] >> 4 != 6)
		return false;
	h->is_ipv6 = true;
	h->l4 = h->l3 + IPV6_LEN;
	h->protocol = ip[IPV6_NEXT_AT];
	for (uint32_t i = 0; i < EXTENSIONS_MAX; i++) {
		const uint8_t *next = f->head + h->l4;

		if (h->protocol == IPPROTO_FRAGMENT) {
			h->is_fragment = true;
			return true;
		}
		if (h->protocol != IPPROTO_HOPOPTS && h->protocol != IPPROTO_ROUTING &&
		    h->protocol != IPPROTO_DSTOPTS)
			return true;
		if (h->l4 + EXTENSION_LEN > f->head_len)
			return false;
		h->protocol = next[0];
		h->l4 += (uint16_t)((next[1] + 1) * EXTENSION_LEN);
	}
	return false;
}

bool
offload_parse(const struct frame *f, struct offload_headers *h)
{
	uint16_t at = TYPE_AT, type = 0;

	*h = (struct offload_headers){0};
	for (uint32_t n_tags = 0; at + TYPE_LEN <= f->head_len; n_tags++) {
		type = read_be16(f->head + at);
		at += TYPE_LEN;
		if ((type != TYPE_8021Q && type != TYPE_8021AD) || n_tags == TAGS_MAX)
			break;
		at += FRAME_TAG_LEN - TYPE_LEN;
	}
	h->l3 = at;
	if (!(type == TYPE_IPV4 ? parse_ipv4(f, h) : type == TYPE_IPV6 && parse_ipv6(f, h)))
		return false;
	h->payload = h->l4;
	if (h->is_fragment)
		return true;
	if (h->protocol == IPPROTO_TCP) {
		if (h->l4 + TCP_LEN > f->head_len)
			return false;
		h->payload += (f->head[h->l4 + TCP_OFFSET_AT] >> 4) * 4;
		return h->payload >= h->l4 + TCP_LEN;
	}
	if (h->protocol == IPPROTO_UDP)
		h->payload += UDP_LEN;
	return h->payload <= f->head_len;
}

/* CRC-32C of more bytes. rte_hash_crc() reads words, which are to be aligned. */
static uint32_t
crc_add(uint32_t crc, const uint8_t *at, uint32_t len)
{
	for (; len > 0 && (uintptr_t)at % sizeof(uint64_t) != 0; at++, len--)
		crc = rte_hash_crc_1byte(*at, crc);
	return rte_hash_crc(at, len, crc);
}

/*
 * SCTP has a CRC instead of the sum that virtio knows. DPDK's drivers ask for it all the same,
 * in the place of its checksum; nobody else would put it in.
 */
static bool
put_sctp_checksum(struct frame *f, uint32_t start)
{
	uint8_t *at = f->head + start + OFFLOAD_SCTP_CHECKSUM_AT;
	uint32_t crc;

	if (start + SCTP_LEN > f->head_len)
		return false;
	memset(at, 0, sizeof(crc));
	crc = crc_add(UINT32_MAX, f->head + start, f->head_len - start);
	for (uint32_t i = 0; i < f->n_pieces; i++)
		crc = crc_add(crc, f->body[i].addr, f->body[i].len);
	crc = ~crc;
	memcpy(at, &crc, sizeof(crc)); /* the lowest byte first: RFC 9260 appendix A */
	return true;
}

static bool
check_checksum(struct frame *f, const struct virtio_net_hdr *from, struct virtio_net_hdr *to)
{
	uint32_t start = from->csum_start, place = start + from->csum_offset;
	struct offload_headers h;

	if (place < OFFLOAD_PLACE_MIN || place + sizeof(uint16_t) > f->len)
		return false;
	if (unlikely(from->csum_offset == OFFLOAD_SCTP_CHECKSUM_AT) && offload_parse(f, &h) &&
	    h.protocol == IPPROTO_SCTP && h.l4 == start)
		return put_sctp_checksum(f, start);
	to->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	to->csum_start = from->csum_start;
	to->csum_offset = from->csum_offset;
	f->offloads = OFFLOAD_CHECKSUM;
	return true;
}

/* What a frame with these headers and this type of segmentation asks for; 0 if they don't fit. */
static uint32_t
segments_of(const struct offload_headers *h, uint8_t gso_type)
{
	uint32_t ecn = gso_type & VIRTIO_NET_HDR_GSO_ECN ? OFFLOAD_ECN : 0;

	if (h->is_fragment)
		return 0;
	switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return h->protocol == IPPROTO_TCP && !h->is_ipv6 ? OFFLOAD_TSO4 | ecn : 0;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return h->protocol == IPPROTO_TCP && h->is_ipv6 ? OFFLOAD_TSO6 | ecn : 0;
	case 5: /* VIRTIO_NET_HDR_GSO_UDP_L4, which the headers of Linux 6.1 don't have */
		if (h->protocol != IPPROTO_UDP || ecn)
			return 0;
		return h->is_ipv6 ? OFFLOAD_USO6 : OFFLOAD_USO4;
	default:
		return 0;
	}
}

static bool
check_segments(struct frame *f, const struct virtio_net_hdr *from, struct virtio_net_hdr *to,
	       uint32_t allowed)
{
	struct offload_headers h;
	uint32_t asked, place;

	if (!(from->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || !offload_parse(f, &h))
		return false;
	asked = segments_of(&h, from->gso_type) | OFFLOAD_CHECKSUM;
	if (h.is_ipv6 && h.l4 != h.l3 + IPV6_LEN)
		asked |= OFFLOAD_EXTENSIONS;
	if (!(asked & OFFLOAD_SEGMENTS) || asked & ~allowed)
		return false;
	place = h.protocol == IPPROTO_TCP ? OFFLOAD_TCP_CHECKSUM_AT : OFFLOAD_UDP_CHECKSUM_AT;
	if (from->csum_start != h.l4 || from->csum_offset != place || h.payload >= f->len ||
	    from->gso_size == 0 ||
	    (f->len - h.payload - 1) / from->gso_size >= OFFLOAD_SEGMENTS_MAX)
		return false;
	*to = *from;
	to->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	to->hdr_len = h.payload; /* what the peer says of it is only a hint */
	f->offloads = asked;
	return true;
}

bool
offload_check(struct frame *f, uint32_t allowed)
{
	struct virtio_net_hdr_mrg_rxbuf from = frame_record(f), to = {0};
	bool is_fine = true;

	f->offloads = 0;
	if (from.hdr.gso_type & ~VIRTIO_NET_HDR_GSO_ECN)
		is_fine = check_segments(f, &from.hdr, &to.hdr, allowed);
	else if (from.hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && allowed & OFFLOAD_CHECKSUM)
		is_fine = check_checksum(f, &from.hdr, &to.hdr);
	else if (from.hdr.flags & VIRTIO_NET_HDR_F_DATA_VALID && allowed & OFFLOAD_VALID) {
		to.hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
		f->offloads = OFFLOAD_VALID;
	}
	frame_set_record(f, to);
	return is_fine;
}

void
offload_text(uint32_t offloads, char text[OFFLOAD_TEXT_MAX])
{
	static const struct {
		uint32_t offload;
		const char *name;
	} names[] = {
		{OFFLOAD_CHECKSUM, "checksum"}, {OFFLOAD_TSO4, "tso4"}, {OFFLOAD_TSO6, "tso6"},
		{OFFLOAD_ECN, "ecn"},		{OFFLOAD_USO4, "uso4"}, {OFFLOAD_USO6, "uso6"},
	};
	size_t len = 0;

	snprintf(text, OFFLOAD_TEXT_MAX, "none");
	for (size_t i = 0; i < RTE_DIM(names); i++)
		if (offloads & names[i].offload)
			len += (size_t)snprintf(text + len, OFFLOAD_TEXT_MAX - len, "%s%s",
						len ? " " : "", names[i].name);
}

void
offload_report(struct report *report, const char *key, uint32_t offloads)
{
	char text[OFFLOAD_TEXT_MAX];

	offload_text(offloads, text);
	report->text(report, key, text);
}

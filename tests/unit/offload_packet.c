/* SPDX-License-Identifier: BSD-3-Clause */
/* offload_packet.c: see offload_packet.h. */
#include "offload_packet.h"

#include <string.h>

enum {
	ETHERNET_LEN = 14,
	TCP_FIN = 0x01,
	TCP_PSH = 0x08,
	TCP_CWR = 0x80,
	GSO_UDP_L4 = 5,
};

static void
put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static uint32_t
get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t
add(uint32_t sum, const uint8_t *at, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint8_t *
place_of(struct packet *p)
{
	return p->bytes + p->l4 + (p->is_tcp ? 16 : 6);
}

static void
put_lengths(struct packet *p)
{
	uint8_t *ip = p->bytes + p->l3;

	if (p->is_ipv6) {
		put16(ip + 4, p->len - p->l3 - 40);
	} else {
		put16(ip + 2, p->len - p->l3);
		put16(ip + 10, 0);
		put16(ip + 10, ~add(0, ip, p->l4 - p->l3));
	}
	if (!p->is_tcp)
		put16(p->bytes + p->l4 + 4, p->len - p->l4);
}

static void
put_pseudo(struct packet *p)
{
	const uint8_t *ip = p->bytes + p->l3;
	uint8_t rest[4] = {0, p->is_tcp ? 6 : 17};
	uint32_t sum = p->is_ipv6 ? add(0, ip + 8, 32) : add(0, ip + 12, 8);

	put16(rest + 2, p->len - p->l4);
	put16(place_of(p), add(sum, rest, sizeof(rest)));
}

void
packet_finish(struct packet *p)
{
	uint32_t sum = 0xffff & ~add(0, p->bytes + p->l4, p->len - p->l4);

	put16(place_of(p), sum ? sum : 0xffff);
	p->record = (struct virtio_net_hdr){0};
}

static void
put_ip(struct packet *p, const struct packet_conf *conf)
{
	uint8_t protocol = conf->is_tcp ? 6 : 17, *ip = p->bytes + p->l3;

	if (!conf->is_ipv6) {
		memcpy(ip, (uint8_t[20]){0x45, 0, 0,  0,  0xff, 0xfe, 0x40, 0,	64, protocol,
					 0,    0, 10, 77, 0,	1,    10,   77, 0,  2},
		       20);
		p->l4 = p->l3 + 20;
		return;
	}
	ip[0] = 0x60;
	ip[7] = 64;
	for (int i = 0; i < 32; i++)
		ip[8 + i] = (uint8_t)(0xfd - i * 3);
	p->l4 = p->l3 + 40;
	ip += 6; /* where the next header is said */
	for (uint32_t i = 0; i < conf->n_extensions; i++, p->l4 += 8) {
		static const uint8_t types[] = {0, 60, 43};
		uint8_t *extension = p->bytes + p->l4;

		*ip = types[i % 3];
		memset(extension, 0, 8);
		ip = extension;
	}
	*ip = protocol;
}

void
packet_make(struct packet *p, const struct packet_conf *conf)
{
	uint8_t *l4;

	*p = (struct packet){.is_ipv6 = conf->is_ipv6, .is_tcp = conf->is_tcp, .l3 = ETHERNET_LEN};
	memcpy(p->bytes, (uint8_t[12]){2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}, 12);
	for (uint32_t i = 0; i < conf->n_tags; i++, p->l3 += 4) {
		put16(p->bytes + p->l3 - 2, i + 1 < conf->n_tags ? 0x88a8 : 0x8100);
		put16(p->bytes + p->l3, 100 + i);
	}
	put16(p->bytes + p->l3 - 2, conf->is_ipv6 ? 0x86dd : 0x0800);
	put_ip(p, conf);
	l4 = p->bytes + p->l4;
	put16(l4, 1234);
	put16(l4 + 2, 5678);
	p->payload = p->l4 + (conf->is_tcp ? 20 + conf->options_len : 8);
	if (conf->is_tcp) {
		memset(l4 + 4, 0xff, 4); /* the sequence number wraps */
		l4[12] = (uint8_t)((20 + conf->options_len) / 4 << 4);
		l4[13] = conf->tcp_flags;
		for (uint32_t i = 0; i < conf->options_len; i++)
			l4[20 + i] = 1;
	}
	p->len = p->payload + conf->payload_len;
	for (uint32_t i = p->payload; i < p->len; i++)
		p->bytes[i] = (uint8_t)(i * 31 + i / 253);
	put_lengths(p);
	put_pseudo(p);
	p->record = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint16_t)p->l4,
		.csum_offset = conf->is_tcp ? 16 : 6,
	};
	if (!conf->gso_size)
		return;
	p->record.gso_size = conf->gso_size;
	p->record.hdr_len = (uint16_t)p->payload;
	p->record.gso_type = conf->gso_more | (!conf->is_tcp   ? GSO_UDP_L4
					       : conf->is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
							       : VIRTIO_NET_HDR_GSO_TCPV4);
}

struct frame *
packet_lend(const struct packet *p, struct batch *b, uint32_t head_len, uint32_t piece_len)
{
	struct frame *f = batch_next(b);
	struct virtio_net_hdr_mrg_rxbuf record = {.hdr = p->record};

	if (piece_len < p->len / FRAME_PIECES_MAX + 1)
		piece_len = p->len / FRAME_PIECES_MAX + 1;
	f->len = p->len;
	f->head_len = (uint16_t)(p->len < head_len ? p->len : head_len);
	memcpy(f->head, p->bytes, f->head_len);
	frame_set_record(f, record);
	for (uint32_t off = f->head_len, part; off < p->len; off += part) {
		part = p->len - off < piece_len ? p->len - off : piece_len;
		batch_add_piece(b, f, p->bytes + off, part);
	}
	return f;
}

bool
packet_segment(const struct packet *p, uint32_t i, bool is_partial, struct packet *out)
{
	uint32_t from = p->payload + i * p->record.gso_size, len;
	bool is_last;

	if (from >= p->len)
		return false;
	len = p->len - from < p->record.gso_size ? p->len - from : p->record.gso_size;
	is_last = from + len == p->len;
	*out = (struct packet){.is_ipv6 = p->is_ipv6,
			       .is_tcp = p->is_tcp,
			       .l3 = p->l3,
			       .l4 = p->l4,
			       .payload = p->payload,
			       .len = p->payload + len};
	memcpy(out->bytes, p->bytes, p->payload);
	memcpy(out->bytes + p->payload, p->bytes + from, len);
	if (!p->is_ipv6)
		put16(out->bytes + p->l3 + 4, get16(p->bytes + p->l3 + 4) + i);
	if (p->is_tcp) {
		uint8_t *tcp = out->bytes + p->l4;
		uint32_t seq = (get16(tcp + 4) << 16 | get16(tcp + 6)) + i * p->record.gso_size;

		put16(tcp + 4, seq >> 16);
		put16(tcp + 6, seq);
		if (!is_last)
			tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (i > 0)
			tcp[13] &= (uint8_t)~TCP_CWR;
	}
	put_lengths(out);
	put_pseudo(out);
	if (!is_partial) {
		packet_finish(out);
		return true;
	}
	out->record.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	out->record.csum_start = p->record.csum_start;
	out->record.csum_offset = p->record.csum_offset;
	return true;
}

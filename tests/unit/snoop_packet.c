/* SPDX-License-Identifier: BSD-3-Clause */
/* snoop_packet.c: see snoop_packet.h. Its checksums are made as RFC 1071 §1 says, not by DPDK. */
#include "snoop_packet.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum {
	AT_IP = 14,
	MLDV2_REPORT = 143,
};

static void
put_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t
get_be16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t
add_up(uint32_t sum, const uint8_t *at, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		sum += (uint32_t)at[i] << (i % 2 ? 0 : 8);
	return sum;
}

static void
put_sum(uint8_t *at, uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put_be16(at, ~sum);
}

/* Returns the length. */
static uint32_t
put_address(uint8_t *at, const char *text)
{
	bool is_ipv6 = strchr(text, ':') != NULL;

	if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text, at) != 1)
		abort();
	return is_ipv6 ? 16 : 4;
}

void
message_make(struct message *m, uint8_t type, const char *group)
{
	uint32_t at = strchr(group, ':') ? 8 : 4;

	*m = (struct message){.is_ipv6 = at == 8, .bytes = {type}};
	m->len = at + put_address(m->bytes + at, group);
}

void
message_report(struct message *m, uint8_t type)
{
	*m = (struct message){.is_ipv6 = type == MLDV2_REPORT, .len = 8, .bytes = {type}};
}

void
message_add(struct message *m, uint8_t type, const char *group, uint16_t n_sources, uint8_t aux)
{
	uint8_t *record = m->bytes + m->len;
	uint32_t address_len;

	record[0] = type;
	record[1] = aux;
	put_be16(record + 2, n_sources);
	address_len = put_address(record + 4, group);
	m->len += 4 + address_len * (1u + n_sources) + aux * 4u;
	put_be16(m->bytes + 6, get_be16(m->bytes + 6) + 1);
}

static void
make_ipv4(struct packet *p, const char *dst, const struct message *m)
{
	uint8_t *ip = p->bytes + AT_IP;
	static const uint8_t alert[] = {0x94, 4, 0, 0};

	ip[0] = 0x46;
	put_be16(ip + 2, 24 + m->len);
	ip[8] = 1;
	ip[9] = 2;
	put_address(ip + 12, "10.0.0.9");
	put_address(ip + 16, dst);
	memcpy(ip + 20, alert, sizeof(alert));
	memcpy(p->bytes, "\x01\x00\x5e", 3);
	memcpy(p->bytes + 3, ip + 17, 3);
	p->bytes[3] &= 0x7f;
	put_be16(p->bytes + 12, 0x0800);
	p->len = PACKET_IPV4_AT + m->len;
	memcpy(p->bytes + PACKET_IPV4_AT, m->bytes, m->len);
}

static void
make_ipv6(struct packet *p, const char *dst, const struct message *m)
{
	uint8_t *ip = p->bytes + AT_IP;
	static const uint8_t options[] = {58, 0, 5, 2, 0, 0, 1, 0};

	ip[0] = 0x60;
	put_be16(ip + 4, 8 + m->len);
	ip[7] = 1;
	put_address(ip + 8, "fe80::9");
	put_address(ip + 24, dst);
	memcpy(ip + 40, options, sizeof(options));
	memcpy(p->bytes, "\x33\x33", 2);
	memcpy(p->bytes + 2, ip + 36, 4);
	put_be16(p->bytes + 12, 0x86dd);
	p->len = PACKET_IPV6_AT + m->len;
	memcpy(p->bytes + PACKET_IPV6_AT, m->bytes, m->len);
}

void
packet_make(struct packet *p, const char *dst, const struct message *m)
{
	memset(p, 0, sizeof(*p));
	if (m->is_ipv6)
		make_ipv6(p, dst, m);
	else
		make_ipv4(p, dst, m);
	memcpy(p->bytes + 6, "\x02\x00\x00\x00\x00\x09", 6);
	packet_fix(p);
}

static void
fix_ipv4(uint8_t *ip, uint32_t len)
{
	uint32_t header_len = (ip[0] & 0xf) * 4u, total_len = get_be16(ip + 2);

	if (header_len < 20 || header_len > len)
		return;
	put_be16(ip + 10, 0);
	put_sum(ip + 10, add_up(0, ip, header_len));
	if (total_len > len || total_len < header_len + 4)
		return;
	put_be16(ip + header_len + 2, 0);
	put_sum(ip + header_len + 2, add_up(0, ip + header_len, total_len - header_len));
}

static void
fix_ipv6(uint8_t *ip, uint32_t len)
{
	uint32_t payload_len = get_be16(ip + 4), options_len = 8;

	if (payload_len > len - 40 || len < 48)
		return;
	options_len = (ip[41] + 1u) * 8;
	if (payload_len < options_len + 4)
		return;
	ip += 40 + options_len;
	payload_len -= options_len;
	put_be16(ip + 2, 0);
	put_sum(ip + 2,
		add_up(payload_len + 58 + add_up(0, ip - options_len - 32, 32), ip, payload_len));
}

void
packet_fix(struct packet *p)
{
	uint32_t type = get_be16(p->bytes + 12);

	if (type == 0x0800 && p->len >= AT_IP + 20)
		fix_ipv4(p->bytes + AT_IP, p->len - AT_IP);
	else if (type == 0x86dd && p->len >= AT_IP + 40)
		fix_ipv6(p->bytes + AT_IP, p->len - AT_IP);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * traffic.c: the frames of a guest: made, sent, received and looked at (traffic.h).
 */
#include "traffic.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TRAFFIC_UDP_PORT = 4789,
	REGION_ALIGN = 2 << 20, /* bytes: a hugepage */
	CACHE_LINE = 64,
};

/* Where the guest sees its memory: with a hole in between, as a PC's below 4 GiB. */
static const uint64_t region_gpas[2] = {0x100000, 0x100000000};

void
guest_init(struct guest *g, uint8_t id, struct guest *peer)
{
	*g = (struct guest){.id = id, .peer = peer};
	frontend_init(&g->fe);
}

int
guest_listen(struct guest *g, const struct guest_conf *conf)
{
	return frontend_listen(&g->fe, conf->socket);
}

static uint64_t
round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* The rings and the frames to be sent lie low, the receive buffers high. */
static int
map_memory(struct guest *g, const struct guest_conf *conf)
{
	uint64_t n = conf->ring_size;
	uint64_t sizes[2];
	int rc;

	g->rx_len = conf->rx_len;
	g->rx_stride = (uint32_t)round_up(conf->rx_len, 128) + CACHE_LINE;
	g->tx_stride = (uint32_t)round_up(conf->frame_max + RING_HEADER_LEN, 128) + CACHE_LINE;
	/* a ring takes 58 bytes a descriptor with its tables, and has four parts, each aligned */
	sizes[0] = round_up(2 * (n * 58 + 5 * 4096) + n * g->tx_stride, REGION_ALIGN);
	sizes[1] = round_up(n * g->rx_stride, REGION_ALIGN);
	rc = frontend_map(&g->fe, region_gpas, sizes, 2, conf->want_hugepages);
	if (rc < 0)
		return rc;
	g->tx_gpa = frontend_alloc(&g->fe, 0, n * g->tx_stride, CACHE_LINE);
	g->rx_gpa = frontend_alloc(&g->fe, 1, n * g->rx_stride, CACHE_LINE);
	g->tx_buffers = frontend_at(&g->fe, g->tx_gpa, n * g->tx_stride);
	g->rx_buffers = frontend_at(&g->fe, g->rx_gpa, n * g->rx_stride);
	return 0;
}

/* Gives the switch every receive buffer that it has not. */
static void
refill(struct guest *g)
{
	ring_put(g->rx, g->rx_gpa, g->rx_stride, g->rx_len, ring_n_free(g->rx));
	ring_publish(g->rx);
}

int
guest_start(struct guest *g, const struct guest_conf *conf, uint32_t timeout_ms)
{
	struct frontend *fe = &g->fe;
	int rc;

	rc = conf->is_server ? frontend_accept(fe, timeout_ms)
			     : frontend_connect(fe, conf->socket, timeout_ms);
	if (rc == 0)
		rc = map_memory(g, conf);
	if (rc == 0)
		rc = frontend_negotiate(fe, conf->features, conf->required,
					1 << FRONTEND_PROTOCOL_MQ |
						1 << FRONTEND_PROTOCOL_REPLY_ACK);
	if (rc == 0)
		rc = frontend_share_memory(fe);
	if (rc < 0)
		return rc;
	g->rx = ring_create(fe, 0, 0, conf->ring_size);
	g->tx = ring_create(fe, 0, 1, conf->ring_size);
	g->expected = malloc(TRAFFIC_LEN_MAX);
	if (g->rx == NULL || g->tx == NULL || g->expected == NULL)
		return -ENOMEM;
	rc = frontend_start_ring(fe, &g->rx->told);
	if (rc == 0)
		rc = frontend_start_ring(fe, &g->tx->told);
	if (rc == 0)
		refill(g);
	return rc;
}

void
guest_close(struct guest *g)
{
	frontend_close(&g->fe);
	ring_destroy(g->rx);
	ring_destroy(g->tx);
	free(g->next);
	free(g->expected);
	guest_init(g, g->id, g->peer);
}

static void
put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void
put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

/* IPv4's, over the 20 bytes of a header without options (RFC 791 §3.1). */
static uint16_t
ip_checksum(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/*
 * Ethernet, IPv4 and UDP headers; addresses say guest and station, so that switches that look at
 * flows see as many as there are stations.
 */
static void
write_headers(uint8_t *f, uint8_t from, uint8_t to, uint32_t station, uint32_t len)
{
	uint8_t *ip = f + 14, *udp = f + 34;

	put16(f, 0x0200);
	put32(f + 2, (uint32_t)to << 24 | station);
	put16(f + 6, 0x0200);
	put32(f + 8, (uint32_t)from << 24 | station);
	put16(f + 12, 0x0800);
	put16(ip, 0x4500);
	put16(ip + 2, (uint16_t)(len - 14));
	put32(ip + 4, 0x00004000); /* don't fragment */
	put32(ip + 8, 0x40110000); /* TTL 64, UDP, checksum */
	put32(ip + 12, (9u + from) << 24 | station);
	put32(ip + 16, (9u + to) << 24 | station);
	put16(ip + 10, ip_checksum(ip));
	put16(udp, TRAFFIC_UDP_PORT);
	put16(udp + 2, TRAFFIC_UDP_PORT);
	put16(udp + 4, (uint16_t)(len - 34));
	put16(udp + 6, 0); /* no checksum (RFC 768) */
}

/* Words that differ from frame to frame and from place to place. */
static void
write_pattern(uint8_t *at, uint32_t len, uint64_t seq)
{
	uint64_t word = (seq + 1) * 0x9e3779b97f4a7c15;

	for (uint32_t i = 0; i < len; i += sizeof(word)) {
		word ^= word >> 29;
		word *= 0xbf58476d1ce4e5b9;
		memcpy(at + i, &word, len - i < sizeof(word) ? len - i : sizeof(word));
	}
}

static void
write_frame(uint8_t *f, uint8_t from, uint8_t to, uint32_t station, uint32_t len, uint64_t seq)
{
	write_headers(f, from, to, station, len);
	memcpy(f + TRAFFIC_SEQ_AT, &seq, sizeof(seq));
	write_pattern(f + TRAFFIC_BODY_AT, len - TRAFFIC_BODY_AT, seq);
}

int
guest_prepare(struct guest *g, const struct traffic *t)
{
	if (t->len + RING_HEADER_LEN > g->tx_stride)
		return -EMSGSIZE;
	ring_set_layout(g->tx, t->layout);
	for (uint16_t i = 0; i < g->tx->n_slots; i++) {
		uint8_t *buffer = g->tx_buffers + (size_t)i * g->tx_stride;

		memset(buffer, 0, RING_HEADER_LEN);
		write_frame(buffer + RING_HEADER_LEN, g->id, g->peer->id, 0, t->len, 0);
	}
	if (t->macs > g->macs) {
		uint64_t *next = calloc(t->macs, sizeof(*next));

		if (next == NULL)
			return -ENOMEM;
		free(g->next);
		g->next = next;
		g->macs = t->macs;
	}
	g->n_received = g->peer->n_sent; /* what was lost before is not missed again */
	for (uint32_t i = 0; i < g->macs; i++)
		g->next[i] = g->peer->n_sent;
	return 0;
}

/* Brings the frame in slot up to date. */
static inline void
update_frame(struct guest *g, const struct traffic *t, uint16_t slot, uint32_t station,
	     uint64_t seq)
{
	uint8_t *buffer = g->tx_buffers + (size_t)slot * g->tx_stride;
	uint8_t *f = buffer + RING_HEADER_LEN;
	const uint64_t zero = 0;

	memcpy(buffer, &zero, sizeof(zero));
	if (t->is_verified)
		write_frame(f, g->id, g->peer->id, station, t->len, seq);
	else if (t->macs > 1)
		write_headers(f, g->id, g->peer->id, station, t->len);
	memcpy(f + TRAFFIC_SEQ_AT, &seq, sizeof(seq));
}

/* Puts n frames, of this station and those after it. */
static void
send_frames(struct guest *g, const struct traffic *t, uint32_t station, uint32_t n)
{
	ring_prefetch(g->tx, n);
	for (uint32_t i = 0; i < n; i++) /* the switch has read them: they are to be ours again */
		__builtin_prefetch(g->tx_buffers + (size_t)ring_next_slot(g->tx, i) * g->tx_stride,
				   1);
	for (uint32_t i = 0; i < n; i++) {
		update_frame(g, t, ring_next_slot(g->tx, i), station, g->n_sent + i);
		station = station + 1 < t->macs ? station + 1 : 0;
	}
	g->n_sent += n;
	ring_put(g->tx, g->tx_gpa, g->tx_stride, RING_HEADER_LEN + t->len, n);
	ring_publish(g->tx);
}

uint32_t
guest_send(struct guest *g, const struct traffic *t)
{
	uint64_t n = ring_n_free(g->tx), out = g->n_sent - g->peer->n_received;

	if (t->limit > 0 && n > (out < t->limit ? t->limit - out : 0))
		n = out < t->limit ? t->limit - out : 0;
	if (n > TRAFFIC_BURST)
		n = TRAFFIC_BURST;
	if (n > 0)
		send_frames(g, t, (uint32_t)(g->n_sent % t->macs), (uint32_t)n);
	return (uint32_t)n;
}

bool
guest_send_from(struct guest *g, const struct traffic *t, uint32_t station)
{
	if (ring_n_free(g->tx) == 0)
		return false;
	send_frames(g, t, station, 1);
	return true;
}

uint32_t
guest_reclaim(struct guest *g)
{
	struct ring_done sent[RING_TAKE_MAX];
	uint32_t n_sent = ring_take(g->tx, sent);

	g->n_done = ring_take(g->rx, g->done);
	for (uint32_t i = 0; i < g->n_done; i++)
		__builtin_prefetch(g->rx_buffers + (size_t)g->done[i].slot * g->rx_stride);
	ring_prefetch(g->rx, g->n_done);
	for (uint32_t i = 0; i < n_sent; i++) /* the slots used next, mostly */
		__builtin_prefetch(g->tx_buffers + (size_t)ring_next_slot(g->tx, i) * g->tx_stride,
				   1);
	ring_prefetch(g->tx, n_sent);
	return g->n_done + n_sent;
}

static void
fault(struct guest *g, const char *what, uint64_t is, uint64_t should_be)
{
	if (!g->is_bad && g->fault[0] == 0)
		snprintf(g->fault, sizeof(g->fault), "guest %u: frame %lu: %s is %lu, not %lu",
			 g->id, (unsigned long)g->n_received, what, (unsigned long)is,
			 (unsigned long)should_be);
	g->is_bad = true;
}

/* The first buffer of a frame says who sent it and which it is: make what it should look like. */
static void
expect(struct guest *g, const struct traffic *t, const uint8_t *buffer, uint32_t len)
{
	struct virtio_net_hdr_mrg_rxbuf record;
	const uint8_t *f = buffer + RING_HEADER_LEN;
	uint32_t station = 0;
	uint64_t seq = 0;

	memcpy(&record, buffer, sizeof(record));
	if (record.hdr.flags != 0 || record.hdr.gso_type != 0)
		fault(g, "the virtio header's flags", record.hdr.flags, 0);
	if (len < RING_HEADER_LEN + TRAFFIC_BODY_AT) {
		fault(g, "the first piece's length", len, RING_HEADER_LEN + TRAFFIC_BODY_AT);
		return;
	}
	for (uint32_t i = 3; i < 6; i++)
		station = station << 8 | f[i];
	memcpy(&seq, f + TRAFFIC_SEQ_AT, sizeof(seq));
	if (station >= t->macs) {
		fault(g, "the destination's station", station, 0);
		return;
	}
	if (seq < g->next[station] || seq >= g->peer->n_sent)
		fault(g, "the number", seq, g->next[station]);
	g->next[station] = seq + 1;
	write_frame(g->expected, g->peer->id, g->id, station, t->len, seq);
}

/* The next len bytes of a frame, in one buffer. */
static void
compare(struct guest *g, const struct traffic *t, const uint8_t *bytes, uint32_t len)
{
	if (g->is_bad)
		return;
	if (len > t->len - g->so_far) {
		fault(g, "the length", g->so_far + len, t->len);
		return;
	}
	for (uint32_t i = 0; i < len; i++)
		if (bytes[i] != g->expected[g->so_far + i]) {
			fault(g, "a byte", bytes[i], g->expected[g->so_far + i]);
			return;
		}
}

static void
end_frame(struct guest *g, const struct traffic *t)
{
	if (g->is_foreign) {
		g->n_foreign++;
		return;
	}
	if (t->is_verified && g->so_far != t->len)
		fault(g, "the length", g->so_far, t->len);
	g->n_bad += g->is_bad;
	g->n_received++;
}

static inline void
take_buffer(struct guest *g, const struct traffic *t, const uint8_t *buffer, uint32_t len)
{
	const uint8_t *bytes = buffer;
	bool is_too_long = len > g->rx_len;

	if (is_too_long)
		len = g->rx_len;
	if (g->n_left == 0) {
		uint16_t n_buffers;

		memcpy(&n_buffers, buffer + offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers),
		       sizeof(n_buffers));
		g->n_left = n_buffers > 0 ? n_buffers : 1;
		g->so_far = 0;
		g->is_bad = false;
		bytes += RING_HEADER_LEN;
		g->is_foreign = bytes[0] != 0x02 || bytes[1] != 0 || bytes[2] != g->id ||
				bytes[8] != g->peer->id;
		if (t->is_verified && !g->is_foreign)
			expect(g, t, buffer, len);
		len = len > RING_HEADER_LEN ? len - RING_HEADER_LEN : 0;
	}
	if (is_too_long)
		fault(g, "the length in the used ring", len, g->rx_len);
	if (t->is_verified && !g->is_foreign)
		compare(g, t, bytes, len);
	g->so_far += len;
	if (--g->n_left == 0)
		end_frame(g, t);
}

void
guest_receive(struct guest *g, const struct traffic *t)
{
	for (uint32_t i = 0; i < g->n_done; i++)
		take_buffer(g, t, g->rx_buffers + (size_t)g->done[i].slot * g->rx_stride,
			    g->done[i].len);
	if (g->n_done > 0)
		refill(g);
	g->n_done = 0;
}

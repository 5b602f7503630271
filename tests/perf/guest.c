/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest.c: a guest is connected, gets its memory and its rings, and is made ready for a command
 * (guest.h).
 */
#include "guest.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>

enum {
	REGION_ALIGN = 2 << 20, /* bytes: a hugepage */
	CACHE_LINE = 64,
	USUAL_LEN = 1518, /* bytes: there is a buffer for each descriptor if frames are no longer */
	LONG_SIZE = 4 << 20,	    /* bytes of longer frames: about what a guest has on its way */
	RING_DESC_SIZE = 26,	    /* bytes of a ring for each descriptor, at most */
	RING_PARTS_SIZE = 5 * 4096, /* and for aligning its parts */
};

/* Where the guest sees its memory: with a hole in between, as a PC's below 4 GiB. */
static const uint64_t region_gpas[2] = {0x100000, 0x100000000};

void
guest_init(struct guest *g, uint8_t id)
{
	*g = (struct guest){0};
	role_init(&g->role, id);
	frontend_init(&g->fe);
}

int
guest_listen(struct guest *g, const char *socket)
{
	return frontend_listen(&g->fe, socket);
}

static uint64_t
round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* From one buffer to the next: not a multiple of what caches are indexed by. */
static uint32_t
stride_of(uint32_t len)
{
	return (uint32_t)round_up(len, 128) + CACHE_LINE;
}

/* Bytes for the frames on their way out. In order, each slot needs a buffer (ring_set_layout()). */
static uint64_t
tx_buffers_size(const struct guest_conf *conf)
{
	uint32_t usual = conf->frame_max < USUAL_LEN ? conf->frame_max : USUAL_LEN;
	uint64_t most = (uint64_t)conf->ring_size * stride_of(conf->frame_max + RING_HEADER_LEN);
	uint64_t least = (uint64_t)conf->ring_size * stride_of(usual + RING_HEADER_LEN);

	if (conf->required >> VIRTIO_F_IN_ORDER & 1 || most < LONG_SIZE)
		return most;
	return least < LONG_SIZE ? LONG_SIZE : least;
}

static uint32_t
tables_len(const struct guest_conf *conf)
{
	return conf->ring_size * ring_table_len(RING_CHAIN, conf->frame_max + RING_HEADER_LEN);
}

/* The rings and the frames to be sent lie low, the receive buffers high. */
static int
map_memory(struct guest *g, const struct guest_conf *conf)
{
	uint64_t n = conf->ring_size;
	uint64_t sizes[2];
	int rc;

	g->rx_len = conf->rx_len;
	g->rx_stride = stride_of(conf->rx_len);
	g->tx_size = tx_buffers_size(conf);
	sizes[0] = round_up(2 * (n * RING_DESC_SIZE + RING_PARTS_SIZE) +
				    tables_len(conf) * sizeof(struct vring_desc) + g->tx_size,
			    REGION_ALIGN);
	sizes[1] = round_up(n * g->rx_stride, REGION_ALIGN);
	rc = frontend_map(&g->fe, region_gpas, sizes, 2, conf->want_hugepages);
	if (rc < 0)
		return rc;
	g->tx_gpa = frontend_alloc(&g->fe, 0, g->tx_size, CACHE_LINE);
	g->tx_buffers = frontend_at(&g->fe, g->tx_gpa, g->tx_size);
	return 0;
}

static int
make_rings(struct guest *g, const struct guest_conf *conf)
{
	struct ring_buffers buffers = {
		.gpa = frontend_alloc(&g->fe, 1, (uint64_t)conf->ring_size * g->rx_stride,
				      CACHE_LINE),
		.stride = g->rx_stride,
		.len = g->rx_len,
		.n = conf->ring_size,
	};

	g->rx = ring_create(&g->fe, 0, 0, conf->ring_size, 0);
	g->tx = ring_create(&g->fe, 0, 1, conf->ring_size, tables_len(conf));
	g->expected = malloc(FRAME_LEN_MAX);
	if (g->rx == NULL || g->tx == NULL || g->expected == NULL)
		return -ENOMEM;
	g->rx_buffers = frontend_at(&g->fe, buffers.gpa, (uint64_t)buffers.n * buffers.stride);
	ring_set_layout(g->rx, RING_SINGLE, &buffers);
	return 0;
}

void
guest_refill(struct guest *g)
{
	ring_put(g->rx, g->rx_len, ring_n_free(g->rx));
	ring_publish(g->rx);
}

int
guest_start(struct guest *g, const struct guest_conf *conf, const char *socket, uint32_t timeout_ms)
{
	struct frontend *fe = &g->fe;
	int rc;

	rc = conf->is_server ? frontend_accept(fe, timeout_ms)
			     : frontend_connect(fe, socket, timeout_ms);
	if (rc == 0)
		rc = map_memory(g, conf);
	if (rc == 0)
		rc = frontend_negotiate(fe, conf->features, conf->required,
					1 << FRONTEND_PROTOCOL_MQ |
						1 << FRONTEND_PROTOCOL_REPLY_ACK);
	if (rc == 0)
		rc = frontend_share_memory(fe);
	if (rc == 0)
		rc = make_rings(g, conf);
	if (rc == 0)
		rc = frontend_start_ring(fe, &g->rx->told);
	if (rc == 0)
		rc = frontend_start_ring(fe, &g->tx->told);
	if (rc == 0)
		guest_refill(g);
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
	guest_init(g, g->role.id);
}

/* What is written before each frame (virtio 1.2 §5.1.6.2). */
static struct virtio_net_hdr_mrg_rxbuf
record_of(enum frame_kind kind)
{
	struct virtio_net_hdr_mrg_rxbuf record = {0};

	if (kind != FRAME_PLAIN) {
		record.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		record.hdr.csum_start = FRAME_L4_AT;
		record.hdr.csum_offset = (uint16_t)(frame_sum_at(kind) - FRAME_L4_AT);
	}
	if (kind == FRAME_TSO) {
		record.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		record.hdr.gso_size = FRAME_SEGMENT_LEN;
		record.hdr.hdr_len = FRAME_TCP_BODY_AT;
	}
	return record;
}

static bool
may_send(const struct guest *g, enum frame_kind kind)
{
	return kind == FRAME_PLAIN || !g->role.sends ||
	       frontend_has(&g->fe, kind == FRAME_TSO ? VIRTIO_NET_F_HOST_TSO4 : VIRTIO_NET_F_CSUM);
}

int
guest_prepare(struct guest *g, const struct command *c, const struct guest *peer)
{
	const struct frame_ends ends = {.from = g->role.id, .to = g->role.to};
	const struct virtio_net_hdr_mrg_rxbuf record = record_of(c->kind);
	struct ring_buffers buffers = {
		.gpa = g->tx_gpa,
		.stride = stride_of(c->len + RING_HEADER_LEN),
		.len = c->len + RING_HEADER_LEN,
	};

	g->peer = peer;
	g->is_stalled = g->role.is_hostile && c->hostile == COMMAND_STALL;
	ring_want_interrupts(g->rx, g->role.is_hostile && c->hostile == COMMAND_INTERRUPT);
	g->sends_runts = g->role.is_hostile && c->hostile == COMMAND_RUNT;
	if (c->layout >= RING_INDIRECT && !frontend_has(&g->fe, VIRTIO_RING_F_INDIRECT_DESC))
		return -ENOTSUP;
	if (!may_send(g, c->kind))
		return -ENOTSUP;
	buffers.n = (uint32_t)(g->tx_size / buffers.stride);
	if (buffers.n == 0 || (g->tx->is_in_order && buffers.n < g->tx->size) ||
	    ring_table_len(c->layout, buffers.len) > g->tx->n_table_descs / g->tx->size)
		return -EMSGSIZE;
	g->tx_stride = buffers.stride;
	memcpy(&g->tx_record, &record, sizeof(g->tx_record));
	ring_set_layout(g->tx, g->sends_runts ? RING_SINGLE : c->layout, &buffers);
	for (uint16_t i = 0; i < g->tx->n_slots; i++) {
		uint8_t *buffer = g->tx_buffers + (size_t)i * g->tx_stride;

		memcpy(buffer, &record, RING_HEADER_LEN);
		frame_write(buffer + RING_HEADER_LEN, ends, c->kind, c->len, 0);
	}
	return c->is_verified ? verify_prepare(g, c) : 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify.c: does each frame that a guest receives look as it was sent, and come in its turn
 * (guest.h)?
 */
#include "guest.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
verify_prepare(struct guest *g, const struct command *c)
{
	if (c->macs > g->macs) {
		uint64_t *next = calloc(c->macs, sizeof(*next));

		if (next == NULL)
			return -ENOMEM;
		free(g->next);
		g->next = next;
		g->macs = c->macs;
	}
	for (uint32_t i = 0; i < g->macs; i++)
		g->next[i] = g->peer->role.n_sent;
	return 0;
}

static void
fault(struct guest *g, const char *what, uint64_t is, uint64_t should_be)
{
	if (!g->is_bad && g->fault[0] == 0)
		snprintf(g->fault, sizeof(g->fault), "guest %u: frame %lu: %s is %lu, not %lu",
			 g->role.id, (unsigned long)g->role.n_received, what, (unsigned long)is,
			 (unsigned long)should_be);
	g->is_bad = true;
}

/* Are the record's flags those that the guest agreed to and that the sender's frame asks for? */
static bool
is_record_right(struct guest *g, const struct command *c, const struct virtio_net_hdr *record)
{
	bool takes_sums = frontend_has(&g->fe, VIRTIO_NET_F_GUEST_CSUM);
	bool takes_segments = frontend_has(&g->fe, VIRTIO_NET_F_GUEST_TSO4);
	uint8_t gso = c->kind == FRAME_TSO && takes_segments ? VIRTIO_NET_HDR_GSO_TCPV4 : 0;

	if (record->flags &
	    ~(takes_sums ? VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID : 0))
		fault(g, "the virtio header's flags", record->flags, 0);
	else if (record->gso_type != gso)
		fault(g, "the virtio header's kind of segments", record->gso_type, gso);
	else if (gso != 0 && record->gso_size != FRAME_SEGMENT_LEN)
		fault(g, "the length of segments", record->gso_size, FRAME_SEGMENT_LEN);
	else if (record->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM &&
		 (c->kind == FRAME_PLAIN || record->csum_start != FRAME_L4_AT ||
		  record->csum_start + record->csum_offset != (int)frame_sum_at(c->kind)))
		fault(g, "the checksum's place", record->csum_start + record->csum_offset,
		      frame_sum_at(c->kind));
	return !g->is_bad;
}

/* Of the frame in g->expected, the segment that begins with f, with the ids that it has. */
static void
expect_segment(struct guest *g, const uint8_t *f)
{
	const uint32_t payload_len = g->expected_len - FRAME_TCP_BODY_AT;
	uint32_t at, len;

	memcpy(&at, f + FRAME_TCP_SEQ_AT, sizeof(at));
	at = __builtin_bswap32(at);
	if (at % FRAME_SEGMENT_LEN != 0 || at >= payload_len) {
		fault(g, "the sequence number", at, 0);
		return;
	}
	len = payload_len - at < FRAME_SEGMENT_LEN ? payload_len - at : FRAME_SEGMENT_LEN;
	memmove(g->expected + FRAME_TCP_BODY_AT, g->expected + FRAME_TCP_BODY_AT + at, len);
	memcpy(g->expected + 18, f + 18, 2);
	frame_make_segment(g->expected, at, len, at + len == payload_len);
	g->expected_len = FRAME_TCP_BODY_AT + len;
}

/* The first buffer of a frame says who sent it and which it is: make what it should look like. */
static void
expect(struct guest *g, const struct command *c, const uint8_t *buffer, uint32_t len)
{
	struct frame_ends ends = {.from = g->peer->role.id, .to = g->role.id};
	bool is_whole = c->kind != FRAME_TSO || frontend_has(&g->fe, VIRTIO_NET_F_GUEST_TSO4);
	struct virtio_net_hdr_mrg_rxbuf record;
	const uint8_t *f = buffer + RING_HEADER_LEN;
	uint32_t station = 0;
	uint64_t seq;

	g->is_bad = false;
	g->so_far = 0;
	memcpy(&record, buffer, sizeof(record));
	if (!is_record_right(g, c, &record.hdr))
		return;
	if (len < RING_HEADER_LEN + FRAME_TCP_BODY_AT) {
		fault(g, "the first piece's length", len, RING_HEADER_LEN + FRAME_TCP_BODY_AT);
		return;
	}
	for (uint32_t i = FRAME_TO_AT + 1; i < 6; i++)
		station = station << 8 | f[i];
	seq = frame_seq(f, c->kind);
	if (station >= c->macs) {
		fault(g, "the destination's station", station, 0);
		return;
	}
	if (seq < g->next[station] || seq >= g->peer->role.n_sent)
		fault(g, "the number", seq, g->next[station]);
	g->next[station] = seq + is_whole; /* all its segments have the same */
	ends.from_station = ends.to_station = station;
	g->expected_len = c->is_mixed ? frame_mix_len(seq) : c->len;
	frame_write(g->expected, ends, c->kind, g->expected_len, seq);
	if (!is_whole)
		expect_segment(g, f);
	else if (record.hdr.gso_type !=
		 0) /* DPDK leaves the length out of it: the sum is made anew */
		memcpy(g->expected + frame_sum_at(c->kind), f + frame_sum_at(c->kind), 2);
	else if (c->kind != FRAME_PLAIN && !(record.hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		frame_finish(g->expected, c->kind, g->expected_len);
}

/* The next len bytes of a frame, in one buffer. */
static void
compare(struct guest *g, const uint8_t *bytes, uint32_t len)
{
	if (g->is_bad)
		return;
	if (len > g->expected_len - g->so_far) {
		fault(g, "the length", g->so_far + len, g->expected_len);
		return;
	}
	for (uint32_t i = 0; i < len; i++)
		if (bytes[i] != g->expected[g->so_far + i]) {
			fault(g, "a byte", bytes[i], g->expected[g->so_far + i]);
			return;
		}
}

void
verify_buffer(struct guest *g, const struct command *c, bool is_first, const uint8_t *buffer,
	      uint32_t len)
{
	uint32_t room = len < g->rx_len ? len : g->rx_len;

	if (is_first) {
		expect(g, c, buffer, room);
		buffer += RING_HEADER_LEN;
		room = room > RING_HEADER_LEN ? room - RING_HEADER_LEN : 0;
	}
	if (len > g->rx_len)
		fault(g, "the length in the used ring", len, g->rx_len);
	compare(g, buffer, room);
	g->so_far += room;
}

void
verify_end(struct guest *g)
{
	if (!g->is_bad && g->so_far != g->expected_len)
		fault(g, "the length", g->so_far, g->expected_len);
	g->n_bad += g->is_bad;
}

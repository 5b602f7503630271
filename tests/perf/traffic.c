/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * traffic.c: the frames of a guest, sent and received (guest.h).
 */
#include "guest.h"

#include <linux/virtio_net.h>
#include <string.h>

#include "clock.h"
#include "group.h"

static inline uint8_t *
tx_buffer(const struct guest *g, uint32_t i)
{
	return g->tx_buffers + (size_t)ring_next_slot(g->tx, i) * g->tx_stride;
}

/* Frames with the headers that guest_prepare() wrote: only their numbers are new. */
static void
write_numbers(struct guest *g, enum frame_kind kind, uint64_t seq, uint64_t step, uint32_t n)
{
	const uint64_t record = g->tx_record;
	uint8_t *const buffers = g->tx_buffers;
	const uint16_t *const slots = g->tx->free;
	const uint32_t first = g->tx->free_head, mask = g->tx->size - 1, stride = g->tx_stride;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t *buffer = buffers + (size_t)slots[(first + i) & mask] * stride;

		memcpy(buffer, &record, sizeof(record));
		frame_put_seq(buffer + RING_HEADER_LEN, kind, seq);
		seq += step;
	}
}

/* Frames with headers of their own. lens: bytes of each, virtio header included. */
static void
write_frames(struct guest *g, const struct command *c, uint64_t seq, uint64_t step, uint32_t *lens,
	     uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *buffer = tx_buffer(g, i), *f = buffer + RING_HEADER_LEN;
		uint32_t len = c->is_mixed ? frame_mix_len(g->role.n_sent + i) : c->len;
		struct frame_ends ends = role_next(&g->role);

		lens[i] = RING_HEADER_LEN + len;
		memcpy(buffer, &g->tx_record, sizeof(g->tx_record));
		if (c->is_verified) {
			frame_write(f, ends, c->kind, len, seq);
		} else {
			frame_write_head(f, ends, c->kind, len);
			frame_put_seq(f, c->kind, seq);
		}
		seq += step;
	}
}

uint32_t
guest_send(struct guest *g, const struct command *c, const struct pace *pace, uint32_t n_max)
{
	uint64_t seq = c->is_stamped ? pace_time(pace, 0) : g->role.n_sent;
	uint64_t step = c->is_stamped ? (uint64_t)(1 / pace->per_tick) : 1;
	uint32_t lens[GROUP_BURST_MAX], n = ring_n_free(g->tx);

	if (n > n_max)
		n = n_max;
	if (n == 0)
		return 0;
	ring_prefetch(g->tx, n);
	for (uint32_t i = 0; i < n; i++) /* the switch has read them: they are to be ours again */
		__builtin_prefetch(tx_buffer(g, i), 1);
	if (g->sends_runts) {
		ring_put(g->tx, 1, n);
	} else if (g->role.is_steady) {
		write_numbers(g, c->kind, seq, step, n);
		ring_put(g->tx, RING_HEADER_LEN + c->len, n);
	} else {
		write_frames(g, c, seq, step, lens, n);
		ring_put_mixed(g->tx, lens, n);
	}
	ring_publish(g->tx);
	g->role.n_sent += n;
	return n;
}

uint32_t
guest_reclaim(struct guest *g, const struct command *c)
{
	struct ring_done sent[RING_TAKE_MAX];
	uint32_t n_sent = ring_take(g->tx, sent);

	g->n_done = g->is_stalled ? 0 : ring_take(g->rx, g->done);
	if (c->is_stamped && g->n_done > 0)
		g->done_at = clock_ticks();
	for (uint32_t i = 0; i < g->n_done; i++)
		__builtin_prefetch(g->rx_buffers + (size_t)g->done[i].slot * g->rx_stride);
	ring_prefetch(g->rx, g->n_done);
	for (uint32_t i = 0; i < n_sent; i++) /* the slots used next, mostly */
		__builtin_prefetch(tx_buffer(g, i), 1);
	ring_prefetch(g->tx, n_sent);
	return g->n_done + n_sent;
}

static inline __attribute__((always_inline)) void
take_buffer(struct guest *g, const struct command *c, bool is_verified, const uint8_t *buffer,
	    uint32_t len)
{
	const uint8_t *bytes = buffer;
	bool is_first = g->n_left == 0;

	if (is_first) {
		uint16_t n_buffers;

		memcpy(&n_buffers, buffer + offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers),
		       sizeof(n_buffers));
		g->n_left = n_buffers > 0 ? n_buffers : 1;
		bytes += RING_HEADER_LEN;
		g->is_ours = role_is_ours(&g->role, bytes);
		if (g->role.is_checked && g->is_ours)
			role_check(&g->role, bytes, g->done_at);
	}
	if (is_verified && g->is_ours)
		verify_buffer(g, c, is_first, buffer, len);
	if (--g->n_left > 0)
		return;
	if (is_verified && g->is_ours)
		verify_end(g);
	g->role.n_received += g->is_ours;
	g->role.n_foreign += !g->is_ours;
}

void
guest_receive(struct guest *g, const struct command *c)
{
	uint32_t n = g->n_done;

	if (n == 0)
		return;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *buffer = g->rx_buffers + (size_t)g->done[i].slot * g->rx_stride;

		if (c->is_verified)
			take_buffer(g, c, true, buffer, g->done[i].len);
		else
			take_buffer(g, c, false, buffer, g->done[i].len);
	}
	guest_refill(g);
	g->n_done = 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * split_tx.c: frames into a guest's receive ring, see split.h.
 *
 * Buffers are looked up ahead for a window of the ring. A frame that fits into the next one, which
 * is a single descriptor, takes the fast way; a frame that needs a chain, or several mergeable
 * buffers, is first given all its room and then copied, so that no frame is ever delivered in part.
 */
#include "split.h"

#include <stddef.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_prefetch.h>

#include "chain.h"
#include "frame.h"
#include "guest.h"
#include "memory.h"
#include "ring.h"
#include "stats.h"

enum {
	CACHE_LINE = 64,
	BUFFER_USUAL = 2048,	 /* bytes; only for guessing how many buffers to look up */
	ROOM_HEADS_MAX = 256,	 /* mergeable buffers of one frame, as librte_vhost has it */
	ROOM_PIECES_MAX = 512,	 /* pieces of them */
	NUM_BUFFERS_OFFSET = 10, /* in struct virtio_net_hdr_mrg_rxbuf */
};

/* A buffer of one descriptor, looked up ahead. */
struct slot {
	uint8_t *at; /* NULL: a chain, or one that can't be used */
	uint32_t len;
	uint16_t head;
};

/* The buffers at positions [first, first + n) behind the ring's index. */
struct window {
	uint32_t first, n;
	struct slot slots[BATCH_MAX];
};

/* One call of split_tx(). */
struct sending {
	const struct ring_view *v;
	struct ring *r;
	uint32_t n_offered;
	uint32_t pos; /* buffers taken so far */
	struct window window;
};

/* Room for one frame. */
struct room {
	uint32_t n_heads, n_pieces;
	uint64_t len;
	uint16_t heads[ROOM_HEADS_MAX];
	uint32_t lens[ROOM_HEADS_MAX]; /* bytes of each buffer */
	struct chain_piece pieces[ROOM_PIECES_MAX];
};

static void
break_ring(struct sending *s)
{
	atomic_store_explicit(&s->r->fault, RING_BAD_HEAD, memory_order_relaxed);
	s->n_offered = s->pos; /* nothing more from it */
}

static uint16_t
read_head(const struct sending *s, uint32_t pos)
{
	return guest_read16(&s->v->avail->ring[(uint16_t)(s->r->avail + pos) & (s->v->size - 1)]);
}

/* Looks up to n buffers up, from s->pos on. */
static void
load_window(struct sending *s, uint32_t n)
{
	const uint16_t odd = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT;
	const struct ring_view *v = s->v;
	struct window *w = &s->window;

	w->first = s->pos;
	n = RTE_MIN(n, (uint32_t)BATCH_MAX);
	w->n = RTE_MIN(n, s->n_offered - s->pos);
	ring_prefetch_used(s->r, v, s->pos, w->n);
	for (uint32_t i = 0; i < w->n; i++) {
		uint16_t head = read_head(s, w->first + i);

		w->slots[i].head = head;
		rte_prefetch0(&v->desc[head & (v->size - 1)]);
	}
	for (uint32_t i = 0; i < w->n; i++) {
		struct slot *slot = &w->slots[i];
		struct chain_desc d;
		uint32_t part = 0;

		slot->at = NULL;
		if (unlikely(slot->head >= v->size))
			continue; /* found again, and said, when its turn comes */
		d = chain_desc_read(&v->desc[slot->head]);
		if (unlikely((d.flags & odd) != VRING_DESC_F_WRITE))
			continue;
		slot->at = memory_find(v->memory, &s->r->hint, d.addr, d.len, &part);
		slot->len = part;
		if (likely(slot->at != NULL)) {
			__builtin_prefetch(slot->at, 1);
			__builtin_prefetch(slot->at + CACHE_LINE, 1);
		}
		if (unlikely(part != d.len))
			slot->at = NULL;
	}
}

static void
put_used(const struct sending *s, uint32_t pos, uint16_t head, uint32_t len)
{
	uint16_t used = atomic_load_explicit(&s->r->used, memory_order_relaxed);

	/* little endian: id in the lower half (virtio 1.2 §2.7.8) */
	guest_write64(&s->v->used->ring[(uint16_t)(used + pos) & (s->v->size - 1)],
		      (uint64_t)len << 32 | head);
}

/* Copies a frame into one buffer that has room for it. */
static void
copy_single(uint8_t *to, const struct ring_view *v, const struct frame *f)
{
	if (likely(v->record_len == FRAME_RECORD_LEN)) {
		guest_copy_head(to, f->head - FRAME_RECORD_LEN,
				FRAME_RECORD_LEN + (uint32_t)f->head_len);
		guest_write16(to + NUM_BUFFERS_OFFSET, 1);
	} else {
		guest_copy_head(to, f->head - FRAME_RECORD_LEN, v->record_len);
		guest_copy_head(to + v->record_len, f->head, f->head_len);
	}
	to += v->record_len + f->head_len;
	for (uint32_t i = 0; i < f->n_pieces; i++) {
		guest_copy(to, f->body[i].addr, f->body[i].len);
		to += f->body[i].len;
	}
}

/* Where the next byte of a frame goes. */
struct scatter {
	const struct chain_piece *piece;
	uint32_t off;
};

static void
scatter(struct scatter *to, const uint8_t *from, uint32_t len)
{
	while (len > 0) {
		uint32_t part = RTE_MIN(len, to->piece->len - to->off);

		guest_copy(to->piece->addr + to->off, from, part);
		from += part;
		len -= part;
		to->off += part;
		if (to->off == to->piece->len) {
			to->piece++;
			to->off = 0;
		}
	}
}

static void
copy_spread(const struct room *room, const struct ring_view *v, const struct frame *f)
{
	struct scatter to = {.piece = room->pieces};
	uint16_t n_heads = (uint16_t)room->n_heads;
	uint8_t record[FRAME_RECORD_LEN];

	memcpy(record, f->head - FRAME_RECORD_LEN, sizeof(record));
	memcpy(record + NUM_BUFFERS_OFFSET, &n_heads, sizeof(n_heads));
	scatter(&to, record, v->record_len);
	scatter(&to, f->head, f->head_len);
	for (uint32_t i = 0; i < f->n_pieces; i++)
		scatter(&to, f->body[i].addr, f->body[i].len);
}

/* Adds the buffer at position pos. False if it can't be used; it counts as taken all the same. */
static bool
add_room(struct sending *s, struct room *room, uint32_t pos)
{
	uint32_t i = pos - s->window.first;
	const struct slot *slot = i < s->window.n ? &s->window.slots[i] : NULL;
	uint64_t len = 0;
	uint16_t head;
	int n = 1;

	if (slot && slot->at && slot->len > 0 && room->n_pieces < ROOM_PIECES_MAX) {
		head = slot->head;
		len = slot->len;
		room->pieces[room->n_pieces] =
			(struct chain_piece){.addr = slot->at, .len = slot->len};
	} else {
		head = read_head(s, pos);
		if (unlikely(head >= s->v->size)) {
			break_ring(s);
			return false;
		}
		n = chain_read(s->v, s->r, head, true, room->pieces + room->n_pieces,
			       ROOM_PIECES_MAX - room->n_pieces, &len);
	}
	room->heads[room->n_heads] = head;
	room->lens[room->n_heads] = (uint32_t)RTE_MIN(len, (uint64_t)UINT32_MAX);
	room->n_heads++;
	if (unlikely(n < 0))
		return false;
	room->n_pieces += (uint32_t)n;
	room->len += len;
	return true;
}

/* Gives buffers back as used, need bytes of them written. */
static void
put_room(struct sending *s, const struct room *room, uint32_t need)
{
	for (uint32_t i = 0; i < room->n_heads; i++) {
		uint32_t len = RTE_MIN(room->lens[i], need);

		put_used(s, s->pos + i, room->heads[i], len);
		need -= len;
	}
	s->pos += room->n_heads;
}

/* A frame that needs a chain or several buffers. Why it was not sent, or DROP_REASONS if it was. */
static enum drop_reason
send_spread(struct sending *s, const struct frame *f, uint32_t need)
{
	struct room room; /* not initialised: large, and little of it is used */

	room.n_heads = room.n_pieces = 0;
	room.len = 0;
	do {
		uint32_t pos = s->pos + room.n_heads;

		if (room.n_heads == ROOM_HEADS_MAX || room.n_heads == s->v->size)
			return DROP_TX_OVERSIZE; /* all of its buffers together are too small */
		if (pos == s->n_offered)
			return DROP_TX_NO_ROOM;
		if (unlikely(!add_room(s, &room, pos))) {
			/* length 0: the driver throws them away, as it would an empty frame */
			if (s->n_offered > s->pos)
				put_room(s, &room, 0);
			return DROP_TX_BAD_CHAIN;
		}
	} while (room.len < need && s->v->is_mergeable);
	if (room.len < need)
		return DROP_TX_OVERSIZE;
	copy_spread(&room, s->v, f);
	put_room(s, &room, need);
	return DROP_REASONS;
}

static enum drop_reason
send_frame(struct sending *s, const struct frame *f, uint32_t n_left)
{
	uint32_t need = s->v->record_len + f->len;
	const struct slot *slot;

	if (unlikely(s->pos == s->n_offered))
		return ring_fault(s->r) == RING_FINE ? DROP_TX_NO_ROOM : DROP_TX_BAD_CHAIN;
	if (unlikely(s->pos >= s->window.first + s->window.n))
		load_window(s, n_left * (1 + need / BUFFER_USUAL));
	slot = &s->window.slots[s->pos - s->window.first];
	if (unlikely(!slot->at || slot->len < need))
		return send_spread(s, f, need);
	copy_single(slot->at, s->v, f);
	put_used(s, s->pos, slot->head, need);
	s->pos++;
	return DROP_REASONS;
}

uint64_t
split_tx(const struct ring_view *v, struct ring *r, const struct batch *b, uint64_t set,
	 struct port_stats *stats)
{
	struct sending s; /* not initialised: the window is large */
	uint32_t n_left = set_count(set);
	uint64_t sent = 0;

	s.v = v;
	s.r = r;
	s.n_offered = ring_offered(r, v);
	s.pos = s.window.first = s.window.n = 0;
	if (unlikely(ring_fault(r) != RING_FINE)) {
		stats_drop(stats, DROP_TX_BAD_CHAIN, n_left);
		return 0;
	}
	set_foreach (i, set) {
		enum drop_reason reason = send_frame(&s, &b->frames[i], n_left--);

		if (likely(reason == DROP_REASONS))
			sent |= 1ull << i;
		else
			stats_drop(stats, reason, 1);
	}
	if (likely(s.pos > 0)) {
		r->avail += (uint16_t)s.pos;
		ring_publish(
			r, v,
			(uint16_t)(atomic_load_explicit(&r->used, memory_order_relaxed) + s.pos));
	}
	return sent;
}

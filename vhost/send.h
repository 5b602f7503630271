/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * send.h: frames into a guest's receive ring, the same for both kinds of ring: what differs is in
 * struct send_kind.
 *
 * Buffers are looked up ahead for a window of the ring. A frame that fits into the next one, which
 * is a single descriptor, takes the fast way; a frame that needs a chain, or several mergeable
 * buffers, is first given all its room and then copied, so that no frame is ever delivered in part.
 *
 * Threads: one worker at a time, under the ring's lock.
 */
#ifndef VHOST_SEND_H
#define VHOST_SEND_H

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
	SEND_CACHE_LINE = 64,
	SEND_BUFFER_USUAL = 2048, /* bytes; only for guessing how many buffers to look up */
	SEND_NUM_BUFFERS_AT = 10, /* in struct virtio_net_hdr_mrg_rxbuf */
	ROOM_BUFFERS_MAX = 256,	  /* mergeable buffers of one frame, as librte_vhost has it */
	ROOM_PIECES_MAX = 512,	  /* pieces of them */
};

/* A buffer that the guest offers. */
struct buffer {
	uint8_t *at;	  /* where it is; NULL: a chain, or one that can't be used */
	uint32_t len;	  /* bytes; of a chain not known yet */
	uint16_t id;	  /* by which it is given back */
	uint16_t n_descs; /* packed: in the ring */
};

/* How far a burst has come. */
struct send_at {
	uint16_t avail;	     /* place of the next buffer */
	uint16_t used;	     /* where it is given back */
	uint16_t n_given;    /* so far */
	uint64_t first_word; /* packed: of the first one, written last */
};

/* One burst into a ring. */
struct sending {
	const struct ring_view *v;
	struct ring *r;
	struct send_at at;
	bool is_dry; /* the guest offers no more */

	/*
	 * Frames that need so many bytes find no room from at.avail on, and why: who sends many to
	 * a guest that offers tiny buffers looks at all of them once.
	 */
	uint32_t hopeless; /* UINT32_MAX: not known */
	enum drop_reason why;

	/* the buffers from at.avail on: those from next_buffer on are still to be used */
	uint32_t next_buffer, n_buffers;
	struct buffer buffers[BATCH_MAX];
};

/* All is known when this is compiled: no call of these is indirect. */
struct send_kind {
	/* Looks up at most n buffers from place at on. Less than n: the guest offers no more. */
	uint32_t (*look_up)(const struct ring_view *v, struct ring *r, uint16_t at,
			    struct buffer *to, uint32_t n);

	/* The pieces of the chain at that place, as chain.h says. */
	int (*read_chain)(const struct ring_view *v, struct ring *r, uint16_t at,
			  const struct buffer *buffer, struct chain_piece *pieces, uint32_t max,
			  uint64_t *len);

	/* The place behind a buffer. */
	uint16_t (*step)(const struct ring_view *v, uint16_t at, const struct buffer *buffer);

	/* Gives a buffer back at at->used, with len bytes written. */
	void (*give)(const struct ring_view *v, struct send_at *at, const struct buffer *buffer,
		     uint32_t len);

	/* Shows the guest all that was given, which is something. */
	void (*publish)(struct sending *s);
};

/* Room for one frame that one buffer is not enough for. */
struct room {
	uint32_t n_buffers, n_pieces;
	uint64_t len;
	struct buffer buffers[ROOM_BUFFERS_MAX]; /* len: of chains, too */
	struct chain_piece pieces[ROOM_PIECES_MAX];
};

/* Copies a frame into the room, which is large enough. */
void send_copy(const struct room *room, const struct ring_view *v, const struct frame *f);

/* Copies a frame into one buffer that has room for it. */
static inline void
send_copy_single(uint8_t *to, const struct ring_view *v, const struct frame *f)
{
	uint8_t *begin = to;

	if (likely(v->record_len == FRAME_RECORD_LEN)) {
		guest_copy_head(to, f->head - FRAME_RECORD_LEN,
				FRAME_RECORD_LEN + (uint32_t)f->head_len);
		guest_write16(to + SEND_NUM_BUFFERS_AT, 1);
	} else {
		guest_copy_head(to, f->head - FRAME_RECORD_LEN, v->record_len);
		guest_copy_head(to + v->record_len, f->head, f->head_len);
	}
	to += v->record_len + f->head_len;
	for (uint32_t i = 0; i < f->n_pieces; i++) {
		guest_copy(to, f->body[i].addr, f->body[i].len);
		to += f->body[i].len;
	}
	ring_log(v, begin, v->record_len + f->len);
}

/* A descriptor for us to write, or not, has been read: where is its buffer? */
static inline void
send_look_up(const struct ring_view *v, struct ring *r, struct buffer *to, uint64_t addr,
	     uint32_t len)
{
	uint32_t part = 0;
	uint8_t *at = memory_find(v->memory, &r->hint, addr, len, &part);

	to->at = likely(part == len) ? at : NULL;
	to->len = len;
	if (likely(at != NULL)) {
		__builtin_prefetch(at, 1);
		__builtin_prefetch(at + SEND_CACHE_LINE, 1);
	}
}

static inline __attribute__((always_inline)) void
send_give(const struct send_kind *kind, const struct ring_view *v, struct send_at *at,
	  const struct buffer *buffer, uint32_t len)
{
	kind->give(v, at, buffer, len);
	at->avail = kind->step(v, at->avail, buffer);
	at->used = kind->step(v, at->used, buffer);
	at->n_given++;
}

/*
 * The i-th buffer from s->at.avail on, which is at place at. False if there is none.
 */
static inline __attribute__((always_inline)) bool
send_peek(const struct send_kind *kind, struct sending *s, uint32_t i, uint16_t at,
	  struct buffer *buffer)
{
	if (s->next_buffer + i < s->n_buffers) {
		*buffer = s->buffers[s->next_buffer + i];
		return true;
	}
	return !s->is_dry && kind->look_up(s->v, s->r, at, buffer, 1) == 1;
}

/* Adds a buffer. False if it can't be used; it counts as taken all the same. */
static inline __attribute__((always_inline)) bool
send_add_room(const struct send_kind *kind, struct sending *s, struct room *room, uint16_t at)
{
	struct buffer *buffer = &room->buffers[room->n_buffers++];
	uint64_t len = buffer->len;
	int n = 1;

	if (buffer->at && len > 0 && room->n_pieces < ROOM_PIECES_MAX)
		room->pieces[room->n_pieces] =
			(struct chain_piece){.addr = buffer->at, .len = buffer->len};
	else
		n = kind->read_chain(s->v, s->r, at, buffer, room->pieces + room->n_pieces,
				     ROOM_PIECES_MAX - room->n_pieces, &len);
	if (unlikely(n < 0))
		return false;
	buffer->len = (uint32_t)RTE_MIN(len, (uint64_t)UINT32_MAX);
	room->n_pieces += (uint32_t)n;
	room->len += len;
	return true;
}

/* Gives the room's buffers back, need bytes of them written. */
static inline __attribute__((always_inline)) void
send_give_room(const struct send_kind *kind, struct sending *s, const struct room *room,
	       uint32_t need)
{
	for (uint32_t i = 0; i < room->n_buffers; i++) {
		uint32_t len = RTE_MIN(room->buffers[i].len, need);

		send_give(kind, s->v, &s->at, &room->buffers[i], len);
		need -= len;
	}
	s->next_buffer += room->n_buffers;
	s->hopeless = UINT32_MAX;
}

/* Nothing was taken: all that there is is this room. */
static inline __attribute__((always_inline)) enum drop_reason
send_give_up(struct sending *s, const struct room *room, enum drop_reason why)
{
	s->hopeless = (uint32_t)room->len + 1;
	s->why = why;
	return why;
}

/* A frame that needs a chain or several buffers. Why it was not sent, or DROP_REASONS if it was. */
static __attribute__((noinline)) enum drop_reason
send_spread(const struct send_kind *kind, struct sending *s, const struct frame *f, uint32_t need)
{
	struct room room; /* not initialised: large, and little of it is used */
	uint16_t at = s->at.avail;

	room.n_buffers = room.n_pieces = 0;
	room.len = 0;
	do {
		uint32_t i = room.n_buffers;

		if (i == ROOM_BUFFERS_MAX || i == s->v->size)
			return send_give_up(s, &room, DROP_TX_OVERSIZE); /* all are too small */
		if (!send_peek(kind, s, i, at, &room.buffers[i]))
			return send_give_up(s, &room,
					    ring_fault(s->r) == RING_FINE ? DROP_TX_NO_ROOM
									  : DROP_TX_BAD_CHAIN);
		if (unlikely(!send_add_room(kind, s, &room, at))) {
			/* length 0: the driver throws them away, as it would an empty frame */
			send_give_room(kind, s, &room, 0);
			return DROP_TX_BAD_CHAIN;
		}
		at = kind->step(s->v, at, &room.buffers[i]);
	} while (room.len < need && s->v->is_mergeable);
	if (room.len < need)
		return send_give_up(s, &room, DROP_TX_OVERSIZE);
	send_copy(&room, s->v, f);
	send_give_room(kind, s, &room, need);
	return DROP_REASONS;
}

/* Looks at the next buffers, for n_left frames as long as one of need bytes. */
static inline __attribute__((always_inline)) void
send_load(const struct send_kind *kind, struct sending *s, uint32_t n_left, uint32_t need)
{
	uint32_t n = RTE_MIN(n_left * (1 + need / SEND_BUFFER_USUAL), (uint32_t)BATCH_MAX);

	s->next_buffer = 0;
	s->n_buffers = s->is_dry ? 0 : kind->look_up(s->v, s->r, s->at.avail, s->buffers, n);
	s->is_dry = s->n_buffers < n;
}

/*
 * The fast way: sends the frames of set from the first on, as long as each fits into the next
 * buffer of the window. Returns those that are left. What changes with each frame is copied: what
 * is written to the guest might be s for all that the compiler knows, and would be read again.
 */
static inline __attribute__((always_inline)) uint64_t
send_singles(const struct send_kind *kind, struct sending *s, const struct ring_view *v,
	     const struct batch *b, uint64_t set)
{
	uint32_t next = s->next_buffer, n = s->n_buffers;
	struct send_at at = s->at;

	while (set && next < n) {
		const struct frame *f = &b->frames[__builtin_ctzll(set)];
		const struct buffer *buffer = &s->buffers[next];
		uint32_t need = v->record_len + f->len;

		if (unlikely(!buffer->at || buffer->len < need))
			break;
		send_copy_single(buffer->at, v, f);
		send_give(kind, v, &at, buffer, need);
		next++;
		set &= set - 1;
	}
	if (next != s->next_buffer)
		s->hopeless = UINT32_MAX;
	s->next_buffer = next;
	s->at = at;
	return set;
}

/* The slow way, for the one frame that is next. Why it was not sent, or DROP_REASONS if it was. */
static inline __attribute__((always_inline)) enum drop_reason
send_other(const struct send_kind *kind, struct sending *s, const struct frame *f)
{
	uint32_t need = s->v->record_len + f->len;

	if (unlikely(s->n_buffers == 0))
		return ring_fault(s->r) == RING_FINE ? DROP_TX_NO_ROOM : DROP_TX_BAD_CHAIN;
	if (unlikely(need >= s->hopeless))
		return s->why;
	return send_spread(kind, s, f, need);
}

/* What tx does, see struct ring_ops. */
static inline __attribute__((always_inline)) uint64_t
send_set(const struct send_kind *kind, const struct ring_view *v, struct ring *r,
	 const struct batch *b, uint64_t set, struct port_stats *stats)
{
	struct sending s; /* not initialised: the window is large */
	uint64_t sent = 0;

	s.v = v;
	s.r = r;
	s.at = (struct send_at){.avail = r->avail, .used = ring_used(r)};
	s.is_dry = false;
	s.hopeless = UINT32_MAX;
	s.next_buffer = s.n_buffers = 0;
	while (set) {
		const struct frame *f = &b->frames[__builtin_ctzll(set)];
		uint64_t left, first = set & -set;
		enum drop_reason reason;

		if (s.next_buffer >= s.n_buffers)
			send_load(kind, &s, set_count(set), v->record_len + f->len);
		left = send_singles(kind, &s, v, b, set);
		sent |= set & ~left;
		if (left == set) {
			reason = send_other(kind, &s, f);
			if (likely(reason == DROP_REASONS))
				sent |= first;
			else
				stats_drop(stats, reason, 1);
			left &= ~first;
		}
		set = left;
	}
	if (likely(s.at.n_given > 0)) {
		kind->publish(&s);
		r->avail = s.at.avail;
	}
	return sent;
}

#endif

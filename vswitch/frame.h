/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frame.h: a frame on its way through the switch, and the batch that it travels in.
 *
 * A frame is not an mbuf. It has a private head, a borrowed body, an offload record, and the mbuf
 * where it came in one. Who lends frames is in port.h, who decides about them in switch.c.
 *
 * Threads: a batch belongs to one worker.
 */
#ifndef VSWITCH_FRAME_H
#define VSWITCH_FRAME_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/virtio_net.h>

struct rte_mbuf;

enum {
	BATCH_MAX = 64,		     /* frames: any set of frames is one uint64_t */
	BATCH_PIECES_MAX = 1024,     /* pieces of all bodies of a batch */
	BATCH_BYTES_MAX = 256 << 10, /* of a batch of BATCH_MAX frames, see bytes_max */
	FRAME_PIECES_MAX = 512,	     /* of one body */
	FRAME_HEAD_MAX = 112,	     /* bytes: with record and room a head is two cache lines */
	FRAME_LEN_MIN = 14, /* bytes: an Ethernet header, IEEE 802.3 §3.1 without payload and FCS */
	FRAME_LEN_MAX = 65535 + 14 + 4, /* bytes: the largest IP packet, tagged once */
	FRAME_TAG_LEN = 4,		/* bytes of a VLAN tag */
	FRAME_RECORD_LEN = 12,		/* bytes of struct virtio_net_hdr_mrg_rxbuf */
};

/*
 * What is private of a frame: the offload record and, directly behind it, the first bytes. Both are
 * copied once out of memory that the guest can still write; all decisions read this copy, and this
 * copy is what is sent, in one piece. A tag that is put back in moves record and addresses forward
 * into room.
 */
struct frame_head {
	alignas(64) uint8_t room[FRAME_TAG_LEN];
	uint8_t record[FRAME_RECORD_LEN]; /* struct virtio_net_hdr_mrg_rxbuf, unaligned */
	uint8_t bytes[FRAME_HEAD_MAX];
};

/* A piece of a borrowed body: guest memory (may change at any time) or mbuf data. */
struct frame_piece {
	const uint8_t *addr;
	uint32_t len; /* bytes, > 0 */
};

struct frame {
	uint8_t *head; /* the first head_len bytes of the frame; its record lies right before */
	struct rte_mbuf *mbuf;		/* NULL if it came without one */
	const struct frame_piece *body; /* n_pieces; lent until the end of the batch */
	uint32_t len;			/* bytes of the frame without FCS, head + body */
	uint16_t head_len;		/* bytes, min(len, about FRAME_HEAD_MAX) */
	uint16_t n_pieces;
	uint16_t tpid; /* 0: untagged; else the tag's EtherType, host order */
	uint16_t tci; /* the tag taken out of the head, host order (IEEE 802.1Q §9.6); 0 if none */
	uint32_t offloads; /* what its record asks for, checked: enum offload */
};

struct batch {
	uint16_t in_port;   /* id of the port that lent the frames */
	uint16_t in_queue;  /* and which of its receive queues */
	uint32_t max;	    /* frames that it may have, 1..BATCH_MAX */
	uint32_t bytes_max; /* a ring lends no further frame behind so many bytes */
	bool is_drained;    /* rx: it took all that was in the queue */
	uint32_t n;	    /* frames that it has */
	uint32_t n_pieces;
	uint32_t n_bytes;  /* of its frames */
	uint32_t offloads; /* of any of its frames */
	struct frame frames[BATCH_MAX];
	struct frame_piece pieces[BATCH_PIECES_MAX];
	struct frame_head heads[BATCH_MAX];
};

/* Sets of frames. */
#define set_foreach(i, set)                                                                        \
	for (uint64_t i##_left = (set), i = 0;                                                     \
	     i##_left && (i = (uint64_t)__builtin_ctzll(i##_left), true);                          \
	     i##_left &= i##_left - 1)

static inline uint64_t
set_first(uint32_t n)
{
	return n >= 64 ? ~0ull : (1ull << n) - 1;
}

static inline uint32_t
set_count(uint64_t set)
{
	return (uint32_t)__builtin_popcountll(set);
}

/* The offload record: lies right before the head, wherever that was moved. */
static inline struct virtio_net_hdr_mrg_rxbuf
frame_record(const struct frame *f)
{
	struct virtio_net_hdr_mrg_rxbuf record;

	memcpy(&record, f->head - FRAME_RECORD_LEN, sizeof(record));
	return record;
}

static inline void
frame_set_record(struct frame *f, struct virtio_net_hdr_mrg_rxbuf record)
{
	memcpy(f->head - FRAME_RECORD_LEN, &record, sizeof(record));
}

/* An empty batch of at most BATCH_MAX frames that come in on queue of port. */
void batch_start(struct batch *b, uint16_t in_port, uint16_t in_queue);

/*
 * The next free frame, its head at its home place with a record of zeroes; len, head_len, tpid,
 * tci, mbuf and n_pieces are 0. Call only if batch_room(). It counts once batch_commit() is called,
 * and is written again otherwise.
 */
struct frame *batch_next(struct batch *b);

static inline bool
batch_room(const struct batch *b, uint32_t n_pieces)
{
	return b->n < BATCH_MAX && BATCH_PIECES_MAX - b->n_pieces >= n_pieces;
}

static inline void
batch_commit(struct batch *b)
{
	b->n_pieces += b->frames[b->n].n_pieces;
	b->n_bytes += b->frames[b->n].len;
	b->offloads |= b->frames[b->n].offloads;
	b->n++;
}

/* Appends a piece to the frame that batch_next() gave; the caller has asked batch_room(). */
static inline void
batch_add_piece(struct batch *b, struct frame *f, const uint8_t *addr, uint32_t len)
{
	b->pieces[b->n_pieces + f->n_pieces] = (struct frame_piece){.addr = addr, .len = len};
	f->n_pieces++;
}

/*
 * Takes the outer VLAN tag (802.1Q or 802.1ad), if there is one, out of the head into tpid and tci.
 * Returns false, with the frame as it was, for a frame that ends within its tag.
 */
bool frame_untag(struct frame *f);

/* Puts the tag that frame_untag() took out, or that was set since, back into the head. */
void frame_tag(struct frame *f);

/* Copies len bytes from offset off into to. The caller has checked off + len <= f->len. */
void frame_read(const struct frame *f, uint32_t off, void *to, uint32_t len);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frame.h: what the guests' frames look like: Ethernet, IPv4, UDP, a number, a pattern. Those that
 * are to be cut into segments are TCP, whose sequence and acknowledgement numbers have the number.
 *
 * Addresses say guest and station, so that switches that look at flows see as many as there are
 * stations: station K of guest G is 02:00:GG:KK:KK:KK, and 9+G.K.K.K in IPv4.
 *
 * Threads: any.
 */
#ifndef PERF_FRAME_H
#define PERF_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	FRAME_TO_AT = 2,    /* the guest that a frame is for; not in broadcasts */
	FRAME_FROM_AT = 8,  /* the one that sent it */
	FRAME_L4_AT = 34,   /* UDP or TCP */
	FRAME_SEQ_AT = 42,  /* 8 bytes, the frame's number or time: behind the headers, in line 0 */
	FRAME_BODY_AT = 50, /* and the pattern */
	FRAME_TCP_SEQ_AT = 38,	/* 4 bytes, in which a switch counts the bytes before a segment; */
	FRAME_TCP_ACK_AT = 42,	/* 4 bytes, which it leaves alone: the number */
	FRAME_TCP_BODY_AT = 54, /* bytes of headers before the pattern */
	FRAME_UDP_SUM = 6,	/* of layer 4: where the checksum has its place */
	FRAME_TCP_SUM = 16,
	FRAME_SEGMENT_LEN = 1460, /* most bytes of a TCP segment's payload, at an MTU of 1500 */
	FRAME_LEN_MIN = 60,	  /* bytes of a frame without FCS */
	FRAME_LEN_MAX = 65535,
	FRAME_MACS_MAX = 1 << 24,
	FRAME_GUESTS_MAX = 64, /* numbered from 1 */
	FRAME_BROADCAST = 255, /* as a guest's number */
	FRAME_MIX_LEN = 1514,  /* bytes of the longest of frame_mix_len() */
	FRAME_MIX_N = 12,      /* after which it starts again */
};

/* What a frame leaves to be done. */
enum frame_kind {
	FRAME_PLAIN, /* nothing: UDP without checksum */
	FRAME_SUM,   /* UDP, the checksum is to be put in */
	FRAME_TSO,   /* TCP, to be cut into segments of FRAME_SEGMENT_LEN, each with its checksum */
};

/* Who sends a frame to whom. */
struct frame_ends {
	uint32_t from_station, to_station;
	uint8_t from, to;
};

/* All len bytes of a frame. */
void frame_write(uint8_t *f, struct frame_ends e, enum frame_kind kind, uint32_t len, uint64_t seq);

/* Where its checksum of layer 4 is, or has its place. */
uint32_t frame_sum_at(enum frame_kind kind);

/* Puts the finished checksum of layer 4 into len bytes of a frame (RFC 768, RFC 9293 §3.1). */
void frame_finish(uint8_t *f, enum frame_kind kind, uint32_t len);

/*
 * Makes of a whole frame's headers, which stand at f, those of the segment that has len bytes of
 * payload from byte at on; the payload stands behind them. is_last: it has the flag PSH.
 */
void frame_make_segment(uint8_t *f, uint32_t at, uint32_t len, bool is_last);

/* Segments that a frame of len bytes becomes. */
static inline uint32_t
frame_n_segments(uint32_t len)
{
	return (len - FRAME_TCP_BODY_AT + FRAME_SEGMENT_LEN - 1) / FRAME_SEGMENT_LEN;
}

static inline void
frame_put16(uint8_t *at, uint16_t value)
{
	value = __builtin_bswap16(value);
	memcpy(at, &value, sizeof(value));
}

static inline void
frame_put32(uint8_t *at, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(at, &value, sizeof(value));
}

static inline void
frame_put64(uint8_t *at, uint64_t value)
{
	value = __builtin_bswap64(value);
	memcpy(at, &value, sizeof(value));
}

/* Of TCP, the last 32 bits of it. */
static inline void
frame_put_seq(uint8_t *f, enum frame_kind kind, uint64_t seq)
{
	uint32_t last = (uint32_t)seq;

	if (kind == FRAME_TSO)
		memcpy(f + FRAME_TCP_ACK_AT, &last, sizeof(last));
	else
		memcpy(f + FRAME_SEQ_AT, &seq, sizeof(seq));
}

static inline uint64_t
frame_seq(const uint8_t *f, enum frame_kind kind)
{
	uint64_t seq;
	uint32_t last;

	memcpy(&seq, f + FRAME_SEQ_AT, sizeof(seq));
	memcpy(&last, f + FRAME_TCP_ACK_AT, sizeof(last));
	return kind == FRAME_TSO ? last : seq;
}

/*
 * The headers only: Ethernet, IPv4 without options and with its checksum (RFC 791 §3.1); UDP
 * without (RFC 768), or UDP or TCP with the sum of the pseudo-header in its place, as virtio wants
 * it (virtio 1.2 §5.1.6.2).
 */
static inline void
frame_write_head(uint8_t *f, struct frame_ends e, enum frame_kind kind, uint32_t len)
{
	const uint32_t version = 0x4500, dont_fragment = 0x4000, port = 4789;
	const uint32_t protocol = kind == FRAME_TSO ? 6 : 17, ttl = 0x4000;
	bool is_broadcast = e.to == FRAME_BROADCAST;
	uint32_t from = (uint32_t)e.from << 24 | e.from_station;
	uint32_t to = (uint32_t)e.to << 24 | e.to_station;
	uint32_t source = from + (9u << 24);
	uint32_t destination = is_broadcast ? UINT32_MAX : to + (9u << 24);
	uint32_t ends =
		(source >> 16) + (source & 0xffff) + (destination >> 16) + (destination & 0xffff);
	uint32_t sum = version + (len - 14) + dont_fragment + (ttl | protocol) + ends;
	uint32_t pseudo = ends + protocol + (len - FRAME_L4_AT);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	pseudo = (pseudo & 0xffff) + (pseudo >> 16);
	pseudo = (pseudo & 0xffff) + (pseudo >> 16);
	frame_put64(f, is_broadcast ? UINT64_MAX << 16 | 0x0200
				    : (uint64_t)0x0200 << 48 | (uint64_t)to << 16 | 0x0200);
	frame_put32(f + 8, from);
	frame_put32(f + 12, 0x0800 << 16 | version);
	frame_put32(f + 16, (len - 14) << 16);
	frame_put32(f + 20, dont_fragment << 16 | ttl | protocol);
	frame_put16(f + 24, (uint16_t)~sum);
	frame_put32(f + 26, source);
	frame_put32(f + 30, destination);
	frame_put32(f + 34, port << 16 | port);
	if (kind == FRAME_TSO) {
		frame_put32(f + FRAME_TCP_SEQ_AT, 0);
		frame_put32(f + 46, 0x5018ffff); /* 5 words, ACK and PSH, the largest window */
		frame_put32(f + 50, pseudo << 16);
	} else {
		frame_put32(f + 38, (len - 34) << 16 | (kind == FRAME_SUM ? pseudo : 0));
	}
}

/*
 * Length of the seq-th frame of the mixture known as simple IMIX: 7 frames of 64 bytes, 4 of 594
 * and 1 of 1518, with FCS; so 60, 590 and 1514 without it, as sizes are counted here. The average
 * is 357.8 bytes.
 */
static inline uint32_t
frame_mix_len(uint64_t seq)
{
	static const uint16_t lens[FRAME_MIX_N] = {60, 590, 60, 60,  590, 60, FRAME_MIX_LEN,
						   60, 590, 60, 590, 60};

	return lens[seq % FRAME_MIX_N];
}

#endif

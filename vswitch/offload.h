/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offload.h: what is still to be done to a frame, a checksum or the division into segments, and who
 * does it: the receiver if it takes that, else we.
 *
 * A frame's record (struct virtio_net_hdr, virtio 1.2 §5.1.6) says it in virtio's terms. Whoever
 * lends a frame with a record calls offload_check() before anybody relies on it. What a port's
 * receiver takes is in struct port; for one that takes less than a batch asks for, the switch has
 * the rest done by offload_next().
 *
 * Threads: a worker's, on its own batches.
 */
#ifndef VSWITCH_OFFLOAD_H
#define VSWITCH_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

struct report;

/* Bits of a set: of what a frame asks for, and of what a receiver takes. */
enum offload {
	OFFLOAD_CHECKSUM = 1 << 0, /* the sum from csum_start on is to be put in at csum_offset */
	OFFLOAD_VALID = 1 << 1,	   /* its checksums were seen to be right: nothing is to be done */
	OFFLOAD_TSO4 = 1 << 2,	   /* TCP over IPv4, in segments of gso_size bytes of payload */
	OFFLOAD_TSO6 = 1 << 3,	   /* TCP over IPv6 */
	OFFLOAD_ECN = 1 << 4,	   /* beside these two: the first segment says CWR (RFC 3168) */
	OFFLOAD_USO4 = 1 << 5,	   /* UDP over IPv4, in datagrams of gso_size bytes of payload */
	OFFLOAD_USO6 = 1 << 6,	   /* UDP over IPv6 */
	OFFLOAD_EXTENSIONS = 1 << 7, /* beside any of these: IPv6 has extension headers, which not
					all devices know */
	OFFLOAD_TSO = OFFLOAD_TSO4 | OFFLOAD_TSO6 | OFFLOAD_ECN,
	OFFLOAD_USO = OFFLOAD_USO4 | OFFLOAD_USO6,
	OFFLOAD_SEGMENTS = OFFLOAD_TSO | OFFLOAD_USO,
	OFFLOAD_ALL = OFFLOAD_CHECKSUM | OFFLOAD_VALID | OFFLOAD_EXTENSIONS | OFFLOAD_SEGMENTS,
};

enum {
	OFFLOAD_TCP_CHECKSUM_AT = 16, /* in its header, RFC 9293 §3.1 */
	OFFLOAD_UDP_CHECKSUM_AT = 6,  /* RFC 768 */
	OFFLOAD_SCTP_CHECKSUM_AT = 8, /* RFC 9260 §3.1 */
	OFFLOAD_PLACE_MIN = 20,	      /* of a checksum: behind what the switch decides by */
	OFFLOAD_SEGMENTS_MAX = 1024,  /* of one frame: what asks for more is out to cost us time */
};

/* Where the headers of a frame are, as far as its head tells. Offsets in bytes from its start. */
struct offload_headers {
	uint16_t l3, l4, payload;
	uint8_t protocol; /* of the layer 4: IPPROTO_TCP or IPPROTO_UDP, or another one */
	bool is_ipv6;
	bool is_fragment; /* l4 and payload say nothing then */
};

/*
 * Looks through up to two VLAN tags, IPv4 or IPv6 with extension headers, to TCP or UDP. False if
 * that is not what the head has, or not wholly.
 */
bool offload_parse(const struct frame *f, struct offload_headers *headers);

/*
 * The record of f came from a peer that may ask for the offloads of allowed. Checks it against the
 * head, leaves of it what was checked and sets f->offloads. False, if it asks for what is not
 * allowed or what can't be; the frame is to be dropped then. For frames in an untagged or a tagged
 * state alike; the checksum of SCTP, which is none of virtio's, is put in at once.
 */
bool offload_check(struct frame *f, uint32_t allowed);

/* Bytes of the longest frame that f is on a wire: a segment, if it is to be divided. */
static inline uint32_t
offload_wire_len(const struct frame *f)
{
	struct virtio_net_hdr_mrg_rxbuf record;
	uint32_t len;

	if (__builtin_expect(!(f->offloads & OFFLOAD_SEGMENTS), 1))
		return f->len;
	record = frame_record(f);
	len = (uint32_t)record.hdr.hdr_len + record.hdr.gso_size;
	return len < f->len ? len : f->len;
}

/*
 * offload_check() for what guests ask for most often, only a checksum of TCP or UDP: true if that
 * was it, and all is well.
 */
static inline bool
offload_check_quickly(struct frame *f, uint32_t allowed)
{
	struct virtio_net_hdr_mrg_rxbuf r = frame_record(f);

	if (r.hdr.flags != VIRTIO_NET_HDR_F_NEEDS_CSUM || r.hdr.gso_type != 0 ||
	    (r.hdr.csum_offset != OFFLOAD_TCP_CHECKSUM_AT &&
	     r.hdr.csum_offset != OFFLOAD_UDP_CHECKSUM_AT) ||
	    r.hdr.csum_start + r.hdr.csum_offset < OFFLOAD_PLACE_MIN ||
	    r.hdr.csum_start + r.hdr.csum_offset + sizeof(uint16_t) > f->len ||
	    !(allowed & OFFLOAD_CHECKSUM))
		return false;
	r.hdr.hdr_len = r.hdr.gso_size = r.num_buffers = 0;
	frame_set_record(f, r);
	f->offloads = OFFLOAD_CHECKSUM;
	return true;
}

enum {
	OFFLOAD_TEXT_MAX = 64
};

/* "checksum tso4 tso6", or "none", for people. */
void offload_text(uint32_t offloads, char text[OFFLOAD_TEXT_MAX]);

/* The same to a report. */
void offload_report(struct report *report, const char *key, uint32_t offloads);

/* One receiver's share of a batch on the way through offload_next(). */
struct offload_work {
	const struct batch *from;
	uint64_t left;	     /* frames of from that are not done; the first one maybe in part */
	uint32_t accepted;   /* what the receiver takes */
	uint32_t at;	     /* bytes of the first one's payload that are done */
	uint16_t n_segments; /* of the first one, that are done */
	uint8_t sums[BATCH_MAX][2]; /* checksums that have their place behind a head */
};

/* Begins with the frames of set, for a receiver that takes the offloads of accepted. */
void offload_begin(struct offload_work *work, const struct batch *from, uint64_t set,
		   uint32_t accepted);

/*
 * Fills an empty, started batch with the next frames as the receiver takes them, in order; their
 * bodies are those of work->from, and valid as long. False if there are none left.
 */
bool offload_next(struct offload_work *work, struct batch *to);

#endif

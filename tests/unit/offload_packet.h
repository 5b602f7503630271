/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offload_packet.h: frames with records for the tests of offload.c, and what must become of them,
 * computed byte by byte over flat memory, as slowly as it is easy to follow.
 */
#ifndef TESTS_OFFLOAD_PACKET_H
#define TESTS_OFFLOAD_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

enum {
	PACKET_MAX = FRAME_LEN_MAX + 1,
};

struct packet {
	struct virtio_net_hdr record;
	uint32_t len;
	uint32_t l3, l4, payload; /* offsets */
	bool is_ipv6, is_tcp;
	uint8_t bytes[PACKET_MAX];
};

struct packet_conf {
	bool is_ipv6, is_tcp;
	uint32_t n_tags, n_extensions; /* of 8 bytes each, IPv6 only */
	uint32_t options_len;	       /* of TCP */
	uint32_t payload_len;
	uint8_t tcp_flags;
	uint16_t gso_size; /* 0: only the checksum is asked for */
	uint8_t gso_more;  /* bits beside the type */
};

/* A frame whose checksum has only the sum of its pseudo header, with the record that says so. */
void packet_make(struct packet *p, const struct packet_conf *conf);

/*
 * Lends it to b as its next frame: a head of at most head_len bytes, pieces of piece_len, or
 * longer ones where those were more than a frame can have.
 */
struct frame *packet_lend(const struct packet *p, struct batch *b, uint32_t head_len,
			  uint32_t piece_len);

/*
 * What a receiver gets as segment number i of p, whose checksum has only the pseudo header's sum if
 * is_partial. False behind the last one.
 */
bool packet_segment(const struct packet *p, uint32_t i, bool is_partial, struct packet *out);

/* The checksum of p is put in. */
void packet_finish(struct packet *p);

#endif

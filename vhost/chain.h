/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain.h: from a descriptor chain to checked pieces of our own address space.
 *
 * Every descriptor is read once, into a local, and checked there: direction, loops, length of the
 * chain, addresses. A buffer that goes on in an adjacent memory region becomes two pieces, and so
 * may a table of indirect descriptors.
 *
 * Threads: any; the memory that is read belongs to the guest.
 */
#ifndef VHOST_CHAIN_H
#define VHOST_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "guest.h"

struct ring;
struct ring_view;

enum {
	CHAIN_DESCS_MAX = 256,	/* descriptors of a chain; Linux sends at most 19 */
	CHAIN_TABLE_MAX = 1024, /* entries of an indirect table */
	CHAIN_PIECES_MAX = 288, /* of one chain: its descriptors, and some region borders */
};

struct chain_piece {
	uint8_t *addr;
	uint32_t len; /* bytes, > 0 */
};

/* A descriptor of a split ring, or of its tables, read once. */
struct chain_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

static inline struct chain_desc
chain_desc_read(const void *at)
{
	uint64_t addr = guest_read64(at);
	uint64_t rest = guest_read64((const uint8_t *)at + sizeof(addr));

	return (struct chain_desc){
		.addr = addr,
		.len = (uint32_t)rest,
		.flags = (uint16_t)(rest >> 32),
		.next = (uint16_t)(rest >> 48),
	};
}

/*
 * Writes the pieces of the chain that starts at descriptor head (< size of the ring) of a split
 * ring to pieces, at most max, and their total length to *len. is_writable: all of them must be for
 * us to write, else none. Returns the number of pieces, or -1 if the chain can't be used.
 */
int chain_read_split(const struct ring_view *v, struct ring *r, uint16_t head, bool is_writable,
		     struct chain_piece *pieces, uint32_t max, uint64_t *len);

/*
 * The same for the n_descs descriptors of a packed ring that begin at position at; the last one may
 * be followed by the first one.
 */
int chain_read_packed(const struct ring_view *v, struct ring *r, uint16_t at, uint16_t n_descs,
		      bool is_writable, struct chain_piece *pieces, uint32_t max, uint64_t *len);

#endif

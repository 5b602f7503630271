/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring_guest.h: a guest's side of one ring, split or packed, in heap memory, for tests of vhost/.
 *
 * Chains are described once, in the way of split rings, for both kinds: descriptors that are linked
 * by number. Offering one copies it to its place if the ring is packed.
 *
 * Every region, and each part of the ring, is an allocation of its own, of exactly its size, so
 * that ASan sees what reaches beyond it. Guest addresses are as below.
 */
#ifndef TESTS_RING_GUEST_H
#define TESTS_RING_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"
#include "level.h"
#include "memory.h"
#include "ring.h"
#include "stats.h"

enum {
	GUEST_DESC = 0x10000,	 /* the parts of the ring */
	GUEST_DRIVER = 0x200000, /* of a split one the available ring */
	GUEST_DEVICE = 0x300000, /* and the used ring */
	GUEST_LOW = 0x1000000,	 /* data */
	GUEST_HIGH = 0x1100000,	 /* data, right behind GUEST_LOW: a buffer may cross over */
	GUEST_ALONE = 0x3000000, /* data, nothing before it and nothing behind */
	GUEST_NOWHERE = 0x2000000,
	GUEST_DATA_SIZE = GUEST_HIGH - GUEST_LOW, /* and as much from GUEST_HIGH on */
	GUEST_ALONE_SIZE = 0x1000,
	GUEST_TABLES = GUEST_LOW + 0xf0000, /* where tests put their indirect tables */
};

struct ring_guest_conf {
	uint16_t size;
	uint16_t base;	  /* split: index that both sides begin at; packed: position, mod size */
	uint16_t id_base; /* packed: buffer id of the chain that begins at descriptor 0 */
	uint32_t data;	  /* bytes before GUEST_HIGH, and from it on; 0: GUEST_DATA_SIZE */
	const struct level *level; /* the code that serves it; NULL: that of the baseline */
	bool is_packed, is_in_order;
	bool is_legacy, is_mergeable, has_event_idx, no_indirect;
};

/* How a driver counts. */
struct guest_place {
	uint16_t at; /* split: free-running index; packed: position */
	bool wrap;   /* packed: the wrap counter */
};

/* A buffer that was offered. */
struct guest_buffer {
	uint16_t id, n_descs;
};

struct ring_guest {
	struct memory memory;
	struct ring_view view;
	struct ring ring;
	bool is_packed;
	uint16_t id_base;
	uint32_t n_offered, n_seen;   /* buffers offered, and seen given back, ever */
	uint32_t n_descs;	      /* packed: descriptors of those between the two */
	struct guest_place avail;     /* where it offers next */
	struct guest_place seen;      /* up to where it has seen buffers given back */
	struct vring_desc *descs;     /* split: the ring's own; packed: what will be offered */
	struct guest_buffer *buffers; /* buffer i is at i % size */
	/* in order: so many were given back with one entry, and the next of them is the next seen
	 */
	uint32_t n_known;
	uint32_t known_id, known_len; /* what that entry says */
};

void ring_guest_open(struct ring_guest *g, struct ring_guest_conf conf);
void ring_guest_close(struct ring_guest *g);

/* The place as struct ring counts it. */
uint16_t ring_guest_place(const struct ring_guest *g, struct guest_place place);

/* The place n further on. */
struct guest_place ring_guest_step(const struct ring_guest *g, struct guest_place place,
				   uint32_t n);

/* Where in our address space a guest address is; it must be somewhere. */
uint8_t *ring_guest_at(struct ring_guest *g, uint64_t guest);

/* Across regions. */
void ring_guest_write(struct ring_guest *g, uint64_t guest, const void *from, uint32_t len);
void ring_guest_read(struct ring_guest *g, uint64_t guest, void *to, uint32_t len);

void ring_guest_desc(struct ring_guest *g, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		     uint16_t next);

/* Entry i of an indirect table at guest address table; packed: next must be i + 1. */
void ring_guest_entry(struct ring_guest *g, uint64_t table, uint16_t i, uint64_t addr, uint32_t len,
		      uint16_t flags, uint16_t next);

/* Offers the chain that begins at descriptor head. A loop fills all of a packed ring. */
void ring_guest_offer(struct ring_guest *g, uint16_t head);

/* Offers one buffer of len bytes at addr in descriptor i. */
void ring_guest_buffer(struct ring_guest *g, uint16_t i, uint64_t addr, uint32_t len,
		       bool is_writable);

/* Takes back the next buffer: which chain it was; false if there is none. */
bool ring_guest_used(struct ring_guest *g, uint32_t *head, uint32_t *len);

/* How many buffers there are to take back, all of which it takes. */
uint32_t ring_guest_n_used(struct ring_guest *g);

/* Bytes that tell seed and place apart. */
void ring_guest_pattern(uint8_t *to, uint32_t len, uint32_t seed);

#endif

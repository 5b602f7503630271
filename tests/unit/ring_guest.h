/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring_guest.h: a guest's side of one split ring, in heap memory, for tests of vhost/.
 *
 * Every region is an allocation of its own, of exactly its size, so that ASan sees what reaches
 * beyond it. Guest addresses are as below.
 */
#ifndef TESTS_RING_GUEST_H
#define TESTS_RING_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"
#include "memory.h"
#include "ring.h"
#include "stats.h"

enum {
	GUEST_RINGS = 0x10000,	 /* the ring itself */
	GUEST_LOW = 0x1000000,	 /* data */
	GUEST_HIGH = 0x1100000,	 /* data, right behind GUEST_LOW: a buffer may cross over */
	GUEST_ALONE = 0x3000000, /* data, nothing before it and nothing behind */
	GUEST_NOWHERE = 0x2000000,
	GUEST_RINGS_SIZE = 0x10000,
	GUEST_DATA_SIZE = 0x100000, /* of GUEST_LOW and GUEST_HIGH each */
	GUEST_ALONE_SIZE = 0x1000,
	GUEST_TABLES = GUEST_LOW + 0xf0000, /* where tests put their indirect tables */
};

struct ring_guest {
	struct memory memory;
	struct ring_view view;
	struct ring ring;
	uint16_t avail; /* index that the guest writes next */
	uint16_t seen;	/* index of the used ring that it has read up to */
};

struct ring_guest_conf {
	uint16_t size;
	uint16_t base; /* index that both sides begin at */
	bool is_legacy, is_mergeable, has_event_idx, no_indirect;
};

void ring_guest_open(struct ring_guest *g, struct ring_guest_conf conf);
void ring_guest_close(struct ring_guest *g);

/* Where in our address space a guest address is; it must be somewhere. */
uint8_t *ring_guest_at(struct ring_guest *g, uint64_t guest);

/* Across regions. */
void ring_guest_write(struct ring_guest *g, uint64_t guest, const void *from, uint32_t len);
void ring_guest_read(struct ring_guest *g, uint64_t guest, void *to, uint32_t len);

void ring_guest_desc(struct ring_guest *g, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		     uint16_t next);

/* Entry i of an indirect table at guest address table. */
void ring_guest_entry(struct ring_guest *g, uint64_t table, uint16_t i, uint64_t addr, uint32_t len,
		      uint16_t flags, uint16_t next);

/* Offers the chain that begins at descriptor head. */
void ring_guest_offer(struct ring_guest *g, uint16_t head);

/* Offers one buffer of len bytes at addr in descriptor i. */
void ring_guest_buffer(struct ring_guest *g, uint16_t i, uint64_t addr, uint32_t len,
		       bool is_writable);

/* Takes the next used entry; false if there is none. */
bool ring_guest_used(struct ring_guest *g, uint32_t *id, uint32_t *len);

/* How many used entries there are, all of which it takes. */
uint32_t ring_guest_n_used(struct ring_guest *g);

/* Bytes that tell seed and place apart. */
void ring_guest_pattern(uint8_t *to, uint32_t len, uint32_t seed);

#endif

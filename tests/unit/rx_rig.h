/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rx_rig.h: a guest that sends, and what is received of it: for tests of rings' rx and release.
 */
#ifndef TESTS_RX_RIG_H
#define TESTS_RX_RIG_H

#include <stdint.h>

#include "frame.h"
#include "ring_guest.h"
#include "stats.h"

struct rx_rig {
	struct ring_guest guest;
	struct batch batch;
	struct port_stats stats;
	uint8_t sent[FRAME_LEN_MAX + FRAME_RECORD_LEN + 1]; /* record and frame */
};

extern struct rx_rig rx;

/* Of the kind that the case runs with. */
void rx_open(struct ring_guest_conf conf);
void rx_close(void);

/* Receives into an empty batch. Returns how many buffers were taken. */
uint32_t rx_receive(void);
void rx_release(void);

uint64_t rx_dropped(enum drop_reason reason);

/* Record of zeroes and a frame of len bytes at a guest address. Returns the length of both. */
uint32_t rx_put_frame(uint64_t at, uint32_t len, uint32_t seed);

/*
 * Describes total bytes from addr on as a chain of descriptors of at most part bytes each, the
 * first one of at most first bytes, beginning at descriptor 0 or, if table is not 0, in that table,
 * with descriptor 0 naming it. Returns how many descriptors of the ring it is.
 */
uint16_t rx_put_chain(uint64_t addr, uint32_t total, uint32_t first, uint32_t part, uint64_t table);

/* Frame i of the batch is the one that rx_put_frame() wrote. */
void rx_check_frame(uint32_t i, uint32_t len);

/* The chain at head comes as one frame that says what rx_put_frame() wrote, and is given back. */
void rx_check_one(uint16_t head, uint32_t len);

/* The chain at head is dropped for that reason, and given back; the ring goes on. */
void rx_check_dropped(uint16_t head, enum drop_reason reason);

#endif

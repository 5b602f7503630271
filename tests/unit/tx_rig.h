/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tx_rig.h: frames, and a guest that they are sent to: for tests of rings' tx.
 */
#ifndef TESTS_TX_RIG_H
#define TESTS_TX_RIG_H

#include <stdint.h>

#include "frame.h"
#include "ring_guest.h"
#include "stats.h"

struct tx_rig {
	struct ring_guest guest;
	struct batch batch;
	struct port_stats stats;
};

extern struct tx_rig tx;

/* Of the kind that the case runs with; and an empty batch. */
void tx_open(struct ring_guest_conf conf);
void tx_close(void);

/* A frame of len bytes whose body is in pieces of at most part bytes. */
void tx_add_frame(uint32_t len, uint32_t part);

/* Sends the frames of the set. Returns those that found room. */
uint64_t tx_send(uint64_t set);

uint64_t tx_dropped(enum drop_reason reason);

/*
 * Reads a frame of len bytes, as a driver does, out of buffers of room bytes each, which lie one
 * behind the other from addr on, n_slots of them, and compares. It begins in buffer first. Returns
 * how many buffers it took.
 */
uint32_t tx_check_from(uint32_t len, uint64_t addr, uint32_t room, uint32_t first,
		       uint32_t n_slots);

/* The same where it begins at addr. */
uint32_t tx_check(uint32_t len, uint64_t addr, uint32_t room);

#endif

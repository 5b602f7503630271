/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hint.h: hints from workers and the vhost thread to the control thread, through one bounded ring.
 *
 * A hint says "look at this again" and never carries state: one that finds the ring full is
 * counted and lost, and the control thread finds the state by its own rounds as well.
 *
 * Threads: hint_post by any; hint_drain by the control thread.
 */
#ifndef VSWITCH_HINT_H
#define VSWITCH_HINT_H

#include <stdint.h>

struct error;

enum hint_type {
	HINT_PORT,     /* state of a port changed: link, peer, reason */
	HINT_FDB_FULL, /* a station could not be learned on port */
	HINT_ANNOUNCE, /* a guest came up on port and wants its address known (RARP) */
};

struct hint {
	uint16_t type;
	uint16_t port; /* id */
	uint32_t arg;
};

int hint_init(struct error *e); /* 0 or -errno */
void hint_fini(void);

/* Never blocks and never enters the kernel. */
void hint_post(enum hint_type type, uint16_t port, uint32_t arg);

/* Hands all waiting hints to handle, and returns how many were lost since the last call. */
uint64_t hint_drain(void (*handle)(const struct hint *hint, void *arg), void *arg);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hint.h: hints from workers and the vhost thread to the control thread, through one bounded ring.
 *
 * A hint says "look at this again" and never carries state: one that finds the ring full is
 * counted and lost, and the control thread finds the state by its own rounds as well. What
 * HINT_GROUP carries is the exception: its sender says it again from time to time.
 *
 * Threads: hint_post, hint_post_key and hint_count_lost by any; hint_drain by the control thread.
 */
#ifndef VSWITCH_HINT_H
#define VSWITCH_HINT_H

#include <stdint.h>

struct error;

enum hint_type {
	HINT_PORT,     /* state of a port changed: link, peer, reason */
	HINT_FDB_FULL, /* a station could not be learned on port */
	HINT_ANNOUNCE, /* a guest came up on port and wants its address known (RARP) */
	HINT_GROUP,    /* a member of a group was heard on port; arg: snoop_arg() */
};

struct hint {
	uint16_t type;
	uint16_t port; /* id */
	uint32_t arg;
	uint64_t key; /* of HINT_GROUP: the group's (fdb_key()) */
};

int hint_init(struct error *e); /* 0 or -errno */
void hint_fini(void);

/* Never blocks and never enters the kernel. */
void hint_post(enum hint_type type, uint16_t port, uint32_t arg);

/* For hints that guests cause as often as they like: takes at most half of the ring. */
void hint_post_key(enum hint_type type, uint16_t port, uint32_t arg, uint64_t key);

void hint_count_lost(void); /* one was not even posted */

/* Hands all waiting hints to handle, and returns how many were lost since the last call. */
uint64_t hint_drain(void (*handle)(const struct hint *hint, void *arg), void *arg);

#endif

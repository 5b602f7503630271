/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forget.h: ports that were deleted and whose stations are still in the fdb. They are forgotten in
 * portions: to go through a large table in one piece would hold the control thread up. Until then
 * nobody else may have their ids.
 *
 * Threads: the control thread.
 */
#ifndef VSWITCH_FORGET_H
#define VSWITCH_FORGET_H

#include <stdbool.h>
#include <stdint.h>

#include "fdb.h"

/* Zeroes: there are none. */
struct forget {
	uint64_t now[FDB_PORTS_MAX / 64];  /* bit per id: of the pass that is under way */
	uint64_t next[FDB_PORTS_MAX / 64]; /* of the next one */
	uint32_t part;			   /* of the fdb, where the pass goes on */
};

/* The stations of the port, on which nobody learns any more, are to be forgotten. */
void forget_port(struct forget *f, const struct fdb *fdb, uint16_t port);

/* Is its id still in use? */
bool forget_has(const struct forget *f, uint16_t port);

/* A portion of about a millisecond, if there is any. Waits a grace period. */
void forget_step(struct forget *f, struct fdb *fdb);

/* All of it at once. */
void forget_all(struct forget *f, struct fdb *fdb);

#endif

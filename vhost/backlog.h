/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backlog.h: frames to a guest behind a vIOMMU (`viommu: true`), which wait for its translations.
 *
 * librte_vhost gives up a frame whose buffer it has no translation for, and asks QEMU: a buffer
 * that the guest has just mapped is never there at the first try. So frames wait here, in order,
 * and the worker that polls the guest tries again each round; no worker waits. When none has gone
 * for BACKLOG_PATIENCE_MS (the guest has no buffers, none that is long enough for the first frame,
 * or nobody translates them), a frame is dropped each round until one goes or none is left: a queue
 * that stands still is empty soon, and who waits behind a frame that is too long is not lost.
 *
 * A frame that waits is not counted yet. It is when it goes, or is dropped.
 *
 * Threads: backlog_put(): any worker, under the send ring's lock; backlog_flush(): the worker of
 * the receive queue with the same number; create, destroy: control, when no worker sees the port.
 */
#ifndef VHOST_BACKLOG_H
#define VHOST_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

struct backlog;
struct port_stats;
struct rte_mbuf;

enum {
	BACKLOG_FRAMES = 128,
	BACKLOG_PATIENCE_MS = 100,
};

struct backlog *backlog_create(uint64_t patience); /* TSC cycles; NULL if out of memory */
void backlog_destroy(struct backlog *b);	   /* frees what waits; takes NULL */

/* Takes the first mbufs of these n; returns how many. */
uint32_t backlog_put(struct backlog *b, struct rte_mbuf *const *mbufs, uint32_t n);

/*
 * Sends what the guest takes on this ring of connection vid, at now (TSC). is_on: false: there is
 * no such guest or ring, and what waits is dropped. Counts both in stats.
 */
void backlog_flush(struct backlog *b, int vid, uint16_t number, bool is_on, uint64_t now,
		   struct port_stats *stats);

#endif

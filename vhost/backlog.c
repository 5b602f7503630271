/* SPDX-License-Identifier: BSD-3-Clause */
/* backlog.c: see backlog.h. */
#include "backlog.h"

#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_vhost.h>

#include "stats.h"

enum {
	BURST = 32, /* the library's own limit */
};

struct backlog {
	struct rte_ring *ring; /* put to under the lock, taken from by the flushing worker */

	/* flushing worker only */
	struct rte_mbuf *first[BURST]; /* taken from the ring, to be sent next */
	uint32_t n;
	uint64_t stuck_since; /* TSC cycles; 0: it is not */
};

struct backlog *
backlog_create(void)
{
	struct backlog *b = calloc(1, sizeof(*b));
	ssize_t size = rte_ring_get_memsize(BACKLOG_FRAMES);

	if (!b || size < 0)
		goto fail;
	b->ring = aligned_alloc(RTE_CACHE_LINE_SIZE, (size_t)size);
	if (!b->ring ||
	    rte_ring_init(b->ring, "backlog", BACKLOG_FRAMES, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0)
		goto fail;
	return b;

fail:
	if (b)
		free(b->ring);
	free(b);
	return NULL;
}

/* The next ones to be sent. */
static void
refill(struct backlog *b)
{
	b->n += rte_ring_sc_dequeue_burst(b->ring, (void **)(b->first + b->n), BURST - b->n, NULL);
}

/* Takes the first n away. */
static void
advance(struct backlog *b, uint32_t n)
{
	rte_pktmbuf_free_bulk(b->first, n);
	b->n -= n;
	memmove(b->first, b->first + n, b->n * sizeof(*b->first));
	b->stuck_since = 0;
}

static uint32_t
drop_all(struct backlog *b)
{
	uint32_t n = 0;

	for (refill(b); b->n; refill(b)) {
		n += b->n;
		advance(b, b->n);
	}
	return n;
}

void
backlog_destroy(struct backlog *b)
{
	if (!b)
		return;
	drop_all(b);
	free(b->ring);
	free(b);
}

uint32_t
backlog_put(struct backlog *b, struct rte_mbuf *const *mbufs, uint32_t n)
{
	return rte_ring_sp_enqueue_burst(b->ring, (void *const *)mbufs, n, NULL);
}

/* The first one has waited too long for the guest. */
static bool
is_stuck(struct backlog *b)
{
	uint64_t now = rte_rdtsc();

	if (b->stuck_since == 0)
		b->stuck_since = now;
	return now - b->stuck_since > rte_get_tsc_hz() / 1000 * BACKLOG_PATIENCE_MS;
}

uint32_t
backlog_flush(struct backlog *b, int vid, uint16_t number, bool is_on, struct port_stats *stats)
{
	uint32_t n;

	if (unlikely(!is_on)) {
		n = drop_all(b);
		if (n)
			stats_drop(stats, DROP_TX_DOWN, n);
		return 0;
	}
	refill(b);
	if (b->n == 0)
		return 0;
	n = rte_vhost_enqueue_burst(vid, number, b->first, (uint16_t)b->n);
	if (n > 0) {
		advance(b, n);
	} else if (is_stuck(b)) {
		advance(b, 1);
		stats_drop(stats, DROP_TX_NO_ROOM, 1);
	}
	return n;
}

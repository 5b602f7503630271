/* SPDX-License-Identifier: BSD-3-Clause */
/* backlog.c: see backlog.h. */
#include "backlog.h"

#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_vhost.h>

#include "stats.h"

enum {
	BURST = 32, /* the library's own limit */
};

struct backlog {
	struct rte_ring *ring; /* put to under the lock, taken from by the flushing worker */
	uint64_t patience;     /* TSC cycles */

	/* flushing worker only */
	struct rte_mbuf *first[BURST]; /* taken from the ring, to be sent next */
	uint32_t n;
	bool is_stalled;	/* the first one did not go, and none has since */
	uint64_t stalled_since; /* TSC */
};

struct backlog *
backlog_create(uint64_t patience)
{
	struct backlog *b = calloc(1, sizeof(*b));
	ssize_t size = rte_ring_get_memsize(BACKLOG_FRAMES);

	if (!b || size < 0)
		goto fail;
	b->patience = patience;
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

/* The first n have gone. */
static void
count_sent(const struct backlog *b, uint32_t n, struct port_stats *stats)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++)
		bytes += b->first[i]->pkt_len;
	stats_add(&stats->tx_frames, n);
	stats_add(&stats->tx_bytes, bytes);
}

/* The first one did not go. Has none gone for too long? */
static bool
is_out_of_patience(struct backlog *b, uint64_t now)
{
	if (!b->is_stalled)
		b->stalled_since = now;
	b->is_stalled = true;
	return now - b->stalled_since > b->patience;
}

void
backlog_flush(struct backlog *b, int vid, uint16_t number, bool is_on, uint64_t now,
	      struct port_stats *stats)
{
	uint32_t n;

	if (unlikely(!is_on)) {
		b->is_stalled = false;
		n = drop_all(b);
		if (n)
			stats_drop(stats, DROP_TX_DOWN, n);
		return;
	}
	refill(b);
	if (b->n == 0)
		return;
	n = rte_vhost_enqueue_burst(vid, number, b->first, (uint16_t)b->n);
	if (n > 0) {
		b->is_stalled = false;
		count_sent(b, n, stats);
		advance(b, n);
	} else if (is_out_of_patience(b, now)) {
		stats_drop(stats, DROP_TX_NO_ROOM, 1);
		advance(b, 1);
		b->is_stalled = b->n > 0;
	}
}

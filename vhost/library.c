/* SPDX-License-Identifier: BSD-3-Clause */
/* library.c: see library.h. */
#include "library.h"

#include <errno.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_vhost.h>

#include "attach.h"
#include "backlog.h"
#include "error.h"
#include "feature.h"
#include "frame.h"
#include "mbuf.h"
#include "offload.h"
#include "rcu.h"
#include "session.h"
#include "stats.h"
#include "worker.h"

enum {
	LIBRARY_BURST = 32,   /* the library's own limit */
	LIBRARY_MBUFS = 4096, /* of a port, for what it receives */
	SKIPS_MAX = 4,	      /* frames that one burst tries to get past */
};

int
library_open(struct session *s, struct error *e)
{
	uint64_t patience = rte_get_tsc_hz() / 1000 * BACKLOG_PATIENCE_MS;
	struct error why;

	s->pool = mbuf_pool_create("vhost-port", LIBRARY_MBUFS, SOCKET_ID_ANY, &why);
	if (!s->pool)
		return error_set(e, -ENOMEM, "port %s: %s", s->port->conf.name, why.text);
	for (uint32_t q = 0; s->port->conf.vhost.has_viommu && q < s->port->conf.queues; q++) {
		s->backlogs[q] = backlog_create(patience);
		if (!s->backlogs[q])
			return error_set(e, -ENOMEM, "port %s: out of memory", s->port->conf.name);
	}
	return 0;
}

void
library_close(struct session *s)
{
	for (uint32_t q = 0; q < PORT_QUEUES_MAX; q++) {
		backlog_destroy(s->backlogs[q]);
		s->backlogs[q] = NULL;
	}
	mbuf_pool_retire(s->pool);
	s->pool = NULL;
}

void
library_attach(struct session *s)
{
	uint32_t n = RTE_MIN((uint32_t)rte_vhost_get_vring_num(s->vid), 2u * s->port->conf.queues);

	/* we poll: guests need not kick */
	for (uint32_t i = 0; i < n; i++)
		rte_vhost_enable_guest_notification(s->vid, (uint16_t)i, 0);
	s->n_attaches++;
	library_show(s);
}

void
library_show(struct session *s)
{
	library_update(s);
	atomic_store_explicit(&s->library_segments,
			      feature_from_guest(s->features) & OFFLOAD_SEGMENTS,
			      memory_order_relaxed);
	/* release: pairs with the workers' acquire */
	atomic_store_explicit(&s->library_vid, s->vid, memory_order_release);
	attach_offloads(s);
}

void
library_update(struct session *s)
{
	atomic_store_explicit(&s->library_ready, s->ready, memory_order_relaxed);
}

void
library_hide(struct session *s)
{
	if (atomic_load_explicit(&s->library_vid, memory_order_relaxed) < 0)
		return;
	port_set_offloads(s->port, 0); /* see attach_undo() */
	atomic_store_explicit(&s->library_vid, -1, memory_order_release);
	s->is_hidden = true;
}

void
library_detach(struct session *s)
{
	library_hide(s);
	if (s->is_hidden)
		rcu_synchronize();
	s->is_hidden = false;
}

uint32_t
library_rx(struct session *s, uint16_t queue, struct batch *b, struct port_stats *stats)
{
	uint32_t number = 2u * queue + 1, ready, n = 0, got, max, frame_max;
	int vid = atomic_load_explicit(&s->library_vid, memory_order_acquire);
	struct rte_mbuf *mbufs[BATCH_MAX];

	ready = atomic_load_explicit(&s->library_ready, memory_order_relaxed);
	if (s->backlogs[queue])
		backlog_flush(s->backlogs[queue], vid, (uint16_t)(2 * queue),
			      vid >= 0 && ready >> 2 * queue & 1, rte_rdtsc(), stats);
	if (vid < 0 || !(ready >> number & 1))
		return 0;
	frame_max = port_frame_max(s->port) + FRAME_TAG_LEN;
	if (atomic_load_explicit(&s->library_segments, memory_order_relaxed))
		frame_max = FRAME_LEN_MAX;
	max = RTE_MIN(b->max, mbuf_burst_max(frame_max, s->pool));
	do {
		uint32_t want = RTE_MIN(max - n, (uint32_t)LIBRARY_BURST);

		got = rte_vhost_dequeue_burst(vid, (uint16_t)number, s->pool, mbufs + n,
					      (uint16_t)want);
		n += got;
	} while (got == LIBRARY_BURST && n < max);
	if (n)
		mbuf_lend(b, mbufs, n, true, stats);
	b->is_drained = n < max;
	return n;
}

void
library_release(struct batch *b)
{
	mbuf_release(b);
}

/* The queue that frames of this receive queue go to: always the same one, so that order holds. */
static int
pick_queue(const struct session *s, const struct batch *b)
{
	uint32_t ready = atomic_load_explicit(&s->library_ready, memory_order_relaxed) & 0x55555555;
	uint32_t n = (uint32_t)__builtin_popcount(ready), skip;

	if (n == 0)
		return -1;
	for (skip = (b->in_port + b->in_queue) % n; skip > 0; skip--)
		ready &= ready - 1;
	return __builtin_ctz(ready) / 2;
}

/*
 * Sends what fits, in order. A frame that finds no room may be one that is too long for any buffer:
 * tries to get past some of those. Returns the set of positions that were sent.
 */
static uint64_t
enqueue(int vid, uint16_t number, struct rte_mbuf **mbufs, uint32_t n)
{
	uint32_t at = 0, n_skips = 0;
	uint64_t sent = 0;

	while (at < n) {
		uint32_t want = RTE_MIN(n - at, (uint32_t)LIBRARY_BURST);
		uint32_t got = rte_vhost_enqueue_burst(vid, number, mbufs + at, (uint16_t)want);

		sent |= set_first(got) << at;
		at += got;
		if (got == want)
			continue;
		if (++n_skips > SKIPS_MAX)
			break;
		at++;
	}
	return sent;
}

/*
 * An mbuf of the frame. One that waits for this guest is of the port's own memory, so that no other
 * port runs short of it.
 */
static struct rte_mbuf *
make_mbuf(const struct session *s, const struct frame *f, const struct worker *worker)
{
	bool is_to_wait = s->backlogs[0] != NULL;
	struct rte_mbuf *m = mbuf_of_frame(f, is_to_wait ? s->pool : worker->pool), *copy;

	if (!m || !is_to_wait || m->pool == s->pool)
		return m;
	copy = rte_pktmbuf_copy(m, s->pool, 0, UINT32_MAX);
	rte_pktmbuf_free(m);
	return copy;
}

/*
 * Under the lock: hands them to the guest, or to the backlog, which counts what becomes of them;
 * drops the rest. Returns the set of positions of those that the guest has.
 */
static uint64_t
hand_over(const struct session *s, int vid, uint16_t queue, struct rte_mbuf **mbufs, uint32_t n,
	  struct port_stats *stats)
{
	uint32_t n_waiting = 0;
	uint64_t sent = 0;

	if (s->backlogs[queue])
		n_waiting = backlog_put(s->backlogs[queue], mbufs, n);
	else
		sent = enqueue(vid, (uint16_t)(2 * queue), mbufs, n);
	stats_drop(stats, DROP_TX_NO_ROOM, n - n_waiting - set_count(sent));
	rte_pktmbuf_free_bulk(mbufs + n_waiting, n - n_waiting);
	return sent;
}

uint64_t
library_tx(struct session *s, const struct batch *b, uint64_t set, struct worker *worker,
	   struct port_stats *stats)
{
	int vid = atomic_load_explicit(&s->library_vid, memory_order_acquire);
	int queue = vid < 0 ? -1 : pick_queue(s, b);
	struct rte_mbuf *mbufs[BATCH_MAX];
	uint64_t sent, done = 0;
	uint8_t of[BATCH_MAX]; /* frame of each mbuf */
	uint32_t n = 0;

	if (unlikely(queue < 0)) {
		stats_drop(stats, DROP_TX_DOWN, set_count(set));
		return 0;
	}
	set_foreach (i, set) {
		mbufs[n] = make_mbuf(s, &b->frames[i], worker);
		of[n] = (uint8_t)i;
		if (likely(mbufs[n] != NULL))
			n++;
		else
			stats_drop(stats, DROP_TX_NO_MBUF, 1);
	}
	ring_lock(&s->tx[queue], stats);
	sent = hand_over(s, vid, (uint16_t)queue, mbufs, n, stats);
	rte_spinlock_unlock(&s->tx[queue].lock);
	set_foreach (j, sent)
		done |= 1ull << of[j];
	return done;
}

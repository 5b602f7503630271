/* SPDX-License-Identifier: BSD-3-Clause */
/* ethdev_burst.c: rx and tx of ports over a DPDK ethdev, see ethdev.h. */
#include "ethdev.h"

#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_spinlock.h>

#include "ethdev_state.h"
#include "frame.h"
#include "mbuf.h"
#include "offload.h"
#include "stats.h"
#include "switch.h"
#include "worker.h"

enum {
	VECTOR_BURST = 32, /* frames; some drivers give no more at once */
	VLAN_ID_MASK = 0xfff,
};

/* What the PF put in for the port VLAN, and the driver took out again, is not of the frame. */
static void
drop_port_vlan(struct rte_mbuf **mbufs, uint16_t n, uint16_t vlan)
{
	for (uint16_t i = 0; i < n; i++)
		if ((mbufs[i]->vlan_tci & VLAN_ID_MASK) == vlan)
			mbufs[i]->ol_flags &= ~RTE_MBUF_F_RX_VLAN_STRIPPED;
}

uint32_t
ethdev_rx(struct ethdev *dev, uint16_t queue, struct batch *batch, struct port_stats *stats)
{
	struct rte_mbuf *mbufs[BATCH_MAX];
	uint16_t vlan = atomic_load_explicit(&dev->port_vlan, memory_order_relaxed);
	uint32_t wanted = RTE_ALIGN_CEIL(batch->max, dev->burst_step);
	uint16_t max = (uint16_t)RTE_MIN(dev->burst_max, wanted);
	uint16_t n;

	n = rte_eth_rx_burst(dev->dpdk_port, queue, mbufs, max);
	if (n == 0)
		return 0;
	if (n == VECTOR_BURST && n < max)
		n += rte_eth_rx_burst(dev->dpdk_port, queue, mbufs + n, max - n);
	if (unlikely(vlan))
		drop_port_vlan(mbufs, n, vlan);
	mbuf_lend(batch, mbufs, n, dev->is_virtio, stats);
	batch->is_drained = n < max;
	return n;
}

void
ethdev_release(struct batch *batch)
{
	mbuf_release(batch);
}

/* A queue of its own for each worker needs no lock. Returns how many mbufs the driver took. */
static uint16_t
tx_burst(struct ethdev *dev, struct rte_mbuf **mbufs, uint16_t n, const struct worker *worker,
	 struct port_stats *stats)
{
	uint16_t queue = worker->id % dev->n_txq;
	rte_spinlock_t *lock = &dev->txqs[queue].lock;
	uint16_t n_sent;

	if (worker->sw->n_workers <= dev->n_txq)
		return rte_eth_tx_burst(dev->dpdk_port, queue, mbufs, n);
	if (!rte_spinlock_trylock(lock)) {
		stats_add(&stats->tx_contended, 1);
		rte_spinlock_lock(lock);
	}
	n_sent = rte_eth_tx_burst(dev->dpdk_port, queue, mbufs, n);
	rte_spinlock_unlock(lock);
	return n_sent;
}

/*
 * Drivers want some fields of the headers in a form of their own. Drops what one does not take,
 * and returns how many are left.
 */
static uint16_t
prepare(struct ethdev *dev, struct rte_mbuf **mbufs, uint8_t *frames, uint16_t n,
	const struct worker *worker, struct port_stats *stats)
{
	uint16_t queue = worker->id % dev->n_txq, done = 0;

	while (done < n) {
		done += rte_eth_tx_prepare(dev->dpdk_port, queue, mbufs + done, n - done);
		if (likely(done == n))
			break;
		rte_pktmbuf_free(mbufs[done]);
		stats_drop(stats, DROP_TX_OFFLOAD, 1);
		n--;
		memmove(mbufs + done, mbufs + done + 1, (n - done) * sizeof(mbufs[0]));
		memmove(frames + done, frames + done + 1, n - done);
	}
	return n;
}

uint64_t
ethdev_tx(struct ethdev *dev, struct batch *batch, uint64_t set, struct worker *worker,
	  struct port_stats *stats)
{
	struct rte_mbuf *mbufs[BATCH_MAX];
	uint8_t frames[BATCH_MAX]; /* which frame each mbuf is */
	uint16_t n = 0, n_sent;
	uint64_t sent = 0;

	set_foreach (i, set) {
		struct rte_mbuf *m =
			mbuf_of_padded_frame(&batch->frames[i], worker->pool, dev->sent_min);

		if (unlikely(!m)) {
			stats_drop(stats, DROP_TX_NO_MBUF, 1);
			continue;
		}
		if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG && m->ol_flags & RTE_MBUF_F_TX_IPV4)
			m->ol_flags |= dev->tx_ip_flag;
		mbufs[n] = m;
		frames[n++] = (uint8_t)i;
	}
	if (unlikely(batch->offloads & OFFLOAD_CHECKSUM))
		n = prepare(dev, mbufs, frames, n, worker, stats);
	n_sent = tx_burst(dev, mbufs, n, worker, stats);
	for (uint16_t i = 0; i < n_sent; i++)
		sent |= 1ull << frames[i];
	if (unlikely(n_sent < n)) {
		rte_pktmbuf_free_bulk(mbufs + n_sent, n - n_sent);
		stats_drop(stats, DROP_TX_NO_ROOM, n - n_sent);
	}
	return sent;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* ethdev.c: rx and tx of ports over a DPDK ethdev, see ethdev.h. */
#include "ethdev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_spinlock.h>
#include <rte_version.h>

#include "error.h"
#include "frame.h"
#include "log.h"
#include "mbuf.h"
#include "offload.h"
#include "port.h"
#include "stats.h"
#include "switch.h"
#include "worker.h"

#define VIRTIO_DRIVERS "net_virtio" /* what their names begin with */

enum {
	TAGS_LEN_MAX = 2 * FRAME_TAG_LEN, /* a device's MTU leaves room for two tags */
	VECTOR_BURST = 32,		  /* frames; some drivers give no more at once */
	VECTOR_STEP = 8,		  /* frames; and some nothing but multiples of this */
	DESCS_FALLBACK = 512,		  /* where the driver suggests nothing */
	BATCHES_IN_FLIGHT = 4,		  /* of each rx queue, in tx queues of other ports */
	POOL_SPARE = 512,		  /* mbufs that lcores may keep near themselves */
	VLAN_ID_MASK = 0xfff,
	SENT_MIN = RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN, /* bytes of a frame on a wire */
};

struct ethdev_txq {
	alignas(64) rte_spinlock_t lock; /* taken only where workers are more than queues */
};

struct ethdev {
	uint16_t dpdk_port; /* control: wo before the port is published, then all: ro */
	uint16_t n_rxq, n_txq;
	uint16_t n_rxd, n_txd;	    /* descriptors of a queue */
	uint32_t n_segs;	    /* that a received frame may have */
	uint32_t burst_max;	    /* frames of one rx */
	uint32_t burst_step;	    /* it asks for multiples of this */
	uint32_t sent_min;	    /* bytes of a frame that is sent */
	_Atomic uint16_t port_vlan; /* control: wo, workers: ro; 0: none */
	int node;		    /* control; of its memory */
	uint64_t rss_hf;	    /* control; 0: no RSS */
	uint64_t rx_offloads;	    /* control; that are on */
	uint64_t tx_offloads;	    /* the same */
	uint64_t tx_ip_flag;	    /* what a long frame of IPv4 needs beside its own flags */
	bool is_virtio;		    /* see mbuf_lend() */
	struct ethdev_conf conf;    /* control */
	bool started;		    /* control */
	struct rte_mempool *pool;   /* of the rx queues; workers: rw */
	struct ethdev_txq txqs[];
};

/* The longest MTU that the driver takes. */
static uint32_t
mtu_max(const struct rte_eth_dev_info *info)
{
	uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		overhead = info->max_rx_pktlen - info->max_mtu;
	return RTE_MIN((uint32_t)info->max_mtu, info->max_rx_pktlen - overhead);
}

static int
mtu_check(const struct rte_eth_dev_info *info, const struct ethdev_conf *conf,
	  const char *port_name, uint16_t mtu, struct error *e)
{
	const char *advice = conf->mtu_advice;

	if (mtu > mtu_max(info) && !conf->any_mtu)
		return error_set(e, -EINVAL,
				 "port %s: mtu: %u is more than the driver %s of %s takes: %u%s%s",
				 port_name, mtu, info->driver_name, rte_version(), mtu_max(info),
				 advice ? ": " : "", advice ? advice : "");
	if (mtu < info->min_mtu)
		return error_set(e, -EINVAL,
				 "port %s: mtu: %u is less than the driver %s takes: %u", port_name,
				 mtu, info->driver_name, info->min_mtu);
	return 0;
}

/* The MTU that the driver is told. */
static uint16_t
driver_mtu(const struct rte_eth_dev_info *info, uint16_t mtu)
{
	return (uint16_t)RTE_MIN((uint32_t)mtu, mtu_max(info));
}

static int
queues_check(const struct rte_eth_dev_info *info, const struct ethdev_conf *conf,
	     const char *port_name, struct error *e)
{
	if (conf->n_rxq <= info->max_rx_queues && info->max_tx_queues > 0)
		return 0;
	return error_set(e, -EINVAL, "port %s: queues: %u are more than the driver %s has: %u",
			 port_name, conf->n_rxq, info->driver_name, info->max_rx_queues);
}

static uint16_t
descs_or(uint16_t wanted, uint16_t suggested)
{
	if (wanted)
		return wanted;
	return suggested ? suggested : DESCS_FALLBACK;
}

/*
 * Checksums of TCP and UDP together or not at all; segments only with them. Only virtio's long
 * frames say how they are to be divided again, those that another NIC puts together don't.
 */
static void
offloads_fill(struct ethdev *dev, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	const uint64_t tx = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	const uint64_t rx = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;

	if ((info->tx_offload_capa & tx) == tx &&
	    info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS)
		conf->txmode.offloads |=
			tx | (info->tx_offload_capa &
			      (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO));
	if ((info->rx_offload_capa & rx) == rx)
		conf->rxmode.offloads |= rx;
	if (dev->is_virtio && info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_LRO &&
	    conf->rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_CKSUM)
		conf->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_TCP_LRO;
}

/* Asks for what the driver has of what the port wants. */
static void
conf_fill(struct ethdev *dev, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	/* copies can be chains, and so can be what is passed on from other devices */
	conf->txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (dev->conf.offloads)
		offloads_fill(dev, info, conf);
	if (dev->conf.filters_vlans)
		conf->rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	if (dev->conf.rss && dev->n_rxq > 1)
		dev->rss_hf = info->flow_type_rss_offloads &
			      (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
	if (dev->rss_hf) {
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf->rx_adv_conf.rss_conf.rss_hf = dev->rss_hf;
	}
	if (dev->conf.interrupts) {
		conf->intr_conf.lsc = !!(*info->dev_flags & RTE_ETH_DEV_INTR_LSC);
		conf->intr_conf.rmv = !!(*info->dev_flags & RTE_ETH_DEV_INTR_RMV);
	}
}

/* Frames of several mbufs are received and sent where the MTU makes them. */
static int
segments_check(const struct ethdev *dev, const struct rte_eth_dev_info *info, const char *port_name,
	       struct error *e)
{
	if (dev->n_segs == 1)
		return 0;
	if (!(info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER))
		return error_set(e, -EINVAL,
				 "port %s: mtu: the driver %s can't receive frames of several "
				 "mbufs: set an mtu of 1500",
				 port_name, info->driver_name);
	if (!(info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS))
		return error_set(e, -EINVAL,
				 "port %s: mtu: the driver %s can't send frames of several mbufs: "
				 "set an mtu of 1500",
				 port_name, info->driver_name);
	return 0;
}

/* A PF may give its VF fewer queues than the driver has: then one for each rx queue. */
static int
queues_configure(struct ethdev *dev, const struct rte_eth_conf *conf, const char *port_name)
{
	int err = rte_eth_dev_configure(dev->dpdk_port, dev->n_rxq, dev->n_txq, conf);

	if (err == 0 || dev->n_txq <= dev->n_rxq)
		return err;
	log_info("port %s: %u tx queues, one for each worker, are refused: %u is tried", port_name,
		 dev->n_txq, dev->n_rxq);
	dev->n_txq = dev->n_rxq;
	return rte_eth_dev_configure(dev->dpdk_port, dev->n_rxq, dev->n_txq, conf);
}

/* Tells the driver about queues, MTU, segments and modes. */
static int
device_configure(struct ethdev *dev, const struct rte_eth_dev_info *info, const struct port *port,
		 struct error *e)
{
	uint16_t mtu = driver_mtu(info, port_mtu(port));
	struct rte_eth_conf conf = {.rxmode.mtu = mtu};
	int err = segments_check(dev, info, port->conf.name, e);

	if (err)
		return err;
	conf_fill(dev, info, &conf);
	if (dev->n_segs > 1)
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
	dev->rx_offloads = conf.rxmode.offloads;
	dev->tx_offloads = conf.txmode.offloads;
	dev->tx_ip_flag =
		conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM ? RTE_MBUF_F_TX_IP_CKSUM : 0;
	err = queues_configure(dev, &conf, port->conf.name);
	if (err)
		return error_set(e, err, "port %s: the driver %s can't be configured: %s",
				 port->conf.name, info->driver_name, rte_strerror(-err));
	err = rte_eth_dev_set_mtu(dev->dpdk_port, mtu);
	if (err && err != -ENOTSUP) /* without the call, the MTU of the configuration holds */
		return error_set(e, err, "port %s: mtu: the driver %s can't set %u: %s",
				 port->conf.name, info->driver_name, mtu, rte_strerror(-err));
	return 0;
}

static int
queues_set_up(struct ethdev *dev, const struct rte_eth_dev_info *info, const char *port_name,
	      struct error *e)
{
	struct rte_eth_txconf txconf = info->default_txconf;
	unsigned int node = (unsigned int)dev->node;
	int err = 0;
	uint16_t i;

	if (dev->conf.n_tx_kept)
		txconf.tx_free_thresh = dev->n_txd - dev->conf.n_tx_kept;
	for (i = 0; i < dev->n_txq && err == 0; i++)
		err = rte_eth_tx_queue_setup(dev->dpdk_port, i, dev->n_txd, node, &txconf);
	for (i = 0; i < dev->n_rxq && err == 0; i++)
		err = rte_eth_rx_queue_setup(dev->dpdk_port, i, dev->n_rxd, node, NULL, dev->pool);
	if (err)
		return error_set(e, err,
				 "port %s: the driver %s can't set up its queues (%u): %s%s",
				 port_name, info->driver_name, dev->n_rxq, rte_strerror(-err),
				 err == -ENOMEM ? ": raise switch: memory" : "");
	return 0;
}

/*
 * Room for the rx descriptors, for the batch being switched, and for what other ports have taken a
 * reference to and not yet sent.
 */
static int
pool_create(struct ethdev *dev, uint32_t frame_max, const char *port_name, struct error *e)
{
	uint32_t n_segs = frame_max / (RTE_MBUF_DEFAULT_BUF_SIZE - RTE_PKTMBUF_HEADROOM) + 1;
	uint32_t n_batch = RTE_MIN(BATCH_MAX * n_segs, (uint32_t)BATCH_MAX + BATCH_PIECES_MAX);
	uint32_t n = dev->n_rxq * (dev->n_rxd + BATCHES_IN_FLIGHT * n_batch) + POOL_SPARE;
	struct error why;

	dev->node = rte_eth_dev_socket_id(dev->dpdk_port);
	dev->pool = mbuf_pool_create("ethdev", n, dev->node, &why);
	if (!dev->pool && dev->node != SOCKET_ID_ANY) {
		dev->pool = mbuf_pool_create("ethdev", n, SOCKET_ID_ANY, &why);
		if (dev->pool)
			log_warn("port %s: there is no packet memory left on NUMA node %d, where "
				 "its device is: it gets memory of another node, which is slower: "
				 "give the port lcores of node %d",
				 port_name, dev->node, dev->node);
		dev->node = SOCKET_ID_ANY;
	}
	if (!dev->pool)
		return error_set(e, -ENOMEM, "port %s: %s", port_name, why.text);
	dev->n_segs = mbuf_n_segs(frame_max, dev->pool);
	dev->burst_max = RTE_ALIGN_FLOOR(mbuf_burst_max(frame_max, dev->pool), VECTOR_STEP);
	dev->burst_step = dev->conf.gives_any ? 1 : VECTOR_STEP;
	return 0;
}

static int
info_get(const struct ethdev *dev, struct rte_eth_dev_info *info, const char *port_name,
	 struct error *e)
{
	int err = rte_eth_dev_info_get(dev->dpdk_port, info);

	if (err)
		return error_set(e, err, "port %s: the device tells nothing of itself: %s",
				 port_name, rte_strerror(-err));
	return 0;
}

/* From a device that was probed or reset to one that runs. */
static int
device_start(struct ethdev *dev, const struct rte_eth_dev_info *info, const struct port *port,
	     struct error *e)
{
	int err = device_configure(dev, info, port, e);

	if (err)
		return err;
	rte_eth_dev_adjust_nb_rx_tx_desc(dev->dpdk_port, &dev->n_rxd, &dev->n_txd);
	err = queues_set_up(dev, info, port->conf.name, e);
	if (err)
		return err;
	err = rte_eth_dev_start(dev->dpdk_port);
	if (err)
		return error_set(e, err, "port %s: the driver %s can't start the device: %s",
				 port->conf.name, info->driver_name, rte_strerror(-err));
	dev->started = true;
	return 0;
}

static int
device_open(struct ethdev *dev, const struct port *port, struct error *e)
{
	uint32_t frame_max = port_frame_max(port) + TAGS_LEN_MAX;
	struct rte_eth_dev_info info;
	int err;

	err = info_get(dev, &info, port->conf.name, e);
	if (err == 0)
		err = mtu_check(&info, &dev->conf, port->conf.name, port_mtu(port), e);
	if (err == 0)
		err = queues_check(&info, &dev->conf, port->conf.name, e);
	if (err)
		return err;
	dev->n_txq = RTE_MIN(dev->n_txq, info.max_tx_queues);
	dev->n_rxd = descs_or(dev->conf.n_rx_desc, info.default_rxportconf.ring_size);
	dev->n_txd = descs_or(dev->conf.n_tx_desc, info.default_txportconf.ring_size);
	dev->is_virtio = strncmp(info.driver_name, VIRTIO_DRIVERS, strlen(VIRTIO_DRIVERS)) == 0;
	if (dev->is_virtio && dev->conf.offloads &&
	    info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_LRO)
		frame_max = FRAME_LEN_MAX;
	err = pool_create(dev, frame_max, port->conf.name, e);
	return err ? err : device_start(dev, &info, port, e);
}

/* Stops the device. Mbufs that it still has go back to the pool when it is closed. */
static void
ethdev_free(struct ethdev *dev)
{
	if (dev->started)
		rte_eth_dev_stop(dev->dpdk_port);
	mbuf_pool_retire(dev->pool);
	rte_free(dev);
}

struct ethdev *
ethdev_open(uint16_t dpdk_port, const struct ethdev_conf *conf, const struct port *port,
	    struct error *e)
{
	size_t size = sizeof(struct ethdev) + conf->n_txq * sizeof(struct ethdev_txq);
	struct ethdev *dev;

	dev = rte_zmalloc_socket("ethdev", size, 64, rte_eth_dev_socket_id(dpdk_port));
	if (!dev)
		dev = rte_zmalloc("ethdev", size, 64);
	if (!dev) {
		error_set(e, -ENOMEM, "port %s: no packet memory left: raise switch: memory",
			  port->conf.name);
		return NULL;
	}
	dev->dpdk_port = dpdk_port;
	dev->conf = *conf;
	dev->n_rxq = conf->n_rxq;
	dev->n_txq = conf->n_txq;
	dev->sent_min = conf->pads ? SENT_MIN : 0;
	for (uint16_t i = 0; i < dev->n_txq; i++)
		rte_spinlock_init(&dev->txqs[i].lock);
	if (device_open(dev, port, e) == 0)
		return dev;
	ethdev_free(dev);
	return NULL;
}

void
ethdev_close(struct ethdev *dev)
{
	if (!dev)
		return;
	if (dev->started)
		rte_eth_dev_stop(dev->dpdk_port);
	rte_eth_dev_close(dev->dpdk_port);
	mbuf_pool_retire(dev->pool);
	rte_free(dev);
}

int
ethdev_restart(struct ethdev *dev, const struct port *port, struct error *e)
{
	struct rte_eth_dev_info info;
	int err;

	if (dev->started)
		rte_eth_dev_stop(dev->dpdk_port);
	dev->started = false;
	/*
	 * A driver that fails here has often closed the device half, as iavf and ixgbevf while
	 * their PF is away: but for another reset, nothing may be asked of it then.
	 */
	err = rte_eth_dev_reset(dev->dpdk_port);
	if (err && err != -ENOTSUP)
		return error_set(e, err, "port %s: its driver can't reset the device: %s",
				 port->conf.name, rte_strerror(-err));
	err = info_get(dev, &info, port->conf.name, e);
	return err ? err : device_start(dev, &info, port, e);
}

void
ethdev_set_port_vlan(struct ethdev *dev, uint16_t vlan)
{
	atomic_store_explicit(&dev->port_vlan, vlan, memory_order_relaxed);
}

int
ethdev_set_mtu(struct ethdev *dev, const char *port_name, uint16_t mtu, struct error *e)
{
	struct rte_eth_dev_info info;
	int err;

	err = info_get(dev, &info, port_name, e);
	if (err == 0)
		err = mtu_check(&info, &dev->conf, port_name, mtu, e);
	if (err)
		return err;
	if (mbuf_n_segs((uint32_t)mtu + RTE_ETHER_HDR_LEN + TAGS_LEN_MAX, dev->pool) > dev->n_segs)
		return error_set(
			e, -ENOBUFS,
			"port %s: mtu: %u needs other receive buffers: delete the port and "
			"add it again",
			port_name, mtu);
	err = rte_eth_dev_set_mtu(dev->dpdk_port, driver_mtu(&info, mtu));
	if (err)
		return error_set(e, err, "port %s: mtu: the driver %s can't set %u: %s", port_name,
				 info.driver_name, mtu, rte_strerror(-err));
	return 0;
}

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

uint32_t
ethdev_offloads(const struct ethdev *dev)
{
	uint32_t offloads = OFFLOAD_VALID; /* nothing to be done */

	if (dev->tx_offloads & RTE_ETH_TX_OFFLOAD_TCP_CKSUM)
		offloads |= OFFLOAD_CHECKSUM;
	if (dev->tx_offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO)
		offloads |= OFFLOAD_TSO4 | OFFLOAD_TSO6;
	return offloads;
}

uint32_t
ethdev_rx_offloads(const struct ethdev *dev)
{
	uint32_t offloads = 0;

	if (dev->is_virtio && dev->rx_offloads & RTE_ETH_RX_OFFLOAD_TCP_CKSUM)
		offloads |= OFFLOAD_CHECKSUM;
	if (dev->rx_offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO)
		offloads |= OFFLOAD_TSO4 | OFFLOAD_TSO6;
	return offloads;
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

/* "VLAN_FILTER SCATTER", or "none" */
static void
show_offloads(struct report *report, const char *key, uint64_t offloads,
	      const char *(*name)(uint64_t offload))
{
	char text[512] = "none";
	size_t used = 0;

	for (; offloads && used < sizeof(text); offloads &= offloads - 1)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? " " : "",
					 name(offloads & -offloads));
	report->text(report, key, text);
}

static void
show_modes(const struct ethdev *dev, const struct rte_eth_dev_info *info, struct report *report)
{
	report->text(report, "driver", info->driver_name);
	show_offloads(report, "rx_offloads_of_driver", info->rx_offload_capa,
		      rte_eth_dev_rx_offload_name);
	show_offloads(report, "tx_offloads_of_driver", info->tx_offload_capa,
		      rte_eth_dev_tx_offload_name);
	show_offloads(report, "rx_offloads", dev->rx_offloads, rte_eth_dev_rx_offload_name);
	show_offloads(report, "tx_offloads", dev->tx_offloads, rte_eth_dev_tx_offload_name);
	if (dev->n_rxq > 1)
		report->text(report, "rss",
			     dev->rss_hf ? "by IP addresses and ports"
					 : "none: the device spreads frames as it likes");
}

void
ethdev_show(const struct ethdev *dev, struct report *report)
{
	struct rte_ether_addr mac;
	struct rte_eth_dev_info info;
	struct rte_eth_link link;
	struct rte_eth_stats stats;
	char text[RTE_ETHER_ADDR_FMT_SIZE];
	int node = rte_eth_dev_socket_id(dev->dpdk_port);

	if (rte_eth_dev_info_get(dev->dpdk_port, &info) == 0)
		show_modes(dev, &info, report);
	if (rte_eth_macaddr_get(dev->dpdk_port, &mac) == 0) {
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x",
			 RTE_ETHER_ADDR_BYTES(&mac));
		report->text(report, "mac", text);
	}
	if (rte_eth_link_get_nowait(dev->dpdk_port, &link) == 0 &&
	    link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
		report->number(report, "link_mbit", link.link_speed);
	report->number(report, "rx_queues", dev->n_rxq);
	report->number(report, "tx_queues", dev->n_txq);
	if (node >= 0)
		report->number(report, "node", (uint64_t)node);
	report->number(report, "mbufs", dev->pool->size);
	report->number(report, "mbufs_free", rte_mempool_avail_count(dev->pool));
	if (rte_eth_stats_get(dev->dpdk_port, &stats) == 0) {
		report->number(report, "rx_missed", stats.imissed);
		report->number(report, "rx_errors", stats.ierrors);
		report->number(report, "rx_no_mbuf", stats.rx_nombuf);
		report->number(report, "tx_errors", stats.oerrors);
	}
}

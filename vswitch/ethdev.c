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
#include "mbuf.h"
#include "port.h"
#include "stats.h"
#include "switch.h"
#include "worker.h"

enum {
	TAGS_LEN_MAX = 2 * FRAME_TAG_LEN, /* a device's MTU leaves room for two tags */
	VECTOR_BURST = 32,		  /* frames; some drivers give no more at once */
	DESCS_FALLBACK = 512,		  /* where the driver suggests nothing */
	BATCHES_IN_FLIGHT = 4,		  /* of each rx queue, in tx queues of other ports */
	POOL_SPARE = 512,		  /* mbufs that lcores may keep near themselves */
};

struct ethdev_txq {
	alignas(64) rte_spinlock_t lock; /* taken only where workers are more than queues */
};

struct ethdev {
	uint16_t dpdk_port; /* control: wo before the port is published, then all: ro */
	uint16_t n_rxq, n_txq;
	uint32_t n_segs;    /* that a received frame may have */
	uint32_t burst_max; /* frames of one rx */
	bool started;
	struct rte_mempool *pool; /* of the rx queues; workers: rw */
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
mtu_check(const struct rte_eth_dev_info *info, const char *port_name, uint16_t mtu, struct error *e)
{
	if (mtu > mtu_max(info))
		return error_set(e, -EINVAL,
				 "port %s: mtu: %u is more than the driver %s of %s takes: %u",
				 port_name, mtu, info->driver_name, rte_version(), mtu_max(info));
	if (mtu < info->min_mtu)
		return error_set(e, -EINVAL,
				 "port %s: mtu: %u is less than the driver %s takes: %u", port_name,
				 mtu, info->driver_name, info->min_mtu);
	return 0;
}

static int
queues_check(const struct rte_eth_dev_info *info, const struct ethdev_conf *conf,
	     const char *port_name, struct error *e)
{
	uint16_t most = RTE_MIN(info->max_rx_queues, info->max_tx_queues);

	if (conf->n_rxq <= info->max_rx_queues && conf->n_txq <= info->max_tx_queues)
		return 0;
	return error_set(e, -EINVAL, "port %s: queues: %u are more than the driver %s has: %u",
			 port_name, RTE_MAX(conf->n_rxq, conf->n_txq), info->driver_name, most);
}

static uint16_t
descs_or(uint16_t wanted, uint16_t suggested)
{
	if (wanted)
		return wanted;
	return suggested ? suggested : DESCS_FALLBACK;
}

/* Tells the driver about queues, MTU and segments. */
static int
device_configure(struct ethdev *dev, const struct rte_eth_dev_info *info, const struct port *port,
		 struct error *e)
{
	struct rte_eth_conf conf = {.rxmode.mtu = port->conf.mtu};
	int err;

	/* copies can be chains, and so can be what is passed on from other devices */
	conf.txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (dev->n_segs > 1) {
		if (!(info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER))
			return error_set(e, -EINVAL,
					 "port %s: mtu: the driver %s can't receive frames of "
					 "several mbufs: set an mtu of 1500",
					 port->conf.name, info->driver_name);
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
	}
	err = rte_eth_dev_configure(dev->dpdk_port, dev->n_rxq, dev->n_txq, &conf);
	if (err)
		return error_set(e, err, "port %s: the driver %s can't be configured: %s",
				 port->conf.name, info->driver_name, rte_strerror(-err));
	err = rte_eth_dev_set_mtu(dev->dpdk_port, port->conf.mtu);
	if (err && err != -ENOTSUP) /* without the call, the MTU of the configuration holds */
		return error_set(e, err, "port %s: mtu: the driver %s can't set %u: %s",
				 port->conf.name, info->driver_name, port->conf.mtu,
				 rte_strerror(-err));
	return 0;
}

static int
queues_set_up(struct ethdev *dev, const struct rte_eth_dev_info *info, uint16_t n_rxd,
	      uint16_t n_txd, const char *port_name, struct error *e)
{
	int node = rte_eth_dev_socket_id(dev->dpdk_port);
	int err = 0;
	uint16_t i;

	for (i = 0; i < dev->n_txq && err == 0; i++)
		err = rte_eth_tx_queue_setup(dev->dpdk_port, i, n_txd, (unsigned int)node, NULL);
	for (i = 0; i < dev->n_rxq && err == 0; i++)
		err = rte_eth_rx_queue_setup(dev->dpdk_port, i, n_rxd, (unsigned int)node, NULL,
					     dev->pool);
	if (err)
		return error_set(
			e, err,
			"port %s: the driver %s can't set up its queues (%u): %s: if packet "
			"memory is short, raise switch: memory",
			port_name, info->driver_name, dev->n_rxq, rte_strerror(-err));
	return 0;
}

/*
 * Room for the rx descriptors, for the batch being switched, and for what other ports have taken a
 * reference to and not yet sent.
 */
static struct rte_mempool *
pool_create(const struct ethdev *dev, uint16_t n_rxd, uint32_t frame_max, struct error *e)
{
	uint32_t n_segs = frame_max / (RTE_MBUF_DEFAULT_BUF_SIZE - RTE_PKTMBUF_HEADROOM) + 1;
	uint32_t per_queue = n_rxd + BATCHES_IN_FLIGHT * BATCH_MAX * n_segs;

	return mbuf_pool_create("ethdev", dev->n_rxq * per_queue + POOL_SPARE,
				rte_eth_dev_socket_id(dev->dpdk_port), e);
}

static int
device_start(struct ethdev *dev, const struct ethdev_conf *conf, const struct port *port,
	     struct error *e)
{
	uint32_t frame_max = port_frame_max(port) + TAGS_LEN_MAX;
	uint16_t n_rxd, n_txd;
	struct rte_eth_dev_info info;
	struct error why;
	int err;

	err = rte_eth_dev_info_get(dev->dpdk_port, &info);
	if (err)
		return error_set(e, err, "port %s: the device tells nothing of itself: %s",
				 port->conf.name, rte_strerror(-err));
	err = mtu_check(&info, port->conf.name, port->conf.mtu, e);
	if (err == 0)
		err = queues_check(&info, conf, port->conf.name, e);
	if (err)
		return err;
	n_rxd = descs_or(conf->n_rx_desc, info.default_rxportconf.ring_size);
	n_txd = descs_or(conf->n_tx_desc, info.default_txportconf.ring_size);
	dev->pool = pool_create(dev, n_rxd, frame_max, &why);
	if (!dev->pool)
		return error_set(e, -ENOMEM, "port %s: %s", port->conf.name, why.text);
	dev->n_segs = mbuf_n_segs(frame_max, dev->pool);
	dev->burst_max = mbuf_burst_max(frame_max, dev->pool);
	err = device_configure(dev, &info, port, e);
	if (err)
		return err;
	rte_eth_dev_adjust_nb_rx_tx_desc(dev->dpdk_port, &n_rxd, &n_txd);
	err = queues_set_up(dev, &info, n_rxd, n_txd, port->conf.name, e);
	if (err)
		return err;
	err = rte_eth_dev_start(dev->dpdk_port);
	if (err)
		return error_set(e, err, "port %s: the driver %s can't start the device: %s",
				 port->conf.name, info.driver_name, rte_strerror(-err));
	dev->started = true;
	return 0;
}

struct ethdev *
ethdev_open(uint16_t dpdk_port, const struct ethdev_conf *conf, const struct port *port,
	    struct error *e)
{
	size_t size = sizeof(struct ethdev) + conf->n_txq * sizeof(struct ethdev_txq);
	struct ethdev *dev;

	dev = rte_zmalloc_socket("ethdev", size, 64, rte_eth_dev_socket_id(dpdk_port));
	if (!dev) {
		error_set(e, -ENOMEM, "port %s: no packet memory left: raise switch: memory",
			  port->conf.name);
		return NULL;
	}
	dev->dpdk_port = dpdk_port;
	dev->n_rxq = conf->n_rxq;
	dev->n_txq = conf->n_txq;
	for (uint16_t i = 0; i < dev->n_txq; i++)
		rte_spinlock_init(&dev->txqs[i].lock);
	if (device_start(dev, conf, port, e) == 0)
		return dev;
	ethdev_close(dev);
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
ethdev_set_mtu(struct ethdev *dev, const char *port_name, uint16_t mtu, struct error *e)
{
	struct rte_eth_dev_info info;
	int err;

	err = rte_eth_dev_info_get(dev->dpdk_port, &info);
	if (err)
		return error_set(e, err, "port %s: mtu: the device tells nothing of itself: %s",
				 port_name, rte_strerror(-err));
	err = mtu_check(&info, port_name, mtu, e);
	if (err)
		return err;
	if (mbuf_n_segs((uint32_t)mtu + RTE_ETHER_HDR_LEN + TAGS_LEN_MAX, dev->pool) > dev->n_segs)
		return error_set(
			e, -EBUSY,
			"port %s: mtu: %u needs other receive buffers: delete the port and "
			"add it again",
			port_name, mtu);
	err = rte_eth_dev_set_mtu(dev->dpdk_port, mtu);
	if (err)
		return error_set(e, err, "port %s: mtu: the driver %s can't set %u: %s", port_name,
				 info.driver_name, mtu, rte_strerror(-err));
	return 0;
}

uint32_t
ethdev_rx(struct ethdev *dev, uint16_t queue, struct batch *batch, struct port_stats *stats)
{
	struct rte_mbuf *mbufs[BATCH_MAX];
	uint16_t max = (uint16_t)dev->burst_max;
	uint16_t n;

	n = rte_eth_rx_burst(dev->dpdk_port, queue, mbufs, max);
	if (n == 0)
		return 0;
	if (n == VECTOR_BURST && n < max)
		n += rte_eth_rx_burst(dev->dpdk_port, queue, mbufs + n, max - n);
	mbuf_lend(batch, mbufs, n, stats);
	return batch->n;
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

uint64_t
ethdev_tx(struct ethdev *dev, struct batch *batch, uint64_t set, struct worker *worker,
	  struct port_stats *stats)
{
	struct rte_mbuf *mbufs[BATCH_MAX];
	uint8_t frames[BATCH_MAX]; /* which frame each mbuf is */
	uint16_t n = 0, n_sent;
	uint64_t sent = 0;

	set_foreach (i, set) {
		struct rte_mbuf *m = mbuf_of_frame(&batch->frames[i], worker->pool);

		if (unlikely(!m)) {
			stats_drop(stats, DROP_TX_NO_MBUF, 1);
			continue;
		}
		mbufs[n] = m;
		frames[n++] = (uint8_t)i;
	}
	n_sent = tx_burst(dev, mbufs, n, worker, stats);
	for (uint16_t i = 0; i < n_sent; i++)
		sent |= 1ull << frames[i];
	if (unlikely(n_sent < n)) {
		rte_pktmbuf_free_bulk(mbufs + n_sent, n - n_sent);
		stats_drop(stats, DROP_TX_NO_ROOM, n - n_sent);
	}
	return sent;
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
		report->text(report, "driver", info.driver_name);
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

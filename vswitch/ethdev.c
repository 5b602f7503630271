/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ethdev.c: the life of a DPDK ethdev: its set-up, restarts and MTU; see ethdev.h. Its frames are
 * in ethdev_burst.c, what is told of it in ethdev_show.c.
 */
#include "ethdev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_version.h>

#include "error.h"
#include "ethdev_state.h"
#include "frame.h"
#include "log.h"
#include "mbuf.h"
#include "port.h"
#include "switch.h"

#define VIRTIO_DRIVERS "net_virtio" /* what their names begin with */

static const uint64_t RX_CKSUMS = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;

enum {
	OVERHEAD_MAX = 32,    /* bytes of a frame beside its MTU, as drivers count: header, two tags
				 and FCS, or with virtio's own header 30 */
	VECTOR_STEP = 8,      /* frames; and some nothing but multiples of this */
	DESCS_FALLBACK = 512, /* where the driver suggests nothing */
	BATCHES_IN_FLIGHT = 4, /* of each rx queue, in tx queues of other ports */
	POOL_SPARE = 512,      /* mbufs that lcores may keep near themselves */
	SENT_MIN = RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN, /* bytes of a frame on a wire */
	MBUF_ROOM = RTE_MBUF_DEFAULT_BUF_SIZE - RTE_PKTMBUF_HEADROOM,
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

/* The sentence of a driver that refuses with err what mtu_check() has allowed; returns err. */
static int
mtu_refused(const struct rte_eth_dev_info *info, const struct ethdev_conf *conf,
	    const char *port_name, uint16_t mtu, int err, struct error *e)
{
	return error_set(e, err, "port %s: mtu: the driver %s can't set %u: %s%s", port_name,
			 info->driver_name, mtu, rte_strerror(-err),
			 conf->is_vf ? ": set a smaller one, or give the PF this one first" : "");
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
 * Is the device to hand over frames that are longer than its MTU, and are still to be divided? Only
 * virtio's say how, those that another NIC puts together don't.
 */
static bool
takes_undivided(const struct ethdev *dev, const struct rte_eth_dev_info *info)
{
	const uint64_t need = RX_CKSUMS | RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER;

	return dev->is_virtio && dev->conf.offloads && (info->rx_offload_capa & need) == need;
}

/* Bytes of the longest frame that it may receive. */
static uint32_t
frame_max(const struct ethdev *dev, const struct rte_eth_dev_info *info, uint16_t mtu)
{
	if (takes_undivided(dev, info))
		return FRAME_LEN_MAX;
	return (uint32_t)mtu + OVERHEAD_MAX;
}

/* Checksums of TCP and UDP together or not at all; segments only with them. */
static void
offloads_fill(struct ethdev *dev, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	const uint64_t tx = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;

	if ((info->tx_offload_capa & tx) == tx &&
	    info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS)
		conf->txmode.offloads |=
			tx | (info->tx_offload_capa &
			      (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO));
	if ((info->rx_offload_capa & RX_CKSUMS) == RX_CKSUMS)
		conf->rxmode.offloads |= RX_CKSUMS;
	if (takes_undivided(dev, info))
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

/* Where the MTU makes frames of several mbufs, n_segs, the driver must take those both ways. */
static int
segments_check(uint32_t n_segs, const struct rte_eth_dev_info *info, const char *port_name,
	       uint16_t mtu, struct error *e)
{
	const char *cannot = NULL;

	if (!(info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER))
		cannot = "receive";
	else if (!(info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS))
		cannot = "send";
	if (n_segs == 1 || !cannot)
		return 0;
	return error_set(e, -EINVAL,
			 "port %s: mtu: %u makes frames of several buffers, which the driver %s "
			 "can't %s here: set an mtu of at most %u",
			 port_name, mtu, info->driver_name, cannot, MBUF_ROOM - OVERHEAD_MAX);
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
	int err = segments_check(dev->n_segs, info, port->conf.name, port_mtu(port), e);

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
		return mtu_refused(info, &dev->conf, port->conf.name, mtu, err, e);
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
pool_create(struct ethdev *dev, uint32_t len_max, const char *port_name, struct error *e)
{
	uint32_t n_segs = len_max / MBUF_ROOM + 1;
	uint32_t n_batch = RTE_MIN(BATCH_MAX * n_segs, (uint32_t)BATCH_MAX + BATCH_PIECES_MAX);
	uint32_t n = dev->n_rxq * (dev->n_rxd + BATCHES_IN_FLIGHT * n_batch) + POOL_SPARE;
	int node = rte_eth_dev_socket_id(dev->dpdk_port);
	struct rte_mempool *pool;
	struct error why;

	pool = mbuf_pool_create("ethdev", n, node, &why);
	if (!pool && node != SOCKET_ID_ANY) {
		pool = mbuf_pool_create("ethdev", n, SOCKET_ID_ANY, &why);
		if (pool)
			log_warn("port %s: there is no packet memory left on NUMA node %d, where "
				 "its device is: it gets memory of another node, which is slower: "
				 "give the port lcores of node %d",
				 port_name, node, node);
		node = SOCKET_ID_ANY;
	}
	if (!pool)
		return error_set(e, -ENOMEM, "port %s: %s", port_name, why.text);
	dev->node = node;
	dev->pool = pool;
	dev->n_segs = mbuf_n_segs(len_max, pool);
	dev->burst_max = RTE_ALIGN_FLOOR(mbuf_burst_max(len_max, pool), VECTOR_STEP);
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
	err = pool_create(dev, frame_max(dev, &info, port_mtu(port)), port->conf.name, e);
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

/* Has it what a longer MTU needs: enough buffers, and segments that were asked for? */
static bool
has_buffers(const struct ethdev *dev, const struct rte_eth_dev_info *info, uint16_t mtu)
{
	return mbuf_n_segs(frame_max(dev, info, mtu), dev->pool) <= dev->n_segs;
}

int
ethdev_restart(struct ethdev *dev, const struct port *port, struct error *e)
{
	struct rte_mempool *before = dev->pool;
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
	if (err == 0 && !has_buffers(dev, &info, port_mtu(port)))
		err = pool_create(dev, frame_max(dev, &info, port_mtu(port)), port->conf.name, e);
	if (err == 0)
		err = device_start(dev, &info, port, e);
	if (dev->pool != before)
		mbuf_pool_retire(before);
	return err;
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
	if (err == 0)
		err = segments_check(mbuf_n_segs(frame_max(dev, &info, mtu), dev->pool), &info,
				     port_name, mtu, e);
	if (err)
		return err;
	if (!has_buffers(dev, &info, mtu))
		return error_set(
			e, -EBUSY,
			"port %s: mtu: %u needs more receive buffers: delete the port and add it "
			"again",
			port_name, mtu);
	err = rte_eth_dev_set_mtu(dev->dpdk_port, driver_mtu(&info, mtu));
	return err ? mtu_refused(&info, &dev->conf, port_name, mtu, err, e) : 0;
}

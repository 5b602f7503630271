/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fakevf_burst.c: the frames of fakevf.h: what its filter lets in, and what it sends.
 *
 * It takes the place of the driver's burst functions, not that of callbacks, which can't swallow
 * what they are to send.
 */
#include "fakevf.h"

#include <string.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

enum {
	ECHOES_MAX = 256,
	ECHO_LEN_MAX = 1536,
	DRAIN_BURST = 32,
};

/* A copy of a frame that was sent, on its way back. */
struct echo {
	uint16_t len;
	uint8_t bytes[ECHO_LEN_MAX];
};

static struct {
	eth_rx_burst_t rx; /* the driver's; written while no worker polls */
	eth_tx_burst_t tx;
	uint16_t port;
	struct rte_mempool *pool;
	struct echo echoes[ECHOES_MAX]; /* under fakevf.lock, as the counters */
	uint32_t n_echoes, first_echo;
} bursts;

static bool
is_among(const struct rte_ether_addr *addr, const struct rte_ether_addr *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (rte_is_same_ether_addr(addr, &list[i]))
			return true;
	return false;
}

/* -1: without a tag; a priority tag (VLAN 0) comes in as without one. */
static int
vlan_of(const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_vlan_hdr *tag = (const struct rte_vlan_hdr *)(eth + 1);
	int id;

	if (eth->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN) || m->data_len < 18)
		return -1;
	id = rte_be_to_cpu_16(tag->vlan_tci) & RTE_ETHER_MAX_VLAN_ID;
	return id ? id : -1;
}

static bool
address_passes(const struct rte_ether_addr *dst)
{
	if (rte_is_broadcast_ether_addr(dst))
		return true;
	if (rte_is_multicast_ether_addr(dst))
		return (fakevf.is_allmulticast && fakevf.conf.allmulticast == FAKEVF_HONOUR) ||
		       (fakevf.conf.mc_list != FAKEVF_IGNORE &&
			is_among(dst, fakevf.mcs, fakevf.n_mcs));
	return rte_is_same_ether_addr(dst, &fakevf.own) ||
	       is_among(dst, fakevf.macs, fakevf.n_macs) ||
	       (fakevf.is_promiscuous && fakevf.conf.promiscuous == FAKEVF_HONOUR);
}

static bool
vlan_passes(int vlan)
{
	if (vlan < 0 || fakevf.conf.vlan_filter == FAKEVF_IGNORE ||
	    fakevf.conf.vlan_filter == FAKEVF_NOTSUP)
		return true;
	return fakevf.vlans.ids[vlan / 64] >> vlan % 64 & 1;
}

/* Puts frames that come back behind those of mbufs; returns how many there are now. */
static uint16_t
take_echoes(struct rte_mbuf **mbufs, uint16_t n, uint16_t max)
{
	while (n < max && bursts.n_echoes) {
		const struct echo *echo = &bursts.echoes[bursts.first_echo];
		struct rte_mbuf *m = rte_pktmbuf_alloc(bursts.pool);
		char *at = m ? rte_pktmbuf_append(m, echo->len) : NULL;

		if (!at) {
			rte_pktmbuf_free(m);
			break;
		}
		memcpy(at, echo->bytes, echo->len);
		m->port = bursts.port;
		mbufs[n++] = m;
		bursts.first_echo = (bursts.first_echo + 1) % ECHOES_MAX;
		bursts.n_echoes--;
	}
	return n;
}

static uint16_t
receive(void *queue, struct rte_mbuf **mbufs, uint16_t max)
{
	uint16_t n = bursts.rx(queue, mbufs, max), n_kept = 0;

	pthread_mutex_lock(&fakevf.lock);
	n = take_echoes(mbufs, n, max);
	for (uint16_t i = 0; i < n; i++) {
		const struct rte_ether_hdr *eth =
			rte_pktmbuf_mtod(mbufs[i], const struct rte_ether_hdr *);

		if (!fakevf_passes() || !address_passes(&eth->dst_addr) ||
		    !vlan_passes(vlan_of(mbufs[i]))) {
			rte_pktmbuf_free(mbufs[i]);
			continue;
		}
		if (fakevf.conf.strip)
			rte_vlan_strip(mbufs[i]);
		mbufs[n_kept++] = mbufs[i];
	}
	pthread_mutex_unlock(&fakevf.lock);
	return n_kept;
}

static void
keep_echo(const struct rte_mbuf *m)
{
	struct echo *echo = &bursts.echoes[(bursts.first_echo + bursts.n_echoes) % ECHOES_MAX];
	const void *bytes;

	if (bursts.n_echoes == ECHOES_MAX || m->pkt_len > ECHO_LEN_MAX)
		return;
	echo->len = (uint16_t)m->pkt_len;
	bytes = rte_pktmbuf_read(m, 0, m->pkt_len, echo->bytes);
	if (bytes != echo->bytes)
		memcpy(echo->bytes, bytes, echo->len);
	bursts.n_echoes++;
}

/* Frame by frame: those of a foreign source go nowhere, and the program isn't told. */
static uint16_t
transmit(void *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t n_sent = 0;
	bool reflects, checks;
	struct rte_ether_addr own;

	pthread_mutex_lock(&fakevf.lock);
	if (!fakevf_passes())
		n = 0; /* nobody takes them from the ring */
	reflects = fakevf.conf.reflect;
	checks = fakevf.conf.spoofcheck;
	own = fakevf.own;
	for (uint16_t i = 0; i < n && reflects; i++)
		if (rte_is_broadcast_ether_addr(
			    &rte_pktmbuf_mtod(mbufs[i], const struct rte_ether_hdr *)->dst_addr))
			keep_echo(mbufs[i]);
	pthread_mutex_unlock(&fakevf.lock);
	if (!checks)
		return n ? bursts.tx(queue, mbufs, n) : 0;
	for (; n_sent < n; n_sent++) {
		struct rte_mbuf *m = mbufs[n_sent];
		const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

		if (!rte_is_same_ether_addr(&eth->src_addr, &own))
			rte_pktmbuf_free(m);
		else if (bursts.tx(queue, &m, 1) == 0)
			break;
	}
	return n_sent;
}

/* What the host kept for the device while it was stopped, a NIC would not have. */
static void
drain(void *queue)
{
	struct rte_mbuf *mbufs[DRAIN_BURST];
	uint16_t n;

	while ((n = bursts.rx(queue, mbufs, DRAIN_BURST)) > 0)
		rte_pktmbuf_free_bulk(mbufs, n);
}

void
fakevf_take_bursts(uint16_t port)
{
	struct rte_eth_fp_ops *ops = &rte_eth_fp_ops[port];
	struct rte_eth_dev_info info;

	bursts.port = port;
	bursts.rx = ops->rx_pkt_burst;
	bursts.tx = ops->tx_pkt_burst;
	bursts.n_echoes = 0;
	if (rte_eth_dev_info_get(port, &info) == 0)
		for (uint16_t i = 0; i < info.nb_rx_queues; i++)
			drain(ops->rxq.data[i]);
	ops->rx_pkt_burst = receive;
	ops->tx_pkt_burst = transmit;
}

void
fakevf_set_pool(struct rte_mempool *pool)
{
	bursts.pool = pool;
}

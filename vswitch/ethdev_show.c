/* SPDX-License-Identifier: BSD-3-Clause */
/* ethdev_show.c: what an ethdev is and takes, for the switch and for people; see ethdev.h. */
#include "ethdev.h"

#include <stddef.h>
#include <stdio.h>

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mempool.h>

#include "ethdev_state.h"
#include "offload.h"
#include "port.h"

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

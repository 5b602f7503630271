/* SPDX-License-Identifier: BSD-3-Clause */
/* stats.c: the names and meanings of what is counted, see stats.h. */
#include "stats.h"

const struct drop_info drop_infos[DROP_REASONS] = {
	[DROP_RX_BAD_CHAIN] =
		{"rx-bad-chain",
		 "the guest sent a descriptor chain that points outside of its memory, "
		 "loops or is too long"},
	[DROP_RX_BAD_RECORD] = {"rx-bad-record",
				"the guest asked for an offload that was not negotiated, or "
				"that does not fit the frame"},
	[DROP_RX_RUNT] = {"rx-runt", "shorter than an Ethernet header"},
	[DROP_RX_OVERSIZE] = {"rx-oversize", "longer than the MTU of the port allows"},
	[DROP_RX_BAD_SOURCE] = {"rx-bad-source", "the source address is a group's or all zeroes"},
	[DROP_RX_LINK_LOCAL] = {"rx-link-local",
				"sent to 01:80:c2:00:00:0x (STP, LACP, LLDP ...), which a bridge "
				"does not forward"},
	[DROP_RX_SAME_PORT] = {"rx-same-port",
			       "the destination is behind the port where the frame came in"},
	[DROP_RX_REFLECTED] = {"rx-reflected",
			       "one of our own frames, which the NIC gave back: harmless"},
	[DROP_RX_NO_PORT] = {"rx-no-port", "there is no other port that is up"},
	[DROP_TX_DOWN] = {"tx-down", "nobody is connected to the port"},
	[DROP_TX_NO_ROOM] =
		{"tx-no-room",
		 "the receiver's queue was full: it reads more slowly than others send"},
	[DROP_TX_OVERSIZE] = {"tx-oversize", "longer than the MTU or the buffers of the receiver"},
	[DROP_TX_BAD_CHAIN] = {"tx-bad-chain",
			       "the guest offered receive buffers that can't be used"},
	[DROP_TX_OFFLOAD] = {"tx-offload",
			     "the device's driver does not take a frame's checksum or segments"},
	[DROP_TX_NO_MBUF] = {"tx-no-mbuf", "the packet memory is used up: raise switch: memory"},
};

void
stats_sum(struct port_counts *sum, const struct port_stats *s)
{
	sum->rx_frames += stats_read(&s->rx_frames);
	sum->rx_bytes += stats_read(&s->rx_bytes);
	sum->tx_frames += stats_read(&s->tx_frames);
	sum->tx_bytes += stats_read(&s->tx_bytes);
	sum->rx_flooded += stats_read(&s->rx_flooded);
	sum->tx_contended += stats_read(&s->tx_contended);
	sum->notified += stats_read(&s->notified);
	for (int i = 0; i < DROP_REASONS; i++)
		sum->drops[i] += stats_read(&s->drops[i]);
}

void
stats_subtract(struct port_counts *sum, const struct port_counts *base)
{
	sum->rx_frames -= base->rx_frames;
	sum->rx_bytes -= base->rx_bytes;
	sum->tx_frames -= base->tx_frames;
	sum->tx_bytes -= base->tx_bytes;
	sum->rx_flooded -= base->rx_flooded;
	sum->tx_contended -= base->tx_contended;
	sum->notified -= base->notified;
	for (int i = 0; i < DROP_REASONS; i++)
		sum->drops[i] -= base->drops[i];
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ethdev.h: rx and tx of ports over a DPDK ethdev, shared by tap/ and sriov/.
 *
 * Threads: ethdev_open and ethdev_close are the control thread's; the others a worker's, as in
 * port.h.
 */
#ifndef VSWITCH_ETHDEV_H
#define VSWITCH_ETHDEV_H

#include <stdbool.h>
#include <stdint.h>

struct batch;
struct error;
struct ethdev;
struct port;
struct port_stats;
struct report;
struct worker;

/* What a kind of port wants of its device. */
struct ethdev_conf {
	uint16_t n_rxq;		       /* >= 1 */
	uint16_t n_txq;		       /* >= 1, or fewer if the driver has fewer; one for each
					  worker needs no lock */
	uint16_t n_rx_desc, n_tx_desc; /* 0: as the driver suggests */
	bool rss;		       /* spread received frames by their IP addresses and ports */
	bool filters_vlans;	       /* let only those VLANs in that are asked for */
	bool interrupts;	       /* link and removal are told by interrupt where it can */
	bool gives_any;		       /* rx gives as many frames as it is asked for, be it one */
	bool offloads;		       /* let the device do checksums and segments where it can */
	bool any_mtu;		       /* what the driver calls its longest MTU is no limit of the
					  device */
	const char *mtu_advice;	       /* what to do where the MTU is more than it takes, or NULL */
	bool is_vf;		       /* whose PF may refuse an MTU that the driver would take */
	uint16_t n_tx_kept;	       /* descriptors of frames that are sent, which hold mbufs of
					  other ports, that a queue may keep: fewer than n_tx_desc;
					  0: as the driver likes */
	bool pads;		       /* a card is behind it, which may take what is too short for
					  Ethernet as an attack, and stop its VF */
};

/*
 * Configures, sets up and starts the ethdev (a DPDK port id) with the MTU of the port; memory on
 * the device's NUMA node. NULL with the sentence in e, and the device stopped.
 */
struct ethdev *ethdev_open(uint16_t dpdk_port, const struct ethdev_conf *conf,
			   const struct port *port, struct error *e);

/* Stops and closes the device, which the caller removes from its bus; takes NULL. */
void ethdev_close(struct ethdev *dev);

/*
 * No worker may be using the device meanwhile. Stops it and starts it anew, with a reset of the
 * hardware where the driver has one (then addresses, modes and VLANs are to be set again). 0; or
 * -errno with the sentence in e and the device stopped, maybe closed half by its driver: call it
 * again later, or ethdev_close(), but nothing else.
 */
int ethdev_restart(struct ethdev *dev, const struct port *port, struct error *e);

/*
 * A tag with this VLAN which the driver took out is no part of the frame: the PF puts it in and
 * takes it out (port VLAN). 0: none. Any time.
 */
void ethdev_set_port_vlan(struct ethdev *dev, uint16_t vlan);

/*
 * Changes the MTU of a running device; 0, or -errno with the sentence in e. -EBUSY, -EPERM: not
 * while the device runs, since it needs more buffers, or its driver refuses, as many do;
 * ethdev_restart() sets the MTU of the port.
 */
int ethdev_set_mtu(struct ethdev *dev, const char *port_name, uint16_t mtu, struct error *e);

/* What the device takes, for port_set_offloads(): enum offload. */
uint32_t ethdev_offloads(const struct ethdev *dev);

/* What frames that it receives may ask for: enum offload. */
uint32_t ethdev_rx_offloads(const struct ethdev *dev);

uint32_t ethdev_rx(struct ethdev *dev, uint16_t queue, struct batch *batch,
		   struct port_stats *stats);
void ethdev_release(struct batch *batch);

/* Copies come out of the worker's pool. Asks for no more than ethdev_offloads(). Oversize and down
 * are checked before, by the switch. */
uint64_t ethdev_tx(struct ethdev *dev, struct batch *batch, uint64_t set, struct worker *worker,
		   struct port_stats *stats);

/* Driver, queues, MAC, link speed, offloads, NUMA node, the driver's own error counters. */
void ethdev_show(const struct ethdev *dev, struct report *report);

#endif

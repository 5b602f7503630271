/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ethdev.h: rx and tx of ports over a DPDK ethdev, shared by tap/ and sriov/.
 *
 * Threads: ethdev_open and ethdev_close are the control thread's; the others a worker's, as in
 * port.h.
 */
#ifndef VSWITCH_ETHDEV_H
#define VSWITCH_ETHDEV_H

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
	uint16_t n_rxq, n_txq;	       /* each >= 1; a tx queue for each worker needs no lock */
	uint16_t n_rx_desc, n_tx_desc; /* 0: as the driver suggests */
};

/*
 * Configures, sets up and starts the ethdev (a DPDK port id) with the MTU of port->conf; memory on
 * the device's NUMA node. NULL with the sentence in e, and the device stopped.
 */
struct ethdev *ethdev_open(uint16_t dpdk_port, const struct ethdev_conf *conf,
			   const struct port *port, struct error *e);

/* Stops and closes the device, which the caller removes from its bus; takes NULL. */
void ethdev_close(struct ethdev *dev);

/* Changes the MTU of a running device; 0, or -errno with the sentence in e. */
int ethdev_set_mtu(struct ethdev *dev, const char *port_name, uint16_t mtu, struct error *e);

uint32_t ethdev_rx(struct ethdev *dev, uint16_t queue, struct batch *batch,
		   struct port_stats *stats);
void ethdev_release(struct batch *batch);

/* Copies come out of the worker's pool. Oversize and down are checked before, by the switch. */
uint64_t ethdev_tx(struct ethdev *dev, struct batch *batch, uint64_t set, struct worker *worker,
		   struct port_stats *stats);

/* Driver, queues, MAC, link speed, the driver's own error counters. */
void ethdev_show(const struct ethdev *dev, struct report *report);

#endif

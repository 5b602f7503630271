/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ethdev_state.h: what is known of an ethdev, for ethdev.c, ethdev_burst.c and ethdev_show.c only;
 * the others include ethdev.h.
 *
 * Threads: each field says who writes it.
 */
#ifndef VSWITCH_ETHDEV_STATE_H
#define VSWITCH_ETHDEV_STATE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_spinlock.h>

#include "ethdev.h"

struct rte_mempool;

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

#endif

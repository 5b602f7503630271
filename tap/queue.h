/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * queue.h: a queue of a TAP interface, read and written by ourselves, for the backend tun: a system
 * call for each frame, its offload record before it (IFF_VNET_HDR), no mbuf and no device of
 * DPDK's.
 *
 * Threads: queue_open() and queue_close() are the control thread's; queue_rx() that of the worker
 * that polls the queue; queue_tx() any worker's, the kernel takes frames from several at once.
 */
#ifndef TAP_QUEUE_H
#define TAP_QUEUE_H

#include <stdint.h>

struct batch;
struct error;
struct port;
struct port_stats;
struct tap_device;

struct queue {
	int fd;		 /* -1: none */
	uint8_t *bodies; /* what is behind the heads of the frames that are lent */
};

/* The flags that it is attached with, for device_create(). */
short queue_flags(void);

/* What all queues of an interface, of which there are none yet, have in common. 0 or -errno. */
int queue_prepare(const struct tap_device *dev, const char *port_name, struct error *e);

/* Attaches queue i of the port. 0, or -errno with the sentence and nothing left. */
int queue_open(struct queue *q, const struct tap_device *dev, const struct port *port, uint16_t i,
	       struct error *e);

/* Takes one with fd -1. No worker may use it any more. */
void queue_close(struct queue *q);

/* As rx of struct port_ops; there is nothing to release. */
uint32_t queue_rx(struct queue *q, struct batch *b, struct port_stats *stats);

/* As tx of struct port_ops. */
uint64_t queue_tx(const struct queue *q, const struct batch *b, uint64_t set,
		  struct port_stats *stats);

#endif

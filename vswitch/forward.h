/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forward.h: the way of a batch through the switch: classify, learn, look up, deliver.
 *
 * Threads: a worker's, on its own batch.
 */
#ifndef VSWITCH_FORWARD_H
#define VSWITCH_FORWARD_H

struct port;
struct worker;

/* Learns from, and delivers, the frames that rx of port in put into w->batch. */
void forward_batch(struct worker *w, struct port *in);

#endif

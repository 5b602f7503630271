/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * split.h: frames out of and into a guest's split rings (virtio 1.2 §2.7, §5.1.6).
 *
 * Receiving lends frames whose heads are private copies and whose bodies stay in the guest's
 * memory; sending copies them straight into the descriptors of the other guest.
 *
 * Threads: split_rx and split_release by the worker that polls the ring; split_tx by one worker at
 * a time, under the ring's lock. The caller has checked that the view is on and the ring without
 * fault.
 */
#ifndef VHOST_SPLIT_H
#define VHOST_SPLIT_H

#include <stdint.h>

struct batch;
struct port_stats;
struct ring;
struct ring_view;

/*
 * Lends the next frames of a guest's transmit ring to an empty batch. What can't be a frame is
 * given back at once or with the others, and counted. Returns the number of frames.
 */
uint32_t split_rx(const struct ring_view *v, struct ring *r, struct batch *b,
		  struct port_stats *stats);

/* Gives all that the last split_rx() took back to the guest, with one store of the index. */
void split_release(struct ring *r);

/*
 * Copies the frames of set into a guest's receive ring. Returns those that found room; the others
 * are counted.
 */
uint64_t split_tx(const struct ring_view *v, struct ring *r, const struct batch *b, uint64_t set,
		  struct port_stats *stats);

#endif

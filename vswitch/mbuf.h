/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mbuf.h: frames out of mbufs and mbufs out of frames, for ethdev_burst.c and vhost's library path.
 *
 * Threads: a worker's, on its own batch.
 */
#ifndef VSWITCH_MBUF_H
#define VSWITCH_MBUF_H

#include <stdbool.h>
#include <stdint.h>

struct batch;
struct error;
struct frame;
struct port_stats;
struct rte_mbuf;
struct rte_mempool;

/*
 * is_virtio: they came by virtio, whose drivers in DPDK say with RTE_MBUF_F_RX_L4_CKSUM_NONE that a
 * checksum is still to be put in, and with RTE_MBUF_F_RX_LRO that the frame is to be divided.
 * Lends the n <= BATCH_MAX mbufs to an empty, started batch; those that can't be frames (runts,
 * longer than FRAME_LEN_MAX, more pieces than the batch has room for: see mbuf_burst_max()) are
 * counted in stats and freed. The batch owns the references of the others until mbuf_release(). A
 * tag that the driver took out is back in the head, and no mbuf asks for an offload any more.
 */
void mbuf_lend(struct batch *batch, struct rte_mbuf **mbufs, uint32_t n, bool is_virtio,
	       struct port_stats *stats);

/* Segments that a frame of frame_max bytes fills at most, out of this pool. */
uint32_t mbuf_n_segs(uint32_t frame_max, struct rte_mempool *pool);

/* Frames of at most frame_max bytes, out of this pool, that one batch surely has room for. */
uint32_t mbuf_burst_max(uint32_t frame_max, struct rte_mempool *pool);

/* Frees one reference of each mbuf of the batch. */
void mbuf_release(struct batch *batch);

/*
 * An mbuf (chained where it must be) that is frame f as it is now, head and body: another reference
 * to its own mbuf where that still says the same, a copy out of pool otherwise. The caller owns it.
 * What the frame asks for, the mbuf does (RTE_MBUF_F_TX_), but a checksum that no driver knows is
 * put in. NULL if the pool is empty.
 */
struct rte_mbuf *mbuf_of_frame(const struct frame *f, struct rte_mempool *pool);

/* The same, but a frame that is shorter than len_min (<= 64 bytes) has zeroes behind it. */
struct rte_mbuf *mbuf_of_padded_frame(const struct frame *f, struct rte_mempool *pool,
				      uint32_t len_min);

/*
 * A pool of n mbufs on a NUMA node, called use with a number; NULL with the sentence in e. Control
 * thread, as the two below; all may wait for a grace period (rcu.h).
 */
struct rte_mempool *mbuf_pool_create(const char *use, uint32_t n, int node, struct error *e);

/*
 * Frees a pool (NULL: none) as soon as its last mbuf is back: some may still be in the tx queue of
 * another port. Looked at whenever a pool comes or goes, and by mbuf_pools_retired().
 */
void mbuf_pool_retire(struct rte_mempool *pool);

/* How many retired pools are not free yet, because mbufs of them are still somewhere. Control. */
uint32_t mbuf_pools_retired(void);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats.h: what is counted, per worker and port, and the name of every reason to drop a frame.
 *
 * Threads: each worker writes its own counters only (relaxed, no read-modify-write on the bus);
 * any thread reads them.
 */
#ifndef VSWITCH_STATS_H
#define VSWITCH_STATS_H

#include <stdatomic.h>
#include <stdint.h>

/* Add a reason here and its name and meaning in stats.c; vswitchctl and the manual show both. */
enum drop_reason {
	/* counted on the port where the frame came in */
	DROP_RX_BAD_CHAIN,  /* descriptor chain outside of memory, looping, too long, wrong way */
	DROP_RX_BAD_RECORD, /* offload record asks for what was not negotiated or can't be */
	DROP_RX_RUNT,	    /* shorter than an Ethernet header */
	DROP_RX_OVERSIZE,   /* longer than the port's MTU allows */
	DROP_RX_BAD_SOURCE, /* source address is a group's or all zeroes */
	DROP_RX_LINK_LOCAL, /* 01:80:c2:00:00:0x, which a bridge keeps (IEEE 802.1Q §8.6.3) */
	DROP_RX_SAME_PORT,  /* the destination is behind the port where the frame came in */
	DROP_RX_REFLECTED,  /* our own frame, which the uplink gave back */
	DROP_RX_NO_PORT,    /* nobody to flood to */
	/* counted, per copy, on the port where the frame was to go out */
	DROP_TX_DOWN,	   /* no guest is connected, its queue is off, or the link is down */
	DROP_TX_NO_ROOM,   /* the receiver's queue is full */
	DROP_TX_OVERSIZE,  /* longer than the receiver's MTU or buffers */
	DROP_TX_BAD_CHAIN, /* the guest's receive buffers can't be used */
	DROP_TX_OFFLOAD,   /* the device's driver does not take what the frame asks for */
	DROP_TX_NO_MBUF,   /* the switch's packet memory is used up */
	DROP_REASONS,	   /* number of reasons */
};

struct drop_info {
	const char *name;    /* rx-runt, tx-no-room, ... */
	const char *meaning; /* and what to do, for people */
};

extern const struct drop_info drop_infos[DROP_REASONS];

/* Counters of one port on one worker; a multiple of a cache line. */
struct port_stats {
	_Alignas(64) _Atomic uint64_t rx_frames; /* worker: rw, others: ro; dropped ones too */
	_Atomic uint64_t rx_bytes;		 /* of frames without FCS, tags included */
	_Atomic uint64_t tx_frames;		 /* copies delivered */
	_Atomic uint64_t tx_bytes;
	_Atomic uint64_t rx_flooded;   /* frames from this port that were flooded */
	_Atomic uint64_t tx_contended; /* times the lock of a tx queue was not free at once */
	_Atomic uint64_t notified;     /* interrupts raised in the guest */
	_Atomic uint64_t drops[DROP_REASONS];
};

/* The sum over workers, as plain numbers. */
struct port_counts {
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
	uint64_t rx_flooded, tx_contended, notified;
	uint64_t drops[DROP_REASONS];
};

/* Adds to a counter that only this thread writes. */
static inline void
stats_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline uint64_t
stats_read(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline void
stats_drop(struct port_stats *s, enum drop_reason reason, uint64_t n)
{
	stats_add(&s->drops[reason], n);
}

/*
 * A kind dropped n received frames before they could be lent: they were received all the same.
 * Their bytes are not counted.
 */
static inline void
stats_rx_drop(struct port_stats *s, enum drop_reason reason, uint64_t n)
{
	stats_add(&s->rx_frames, n);
	stats_drop(s, reason, n);
}

/* sum += one worker's counters. */
void stats_sum(struct port_counts *sum, const struct port_stats *s);

/* sum -= base, counter by counter (what a former port with this id has left). */
void stats_subtract(struct port_counts *sum, const struct port_counts *base);

#endif

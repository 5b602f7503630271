/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * traffic.h: a guest that sends and receives Ethernet frames through its two rings.
 *
 * There are two ways to look at a frame. The light one costs the generator as little as a guest's
 * driver could: for every frame it sends it writes the descriptor, a word of the virtio header and
 * one of the frame, and of every frame it receives it reads the first cache line. The careful one
 * (traffic.is_verified) writes and compares every byte.
 *
 * Threads: a guest belongs to one thread.
 */
#ifndef PERF_TRAFFIC_H
#define PERF_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend.h"
#include "ring.h"

enum {
	TRAFFIC_BURST = 64,   /* frames put before they are published */
	TRAFFIC_SEQ_AT = 42,  /* the frame's number: behind Ethernet, IPv4 and UDP, in line 0 */
	TRAFFIC_BODY_AT = 50, /* and the pattern */
	TRAFFIC_LEN_MIN = 60, /* bytes of a frame without FCS */
	TRAFFIC_LEN_MAX = 65535,
	TRAFFIC_MACS_MAX = 1 << 24,
};

/* What is sent. */
struct traffic {
	uint32_t len;  /* bytes of a frame, without virtio header and FCS */
	uint32_t macs; /* stations of each guest: station k talks to station k of the other */
	enum ring_layout layout;
	bool is_verified;
	uint32_t limit; /* most frames sent and not yet received; 0: as many as the ring takes */
};

struct guest_conf {
	const char *socket;
	bool is_server;		     /* we listen and the switch connects */
	uint64_t features, required; /* virtio, wanted and insisted on */
	uint16_t ring_size;
	uint32_t rx_len;    /* bytes of a receive buffer, virtio header included */
	uint32_t frame_max; /* bytes of the longest frame to be sent */
	bool want_hugepages;
};

struct guest {
	struct frontend fe;
	struct guest *peer;
	uint8_t id; /* 1 or 2: in its stations' addresses */
	struct ring *rx, *tx;
	uint64_t rx_gpa, tx_gpa; /* of the buffers, one for each slot */
	uint8_t *rx_buffers, *tx_buffers;
	uint32_t rx_len, rx_stride, tx_stride; /* bytes */

	uint64_t n_sent;     /* frames put into the ring; the next one's number */
	uint64_t n_received; /* of the peer's */
	uint64_t n_foreign;  /* frames that the peer did not send, as the switch's own */
	uint64_t n_bad;	     /* verified ones that were not as they were sent */
	uint64_t *next;	     /* [macs]: lowest number that may come from the peer's station next */
	uint32_t macs;	     /* length of next */

	/* what guest_reclaim() has left to guest_receive() */
	uint32_t n_done;
	struct ring_done done[RING_TAKE_MAX];

	/* a frame that lies in several receive buffers */
	uint16_t n_left; /* buffers still to come */
	uint32_t so_far; /* bytes */
	bool is_foreign, is_bad;
	uint8_t *expected; /* [TRAFFIC_LEN_MAX] the whole frame, when verifying */
	char fault[256];   /* what was wrong with the first bad frame */
};

/* A guest that is not connected. id: 1 or 2. */
void guest_init(struct guest *g, uint8_t id, struct guest *peer);

/*
 * Connects, agrees, makes and starts the rings, gives all receive buffers. 0 or -errno with the
 * sentence in g->fe.error. As server it waits for a switch that guest_listen() has let in.
 */
int guest_listen(struct guest *g, const struct guest_conf *conf);
int guest_start(struct guest *g, const struct guest_conf *conf, uint32_t timeout_ms);

/* Closes the connection and frees all; takes a guest that was never started. */
void guest_close(struct guest *g);

/* Fills the buffers for t; nothing may be in flight. 0 or -ENOMEM, -EMSGSIZE. */
int guest_prepare(struct guest *g, const struct traffic *t);

/* Sends at most TRAFFIC_BURST frames. Returns how many. */
uint32_t guest_send(struct guest *g, const struct traffic *t);

/* One frame from station to the peer's. False if there is no room. */
bool guest_send_from(struct guest *g, const struct traffic *t, uint32_t station);

/*
 * Takes back what the switch has used of both rings, at most RING_TAKE_MAX of each, and brings near
 * what guest_receive() and guest_send() will touch. Returns how many.
 */
uint32_t guest_reclaim(struct guest *g);

/* Looks at the buffers that guest_reclaim() took, and gives them again. */
void guest_receive(struct guest *g, const struct traffic *t);

#endif

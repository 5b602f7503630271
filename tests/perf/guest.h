/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest.h: a guest of perf_gen, which sends and receives Ethernet frames through its two rings.
 *
 * There are two ways to look at a frame. The light one (traffic.c) costs the generator as little as
 * a guest's driver could: for every frame it sends it writes the descriptor, a word of the virtio
 * header and one of the frame, or the frame's headers where these change, and of every frame it
 * receives it reads the first cache line. The careful one (verify.c) writes and compares every
 * byte.
 *
 * Threads: a guest belongs to one thread.
 */
#ifndef PERF_GUEST_H
#define PERF_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "frontend.h"
#include "pace.h"
#include "ring.h"
#include "role.h"

struct guest_conf {
	bool is_server;		     /* we listen and the switch connects */
	uint64_t features, required; /* virtio, wanted and insisted on */
	uint16_t ring_size;
	uint32_t rx_len;    /* bytes of a receive buffer, virtio header included */
	uint32_t frame_max; /* bytes of the longest frame to be sent */
	bool want_hugepages;
};

struct guest {
	struct frontend fe;
	struct role role;
	struct ring *rx, *tx;
	uint64_t tx_gpa, tx_size; /* of the buffers */
	uint8_t *rx_buffers, *tx_buffers;
	uint32_t rx_len, rx_stride, tx_stride; /* bytes; tx_stride as guest_prepare() needs it */
	uint64_t tx_record; /* the first 8 bytes of what is written before each frame */
	bool is_stalled;    /* keeps what it receives */
	bool sends_runts;

	/* what guest_reclaim() has left to guest_receive() */
	uint32_t n_done;
	struct ring_done done[RING_TAKE_MAX];
	uint64_t done_at; /* ticks, if frames are stamped */

	/* a frame that lies in several receive buffers */
	uint16_t n_left; /* buffers still to come */
	uint32_t so_far; /* bytes */
	bool is_ours, is_bad;

	/* verify.c's */
	const struct guest *peer; /* that sends to this one */
	uint64_t n_bad;		  /* frames that were not as they were sent */
	uint64_t *next;		  /* [macs]: lowest number that may come from the peer's station */
	uint32_t macs;		  /* length of next */
	uint8_t *expected;	  /* [FRAME_LEN_MAX] the whole frame */
	uint32_t expected_len;
	char fault[256]; /* what was wrong with the first bad frame */
};

/* A guest that is not connected. id: from 1. */
void guest_init(struct guest *g, uint8_t id);

/*
 * Connects, agrees, makes and starts the rings, gives all receive buffers. 0 or -errno with the
 * sentence in g->fe.error. As server it waits for a switch that guest_listen() has let in.
 */
int guest_listen(struct guest *g, const char *socket);
int guest_start(struct guest *g, const struct guest_conf *conf, const char *socket,
		uint32_t timeout_ms);

/* Closes the connection and frees all; takes a guest that was never started. */
void guest_close(struct guest *g);

/*
 * Fills the buffers for a command that g->role is prepared for; nothing may be in flight. 0 or
 * -errno: -EMSGSIZE (frames too long for its memory), -ENOTSUP (indirect tables were not agreed
 * on), -ENOMEM.
 */
int guest_prepare(struct guest *g, const struct command *c, const struct guest *peer);

/* Sends at most n_max frames; stamps are the times at which they were due. Returns how many. */
uint32_t guest_send(struct guest *g, const struct command *c, const struct pace *pace,
		    uint32_t n_max);

/*
 * Takes back what the switch has used of both rings, at most RING_TAKE_MAX of each, and brings near
 * what guest_receive() and guest_send() will touch. Returns how many.
 */
uint32_t guest_reclaim(struct guest *g, const struct command *c);

/* Looks at the buffers that guest_reclaim() took, and gives them again. */
void guest_receive(struct guest *g, const struct command *c);

/* Gives the switch every receive buffer that it has not. */
void guest_refill(struct guest *g);

/* verify.c: expects frames as the peer sends them from now on. 0 or -ENOMEM. */
int verify_prepare(struct guest *g, const struct command *c);

/* The next len bytes of a frame lie in a buffer, the first ones with the virtio header. */
void verify_buffer(struct guest *g, const struct command *c, bool is_first, const uint8_t *buffer,
		   uint32_t len);

/* The whole frame is there. */
void verify_end(struct guest *g);

#endif

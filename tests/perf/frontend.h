/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frontend.h: a vhost-user front-end of our own, without DPDK: it plays the QEMU of one guest.
 *
 * It keeps the connection, the messages and the guest's memory; what is in the rings is ring.h's.
 * The functions that build up a guest in the usual order use frontend_send() and frontend_receive()
 * as everybody may: a test that wants to lie sends its own messages in between.
 *
 * Source: QEMU docs/interop/vhost-user.rst, virtio 1.2 §2.
 *
 * Threads: a struct frontend belongs to one thread.
 */
#ifndef PERF_FRONTEND_H
#define PERF_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FRONTEND_REGIONS_MAX = 8, /* as many as the protocol's memory table takes */
	FRONTEND_FDS_MAX = 8,
	FRONTEND_PAYLOAD_MAX = 4096, /* bytes that frontend_send() takes, for oversized ones too */
	FRONTEND_TIMEOUT_MS = 5000,  /* for an answer */
	FRONTEND_NO_FD = 0x100,	     /* in the u64 of SET_VRING_KICK/CALL/ERR: no fd comes along */
};

enum frontend_request {
	FRONTEND_GET_FEATURES = 1,
	FRONTEND_SET_FEATURES = 2,
	FRONTEND_SET_OWNER = 3,
	FRONTEND_RESET_OWNER = 4,
	FRONTEND_SET_MEM_TABLE = 5,
	FRONTEND_SET_LOG_BASE = 6,
	FRONTEND_SET_LOG_FD = 7,
	FRONTEND_SET_VRING_NUM = 8,
	FRONTEND_SET_VRING_ADDR = 9,
	FRONTEND_SET_VRING_BASE = 10,
	FRONTEND_GET_VRING_BASE = 11,
	FRONTEND_SET_VRING_KICK = 12,
	FRONTEND_SET_VRING_CALL = 13,
	FRONTEND_SET_VRING_ERR = 14,
	FRONTEND_GET_PROTOCOL_FEATURES = 15,
	FRONTEND_SET_PROTOCOL_FEATURES = 16,
	FRONTEND_GET_QUEUE_NUM = 17,
	FRONTEND_SET_VRING_ENABLE = 18,
	FRONTEND_SEND_RARP = 19,
	FRONTEND_NET_SET_MTU = 20,
};

enum frontend_flag {
	FRONTEND_VERSION = 0x1,
	FRONTEND_REPLY = 0x4,
	FRONTEND_NEED_REPLY = 0x8,
};

/* Bits of the features words. */
enum {
	FRONTEND_F_PROTOCOL = 30, /* VHOST_USER_F_PROTOCOL_FEATURES, in the virtio features */
	FRONTEND_PROTOCOL_MQ = 0, /* these in the protocol features */
	FRONTEND_PROTOCOL_LOG_SHMFD = 1,
	FRONTEND_PROTOCOL_RARP = 2,
	FRONTEND_PROTOCOL_REPLY_ACK = 3,
	FRONTEND_PROTOCOL_MTU = 4,
};

/* Guest memory: where the guest sees it, and where we do. */
struct frontend_region {
	uint64_t gpa;
	uint64_t size;	 /* bytes */
	uint64_t offset; /* in the memory's file */
	uint64_t used;	 /* bytes that frontend_alloc() gave away */
	uint8_t *addr;
};

struct frontend {
	int fd;	       /* the connection, -1: none */
	int listen_fd; /* where the switch connects to us, -1: we connect to it */
	int memory_fd;
	char path[108];		    /* of the socket we listen on, removed on close */
	uint64_t offered, features; /* virtio: the switch's, and what was agreed */
	uint64_t protocol_offered, protocol_features; /* the same for the protocol */
	bool has_hugepages;
	uint32_t n_regions;
	struct frontend_region regions[FRONTEND_REGIONS_MAX];
	char error[256]; /* one sentence, after a call that failed */
};

/* One ring, as SET_VRING_* tell it. Addresses are the guest's. */
struct frontend_ring {
	uint16_t index; /* of the queue: even ones the guest receives from, odd ones it sends to */
	uint16_t size;	/* descriptors */
	uint16_t base;	/* where the switch starts; in packed rings with bit 15, the wrap counter */
	uint64_t desc, avail, used;
	int kick, call; /* eventfds */
};

/* An object without connection and memory; frontend_close() may always follow. */
void frontend_init(struct frontend *fe);

/* Ends the connection, unmaps the memory, removes the socket that frontend_listen() made. */
void frontend_close(struct frontend *fe);

/* Connects to a switch that listens, tries again for timeout_ms. 0 or -errno, the sentence in fe.
 */
int frontend_connect(struct frontend *fe, const char *path, uint32_t timeout_ms);

/* Listens, for a switch that connects as client. 0 or -errno. */
int frontend_listen(struct frontend *fe, const char *path);

/* Waits until it has. 0 or -errno (-ETIMEDOUT). */
int frontend_accept(struct frontend *fe, uint32_t timeout_ms);

/*
 * Maps n regions of memory, one behind the other in one file, from the hugepages if those suffice
 * and want_hugepages, else from ordinary ones; sizes are multiples of 2 MiB. gpas says where the
 * guest sees each. 0 or -errno.
 */
int frontend_map(struct frontend *fe, const uint64_t *gpas, const uint64_t *sizes, uint32_t n,
		 bool want_hugepages);

/* Takes size bytes out of a region. Returns the guest's address, or UINT64_MAX if it is used up. */
uint64_t frontend_alloc(struct frontend *fe, uint32_t region, uint64_t size, uint64_t align);

/* Where we see len bytes at the guest's address; NULL if not all of them lie in one region. */
void *frontend_at(const struct frontend *fe, uint64_t gpa, uint64_t len);

/*
 * Sends one message as it is given; n_fds file descriptors go along. 0 or -errno.
 * frontend_receive() waits for the answer to request and wants exactly size bytes of payload.
 */
int frontend_send(struct frontend *fe, uint32_t request, uint32_t flags, const void *payload,
		  uint32_t size, const int *fds, uint32_t n_fds);
int frontend_receive(struct frontend *fe, uint32_t request, void *payload, uint32_t size);

/* The same as a request that is acknowledged, where the switch has REPLY_ACK. 0 or -errno. */
int frontend_set(struct frontend *fe, uint32_t request, const void *payload, uint32_t size,
		 const int *fds, uint32_t n_fds);

/* Asks for a 64-bit word. 0 or -errno. */
int frontend_get(struct frontend *fe, uint32_t request, uint64_t *value);

/*
 * Agrees on what is both wanted and offered, virtio and protocol features. 0 or -errno; -ENOTSUP if
 * a bit of required is not offered.
 */
int frontend_negotiate(struct frontend *fe, uint64_t wanted, uint64_t required, uint64_t protocol);

/* Tells the memory table. 0 or -errno. */
int frontend_share_memory(struct frontend *fe);

/* Tells a ring and enables it. 0 or -errno. */
int frontend_start_ring(struct frontend *fe, const struct frontend_ring *ring);

/* Enables or disables. 0 or -errno. */
int frontend_enable_ring(struct frontend *fe, uint16_t index, bool on);

/* Stops a ring. base: where the switch stopped. 0 or -errno. */
int frontend_stop_ring(struct frontend *fe, uint16_t index, uint32_t *base);

static inline bool
frontend_has(const struct frontend *fe, uint32_t bit)
{
	return fe->features >> bit & 1;
}

#endif

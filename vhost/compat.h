/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * compat.h: what differs between the versions of librte_vhost that we build with, all in one place.
 */
#ifndef VHOST_COMPAT_H
#define VHOST_COMPAT_H

#include <stdbool.h>
#include <stdint.h>

/* A vhost-user message as far as we read it; rte_vhost.h passes it to handlers as void *. */
struct vhost_message {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* bytes of payload */
	union {
		uint64_t u64;
		struct {
			uint64_t size;
			uint64_t offset;
		} log;
		struct {
			uint32_t n;
			uint32_t padding;
			struct {
				uint64_t guest, size, user, offset; /* offset: in its file */
			} regions[8];
		} memory;
		/* also the beginning of struct vhost_vring_addr, and of u64 with a ring number */
		struct {
			uint32_t index;
			uint32_t num;
		} ring;
	} payload;
} __attribute__((packed, may_alias));

/* Requests that we tell apart; the vhost-user protocol, "Front-end message types". */
enum {
	REQUEST_GET_FEATURES = 1,
	REQUEST_SET_FEATURES = 2,
	REQUEST_SET_OWNER = 3,
	REQUEST_RESET_OWNER = 4,
	REQUEST_SET_MEM_TABLE = 5,
	REQUEST_SET_LOG_BASE = 6,
	REQUEST_SET_VRING_NUM = 8,
	REQUEST_SET_VRING_ADDR = 9,
	REQUEST_SET_VRING_BASE = 10,
	REQUEST_GET_VRING_BASE = 11,
	REQUEST_SET_VRING_KICK = 12,
	REQUEST_SET_VRING_CALL = 13,
	REQUEST_SET_VRING_ERR = 14,
	REQUEST_GET_PROTOCOL_FEATURES = 15,
	REQUEST_SET_PROTOCOL_FEATURES = 16,
	REQUEST_GET_QUEUE_NUM = 17,
	REQUEST_SET_VRING_ENABLE = 18,
	REQUEST_SEND_RARP = 19,
	REQUEST_NET_SET_MTU = 20,
	REQUEST_SET_BACKEND_REQ_FD = 21,
	REQUEST_IOTLB_MSG = 22,
	REQUEST_POSTCOPY_ADVISE = 28,
	REQUEST_POSTCOPY_LISTEN = 29,
	REQUEST_POSTCOPY_END = 30,
	REQUEST_SET_STATUS = 39,
	REQUEST_GET_STATUS = 40,
};

enum {
	PROTOCOL_BACKEND_REQ = 5, /* two names in the library's header, by version */
};

/* Tells the library that the guest may have at most n queue pairs. 0 or -1. */
int compat_set_max_queue_pairs(const char *path, uint32_t n);

/*
 * Answers a message with a number, in pre_msg_handle. Returns an enum rte_vhost_msg_result for it.
 */
int compat_answer(struct vhost_message *message, uint64_t value);

/* The file descriptor that came with a message as number i, or -1. In pre_msg_handle. */
int compat_fd(const struct vhost_message *message, uint32_t i);

/* Refuses a message, and closes what came with it. Likewise. */
int compat_refuse(struct vhost_message *message);

/* Answers GET_QUEUE_NUM where the library can't be told. Likewise. */
int compat_answer_queue_num(struct vhost_message *message, uint32_t n);

#endif

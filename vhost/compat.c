/* SPDX-License-Identifier: BSD-3-Clause */
/* compat.c: see compat.h. */
#define ALLOW_EXPERIMENTAL_API /* rte_vhost_driver_set_max_queue_num() is one */
#include "compat.h"

#include <unistd.h>

#include <rte_common.h>
#include <rte_version.h>
#include <rte_vhost.h>

enum {
	MESSAGE_FDS_MAX = 8,
	/* bytes of the library's largest payload, a session of its crypto devices */
#if RTE_VERSION >= RTE_VERSION_NUM(25, 3, 0, 0)
	PAYLOAD_MAX = 1072,
#else
	PAYLOAD_MAX = 632,
#endif
};

/* What the library hands to pre_msg_handle. */
struct message_context {
	uint32_t request, flags, size;
	uint8_t payload[PAYLOAD_MAX];
	int fds[MESSAGE_FDS_MAX];
	int n_fds;
} __attribute__((packed, may_alias));

int
compat_fd(const struct vhost_message *message, uint32_t i)
{
	const struct message_context *m = (const struct message_context *)(const void *)message;

	return i < MESSAGE_FDS_MAX && (int)i < m->n_fds ? m->fds[i] : -1;
}

int
compat_refuse(struct vhost_message *message)
{
	struct message_context *m = (struct message_context *)(void *)message;

	for (int i = 0; i < m->n_fds && i < MESSAGE_FDS_MAX; i++)
		if (m->fds[i] > STDERR_FILENO)
			close(m->fds[i]);
	m->n_fds = 0;
	return RTE_VHOST_MSG_RESULT_ERR;
}

/*
 * A message that is answered here does not go through the library's check of the file descriptors
 * that came with it: there must be none, and those there are would leak.
 */
int
compat_answer(struct vhost_message *message, uint64_t value)
{
	struct message_context *m = (struct message_context *)(void *)message;

	if (m->n_fds != 0)
		return compat_refuse(message);
	message->payload.u64 = value;
	message->size = sizeof(message->payload.u64);
	return RTE_VHOST_MSG_RESULT_REPLY;
}

#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)

int
compat_set_max_queue_pairs(const char *path, uint32_t n)
{
	return rte_vhost_driver_set_max_queue_num(path, n);
}

int
compat_answer_queue_num(struct vhost_message *message, uint32_t n)
{
	RTE_SET_USED(message);
	RTE_SET_USED(n);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

#else

int
compat_set_max_queue_pairs(const char *path, uint32_t n)
{
	RTE_SET_USED(path);
	RTE_SET_USED(n);
	return 0;
}

/* The library would answer 128, and the guest would use pairs that nobody polls. */
int
compat_answer_queue_num(struct vhost_message *message, uint32_t n)
{
	return compat_answer(message, n);
}

#endif

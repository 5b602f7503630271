/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * message.h: handlers around every vhost-user message: rings are taken from the workers before a
 * message that may change them, and given back after it.
 *
 * Threads: librte_vhost's event thread.
 */
#ifndef VHOST_MESSAGE_H
#define VHOST_MESSAGE_H

#include <rte_vhost.h>

extern const struct rte_vhost_user_extern_ops message_ops;

#endif

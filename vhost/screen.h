/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * screen.h: which of a peer's messages librte_vhost gets to see.
 *
 * It handles every message that it knows, whatever was agreed on, and believes much of what they
 * say: so what was not offered, and what would harm others than the peer's own guest, is refused
 * before.
 *
 * Threads: librte_vhost's event thread.
 */
#ifndef VHOST_SCREEN_H
#define VHOST_SCREEN_H

#include <stdbool.h>

struct session;
struct vhost_message;

/*
 * False: it is to be refused (compat_refuse()), which was logged. Of a log of dirty pages that
 * won't do, it changes the message to one that the library refuses.
 */
bool screen_message(struct session *s, struct vhost_message *message);

#endif

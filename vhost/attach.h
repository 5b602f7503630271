/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attach.h: giving a guest's rings to the workers, and taking them away.
 *
 * Threads: librte_vhost's, under the session's lock. What is called of the library here takes none
 * of its locks, so that both may run in a message handler.
 */
#ifndef VHOST_ATTACH_H
#define VHOST_ATTACH_H

#include <stdbool.h>

struct session;

/*
 * Publishes a view of all rings that are ready. Without memory, or with memory that is not shared
 * with us (s->is_private), none.
 */
void attach_guest(struct session *s);

/*
 * Takes the view from the workers, waits a grace period, and tells librte_vhost how far we came.
 * Does nothing without a view.
 */
void attach_undo(struct session *s);

/* The port takes what the guest has negotiated and the configuration allows. */
void attach_offloads(struct session *s);

/* For the library path: is there memory, shared with us? Sets s->is_private. */
bool attach_is_possible(struct session *s);

#endif

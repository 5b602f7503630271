/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * registry.h: which session a callback of librte_vhost means: it names a connection by its number,
 * and a new one only by the path of its socket.
 *
 * Threads: any. The lock inside is held for a look-up only.
 */
#ifndef VHOST_REGISTRY_H
#define VHOST_REGISTRY_H

struct error;
struct session;

/*
 * 0, or -errno with the sentence in e: -EEXIST if another session has the socket, by whatever path;
 * -ENOSPC.
 */
int registry_add(struct session *s, struct error *e);

/* Forgets the session and its connection; none of its callbacks runs any more. */
void registry_remove(struct session *s);

/* NULL if there is none. */
struct session *registry_find(const char *path);

/* Connection vid belongs to s; NULL: to nobody. */
void registry_bind(int vid, struct session *s);
struct session *registry_of(int vid);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* registry.c: see registry.h. */
#include "registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <rte_vhost.h>

#include "error.h"
#include "session.h"
#include "socket.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct session *sessions[PORTS_MAX]; /* under the lock */
static _Atomic(struct session *) by_vid[RTE_MAX_VHOST_DEVICE];

static struct session *
find(const char *path)
{
	for (int i = 0; i < PORTS_MAX; i++)
		if (sessions[i] && strcmp(sessions[i]->port->conf.vhost.socket, path) == 0)
			return sessions[i];
	return NULL;
}

int
registry_add(struct session *s, struct error *e)
{
	const struct port_conf *conf = &s->port->conf;
	const struct session *other = NULL;
	struct session **room = NULL;
	int err = 0;

	socket_place(conf->vhost.socket, s->place);
	pthread_mutex_lock(&lock);
	for (int i = 0; i < PORTS_MAX && !other; i++) {
		if (!sessions[i])
			room = &sessions[i];
		else if (strcmp(sessions[i]->place, s->place) == 0)
			other = sessions[i];
	}
	if (other)
		err = error_set(e, -EEXIST,
				"port %s: socket: %s leads to the socket of port %s, %s: give each "
				"port one of its own",
				conf->name, conf->vhost.socket, other->port->conf.name,
				other->port->conf.vhost.socket);
	else if (!room)
		err = error_set(e, -ENOSPC, "port %s: there are too many vhost-user ports",
				conf->name);
	else
		*room = s;
	pthread_mutex_unlock(&lock);
	return err;
}

void
registry_remove(struct session *s)
{
	pthread_mutex_lock(&lock);
	for (int i = 0; i < PORTS_MAX; i++)
		if (sessions[i] == s)
			sessions[i] = NULL;
	pthread_mutex_unlock(&lock);
	for (int vid = 0; vid < RTE_MAX_VHOST_DEVICE; vid++)
		if (registry_of(vid) == s)
			registry_bind(vid, NULL);
}

struct session *
registry_find(const char *path)
{
	struct session *s;

	pthread_mutex_lock(&lock);
	s = find(path);
	pthread_mutex_unlock(&lock);
	return s;
}

void
registry_bind(int vid, struct session *s)
{
	if (vid >= 0 && vid < RTE_MAX_VHOST_DEVICE)
		atomic_store_explicit(&by_vid[vid], s, memory_order_release);
}

struct session *
registry_of(int vid)
{
	if (vid < 0 || vid >= RTE_MAX_VHOST_DEVICE)
		return NULL;
	return atomic_load_explicit(&by_vid[vid], memory_order_acquire);
}

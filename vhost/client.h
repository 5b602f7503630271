/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.h: `mode: client`: when to connect to the socket that QEMU listens on.
 *
 * librte_vhost would try once a second. Here the socket's directory is watched by inotify, so that
 * the attempt follows the socket's return at once; of a directory that is not there, the nearest
 * one above it. What no watch tells (a socket whose owner does not listen so far, a symbolic link
 * that points elsewhere now) is found by trying again: after 5 ms, then less often, for a second;
 * after that once a second, which is also all there is where inotify can't be had.
 *
 * Threads: the control thread's, but client_lost().
 */
#ifndef VHOST_CLIENT_H
#define VHOST_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "port.h"

struct error;
struct event;
struct event_base;
struct session;

/* What led to an attempt to connect. */
enum client_cause {
	CLIENT_AT_ONCE, /* the port was opened, or its guest lost */
	CLIENT_INOTIFY, /* something happened in the directory */
	CLIENT_RETRY,	/* soon after one of those */
	CLIENT_TIMER,	/* a second has passed */
};

/* Of a session; control thread's. */
struct client {
	struct session *next; /* of all that were opened */
	struct event *timer;  /* NULL: not opened */
	uint32_t delay_ms;    /* the last one; 0: none so far */
	uint64_t eager_until_ns;
	uint64_t tried_ns; /* when last */
	int start_error;   /* why librte_vhost did not take the port then; 0 */
	enum client_cause cause, connected_by;
	bool is_registered;   /* with librte_vhost */
	_Atomic bool is_lost; /* any thread: set; control: taken back */

	int watch;	  /* inotify's number of the directory; -1: none */
	int watch_error;  /* errno why there is none; 0 */
	int access_error; /* under the lock: errno why the socket is not ours to use; 0 */
	char awaited[UNIX_PATH_MAX + 1]; /* name in that directory */
};

/* Before the first port is opened, and after the last was closed. 0 or -errno with e. */
int client_init(struct event_base *base, struct error *e);
void client_fini(void);

/* Connects as soon as QEMU listens, and again whenever the connection ends. 0 or -errno and e. */
int client_open(struct session *s, struct error *e);
void client_close(struct session *s); /* takes one that was not opened */

/* Any thread: the connection has ended, or was refused. */
void client_lost(struct session *s);

/* Words for `port show`. */
const char *client_cause_text(enum client_cause cause);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * socket.h: the file of a port's UNIX socket: what may be in its place, and whose it is.
 *
 * Threads: the control thread's.
 */
#ifndef VHOST_SOCKET_H
#define VHOST_SOCKET_H

#include <sys/types.h>

struct error;
struct port_conf;

enum {
	SOCKET_PLACE_MAX = 4096 + 108, /* bytes, with the final 0: PATH_MAX, and a socket's path */
};

/*
 * The path of a socket as it is for all paths that lead there: links on the way to its directory
 * are followed as far as that exists, and what is missing is taken by its letters. A link in the
 * place of the socket itself is somebody's who may write there, and is not followed.
 */
void socket_place(const char *path, char place[SOCKET_PLACE_MAX]);

/* Can the socket be there? Looks, changes nothing. 0 or -errno with the sentence in e. */
int socket_check(const struct port_conf *conf, struct error *e);

/*
 * mode server: makes a directory that is missing (directory.h), and removes a socket that a dead
 * process left behind; what else is in its place is an error and stays. mode client: makes the
 * directory, if it is said whose it is. 0 or -errno with the sentence in e.
 */
int socket_prepare(const struct port_conf *conf, struct error *e);

/*
 * mode server: files made until socket_end() have the socket's label, and are for their owner
 * alone, so that nobody connects before socket_set_rights() has said who may. 0 or -errno with the
 * sentence in e: then there is nothing to end.
 */
int socket_begin(const struct port_conf *conf, mode_t *before, struct error *e);
void socket_end(const struct port_conf *conf, mode_t before);

/* mode server: owner, group and permissions of the new socket. 0 or -errno and e. */
int socket_set_rights(const struct port_conf *conf, struct error *e);

#endif

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

/* Can the socket be there? Looks, changes nothing. 0 or -errno with the sentence in e. */
int socket_check(const struct port_conf *conf, struct error *e);

/*
 * mode server: removes a socket that a dead process left behind; what else is in its place is an
 * error and stays. 0 or -errno with the sentence in e.
 */
int socket_prepare(const struct port_conf *conf, struct error *e);

/*
 * Files made until socket_umask_end() are for their owner alone, so that nobody connects to the
 * socket before socket_set_rights() has said who may.
 */
mode_t socket_umask_begin(void);
void socket_umask_end(mode_t before);

/* mode server: owner, group and permissions of the new socket. 0 or -errno and e. */
int socket_set_rights(const struct port_conf *conf, struct error *e);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * directory.h: the directory of a port's UNIX socket.
 *
 * mode server: it must be ours to make sockets in; one that is missing is made, with those above
 * it, for all to search: the sockets guard themselves. mode client: QEMU makes the socket, so that
 * a missing directory is made only where the configuration says whose it is to be (owner, group).
 * What is there already is never changed.
 *
 * Threads: the control thread's.
 */
#ifndef VHOST_DIRECTORY_H
#define VHOST_DIRECTORY_H

#include <sys/types.h>

struct error;
struct port_conf;

/* mode server: is it there, or can it be made? Looks only. 0 or -errno with the sentence in e. */
int directory_check(const struct port_conf *conf, struct error *e);

/* uid and gid: of one for QEMU; (uid_t)-1 and (gid_t)-1: ours. 0 or -errno with the sentence in e.
 */
int directory_make(const struct port_conf *conf, uid_t uid, gid_t gid, struct error *e);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * driver.h: a port's socket with librte_vhost: registered, told what to offer, and started.
 *
 * Threads: the control thread's. It holds no session's lock here: the library calls back.
 */
#ifndef VHOST_DRIVER_H
#define VHOST_DRIVER_H

struct error;
struct session;

/*
 * mode server: listens, and makes the socket what the configuration says. mode client: connects,
 * once. 0, or -errno with the sentence in e: then nothing is registered. -ENOTCONN: nobody listens.
 */
int driver_start(struct session *s, struct error *e);

/*
 * Ends the connection, waits until no callback of the port runs any more, and removes the file of a
 * listening socket. After session_close() or when there is no connection, see session.h. Does
 * nothing if the port is not registered.
 */
void driver_stop(struct session *s);

#endif

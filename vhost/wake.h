/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wake.h: that librte_vhost's event thread keeps nobody waiting for a second.
 *
 * Up to DPDK 24.03 its event thread polls a list of descriptors that it made before it went to
 * sleep, for up to a second: a listening socket that comes meanwhile is not in it, and guests that
 * connect are not seen so long. Whatever happens on a descriptor of the list ends the sleep. So we
 * keep a connection of our own in it, on which we send a message that means nothing.
 *
 * Later versions use epoll, which sees new descriptors at once. But some, 24.11.8 for one, end the
 * thread when the last socket is unregistered, and whoever does that waits until it has looked:
 * each attempt to connect of an only port would take a second. So we keep a socket of our own
 * registered.
 *
 * What can't be done is said in the log, once.
 *
 * Threads: the control thread's.
 */
#ifndef VHOST_WAKE_H
#define VHOST_WAKE_H

/* To be called before a socket is registered, as often as one likes. */
void wake_init(void);

/* There is a new listener. Does nothing where it is not needed. */
void wake_library(void);

/* Ends the connection, or takes the socket back. No port is open any more. */
void wake_fini(void);

#endif

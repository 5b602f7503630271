/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wake.h: makes librte_vhost look at a new listener at once.
 *
 * Up to DPDK 24.03 its event thread polls a list of descriptors that it made before it went to
 * sleep, for up to a second: a listening socket that comes meanwhile is not in it, and guests that
 * connect are not seen so long. Whatever happens on a descriptor of the list ends the sleep. So we
 * keep a connection of our own in it, on which we send a message that means nothing. Later versions
 * use epoll, which sees new descriptors at once.
 *
 * Threads: the control thread's.
 */
#ifndef VHOST_WAKE_H
#define VHOST_WAKE_H

/* Does nothing where it is not needed. Can't it be done, a line in the log says so, once. */
void wake_library(void);

/* Ends the connection. No port is open any more. */
void wake_fini(void);

#endif

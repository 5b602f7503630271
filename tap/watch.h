/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.h: a thread that keeps a tap port's link as the host has set it on the interface.
 *
 * Follows the interface by rtnetlink, also into the network namespace that the host moves it to.
 * (net_tap has a link interrupt, but tells nobody of it.)
 *
 * Threads: control.
 */
#ifndef TAP_WATCH_H
#define TAP_WATCH_H

struct error;
struct port;
struct watch;

/*
 * Sets the port's link and reason, and again whenever they change, until watch_stop(). fd: the
 * interface's (device.h), which stays the caller's. NULL with the sentence in e.
 */
struct watch *watch_start(struct port *port, int fd, struct error *e);

void watch_stop(struct watch *watch); /* takes NULL */

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * follow.h: follows libvirt's domains and keeps the ports of the switch as they need them.
 *
 * Events of libvirt are hints that something changed: what is so is read anew, from libvirt and
 * from the switch, and only what differs is changed. So it does not matter what happened while one
 * of the three was not running.
 *
 * Threads: one, in libvirt's event loop.
 */
#ifndef QEMU_FOLLOW_H
#define QEMU_FOLLOW_H

struct client;
struct ports_rules;

/* Until SIGTERM or SIGINT. uri: of libvirt. Returns the exit code. */
int follow_run(struct client *client, const struct ports_rules *rules, const char *uri);

#endif

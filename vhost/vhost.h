/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost.h: the vhost-user kind of port: one UNIX socket, one guest.
 *
 * librte_vhost keeps the protocol (session.c); the rings are ours (ring.h), or the library's own on
 * a port with `datapath: library` (library.c).
 *
 * Threads: as port.h says.
 */
#ifndef VHOST_VHOST_H
#define VHOST_VHOST_H

#include "port.h"

struct error;
struct event_base;

extern const struct port_ops vhost_port_ops;

/*
 * Control. Before the first such port is opened, and after the last was closed (also if vhost_init
 * failed, or was not called). base: of the control thread, must outlive what is between. 0 or
 * -errno with the sentence in e.
 */
int vhost_init(struct event_base *base, struct error *e);
void vhost_fini(void);

#endif

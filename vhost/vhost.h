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

extern const struct port_ops vhost_port_ops;

#endif

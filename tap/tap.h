/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.h: ports to the host's kernel: a TAP interface with the host's addresses on it.
 *
 * device.c makes the interface; queue.c moves the frames, or vswitch/ethdev_burst.c by a driver of
 * DPDK's that driver.c sets up; netlink.c sets the addresses, watch.c follows the link.
 */
#ifndef TAP_TAP_H
#define TAP_TAP_H

#include "port.h"

extern const struct port_ops tap_port_ops;

#endif

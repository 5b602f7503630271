/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uplink.h: ports to the wire: VFs (type vf), and any other DPDK device (type ethdev).
 *
 * vf.c makes a VF ready through its PF, device.c probes the DPDK device and hears its events,
 * vswitch/ethdev_burst.c moves the frames, filter.c sees to what the device receives. life.c ties
 * them together and follows the device's life: link, restart, removal, return.
 */
#ifndef SRIOV_UPLINK_H
#define SRIOV_UPLINK_H

#include "port.h"

extern const struct port_ops vf_port_ops, ethdev_port_ops;

#endif

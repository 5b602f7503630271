/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bind.h: the kernel's driver of a PCI network device: vfio-pci while a port has it, and back.
 *
 * Documentation: the kernel's driver-api/vfio.rst, ABI/testing/sysfs-bus-pci (driver_override).
 *
 * Threads: control.
 */
#ifndef SRIOV_BIND_H
#define SRIOV_BIND_H

#include <stdbool.h>

#include "vfs.h"

struct error;

/* Where VFIO's groups are: "/dev/vfio"; unit tests put a directory of their own there. */
extern const char *bind_vfio;

/* Can VFs of that PCI device be bound to vfio-pci here at all? 0 or -errno with the sentence. */
int bind_check_host(const char *port_name, const char *pci, struct error *e);

/* Can this one be bound now? Looks, changes nothing. 0 or -errno with the sentence in e. */
int bind_check(const char *port_name, const struct vfs_vf *vf, struct error *e);

/* As vfs_bind() and the driver's part of vfs_undo(). */
int bind_set(const char *port_name, const struct vfs_vf *vf, struct vfs_undo *undo,
	     struct error *e);
void bind_undo(const char *port_name, struct vfs_undo *undo);

#endif

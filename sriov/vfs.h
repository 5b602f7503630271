/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfs.h: VFs in sysfs: which there are, making them, and the driver that they are bound to.
 *
 * Documentation: the kernel's Documentation/PCI/pci-iov-howto.rst, ABI/testing/sysfs-bus-pci.
 *
 * Threads: control.
 */
#ifndef SRIOV_VFS_H
#define SRIOV_VFS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "port.h"
#include "sysfs.h"

struct error;

/* A VF, found. */
struct vfs_vf {
	char pci[PORT_PCI_MAX];	   /* 0000:01:10.0 */
	char pf_pci[PORT_PCI_MAX]; /* of its PF; empty: not on this machine (we are a guest) */
	char pf_ifname[IFNAMSIZ];  /* the PF's interface; empty: none in this network namespace */
	uint16_t number;	   /* of the VF, from 0; only with a PF */
	uint16_t vendor, device;
	int node;   /* NUMA node, or -1 */
	bool is_vf; /* has a PF, or its PCI ID is one of a VF that is known (see vfs.c) */
	char driver[SYSFS_NAME_MAX]; /* of the kernel's that it was bound to then, or empty */
};

/* What was changed, to be undone. All zeroes: nothing. */
struct vfs_undo {
	char pci[PORT_PCI_MAX];
	char pf_pci[PORT_PCI_MAX];
	bool is_counted;	       /* relies on VFs that we have made, see numvfs.h */
	bool is_bound;		       /* driver_override and the driver were changed */
	char driver[SYSFS_NAME_MAX];   /* that it was bound to before; empty: none */
	char override[SYSFS_NAME_MAX]; /* its driver_override before; empty: none */
};

/*
 * Can the VF that conf (type vf) names be there? Looks, changes nothing. 0 or -errno with the
 * sentence in e: -EINVAL, on no machine; any other, not on this one now. That VFs are still to be
 * made (num_vfs) is no error, nor is that a process, as a running vswitchd, has the VF open.
 */
int vfs_check(const struct port_conf *conf, struct error *e);

/*
 * Finds the VF of conf, making VFs where there are none and num_vfs asks for some; a number that
 * is there is never changed. Fills undo. 0 or -errno with the sentence in e, and nothing changed:
 * -ENODEV, the VF is not there (now). num_vfs of 0 makes none, and never waits for the kernel.
 */
int vfs_find(const struct port_conf *conf, struct vfs_vf *vf, struct vfs_undo *undo,
	     struct error *e);

/*
 * Binds the VF to vfio-pci by driver_override, unless it has a driver already that DPDK works with
 * (vfio-pci, uio; mlx4 and mlx5 of the kernel). 0; or -errno with a sentence that says what to do,
 * and nothing changed: no vfio-pci, no IOMMU, another device of its IOMMU group is in use by the
 * kernel, in use by another process, its interface is up.
 */
int vfs_bind(const char *port_name, const struct vfs_vf *vf, struct vfs_undo *undo,
	     struct error *e);

/*
 * Gives the VF back to the driver that it had, and removes the VFs that we made if nobody uses
 * them. Errors are logged. Takes one that is all zeroes, and one whose device is gone. DPDK must
 * have closed the device: the kernel waits for that.
 */
void vfs_undo(const char *port_name, struct vfs_undo *undo);

/*
 * As vfs_undo(), where the device is gone, or another one is in its place: others have removed it,
 * so that nothing is given back, and what the PF has now is not ours. Takes one that is all zeroes.
 */
void vfs_forget(const char *port_name, struct vfs_undo *undo);

#endif

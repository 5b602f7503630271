/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * numvfs.h: how many VFs a PF has: counting, making and removing them.
 *
 * A number that is there is never changed: others may use its VFs. Those that we made are removed
 * when the last port that relies on them is gone, if nobody else uses one by then.
 *
 * While VFs are removed, the kernel holds a lock that sriov_numvfs needs even to be read, and waits
 * for us to close each VF that we have. So VFs are counted by their links, which needs no lock, and
 * sriov_numvfs is touched only where none of its VFs is left that anybody could wait for.
 *
 * Threads: control. Making and removing VFs takes the kernel a second or so.
 */
#ifndef SRIOV_NUMVFS_H
#define SRIOV_NUMVFS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "port.h"

struct error;

/* A PF, and what it is called in messages: "eth2 (0000:01:00.0)", or its address alone. */
struct numvfs_pf {
	char pci[PORT_PCI_MAX];
	char label[IFNAMSIZ + PORT_PCI_MAX + 3];
};

/* How many VFs the PF has now. */
uint16_t numvfs_count(const char *pf_pci);

/*
 * Can the PF have the VF that conf names? Looks, changes nothing. 0, and n is how many VFs there
 * are: 0 if they are to be made. -ENODEV: the VF is not there, and num_vfs does not ask for it.
 */
int numvfs_check(const struct port_conf *conf, const struct numvfs_pf *pf, uint16_t *n,
		 struct error *e);

/*
 * Makes n VFs of a PF that has none, without the kernel's drivers on them. 0 or -errno with the
 * sentence in e. The port relies on them then, until numvfs_release().
 */
int numvfs_make(const char *port_name, const struct numvfs_pf *pf, uint16_t n, struct error *e);

/* A port relies on a VF of that PF. Returns whether we made it: numvfs_release() is needed then. */
bool numvfs_use(const char *pf_pci);

/*
 * A port that relied on a VF of that PF does not any more. Removes the VFs that we made if that was
 * the last port and nobody uses them; else, or if that fails, says why they stay.
 */
void numvfs_release(const char *port_name, const char *pf_pci);

/* The same, but others have removed a VF of that PF: those that it has now are not ours. */
void numvfs_forget(const char *port_name, const char *pf_pci);

#endif

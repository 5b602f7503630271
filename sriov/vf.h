/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vf.h: a VF made ready for its port, and given back: found or made (vfs.c), set up through its PF
 * (pf.c), bound to vfio-pci, and watched from the PF's side while it is in use.
 *
 * Threads: control.
 */
#ifndef SRIOV_VF_H
#define SRIOV_VF_H

#include <stdbool.h>

#include "pf.h"
#include "port.h"
#include "vfs.h"

struct error;
struct filter_facts;
struct mnl_socket;
struct report;

struct vf {
	struct vfs_vf found;
	bool has_pf;	 /* it tells of its VFs by rtnetlink */
	bool is_pending; /* it has not taken all that was wished yet, and is asked again */
	struct pf_link pf;
	struct pf_vf is;	  /* as the PF said last */
	struct pf_undo pf_undo;	  /* what pf_set() changed */
	struct vfs_undo undo;	  /* what vfs_find() and vfs_bind() changed */
	struct mnl_socket *watch; /* NULL: no PF, or it can't be watched */
};

/*
 * 0, or -errno with the sentence in e and nothing changed. may_make: VFs may be made (num_vfs); not
 * where the host took them away.
 */
int vf_prepare(struct vf *vf, const struct port_conf *conf, bool may_make, struct error *e);

/* Gives all back. Takes one that is all zeroes. */
void vf_release(struct vf *vf, const struct port_conf *conf);

/* The device is gone, and with it all that was changed: there is nothing to give back. */
void vf_forget(struct vf *vf, const struct port_conf *conf);

/*
 * Asks the PF again if the kernel has told of a change, or if it is due: while a PF is down, the
 * kernel tells nothing. True if something is different now.
 */
bool vf_refresh(struct vf *vf, const struct port_conf *conf, bool is_due);

/*
 * A number that the PCI device of that address has until it goes; when it is back it has another
 * one. 0: there is none.
 */
uint64_t vf_identify(const char *pci);

void vf_facts(const struct vf *vf, struct filter_facts *facts);
void vf_show(const struct vf *vf, const struct port_conf *conf, struct report *report);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pf.h: what the PF says of its VFs, and is told, by rtnetlink (IFLA_VFINFO_LIST, pf_message.h).
 *
 * In the network namespace of the calling thread. Setting needs CAP_NET_ADMIN. Whether something
 * has changed is seen with a watch of netlink.h: the kernel sends a message for each setting of a
 * VF as long as the PF is up, and when the PF goes up or down.
 *
 * Threads: control.
 */
#ifndef SRIOV_PF_H
#define SRIOV_PF_H

#include <net/ethernet.h>
#include <stdbool.h>
#include <stdint.h>

#include "port.h"

struct error;
struct report;

/* A VF as its PF has it. What the PF does not say stays PORT_..._NONE. */
struct pf_vf {
	bool has_mac; /* mac is not all zeroes: the administrator, or the VF's own driver, set it */
	struct ether_addr mac;
	int32_t vlan;	     /* 0: no port VLAN */
	uint32_t vlan_qos;   /* its priority, 0..7 */
	uint16_t vlan_proto; /* its EtherType: 0x8100, 0x88a8 */
	enum port_wish trust, spoofcheck;
	enum port_link_state link_state;
	int64_t min_rate, max_rate; /* Mbit/s, 0: no limit */
};

/* A PF's network interface. */
struct pf_link {
	uint32_t index;
	bool is_up;	 /* set up by the host (IFF_UP) */
	bool is_running; /* and has its carrier */
};

/* What pf_set() has changed, to be undone. All zeroes: nothing. */
struct pf_undo {
	uint32_t keys;	     /* settings that were changed, 1 << enum pf_key of pf_message.h */
	struct pf_vf before; /* the VF as it was before the first of them */
};

/*
 * Asks for the interface pf and, if vf is not NULL, for its VF of that number. 0 or -errno with
 * why, for the caller's sentence. -ENODEV: no such interface; -EOPNOTSUPP: it says nothing of VFs;
 * -ENOENT: it has no VF of that number; -EAGAIN: its driver has nothing to say of the VF just now,
 * as while it is being reset; -EOVERFLOW: it has more VFs than the kernel can list.
 */
int pf_read(const char *pf, uint16_t number, struct pf_link *link, struct pf_vf *vf,
	    struct error *why);

/*
 * Sets what wish asks for and differs from is, one setting after the other, the rates last; waits
 * some tenths of a second where the VF is just being reset. 0; or -errno with a sentence in e that
 * names port, key, PF and VF, and says what to do. -ENETDOWN: all is set but the rates, which the
 * driver does not take before the PF's link is up (igb's is down for seconds after VFs were made).
 * undo gets what was changed, also at a failure, in addition to what is in it.
 */
int pf_set(const char *port_name, const char *pf, uint16_t number, const struct port_vf_wish *wish,
	   const struct pf_vf *is, struct pf_undo *undo, struct error *e);

/*
 * Sets back what pf_set() changed, the last first, and empties undo; errors are logged. Nothing is
 * done where PF or VF are gone: new ones start without settings. 0; -ENODEV: there is no such PF
 * (any more); -ENOENT: no such VF.
 */
int pf_restore(const char *port_name, const char *pf, uint16_t number, struct pf_undo *undo);

/* Both beside each other: pf_mac, pf_trust, ... and asked_mac, ... where that was asked for. */
void pf_show(const struct pf_vf *is, const struct port_vf_wish *wish, struct report *report);

#endif

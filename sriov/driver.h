/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * driver.h: what is known of DPDK's drivers of VFs and their PFs beyond what they say themselves.
 *
 * Threads: any; constant.
 */
#ifndef SRIOV_DRIVER_H
#define SRIOV_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

/* What a return code of 0 from promiscuous or allmulticast mode is worth. */
enum driver_word {
	DRIVER_WORD_TRUE,    /* it does what it says */
	DRIVER_WORD_TRUSTED, /* only if the PF trusts the VF; else it is ignored or refused */
	DRIVER_WORD_FALSE,   /* it does nothing */
};

struct driver {
	const char *name; /* rte_eth_dev_info.driver_name */
	bool is_vf;	  /* drives VFs only */
	bool has_nics;	  /* drives NICs too, of which this is not said */
	enum driver_word promiscuous, allmulticast;
	uint16_t groups_max; /* silently ignores the groups of a list after these; 0: does not */
	bool filters_vlans;  /* lets only those VLANs in that were asked for */
	bool restarts_on_link_up; /* receives nothing after its link was down, until restarted */
	bool is_kernels;	  /* works beside the kernel's driver: never bound to vfio-pci */
	bool pairs_queues;	  /* with more tx queues it receives on queues that nobody polls */
	bool stops_at_hole;	  /* with each address added it forgets those after a removed one */
};

/*
 * Never NULL: of a driver that is not known, is_vf (is the device a VF?) says which of two defaults
 * it gets.
 */
const struct driver *driver_find(const char *name, bool is_vf);

#endif

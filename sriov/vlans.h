/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vlans.h: the VLANs whose frames a device lets in, where it or its PF lets in none unless asked.
 * Untagged frames, which VLAN 0 stands for, need no asking: PFs let them in from the start.
 *
 * Threads: control.
 */
#ifndef SRIOV_VLANS_H
#define SRIOV_VLANS_H

#include <stdbool.h>
#include <stdint.h>

#include "stations.h"

struct filter_device;
struct report;

struct vlans {
	bool is_filtered; /* else all are let in */
	uint32_t n_listed, n_refused;
	uint64_t listed[STATIONS_VLAN_WORDS], refused[STATIONS_VLAN_WORDS]; /* bits */
	uint64_t doubtful[STATIONS_VLAN_WORDS]; /* listed before it was decided anew */
};

/* Anew: the device may have forgotten its list, which is set again at the next vlans_sync(). */
void vlans_decide(struct vlans *v, const struct filter_device *dev);

/*
 * Brings the list in line with the wanted and those of the port's config; those refused before only
 * if retry is set, or a place was given back.
 */
void vlans_sync(struct vlans *v, const struct filter_device *dev,
		const uint64_t wanted[STATIONS_VLAN_WORDS], bool retry);

void vlans_show(const struct vlans *v, struct report *report);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stations.h: the stations behind the other ports of an uplink's switch, each address once, and the
 * groups and VLANs in use there: what the uplink's device is to receive.
 *
 * Threads: control.
 */
#ifndef SRIOV_STATIONS_H
#define SRIOV_STATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "macset.h"

struct port;

enum {
	STATIONS_VLAN_WORDS = 4096 / 64,
};

/* Who comes first where there is not room for all. */
enum station_rank {
	STATION_STATIC,
	STATION_LEARNED,
	STATION_UPLINK_STATIC, /* behind another uplink */
	STATION_UPLINK_LEARNED,
	STATION_RANKS,
};

struct station {
	uint16_t port;	   /* id of the port that it is behind */
	uint8_t rank;	   /* enum station_rank */
	bool is_wanted;	   /* it is there now */
	bool is_listed;	   /* macs.c: in the device's filter */
	bool is_doubtful;  /* macs.c: it was, but the device may have forgotten it */
	bool is_vain;	   /* macs.c: refused, though a place was made for it */
	bool is_announced; /* filter.c: that it can't be reached was logged */
	int refusal;	   /* macs.c: of the driver, or 0 */
	uint32_t n_refusals;
};

struct stations {
	struct macset macs;
	struct station list[MACSET_MAX]; /* of each address */
	uint32_t n_left_out;		 /* there was no room for them here */
	struct macset groups;
	uint16_t group_ports[MACSET_MAX]; /* of each group, the id of a port that has joined it */
	uint64_t vlans[STATIONS_VLAN_WORDS]; /* bits */
};

/*
 * Finds all, but for the device's own address. What is listed and no longer wanted stays until the
 * collection after its removal from the device.
 */
void stations_collect(struct stations *s, const struct port *uplink,
		      const struct rte_ether_addr *own);

/* Changes when the addresses do that the config gives to ports; those learned: fdb_version(). */
uint64_t stations_configured(const struct port *uplink);

#endif

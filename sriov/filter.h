/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter.h: what an uplink's device receives: everything, or the frames for a list of addresses.
 *
 * A VF is not a NIC. Many PFs answer an untrusted VF's wish for promiscuous mode with success and
 * ignore it, so the mode is decided by what is known of the driver and of the PF's trust
 * (driver.h), and said with its reason (mode.h). Where frames for foreign addresses have to be
 * asked for one by one, each station behind another port (stations.h) is put into the device's
 * unicast filter (macs.h), taken out when it moves to the uplink, ages out, or its port goes, and
 * never put in for the uplink's own stations. Groups (mcast.h) and VLANs (vlans.h) likewise. What
 * the device refuses is tried again later, counted, and shown by station.
 *
 * Threads: control.
 */
#ifndef SRIOV_FILTER_H
#define SRIOV_FILTER_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "port.h"

struct error;
struct filter;
struct report;

/* What is known of the device and its PF. */
struct filter_facts {
	bool is_vf;
	enum port_wish trust, spoofcheck; /* NONE: the PF says nothing, or is not here */
	bool is_pf_mac;			  /* the PF's administrator has set the VF's address */
	char pf_ifname[IFNAMSIZ];	  /* for advice; empty: not known here */
	uint16_t number;		  /* the same: of the VF */
};

/*
 * Decides the mode for the started device dpdk_port of an uplink, and sets it; the lists follow at
 * the first filter_sync(). NULL with the sentence in e if the mode that the config asks for can't
 * be had, as promiscuous from a driver that refuses it.
 */
struct filter *filter_open(const struct port *port, uint16_t dpdk_port,
			   const struct filter_facts *facts, struct error *e);

/* Forgets all; the device is closed by the caller. Takes NULL. */
void filter_close(struct filter *f);

/*
 * The PF has changed its mind, or the device was restarted: decides anew, and all is set again at
 * the next filter_sync().
 */
void filter_renew(struct filter *f, const struct filter_facts *facts);

/* At every tick: brings the lists in line with the stations and groups that there are. */
void filter_sync(struct filter *f);

/* Mode and why, lists, and which stations can't be reached, with the reason of each. */
void filter_show(const struct filter *f, struct report *report);

/* CLOCK_MONOTONIC in ns; unit tests put a clock of their own here. */
extern uint64_t (*filter_clock)(void);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_nic.h: one ethdev that is only a filter, for tests of what sets it: the functions of
 * rte_ethdev.h that do, defined in the test program, with ethdev's own rules and with drivers and
 * PFs that behave as documented hardware does.
 */
#ifndef TESTS_FAKE_NIC_H
#define TESTS_FAKE_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_ether.h>

enum {
	FAKE_NIC_PORT = 7, /* DPDK's number of it */
	FAKE_NIC_MACS = 256,
	FAKE_NIC_GROUPS = 8192,
};

struct fake_nic {
	/* what it is */
	const char *driver;
	struct rte_ether_addr own;
	uint32_t macs_max;     /* dev_info.max_mac_addrs */
	bool ignores_modes;    /* says 0 to promiscuous and allmulticast, and does nothing */
	int promiscuous_error; /* refuses it so */
	int allmulticast_error;
	bool lacks_macs, lacks_list; /* -ENOTSUP */
	bool is_bound;		     /* the PF refuses every address beside its own */
	bool shares_slots;	     /* groups take places of addresses */
	uint32_t slots;		     /* for addresses beside its own; 0: macs_max decides */
	struct rte_ether_addr enemy; /* is refused, and its last three bytes' followers, too */
	uint32_t n_enemies;
	uint32_t groups_max; /* of a list; 0: any */
	uint32_t groups_cut; /* silently ignores what follows; 0: nothing */
	bool stops_at_hole;  /* as virtio_mac_addr_add() */
	int vlan_offloads;   /* as configured */
	bool filters_vlans;  /* lets only those in that were asked for */
	uint32_t vlans_max;  /* 0: any */
	bool refuses_odd_vlans;
	int info_error;
	uint64_t slow_ns; /* that adding an address takes */

	/* what it was told */
	bool is_promiscuous, is_allmulticast;	   /* as ethdev believes */
	struct rte_ether_addr macs[FAKE_NIC_MACS]; /* ethdev's, [0] its own; zeroes: free */
	bool is_in_table[FAKE_NIC_MACS];	   /* the device's */
	uint32_t n_groups;
	struct rte_ether_addr groups[FAKE_NIC_GROUPS];
	bool vlans[4096];
	uint32_t n_vlans;
	uint32_t n_calls;					 /* that reached the driver */
	uint32_t n_adds, n_lists, n_promiscuous, n_allmulticast; /* wishes of a kind */
};

extern struct fake_nic nic;

void fake_nic_reset(const char *driver, uint32_t macs_max); /* to one that does as it says */

/* The reset of a restart: the device and ethdev forget all lists. */
void fake_nic_forget(void);

uint32_t fake_nic_n_macs(void); /* in the device, its own not counted */

/* Does a frame that is sent to that address (in that VLAN, 0: none) come in? */
bool fake_nic_receives(const struct rte_ether_addr *mac, uint16_t vlan);

/* Time passes while a driver works; the test's clock. */
extern uint64_t fake_nic_now_ns;

#endif

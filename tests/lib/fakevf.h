/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fakevf.h: a device that behaves as a VF whose PF has its own mind, for tests without such
 * hardware.
 *
 * A library that is loaded before all others (LD_PRELOAD) into a program that uses librte_ethdev.
 * It stands between the program and one device of any driver (net_af_packet on a veth, say), which
 * stays the way of the frames: fakevf.c has the life of the device, fakevf_filter.c what is asked
 * of its filter, fakevf_burst.c drops what that would not let in, and fakevf_file.c reads from a
 * file how the PF decides.
 *
 * The environment's FAKEVF names that file, lines of KEY=VALUE as in `keys` of fakevf_file.c. It is
 * read again when it changes. What the program asks for, and what it gets, is appended to the file
 * FAKEVF.journal.
 *
 * Threads: control functions and bursts by any; the file is read, and events are raised, by a
 * thread of its own, as EAL's interrupt thread would.
 */
#ifndef TESTS_FAKEVF_H
#define TESTS_FAKEVF_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_ether.h>

enum {
	FAKEVF_ADDRS_MAX = 64, /* as most drivers of VFs: unicast, with the own; and of groups */
	FAKEVF_TXQS_SAID = 16, /* by the driver, where the PF gives it fewer */
};

/* What the driver and the PF make of a wish. */
enum fakevf_answer {
	FAKEVF_HONOUR,
	FAKEVF_IGNORE, /* says 0 and does nothing, as i40e and ice to who is not trusted */
	FAKEVF_REJECT, /* an error */
	FAKEVF_NOTSUP, /* -ENOTSUP */
	FAKEVF_SHARED, /* of the mc list: honoured; each takes one of the unicast slots */
};

/* What it takes to receive again after the link, or the PF, was away. */
enum fakevf_revival {
	FAKEVF_REVIVED,		 /* nothing */
	FAKEVF_REVIVED_BY_START, /* rte_eth_dev_stop() and _start(): igbvf */
	FAKEVF_REVIVED_BY_RESET, /* rte_eth_dev_reset(): iavf, ixgbevf */
};

/* The file: how the PF decides now. */
struct fakevf_conf {
	char device[64];    /* as EAL calls it; other devices of the program are left alone */
	char driver[32];    /* rte_eth_dev_info.driver_name */
	uint32_t serial;    /* of this version of the file; is in the journal once it holds */
	uint32_t macs;	    /* unicast addresses that the driver has room for, with its own */
	uint32_t slots;	    /* of them, beside its own, that the PF takes */
	uint32_t admin_mac; /* 1: the PF's administrator has set the address: takes no others */
	uint32_t promiscuous, allmulticast, mc_list, vlan_filter; /* enum fakevf_answer */
	uint32_t strip;	     /* 1: takes tags out though nobody asked: igbvf */
	uint32_t reflect;    /* 1: gives its own broadcasts back: the emulated igb */
	uint32_t spoofcheck; /* 1: sends nothing with another source address than its own */
	uint32_t link;	     /* 1: up, as it says */
	uint32_t passes;     /* 0: nothing passes, whatever the link says: PF down */
	uint32_t revival;    /* enum fakevf_revival */
	uint32_t lsc, rmv;   /* 1: has such interrupts */
	uint32_t reset;	     /* enum fakevf_answer */
	uint32_t reset_ms;   /* that a reset takes, granted or not */
	uint32_t start;	     /* enum fakevf_answer */
	uint32_t txqs;	     /* tx queues that the PF gives it, fewer than it says; 0: all */
	uint32_t mtu_errno;  /* with which it refuses another MTU while it runs: iavf's, bnxt's */
	uint32_t present;    /* 0: the device is not there (any more) */
	uint32_t node;	     /* NUMA node */
	char event[16];	     /* raised when the serial changes: lsc, reset, rmv, remove */
};

/* A set of VLANs. */
struct fakevf_vlans {
	uint64_t ids[RTE_ETHER_MAX_VLAN_ID / 64 + 1];
};

struct fakevf {
	char device[64];      /* as in the first version of the file; constant */
	pthread_mutex_t lock; /* of all below */
	struct fakevf_conf conf;
	bool is_configured; /* since it came, or since its reset */
	bool is_started;
	bool is_half_closed; /* its last reset failed: says -EIO until one does not, as iavf */
	bool is_dead;	     /* until its revival */
	bool is_link_up;     /* as its interrupt last said, where that is used */
	bool uses_lsc;	     /* the program asked for that interrupt */
	bool filters_vlans;  /* the program asked for VLAN_FILTER */
	bool has_own;	     /* own was set by the program */
	bool is_promiscuous; /* the program asked, and was told 0 */
	bool is_allmulticast;
	struct rte_ether_addr own;
	uint32_t n_macs, n_mcs;
	struct rte_ether_addr macs[FAKEVF_ADDRS_MAX], mcs[FAKEVF_ADDRS_MAX];
	struct fakevf_vlans vlans;
};

extern struct fakevf fakevf;

/* fakevf_file.c: begins to read the file, if the environment names one. */
void fakevf_watch(void);

/* fakevf_file.c: a line in the journal. */
void fakevf_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* fakevf.c: is this DPDK port the device of the file? */
bool fakevf_is(uint16_t port);

/* fakevf.c: the function of that name that this library stands before; ends the process if none. */
void *fakevf_next(const char *name);

/* fakevf.c: the program gets what it asked for, where the device is not the file's. */
int fakevf_next_of_port(const char *name, uint16_t port);

/* fakevf.c, locked: does anything pass now? */
bool fakevf_passes(void);

/* fakevf.c, locked: what a wish that is answered so gets; reject: its error where it is rejected.
 */
int fakevf_error_of(enum fakevf_answer answer, int reject);

/* fakevf.c, locked: puts what came of a wish into the journal, unlocks, and returns it. */
int fakevf_said(const char *what, int err);

/* fakevf_filter.c, locked: puts all that the filter has into the journal. */
void fakevf_say_filter(void);

/* fakevf_filter.c, locked: as of a device that nobody has asked for anything. */
void fakevf_forget_filter(void);

/* fakevf_burst.c: puts itself between the program and the queues of a port that was just started;
 * what came while it was not is thrown away. */
void fakevf_take_bursts(uint16_t port);

/* fakevf_burst.c: the pool of frames that come back. */
void fakevf_set_pool(struct rte_mempool *pool);

#endif

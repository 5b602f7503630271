/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * macset.h: a set of MAC addresses that keeps the order in which they came.
 *
 * Threads: a set belongs to its caller.
 */
#ifndef SRIOV_MACSET_H
#define SRIOV_MACSET_H

#include <stdint.h>

#include <rte_ether.h>

enum {
	MACSET_MAX = 4096, /* addresses; more are left out */
	MACSET_SLOTS_LOG2 = 13,
	MACSET_SLOTS = 1 << MACSET_SLOTS_LOG2, /* twice as many: look-ups end at a free one */
};

struct macset {
	uint32_t n;
	struct rte_ether_addr list[MACSET_MAX];
	uint16_t slots[MACSET_SLOTS]; /* 1 + index in list, or 0; found by hash, then the next */
};

void macset_clear(struct macset *set);

/* Index in the list, or -1. */
int macset_find(const struct macset *set, const struct rte_ether_addr *mac);

/* The same of one that is put in if it is not there; -1: no room. */
int macset_add(struct macset *set, const struct rte_ether_addr *mac);

#endif

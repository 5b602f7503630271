/* SPDX-License-Identifier: BSD-3-Clause */
/* macset.c: see macset.h. */
#include "macset.h"

#include <string.h>

/*
 * Multiplied by 2^64 over the golden ratio, all bytes reach the topmost bits. Who chooses his
 * addresses so that they collide makes look-ups as long as the list, and the walks rare (filter.c).
 */
static uint32_t
first_slot(const struct rte_ether_addr *mac)
{
	uint64_t bits = 0;

	memcpy(&bits, mac->addr_bytes, sizeof(mac->addr_bytes));
	return (uint32_t)(bits * 0x9e3779b97f4a7c15u >> (64 - MACSET_SLOTS_LOG2));
}

/* The slot that the address has, or would get: there are always free ones. */
static uint32_t
slot_of(const struct macset *set, const struct rte_ether_addr *mac)
{
	uint32_t slot = first_slot(mac);

	while (set->slots[slot] && !rte_is_same_ether_addr(&set->list[set->slots[slot] - 1], mac))
		slot = (slot + 1) % MACSET_SLOTS;
	return slot;
}

void
macset_clear(struct macset *set)
{
	set->n = 0;
	memset(set->slots, 0, sizeof(set->slots));
}

int
macset_find(const struct macset *set, const struct rte_ether_addr *mac)
{
	return set->slots[slot_of(set, mac)] - 1;
}

int
macset_add(struct macset *set, const struct rte_ether_addr *mac)
{
	uint32_t slot = slot_of(set, mac);

	if (set->slots[slot])
		return set->slots[slot] - 1;
	if (set->n == MACSET_MAX)
		return -1;
	set->list[set->n++] = *mac;
	set->slots[slot] = (uint16_t)set->n;
	return (int)set->n - 1;
}

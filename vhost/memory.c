/* SPDX-License-Identifier: BSD-3-Clause */
/* memory.c: filling and checking a guest's memory table, see memory.h. */
#include "memory.h"

#include <errno.h>

int
memory_add(struct memory *m, uint64_t guest, uint64_t size, uint8_t *host)
{
	if (size == 0 || guest + size < guest || (uintptr_t)host + size < (uintptr_t)host)
		return -EINVAL;
	if (m->n == MEMORY_REGIONS_MAX)
		return -ENOSPC;
	m->regions[m->n++] = (struct memory_region){.guest = guest, .size = size, .host = host};
	return 0;
}

bool
memory_holds(const struct memory *m, const void *at, uint64_t len, uintptr_t align)
{
	if ((uintptr_t)at % align != 0)
		return false;
	for (uint32_t i = 0; i < m->n; i++) {
		const struct memory_region *r = &m->regions[i];
		uint64_t offset = (uintptr_t)at - (uintptr_t)r->host;

		if (offset < r->size && len <= r->size - offset)
			return true;
	}
	return false;
}

bool
memory_guest_of(const struct memory *m, const void *at, uint64_t *guest)
{
	for (uint32_t i = 0; i < m->n; i++) {
		const struct memory_region *r = &m->regions[i];
		uint64_t offset = (uintptr_t)at - (uintptr_t)r->host;

		if (offset < r->size) {
			*guest = r->guest + offset;
			return true;
		}
	}
	return false;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.h: the table of a guest's memory: where in our address space a guest address lies.
 *
 * Knows nothing of librte_vhost: session.c fills it from a running guest, unit tests from the heap.
 *
 * Threads: written once, before it is published; read by any.
 */
#ifndef VHOST_MEMORY_H
#define VHOST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MEMORY_REGIONS_MAX = 64
}; /* librte_vhost takes 8 */

struct memory_region {
	uint64_t guest; /* first guest-physical address */
	uint64_t size;	/* bytes, > 0; guest + size does not overflow */
	uint8_t *host;	/* where it is mapped here */
};

struct memory {
	uint32_t n;
	struct memory_region regions[MEMORY_REGIONS_MAX];
};

/* Adds a region. 0, -EINVAL if it is empty or wraps around, -ENOSPC if the table is full. */
int memory_add(struct memory *m, uint64_t guest, uint64_t size, uint8_t *host);

/* Do all len bytes at the host address at, a multiple of align, lie in one region? */
bool memory_holds(const struct memory *m, const void *at, uint64_t len, uintptr_t align);

/* The guest's address of a host address; false if it is in no region. */
bool memory_guest_of(const struct memory *m, const void *at, uint64_t *guest);

/*
 * Where the guest's address is, or NULL if it is nowhere; *part is how many of the len bytes from
 * there lie in the same region: the rest must be looked up on its own. *hint is the region that was
 * hit last: a guest's buffers mostly lie in one.
 */
static inline uint8_t *
memory_find(const struct memory *m, uint32_t *hint, uint64_t guest, uint32_t len, uint32_t *part)
{
	const struct memory_region *r = &m->regions[*hint];

	if (__builtin_expect(guest - r->guest >= r->size, 0)) {
		for (r = m->regions; guest - r->guest >= r->size; r++)
			if (r + 1 >= m->regions + m->n)
				return NULL;
		*hint = (uint32_t)(r - m->regions);
	}
	*part = r->size - (guest - r->guest) < len ? (uint32_t)(r->size - (guest - r->guest)) : len;
	return r->host + (guest - r->guest);
}

#endif

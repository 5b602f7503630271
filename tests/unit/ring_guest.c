/* SPDX-License-Identifier: BSD-3-Clause */
/* ring_guest.c: see ring_guest.h. */
#include "ring_guest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *
add_region(struct ring_guest *g, uint64_t guest, uint32_t size)
{
	uint8_t *host = aligned_alloc(4096, size);

	assert(host);
	memset(host, 0, size);
	assert(memory_add(&g->memory, guest, size, host) == 0);
	return host;
}

void
ring_guest_open(struct ring_guest *g, struct ring_guest_conf conf)
{
	uint32_t desc_len = conf.size * (uint32_t)sizeof(struct vring_desc);
	uint32_t avail_len = 4u + 2u * conf.size + 2u;
	uint8_t *rings;

	memset(g, 0, sizeof(*g));
	rings = add_region(g, GUEST_RINGS, GUEST_RINGS_SIZE);
	add_region(g, GUEST_LOW, GUEST_DATA_SIZE);
	add_region(g, GUEST_HIGH, GUEST_DATA_SIZE);
	add_region(g, GUEST_ALONE, GUEST_ALONE_SIZE);
	g->view = (struct ring_view){
		.memory = &g->memory,
		.desc = (struct vring_desc *)rings,
		.avail = (struct vring_avail *)(rings + desc_len),
		.used = (struct vring_used *)(rings + desc_len + (avail_len + 3) / 4 * 4),
		.size = conf.size,
		.record_len = conf.is_legacy ? RECORD_LEN_LEGACY : FRAME_RECORD_LEN,
		.is_mergeable = conf.is_mergeable,
		.has_event_idx = conf.has_event_idx,
		.has_indirect = !conf.no_indirect,
		.call_fd = -1,
	};
	assert(ring_view_is_sound(&g->view));
	g->avail = g->seen = conf.base;
	g->view.avail->idx = g->view.used->idx = conf.base;
	ring_reset(&g->ring);
	ring_attach(&g->ring, &g->view, conf.base, conf.base);
}

void
ring_guest_close(struct ring_guest *g)
{
	for (uint32_t i = 0; i < g->memory.n; i++)
		free(g->memory.regions[i].host);
}

uint8_t *
ring_guest_at(struct ring_guest *g, uint64_t guest)
{
	uint32_t hint = 0, part;
	uint8_t *at = memory_find(&g->memory, &hint, guest, 1, &part);

	assert(at && part == 1);
	return at;
}

void
ring_guest_write(struct ring_guest *g, uint64_t guest, const void *from, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		*ring_guest_at(g, guest + i) = ((const uint8_t *)from)[i];
}

void
ring_guest_read(struct ring_guest *g, uint64_t guest, void *to, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = *ring_guest_at(g, guest + i);
}

void
ring_guest_desc(struct ring_guest *g, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		uint16_t next)
{
	g->view.desc[i] = (struct vring_desc){addr, len, flags, next};
}

void
ring_guest_entry(struct ring_guest *g, uint64_t table, uint16_t i, uint64_t addr, uint32_t len,
		 uint16_t flags, uint16_t next)
{
	struct vring_desc d = {addr, len, flags, next};

	ring_guest_write(g, table + i * sizeof(d), &d, sizeof(d));
}

void
ring_guest_offer(struct ring_guest *g, uint16_t head)
{
	g->view.avail->ring[g->avail & (g->view.size - 1)] = head;
	g->avail++;
	__atomic_store_n(&g->view.avail->idx, g->avail, __ATOMIC_RELEASE);
}

void
ring_guest_buffer(struct ring_guest *g, uint16_t i, uint64_t addr, uint32_t len, bool is_writable)
{
	ring_guest_desc(g, i, addr, len, is_writable ? VRING_DESC_F_WRITE : 0, 0);
	ring_guest_offer(g, i);
}

bool
ring_guest_used(struct ring_guest *g, uint32_t *id, uint32_t *len)
{
	const struct vring_used_elem *e = &g->view.used->ring[g->seen & (g->view.size - 1)];

	if (__atomic_load_n(&g->view.used->idx, __ATOMIC_ACQUIRE) == g->seen)
		return false;
	*id = e->id;
	*len = e->len;
	g->seen++;
	return true;
}

uint32_t
ring_guest_n_used(struct ring_guest *g)
{
	uint32_t id, len, n = 0;

	while (ring_guest_used(g, &id, &len))
		n++;
	return n;
}

void
ring_guest_pattern(uint8_t *to, uint32_t len, uint32_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		to[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8) * 13 + 1);
}

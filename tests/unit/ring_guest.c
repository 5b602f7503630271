/* SPDX-License-Identifier: BSD-3-Clause */
/* ring_guest.c: see ring_guest.h. */
#include "ring_guest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	FLAG_AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
	FLAG_USED = 1 << VRING_PACKED_DESC_F_USED,
	ID_JUNK = 0x5aa5, /* where an id says nothing */
};

static uint8_t *
add_region(struct ring_guest *g, uint64_t guest, uint32_t size)
{
	uint8_t *host = calloc(1, size); /* aligned as a ring must be */
	int err;

	assert(host);
	err = memory_add(&g->memory, guest, size, host);
	assert(err == 0);
	return host;
}

static void
open_split(struct ring_guest *g, struct ring_guest_conf conf)
{
	uint32_t event = conf.has_event_idx ? sizeof(uint16_t) : 0;

	g->view.ops = conf.level->split;
	g->view.avail = (struct vring_avail *)add_region(
		g, GUEST_DRIVER, (uint32_t)sizeof(*g->view.avail) + 2u * conf.size + event);
	g->view.used = (struct vring_used *)add_region(
		g, GUEST_DEVICE, (uint32_t)sizeof(*g->view.used) + 8u * conf.size + event);
	g->descs = g->view.desc;
	g->avail.at = conf.base;
	g->view.avail->idx = g->view.used->idx = conf.base;
}

static void
open_packed(struct ring_guest *g, struct ring_guest_conf conf)
{
	g->view.ops = conf.level->packed;
	g->view.driver = (struct vring_packed_desc_event *)add_region(g, GUEST_DRIVER,
								      sizeof(*g->view.driver));
	g->view.device = (struct vring_packed_desc_event *)add_region(g, GUEST_DEVICE,
								      sizeof(*g->view.device));
	g->descs = calloc(conf.size, sizeof(*g->descs));
	assert(g->descs);
	g->avail = (struct guest_place){.at = conf.base % conf.size, .wrap = true};
	g->id_base = conf.id_base;
	/* what lies before the base was used in this round */
	for (uint32_t i = 0; i < g->avail.at; i++)
		g->view.packed[i].flags = FLAG_AVAIL | FLAG_USED;
}

void
ring_guest_open(struct ring_guest *g, struct ring_guest_conf conf)
{
	uint32_t data = conf.data ? conf.data : GUEST_DATA_SIZE;

	memset(g, 0, sizeof(*g));
	if (!conf.level)
		conf.level = level_usable(0);
	g->is_packed = conf.is_packed;
	g->view = (struct ring_view){
		.memory = &g->memory,
		.size = conf.size,
		.record_len = conf.is_legacy ? RECORD_LEN_LEGACY : FRAME_RECORD_LEN,
		.is_mergeable = conf.is_mergeable,
		.is_in_order = conf.is_in_order,
		.has_event_idx = conf.has_event_idx,
		.has_indirect = !conf.no_indirect,
		.call_fd = -1,
	};
	g->view.desc = (struct vring_desc *)add_region(g, GUEST_DESC, 16u * conf.size);
	if (conf.is_packed)
		open_packed(g, conf);
	else
		open_split(g, conf);
	add_region(g, GUEST_HIGH - data, data);
	add_region(g, GUEST_HIGH, data);
	add_region(g, GUEST_ALONE, GUEST_ALONE_SIZE);
	g->buffers = calloc(conf.size, sizeof(*g->buffers));
	assert(g->buffers && g->view.ops->is_sound(&g->view));
	g->seen = g->avail;
	ring_reset(&g->ring);
	ring_attach(&g->ring, &g->view, ring_guest_place(g, g->avail),
		    ring_guest_place(g, g->avail));
}

void
ring_guest_close(struct ring_guest *g)
{
	if (g->descs != g->view.desc)
		free(g->descs);
	free(g->buffers);
	for (uint32_t i = 0; i < g->memory.n; i++)
		free(g->memory.regions[i].host);
}

uint16_t
ring_guest_place(const struct ring_guest *g, struct guest_place place)
{
	return g->is_packed && place.wrap ? place.at | 0x8000 : place.at;
}

struct guest_place
ring_guest_step(const struct ring_guest *g, struct guest_place place, uint32_t n)
{
	if (!g->is_packed) {
		place.at = (uint16_t)(place.at + n);
		return place;
	}
	while (n-- > 0)
		if (++place.at == g->view.size) {
			place.at = 0;
			place.wrap = !place.wrap;
		}
	return place;
}

uint8_t *
ring_guest_at(struct ring_guest *g, uint64_t guest)
{
	uint32_t hint = 0, part = 0;
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
	assert(i < g->view.size);
	g->descs[i] = (struct vring_desc){addr, len, flags, next};
}

void
ring_guest_entry(struct ring_guest *g, uint64_t table, uint16_t i, uint64_t addr, uint32_t len,
		 uint16_t flags, uint16_t next)
{
	struct vring_desc split = {addr, len, flags, next};
	/* all entries of a table are one chain: NEXT says nothing (virtio 1.2 §2.8.8) */
	struct vring_packed_desc packed = {addr, len, ID_JUNK,
					   flags & (uint16_t)~VRING_DESC_F_NEXT};

	assert(!g->is_packed || next == i + 1 || !(flags & VRING_DESC_F_NEXT));
	ring_guest_write(g, table + i * sizeof(split), g->is_packed ? (void *)&packed : &split,
			 sizeof(split));
}

/* Returns how many descriptors it took. */
static uint16_t
offer_packed(struct ring_guest *g, uint16_t head)
{
	struct vring_packed_desc *first = &g->view.packed[g->avail.at];
	uint16_t i = head, n = 0, flags, first_flags = 0;
	bool is_last;

	do {
		const struct vring_desc *d = &g->descs[i];
		struct vring_packed_desc *to = &g->view.packed[g->avail.at];

		is_last = !(d->flags & VRING_DESC_F_NEXT) || n + 1 == g->view.size;
		flags = d->flags | (g->avail.wrap ? FLAG_AVAIL : FLAG_USED);
		to->addr = d->addr;
		to->len = d->len;
		to->id = is_last ? (uint16_t)(g->id_base + head) : ID_JUNK;
		if (n++ == 0)
			first_flags = flags;
		else
			to->flags = flags;
		g->avail = ring_guest_step(g, g->avail, 1);
		i = d->next;
	} while (!is_last);
	__atomic_store_n(&first->flags, first_flags, __ATOMIC_RELEASE);
	return n;
}

void
ring_guest_offer(struct ring_guest *g, uint16_t head)
{
	uint16_t n = 1;

	if (g->is_packed) {
		n = offer_packed(g, head);
		g->n_descs += n;
		assert(g->n_descs <= g->view.size);
	} else {
		g->view.avail->ring[g->avail.at & (g->view.size - 1)] = head;
		g->avail.at++;
		__atomic_store_n(&g->view.avail->idx, g->avail.at, __ATOMIC_RELEASE);
	}
	g->buffers[g->n_offered++ % g->view.size] = (struct guest_buffer){head, n};
}

void
ring_guest_buffer(struct ring_guest *g, uint16_t i, uint64_t addr, uint32_t len, bool is_writable)
{
	ring_guest_desc(g, i, addr, len, is_writable ? VRING_DESC_F_WRITE : 0, 0);
	ring_guest_offer(g, i);
}

/* What the place says that was given back there, if anything. */
static bool
read_used(const struct ring_guest *g, uint32_t *id, uint32_t *len)
{
	if (g->is_packed) {
		const struct vring_packed_desc *d = &g->view.packed[g->seen.at];
		uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);

		bool avail = flags & FLAG_AVAIL, used = flags & FLAG_USED;

		if (avail != g->seen.wrap || used != g->seen.wrap)
			return false;
		*id = (uint16_t)(d->id - g->id_base);
		*len = d->len;
	} else {
		const struct vring_used_elem *e =
			&g->view.used->ring[g->seen.at & (g->view.size - 1)];

		if (__atomic_load_n(&g->view.used->idx, __ATOMIC_ACQUIRE) == g->seen.at)
			return false;
		*id = e->id;
		*len = e->len;
	}
	return true;
}

/* In order, a later buffer's entry stands for those before it (virtio 1.2 §2.7.9, §2.8.9). */
static uint32_t
count_known(const struct ring_guest *g, uint32_t id)
{
	uint32_t n = 1;

	while (g->view.is_in_order && g->buffers[(g->n_seen + n - 1) % g->view.size].id != id) {
		n++;
		assert(n <= g->n_offered - g->n_seen);
	}
	if (!g->is_packed)
		assert((uint16_t)(g->view.used->idx - g->seen.at) >= n);
	return n;
}

bool
ring_guest_used(struct ring_guest *g, uint32_t *head, uint32_t *len)
{
	const struct guest_buffer *b = &g->buffers[g->n_seen % g->view.size];

	if (g->n_known == 0) {
		if (!read_used(g, &g->known_id, &g->known_len))
			return false;
		assert(g->n_seen != g->n_offered);
		g->n_known = count_known(g, g->known_id);
	}
	g->n_known--;
	*head = g->view.is_in_order ? b->id : g->known_id;
	*len = g->n_known ? 0 : g->known_len;
	g->seen = ring_guest_step(g, g->seen, b->n_descs);
	g->n_descs -= g->is_packed ? b->n_descs : 0;
	g->n_seen++;
	return true;
}

uint32_t
ring_guest_n_used(struct ring_guest *g)
{
	uint32_t head, len, n = 0;

	while (ring_guest_used(g, &head, &len))
		n++;
	return n;
}

void
ring_guest_pattern(uint8_t *to, uint32_t len, uint32_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		to[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8) * 13 + 1);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring.c: making a guest's virtqueue, and telling the switch that there is something in it
 * (ring.h).
 */
#include "ring.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	RING_ALIGN = 4096, /* more than any part of a ring needs */
};

/* Guest memory for one part of a ring. */
static void *
take(struct frontend *fe, uint32_t region, uint64_t size, uint64_t *gpa)
{
	*gpa = frontend_alloc(fe, region, size, RING_ALIGN);
	return *gpa == UINT64_MAX ? NULL : frontend_at(fe, *gpa, size);
}

static bool
take_parts(struct ring *r, struct frontend *fe, uint32_t region)
{
	uint64_t n = r->size;
	uint64_t desc_size = n * sizeof(struct vring_desc); /* the same for both kinds */
	void *desc, *avail, *used;

	desc = take(fe, region, desc_size, &r->told.desc);
	avail = take(fe, region, r->is_packed ? sizeof(*r->driver) : (n + 3) * sizeof(uint16_t),
		     &r->told.avail);
	used = take(fe, region,
		    r->is_packed ? sizeof(*r->device)
				 : 3 * sizeof(uint16_t) + n * sizeof(struct vring_used_elem),
		    &r->told.used);
	r->tables = take(fe, region, 2 * desc_size, &r->tables_gpa);
	if (desc == NULL || avail == NULL || used == NULL || r->tables == NULL)
		return false;
	if (r->is_packed) {
		r->packed = desc;
		r->driver = avail;
		r->device = used;
		r->driver->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	} else {
		r->desc = desc;
		r->avail = avail;
		r->used = used;
		r->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
		r->avail->ring[r->size] = UINT16_MAX;
	}
	return true;
}

struct ring *
ring_create(struct frontend *fe, uint32_t region, uint16_t index, uint16_t size)
{
	struct ring *r = calloc(1, sizeof(*r));

	if (r == NULL)
		goto fail;
	r->told.kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->told.call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->in_flight = calloc(size, sizeof(*r->in_flight));
	r->free = calloc(size, sizeof(*r->free));
	r->told.index = index;
	r->told.size = r->size = size;
	r->is_rx = index % 2 == 0;
	r->is_packed = frontend_has(fe, VIRTIO_F_RING_PACKED);
	r->has_event_idx = frontend_has(fe, VIRTIO_RING_F_EVENT_IDX);
	r->avail_wrap = r->used_wrap = true;
	r->told.base = r->is_packed ? 1 << VRING_PACKED_EVENT_F_WRAP_CTR : 0;
	if (r->told.kick < 0 || r->told.call < 0 || r->in_flight == NULL || r->free == NULL ||
	    !take_parts(r, fe, region))
		goto fail;
	ring_set_layout(r, RING_SINGLE);
	return r;
fail:
	snprintf(fe->error, sizeof(fe->error), "ring %u: no memory or no eventfd", index);
	ring_destroy(r);
	return NULL;
}

void
ring_destroy(struct ring *r)
{
	if (r == NULL)
		return;
	if (r->told.kick >= 0)
		close(r->told.kick);
	if (r->told.call >= 0)
		close(r->told.call);
	free(r->in_flight);
	free(r->free);
	free(r);
}

void
ring_set_layout(struct ring *r, enum ring_layout layout)
{
	r->layout = layout;
	r->chain_len = layout == RING_TWO ? 2 : 1;
	r->n_slots = r->size / r->chain_len;
	r->free_head = 0;
	r->free_tail = r->n_slots;
	for (uint16_t i = 0; i < r->n_slots; i++)
		r->free[i] = i;
}

static void
put_packed_desc(struct ring *r, uint64_t addr, uint32_t len, uint16_t id, uint16_t flags)
{
	struct vring_packed_desc *d = &r->packed[r->avail_next];

	flags |= r->avail_wrap ? 1 << VRING_PACKED_DESC_F_AVAIL : 1 << VRING_PACKED_DESC_F_USED;
	d->addr = addr;
	d->len = len;
	d->id = id;
	if (r->n_pending++ == 0)
		r->first_flags = flags;
	else
		d->flags = flags;
	if (++r->avail_next == r->size) {
		r->avail_next = 0;
		r->avail_wrap = !r->avail_wrap;
	}
}

static inline void
put_packed(struct ring *r, enum ring_layout layout, uint16_t slot, uint64_t gpa, uint32_t len)
{
	struct vring_packed_desc *table = (struct vring_packed_desc *)r->tables + 2 * slot;
	uint16_t write = r->is_rx ? VRING_DESC_F_WRITE : 0;
	uint64_t body = gpa + RING_HEADER_LEN;
	uint32_t body_len = len - RING_HEADER_LEN;

	if (layout == RING_SINGLE) {
		put_packed_desc(r, gpa, len, slot, write);
	} else if (layout == RING_TWO) {
		put_packed_desc(r, gpa, RING_HEADER_LEN, slot, write | VRING_DESC_F_NEXT);
		put_packed_desc(r, body, body_len, slot, write);
	} else {
		table[0] = (struct vring_packed_desc){gpa, RING_HEADER_LEN, 0, write};
		table[1] = (struct vring_packed_desc){body, body_len, 0, write};
		put_packed_desc(r, r->tables_gpa + 2 * slot * sizeof(*table), 2 * sizeof(*table),
				slot, VRING_DESC_F_INDIRECT);
	}
}

/* The descriptors of one chain, and of its table. */
static inline void
put_split(struct vring_desc *desc, struct vring_desc *table, uint64_t table_gpa, uint16_t head,
	  uint16_t write, enum ring_layout layout, uint64_t gpa, uint32_t len)
{
	uint64_t body = gpa + RING_HEADER_LEN;
	uint32_t body_len = len - RING_HEADER_LEN;
	uint16_t next = layout == RING_TWO ? head + 1 : 1;

	if (layout == RING_SINGLE) {
		desc[head] = (struct vring_desc){gpa, len, write, 0};
		return;
	}
	if (layout == RING_INDIRECT)
		desc[head] = (struct vring_desc){table_gpa, 2 * sizeof(*table),
						 VRING_DESC_F_INDIRECT, 0};
	else
		table = &desc[head];
	table[0] = (struct vring_desc){gpa, RING_HEADER_LEN, write | VRING_DESC_F_NEXT, next};
	table[1] = (struct vring_desc){body, body_len, write, 0};
}

/* With a constant layout, so that each gets a loop of its own. */
static inline __attribute__((always_inline)) void
put_split_all(struct ring *r, enum ring_layout layout, uint64_t gpa, uint32_t stride, uint32_t len,
	      uint32_t n)
{
	struct vring_desc *const desc = r->desc, *const tables = r->tables;
	uint16_t *const avail = r->avail->ring;
	bool *const in_flight = r->in_flight;
	const uint16_t *const free_slots = r->free;
	const uint32_t mask = r->size - 1, first = r->free_head, next = r->avail_next;
	const uint64_t tables_gpa = r->tables_gpa;
	const uint16_t write = r->is_rx ? VRING_DESC_F_WRITE : 0;

	for (uint32_t i = 0; i < n; i++) {
		uint16_t slot = free_slots[(first + i) & mask];
		uint16_t head = layout == RING_TWO ? 2 * slot : slot;

		in_flight[slot] = true;
		put_split(desc, tables + 2 * slot, tables_gpa + 2 * slot * sizeof(*tables), head,
			  write, layout, gpa + (uint64_t)slot * stride, len);
		avail[(next + i) & mask] = head;
	}
	r->avail_next += (uint16_t)n;
	r->n_pending += (uint16_t)n;
}

static inline __attribute__((always_inline)) void
put_packed_all(struct ring *r, enum ring_layout layout, uint64_t gpa, uint32_t stride, uint32_t len,
	       uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint16_t slot = ring_next_slot(r, i);

		r->in_flight[slot] = true;
		put_packed(r, layout, slot, gpa + (uint64_t)slot * stride, len);
	}
}

static inline __attribute__((always_inline)) void
put_all(struct ring *r, enum ring_layout layout, uint64_t gpa, uint32_t stride, uint32_t len,
	uint32_t n)
{
	if (r->is_packed)
		put_packed_all(r, layout, gpa, stride, len, n);
	else
		put_split_all(r, layout, gpa, stride, len, n);
	r->free_head += (uint16_t)n;
}

void
ring_prefetch(const struct ring *r, uint32_t n)
{
	const struct vring_desc *desc = r->is_packed ? (const void *)r->packed : r->desc;
	const uint32_t per_line = 64 / sizeof(*desc);

	for (uint32_t i = 0; i < n; i += per_line / r->chain_len) {
		uint32_t at = r->is_packed ? r->avail_next + i * r->chain_len
					   : (uint32_t)ring_next_slot(r, i) * r->chain_len;

		__builtin_prefetch(&desc[at & (r->size - 1)], 1);
	}
	if (!r->is_packed)
		__builtin_prefetch(&r->avail->ring[r->avail_next & (r->size - 1)], 1);
}

void
ring_put(struct ring *r, uint64_t gpa, uint32_t stride, uint32_t len, uint32_t n)
{
	if (r->layout == RING_SINGLE)
		put_all(r, RING_SINGLE, gpa, stride, len, n);
	else if (r->layout == RING_TWO)
		put_all(r, RING_TWO, gpa, stride, len, n);
	else
		put_all(r, RING_INDIRECT, gpa, stride, len, n);
}

/* Is it one that the switch had? */
static inline bool
take_slot(struct ring *r, uint32_t slot, uint32_t len, struct ring_done *done)
{
	if (slot >= r->n_slots || !r->in_flight[slot]) {
		r->n_bad_used++;
		return false;
	}
	r->in_flight[slot] = false;
	r->free[r->free_tail++ & (r->size - 1)] = (uint16_t)slot;
	*done = (struct ring_done){(uint16_t)slot, len};
	return true;
}

static uint32_t
take_split(struct ring *r, struct ring_done *done)
{
	uint16_t waiting = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) - r->used_next;
	uint16_t shift = r->layout == RING_TWO, within = r->chain_len - 1;
	uint32_t n = 0;

	if (waiting > RING_TAKE_MAX)
		waiting = RING_TAKE_MAX;
	for (uint16_t i = 0; i < waiting; i += 64 / sizeof(struct vring_used_elem))
		__builtin_prefetch(&r->used->ring[(r->used_next + i) & (r->size - 1)]);
	for (uint16_t i = 0; i < waiting; i++) {
		struct vring_used_elem u = r->used->ring[r->used_next++ & (r->size - 1)];

		n += take_slot(r, u.id & within ? UINT32_MAX : u.id >> shift, u.len, &done[n]);
	}
	if (r->has_event_idx && waiting > 0) /* as far away as can be: we poll */
		r->avail->ring[r->size] = r->used_next - 1;
	return n;
}

static uint32_t
take_packed(struct ring *r, struct ring_done *done)
{
	const uint16_t both = 1 << VRING_PACKED_DESC_F_AVAIL | 1 << VRING_PACKED_DESC_F_USED;
	uint32_t n = 0;

	for (uint32_t i = 0; i < RING_TAKE_MAX; i++) {
		const struct vring_packed_desc *d = &r->packed[r->used_next];
		uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);

		if ((flags & both) != (r->used_wrap ? both : 0))
			break;
		n += take_slot(r, d->id, d->len, &done[n]);
		r->used_next += r->chain_len;
		if (r->used_next >= r->size) {
			r->used_next -= r->size;
			r->used_wrap = !r->used_wrap;
		}
	}
	return n;
}

uint32_t
ring_take(struct ring *r, struct ring_done *done)
{
	return r->is_packed ? take_packed(r, done) : take_split(r, done);
}

/* Did the switch ask to be told of what became available between old and now? */
static bool
wants_kick(const struct ring *r, uint16_t old)
{
	uint16_t flags, event;

	if (!r->is_packed) {
		if (!r->has_event_idx)
			return !(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) &
				 VRING_USED_F_NO_NOTIFY);
		event = __atomic_load_n((const uint16_t *)&r->used->ring[r->size],
					__ATOMIC_RELAXED);
		return vring_need_event(event, r->avail_next, old);
	}
	flags = __atomic_load_n(&r->device->flags, __ATOMIC_RELAXED);
	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	event = __atomic_load_n(&r->device->off_wrap, __ATOMIC_RELAXED);
	if (event >> VRING_PACKED_EVENT_F_WRAP_CTR != r->avail_wrap)
		event = (uint16_t)((event & 0x7fff) - r->size);
	else
		event &= 0x7fff;
	if (old > r->avail_next)
		old -= r->size;
	return vring_need_event(event, r->avail_next, old);
}

void
ring_publish(struct ring *r)
{
	uint16_t old = r->published;

	if (r->n_pending == 0)
		return;
	if (r->is_packed)
		__atomic_store_n(&r->packed[old].flags, r->first_flags, __ATOMIC_RELEASE);
	else
		__atomic_store_n(&r->avail->idx, r->avail_next, __ATOMIC_RELEASE);
	r->published = r->avail_next;
	r->n_pending = 0;
	/* pairs with the switch's fence between asking for a kick and looking once more */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (wants_kick(r, old)) {
		uint64_t one = 1;

		r->n_kicks += write(r->told.kick, &one, sizeof(one)) == sizeof(one);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring.c: making a guest's virtqueue, and telling the switch that there is something in it
 * (ring.h). What chains look like is ring_put.c's, how they come back ring_take.c's.
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
	uint64_t tables_size = r->n_table_descs * sizeof(struct vring_desc);
	void *desc, *avail, *used;

	desc = take(fe, region, desc_size, &r->told.desc);
	avail = take(fe, region, r->is_packed ? sizeof(*r->driver) : (n + 3) * sizeof(uint16_t),
		     &r->told.avail);
	used = take(fe, region,
		    r->is_packed ? sizeof(*r->device)
				 : 3 * sizeof(uint16_t) + n * sizeof(struct vring_used_elem),
		    &r->told.used);
	if (tables_size > 0)
		r->tables = take(fe, region, tables_size, &r->tables_gpa);
	if (desc == NULL || avail == NULL || used == NULL || (tables_size > 0 && r->tables == NULL))
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

void
ring_want_interrupts(struct ring *r, bool wants)
{
	r->wants_interrupts = wants;
	if (r->is_packed) {
		__atomic_store_n(&r->driver->flags,
				 wants ? VRING_PACKED_EVENT_FLAG_ENABLE
				       : VRING_PACKED_EVENT_FLAG_DISABLE,
				 __ATOMIC_RELEASE);
	} else {
		r->avail->ring[r->size] = r->used_next - !wants;
		__atomic_store_n(&r->avail->flags, wants ? 0 : VRING_AVAIL_F_NO_INTERRUPT,
				 __ATOMIC_RELEASE);
	}
}

struct ring *
ring_create(struct frontend *fe, uint32_t region, uint16_t index, uint16_t size,
	    uint32_t n_table_descs)
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
	r->n_table_descs = n_table_descs;
	r->is_rx = index % 2 == 0;
	r->is_packed = frontend_has(fe, VIRTIO_F_RING_PACKED);
	r->is_in_order = frontend_has(fe, VIRTIO_F_IN_ORDER);
	r->has_event_idx = frontend_has(fe, VIRTIO_RING_F_EVENT_IDX);
	r->avail_wrap = r->used_wrap = true;
	r->told.base = r->is_packed ? 1 << VRING_PACKED_EVENT_F_WRAP_CTR : 0;
	if (r->told.kick < 0 || r->told.call < 0 || r->in_flight == NULL || r->free == NULL ||
	    !take_parts(r, fe, region))
		goto fail;
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

uint32_t
ring_table_len(enum ring_layout layout, uint32_t len)
{
	uint32_t n_pieces = (len - RING_HEADER_LEN + RING_PIECE_LEN - 1) / RING_PIECE_LEN;

	if (layout == RING_CHAIN)
		return n_pieces > 1 ? 1 + n_pieces : 2;
	return layout == RING_INDIRECT ? 2 : 0;
}

static uint32_t
smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

void
ring_set_layout(struct ring *r, enum ring_layout layout, const struct ring_buffers *buffers)
{
	uint32_t table_len = ring_table_len(layout, buffers->len), n_slots;

	/* in order, descriptors are used one after the other, always (virtio 1.2 §2.7.9) */
	if (r->is_in_order && !r->is_packed)
		r->first_desc += r->free_head * r->chain_len;
	r->first_desc &= r->size - 1;
	r->layout = layout;
	r->buffers = *buffers;
	r->chain_len = layout == RING_TWO ? 2 : 1;
	n_slots = smaller(r->size / r->chain_len, buffers->n);
	if (table_len > 0)
		n_slots = smaller(n_slots, r->n_table_descs / table_len);
	r->table_len = (uint16_t)table_len;
	r->n_slots = (uint16_t)n_slots;
	r->oldest = 0;
	r->free_head = 0;
	r->free_tail = r->n_slots;
	for (uint16_t i = 0; i < r->n_slots; i++)
		r->free[i] = i;
}

/* Did the switch ask to be told of any of the last n that became available? */
static bool
wants_kick(const struct ring *r, uint16_t n)
{
	uint16_t flags, event, old = r->avail_next - n;

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
	return vring_need_event(event, r->avail_next, old);
}

void
ring_publish(struct ring *r)
{
	uint16_t old = r->published, n = r->n_pending;

	if (n == 0)
		return;
	if (r->is_packed)
		__atomic_store_n(&r->packed[old].flags, r->first_flags, __ATOMIC_RELEASE);
	else
		__atomic_store_n(&r->avail->idx, r->avail_next, __ATOMIC_RELEASE);
	r->published = r->avail_next;
	r->n_pending = 0;
	/* pairs with the switch's fence between asking for a kick and looking once more */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (wants_kick(r, n)) {
		uint64_t one = 1;

		r->n_kicks += write(r->told.kick, &one, sizeof(one)) == sizeof(one);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* packed.c: packed rings but for their frames, see packed.h and struct ring_ops. */
#include "packed.h"

#include "memory.h"
#include "ring.h"

enum {
	EVENT_ALIGN = 4, /* bytes; virtio 1.2 §2.8 */
};

static bool
packed_is_sound(const struct ring_view *v)
{
	if (v->size == 0 || v->size > RING_SIZE_MAX)
		return false;
	return memory_holds(v->memory, v->packed, v->size * sizeof(v->packed[0]),
			    RING_DESC_ALIGN) &&
	       memory_holds(v->memory, v->driver, sizeof(*v->driver), EVENT_ALIGN) &&
	       memory_holds(v->memory, v->device, sizeof(*v->device), EVENT_ALIGN);
}

static bool
packed_has_place(const struct ring_view *v, uint16_t at)
{
	return packed_position(at) < v->size;
}

static void
packed_silence(const struct ring_view *v, const struct ring *r)
{
	(void)r;
	guest_write16(&v->device->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
	ring_log(v, v->device, sizeof(*v->device));
}

uint16_t
packed_chain_len(const struct ring_view *v, struct ring *r, uint16_t at, uint16_t *id)
{
	uint16_t n = 1;

	while (n < v->size) {
		struct packed_desc d;

		at = packed_next(at, 1, v->size);
		d = packed_desc_read(&v->packed[packed_position(at)]);
		n++;
		if (!(d.flags & VRING_DESC_F_NEXT)) {
			*id = d.id;
			return n;
		}
	}
	ring_break(r, RING_ENDLESS);
	return 0;
}

/* How many descriptors lie between two places; more than size if to is behind from. */
static uint16_t
distance(uint16_t from, uint16_t to, uint16_t size)
{
	int32_t n = packed_position(to) - packed_position(from);

	return (uint16_t)((from ^ to) & PACKED_WRAP ? n + size : n);
}

static bool
packed_wants_call(const struct ring_view *v, struct ring *r, uint16_t now)
{
	/* acquire: the guest writes off_wrap before the flags that make it count */
	uint16_t flags = guest_load16(&v->driver->flags), event;
	uint32_t then;

	if (!v->has_event_idx)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	then = ring_swap_signalled(r, now);
	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	event = guest_read16(&v->driver->off_wrap);
	/* is the descriptor at event one of those between then and now? */
	return !(then & SIGNALLED_VALID) ||
	       distance((uint16_t)then, event, v->size) < distance((uint16_t)then, now, v->size);
}

const struct ring_ops packed_ops = {
	.is_sound = packed_is_sound,
	.has_place = packed_has_place,
	.silence = packed_silence,
	.rx = packed_rx,
	.release = packed_release,
	.tx = packed_tx,
	.wants_call = packed_wants_call,
};

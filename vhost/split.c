/* SPDX-License-Identifier: BSD-3-Clause */
/* split.c: split rings but for their frames, see split.h and struct ring_ops. */
#include "split.h"

#include "memory.h"

enum {
	AVAIL_ALIGN = 2, /* bytes; virtio 1.2 §2.7 */
	USED_ALIGN = 4,
	NO_KICK_DISTANCE = 1 << 15, /* indices; as far away as an event index can be */
};

static bool
split_is_sound(const struct ring_view *v)
{
	uint64_t event = v->has_event_idx ? sizeof(uint16_t) : 0;

	if (v->size == 0 || v->size > RING_SIZE_MAX || v->size & (v->size - 1))
		return false;
	return memory_holds(v->memory, v->desc, v->size * sizeof(v->desc[0]), RING_DESC_ALIGN) &&
	       memory_holds(v->memory, v->avail,
			    sizeof(*v->avail) + v->size * sizeof(v->avail->ring[0]) + event,
			    AVAIL_ALIGN) &&
	       memory_holds(v->memory, v->used,
			    sizeof(*v->used) + v->size * sizeof(v->used->ring[0]) + event,
			    USED_ALIGN);
}

/* Indices are free-running. */
static bool
split_has_place(const struct ring_view *v, uint16_t at)
{
	(void)v;
	(void)at;
	return true;
}

/*
 * Without event index a flag says it once for all. With it we can only say "kick when you reach
 * this index": one that is far away costs the guest a kick every 65536 buffers.
 */
static void
split_silence(const struct ring_view *v, const struct ring *r)
{
	guest_write16(&v->used->flags, VRING_USED_F_NO_NOTIFY);
	ring_log(v, &v->used->flags, sizeof(v->used->flags));
	if (!v->has_event_idx)
		return;
	guest_write16(&v->used->ring[v->size], (uint16_t)(r->avail + NO_KICK_DISTANCE));
	ring_log(v, &v->used->ring[v->size], sizeof(uint16_t));
}

/* virtio 1.2 §2.7.7 */
static bool
split_wants_call(const struct ring_view *v, struct ring *r, uint16_t now)
{
	uint16_t event;
	uint32_t then;

	if (!v->has_event_idx)
		return !(guest_read16(&v->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	then = ring_swap_signalled(r, now);
	event = guest_read16(&v->avail->ring[v->size]);
	return !(then & SIGNALLED_VALID) ||
	       (uint16_t)(now - event - 1) < (uint16_t)(now - (uint16_t)then);
}

const struct ring_ops split_ops = {
	.is_sound = split_is_sound,
	.has_place = split_has_place,
	.silence = split_silence,
	.rx = split_rx,
	.release = split_release,
	.tx = split_tx,
	.wants_call = split_wants_call,
};

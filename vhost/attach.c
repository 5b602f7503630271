/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attach.c: makes views of a guest's rings, and takes them away again; see attach.h.
 *
 * librte_vhost's calls that are used here only read and write fields of its device; none takes a
 * queue's access_lock, which the caller of our message handlers holds: rte_vhost_get_mem_table,
 * _get_vhost_vring, _get_vring_base, _set_vring_base and _get_negotiated_features (lib/vhost/
 * vhost.c, the same in 22.11, 23.11, 24.11 and 25.11), and rte_vhost_get_log_base.
 */
#include "attach.h"

#include <stdlib.h>
#include <string.h>

#include <rte_vhost.h>

#include "feature.h"
#include "guard.h"
#include "level.h"
#include "offload.h"
#include "rcu.h"
#include "recover.h"
#include "session.h"
#include "shared.h"
#include "stall.h"

static bool
has_feature(const struct session *s, unsigned int bit)
{
	return s->features >> bit & 1;
}

/*
 * The library numbers rings as the guest does: 2q is where guest queue q receives, so where we
 * send; 2q + 1 is where it sends. They come to the view's arrays of the other name.
 */
static struct ring *
ring_of(struct session *s, uint32_t number)
{
	return number % 2 ? &s->rx[number / 2] : &s->tx[number / 2];
}

static struct ring_view *
view_of(struct session_view *view, uint32_t number)
{
	return number % 2 ? &view->rx[number / 2] : &view->tx[number / 2];
}

/* Of new memory also asks whether it is shared. False if there is none that we could use. */
static bool
read_memory(struct session *s, struct memory *memory)
{
	struct rte_vhost_memory *table = NULL;
	bool is_private = false;
	int err = 0;

	/* without memory the library's call would follow a NULL pointer */
	if (!s->has_memory || s->is_postcopy || guard_is_hit(s->port->id) ||
	    stall_is_by(s->port->id) || rte_vhost_get_mem_table(s->vid, &table) != 0)
		return false;
	for (uint32_t i = 0; i < table->nregions && err == 0; i++) {
		const struct rte_vhost_mem_region *r = &table->regions[i];

		err = memory_add(memory, r->guest_phys_addr, r->size,
				 (uint8_t *)(uintptr_t)r->host_user_addr);
		if (!s->is_memory_known)
			is_private = is_private || shared_is_private(s->peer, r->fd);
	}
	if (!s->is_memory_known)
		s->is_private = is_private;
	s->is_memory_known = true;
	s->n_regions = table->nregions;
	free(table);
	return err == 0 && memory->n > 0 && !s->is_private;
}

/*
 * The library has it mapped since SET_LOG_BASE, of which message.c has checked the offset. Where it
 * is must not be asked without: after RESET_OWNER the library names the one that it has unmapped.
 */
static void
read_log(const struct session *s, struct dirty_log *log)
{
	uint64_t base = 0, size = 0;

	if (has_feature(s, VHOST_F_LOG_ALL) && s->has_log &&
	    rte_vhost_get_log_base(s->vid, &base, &size) == 0 && base != 0)
		*log = (struct dirty_log){.bits = (uint8_t *)(uintptr_t)base, .size = size};
}

static bool
read_features(struct session *s)
{
	if (rte_vhost_get_negotiated_features(s->vid, &s->features) != 0)
		return false;
	s->features |= s->uso;
	return true;
}

bool
attach_is_possible(struct session *s)
{
	struct memory memory = {0};

	return read_features(s) && read_memory(s, &memory);
}

void
attach_offloads(struct session *s)
{
	uint32_t allowed = atomic_load_explicit(&s->offloads, memory_order_relaxed);

	/* The library does not look behind extension headers. Of frames to be divided it writes the
	 * sum of a pseudo header without length (rte_net_intel_cksum_prepare()), where the guest
	 * takes it for one with (linux/tcp_offload.c): what the guest forwards would go wrong. */
	if (s->port->conf.vhost.is_library)
		allowed &= ~(OFFLOAD_EXTENSIONS | OFFLOAD_SEGMENTS);
	port_set_offloads(s->port, feature_to_guest(s->features) & allowed);
}

/* False if the ring can't be used as it is. */
static bool
read_ring(struct session *s, const struct session_view *view, uint32_t number, struct ring_view *v)
{
	const struct level *level = level_best();
	struct rte_vhost_vring vring;

	memset(&vring, 0, sizeof(vring));
	if (rte_vhost_get_vhost_vring(s->vid, (uint16_t)number, &vring) != 0)
		return false;
	*v = (struct ring_view){
		.ops = has_feature(s, VIRTIO_F_RING_PACKED) ? level->packed : level->split,
		.memory = &view->memory,
		.log = view->log.size > 0 ? &view->log : NULL,
		.desc = vring.desc, /* of a packed ring the same members of other types */
		.avail = vring.avail,
		.used = vring.used,
		.size = vring.size,
		.record_len =
			has_feature(s, VIRTIO_F_VERSION_1) || has_feature(s, VIRTIO_NET_F_MRG_RXBUF)
				? FRAME_RECORD_LEN
				: RECORD_LEN_LEGACY,
		.is_mergeable = has_feature(s, VIRTIO_NET_F_MRG_RXBUF),
		.is_in_order = has_feature(s, VIRTIO_F_IN_ORDER),
		.has_event_idx = has_feature(s, VIRTIO_RING_F_EVENT_IDX),
		.has_indirect = has_feature(s, VIRTIO_RING_F_INDIRECT_DESC),
		.offloads = feature_from_guest(s->features),
		.call_fd = vring.callfd,
	};
	return v->ops->is_sound(v);
}

static void
attach_ring(struct session *s, struct session_view *view, uint32_t number)
{
	struct ring_view *v = view_of(view, number);
	uint16_t avail, used;

	if (!(s->ready >> number & 1) || ring_fault(ring_of(s, number)) != RING_FINE)
		return;
	if (!read_ring(s, view, number, v) ||
	    rte_vhost_get_vring_base(s->vid, (uint16_t)number, &avail, &used) != 0 ||
	    /* the other end has said it, and the library believes it */
	    !v->ops->has_place(v, avail) || !v->ops->has_place(v, used)) {
		s->unsound = (int)number;
		v->size = 0;
		return;
	}
	if (s->told >> number & 1) {
		if (has_feature(s, VIRTIO_F_RING_PACKED))
			avail = used = recover_place(v, avail);
		/* a switch before us may have been killed before it interrupted the guest */
		atomic_store_explicit(&ring_of(s, number)->touched, true, memory_order_relaxed);
	}
	s->told &= ~(1u << number);
	s->left &= ~(1u << number);
	ring_attach(ring_of(s, number), v, avail, used);
	if (number % 2 == 0)
		view->tx_queues[view->n_tx++] = (uint16_t)(number / 2);
}

/* An interrupt that was due when the rings were detached. */
static void
call_touched(struct session *s, struct session_view *view)
{
	for (uint32_t i = 0; i < 2u * s->port->conf.queues; i++)
		if (view_of(view, i)->size && ring_take_touched(ring_of(s, i)))
			ring_call(view_of(view, i));
}

void
attach_guest(struct session *s)
{
	struct session_view *view = s->is_closing ? NULL : calloc(1, sizeof(*view));

	if (!view || !read_features(s) || !read_memory(s, &view->memory))
		goto fail;
	read_log(s, &view->log);
	s->unsound = -1;
	for (uint32_t i = 0; i < 2u * s->port->conf.queues; i++)
		attach_ring(s, view, i);
	call_touched(s, view);
	s->n_attaches++;
	/* release: pairs with the workers' acquire */
	atomic_store_explicit(&s->view, view, memory_order_release);
	attach_offloads(s);
	return;

fail:
	free(view);
}

void
attach_undo(struct session *s)
{
	const struct session_view *view = atomic_load_explicit(&s->view, memory_order_relaxed);

	if (!view)
		return;
	/* before the grace period: by the next view nobody sends what only this guest takes */
	port_set_offloads(s->port, 0);
	atomic_store_explicit(&s->view, NULL, memory_order_release);
	rcu_synchronize();
	/* no worker sees the rings: what is taken has been given back */
	for (uint32_t i = 0; i < 2u * s->port->conf.queues; i++) {
		const struct ring_view *v = i % 2 ? &view->rx[i / 2] : &view->tx[i / 2];
		const struct ring *r = ring_of(s, i);

		if (v->size)
			rte_vhost_set_vring_base(
				s->vid, (uint16_t)i, r->avail,
				atomic_load_explicit(&r->used, memory_order_relaxed));
	}
	free((void *)(uintptr_t)view);
}

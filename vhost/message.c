/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * message.c: what is done before and after each vhost-user message, see message.h. When the library
 * calls these two, and what is locked then, is said in session.c.
 */
#include "message.h"

#include <inttypes.h>
#include <stdbool.h>
#include <unistd.h>

#include <rte_vhost.h>

#include "attach.h"
#include "compat.h"
#include "contract.h"
#include "feature.h"
#include "guard.h"
#include "library.h"
#include "log.h"
#include "registry.h"
#include "screen.h"
#include "session.h"

/*
 * Messages that change nothing a worker uses. All others detach: a new one of a later library is
 * taken for harmful until somebody has read what it does.
 */
static bool
is_harmless(uint32_t request)
{
	switch (request) {
	case REQUEST_GET_FEATURES:
	case REQUEST_SET_OWNER:
	case REQUEST_SET_VRING_ERR:
	case REQUEST_GET_PROTOCOL_FEATURES:
	case REQUEST_GET_QUEUE_NUM:
	case REQUEST_SEND_RARP:
	case REQUEST_NET_SET_MTU:
	case REQUEST_SET_BACKEND_REQ_FD:
	case REQUEST_SET_STATUS:
	case REQUEST_GET_STATUS:
		return true;
	default:
		return false;
	}
}

/* The guest sets a ring up anew: what it lied about before is forgiven. */
static void
forgive(struct session *s, const struct vhost_message *message)
{
	uint32_t number = message->payload.ring.index & 0xff; /* all of the ring messages */

	if (number >= 2u * s->port->conf.queues)
		return;
	atomic_store_explicit(number % 2 ? &s->rx[number / 2].fault : &s->tx[number / 2].fault,
			      RING_FINE, memory_order_relaxed);
}

/* The library frees what a ring needs to be used, and may not say that it is off. */
static void
forget_ring(struct session *s, const struct vhost_message *message)
{
	if (s->port->conf.vhost.has_viommu && message->payload.ring.index < SESSION_RINGS_MAX)
		s->ready &= ~(1u << message->payload.ring.index);
}

/*
 * With LOG_ALL the library's own bursts would write through the log that it has unmapped: it finds
 * features that it does not know, and refuses them.
 */
static void
check_features(struct session *s, struct vhost_message *message)
{
	if (s->is_log_stale && message->payload.u64 >> VHOST_F_LOG_ALL & 1)
		message->payload.u64 = UINT64_MAX;
	if (contract_accepts(s, s->wanted))
		return;
	message->payload.u64 = UINT64_MAX;
	session_judge(s);
}

/* What the port may use at this moment; the library accepts all that the port can do. */
static enum rte_vhost_msg_result
answer_features(struct session *s, struct vhost_message *message)
{
	uint64_t offered;

	pthread_mutex_lock(&s->lock);
	offered = s->offered = contract_offer(s);
	pthread_mutex_unlock(&s->lock);
	return (enum rte_vhost_msg_result)compat_answer(message, offered);
}

/* Takes what the library does not know out of the features that the guest has chosen. */
static void
note_features(struct session *s, struct vhost_message *message)
{
	if (s->port->conf.vhost.is_library)
		return; /* not offered: the library refuses it */
	s->uso = message->payload.u64 & FEATURE_USO;
	message->payload.u64 &= ~FEATURE_USO;
}

static void
before_message(struct session *s, struct vhost_message *message)
{
	if (s->is_in_message && !s->has_failed) {
		s->has_failed = true; /* the last one: there was no post_msg_handle */
		session_judge(s);
	}
	s->is_in_message = true;
	s->request = message->request;
	attach_undo(s);
	switch (message->request) {
	case REQUEST_SET_FEATURES:
		s->wanted = message->payload.u64;
		note_features(s, message);
		check_features(s, message);
		break;
	case REQUEST_SET_MEM_TABLE:
		/* the old memory is unmapped now; if the message fails there is none. The
		 * library has the locks of its rings: no burst goes on. */
		library_hide(s);
		guard_set_memory(s->port->id, -1);
		s->has_memory = s->is_memory_known = false;
		break;
	case REQUEST_POSTCOPY_LISTEN:
		/* from now on who touches the guest's memory waits for QEMU: until all of it is
		 * here that is nobody of ours */
		s->is_postcopy = true;
		/* no waiting here: a burst that has begun still finds the old memory */
		library_hide(s);
		session_judge(s);
		break;
	case REQUEST_RESET_OWNER:
		/* the library forgets rings and memory and does not say so; it unmaps the log, but
		 * not its own note of where it was */
		library_detach(s); /* no lock of the library is held in this message */
		guard_forget(s->port->id);
		s->ready = s->told = s->left = 0;
		s->has_memory = s->is_memory_known = false;
		s->is_log_stale = s->is_log_stale || s->has_log;
		s->has_log = false;
		break;
	case REQUEST_GET_VRING_BASE:
		forget_ring(s, message);
		forgive(s, message);
		break;
	case REQUEST_SET_VRING_NUM:
	case REQUEST_SET_VRING_ADDR:
	case REQUEST_SET_VRING_BASE:
	case REQUEST_SET_VRING_KICK:
		forgive(s, message);
		break;
	default:
		break;
	}
}

static enum rte_vhost_msg_result
pre_message(int vid, void *context)
{
	struct session *s = registry_of(vid);
	struct vhost_message *message = context;

	if (!s)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	if (!screen_message(s, message))
		return (enum rte_vhost_msg_result)compat_refuse(message);
	if (message->request == REQUEST_GET_QUEUE_NUM)
		return (enum rte_vhost_msg_result)compat_answer_queue_num(message,
									  s->port->conf.queues);
	if (message->request == REQUEST_GET_FEATURES)
		return answer_features(s, message);
	guard_current(s->port->id);
	s->is_translating = message->request == REQUEST_IOTLB_MSG && s->port->conf.vhost.has_viommu;
	if (s->is_translating) /* the library's own locks protect its rings */
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	if (is_harmless(message->request))
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	pthread_mutex_lock(&s->lock);
	before_message(s, message);
	pthread_mutex_unlock(&s->lock);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/* A place that is what we answered needs no recovering: nobody was beside the ring in between. */
static void
note_place(struct session *s, const struct vhost_message *message, uint32_t number)
{
	uint32_t bit = 1u << number;
	uint16_t place = (uint16_t)message->payload.ring.num;

	if (message->request == REQUEST_GET_VRING_BASE) {
		s->left |= bit;
		s->left_at[number] = place;
	} else if (!(s->left & bit) || s->left_at[number] != place) {
		s->told |= bit;
	} else {
		s->told &= ~bit;
	}
}

/* Of a port that is being closed only until session_close() has seen the last worker go. */
static bool
may_watch(const struct session *s)
{
	return !s->is_closing || s->is_hidden;
}

static void
watch_log(const struct session *s)
{
	uint64_t base = 0, size = 0;

	if (may_watch(s) && rte_vhost_get_log_base(s->vid, &base, &size) == 0)
		guard_set(s->port->id, GUARD_LOG, (const void *)(uintptr_t)base, size,
			  (uint64_t)sysconf(_SC_PAGESIZE));
}

static bool
can_attach_library(struct session *s)
{
	return s->is_running && !s->is_closing && s->port->conf.vhost.is_library &&
	       attach_is_possible(s);
}

static void
after_message(struct session *s, const struct vhost_message *message)
{
	uint32_t number = message->payload.ring.index & 0xff;
	bool is_new = s->has_failed;

	s->is_in_message = s->has_failed = false;
	if (message->request == REQUEST_SET_MEM_TABLE) {
		is_new = s->has_memory = true; /* it may be shared now, or not any more */
		if (may_watch(s))
			guard_set_memory(s->port->id, s->vid);
		if (can_attach_library(s))
			library_show(s);
	}
	if (message->request == REQUEST_SET_FEATURES)
		contract_note(s, s->wanted);
	if (message->request == REQUEST_SET_LOG_BASE) {
		s->has_log = true;
		s->is_log_stale = false;
		watch_log(s);
	}
	if ((message->request == REQUEST_SET_VRING_BASE ||
	     message->request == REQUEST_GET_VRING_BASE) &&
	    number < SESSION_RINGS_MAX)
		note_place(s, message, number);
	/* said again in a moment by vring_state_changed, but it must not be attached until then */
	if (message->request == REQUEST_SET_VRING_ENABLE && message->payload.ring.num == 0 &&
	    number < SESSION_RINGS_MAX)
		s->ready &= ~(1u << number);
	if (message->request == REQUEST_POSTCOPY_END) {
		is_new = true;
		s->is_postcopy = false;
		if (can_attach_library(s))
			library_attach(s); /* no lock of the library is held in this message */
	}
	if (s->is_running && !s->port->conf.vhost.is_library)
		attach_guest(s);
	if (s->is_running && is_new)
		session_judge(s);
}

/* A guest that was promised a longer MTU than the port has would lose its long frames. */
static enum rte_vhost_msg_result
check_mtu(struct session *s, uint64_t mtu)
{
	static struct log_limit limit = {.burst = 5, .interval_s = 60}; /* event thread's */
	uint32_t suppressed;

	if (mtu <= port_mtu(s->port)) {
		pthread_mutex_lock(&s->lock);
		s->promised_mtu = (uint16_t)mtu;
		pthread_mutex_unlock(&s->lock);
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	}
	if (log_allowed(&limit, &suppressed))
		log_warn("port %s: QEMU wants an MTU of %" PRIu64 " (host_mtu), the port's is %u: "
			 "raise mtu or lower host_mtu",
			 s->port->conf.name, mtu, port_mtu(s->port));
	return RTE_VHOST_MSG_RESULT_ERR;
}

/* The library only sets a flag, for its own bursts; on a port that uses them it was not offered. */
static enum rte_vhost_msg_result
ask_announcement(struct session *s, const struct vhost_message *message)
{
	if (message->size != sizeof(message->payload.u64))
		return RTE_VHOST_MSG_RESULT_ERR;
	announce_ask(&s->announce, &message->payload.u64);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result
post_message(int vid, void *context)
{
	struct session *s = registry_of(vid);
	const struct vhost_message *message = context;

	if (!s)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	if (message->request == REQUEST_NET_SET_MTU)
		return check_mtu(s, message->payload.u64);
	if (message->request == REQUEST_SEND_RARP)
		return ask_announcement(s, message);
	if (is_harmless(message->request) || s->is_translating)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	pthread_mutex_lock(&s->lock);
	after_message(s, message);
	pthread_mutex_unlock(&s->lock);
	/* whether the library knew the message is for it to judge */
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

const struct rte_vhost_user_extern_ops message_ops = {
	.pre_msg_handle = pre_message,
	.post_msg_handle = post_message,
};

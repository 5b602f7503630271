/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.c: what librte_vhost tells us of a guest, see session.h.
 *
 * What is relied on (lib/vhost/vhost_user.c, vhost_user_msg_handler(), the same in 22.11, 23.11,
 * 24.11 and 25.11 but for names). For each message, on the event thread:
 *   1. the access_lock of all queues is taken, but not for GET_VRING_BASE and RESET_OWNER;
 *   2. pre_msg_handle;
 *   3. the library's own handler. SET_VRING_KICK and _CALL report a ready ring as off with
 *      vring_state_changed(0) here; GET_VRING_BASE and RESET_OWNER call destroy_device here;
 *   4. post_msg_handle, unless the handler failed;
 *   5. vring_state_changed for each ring whose readiness changed;
 *   6. the locks are released;
 *   7. new_device, if the device became ready and was not running. No lock is held.
 * destroy_device is never called with an access_lock held: from 3, when the connection ends, and by
 * rte_vhost_driver_unregister. So a grace period may be waited for everywhere here: workers of a
 * direct port never take an access_lock, and those of a library port wait for one only in messages
 * in which we don't wait for them. The exception is rte_vhost_driver_unregister, which calls back
 * with the library's global mutex held: session_close() has waited before.
 */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <rte_vhost.h>

#include "attach.h"
#include "compat.h"
#include "contract.h"
#include "guard.h"
#include "library.h"
#include "log.h"
#include "message.h"
#include "rcu.h"
#include "registry.h"
#include "shared.h"
#include "stall.h"

enum {
	PATIENCE_S = 3,
};

struct session *
session_create(struct port *port)
{
	struct session *s = aligned_alloc(alignof(struct session), sizeof(*s));
	pthread_mutexattr_t recursive;

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	guard_forgive(port->id);
	stall_forgive(port->id);
	s->port = port;
	s->vid = s->fd = s->unsound = -1;
	s->refusals = (struct log_limit){.burst = 5, .interval_s = 60};
	atomic_init(&s->view, NULL);
	atomic_init(&s->offloads, port->conf.offloads);
	atomic_init(&s->library_vid, -1);
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&s->connecting, &recursive);
	pthread_mutexattr_destroy(&recursive);
	pthread_mutex_init(&s->lock, NULL);
	for (uint32_t i = 0; i < PORT_QUEUES_MAX; i++) {
		ring_reset(&s->rx[i]);
		ring_reset(&s->tx[i]);
	}
	return s;
}

void
session_close(struct session *s)
{
	bool is_hidden;

	pthread_mutex_lock(&s->lock);
	s->is_closing = true;
	attach_undo(s);
	library_hide(s);
	is_hidden = s->is_hidden;
	pthread_mutex_unlock(&s->lock);
	/* without the lock: a worker may spin on a queue that a message handler, which waits for
	 * our lock, holds. A connection that ends meanwhile waits, too, by library_detach(). */
	if (is_hidden)
		rcu_synchronize();
	pthread_mutex_lock(&s->lock);
	s->is_hidden = false;	   /* rte_vhost_driver_unregister must not wait for it */
	guard_forget(s->port->id); /* it unmaps the memory, and does not call back */
	pthread_mutex_unlock(&s->lock);
}

void
session_destroy(struct session *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->connecting);
	free(s);
}

/* Under the lock: the rest of what there is to know of a guest that is gone. */
static void
forget_guest(struct session *s)
{
	s->vid = s->fd = -1;
	s->peer = 0;
	s->ready = s->told = s->left = 0;
	s->is_running = s->is_in_message = s->has_failed = false;
	s->unsound = -1;
	s->has_memory = s->is_memory_known = s->is_private = s->is_postcopy = false;
	s->has_log = s->is_log_stale = s->has_advised = false;
	s->n_regions = 0;
	s->promised_mtu = 0;
	s->features = s->uso = s->offered = s->kept = 0;
	s->was_stopped = false;
	announce_forget(&s->announce);
	guard_forget(s->port->id);
	guard_forgive(s->port->id);
	for (uint32_t i = 0; i < PORT_QUEUES_MAX; i++) {
		ring_reset(&s->rx[i]);
		ring_reset(&s->tx[i]);
	}
}

static bool
is_library(const struct session *s)
{
	return s->port->conf.vhost.is_library;
}

bool
session_is_attached(const struct session *s)
{
	return atomic_load_explicit(&s->view, memory_order_relaxed) ||
	       atomic_load_explicit(&s->library_vid, memory_order_relaxed) >= 0;
}

static bool
is_pair_on(const struct session *s, const struct session_view *view, uint32_t q)
{
	if (is_library(s))
		return s->ready >> 2 * q & 1 && s->ready >> (2 * q + 1) & 1;
	return view && view->rx[q].size && view->tx[q].size && ring_fault(&s->rx[q]) == RING_FINE &&
	       ring_fault(&s->tx[q]) == RING_FINE;
}

/* Number of the first ring that lies, as the guest counts, or -1. */
static int
find_fault(const struct session *s)
{
	for (int q = 0; q < s->port->conf.queues; q++) {
		if (ring_fault(&s->tx[q]) != RING_FINE)
			return 2 * q;
		if (ring_fault(&s->rx[q]) != RING_FINE)
			return 2 * q + 1;
	}
	return -1;
}

static const char *
fault_text(const struct session *s, int number)
{
	const struct ring *r = number % 2 ? &s->rx[number / 2] : &s->tx[number / 2];

	switch (ring_fault(r)) {
	case RING_INDEX_JUMPED:
		return "it offers more buffers than it has entries";
	case RING_ENDLESS:
		return "it has a chain that is longer than the ring";
	default:
		return "it names a descriptor that it does not have";
	}
}

/* Why the port can't be up, or false with all well. */
static bool
say_why_down(const struct session *s)
{
	struct port *port = s->port;

	if (s->lacking) {
		char text[REASON_MAX];

		contract_explain(s, text, sizeof(text));
		port_set_reason(port, "refused: %s", text);
	} else if (stall_is_by(port->id))
		port_set_reason(port,
				"QEMU has made a worker wait for it, by an eventfd that blocks: "
				"switched off until the port is deleted and added again");
	else if (s->vid < 0 && s->client.access_error)
		port_set_reason(port, "can't connect to %s: %s: let vswitchd write to it",
				port->conf.vhost.socket, strerror(s->client.access_error));
	else if (s->vid < 0)
		port_set_reason(port, "waiting for QEMU %s %s",
				port->conf.vhost.is_client ? "to listen on" : "to connect to",
				port->conf.vhost.socket);
	else if (s->is_private)
		port_set_reason(port, "guest memory is not shared: add share=on to the memory "
				      "backend (libvirt: <access mode='shared'/>)");
	else if (guard_is_hit(port->id))
		port_set_reason(port, "QEMU has cut a file short that it shares with us, guest "
				      "memory or the log of dirty pages: switched off until it "
				      "connects anew");
	else if (s->is_postcopy)
		port_set_reason(port, "post-copy migration: the network waits until all of the "
				      "guest's memory is here");
	else if (!s->is_running)
		port_set_reason(port, "QEMU is connected, the guest's driver is not up");
	else if (is_library(s) ? !s->has_memory
			       : s->is_in_message) /* it has failed: else nobody asks */
		port_set_reason(port, "a vhost-user message of QEMU failed: its rings are off");
	else
		return false;
	return true;
}

void
session_judge(struct session *s)
{
	const struct session_view *view = atomic_load_explicit(&s->view, memory_order_relaxed);
	bool is_up = false;
	int fault;

	if (say_why_down(s)) {
		port_set_link(s->port, false);
		return;
	}
	for (uint32_t q = 0; q < s->port->conf.queues; q++)
		is_up = is_up || is_pair_on(s, view, q);
	fault = find_fault(s);
	if (fault >= 0)
		port_set_reason(s->port,
				"guest's ring %d lies: %s: switched off until the guest resets it",
				fault, fault_text(s, fault));
	else if (s->unsound >= 0)
		port_set_reason(s->port, "guest's ring %d does not lie in its memory, or is none",
				s->unsound);
	else
		port_set_reason(s->port, is_up ? "" : "the guest has switched its queues off");
	port_set_link(s->port, is_up);
}

void
session_attend(struct session *s)
{
	bool is_off = guard_is_hit(s->port->id) || stall_is_by(s->port->id);

	pthread_mutex_lock(&s->lock);
	if (is_off) {
		attach_undo(s);
		library_hide(s); /* to wait is for who gives the number back */
	}
	if (is_off || (!s->is_in_message && find_fault(s) >= 0))
		session_judge(s);
	pthread_mutex_unlock(&s->lock);
	contract_save(s, false);
}

/*
 * The library's event thread, which is one for all ports, waits for the rest of a message and for
 * room for its answers: not for ever, and rte_vhost_driver_unregister() with it. QEMU writes a
 * message in one piece.
 */
static void
limit_patience(int fd)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

/*
 * Is it a port of ours with mode: client that has connected? A link in the place of its socket can
 * lead it here, and would keep the guest out.
 */
static bool
is_ours(const struct session *s)
{
	static struct log_limit limit = {.burst = 5, .interval_s = 60}; /* event thread's */
	uint32_t suppressed;

	if (s->port->conf.vhost.is_client || s->peer != getpid())
		return false;
	if (log_allowed(&limit, &suppressed))
		log_warn("port %s: refused a connection of vswitchd itself: the socket of a port "
			 "with mode: client leads to %s: look for a link there",
			 s->port->conf.name, s->port->conf.vhost.socket);
	return true;
}

static int
new_connection(int vid)
{
	char path[UNIX_PATH_MAX + 1] = "";
	struct session *s;
	bool is_welcome = true;
	int busy;

	rte_vhost_get_ifname(vid, path, sizeof(path));
	s = registry_find(path);
	if (!s || rte_vhost_extern_callback_register(vid, &message_ops, NULL) != 0)
		return -1;
	pthread_mutex_lock(&s->lock);
	busy = s->vid;
	if (busy < 0) {
		forget_guest(s);
		s->fd = shared_find_connection(path, s->port->conf.vhost.is_client);
		limit_patience(s->fd);
		s->peer = shared_find_peer(s->fd);
		s->n_connections++;
		is_welcome = contract_meet(s) && !is_ours(s);
		if (is_welcome) {
			s->vid = vid;
			registry_bind(vid, s);
		}
		session_judge(s);
	}
	pthread_mutex_unlock(&s->lock);
	if (busy >= 0) {
		static struct log_limit limit = {.burst = 5, .interval_s = 60};
		uint32_t suppressed;

		/* the event thread's alone: a client socket makes one connection at a time */
		if (log_allowed(&limit, &suppressed))
			log_warn("port %s: refused a second connection to %s: one guest is "
				 "connected already",
				 s->port->conf.name, path);
		return -1;
	}
	return is_welcome ? 0 : -1;
}

static void
destroy_connection(int vid)
{
	struct session *s = registry_of(vid);

	if (!s)
		return;
	registry_bind(vid, NULL);
	/* until the library has noted it: what follows this callback takes it out of its list */
	pthread_mutex_lock(&s->connecting);
	pthread_mutex_unlock(&s->connecting);
	pthread_mutex_lock(&s->lock);
	attach_undo(s);
	library_detach(s);
	if (s->was_stopped)
		contract_forget(s);
	forget_guest(s);
	session_judge(s);
	pthread_mutex_unlock(&s->lock);
	client_lost(s);
}

static int
new_device(int vid)
{
	struct session *s = registry_of(vid);

	if (!s)
		return -1;
	pthread_mutex_lock(&s->lock);
	s->is_running = s->has_run = true;
	s->was_stopped = false;
	if (is_library(s)) {
		if (!s->is_closing && attach_is_possible(s))
			library_attach(s);
	} else if (!s->is_in_message) { /* else the message that made it ready has failed */
		attach_guest(s);
	}
	session_judge(s);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static void
destroy_device(int vid)
{
	struct session *s = registry_of(vid);

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	attach_undo(s);
	library_detach(s);
	s->is_running = false;
	s->was_stopped = s->is_in_message && s->request == REQUEST_GET_VRING_BASE;
	session_judge(s);
	pthread_mutex_unlock(&s->lock);
}

static int
vring_state_changed(int vid, uint16_t number, int is_on)
{
	struct session *s = registry_of(vid);

	if (!s || number >= 2u * s->port->conf.queues)
		return 0;
	/* the guest took the translation of the ring away: the library asks for a new one when the
	 * ring is next polled, not before */
	if (!is_on && s->is_translating)
		return 0;
	pthread_mutex_lock(&s->lock);
	if (is_on)
		s->ready |= 1u << number;
	else
		s->ready &= ~(1u << number);
	if (is_library(s)) {
		library_update(s);
	} else if (s->is_running && !s->is_in_message) {
		attach_undo(s);
		attach_guest(s);
	}
	/* within a message a ring goes off only to come back: that is no change of the link */
	if (s->is_running && !s->is_in_message)
		session_judge(s);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

const struct rte_vhost_device_ops session_device_ops = {
	.new_device = new_device,
	.destroy_device = destroy_device,
	.vring_state_changed = vring_state_changed,
	.new_connection = new_connection,
	.destroy_connection = destroy_connection,
};

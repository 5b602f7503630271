/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.c: the vhost-user kind of port, see vhost.h and port.h. Opening and closing on the control
 * thread; what workers call goes to the guest's rings, split or packed, or to the library on a port
 * that asks for it.
 */
#include "vhost.h"

#include <errno.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_vhost.h>

#include "attach.h"
#include "compat.h"
#include "error.h"
#include "feature.h"
#include "frame.h"
#include "guard.h"
#include "hint.h"
#include "library.h"
#include "log.h"
#include "offload.h"
#include "registry.h"
#include "ring.h"
#include "session.h"
#include "details.h"
#include "socket.h"

static const uint64_t protocol_features_offered =
	1ull << VHOST_USER_PROTOCOL_F_MQ | 1ull << VHOST_USER_PROTOCOL_F_LOG_SHMFD |
	1ull << VHOST_USER_PROTOCOL_F_RARP | 1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK |
	1ull << VHOST_USER_PROTOCOL_F_NET_MTU | 1ull << VHOST_USER_PROTOCOL_F_STATUS |
	1ull << VHOST_USER_PROTOCOL_F_PAGEFAULT;

/*
 * rte_vhost_driver_set_features() would take the port for something else than a network device: no
 * bursts, and not ready until the guest has enabled every queue pair that it was given, where a
 * guest starts with one. So what we never offer is taken away from what the library offers;
 * message.c leaves out what the port's configuration has switched off.
 */
static int
offer_features(const struct port_conf *conf)
{
	const char *path = conf->vhost.socket;
	uint64_t all, ours = feature_offered(OFFLOAD_ALL, conf);
	uint64_t protocol = protocol_features_offered;

	/* the library's announcement ends with what its mbuf held before: bytes of other frames */
	if (conf->vhost.is_library)
		protocol &= ~(1ull << VHOST_USER_PROTOCOL_F_RARP);
	if (conf->vhost.has_viommu)
		protocol |= 1ull << PROTOCOL_BACKEND_REQ;
	if (rte_vhost_driver_get_features(path, &all) != 0 ||
	    rte_vhost_driver_disable_features(path, all & ~ours) != 0 ||
	    rte_vhost_driver_set_protocol_features(path, protocol) != 0)
		return -1;
	return compat_set_max_queue_pairs(path, conf->queues);
}

static int
start_socket(struct session *s, struct error *e)
{
	const struct port_conf *conf = &s->port->conf;
	const char *path = conf->vhost.socket;
	uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS;
	mode_t before;
	int err;

	if (conf->vhost.is_client)
		flags |= RTE_VHOST_USER_CLIENT; /* tries again until QEMU listens */
	if (conf->vhost.has_viommu)
		flags |= RTE_VHOST_USER_IOMMU_SUPPORT;
	if (rte_vhost_driver_register(path, flags) != 0)
		return error_set(e, -EIO,
				 "port %s: socket: librte_vhost does not take %s: its log "
				 "says why",
				 conf->name, path);
	if (offer_features(conf) != 0 ||
	    rte_vhost_driver_callback_register(path, &session_device_ops) != 0) {
		err = error_set(e, -EIO, "port %s: librte_vhost does not take the port's features",
				conf->name);
		goto fail;
	}
	before = socket_umask_begin();
	err = rte_vhost_driver_start(path);
	socket_umask_end(before);
	if (err)
		err = error_set(e, -EIO,
				"port %s: socket: can't listen on %s: librte_vhost's log "
				"says why",
				conf->name, path);
	else if (!conf->vhost.is_client)
		err = socket_set_rights(conf, e);
	if (!err)
		return 0;

fail:
	session_close(s);
	rte_vhost_driver_unregister(path);
	return err;
}

static void
vhost_close(struct port *port)
{
	struct session *s = port->priv;

	if (!s)
		return;
	session_close(s);
	/* waits for running callbacks, so that none of their locks may be held; ends the guest's
	 * connection, and removes the file of a listening socket */
	rte_vhost_driver_unregister(port->conf.vhost.socket);
	registry_remove(s);
	library_close(s);
	session_destroy(s);
	port->priv = NULL;
}

static int
vhost_open(struct port *port, struct error *e)
{
	struct session *s = NULL;
	int err;

	guard_init();
	err = socket_prepare(&port->conf, e);
	if (err)
		return err;
	s = session_create(port);
	if (!s)
		return error_set(e, -ENOMEM, "port %s: out of memory", port->conf.name);
	if (port->conf.vhost.has_viommu)
		log_warn(
			"port %s: viommu: librte_vhost does not hold a hostile guest with a vIOMMU "
			"to its own memory: for guests that are trusted like this host",
			port->conf.name);
	if (port->conf.vhost.is_library)
		err = library_open(s, e);
	if (err)
		goto fail;
	err = registry_add(s);
	if (err) {
		err = error_set(e, err, "port %s: socket: another port has %s already",
				port->conf.name, port->conf.vhost.socket);
		goto fail;
	}
	port->priv = s;
	pthread_mutex_lock(&s->lock);
	session_judge(s);
	pthread_mutex_unlock(&s->lock);
	err = start_socket(s, e);
	if (err)
		goto fail_registered;
	return 0;

fail_registered:
	registry_remove(s);
	port->priv = NULL;
fail:
	library_close(s);
	session_destroy(s);
	return err;
}

/* What is longer is dropped from now on; which MTU the guest has is its own affair, or QEMU's. */
static int
vhost_set_mtu(struct port *port, uint16_t mtu, struct error *e)
{
	struct session *s = port->priv;
	uint16_t promised;

	pthread_mutex_lock(&s->lock);
	promised = s->promised_mtu;
	pthread_mutex_unlock(&s->lock);
	if (mtu < promised)
		return error_set(
			e, -EBUSY,
			"port %s: mtu: the guest runs with host_mtu=%u: lower it there first",
			port->conf.name, promised);
	return 0;
}

/* What the guest has negotiated stays so: what it asks for is granted until it asks anew. */
static void
vhost_set_offloads(struct port *port, uint32_t offloads)
{
	struct session *s = port->priv;

	pthread_mutex_lock(&s->lock);
	atomic_store_explicit(&s->offloads, offloads, memory_order_relaxed);
	if (session_is_attached(s))
		attach_offloads(s);
	pthread_mutex_unlock(&s->lock);
}

static uint32_t
vhost_rx(struct port *port, uint16_t queue, struct batch *batch, struct port_stats *stats)
{
	struct session *s = port->priv;
	const struct session_view *view;
	struct ring *r = &s->rx[queue];
	const struct ring_view *v;
	uint32_t n;

	if (port->conf.vhost.is_library)
		return library_rx(s, queue, batch, stats);
	if (queue == 0 && announce_lend(&s->announce, batch))
		return batch->n;
	/* acquire: pairs with attach_guest() */
	view = atomic_load_explicit(&s->view, memory_order_acquire);
	if (!view || !view->rx[queue].size || unlikely(ring_fault(r) != RING_FINE))
		return 0;
	v = &view->rx[queue];
	n = v->ops->rx(v, r, batch, stats);
	if (unlikely(ring_fault(r) != RING_FINE)) {
		stats_rx_drop(stats, DROP_RX_BAD_CHAIN, 1);
		hint_post(HINT_PORT, port->id, 0);
	}
	return n;
}

static void
vhost_release(struct port *port, uint16_t queue, struct batch *batch)
{
	struct session *s = port->priv;
	struct ring *r = &s->rx[queue];

	if (port->conf.vhost.is_library)
		library_release(batch);
	else if (queue != 0 || !announce_release(&s->announce))
		r->lent->ops->release(r);
}

static uint64_t
vhost_tx(struct port *port, struct batch *batch, uint64_t set, struct worker *worker,
	 struct port_stats *stats)
{
	struct session *s = port->priv;
	const struct session_view *view;
	const struct ring_view *v;
	struct ring *r;
	uint16_t queue;

	if (port->conf.vhost.is_library)
		return library_tx(s, batch, set, worker, stats);
	/* acquire: pairs with attach_guest() */
	view = atomic_load_explicit(&s->view, memory_order_acquire);
	if (unlikely(!view || view->n_tx == 0)) {
		stats_drop(stats, DROP_TX_DOWN, set_count(set));
		return 0;
	}
	/* always the same queue for a receive queue, so that the order of its frames holds */
	queue = view->tx_queues[(uint32_t)(batch->in_port + batch->in_queue) % view->n_tx];
	v = &view->tx[queue];
	r = &s->tx[queue];
	ring_lock(r, stats);
	if (unlikely(ring_fault(r) != RING_FINE)) {
		stats_drop(stats, DROP_TX_DOWN, set_count(set));
		set = 0;
	} else {
		set = v->ops->tx(v, r, batch, set, stats);
		if (unlikely(ring_fault(r) != RING_FINE))
			hint_post(HINT_PORT, port->id, 0);
	}
	rte_spinlock_unlock(&r->lock);
	return set;
}

/* Returns how many interrupts it raised. */
static uint32_t
call_if_wanted(const struct ring_view *v, struct ring *r, uint16_t now)
{
	if (!v->ops->wants_call(v, r, now))
		return 0;
	ring_call(v);
	return 1;
}

static void
vhost_notify(struct port *port, struct worker *worker, struct port_stats *stats)
{
	struct session *s = port->priv;
	const struct session_view *view = atomic_load_explicit(&s->view, memory_order_acquire);
	uint16_t rx_now[PORT_QUEUES_MAX], tx_now[PORT_QUEUES_MAX]; /* not initialised: large */
	uint32_t rx = 0, tx = 0;
	uint64_t n_calls = 0;

	(void)worker;
	if (!view) /* detached: attach_guest() sees what was touched */
		return;
	for (uint32_t q = 0; q < port->conf.queues; q++) {
		if (view->rx[q].size && ring_take_touched(&s->rx[q])) {
			rx_now[q] = ring_used(&s->rx[q]);
			rx |= 1u << q;
		}
		if (view->tx[q].size && ring_take_touched(&s->tx[q])) {
			tx_now[q] = ring_used(&s->tx[q]);
			tx |= 1u << q;
		}
	}
	if (!(rx | tx))
		return;
	/*
	 * Full fence: what was given back up to now, by other workers too, must be in the guest's
	 * sight before we read whether it wants to be told. The guest does the same the other way
	 * round when it goes to sleep.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	set_foreach (q, rx)
		n_calls += call_if_wanted(&view->rx[q], &s->rx[q], rx_now[q]);
	set_foreach (q, tx)
		n_calls += call_if_wanted(&view->tx[q], &s->tx[q], tx_now[q]);
	if (n_calls)
		stats_add(&stats->notified, n_calls);
}

static void
vhost_attend(struct port *port)
{
	session_attend(port->priv);
}

const struct port_ops vhost_port_ops = {
	.type = "vhost-user",
	.peer = "guest",
	.check = socket_check,
	.open = vhost_open,
	.close = vhost_close,
	.set_mtu = vhost_set_mtu,
	.set_offloads = vhost_set_offloads,
	.rx = vhost_rx,
	.release = vhost_release,
	.tx = vhost_tx,
	.notify = vhost_notify,
	.show = details_report,
	.attend = vhost_attend,
};

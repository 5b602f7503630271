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
#include "attach.h"
#include "client.h"
#include "contract.h"
#include "details.h"
#include "driver.h"
#include "error.h"
#include "frame.h"
#include "guard.h"
#include "hint.h"
#include "library.h"
#include "log.h"
#include "offload.h"
#include "registry.h"
#include "ring.h"
#include "session.h"
#include "socket.h"
#include "switch.h"
#include "wake.h"

static void
vhost_close(struct port *port)
{
	struct session *s = port->priv;

	if (!s)
		return;
	client_close(s);
	session_close(s);
	driver_stop(s);
	contract_close(s);
	registry_remove(s);
	library_close(s);
	session_destroy(s);
	port->priv = NULL;
}

static int
vhost_open(struct port *port, struct error *e)
{
	struct session *s = session_create(port);
	int err;

	if (!s)
		return error_set(e, -ENOMEM, "port %s: out of memory", port->conf.name);
	port->priv = s;
	guard_init();
	err = registry_add(s, e);
	if (!err)
		err = socket_prepare(&port->conf, e);
	if (err)
		goto fail;
	if (port->conf.vhost.has_viommu)
		log_warn(
			"port %s: viommu: librte_vhost does not hold a hostile guest with a vIOMMU "
			"to its own memory: for guests that are trusted like this host",
			port->conf.name);
	if (port->conf.vhost.is_library)
		err = library_open(s, e);
	if (!err)
		err = contract_open(s, e);
	if (err)
		goto fail;
	pthread_mutex_lock(&s->lock);
	session_judge(s);
	pthread_mutex_unlock(&s->lock);
	err = port->conf.vhost.is_client ? client_open(s, e) : driver_start(s, e);
	if (err)
		goto fail;
	return 0;

fail:
	contract_close(s);
	registry_remove(s);
	library_close(s);
	session_destroy(s);
	port->priv = NULL;
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

static int
vhost_set_pinned(struct port *port, bool is_pinned, struct error *e)
{
	return contract_set_pinned(port->priv, is_pinned, e);
}

static void
vhost_settle(struct port *port)
{
	contract_settle(port->priv);
}

static void
vhost_forget(struct vswitch *sw, const struct port_conf *conf)
{
	contract_erase(sw->conf.state, conf->name);
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

int
vhost_init(struct event_base *base, struct error *e)
{
	return client_init(base, e);
}

void
vhost_fini(void)
{
	client_fini();
	wake_fini();
}

static void
vhost_attend(struct port *port)
{
	session_attend(port->priv);
}

static void
vhost_tick(struct port *port)
{
	contract_save(port->priv, false);
}

const struct port_ops vhost_port_ops = {
	.type = "vhost-user",
	.peer = "guest",
	.check = socket_check,
	.open = vhost_open,
	.close = vhost_close,
	.set_mtu = vhost_set_mtu,
	.set_offloads = vhost_set_offloads,
	.set_pinned = vhost_set_pinned,
	.settle = vhost_settle,
	.forget = vhost_forget,
	.rx = vhost_rx,
	.release = vhost_release,
	.tx = vhost_tx,
	.notify = vhost_notify,
	.show = details_report,
	.attend = vhost_attend,
	.tick = vhost_tick,
};

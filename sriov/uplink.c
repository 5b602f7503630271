/* SPDX-License-Identifier: BSD-3-Clause */
/* uplink.c: the port_ops of uplinks, see uplink.h; the life of the device is in life.c. */
#include "uplink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#include "error.h"
#include "ethdev.h"
#include "filter.h"
#include "frame.h"
#include "life.h"
#include "log.h"
#include "switch.h"
#include "vf.h"
#include "vfs.h"
#include "worker.h"

static struct uplink *uplinks; /* all that are open; control */

/* Warns of what works badly or not at all, once the device is there. */
static void
warn(const struct uplink *u)
{
	const struct port *port = u->port;
	int node = rte_eth_dev_socket_id(u->device.dpdk_port);

	for (uint16_t q = 0; q < port->conf.queues; q++) {
		const struct worker *w = port->sw->workers[port->workers[q]];

		if (node >= 0 && w->node != node)
			log_warn("port %s: its device is on NUMA node %d, but its queue %u is "
				 "polled by CPU %u on node %d, which is slower: give it lcores of "
				 "node %d",
				 port->conf.name, node, q, w->cpu, w->node, node);
	}
	for (const struct uplink *other = uplinks; other; other = other->next)
		if (other != u && u->vf.found.pf_pci[0] &&
		    strcmp(u->vf.found.pf_pci, other->vf.found.pf_pci) == 0 &&
		    u->vf.is.vlan == other->vf.is.vlan)
			log_warn("port %s: it and port %s are VFs of one PF, which itself switches "
				 "between its VFs: frames go round in a loop, unless the PF keeps "
				 "them in different VLANs (vlan: N)",
				 port->conf.name, other->port->conf.name);
}

static void
uplink_close(struct port *port)
{
	struct uplink *u = port->priv;

	if (!u)
		return;
	for (struct uplink **at = &uplinks; *at; at = &(*at)->next) {
		if (*at == u) {
			*at = u->next;
			break;
		}
	}
	life_end(u);
	free(u);
	port->priv = NULL;
}

static int
uplink_open(struct port *port, struct error *e)
{
	struct uplink *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return error_set(e, -ENOMEM, "port %s: out of memory", port->conf.name);
	u->port = port;
	u->is_vf_type = port->ops == &vf_port_ops;
	port->priv = u;
	err = life_begin(u, true, e);
	if (err) {
		uplink_close(port);
		return err;
	}
	u->next = uplinks;
	uplinks = u;
	warn(u);
	life_follow_link(u);
	return 0;
}

static void
uplink_tick(struct port *port)
{
	life_tick(port->priv);
}

static int
uplink_restart(struct port *port, struct error *e)
{
	return life_restart(port->priv, e);
}

static int
uplink_set_mtu(struct port *port, uint16_t mtu, struct error *e)
{
	struct uplink *u = port->priv;
	int err;

	if (u->is_stopped)
		return error_set(
			e, -EBUSY,
			"port %s: mtu: the device is stopped, because it did not start again: "
			"run vswitchctl port restart %s first",
			port->conf.name, port->conf.name);
	if (!u->ethdev)
		return 0; /* a device that is away gets it when it is back */
	err = ethdev_set_mtu(u->ethdev, port->conf.name, mtu, e);
	return err == -EBUSY || err == -EPERM ? life_set_mtu(u, mtu, e) : err;
}

static uint32_t
uplink_rx(struct port *port, uint16_t queue, struct batch *batch, struct port_stats *stats)
{
	struct ethdev *dev = life_path(port->priv);

	return likely(dev != NULL) ? ethdev_rx(dev, queue, batch, stats) : 0;
}

static void
uplink_release(struct port *port, uint16_t queue, struct batch *batch)
{
	(void)port;
	(void)queue;
	ethdev_release(batch);
}

static uint64_t
uplink_tx(struct port *port, struct batch *batch, uint64_t set, struct worker *worker,
	  struct port_stats *stats)
{
	struct ethdev *dev = life_path(port->priv);

	if (likely(dev != NULL))
		return ethdev_tx(dev, batch, set, worker, stats);
	stats_drop(stats, DROP_TX_DOWN, set_count(set));
	return 0;
}

/* The device has each frame when it was sent. */
static void
uplink_notify(struct port *port, struct worker *worker, struct port_stats *stats)
{
	(void)port;
	(void)worker;
	(void)stats;
}

static void
uplink_show(struct port *port, struct report *report)
{
	const struct uplink *u = port->priv;

	report->text(report, "device", u->device.name);
	report->flag(report, "device_is_there", u->ethdev != NULL);
	report->number(report, "restarts", u->n_restarts);
	report->number(report, "returns", u->n_returns);
	if (!u->ethdev)
		return;
	if (u->is_vf_type)
		vf_show(&u->vf, &port->conf, report);
	if (u->is_stopped)
		return;
	filter_show(u->filter, report);
	ethdev_show(u->ethdev, report);
}

const struct port_ops vf_port_ops = {
	.type = "vf",
	.peer = "wire",
	.is_uplink = true,
	.check = vfs_check,
	.open = uplink_open,
	.close = uplink_close,
	.set_mtu = uplink_set_mtu,
	.rx = uplink_rx,
	.release = uplink_release,
	.tx = uplink_tx,
	.notify = uplink_notify,
	.show = uplink_show,
	.tick = uplink_tick,
	.restart = uplink_restart,
};

const struct port_ops ethdev_port_ops = {
	.type = "ethdev",
	.peer = "wire",
	.is_uplink = true,
	.open = uplink_open,
	.close = uplink_close,
	.set_mtu = uplink_set_mtu,
	.rx = uplink_rx,
	.release = uplink_release,
	.tx = uplink_tx,
	.notify = uplink_notify,
	.show = uplink_show,
	.tick = uplink_tick,
	.restart = uplink_restart,
};

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uplink.c: the port_ops of uplinks, see uplink.h.
 *
 * Workers see the device only through `path`, which is NULL while there is none or while it is
 * being restarted: control takes it away, waits a grace period, and then does as it likes. So the
 * switch goes on while a device is away, and frames to it are dropped as those to a port that is
 * down.
 */
#include "uplink.h"

#include <errno.h>
#include <net/if.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "device.h"
#include "driver.h"
#include "error.h"
#include "ethdev.h"
#include "filter.h"
#include "frame.h"
#include "log.h"
#include "nic.h"
#include "rcu.h"
#include "switch.h"
#include "vf.h"
#include "vfs.h"
#include "worker.h"

enum {
	TICKS_PER_S = 1000 / SWITCH_TICK_MS,
	PF_TICKS = 10 * TICKS_PER_S, /* between looks at a PF that has told of no change */
	RETURN_WAIT_MAX_S = 16,
};

struct uplink {
	struct port *port;
	_Atomic(struct ethdev *) path; /* control: wo, workers: ro; NULL: not to be used now */
	/* all below: control */
	struct uplink *next;
	bool is_vf_type; /* type: vf */
	struct vf vf;	 /* of type vf */
	struct device device;
	struct ethdev *ethdev; /* NULL: the device was taken away, and is looked out for */
	struct filter *filter;
	const struct driver *driver;
	bool is_away;	     /* it was taken away, and nothing else is known of it since */
	uint64_t gone;	     /* vf_identify() of the device that was taken away */
	uint32_t wait_s;     /* until the next try to attach it */
	uint32_t wait_max_s; /* and how long to wait after that */
	bool is_stopped;     /* the last restart failed */
	bool is_link_up;     /* as the device and its PF say */
	bool was_restarted;  /* the link has not come up since: that it was down is our own doing */
	bool is_reset;	     /* its PF said so, and it was not restarted since */
	uint32_t reset_tick; /* of the last restart for that reason */
	uint32_t n_restarts, n_returns, n_ticks;
};

static struct uplink *uplinks; /* all that are open; control */

static struct ethdev *
path_of(const struct uplink *u)
{
	return atomic_load_explicit(&u->path, memory_order_acquire);
}

static void
path_set(struct uplink *u, struct ethdev *dev)
{
	/* release: what the worker finds behind it was written before */
	atomic_store_explicit(&u->path, dev, memory_order_release);
	if (!dev)
		rcu_synchronize();
}

static const char *
devargs_of(const struct uplink *u)
{
	return u->is_vf_type ? u->vf.found.pci : u->port->conf.ethdev.devargs;
}

/* A VF is one also where the config calls it any device. */
static bool
is_vf(const struct uplink *u)
{
	char pci[PORT_PCI_MAX], path[SYSFS_PATH_MAX];

	if (u->is_vf_type)
		return u->vf.found.is_vf;
	if (!nic_parse(u->device.name, pci))
		return false;
	nic_path(path, pci, "physfn");
	return access(path, F_OK) == 0;
}

static struct filter_facts
facts_of(const struct uplink *u)
{
	struct filter_facts facts = {.is_vf = u->driver->is_vf || is_vf(u)};

	if (u->is_vf_type)
		vf_facts(&u->vf, &facts);
	return facts;
}

/* --- the device */

static uint16_t
n_workers(const struct port *port)
{
	return (uint16_t)port->sw->n_workers;
}

/* What the driver is known for, which decides on how the device is configured. */
static int
find_driver(struct uplink *u, struct error *e)
{
	struct rte_eth_dev_info info;
	int err = rte_eth_dev_info_get(u->device.dpdk_port, &info);

	if (err)
		return error_set(e, err, "port %s: the device tells nothing of itself: %s",
				 u->port->conf.name, rte_strerror(-err));
	u->driver = driver_find(info.driver_name, is_vf(u));
	return 0;
}

static int
open_ethdev(struct uplink *u, struct error *e)
{
	const struct port_conf *conf = &u->port->conf;
	const struct ethdev_conf want = {
		.n_rxq = conf->queues,
		.n_txq = u->driver->pairs_queues ? conf->queues
						 : RTE_MAX(n_workers(u->port), conf->queues),
		.rss = true,
		.filters_vlans = u->driver->filters_vlans || (is_vf(u) && conf->uplink.n_vlans > 0),
		.interrupts = true,
		.pads = true,
	};
	struct filter_facts facts = facts_of(u);

	u->ethdev = ethdev_open(u->device.dpdk_port, &want, u->port, e);
	if (!u->ethdev)
		return -EIO;
	if (u->vf.has_pf && u->vf.is.vlan > 0)
		ethdev_set_port_vlan(u->ethdev, (uint16_t)u->vf.is.vlan);
	u->filter = filter_open(u->port, u->device.dpdk_port, &facts, e);
	return u->filter ? 0 : -ENOTSUP;
}

/*
 * Lets go of the device. Takes a half-attached one. The VF stays as it was made, to be given back
 * by release_vf(); but if DPDK could not close the device, the kernel would wait for that for ever
 * when it is to take it from vfio-pci.
 */
static void
detach(struct uplink *u)
{
	path_set(u, NULL);
	filter_close(u->filter);
	u->filter = NULL;
	device_ignore(&u->device);
	ethdev_close(u->ethdev);
	u->ethdev = NULL;
	u->is_stopped = false;
	if (!device_remove(&u->device, u->port->conf.name))
		vf_forget(&u->vf, &u->port->conf);
}

/* Which device is at the address now; 0: none, or it has no PCI address. */
static uint64_t
identify(const struct uplink *u)
{
	char pci[PORT_PCI_MAX];

	return nic_parse(u->device.name, pci) ? vf_identify(pci) : 0;
}

/* Gives the VF back. One that was taken away is another one by now, or only unbound. */
static void
release_vf(struct uplink *u)
{
	if (u->is_away && (u->gone == 0 || identify(u) != u->gone))
		vf_forget(&u->vf, &u->port->conf);
	else
		vf_release(&u->vf, &u->port->conf);
	u->is_away = false;
	u->gone = 0;
}

/* From nothing to a device that runs. -errno with the sentence in e leaves nothing behind. */
static int
attach(struct uplink *u, bool may_make, struct error *e)
{
	const struct port_conf *conf = &u->port->conf;
	int err = 0;

	release_vf(u);
	if (u->is_vf_type)
		err = vf_prepare(&u->vf, conf, may_make, e);
	if (err)
		return err;
	err = device_probe(&u->device, conf->name, devargs_of(u), e);
	if (err == 0)
		err = find_driver(u, e);
	if (err == 0)
		err = open_ethdev(u, e);
	if (err) {
		detach(u);
		release_vf(u);
		return err;
	}
	u->is_link_up = false;
	u->was_restarted = true;
	path_set(u, u->ethdev);
	return 0;
}

/* --- link */

/* Is the PF set down by its host? Then many VFs still say that their link is up. */
static bool
is_pf_down(const struct uplink *u)
{
	return u->vf.has_pf && !u->vf.pf.is_up;
}

static bool
read_link(const struct uplink *u)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(u->device.dpdk_port, &link) == 0 &&
	       link.link_status == RTE_ETH_LINK_UP && !is_pf_down(u);
}

static void
show_link(struct uplink *u)
{
	if (u->is_link_up)
		port_set_reason(u->port, "%s", "");
	else if (is_pf_down(u))
		port_set_reason(u->port, "the PF %s is down: ip link set %s up",
				u->vf.found.pf_ifname, u->vf.found.pf_ifname);
	else
		port_set_reason(u->port, "no link: the cable, or the other end, is down");
	port_set_link(u->port, u->is_link_up);
}

/* The sentence without its `port NAME: `, which the log and the list put before a reason. */
static void
show_error(struct uplink *u, const struct error *e)
{
	char prefix[PORT_NAME_MAX + sizeof("port : ")];
	size_t len = (size_t)snprintf(prefix, sizeof(prefix), "port %s: ", u->port->conf.name);

	port_set_reason(u->port, "%s", e->text + (strncmp(e->text, prefix, len) == 0 ? len : 0));
}

/* --- restart */

/*
 * Stops the device and starts it anew. A driver that refuses to start, as while the PF is down, is
 * asked again every second.
 */
static int
restart(struct uplink *u, const char *why, struct error *e)
{
	struct filter_facts facts;
	int err;

	if (!u->is_stopped)
		log_info("port %s: the device is restarted: %s", u->port->conf.name, why);
	port_set_link(u->port, false);
	path_set(u, NULL);
	err = ethdev_restart(u->ethdev, u->port, e);
	u->is_stopped = err != 0;
	if (err) {
		show_error(u, e);
		return err;
	}
	u->n_restarts++;
	u->was_restarted = true;
	facts = facts_of(u);
	filter_renew(u->filter, &facts);
	u->is_link_up = read_link(u);
	path_set(u, u->ethdev);
	show_link(u);
	return 0;
}

static void
restart_by_itself(struct uplink *u, const char *why)
{
	struct error e;

	restart(u, why, &e);
}

/* At most once a second, however often a PF is reset. */
static void
restart_after_reset(struct uplink *u)
{
	u->is_reset = false;
	u->reset_tick = u->n_ticks;
	restart_by_itself(u, "its PF was reset");
}

/*
 * A driver that is deaf after its link was down is restarted when it comes up again, but not when
 * that is the consequence of a restart, which a PF that is down never is.
 */
static void
follow_link(struct uplink *u)
{
	bool is_up = read_link(u);

	if (is_pf_down(u))
		u->was_restarted = false;
	if (is_up && !u->is_link_up && !u->was_restarted && u->driver->restarts_on_link_up) {
		restart_by_itself(u, "its link came up");
		return;
	}
	if (is_up)
		u->was_restarted = false;
	u->is_link_up = is_up;
	show_link(u);
}

/* --- removal and return */

/*
 * An interface of the host that a driver is on, as net_af_packet, can be deleted without a word:
 * its device says that it is up, and moves nothing.
 */
static bool
has_lost_interface(const struct uplink *u)
{
	char pci[PORT_PCI_MAX], ifname[IF_NAMESIZE];
	struct rte_eth_dev_info info;

	return !u->is_stopped && !nic_parse(u->device.name, pci) &&
	       rte_eth_dev_info_get(u->device.dpdk_port, &info) == 0 && info.if_index > 0 &&
	       !if_indextoname(info.if_index, ifname) && errno == ENXIO;
}

static void
remove_device(struct uplink *u)
{
	u->is_away = true;
	u->gone = identify(u);
	u->wait_s = u->wait_max_s = 1;
	detach(u);
	u->is_link_up = false;
	port_set_reason(u->port,
			"the device %s was taken away: it is attached again when it is back, or by "
			"vswitchctl port restart %s",
			u->device.name, u->port->conf.name);
	port_set_link(u->port, false);
}

/*
 * Every second. A PCI device that is still the one that was taken from us is not taken back: its
 * host wants it. What is no PCI device is tried, less and less often.
 */
static void
look_out(struct uplink *u)
{
	char pci[PORT_PCI_MAX];
	bool is_pci = nic_parse(u->device.name, pci);
	uint64_t now = identify(u);
	struct error e;

	if (is_pci && (now == 0 || now == u->gone))
		return;
	if (--u->wait_s > 0)
		return;
	if (attach(u, false, &e) != 0) {
		show_error(u, &e);
		u->wait_s = u->wait_max_s = RTE_MIN(2 * u->wait_max_s, (uint32_t)RETURN_WAIT_MAX_S);
		return;
	}
	u->n_returns++;
	log_info("port %s: the device %s is back", u->port->conf.name, u->device.name);
	follow_link(u);
}

/* --- port_ops */

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
	detach(u);
	release_vf(u);
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
	err = attach(u, true, e);
	if (err) {
		uplink_close(port);
		return err;
	}
	u->next = uplinks;
	uplinks = u;
	warn(u);
	follow_link(u);
	return 0;
}

/*
 * The PF has said something new of itself or of the VF. One that is down answers no VF, so that a
 * driver would wait for each setting in vain: they are due when it is up again. So they are when a
 * device that is stopped starts.
 */
static void
follow_pf(struct uplink *u)
{
	struct filter_facts facts = facts_of(u);

	ethdev_set_port_vlan(u->ethdev, u->vf.is.vlan > 0 ? (uint16_t)u->vf.is.vlan : 0);
	if (!is_pf_down(u) && !u->is_stopped)
		filter_renew(u->filter, &facts);
}

static void
uplink_tick(struct port *port)
{
	struct uplink *u = port->priv;
	bool is_second = ++u->n_ticks % TICKS_PER_S == 0, is_due, is_new;
	uint32_t events;

	if (!u->ethdev) {
		if (is_second)
			look_out(u);
		return;
	}
	events = device_events(&u->device);
	if (events & DEVICE_EVENT_REMOVE || (is_second && has_lost_interface(u))) {
		remove_device(u);
		return;
	}
	is_due = is_second && (u->n_ticks % PF_TICKS == 0 || is_pf_down(u) || u->vf.is_pending);
	is_new = u->is_vf_type && vf_refresh(&u->vf, &port->conf, is_due);
	if (is_new)
		follow_pf(u);
	u->is_reset |= (events & DEVICE_EVENT_RESET) != 0;
	if (u->is_reset && u->n_ticks - u->reset_tick >= TICKS_PER_S)
		restart_after_reset(u);
	else if (u->is_stopped && is_second)
		restart_by_itself(u, "the last time it did not start");
	else if (!u->is_stopped && (is_second || is_new || events & DEVICE_EVENT_LINK))
		follow_link(u);
	if (path_of(u) && !is_pf_down(u))
		filter_sync(u->filter);
}

/* What is no PCI device may have lost what it is on, as an interface: it is made anew. */
static int
uplink_restart(struct port *port, struct error *e)
{
	struct uplink *u = port->priv;
	bool was_away = !u->ethdev;
	char pci[PORT_PCI_MAX];
	int err;

	if (!was_away && nic_parse(u->device.name, pci))
		return restart(u, "vswitchctl asked for it", e);
	detach(u);
	err = attach(u, true, e);
	if (err) {
		u->wait_s = u->wait_max_s = 1;
		show_error(u, e);
		port_set_link(u->port, false);
		return err;
	}
	u->n_restarts += !was_away;
	u->n_returns += was_away;
	follow_link(u);
	return 0;
}

static int
uplink_set_mtu(struct port *port, uint16_t mtu, struct error *e)
{
	struct uplink *u = port->priv;

	if (u->is_stopped)
		return error_set(
			e, -EBUSY,
			"port %s: mtu: the device is stopped, because it did not start again: "
			"run vswitchctl port restart %s first",
			port->conf.name, port->conf.name);
	/* a device that is away gets it when it is back */
	return u->ethdev ? ethdev_set_mtu(u->ethdev, port->conf.name, mtu, e) : 0;
}

static uint32_t
uplink_rx(struct port *port, uint16_t queue, struct batch *batch, struct port_stats *stats)
{
	struct ethdev *dev = path_of(port->priv);

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
	struct ethdev *dev = path_of(port->priv);

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

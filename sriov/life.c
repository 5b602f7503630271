/* SPDX-License-Identifier: BSD-3-Clause */
/* life.c: see life.h. */
#include "life.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "driver.h"
#include "error.h"
#include "ethdev.h"
#include "filter.h"
#include "log.h"
#include "nic.h"
#include "offload.h"
#include "port.h"
#include "rcu.h"
#include "switch.h"
#include "vfs.h"

enum {
	TICKS_PER_S = 1000 / SWITCH_TICK_MS,
	PF_TICKS = 10 * TICKS_PER_S, /* between looks at a PF that has told of no change */
	RETURN_WAIT_MAX_S = 16,
	REST = 20, /* a try that took t and failed is followed by none for REST * t */
};

static const uint64_t SECOND_NS = 1000000000;

static void
path_set(struct uplink *u, struct ethdev *dev)
{
	/* before the grace period: by the next path nobody sends what only this device takes */
	if (!dev)
		port_set_offloads(u->port, 0);
	/* release: what the worker finds behind it was written before */
	atomic_store_explicit(&u->path, dev, memory_order_release);
	if (!dev)
		rcu_synchronize();
	else
		port_set_offloads(u->port, ethdev_offloads(dev) & u->port->conf.offloads);
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
	struct filter_facts facts = facts_of(u);
	const struct ethdev_conf want = {
		.n_rxq = conf->queues,
		.n_txq = u->driver->pairs_queues ? conf->queues
						 : RTE_MAX(n_workers(u->port), conf->queues),
		.rss = true,
		.filters_vlans = u->driver->filters_vlans || (is_vf(u) && conf->uplink.n_vlans > 0),
		.interrupts = true,
		.offloads = u->port->conf.offloads & OFFLOAD_CHECKSUM,
		.is_vf = facts.is_vf,
		.pads = true,
	};

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

void
life_end(struct uplink *u)
{
	detach(u);
	release_vf(u);
}

int
life_begin(struct uplink *u, bool may_make, struct error *e)
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
		life_end(u);
		return err;
	}
	u->at = identify(u);
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
 * Drivers wait for their PFs, as iavf 10 s for the end of a reset, and the control thread with
 * them: what takes long is seldom tried, so that it has time for others.
 */
static void
rest(struct uplink *u, uint64_t start)
{
	uint64_t end = filter_clock(), took = end - start;

	u->again_ns = end + RTE_MAX(SECOND_NS, took);
	u->retry_ns = end + RTE_MAX(SECOND_NS, REST * took);
}

/*
 * Stops the device and starts it anew. A driver that refuses to start, as while the PF is down, is
 * asked again, see life_tick().
 */
static int
restart(struct uplink *u, const char *why, struct error *e)
{
	uint64_t start = filter_clock();
	struct filter_facts facts;
	int err;

	if (!u->is_stopped)
		log_info("port %s: the device is restarted: %s", u->port->conf.name, why);
	port_set_link(u->port, false);
	path_set(u, NULL);
	err = ethdev_restart(u->ethdev, u->port, e);
	u->is_stopped = err != 0;
	rest(u, start);
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

/*
 * A driver that is deaf after its link was down is restarted when it comes up again, but not when
 * that is the consequence of a restart, which a PF that is down never is.
 */
void
life_follow_link(struct uplink *u)
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

/* So can a PCI device be whose driver in the kernel waits for nobody, as those of uio. */
static bool
has_lost_device(const struct uplink *u)
{
	return u->at != 0 && identify(u) != u->at;
}

static void
remove_device(struct uplink *u)
{
	u->is_away = true;
	u->gone = u->at;
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
	uint64_t now = identify(u), start, took_s;
	struct error e;

	if (is_pci && (now == 0 || now == u->gone))
		return;
	if (--u->wait_s > 0)
		return;
	start = filter_clock();
	if (life_begin(u, false, &e) != 0) {
		show_error(u, &e);
		took_s = (filter_clock() - start) / SECOND_NS;
		u->wait_max_s = RTE_MIN(2 * u->wait_max_s, (uint32_t)RETURN_WAIT_MAX_S);
		u->wait_s = RTE_MAX(u->wait_max_s, (uint32_t)(REST * took_s));
		return;
	}
	u->n_returns++;
	log_info("port %s: the device %s is back", u->port->conf.name, u->device.name);
	life_follow_link(u);
}

/* --- ticks and commands */

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

/*
 * A PF that was reset wants a restart, and a device that is stopped one more; whichever it is, the
 * last one is over for as long as it took, and a second. One that failed is left alone for longer,
 * unless the PF has something new to say.
 */
static bool
restart_if_due(struct uplink *u, bool is_told)
{
	uint64_t now;

	if (!u->is_reset && !u->is_stopped)
		return false;
	if (is_told)
		u->retry_ns = RTE_MIN(u->retry_ns, u->again_ns);
	now = filter_clock();
	if (now < (u->is_reset ? u->again_ns : u->retry_ns))
		return false;
	restart_by_itself(u, u->is_reset ? "its PF was reset" : "the last time it did not start");
	u->is_reset = false;
	return true;
}

void
life_tick(struct uplink *u)
{
	bool is_second = ++u->n_ticks % TICKS_PER_S == 0, is_due, is_new;
	uint32_t events;

	if (!u->ethdev) {
		if (is_second)
			look_out(u);
		return;
	}
	events = device_events(&u->device);
	if (events & DEVICE_EVENT_REMOVE ||
	    (is_second && (has_lost_interface(u) || has_lost_device(u)))) {
		remove_device(u);
		return;
	}
	is_due = is_second && (u->n_ticks % PF_TICKS == 0 || is_pf_down(u) || u->vf.is_pending);
	is_new = u->is_vf_type && vf_refresh(&u->vf, &u->port->conf, is_due);
	if (is_new)
		follow_pf(u);
	u->is_reset |= (events & DEVICE_EVENT_RESET) != 0;
	if (!restart_if_due(u, is_new || events != 0) && !u->is_stopped &&
	    (is_second || is_new || events & DEVICE_EVENT_LINK))
		life_follow_link(u);
	if (life_path(u) && !is_pf_down(u))
		filter_sync(u->filter);
}

/* What is no PCI device may have lost what it is on, as an interface: it is made anew. */
int
life_restart(struct uplink *u, struct error *e)
{
	bool was_away = !u->ethdev;
	char pci[PORT_PCI_MAX];
	int err;

	if (!was_away && nic_parse(u->device.name, pci))
		return restart(u, "vswitchctl asked for it", e);
	detach(u);
	err = life_begin(u, true, e);
	if (err) {
		u->wait_s = u->wait_max_s = 1;
		show_error(u, e);
		port_set_link(u->port, false);
		return err;
	}
	u->n_restarts += !was_away;
	u->n_returns += was_away;
	life_follow_link(u);
	return 0;
}

int
life_set_mtu(struct uplink *u, uint16_t mtu, struct error *e)
{
	uint16_t before = port_mtu(u->port);
	int err;

	path_set(u, NULL); /* no frame of the new length to the device as it is */
	atomic_store_explicit(&u->port->mtu, mtu, memory_order_relaxed);
	err = restart(u, "it takes this MTU only so", e);
	if (err == 0)
		return 0;
	atomic_store_explicit(&u->port->mtu, before, memory_order_relaxed);
	restart_by_itself(u, "with the MTU that it had");
	return err;
}

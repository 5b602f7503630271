/* SPDX-License-Identifier: BSD-3-Clause */
/* tap.c: the port_ops of ports to the host's kernel, see tap.h. */
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_ether.h>

#include "device.h"
#include "driver.h"
#include "error.h"
#include "ethdev.h"
#include "frame.h"
#include "netlink.h"
#include "offload.h"
#include "port.h"
#include "queue.h"
#include "watch.h"
#include "worker.h"

enum {
	MTU_MIN_IPV6 = 1280, /* RFC 8200 §5 */
	MTU_MAX = 65521,     /* Linux: 65535 with the Ethernet header */
	POLL_GAP_MIN_US = 10,
	POLL_GAP_MAX_US = 80,
	POLL_GAP_SHARE_US = 12,
	POLL_GAP_LIMIT_US = 1000,
};

/*
 * To find a queue of tun or net_tap empty costs a system call, 0.25 us and more. So a queue that
 * was just read empty is left alone for a time, which doubles while nothing comes; up to a bound
 * that grows with the number of such queues that the worker has, so that all idle TAPs together
 * take about a fiftieth of it.
 */
struct tap_queue {
	alignas(64) uint64_t emptied; /* worker only; TSC when it was read empty */
	uint64_t gap;		      /* worker only; TSC cycles from then to the next look */
	struct queue own;	      /* of tun */
};

struct tap {
	struct port *port;	  /* control: wo before the port is published, then all: ro */
	struct tap_device device; /* the same */
	struct tap_driver driver; /* the same; of net_tap and vhost-net */
	struct watch *watch;	  /* control */
	struct tap *next;	  /* control */
	uint32_t known;		  /* control; of tun: offloads that the kernel knows */
	uint32_t from_host;	  /* control; offloads that the host may ask for */
	bool has_gaps;		  /* as driver; between two looks at an empty queue: not a ring's */
	uint64_t cycles_us;	  /* as driver; TSC cycles of a microsecond */
	struct tap_queue queues[PORT_QUEUES_MAX];
};

static struct tap *taps;		       /* all that are open; control */
static _Atomic uint32_t n_polled[WORKERS_MAX]; /* queues with gaps; control: wo, workers: ro */

static const struct tap *
tap_find(const char *ifname)
{
	const struct tap *t = taps;

	while (t && strcmp(t->device.ifname, ifname) != 0)
		t = t->next;
	return t;
}

static int
check_mtu(const struct port_conf *conf, uint16_t mtu, struct error *e)
{
	for (uint16_t i = 0; i < conf->tap.n_addresses; i++)
		if (conf->tap.addresses[i].family == AF_INET6 && mtu < MTU_MIN_IPV6)
			return error_set(e, -EINVAL,
					 "port %s: mtu: %u is too small for an IPv6 address, which "
					 "takes %d",
					 conf->name, mtu, MTU_MIN_IPV6);
	if (mtu > MTU_MAX)
		return error_set(e, -EINVAL, "port %s: mtu: %u is more than a TAP can have, %d",
				 conf->name, mtu, MTU_MAX);
	return 0;
}

static int
check_mac(const struct port_conf *conf, struct error *e)
{
	struct rte_ether_addr mac;

	memcpy(&mac, &conf->tap.mac, sizeof(mac));
	if (!conf->tap.has_mac || rte_is_valid_assigned_ether_addr(&mac))
		return 0;
	return error_set(
		e, -EINVAL,
		"port %s: mac: a group's address or all zeroes can't be an interface's own",
		conf->name);
}

static bool
is_tun(const struct port_conf *conf)
{
	return conf->tap.backend == PORT_BACKEND_TUN;
}

static bool
is_vhost_net(const struct port_conf *conf)
{
	return conf->tap.backend == PORT_BACKEND_VHOST_NET;
}

static int
tap_check(const struct port_conf *conf, struct error *e)
{
	struct netlink_link link;
	struct error why;
	int err = device_check_name(conf->name, conf->tap.ifname, e);

	if (err == 0)
		err = check_mac(conf, e);
	if (err == 0)
		err = check_mtu(conf, conf->mtu, e);
	if (err == 0)
		err = device_check_machine(conf, e);
	if (err == 0 && !is_tun(conf))
		err = driver_check(conf, e);
	if (err)
		return err;
	/* one of our own may be about to be replaced */
	if (!tap_find(conf->tap.ifname) &&
	    netlink_get_link(NETLINK_OWN_NAMESPACE, conf->tap.ifname, &link, &why) == 0)
		return error_set(e, -EEXIST,
				 "port %s: ifname: the interface %s exists already: choose another "
				 "name, or remove that interface first",
				 conf->name, conf->tap.ifname);
	return 0;
}

static int
set_addresses(const struct port *port, struct error *e)
{
	const struct port_conf *conf = &port->conf;
	struct netlink_link link;
	struct error why;
	int err = netlink_get_link(NETLINK_OWN_NAMESPACE, conf->tap.ifname, &link, &why);

	if (err)
		return error_set(e, err, "port %s: can't find the interface %s: %s", conf->name,
				 conf->tap.ifname, why.text);
	for (uint16_t i = 0; i < conf->tap.n_addresses; i++) {
		const struct port_address *a = &conf->tap.addresses[i];
		char text[INET6_ADDRSTRLEN];

		err = netlink_add_address(link.index, a, &why);
		if (err == 0)
			continue;
		inet_ntop(a->family, &a->in, text, sizeof(text));
		if (a->family == AF_INET6 && (err == -EACCES || err == -EOPNOTSUPP))
			return error_set(
				e, err,
				"port %s: address: the host has IPv6 turned off, so %s gets "
				"no %s/%u: leave it out, or set "
				"net.ipv6.conf.default.disable_ipv6=0 with sysctl",
				conf->name, conf->tap.ifname, text, a->prefix_len);
		return error_set(e, err, "port %s: address: the kernel refuses %s/%u on %s: %s",
				 conf->name, text, a->prefix_len, conf->tap.ifname, why.text);
	}
	return 0;
}

/* From now on, its workers poll its queues, or not any more. */
static void
count_polled(const struct port *port, bool is_polled)
{
	for (uint16_t q = 0; q < port->conf.queues; q++)
		atomic_fetch_add_explicit(&n_polled[port->workers[q]], is_polled ? 1 : -1u,
					  memory_order_relaxed);
}

static int
open_queues(struct tap *t, struct error *e)
{
	struct port *port = t->port;
	const char *name = port->conf.name;
	int err = queue_prepare(&t->device, name, e);

	t->known =
		device_set_offloads(&t->device, OFFLOAD_ALL) | OFFLOAD_VALID | OFFLOAD_EXTENSIONS;
	for (uint16_t i = 0; i < port->conf.queues && err == 0; i++)
		err = queue_open(&t->queues[i].own, &t->device, port, i, e);
	if (err == 0)
		err = device_set_mac(&t->device, name, device_mac(&t->device, &port->conf), e);
	if (err == 0)
		err = device_set_mtu(&t->device, name, port_mtu(port), e);
	return err ? err : device_set_up(&t->device, name, e);
}

static int
open_backend(struct tap *t, struct error *e)
{
	const struct port_conf *conf = &t->port->conf;
	short flags = is_tun(conf) ? queue_flags() : driver_queue_flags(conf);
	int err = device_create(&t->device, t->port, flags, e);

	if (err)
		return err;
	t->cycles_us = rte_get_tsc_hz() / 1000000;
	t->has_gaps = !is_vhost_net(conf);
	if (t->has_gaps)
		count_polled(t->port, true);
	return is_tun(conf) ? open_queues(t, e) : driver_open(&t->driver, &t->device, t->port, e);
}

/* What the host may leave to us, and we to it. */
static void
tap_set_offloads(struct port *port, uint32_t offloads)
{
	struct tap *t = port->priv;

	if (is_tun(&port->conf)) {
		t->from_host = device_set_offloads(&t->device, offloads);
		port_set_offloads(port, t->known & offloads);
		return;
	}
	t->from_host = ethdev_rx_offloads(t->driver.ethdev) & offloads;
	if (is_vhost_net(&port->conf))
		device_set_offloads(&t->device, t->from_host);
	port_set_offloads(port, ethdev_offloads(t->driver.ethdev) & offloads);
}

static void
tap_close(struct port *port)
{
	struct tap *t = port->priv;

	if (!t)
		return;
	for (struct tap **at = &taps; *at; at = &(*at)->next) {
		if (*at == t) {
			*at = t->next;
			break;
		}
	}
	if (t->has_gaps)
		count_polled(port, false);
	watch_stop(t->watch);
	driver_close(&t->driver);
	for (uint16_t i = 0; i < PORT_QUEUES_MAX; i++)
		queue_close(&t->queues[i].own);
	device_destroy(&t->device);
	free(t);
	port->priv = NULL;
}

static int
tap_open(struct port *port, struct error *e)
{
	const struct tap *other = tap_find(port->conf.tap.ifname);
	struct tap *t;
	int err;

	if (other)
		return error_set(e, -EEXIST, "port %s: ifname: %s is the interface of port %s",
				 port->conf.name, other->device.ifname, other->port->conf.name);
	t = aligned_alloc(alignof(struct tap), sizeof(*t));
	if (!t)
		return error_set(e, -ENOMEM, "port %s: out of memory", port->conf.name);
	*t = (struct tap){.port = port, .device.fd = -1, .next = taps};
	for (uint16_t i = 0; i < PORT_QUEUES_MAX; i++)
		t->queues[i].own.fd = -1;
	taps = t;
	port->priv = t;
	err = open_backend(t, e);
	if (err == 0)
		err = set_addresses(port, e);
	if (err)
		goto fail;
	tap_set_offloads(port, port->conf.offloads);
	t->watch = watch_start(port, t->device.fd, e);
	if (!t->watch) {
		err = -EIO;
		goto fail;
	}
	return 0;

fail:
	tap_close(port);
	return err;
}

static int
tap_set_mtu(struct port *port, uint16_t mtu, struct error *e)
{
	struct tap *t = port->priv;
	char ifname[IFNAMSIZ];
	int err = check_mtu(&port->conf, mtu, e);

	if (err)
		return err;
	if (device_look(t->device.fd, ifname, NULL) != DEVICE_HERE ||
	    strcmp(ifname, t->device.ifname) != 0)
		return error_set(e, -ENODEV,
				 "port %s: mtu: the interface %s was moved, renamed or deleted on "
				 "the host: delete the port and add it again",
				 port->conf.name, t->device.ifname);
	return is_tun(&port->conf) ? device_set_mtu(&t->device, port->conf.name, mtu, e)
				   : driver_set_mtu(&t->driver, &t->device, port, mtu, e);
}

/* The next look at a queue that was just emptied, or found empty. */
static void
poll_later(struct tap *t, uint16_t queue, uint64_t now, bool is_empty)
{
	const struct port *port = t->port;
	struct tap_queue *q = &t->queues[queue];
	uint32_t n = atomic_load_explicit(&n_polled[port->workers[queue]], memory_order_relaxed);
	uint64_t min = POLL_GAP_MIN_US * t->cycles_us;
	uint32_t max_us = RTE_MIN(RTE_MAX(n * POLL_GAP_SHARE_US, (uint32_t)POLL_GAP_MAX_US),
				  (uint32_t)POLL_GAP_LIMIT_US);
	uint64_t max = max_us * t->cycles_us;

	q->gap = is_empty ? RTE_MIN(RTE_MAX(2 * q->gap, min), max) : min;
	q->emptied = now;
}

static uint32_t
tap_rx(struct port *port, uint16_t queue, struct batch *batch, struct port_stats *stats)
{
	struct tap *t = port->priv;
	struct tap_queue *q = &t->queues[queue];
	uint64_t now = rte_rdtsc();
	uint32_t n;

	/* the distance, not which is later: the TSC begins anew when a machine wakes up */
	if (now - q->emptied < q->gap)
		return 0;
	n = is_tun(&port->conf) ? queue_rx(&q->own, batch, stats)
				: ethdev_rx(t->driver.ethdev, queue, batch, stats);
	if (t->has_gaps && (n == 0 || batch->is_drained))
		poll_later(t, queue, now, n == 0);
	return n;
}

static void
tap_release(struct port *port, uint16_t queue, struct batch *batch)
{
	(void)queue;
	if (!is_tun(&port->conf))
		ethdev_release(batch);
}

static uint64_t
tap_tx(struct port *port, struct batch *batch, uint64_t set, struct worker *worker,
       struct port_stats *stats)
{
	const struct tap *t = port->priv;
	uint32_t queue;

	if (!is_tun(&port->conf))
		return ethdev_tx(t->driver.ethdev, batch, set, worker, stats);
	/* always the same queue for a receive queue, so that the order of its frames holds */
	queue = (uint32_t)(batch->in_port + batch->in_queue) % port->conf.queues;
	return queue_tx(&t->queues[queue].own, batch, set, stats);
}

/* The kernel has each frame when it was written, and the driver wakes vhost-net's thread. */
static void
tap_notify(struct port *port, struct worker *worker, struct port_stats *stats)
{
	(void)port;
	(void)worker;
	(void)stats;
}

static void
tap_show(struct port *port, struct report *report)
{
	const struct tap *t = port->priv;
	char ifname[IFNAMSIZ];
	enum device_place place = device_look(t->device.fd, ifname, NULL);
	struct netlink_link link;
	struct error why;

	report->text(report, "ifname", place == DEVICE_GONE ? t->device.ifname : ifname);
	report->text(report, "interface",
		     place == DEVICE_HERE	 ? "in the network namespace of vswitchd"
		     : place == DEVICE_ELSEWHERE ? "in another network namespace"
						 : "deleted");
	for (uint16_t i = 0; i < port->conf.tap.n_addresses; i++) {
		const struct port_address *a = &port->conf.tap.addresses[i];
		char key[32], text[INET6_ADDRSTRLEN + sizeof("/128")];

		inet_ntop(a->family, &a->in, text, INET6_ADDRSTRLEN);
		snprintf(text + strlen(text), sizeof("/128"), "/%u", a->prefix_len);
		snprintf(key, sizeof(key), "address_%u", i);
		report->text(report, key, text);
	}
	if (place == DEVICE_HERE &&
	    netlink_get_link(NETLINK_OWN_NAMESPACE, ifname, &link, &why) == 0)
		report->number(report, "host_tx_dropped", link.n_tx_dropped);
	report->text(report, "backend", port_backend_names[port->conf.tap.backend]);
	offload_report(report, "offloads_from_host", t->from_host);
	offload_report(report, "offloads_to_host",
		       atomic_load_explicit(&port->offloads, memory_order_relaxed));
	if (!is_tun(&port->conf)) {
		ethdev_show(t->driver.ethdev, report);
		return;
	}
	device_show_mac(&t->device, report);
	report->number(report, "rx_queues", port->conf.queues);
	report->number(report, "tx_queues", port->conf.queues);
}

const struct port_ops tap_port_ops = {
	.type = "tap",
	.peer = "host",
	.check = tap_check,
	.open = tap_open,
	.close = tap_close,
	.set_mtu = tap_set_mtu,
	.set_offloads = tap_set_offloads,
	.rx = tap_rx,
	.release = tap_release,
	.tx = tap_tx,
	.notify = tap_notify,
	.show = tap_show,
};

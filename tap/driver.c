/* SPDX-License-Identifier: BSD-3-Clause */
/* driver.c: a device of DPDK's on a TAP interface, see driver.h. */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_log.h>
#include <rte_version.h>

#include "device.h"
#include "error.h"
#include "ethdev.h"
#include "frame.h"
#include "port.h"

#define VHOST_PATH "/dev/vhost-net"

enum {
	VHOST_NET_RING_LEN = 1024, /* descriptors of a ring, one for each direction and queue */
	RX_SEGMENT_LEN = 2048, /* bytes: net_tap's descriptors are segments of the one next frame */
	/*
	 * When it starts a device, net_tap puts two descriptors for each queue into a message of
	 * this many, and up to DPDK 22.11 does not look whether they fit.
	 */
	NET_TAP_QUEUES_MAX = RTE_MP_MAX_FD_NUM / 2,
	VHOST_NET_QUEUES_MAX =
		RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0) ? 8 : (int)PORT_QUEUES_MAX,
	/* descriptors of sent frames that a ring of vhost-net keeps: a batch's or two */
	TX_KEPT = 2 * BATCH_MAX,
};

struct kind {
	const char *name; /* a device's name begins with it */
	const char *library;
	const char *log; /* the type of its messages */
	short queue_flags;
	int queues_max;
};

static const struct kind kinds[] = {
	[PORT_BACKEND_NET_TAP] = {"net_tap", "librte_net_tap", "pmd.net.tap", 0,
				  NET_TAP_QUEUES_MAX},
	[PORT_BACKEND_VHOST_NET] = {"net_virtio_user", "librte_net_virtio", "pmd.net.virtio.init",
				    IFF_NO_PI | IFF_VNET_HDR, VHOST_NET_QUEUES_MAX},
};

static const struct kind *
kind_of(const struct port_conf *conf)
{
	return &kinds[conf->tap.backend];
}

static bool
is_vhost_net(const struct port_conf *conf)
{
	return conf->tap.backend == PORT_BACKEND_VHOST_NET;
}

short
driver_queue_flags(const struct port_conf *conf)
{
	return kind_of(conf)->queue_flags;
}

static int
vhost_net_check(const char *port_name, struct error *e)
{
	int fd = open(VHOST_PATH, O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return error_set(e, -errno,
				 "port %s: backend: " VHOST_PATH " is missing: load the module "
				 "with `modprobe vhost_net` (in a container, pass the device in), "
				 "or use backend: tun",
				 port_name);
	if (errno == EACCES || errno == EPERM)
		return error_set(e, -errno,
				 "port %s: backend: no right to open " VHOST_PATH ": run as root, "
				 "or give the user read and write access to it, or use backend: "
				 "tun",
				 port_name);
	return error_set(e, -errno, "port %s: backend: can't open " VHOST_PATH ": %s", port_name,
			 strerror(errno));
}

int
driver_check(const struct port_conf *conf, struct error *e)
{
	const struct kind *kind = kind_of(conf);

	if (conf->queues > kind->queues_max)
		return error_set(e, -EINVAL,
				 "port %s: queues: %u is more than the %d that the driver %s of %s "
				 "can take: use backend: tun",
				 conf->name, conf->queues, kind->queues_max, kind->name,
				 rte_version());
	return is_vhost_net(conf) ? vhost_net_check(conf->name, e) : 0;
}

/*
 * What can go wrong is told by our own sentences; what is left of the driver's messages at its own
 * level is about classifiers that we don't use. EAL's --log-level still turns them on.
 */
static void
quiet(const struct kind *kind)
{
	int type = rte_log_register(kind->log);

	if (type >= 0 && rte_log_get_level((uint32_t)type) == RTE_LOG_NOTICE)
		rte_log_set_level((uint32_t)type, RTE_LOG_CRIT);
}

static int
probe(struct tap_driver *driver, const struct tap_device *dev, const struct port *port,
      struct error *e)
{
	const struct port_conf *conf = &port->conf;
	const struct kind *kind = kind_of(conf);
	struct rte_ether_addr addr = device_mac(dev, conf);
	char args[160], mac[RTE_ETHER_ADDR_FMT_SIZE];
	size_t len = 0;

	quiet(kind);
	rte_ether_format_addr(mac, sizeof(mac), &addr);
	if (is_vhost_net(conf))
		len = (size_t)snprintf(args, sizeof(args),
				       "path=" VHOST_PATH ",queues=%u,queue_size=%u,", conf->queues,
				       VHOST_NET_RING_LEN);
	snprintf(args + len, sizeof(args) - len, "iface=%s,mac=%s", dev->ifname, mac);
	if (rte_eth_dev_count_total() >= RTE_MAX_ETHPORTS)
		return error_set(e, -ENOSPC,
				 "port %s: %s has room for %d devices, and all are in use: use "
				 "backend: tun",
				 conf->name, rte_version(), RTE_MAX_ETHPORTS);
	snprintf(driver->vdev, sizeof(driver->vdev), "%s%u", kind->name, port->id);
	if (rte_eal_hotplug_add("vdev", driver->vdev, args) == 0) {
		driver->is_probed = true;
		if (rte_eth_dev_get_port_by_name(driver->vdev, &driver->dpdk_port) == 0)
			return 0;
	}
	return error_set(
		e, -ENODEV,
		"port %s: the driver %s of %s does not take the interface %s: is its library %s "
		"installed? `vswitchd ... -- --log-level=%s:debug` says more",
		conf->name, kind->name, rte_version(), dev->ifname, kind->library, kind->log);
}

static void
signal_ignored(int signo)
{
	(void)signo;
}

void
driver_take_signals(struct driver_signals *signals)
{
	struct sigaction take = {.sa_handler = signal_ignored, .sa_flags = SA_RESTART};

	signals->taken = 0;
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++) {
		struct sigaction now;

		if (sigaction(signo, NULL, &now) == 0 && now.sa_handler == SIG_DFL &&
		    sigaction(signo, &take, NULL) == 0)
			signals->taken |= 1ull << (signo - SIGRTMIN);
	}
}

void
driver_give_signals(const struct driver_signals *signals)
{
	struct sigaction give = {.sa_handler = SIG_DFL};

	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		if (signals->taken & 1ull << (signo - SIGRTMIN))
			sigaction(signo, &give, NULL);
}

static const char *
mtu_advice(void)
{
	return RTE_VERSION < RTE_VERSION_NUM(23, 11, 0, 0)
		       ? "use backend: tun, or DPDK 23.11 or later"
		       : NULL;
}

static int
open_net_tap(struct tap_driver *driver, const struct tap_device *dev, const struct port *port,
	     struct error *e)
{
	uint32_t n_segs = (port_frame_max(port) + 2 * FRAME_TAG_LEN) / RX_SEGMENT_LEN + 1;
	const struct ethdev_conf conf = {
		.n_rxq = port->conf.queues,
		.n_txq = port->conf.queues, /* net_tap pairs them */
		.n_rx_desc = (uint16_t)n_segs,
		.gives_any = true,
		.mtu_advice = mtu_advice(),
	};
	struct driver_signals signals;
	int err;

	driver_take_signals(&signals);
	err = probe(driver, dev, port, e);
	if (err == 0)
		driver->ethdev = ethdev_open(driver->dpdk_port, &conf, port, e);
	driver_give_signals(&signals);
	return err ? err : driver->ethdev ? 0 : -EINVAL;
}

static int
open_vhost_net(struct tap_driver *driver, const struct tap_device *dev, const struct port *port,
	       struct error *e)
{
	const struct ethdev_conf conf = {
		.n_rxq = port->conf.queues,
		.n_txq = port->conf.queues,
		.n_rx_desc = VHOST_NET_RING_LEN,
		.n_tx_desc = VHOST_NET_RING_LEN,
		.n_tx_kept = TX_KEPT,
		.gives_any = true,
		.offloads = true,
		.any_mtu = true, /* the interface's counts */
	};
	int err = probe(driver, dev, port, e);

	if (err)
		return err;
	driver->ethdev = ethdev_open(driver->dpdk_port, &conf, port, e);
	if (!driver->ethdev)
		return -EINVAL;
	err = device_set_mtu(dev, port->conf.name, port_mtu(port), e);
	return err ? err : device_set_up(dev, port->conf.name, e);
}

int
driver_open(struct tap_driver *driver, const struct tap_device *dev, const struct port *port,
	    struct error *e)
{
	return is_vhost_net(&port->conf) ? open_vhost_net(driver, dev, port, e)
					 : open_net_tap(driver, dev, port, e);
}

void
driver_close(struct tap_driver *driver)
{
	ethdev_close(driver->ethdev);
	if (driver->is_probed)
		rte_eal_hotplug_remove("vdev", driver->vdev);
	*driver = (struct tap_driver){0};
}

int
driver_set_mtu(const struct tap_driver *driver, const struct tap_device *dev,
	       const struct port *port, uint16_t mtu, struct error *e)
{
	int err = ethdev_set_mtu(driver->ethdev, port->conf.name, mtu, e);

	if (err == 0 && is_vhost_net(&port->conf))
		err = device_set_mtu(dev, port->conf.name, mtu, e);
	return err;
}

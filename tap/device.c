/* SPDX-License-Identifier: BSD-3-Clause */
/* device.c: a TAP interface and the DPDK device on it, see device.h. */
#include "device.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_jhash.h>
#include <rte_log.h>
#include <rte_version.h>

#include "error.h"
#include "netlink.h"
#include "offload.h"
#include "port.h"

#define TUN_PATH   "/dev/net/tun"
#define VHOST_PATH "/dev/vhost-net"

enum {
	MACHINE_ID_LEN = 32 /* characters */
};

struct driver {
	const char *name; /* a device's name begins with it */
	const char *library;
	const char *log;   /* the type of its messages */
	short queue_flags; /* that it attaches a queue with */
};

static const struct driver drivers[] = {
	[PORT_BACKEND_NET_TAP] = {"net_tap", "librte_net_tap", "pmd.net.tap", 0},
	[PORT_BACKEND_VHOST_NET] = {"net_virtio_user", "librte_net_virtio", "pmd.net.virtio.init",
				    IFF_NO_PI | IFF_VNET_HDR},
};

int
device_check_name(const char *port_name, const char *ifname, struct error *e)
{
	size_t len = strlen(ifname);

	if (len == 0 || len >= IFNAMSIZ)
		return error_set(e, -EINVAL,
				 "port %s: ifname: %zu bytes, an interface's name has 1 to %d",
				 port_name, len, IFNAMSIZ - 1);
	for (const char *c = ifname; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_.-", *c))
			return error_set(e, -EINVAL,
					 "port %s: ifname: %s: use letters, digits and _.- only",
					 port_name, ifname);
	if (strcmp(ifname, ".") == 0 || strcmp(ifname, "..") == 0)
		return error_set(e, -EINVAL, "port %s: ifname: %s is no name for an interface",
				 port_name, ifname);
	return 0;
}

static int
tun_open(const char *port_name, struct error *e)
{
	int fd = open(TUN_PATH, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return error_set(e, -errno,
				 "port %s: " TUN_PATH " is missing: load the module with "
				 "`modprobe tun` (in a container, pass the device in)",
				 port_name);
	if (errno == EACCES || errno == EPERM)
		return error_set(
			e, -errno,
			"port %s: no right to open " TUN_PATH ": run as root, or give the "
			"user read and write access to it and the capability CAP_NET_ADMIN",
			port_name);
	return error_set(e, -errno, "port %s: can't open " TUN_PATH ": %s", port_name,
			 strerror(errno));
}

static int
vhost_check(const char *port_name, struct error *e)
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
				 "or use backend: net_tap",
				 port_name);
	if (errno == EACCES || errno == EPERM)
		return error_set(e, -errno,
				 "port %s: backend: no right to open " VHOST_PATH ": run as root, "
				 "or give the user read and write access to it, or use backend: "
				 "net_tap",
				 port_name);
	return error_set(e, -errno, "port %s: backend: can't open " VHOST_PATH ": %s", port_name,
			 strerror(errno));
}

int
device_check_machine(const struct port_conf *conf, struct error *e)
{
	int fd = tun_open(conf->name, e);

	if (fd < 0)
		return fd;
	close(fd);
	return conf->tap.backend == PORT_BACKEND_VHOST_NET ? vhost_check(conf->name, e) : 0;
}

/* Makes the interface, with the flags that the driver gives when it attaches its queues. */
static int
interface_create(struct tap_device *dev, const struct driver *driver, const char *port_name,
		 struct error *e)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_MULTI_QUEUE | IFF_TUN_EXCL |
						 driver->queue_flags)};

	dev->fd = tun_open(port_name, e);
	if (dev->fd < 0)
		return dev->fd;
	memcpy(ifr.ifr_name, dev->ifname, IFNAMSIZ);
	if (ioctl(dev->fd, TUNSETIFF, &ifr) < 0) {
		if (errno == EBUSY || errno == EEXIST)
			return error_set(e, -EEXIST,
					 "port %s: ifname: the interface %s exists already: choose "
					 "another name, or remove that interface first",
					 port_name, dev->ifname);
		if (errno == EPERM || errno == EACCES)
			return error_set(e, -errno,
					 "port %s: no right to make the interface %s: run as root, "
					 "or give vswitchd the capability CAP_NET_ADMIN",
					 port_name, dev->ifname);
		return error_set(e, -errno, "port %s: can't make the interface %s: %s", port_name,
				 dev->ifname, strerror(errno));
	}
	ifr = (struct ifreq){.ifr_flags = IFF_DETACH_QUEUE};
	if (ioctl(dev->fd, TUNSETQUEUE, &ifr) < 0)
		return error_set(e, -errno, "port %s: can't detach from the interface %s: %s",
				 port_name, dev->ifname, strerror(errno));
	return 0;
}

/*
 * What can go wrong is told by our own sentences; what is left of the driver's messages at its own
 * level is about classifiers that we don't use. EAL's --log-level still turns them on.
 */
static void
driver_quiet(const struct driver *driver)
{
	int type = rte_log_register(driver->log);

	if (type >= 0 && rte_log_get_level((uint32_t)type) == RTE_LOG_NOTICE)
		rte_log_set_level((uint32_t)type, RTE_LOG_CRIT);
}

/*
 * The MAC of an interface that the configuration gives none: the same after each start, so that
 * guests find the host again, and another one on each machine (machine-id(5)). Locally
 * administered.
 */
static struct rte_ether_addr
stable_mac(const char *ifname)
{
	char text[MACHINE_ID_LEN + IFNAMSIZ] = "";
	struct rte_ether_addr mac = {.addr_bytes = {0x02}};
	FILE *file = fopen("/etc/machine-id", "re");
	uint32_t hash[2];
	size_t len = 0;

	if (file) {
		len = fread(text, 1, MACHINE_ID_LEN, file);
		fclose(file);
	}
	snprintf(text + len, sizeof(text) - len, "%s", ifname);
	len += strlen(ifname);
	hash[0] = rte_jhash(text, (uint32_t)len, 0);
	hash[1] = rte_jhash(text, (uint32_t)len, hash[0]);
	memcpy(mac.addr_bytes + 1, hash, RTE_ETHER_ADDR_LEN - 1);
	return mac;
}

static int
driver_probe(struct tap_device *dev, const struct driver *driver, const struct port *port,
	     struct error *e)
{
	const struct port_conf *conf = &port->conf;
	char args[160], mac[RTE_ETHER_ADDR_FMT_SIZE];
	struct rte_ether_addr addr;
	size_t len = 0;

	driver_quiet(driver);
	if (conf->tap.has_mac)
		memcpy(&addr, &conf->tap.mac, sizeof(addr));
	else
		addr = stable_mac(dev->ifname);
	rte_ether_format_addr(mac, sizeof(mac), &addr);
	if (conf->tap.backend == PORT_BACKEND_VHOST_NET)
		len = (size_t)snprintf(args, sizeof(args),
				       "path=" VHOST_PATH ",queues=%u,queue_size=%u,", conf->queues,
				       DEVICE_RING_LEN);
	snprintf(args + len, sizeof(args) - len, "iface=%s,mac=%s", dev->ifname, mac);
	if (rte_eth_dev_count_total() >= RTE_MAX_ETHPORTS)
		return error_set(e, -ENOSPC,
				 "port %s: %s has room for %d TAPs and VFs, and all are in use",
				 conf->name, rte_version(), RTE_MAX_ETHPORTS);
	snprintf(dev->vdev, sizeof(dev->vdev), "%s%u", driver->name, port->id);
	if (rte_eal_hotplug_add("vdev", dev->vdev, args) == 0) {
		dev->is_probed = true;
		if (rte_eth_dev_get_port_by_name(dev->vdev, &dev->dpdk_port) == 0)
			return 0;
	}
	return error_set(
		e, -ENODEV,
		"port %s: the driver %s of %s does not take the interface %s: is its library %s "
		"installed? `vswitchd ... -- --log-level=%s:debug` says more",
		conf->name, driver->name, rte_version(), dev->ifname, driver->library, driver->log);
}

int
device_create(struct tap_device *dev, const struct port *port, struct error *e)
{
	const struct driver *driver = &drivers[port->conf.tap.backend];
	int err;

	*dev = (struct tap_device){.fd = -1};
	err = device_check_name(port->conf.name, port->conf.tap.ifname, e);
	if (err)
		return err;
	memcpy(dev->ifname, port->conf.tap.ifname, IFNAMSIZ);
	err = interface_create(dev, driver, port->conf.name, e);
	if (err == 0)
		err = driver_probe(dev, driver, port, e);
	if (err)
		device_destroy(dev);
	return err;
}

int
device_set_mtu(const struct tap_device *dev, const char *port_name, uint16_t mtu, struct error *e)
{
	struct error why;
	int err = netlink_set_mtu(dev->ifname, mtu, &why);

	if (err)
		error_set(e, err, "port %s: mtu: the kernel refuses %u on %s: %s", port_name, mtu,
			  dev->ifname, why.text);
	return err;
}

int
device_set_up(const struct tap_device *dev, const char *port_name, struct error *e)
{
	struct error why;
	int err = netlink_set_up(dev->ifname, &why);

	if (err)
		error_set(e, err, "port %s: the interface %s can't be set up: %s", port_name,
			  dev->ifname, why.text);
	return err;
}

void
device_set_offloads(const struct tap_device *dev, uint32_t offloads)
{
	unsigned long flags = 0;

	/* the kernel takes segments only with checksums; ECN's are nothing for the driver */
	if (offloads & OFFLOAD_CHECKSUM)
		flags = TUN_F_CSUM | (offloads & OFFLOAD_TSO4 ? TUN_F_TSO4 : 0) |
			(offloads & OFFLOAD_TSO6 ? TUN_F_TSO6 : 0);
	ioctl(dev->fd, TUNSETOFFLOAD, flags);
}

static void
signal_ignored(int signo)
{
	(void)signo;
}

void
device_take_signals(struct device_signals *signals)
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
device_give_signals(const struct device_signals *signals)
{
	struct sigaction give = {.sa_handler = SIG_DFL};

	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		if (signals->taken & 1ull << (signo - SIGRTMIN))
			sigaction(signo, &give, NULL);
}

static bool
is_own_namespace(int ns_fd)
{
	struct stat own, other;

	return stat("/proc/thread-self/ns/net", &own) == 0 && fstat(ns_fd, &other) == 0 &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

enum device_place
device_look(int fd, char ifname[IFNAMSIZ], int *ns_fd)
{
	struct ifreq ifr = {0};
	bool is_here;
	int ns;

	if (ns_fd)
		*ns_fd = -1;
	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return DEVICE_GONE;
	memcpy(ifname, ifr.ifr_name, IFNAMSIZ);
	ifname[IFNAMSIZ - 1] = 0;
	ns = ioctl(fd, TUNGETDEVNETNS);
	if (ns < 0)
		return if_nametoindex(ifname) ? DEVICE_HERE : DEVICE_ELSEWHERE;
	is_here = is_own_namespace(ns);
	if (!is_here && ns_fd)
		*ns_fd = ns;
	else
		close(ns);
	return is_here ? DEVICE_HERE : DEVICE_ELSEWHERE;
}

/*
 * The kernel removes an interface with its last descriptor, and that may be held for up to a second
 * by a poll() of librte_vhost's thread, which polls numbers of closed descriptors for a while,
 * whoever has them now. The name is to be free at once.
 */
static void
interface_delete(const struct tap_device *dev)
{
	char ifname[IFNAMSIZ];
	struct error why;

	if (device_look(dev->fd, ifname, NULL) == DEVICE_HERE)
		netlink_del_link(ifname, &why); /* else the kernel does it a little later */
}

void
device_destroy(struct tap_device *dev)
{
	if (dev->is_probed)
		rte_eal_hotplug_remove("vdev", dev->vdev);
	if (dev->fd >= 0) {
		interface_delete(dev);
		close(dev->fd);
	}
	*dev = (struct tap_device){.fd = -1};
}

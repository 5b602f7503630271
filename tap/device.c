/* SPDX-License-Identifier: BSD-3-Clause */
/* device.c: a TAP interface of the host's, see device.h. */
#include "device.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <rte_ether.h>
#include <rte_jhash.h>

#include "error.h"
#include "netlink.h"
#include "offload.h"
#include "port.h"

#define TUN_PATH "/dev/net/tun"

enum {
	MACHINE_ID_LEN = 32, /* characters */
	/* TUN_F_USO4 and _USO6, which the headers of Linux 6.1 don't have; only both together */
	TUN_USO = 0x20 | 0x40,
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

int
device_check_machine(const struct port_conf *conf, struct error *e)
{
	int fd = tun_open(conf->name, e);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int
interface_create(struct tap_device *dev, const char *port_name, short queue_flags, struct error *e)
{
	struct ifreq ifr = {
		.ifr_flags = (short)(IFF_TAP | IFF_MULTI_QUEUE | IFF_TUN_EXCL | queue_flags)};

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

struct rte_ether_addr
device_mac(const struct tap_device *dev, const struct port_conf *conf)
{
	struct rte_ether_addr mac;

	if (!conf->tap.has_mac)
		return stable_mac(dev->ifname);
	memcpy(&mac, &conf->tap.mac, sizeof(mac));
	return mac;
}

int
device_create(struct tap_device *dev, const struct port *port, short queue_flags, struct error *e)
{
	int err;

	*dev = (struct tap_device){.fd = -1};
	err = device_check_name(port->conf.name, port->conf.tap.ifname, e);
	if (err)
		return err;
	memcpy(dev->ifname, port->conf.tap.ifname, IFNAMSIZ);
	err = interface_create(dev, port->conf.name, queue_flags, e);
	if (err)
		device_destroy(dev);
	return err;
}

int
device_attach(const struct tap_device *dev, const char *port_name, short queue_flags,
	      struct error *e)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_MULTI_QUEUE | queue_flags)};
	int fd = tun_open(port_name, e), err;

	if (fd < 0)
		return fd;
	memcpy(ifr.ifr_name, dev->ifname, IFNAMSIZ);
	if (ioctl(fd, TUNSETIFF, &ifr) == 0)
		return fd;
	err = error_set(e, -errno, "port %s: the interface %s takes no queue: %s", port_name,
			dev->ifname, strerror(errno));
	close(fd);
	return err;
}

int
device_set_mac(const struct tap_device *dev, const char *port_name, struct rte_ether_addr mac,
	       struct error *e)
{
	struct ifreq ifr = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};

	memcpy(ifr.ifr_hwaddr.sa_data, &mac, sizeof(mac));
	if (ioctl(dev->fd, SIOCSIFHWADDR, &ifr) == 0)
		return 0;
	return error_set(e, -errno,
			 "port %s: mac: the kernel refuses " RTE_ETHER_ADDR_PRT_FMT " on %s: %s",
			 port_name, RTE_ETHER_ADDR_BYTES(&mac), dev->ifname, strerror(errno));
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

/* The kernel takes segments only with checksums. */
static unsigned long
offload_flags(uint32_t offloads)
{
	if (!(offloads & OFFLOAD_CHECKSUM))
		return 0;
	return TUN_F_CSUM | (offloads & OFFLOAD_TSO4 ? TUN_F_TSO4 : 0) |
	       (offloads & OFFLOAD_TSO6 ? TUN_F_TSO6 : 0) |
	       (offloads & OFFLOAD_ECN ? TUN_F_TSO_ECN : 0) |
	       ((offloads & OFFLOAD_USO) == OFFLOAD_USO ? TUN_USO : 0);
}

uint32_t
device_set_offloads(const struct tap_device *dev, uint32_t offloads)
{
	offloads &= offloads & OFFLOAD_CHECKSUM ? OFFLOAD_CHECKSUM | OFFLOAD_SEGMENTS : 0;
	if (ioctl(dev->fd, TUNSETOFFLOAD, offload_flags(offloads)) == 0)
		return offloads;
	/* before Linux 6.2 */
	offloads &= ~(uint32_t)OFFLOAD_USO;
	return ioctl(dev->fd, TUNSETOFFLOAD, offload_flags(offloads)) == 0 ? offloads : 0;
}

void
device_show_mac(const struct tap_device *dev, struct report *report)
{
	char text[RTE_ETHER_ADDR_FMT_SIZE];
	struct ifreq ifr = {0};

	if (ioctl(dev->fd, SIOCGIFHWADDR, &ifr) < 0)
		return;
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x",
		 RTE_ETHER_ADDR_BYTES((struct rte_ether_addr *)ifr.ifr_hwaddr.sa_data));
	report->text(report, "mac", text);
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
	if (dev->fd >= 0) {
		interface_delete(dev);
		close(dev->fd);
	}
	*dev = (struct tap_device){.fd = -1};
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* device.c: see device.h. */
#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_pause.h>
#include <rte_version.h>
#include <rte_vfio.h>

#include "error.h"
#include "log.h"
#include "nic.h"

static int
on_port_event(uint16_t dpdk_port, enum rte_eth_event_type type, void *arg, void *result)
{
	struct device *dev = arg;
	uint32_t bit = type == RTE_ETH_EVENT_INTR_LSC	  ? DEVICE_EVENT_LINK
		       : type == RTE_ETH_EVENT_INTR_RESET ? DEVICE_EVENT_RESET
							  : DEVICE_EVENT_REMOVE;

	(void)dpdk_port;
	(void)result;
	atomic_fetch_or_explicit(&dev->events, bit, memory_order_relaxed);
	return 0;
}

/* The bus says so where the driver does not: vfio-pci asks for the device back. */
static void
on_bus_event(const char *name, enum rte_dev_event_type type, void *arg)
{
	struct device *dev = arg;

	(void)name;
	if (type == RTE_DEV_EVENT_REMOVE)
		atomic_fetch_or_explicit(&dev->events, DEVICE_EVENT_REMOVE, memory_order_relaxed);
}

static const enum rte_eth_event_type port_events[] = {
	RTE_ETH_EVENT_INTR_LSC,
	RTE_ETH_EVENT_INTR_RESET,
	RTE_ETH_EVENT_INTR_RMV,
};

static int
hear(struct device *dev)
{
	int err = rte_dev_event_callback_register(dev->name, on_bus_event, dev);

	dev->is_heard = true;
	for (uint32_t i = 0; i < RTE_DIM(port_events) && err == 0; i++)
		err = rte_eth_dev_callback_register(dev->dpdk_port, port_events[i], on_port_event,
						    dev);
	return err;
}

void
device_ignore(struct device *dev)
{
	if (!dev->is_heard)
		return;
	dev->is_heard = false;
	/* a callback that is running just now is waited for: it only sets a bit */
	for (uint32_t i = 0; i < RTE_DIM(port_events); i++)
		while (rte_eth_dev_callback_unregister(dev->dpdk_port, port_events[i],
						       on_port_event, dev) == -EAGAIN)
			rte_pause();
	while (rte_dev_event_callback_unregister(dev->name, on_bus_event, dev) == -EAGAIN)
		rte_pause();
}

/* The ethdev of the bus device of that name, and the device itself; NULL: none. */
static struct rte_device *
find(const char *name, uint16_t *dpdk_port)
{
	uint16_t id;

	RTE_ETH_FOREACH_DEV(id)
	{
		struct rte_eth_dev_info info;

		if (rte_eth_dev_info_get(id, &info) != 0 || !info.device ||
		    strcmp(rte_dev_name(info.device), name) != 0)
			continue;
		*dpdk_port = id;
		return info.device;
	}
	return NULL;
}

/* The bus's name of the device that devargs name. */
static int
parse(const char *port_name, const char *devargs, char *name, size_t size, struct error *e)
{
	struct rte_devargs args = {0};
	int err = rte_devargs_parse(&args, devargs);

	if (err == 0)
		snprintf(name, size, "%s", args.name);
	rte_devargs_reset(&args);
	if (err == 0 && name[0])
		return 0;
	return error_set(e, -EINVAL,
			 "port %s: devargs: no bus or driver of %s understands \"%s\": write it as "
			 "0000:03:00.0 or net_af_packet0,iface=eth1, and see that the driver's "
			 "package is installed",
			 port_name, rte_version(), devargs);
}

int
device_check(const char *name, const char *port_name, struct error *e)
{
	uint16_t unused;

	if (!find(name, &unused))
		return 0;
	return error_set(e, -EEXIST,
			 "port %s: the device %s is in use by another port, or by an EAL option "
			 "after --",
			 port_name, name);
}

/* EAL looks for VFIO when it starts; its module may have been loaded since. */
static void
look_for_vfio(const char *name)
{
	char pci[PORT_PCI_MAX];

	if (nic_parse(name, pci) && !rte_vfio_is_enabled("vfio"))
		rte_vfio_enable("vfio");
}

/* What was probed and is no NIC is of no use to anybody here. */
static void
let_go(const char *devargs)
{
	struct rte_devargs args = {0};

	if (rte_devargs_parse(&args, devargs) == 0)
		rte_eal_hotplug_remove(rte_bus_name(args.bus), args.name);
	rte_devargs_reset(&args);
}

int
device_probe(struct device *dev, const char *port_name, const char *devargs, struct error *e)
{
	int err = parse(port_name, devargs, dev->name, sizeof(dev->name), e);

	if (err == 0)
		err = device_check(dev->name, port_name, e);
	if (err)
		return err;
	look_for_vfio(dev->name);
	err = rte_dev_probe(devargs);
	if (err == -ENODEV)
		return error_set(e, -ENODEV, "port %s: there is no device %s", port_name,
				 dev->name);
	if (err && err != -EEXIST)
		return error_set(e, err < 0 ? err : -ENOTSUP,
				 "port %s: devargs: no driver of %s takes the device \"%s\": the "
				 "lines before this one in the log say why",
				 port_name, rte_version(), devargs);
	atomic_store_explicit(&dev->events, 0, memory_order_relaxed);
	dev->handle = find(dev->name, &dev->dpdk_port);
	if (!dev->handle) {
		let_go(devargs);
		return error_set(e, -ENODEV, "port %s: the device %s is no network device",
				 port_name, dev->name);
	}
	if (hear(dev) == 0)
		return 0;
	device_ignore(dev);
	device_remove(dev, port_name);
	return error_set(e, -ENOMEM, "port %s: out of memory", port_name);
}

bool
device_remove(struct device *dev, const char *port_name)
{
	int err;

	if (!dev->handle)
		return true;
	err = rte_dev_remove(dev->handle);
	dev->handle = NULL;
	if (err == 0 || err == -ENOENT)
		return true;
	log_warn("port %s: the device %s can't be let go of: %s: it stays as it is until vswitchd "
		 "ends",
		 port_name, dev->name, rte_strerror(-err));
	return false;
}

uint32_t
device_events(struct device *dev)
{
	return atomic_exchange_explicit(&dev->events, 0, memory_order_relaxed);
}

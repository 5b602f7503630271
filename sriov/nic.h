/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nic.h: what sysfs says of a network device on the PCI bus.
 *
 * Threads: control.
 */
#ifndef SRIOV_NIC_H
#define SRIOV_NIC_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "port.h"
#include "sysfs.h"

enum {
	NIC_VENDOR_MELLANOX = 0x15b3,
};

/*
 * Is it a PCI address, as 0000:01:10.0, strictly domain:bus:slot.function? pci gets it as sysfs
 * spells it.
 */
bool nic_parse(const char *text, char pci[PORT_PCI_MAX]);

/* Path of an attribute of the device; "": of its directory. */
void nic_path(char path[SYSFS_PATH_MAX], const char *pci, const char *attribute);

/* Is there a device of this address now? */
bool nic_is_there(const char *pci);

/* Is it a network controller by its PCI class? */
bool nic_is_network(const char *pci);

/* Is it one of the VFs that are known by their PCI ID? In a guest there is no other mark. */
bool nic_is_known_vf(uint16_t vendor, uint16_t device);

/* The kernel's driver that it is bound to; empty: none; "?": one with a name that is none. */
void nic_driver(const char *pci, char driver[SYSFS_NAME_MAX]);

/*
 * The first, by name, of the device's interfaces in this network namespace that is_wanted (NULL:
 * any). is_wanted gets the path of the interface's directory.
 */
bool nic_interface(const char *pci, bool (*is_wanted)(const char *path), char ifname[IFNAMSIZ]);

/* Is it up? If that can't be read, too. */
bool nic_interface_is_up(const char *path);

/* Is it the interface of the device itself, not one that stands for a VF (switchdev)? */
bool nic_interface_is_own(const char *path);

/* The PCI device of an interface. 0; -ENODEV: no such interface; -ENOTSUP: it is on no PCI device.
 */
int nic_of_interface(const char *ifname, char pci[PORT_PCI_MAX]);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* nic.c: see nic.h. */
#include "nic.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DOMAIN_DIGITS_MIN = 4,
	DOMAIN_DIGITS_MAX = 7, /* that PORT_PCI_MAX has room for */
	CLASS_NETWORK = 0x02,
	CLASS_SHIFT = 16, /* class << 16 | subclass << 8 | interface */
};

/* PCI IDs of VFs, as of DPDK's drivers and pci.ids. */
static const struct {
	uint16_t vendor, device, mask;
} known_vfs[] = {
	{0x8086, 0x10ca, 0xffff}, /* igbvf: 82576 */
	{0x8086, 0x152d, 0xffff},
	{0x8086, 0x1520, 0xffff}, /* I350 */
	{0x8086, 0x152f, 0xffff},
	{0x8086, 0x10ed, 0xffff}, /* ixgbevf: 82599 */
	{0x8086, 0x152e, 0xffff},
	{0x8086, 0x1515, 0xffff}, /* X540 */
	{0x8086, 0x1530, 0xffff},
	{0x8086, 0x1564, 0xffff}, /* X550 */
	{0x8086, 0x1565, 0xffff},
	{0x8086, 0x15a8, 0xffff}, /* X552 */
	{0x8086, 0x15a9, 0xffff},
	{0x8086, 0x15b4, 0xffff}, /* X553 */
	{0x8086, 0x15c5, 0xffff},
	{0x8086, 0x154c, 0xffff}, /* iavf: 700 series */
	{0x8086, 0x1571, 0xffff},
	{0x8086, 0x374d, 0xffff}, /* X722 */
	{0x8086, 0x37cd, 0xffff},
	{0x8086, 0x37d9, 0xffff},
	{0x8086, 0x1889, 0xffff}, /* adaptive VF: 700 and 800 series */
	{0x15b3, 0x1002, 0xffff}, /* mlx4: ConnectX-2 */
	{0x15b3, 0x1004, 0xffff}, /* ConnectX-3 */
	{0x15b3, 0x1012, 0xffff}, /* mlx5: Connect-IB */
	{0x15b3, 0x1014, 0xffff}, /* ConnectX-4 */
	{0x15b3, 0x1016, 0xffff},
	{0x15b3, 0x1018, 0xffff}, /* ConnectX-5 */
	{0x15b3, 0x101a, 0xffff},
	{0x15b3, 0x101c, 0xffff}, /* ConnectX-6 */
	{0x15b3, 0x101e, 0xffff}, /* all later ones */
	{0x15b3, 0xa2d3, 0xffff}, /* BlueField */
	{0x14e4, 0x1606, 0xffff}, /* bnxt: BCM5745x */
	{0x14e4, 0x1609, 0xffff},
	{0x14e4, 0x16c1, 0xffff}, /* BCM57414 */
	{0x14e4, 0x16cb, 0xffff},
	{0x14e4, 0x16d3, 0xffff},
	{0x14e4, 0x16dc, 0xffff},
	{0x14e4, 0x16e1, 0xffff},
	{0x14e4, 0x1806, 0xffff}, /* BCM5750x */
	{0x14e4, 0x1807, 0xffff},
	{0x14e4, 0xd800, 0xffff}, /* BCM58802 */
	{0x14e4, 0xd82e, 0xffff}, /* BCM58818 */
	{0x1077, 0x1630, 0xffff}, /* qede */
	{0x1077, 0x1664, 0xffff}, /* QL45000 */
	{0x1077, 0x8090, 0xffff}, /* QL41000 */
	{0x1137, 0x0071, 0xffff}, /* enic */
	{0x1425, 0x4800, 0xff00}, /* cxgb4vf: T4, the second digit is the function, 8 of VFs */
	{0x1425, 0x5800, 0xff00}, /* T5 */
	{0x1425, 0x6800, 0xff00}, /* T6 */
	{0x19e5, 0xa22e, 0xffff}, /* hns3 */
	{0x19e5, 0xa22f, 0xffff},
	{0x19ee, 0x3803, 0xffff}, /* nfp */
	{0x19ee, 0x6003, 0xffff},
	{0x1d0f, 0xec20, 0xfffe}, /* ena, of which guests get nothing but VFs */
};

bool
nic_parse(const char *text, char pci[PORT_PCI_MAX])
{
	static const char form[] = "hh:hh.h"; /* after the domain and its colon */
	size_t domain_len = strspn(text, "0123456789abcdefABCDEF");
	const char *rest = text + domain_len + 1;

	if (domain_len < DOMAIN_DIGITS_MIN || domain_len > DOMAIN_DIGITS_MAX ||
	    text[domain_len] != ':' || strlen(rest) != strlen(form))
		return false;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'h' ? !isxdigit((unsigned char)rest[i]) : rest[i] != form[i])
			return false;
	if (rest[3] > '1' || rest[6] > '7') /* 32 slots of 8 functions */
		return false;
	for (size_t i = 0; i <= domain_len + sizeof(form); i++)
		pci[i] = (char)tolower((unsigned char)text[i]);
	return true;
}

void
nic_path(char path[SYSFS_PATH_MAX], const char *pci, const char *attribute)
{
	sysfs_path(path, "bus/pci/devices/%s/%s", pci, attribute);
}

bool
nic_is_there(const char *pci)
{
	char path[SYSFS_PATH_MAX];

	nic_path(path, pci, "");
	return access(path, F_OK) == 0;
}

bool
nic_is_network(const char *pci)
{
	char path[SYSFS_PATH_MAX];
	long class;

	nic_path(path, pci, "class");
	return sysfs_read_number(path, 16, 0, 0xffffff, &class) == 0 &&
	       class >> CLASS_SHIFT == CLASS_NETWORK;
}

bool
nic_is_known_vf(uint16_t vendor, uint16_t device)
{
	for (size_t i = 0; i < sizeof(known_vfs) / sizeof(known_vfs[0]); i++)
		if (vendor == known_vfs[i].vendor &&
		    (device & known_vfs[i].mask) == known_vfs[i].device)
			return true;
	return false;
}

void
nic_driver(const char *pci, char driver[SYSFS_NAME_MAX])
{
	char path[SYSFS_PATH_MAX];
	int err;

	nic_path(path, pci, "driver");
	err = sysfs_read_link(path, driver, SYSFS_NAME_MAX);
	if (err && err != -ENOENT)
		memcpy(driver, "?", sizeof("?"));
}

bool
nic_interface(const char *pci, bool (*is_wanted)(const char *path), char ifname[IFNAMSIZ])
{
	/* virtio has a device of its own below the PCI device */
	static const char *const patterns[] = {"net/*", "virtio*/net/*"};
	bool is_found = false;

	ifname[0] = 0;
	for (size_t p = 0; p < 2 && !is_found; p++) {
		glob_t list;

		sysfs_list(&list, "bus/pci/devices/%s/%s", pci, patterns[p]);
		for (size_t i = 0; i < list.gl_pathc && !is_found; i++) {
			const char *name = strrchr(list.gl_pathv[i], '/') + 1;

			if (strlen(name) >= IFNAMSIZ || (is_wanted && !is_wanted(list.gl_pathv[i])))
				continue;
			memcpy(ifname, name, strlen(name) + 1);
			is_found = true;
		}
		globfree(&list);
	}
	return is_found;
}

bool
nic_interface_is_up(const char *path)
{
	char attribute[PATH_MAX];
	long flags;

	snprintf(attribute, sizeof(attribute), "%s/flags", path);
	return sysfs_read_number(attribute, 16, 0, INT_MAX, &flags) != 0 || (flags & IFF_UP);
}

bool
nic_interface_is_own(const char *path)
{
	char attribute[PATH_MAX], name[32]; /* p0: the port; pf0vf1: VF 1 of PF 0 */

	snprintf(attribute, sizeof(attribute), "%s/phys_port_name", path);
	return sysfs_read(attribute, name, sizeof(name)) != 0 || strncmp(name, "pf", 2) != 0;
}

int
nic_of_interface(const char *ifname, char pci[PORT_PCI_MAX])
{
	char path[SYSFS_PATH_MAX], target[PATH_MAX], *last;

	sysfs_path(path, "class/net/%s", ifname);
	if (access(path, F_OK) != 0)
		return -ENODEV;
	sysfs_path(path, "class/net/%s/device", ifname);
	if (!realpath(path, target))
		return -ENOTSUP;
	last = strrchr(target, '/');
	if (strncmp(last, "/virtio", strlen("/virtio")) == 0) {
		*last = 0;
		last = strrchr(target, '/');
	}
	return last && nic_parse(last + 1, pci) ? 0 : -ENOTSUP;
}

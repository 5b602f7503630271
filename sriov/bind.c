/* SPDX-License-Identifier: BSD-3-Clause */
/* bind.c: see bind.h. */
#include "bind.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "log.h"
#include "nic.h"
#include "numvfs.h"

enum {
	CLASS_BRIDGE = 0x0604, /* PCI to PCI bridge: class and subclass */
	CLASS_SHIFT = 8,
};

const char *bind_vfio = "/dev/vfio";

static const char vfio_pci[] = "vfio-pci";

/* The drivers that DPDK takes a device from (rte_pci_device.kdrv); who chose uio, may have it. */
static bool
is_for_dpdk(const char *driver)
{
	return strcmp(driver, vfio_pci) == 0 || strcmp(driver, "uio_pci_generic") == 0 ||
	       strcmp(driver, "igb_uio") == 0;
}

/* Mellanox: DPDK works beside the kernel's driver (mlx4_core, mlx5_core). */
static bool
stays_with_kernel(const struct vfs_vf *vf)
{
	return vf->vendor == NIC_VENDOR_MELLANOX;
}

/* May VFIO go without an IOMMU? Its administrator has said so then. */
static bool
is_noiommu(void)
{
	char path[SYSFS_PATH_MAX], text[8];

	sysfs_path(path, "module/vfio/parameters/enable_unsafe_noiommu_mode");
	return sysfs_read(path, text, sizeof(text)) == 0 && strcmp(text, "Y") == 0;
}

int
bind_check_host(const char *port_name, const char *pci, struct error *e)
{
	char path[SYSFS_PATH_MAX], group[32];

	sysfs_path(path, "bus/pci/drivers/%s", vfio_pci);
	if (access(path, F_OK) != 0)
		return error_set(e, -ENOENT,
				 "port %s: the module vfio-pci is not loaded: run `modprobe "
				 "vfio-pci`, and list it in /etc/modules-load.d",
				 port_name);
	nic_path(path, pci, "iommu_group");
	if (sysfs_read_link(path, group, sizeof(group)) != 0 && !is_noiommu())
		return error_set(e, -EOPNOTSUPP,
				 "port %s: there is no IOMMU for %s: turn on VT-d or AMD-Vi in the "
				 "machine's firmware, and put intel_iommu=on iommu=pt, or "
				 "amd_iommu=on iommu=pt, on the kernel's command line",
				 port_name, pci);
	return 0;
}

/* Does VFIO mind this device in the group of another one? (vfio_dev_viable() of the kernel) */
static bool
is_viable(const char *pci, char driver[SYSFS_NAME_MAX])
{
	char path[SYSFS_PATH_MAX];
	long class;

	nic_driver(pci, driver);
	if (!driver[0] || strstr(driver, "vfio") || strcmp(driver, "pci-stub") == 0 ||
	    strcmp(driver, "pcieport") == 0)
		return true;
	nic_path(path, pci, "class");
	return sysfs_read_number(path, 16, 0, 0xffffff, &class) == 0 &&
	       class >> CLASS_SHIFT == CLASS_BRIDGE;
}

/* All devices of an IOMMU group go to VFIO, or none. */
static int
check_group(const char *port_name, const char *pci, struct error *e)
{
	char driver[SYSFS_NAME_MAX], others[256] = "";
	size_t len = 0;
	glob_t list;

	sysfs_list(&list, "bus/pci/devices/%s/iommu_group/devices/*", pci);
	for (size_t i = 0; i < list.gl_pathc && len < sizeof(others); i++) {
		const char *other = strrchr(list.gl_pathv[i], '/') + 1;

		if (strcmp(other, pci) == 0 || is_viable(other, driver))
			continue;
		len += (size_t)snprintf(others + len, sizeof(others) - len, "%s%s (%s)",
					len > 0 ? ", " : "", other, driver);
	}
	globfree(&list);
	if (len == 0)
		return 0;
	return error_set(e, -EBUSY,
			 "port %s: %s shares its IOMMU group with devices that have drivers: %s: "
			 "unbind these from their drivers, or put the card into a slot with a "
			 "group of its own (ACS)",
			 port_name, pci, others);
}

/* A driver of the kernel's has it: may it be taken away? */
static int
check_use(const char *port_name, const struct vfs_vf *vf, const char *driver, struct error *e)
{
	char ifname[IFNAMSIZ];

	if (nic_interface(vf->pci, nic_interface_is_up, ifname))
		return vf->is_vf ? error_set(e, -EBUSY,
					     "port %s: the interface %s of the VF %s is up, so "
					     "the host uses it: run `ip link set %s down`, or "
					     "choose another VF",
					     port_name, ifname, vf->pci, ifname)
				 : error_set(e, -EBUSY,
					     "port %s: pci: %s is no VF but a NIC of the host "
					     "whose interface %s is up: name a VF, or, if the "
					     "host can do without it, run `ip link set %s down`",
					     port_name, vf->pci, ifname, ifname);
	if (!nic_interface(vf->pci, NULL, ifname))
		return error_set(e, -EBUSY,
				 "port %s: %s is bound to %s and has no interface in this network "
				 "namespace, so a container may use it: choose another one, or "
				 "run `echo %s > %s/bus/pci/drivers/%s/unbind`",
				 port_name, vf->pci, driver, vf->pci, sysfs_root, driver);
	return 0;
}

int
bind_check(const char *port_name, const struct vfs_vf *vf, struct error *e)
{
	char driver[SYSFS_NAME_MAX];
	int err = 0;

	nic_driver(vf->pci, driver);
	if (!nic_is_network(vf->pci))
		return error_set(e, -ENOTSUP, "port %s: pci: %s is no network device: see `lspci`",
				 port_name, vf->pci);
	if (stays_with_kernel(vf)) {
		if (!is_for_dpdk(driver))
			return 0;
		return error_set(e, -EBUSY,
				 "port %s: %s is bound to %s, but DPDK works beside the kernel's "
				 "driver on Mellanox cards: give it back to mlx5_core (mlx4_core)",
				 port_name, vf->pci, driver);
	}
	if (is_for_dpdk(driver))
		return 0;
	if (!vf->is_vf && numvfs_count(vf->pci) > 0)
		return error_set(e, -EBUSY,
				 "port %s: pci: %s is a PF that has VFs: name one of them by pf "
				 "and vf",
				 port_name, vf->pci);
	if (driver[0])
		err = check_use(port_name, vf, driver, e);
	if (err == 0)
		err = bind_check_host(port_name, vf->pci, e);
	return err ? err : check_group(port_name, vf->pci, e);
}

/* Has this process opened the file? Ports of ours may share an IOMMU group. */
static bool
is_ours(const char *path)
{
	char target[PATH_MAX];
	bool is_found = false;
	glob_t list;

	if (glob("/proc/self/fd/*", 0, NULL, &list) != 0)
		return false;
	for (size_t i = 0; i < list.gl_pathc && !is_found; i++) {
		ssize_t len = readlink(list.gl_pathv[i], target, sizeof(target) - 1);

		if (len < 0)
			continue;
		target[len] = 0;
		is_found = strcmp(target, path) == 0;
	}
	globfree(&list);
	return is_found;
}

/* The device is bound to vfio-pci: can its group be opened? */
static int
check_open(const char *port_name, const char *pci, struct error *e)
{
	char path[SYSFS_PATH_MAX], file[PATH_MAX], group[32];
	int err;

	nic_path(path, pci, "iommu_group");
	err = sysfs_read_link(path, group, sizeof(group));
	if (err)
		return error_set(e, err, "port %s: can't read %s: %s", port_name, path,
				 strerror(-err));
	snprintf(file, sizeof(file), "%s/%s", bind_vfio, group);
	err = sysfs_try_open(file);
	if (err == -ENOENT && is_noiommu()) {
		snprintf(file, sizeof(file), "%s/noiommu-%s", bind_vfio, group);
		err = sysfs_try_open(file);
	}
	switch (-err) {
	case 0:
		return 0;
	case EBUSY:
		if (is_ours(file))
			return 0;
		return error_set(e, err,
				 "port %s: another process, as the QEMU of a guest, has %s open by "
				 "%s: choose another VF, or end that process (`fuser -v %s`)",
				 port_name, pci, file, file);
	case EACCES:
	case EPERM:
		return error_set(e, err,
				 "port %s: no right to open %s: run vswitchd as root, or give its "
				 "user read and write access to it",
				 port_name, file);
	case ENOENT:
		return error_set(e, err, "port %s: %s is missing: in a container, pass %s in",
				 port_name, file, bind_vfio);
	default:
		return error_set(e, err, "port %s: can't open %s: %s", port_name, file,
				 strerror(-err));
	}
}

/* Writes text to an attribute of the device or of the bus. */
static int
write_to(const char *port_name, const char *path, const char *text, struct error *e)
{
	int err = sysfs_write(path, text);

	return err ? sysfs_write_error(port_name, path, err, NULL, e) : 0;
}

static int
unbind(const char *port_name, const char *pci, struct error *e)
{
	char path[SYSFS_PATH_MAX];

	nic_path(path, pci, "driver/unbind");
	return write_to(port_name, path, pci, e);
}

/* Takes the device from its driver and gives it to wanted; NULL: to the kernel's own. */
static int
rebind(const char *port_name, const char *pci, const char *wanted, struct error *e)
{
	char path[SYSFS_PATH_MAX], driver[SYSFS_NAME_MAX];
	int err;

	if (wanted) {
		nic_path(path, pci, "driver_override");
		err = write_to(port_name, path, wanted, e);
		if (err)
			return err;
	}
	nic_driver(pci, driver);
	err = driver[0] ? unbind(port_name, pci, e) : 0;
	if (err)
		return err;
	sysfs_path(path, "bus/pci/drivers_probe");
	err = write_to(port_name, path, pci, e);
	if (err)
		return err;
	nic_driver(pci, driver);
	if (wanted ? strcmp(driver, wanted) == 0 : driver[0] != 0)
		return 0;
	return error_set(e, -EIO, "port %s: %s did not take %s: see the kernel's log (dmesg)",
			 port_name, wanted ? wanted : "the kernel's driver", pci);
}

int
bind_set(const char *port_name, const struct vfs_vf *vf, struct vfs_undo *undo, struct error *e)
{
	char path[SYSFS_PATH_MAX], driver[SYSFS_NAME_MAX];
	bool is_kernels = stays_with_kernel(vf);
	int err = bind_check(port_name, vf, e);

	if (err)
		return err;
	nic_driver(vf->pci, driver);
	if (strcmp(driver, vfio_pci) == 0)
		return check_open(port_name, vf->pci, e);
	if (is_for_dpdk(driver) || (is_kernels && driver[0]))
		return 0;
	snprintf(undo->pci, sizeof(undo->pci), "%s", vf->pci);
	snprintf(undo->driver, sizeof(undo->driver), "%s", driver);
	nic_path(path, vf->pci, "driver_override");
	err = sysfs_read(path, undo->override, sizeof(undo->override));
	if (err)
		return error_set(e, err, "port %s: can't read %s: %s", port_name, path,
				 strerror(-err));
	if (strcmp(undo->override, "(null)") == 0) /* how the kernel prints none */
		undo->override[0] = 0;
	undo->is_bound = true;
	err = rebind(port_name, vf->pci, is_kernels ? NULL : vfio_pci, e);
	if (err == 0 && !is_kernels)
		err = check_open(port_name, vf->pci, e);
	if (err) {
		bind_undo(port_name, undo);
		return err;
	}
	nic_driver(vf->pci, driver);
	log_info("port %s: bound %s to %s: its driver was %s", port_name, vf->pci, driver,
		 undo->driver[0] ? undo->driver : "none");
	return 0;
}

void
bind_undo(const char *port_name, struct vfs_undo *undo)
{
	char path[SYSFS_PATH_MAX], driver[SYSFS_NAME_MAX];
	struct error e;
	int err;

	if (!undo->is_bound)
		return;
	undo->is_bound = false;
	nic_path(path, undo->pci, "driver_override");
	err = write_to(port_name, path, undo->override[0] ? undo->override : "\n", &e);
	nic_driver(undo->pci, driver);
	if (err == 0 && strcmp(driver, undo->driver) != 0) {
		if (driver[0])
			err = unbind(port_name, undo->pci, &e);
		sysfs_path(path, "bus/pci/drivers/%s/bind", undo->driver);
		if (err == 0 && undo->driver[0])
			err = write_to(port_name, path, undo->pci, &e);
	}
	if (err)
		log_warn("%s: %s is not given back to its driver (%s)", e.text, undo->pci,
			 undo->driver[0] ? undo->driver : "none");
	else
		log_info("port %s: gave %s back: its driver is %s again", port_name, undo->pci,
			 undo->driver[0] ? undo->driver : "none");
}

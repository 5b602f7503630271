/* SPDX-License-Identifier: BSD-3-Clause */
/* doctor_device.c: what is needed to drive a network card from user space. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"

/* DPDK works beside the kernel's driver on Mellanox cards, without VFIO and so an IOMMU. */
static bool
device_stays_with_kernel(const struct doctor *d, const char *device)
{
	char dir[DOCTOR_PATH_MAX], vendor[DOCTOR_LIST_MAX];

	doctor_device(device, dir);
	return doctor_line(d, vendor, "%s/vendor", dir) && strcmp(vendor, "0x15b3") == 0;
}

/* A port that takes a PCI device away from the kernel, or NULL. */
static const struct setup_port *
device_port(const struct doctor *d)
{
	for (uint32_t i = 0; i < d->setup.n_ports; i++) {
		const char *device = d->setup.ports[i].device;

		if (device[0] && !device_stays_with_kernel(d, device))
			return &d->setup.ports[i];
	}
	return NULL;
}

static bool
device_has_iommu(const struct doctor *d)
{
	char path[DOCTOR_PATH_MAX];
	const struct dirent *entry;
	bool has = false;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/sys/class/iommu", d->root);
	dir = opendir(path);
	while (dir && !has && (entry = readdir(dir)))
		has = entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return has;
}

void
doctor_check_iommu(struct doctor *d)
{
	const struct setup_port *port = device_port(d);
	struct finding *finding;
	char flag[DOCTOR_LIST_MAX];

	if (device_has_iommu(d)) {
		finding_add(&d->findings, FINDING_OK, "iommu", "there is one");
		return;
	}
	if (!port) {
		finding_add(&d->findings, FINDING_OK, "iommu",
			    "there is none, and no port that needs one");
		return;
	}
	doctor_line(d, flag, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	finding = finding_add(&d->findings, flag[0] == 'Y' ? FINDING_WARNING : FINDING_ERROR,
			      "iommu", "there is none%s, and port %s drives %s",
			      flag[0] == 'Y' ? " (vfio is told to do without, which is not safe)"
					     : "",
			      port->name, port->device);
	finding_todo(finding, "switch it on in the firmware (VT-d, AMD-Vi), and boot with "
			      "intel_iommu=on on Intel");
}

void
doctor_check_vfio(struct doctor *d)
{
	const struct setup_port *port = device_port(d);
	bool has = doctor_exists(d, "/sys/bus/pci/drivers/vfio-pci");
	struct finding *finding;

	if (has && doctor_exists(d, "/dev/vfio/vfio")) {
		finding_add(&d->findings, FINDING_OK, "vfio", "vfio-pci is there");
	} else if (!port) {
		finding_add(&d->findings, FINDING_OK, "vfio",
			    "vfio-pci is not there, and no port needs it");
	} else {
		finding =
			finding_add(&d->findings, FINDING_ERROR, "vfio",
				    "%s is not there, and port %s drives %s",
				    has ? "/dev/vfio/vfio" : "vfio-pci", port->name, port->device);
		finding_todo(finding, "modprobe vfio-pci");
	}
}

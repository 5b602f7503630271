/* SPDX-License-Identifier: BSD-3-Clause */
/* vfs.c: see vfs.h. */
#include "vfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind.h"
#include "error.h"
#include "nic.h"
#include "numvfs.h"

enum {
	NODE_MAX = 4096,
};

/* The PF's address if the device is a VF whose PF is here, or empty. */
static void
read_pf(const char *pci, char pf_pci[PORT_PCI_MAX])
{
	char path[SYSFS_PATH_MAX], name[PORT_PCI_MAX];

	nic_path(path, pci, "physfn");
	if (sysfs_read_link(path, name, sizeof(name)) != 0 || !nic_parse(name, pf_pci))
		pf_pci[0] = 0;
}

/* An address of the config's, in sysfs' spelling. */
static int
parse_pci(const char *port_name, const char *key, const char *text, char pci[PORT_PCI_MAX],
	  struct error *e)
{
	if (nic_parse(text, pci))
		return 0;
	return error_set(e, -EINVAL,
			 "port %s: %s: %s is no PCI address: write domain:bus:slot.function in "
			 "hexadecimal digits, as 0000:01:10.0",
			 port_name, key, text);
}

static int
find_pf_by_interface(const struct port_conf *conf, struct numvfs_pf *pf, struct error *e)
{
	const char *name = conf->vf.pf;
	int err;

	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set(e, -EINVAL, "port %s: pf: %s is no name of an interface",
				 conf->name, name);
	err = nic_of_interface(name, pf->pci);
	if (err == -ENODEV)
		return error_set(e, err,
				 "port %s: pf: there is no interface %s in the network namespace "
				 "of vswitchd: see `ip link`, or give the PF's PCI address",
				 conf->name, name);
	if (err)
		return error_set(e, err,
				 "port %s: pf: the interface %s is on no PCI device: name the "
				 "interface of an SR-IOV card itself, not one that lies on it",
				 conf->name, name);
	snprintf(pf->label, sizeof(pf->label), "%s (%s)", name, pf->pci);
	return 0;
}

static int
find_pf(const struct port_conf *conf, struct numvfs_pf *pf, struct error *e)
{
	char its_pf[PORT_PCI_MAX];
	int err;

	if (!strchr(conf->vf.pf, ':')) {
		err = find_pf_by_interface(conf, pf, e);
	} else {
		err = parse_pci(conf->name, "pf", conf->vf.pf, pf->pci, e);
		snprintf(pf->label, sizeof(pf->label), "%s", conf->vf.pf);
		if (err == 0 && !nic_is_there(pf->pci))
			err = error_set(e, -ENODEV,
					"port %s: pf: there is no PCI device %s: see `lspci -D`",
					conf->name, pf->pci);
	}
	if (err)
		return err;
	read_pf(pf->pci, its_pf);
	if (its_pf[0])
		return error_set(e, -ENOTSUP,
				 "port %s: pf: %s is a VF itself: write pci: \"%s\" instead of pf "
				 "and vf, or name its PF %s",
				 conf->name, pf->label, pf->pci, its_pf);
	return 0;
}

/* The PCI address of the PF's VF number; the PF has it. */
static int
read_vf(const struct port_conf *conf, const struct numvfs_pf *pf, char pci[PORT_PCI_MAX],
	struct error *e)
{
	char path[SYSFS_PATH_MAX], attribute[16], name[PORT_PCI_MAX];

	snprintf(attribute, sizeof(attribute), "virtfn%u", conf->vf.vf);
	nic_path(path, pf->pci, attribute);
	if (sysfs_read_link(path, name, sizeof(name)) == 0 && nic_parse(name, pci))
		return 0;
	return error_set(e, -ENODEV,
			 "port %s: vf: %s has no VF %u now: somebody is removing its VFs, or has "
			 "removed that one from the PCI bus",
			 conf->name, pf->label, conf->vf.vf);
}

/* Which of its PF's VFs it is. */
static uint16_t
read_number(const char *pf_pci, const char *pci)
{
	char name[PORT_PCI_MAX];
	uint16_t number = 0;
	glob_t list;

	sysfs_list(&list, "bus/pci/devices/%s/virtfn*", pf_pci);
	for (size_t i = 0; i < list.gl_pathc; i++)
		if (sysfs_read_link(list.gl_pathv[i], name, sizeof(name)) == 0 &&
		    strcmp(name, pci) == 0)
			number = (uint16_t)strtoul(
				strstr(list.gl_pathv[i], "/virtfn") + strlen("/virtfn"), NULL, 10);
	globfree(&list);
	return number;
}

/* Fills vf with what sysfs says of the device vf->pci. */
static int
describe(const struct port_conf *conf, struct vfs_vf *vf, struct error *e)
{
	char path[SYSFS_PATH_MAX];
	long vendor, device, node;

	nic_path(path, vf->pci, "vendor");
	if (sysfs_read_number(path, 16, 0, UINT16_MAX, &vendor) != 0)
		vendor = -1;
	nic_path(path, vf->pci, "device");
	if (vendor < 0 || sysfs_read_number(path, 16, 0, UINT16_MAX, &device) != 0)
		return error_set(
			e, -ENODEV,
			"port %s: %s: there is no PCI device %s: see `lspci -D`; where the "
			"VFs are not made at boot, give pf, vf and num_vfs instead",
			conf->name, conf->vf.pf[0] ? "vf" : "pci", vf->pci);
	vf->vendor = (uint16_t)vendor;
	vf->device = (uint16_t)device;
	nic_path(path, vf->pci, "numa_node");
	vf->node = sysfs_read_number(path, 10, 0, NODE_MAX, &node) == 0 ? (int)node : -1;
	nic_driver(vf->pci, vf->driver);
	read_pf(vf->pci, vf->pf_pci);
	vf->is_vf = vf->pf_pci[0] || nic_is_known_vf(vf->vendor, vf->device);
	if (!vf->pf_pci[0])
		return 0;
	vf->number = read_number(vf->pf_pci, vf->pci);
	if (conf->vf.pf[0] && !strchr(conf->vf.pf, ':'))
		snprintf(vf->pf_ifname, sizeof(vf->pf_ifname), "%s", conf->vf.pf);
	else
		nic_interface(vf->pf_pci, nic_interface_is_own, vf->pf_ifname);
	return 0;
}

int
vfs_check(const struct port_conf *conf, struct error *e)
{
	struct vfs_vf vf = {0};
	struct numvfs_pf pf;
	uint16_t n;
	int err;

	if (conf->vf.pf[0]) {
		err = find_pf(conf, &pf, e);
		if (err == 0)
			err = numvfs_check(conf, &pf, &n, e);
		if (err == 0 && n == 0)
			return bind_check_host(conf->name, pf.pci, e);
		if (err == 0)
			err = read_vf(conf, &pf, vf.pci, e);
	} else {
		err = parse_pci(conf->name, "pci", conf->vf.pci, vf.pci, e);
	}
	if (err == 0)
		err = describe(conf, &vf, e);
	return err ? err : bind_check(conf->name, &vf, e);
}

/* The VF by its PF and number; makes the PF's VFs first if there are none and conf asks for them.
 */
static int
find_by_pf(const struct port_conf *conf, struct vfs_vf *vf, struct vfs_undo *undo, struct error *e)
{
	struct numvfs_pf pf;
	uint16_t n;
	int err = find_pf(conf, &pf, e);

	if (err == 0)
		err = numvfs_check(conf, &pf, &n, e);
	if (err)
		return err;
	if (n == 0) {
		err = numvfs_make(conf->name, &pf, conf->vf.num_vfs, e);
		if (err)
			return err;
		undo->is_counted = true;
		snprintf(undo->pf_pci, sizeof(undo->pf_pci), "%s", pf.pci);
	}
	return read_vf(conf, &pf, vf->pci, e);
}

int
vfs_find(const struct port_conf *conf, struct vfs_vf *vf, struct vfs_undo *undo, struct error *e)
{
	int err;

	*vf = (struct vfs_vf){0};
	*undo = (struct vfs_undo){0};
	if (conf->vf.pf[0])
		err = find_by_pf(conf, vf, undo, e);
	else
		err = parse_pci(conf->name, "pci", conf->vf.pci, vf->pci, e);
	if (err == 0)
		err = describe(conf, vf, e);
	if (err) {
		vfs_undo(conf->name, undo);
		return err;
	}
	snprintf(undo->pci, sizeof(undo->pci), "%s", vf->pci);
	snprintf(undo->pf_pci, sizeof(undo->pf_pci), "%s", vf->pf_pci);
	if (!undo->is_counted && vf->pf_pci[0])
		undo->is_counted = numvfs_use(vf->pf_pci);
	return 0;
}

int
vfs_bind(const char *port_name, const struct vfs_vf *vf, struct vfs_undo *undo, struct error *e)
{
	return bind_set(port_name, vf, undo, e);
}

void
vfs_undo(const char *port_name, struct vfs_undo *undo)
{
	char pf_pci[PORT_PCI_MAX];

	/* a VF that is being removed has lost its link first */
	read_pf(undo->pci, pf_pci);
	if (undo->pci[0] && (!nic_is_there(undo->pci) || strcmp(pf_pci, undo->pf_pci) != 0)) {
		vfs_forget(port_name, undo);
		return;
	}
	bind_undo(port_name, undo);
	if (undo->is_counted)
		numvfs_release(port_name, undo->pf_pci);
	*undo = (struct vfs_undo){0};
}

void
vfs_forget(const char *port_name, struct vfs_undo *undo)
{
	if (undo->is_counted)
		numvfs_forget(port_name, undo->pf_pci);
	*undo = (struct vfs_undo){0};
}

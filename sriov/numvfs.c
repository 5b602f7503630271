/* SPDX-License-Identifier: BSD-3-Clause */
/* numvfs.c: see numvfs.h. */
#include "numvfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "log.h"
#include "nic.h"

enum {
	VFS_MAX = UINT16_MAX, /* fields of the SR-IOV capability have 16 bits */
};

/*
 * The PFs whose VFs we have made; n_users of 0: a free entry. As many as there can be ports, each
 * of which relies on one.
 */
static struct {
	char pf_pci[PORT_PCI_MAX];
	uint16_t n_made;
	uint16_t n_users; /* ports */
} made[PORTS_MAX];

static int
made_find(const char *pf_pci)
{
	for (int i = 0; i < PORTS_MAX; i++)
		if (made[i].n_users > 0 && strcmp(made[i].pf_pci, pf_pci) == 0)
			return i;
	return -1;
}

uint16_t
numvfs_count(const char *pf_pci)
{
	glob_t list;
	size_t n;

	sysfs_list(&list, "bus/pci/devices/%s/virtfn*", pf_pci);
	n = list.gl_pathc;
	globfree(&list);
	return n > VFS_MAX ? VFS_MAX : (uint16_t)n;
}

/* The PF has none, and none is to be made. */
static int
none_error(const struct port_conf *conf, const struct numvfs_pf *pf, struct error *e)
{
	return error_set(e, -ENODEV,
			 "port %s: vf: %s has no VFs: set num_vfs, or make them with `echo %u > "
			 "%s/bus/pci/devices/%s/sriov_numvfs`",
			 conf->name, pf->label, conf->vf.vf + 1u, sysfs_root, pf->pci);
}

static int
too_few_error(const struct port_conf *conf, const struct numvfs_pf *pf, uint16_t n, struct error *e)
{
	const char *key = conf->vf.num_vfs > n ? "num_vfs" : "vf";
	unsigned int want = conf->vf.num_vfs > n ? conf->vf.num_vfs : conf->vf.vf + 1u;

	return error_set(
		e, strcmp(key, "vf") == 0 ? -ENODEV : -EBUSY,
		"port %s: %s: %s has %u VFs already (0 to %u) where %u are wanted, and "
		"their number is not changed because others may use them: ask for no more, "
		"or, when nobody uses them, run `echo 0 > "
		"%s/bus/pci/devices/%s/sriov_numvfs` and try again",
		conf->name, key, pf->label, n, n - 1u, want, sysfs_root, pf->pci);
}

int
numvfs_check(const struct port_conf *conf, const struct numvfs_pf *pf, uint16_t *n, struct error *e)
{
	char path[SYSFS_PATH_MAX];
	long total;
	int err;

	*n = numvfs_count(pf->pci);
	if (*n > 0)
		return conf->vf.num_vfs > *n || conf->vf.vf >= *n ? too_few_error(conf, pf, *n, e)
								  : 0;
	nic_path(path, pf->pci, "sriov_totalvfs");
	err = sysfs_read_number(path, 10, 0, VFS_MAX, &total);
	if (err == -ENOENT)
		return error_set(
			e, -ENOTSUP,
			"port %s: pf: %s has no SR-IOV: choose a card that has it, or turn "
			"it on in the card's firmware and in that of the machine",
			conf->name, pf->label);
	if (err)
		return error_set(e, err, "port %s: pf: can't read %s: %s", conf->name, path,
				 strerror(-err));
	if (total == 0)
		return error_set(e, -ENOTSUP,
				 "port %s: pf: %s may have 0 VFs: turn SR-IOV on in the card's "
				 "firmware (as with the maker's tool), and start the machine again",
				 conf->name, pf->label);
	if (conf->vf.num_vfs > total)
		return error_set(e, -ERANGE,
				 "port %s: num_vfs: %s can have %ld VFs at most, not %u: ask for "
				 "fewer",
				 conf->name, pf->label, total, conf->vf.num_vfs);
	if (conf->vf.num_vfs == 0)
		return none_error(conf, pf, e);
	if (conf->vf.vf >= conf->vf.num_vfs)
		return error_set(e, -EINVAL,
				 "port %s: vf: with num_vfs %u the VFs are 0 to %u, there is no %u",
				 conf->name, conf->vf.num_vfs, conf->vf.num_vfs - 1u, conf->vf.vf);
	return 0;
}

/* What a failed write to sriov_numvfs means (drivers/pci/iov.c, and the drivers of PFs). */
static const char *
meaning_of(int code)
{
	switch (-code) {
	case ENOMEM:
		return "the machine's firmware gave the card too little address space or too few "
		       "bus numbers: turn on SR-IOV and `Above 4G Decoding` there, or add "
		       "pci=realloc to the kernel's command line";
	case ENOSPC:
		return "the card has no queues or interrupts left for so many: ask for fewer";
	case EBUSY:
		return "somebody else is making VFs, or the card is being reset: try again";
	case EAGAIN:
		return "the card is being reset: try again";
	case ENOENT:
		return "the PF's driver makes no VFs, or the PF has none: load the driver that "
		       "does";
	case EINVAL:
	case EPERM:
	case ERANGE:
		return "the PF's driver does not make so many, or not in its present mode: ask for "
		       "fewer, run vswitchd as root, and see the kernel's log (dmesg)";
	case EOPNOTSUPP:
		return "the PF's driver does not make VFs in its present mode: see the kernel's "
		       "log (dmesg)";
	case EIO:
		return "the card's firmware refused: see the kernel's log (dmesg)";
	default:
		return NULL;
	}
}

/*
 * Are VFs of this PF, which has no links to any, still there? They are being removed then, see
 * numvfs.h. PCI Express 5.0 §9.2.1.2 says where they are; their ID tells them from other functions.
 */
static bool
are_leaving(const char *pf_pci)
{
	/* without 0x, whatever the base; not there before Linux 4.14 */
	static const struct {
		const char *name;
		int base;
	} attributes[] = {{"sriov_totalvfs", 10},
			  {"sriov_offset", 10},
			  {"sriov_stride", 10},
			  {"sriov_vf_device", 16}};
	enum {
		TOTAL,
		OFFSET,
		STRIDE,
		DEVICE,
		N,
	};
	unsigned int domain, bus, slot, function;
	char path[SYSFS_PATH_MAX], pci[PORT_PCI_MAX];
	long values[N], device;

	for (int i = 0; i < N; i++) {
		nic_path(path, pf_pci, attributes[i].name);
		if (sysfs_read_number(path, attributes[i].base, 0, UINT16_MAX, &values[i]) != 0)
			return false;
	}
	if (sscanf(pf_pci, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return false;
	for (long i = 0; i < values[TOTAL]; i++) {
		long id = (long)(bus << 8 | slot << 3 | function) + values[OFFSET] +
			  i * values[STRIDE];

		snprintf(pci, sizeof(pci), "%04x:%02x:%02x.%x", domain & 0xfffffff,
			 (unsigned int)(id >> 8 & 0xff), (unsigned int)(id >> 3 & 0x1f),
			 (unsigned int)(id & 7));
		nic_path(path, pci, "device");
		if (sysfs_read_number(path, 16, 0, UINT16_MAX, &device) == 0 &&
		    device == values[DEVICE])
			return true;
	}
	return false;
}

/* Writes n to sriov_numvfs, so that drivers find no VF by themselves in between. */
static int
write_numvfs(const char *port_name, const struct numvfs_pf *pf, uint16_t n, struct error *e)
{
	char path[SYSFS_PATH_MAX], autoprobe[SYSFS_PATH_MAX], text[8];
	long is_probing;
	int err;

	nic_path(autoprobe, pf->pci, "sriov_drivers_autoprobe");
	err = sysfs_read_number(autoprobe, 10, 0, 1, &is_probing);
	if (err)
		return error_set(e, err, "port %s: pf: can't read %s: %s", port_name, autoprobe,
				 strerror(-err));
	if (is_probing) {
		err = sysfs_write(autoprobe, "0");
		if (err)
			return sysfs_write_error(port_name, autoprobe, err, NULL, e);
	}
	nic_path(path, pf->pci, "sriov_numvfs");
	snprintf(text, sizeof(text), "%u", n);
	err = sysfs_write(path, text);
	if (err)
		sysfs_write_error(port_name, path, err, meaning_of(err), e);
	if (is_probing && sysfs_write(autoprobe, "1") != 0)
		log_warn("port %s: %s stays 0: run `echo 1 > %s`", port_name, autoprobe, autoprobe);
	return err;
}

int
numvfs_make(const char *port_name, const struct numvfs_pf *pf, uint16_t n, struct error *e)
{
	char path[SYSFS_PATH_MAX];
	uint16_t n_made;
	long is;
	int i, err;

	nic_path(path, pf->pci, "sriov_numvfs");
	if (are_leaving(pf->pci))
		return error_set(e, -EBUSY,
				 "port %s: pf: the VFs of %s are just being removed: end what "
				 "still uses them, and try again",
				 port_name, pf->label);
	err = sysfs_read_number(path, 10, 0, VFS_MAX, &is);
	if (err)
		return error_set(e, err, "port %s: pf: can't read %s: %s", port_name, path,
				 strerror(-err));
	if (is != 0)
		return error_set(e, -EBUSY,
				 "port %s: pf: somebody else is just making or removing the VFs "
				 "of %s: try again",
				 port_name, pf->label);
	err = write_numvfs(port_name, pf, n, e);
	if (err)
		return err;
	n_made = numvfs_count(pf->pci);
	if (n_made < n) {
		err = sysfs_write(path, "0");
		if (err)
			log_warn("port %s: the VFs of %s stay: %s", port_name, pf->label,
				 strerror(-err));
		return error_set(e, -EIO,
				 "port %s: num_vfs: the driver of %s made %u VFs instead of %u: "
				 "set its interface up with `ip link set ... up`, or see the "
				 "kernel's log (dmesg)",
				 port_name, pf->label, n_made, n);
	}
	log_info("port %s: made %u VFs of %s", port_name, n_made, pf->label);
	for (i = 0; made[i].n_users > 0; i++)
		;
	snprintf(made[i].pf_pci, sizeof(made[i].pf_pci), "%s", pf->pci);
	made[i].n_made = n_made;
	made[i].n_users = 1;
	return 0;
}

bool
numvfs_use(const char *pf_pci)
{
	int i = made_find(pf_pci);

	if (i < 0)
		return false;
	made[i].n_users++;
	return true;
}

/* Why the VF is in use; NULL: it is not. */
static const char *
use_of(const char *vf_pci)
{
	char driver[SYSFS_NAME_MAX], ifname[IFNAMSIZ];

	nic_driver(vf_pci, driver);
	if (!driver[0])
		return NULL;
	if (strstr(driver, "vfio") || strstr(driver, "uio"))
		return "is bound to a driver for programs and guests";
	if (nic_interface(vf_pci, nic_interface_is_up, ifname))
		return "has an interface that is up";
	if (!nic_interface(vf_pci, NULL, ifname))
		return "has a driver but no interface in this network namespace";
	return NULL;
}

/* Why the n VFs of the PF can't be removed: one is in use, or they are others; empty: they can. */
static void
find_use(const char *pf_pci, uint16_t n, char why[REASON_MAX])
{
	char pci[PORT_PCI_MAX];
	glob_t list;

	why[0] = 0;
	sysfs_list(&list, "bus/pci/devices/%s/virtfn*", pf_pci);
	if (list.gl_pathc != n)
		snprintf(why, REASON_MAX, "somebody else has changed their number from %u to %zu",
			 n, list.gl_pathc);
	for (size_t i = 0; i < list.gl_pathc && !why[0]; i++) {
		const char *use = "can't be read";

		if (sysfs_read_link(list.gl_pathv[i], pci, sizeof(pci)) == 0)
			use = use_of(pci);
		if (use)
			snprintf(why, REASON_MAX, "%s %s", pci, use);
	}
	globfree(&list);
}

void
numvfs_release(const char *port_name, const char *pf_pci)
{
	char path[SYSFS_PATH_MAX], why[REASON_MAX];
	int i = made_find(pf_pci), err;

	if (i < 0 || --made[i].n_users > 0)
		return;
	nic_path(path, pf_pci, "sriov_numvfs");
	find_use(pf_pci, made[i].n_made, why);
	if (why[0]) {
		log_warn("port %s: the VFs made of %s stay: %s; when nobody uses them: `echo 0 > "
			 "%s`",
			 port_name, pf_pci, why, path);
		return;
	}
	err = sysfs_write(path, "0");
	if (err)
		log_warn("port %s: the VFs made of %s stay: can't write %s: %s", port_name, pf_pci,
			 path, strerror(-err));
	else
		log_info("port %s: removed the VFs made of %s", port_name, pf_pci);
}

void
numvfs_forget(const char *port_name, const char *pf_pci)
{
	int i = made_find(pf_pci);

	if (i < 0)
		return;
	made[i].n_users = 0;
	log_info("port %s: somebody else has removed VFs made of %s: no more are removed at exit",
		 port_name, pf_pci);
}

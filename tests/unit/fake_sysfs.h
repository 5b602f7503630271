/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_sysfs.h: a tree like sysfs', and the kernel behind it: what a write to sriov_numvfs,
 * drivers_probe, bind or unbind does, for sriov/'s tests. Link with fake_sysfs_args.
 */
#ifndef FAKE_SYSFS_H
#define FAKE_SYSFS_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "port.h"

#define FAKE_PF	   "0000:01:00.0"
#define FAKE_PF_IF "eth2"
#define FAKE_VF0   "0000:01:10.0"
#define FAKE_VF1   "0000:01:10.2"

struct fake_sysfs {
	char root[64];
	char journal[2048];    /* each write: "attribute=text; " */
	char warning[512];     /* the last one logged */
	const char *fail_path; /* writes to paths with this end fail */
	int fail_code;	       /* with this, -errno */
	int open_code;	       /* what opening a file of VFIO gives; 0: as it is */
	uint16_t n_fewer;      /* VFs less than asked for are made */
	bool is_refusing;      /* vfio-pci takes no device */
};

extern struct fake_sysfs fake_sysfs;

/* For cmocka: a new tree with vfio-pci loaded, and a PF with its interface and no VFs. */
int fake_sysfs_set_up(void **state);
int fake_sysfs_tear_down(void **state);

/* Writes a file below the tree, with the directories above it. */
void fake_attribute(const char *path, const char *text);

/* Makes a link below the tree to a path below the tree. */
void fake_link(const char *path, const char *target);

/* Removes a file, link or empty directory below the tree, if it is there. */
void fake_remove(const char *path);

/* The text of a file below the tree. */
const char *fake_text(const char *path);

/* A PCI device with a group of its own; class as 0x020000; driver: NULL: none. */
void fake_device(const char *pci, const char *device_id, const char *class, const char *driver);
void fake_group(const char *pci, const char *group);
void fake_driver(const char *pci, const char *driver); /* NULL: none */
const char *fake_driver_of(const char *pci);	       /* "": none */
void fake_interface(const char *pci, const char *ifname, bool is_up);

/* As if somebody had written n to sriov_numvfs of FAKE_PF; VFs get that driver, or NULL. */
void fake_vfs(uint16_t n, const char *driver);

/* Confs by pf and vf, and by pci. */
struct port_conf fake_conf(const char *pf, uint16_t vf, uint16_t num_vfs);
struct port_conf fake_conf_pci(const char *pci);

/* The sentence has all of these parts; end the list with NULL. */
void fake_expect(const struct error *e, ...);

#endif

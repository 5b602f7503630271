/* SPDX-License-Identifier: BSD-3-Clause */
/* backing.c: see backing.h. */
#include "backing.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/vfs.h>

#include <linux/magic.h>

/* Those that linux/magic.h does not have. */
enum {
	MAGIC_BCACHEFS = 0xca451a4e,
	MAGIC_ZFS = 0x2fc12fc1,
};

/*
 * What guests' memory is put on: by memfd and in /dev/shm (a device, as DAX has, lies on a tmpfs as
 * well), in hugepages, and by memory-backend-file in a directory on a disk.
 */
static const uint32_t fit[] = {
	TMPFS_MAGIC,	  HUGETLBFS_MAGIC,   RAMFS_MAGIC,    EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,
	F2FS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, MAGIC_BCACHEFS, MAGIC_ZFS,
};

/* All others are refused; these by name. An overlay may have any of them as its upper layer. */
static const struct {
	uint32_t magic;
	const char *name;
} unfit[] = {
	{FUSE_SUPER_MAGIC, "FUSE"}, {NFS_SUPER_MAGIC, "NFS"},
	{SMB_SUPER_MAGIC, "SMB"},   {CIFS_SUPER_MAGIC, "SMB"},
	{SMB2_SUPER_MAGIC, "SMB"},  {CEPH_SUPER_MAGIC, "CephFS"},
	{V9FS_MAGIC, "9p"},	    {OVERLAYFS_SUPER_MAGIC, "an overlay"},
};

const char *
backing_unfit(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return "something that does not say what it is";
	for (size_t i = 0; i < sizeof(fit) / sizeof(fit[0]); i++)
		if ((uint32_t)fs.f_type == fit[i])
			return NULL;
	for (size_t i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++)
		if ((uint32_t)fs.f_type == unfit[i].magic)
			return unfit[i].name;
	return "a file system that vswitchd does not know";
}

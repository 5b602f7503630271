/* SPDX-License-Identifier: BSD-3-Clause */
/* backing.c: see backing.h. */
#include "backing.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * What guests' memory is put on beside memfds: in /dev/shm (a device, as DAX has, lies on a
 * devtmpfs), in hugepages, and by memory-backend-file in a directory on a disk.
 */
static const char *const fit[] = {
	"tmpfs", "hugetlbfs", "devtmpfs", "ramfs", "ext2",     "ext3",
	"ext4",	 "xfs",	      "f2fs",	  "btrfs", "bcachefs", "zfs",
};

/* All others are refused; these by name. An overlay may have any of them as its upper layer. */
static const struct {
	const char *type;
	const char *name;
} unfit[] = {
	{"fuse", "FUSE"},
	{"fuseblk", "FUSE"},
	{"virtiofs", "virtiofs"},
	{"nfs", "NFS"},
	{"nfs4", "NFS"},
	{"cifs", "SMB"},
	{"smb3", "SMB"},
	{"ceph", "CephFS"},
	{"9p", "9p"},
	{"afs", "AFS"},
	{"gfs2", "GFS2"},
	{"ocfs2", "OCFS2"},
	{"overlay", "an overlay"},
};

const char *
backing_unfit_type(const char *type)
{
	for (size_t i = 0; i < sizeof(fit) / sizeof(fit[0]); i++)
		if (strcmp(type, fit[i]) == 0)
			return NULL;
	for (size_t i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++)
		if (strcmp(type, unfit[i].type) == 0)
			return unfit[i].name;
	if (strncmp(type, "fuse.", 5) == 0 || strncmp(type, "fuseblk.", 8) == 0)
		return "FUSE";
	return "a file system that vswitchd does not know";
}

/* The next word of a line, or NULL. Blanks in a word stand there as \040. */
static const char *
next_word(char **rest)
{
	const char *word;

	do
		word = strsep(rest, " \n");
	while (word && *word == 0);
	return word;
}

/* Is that line the mount? Leaves in rest what follows its device. */
static bool
is_mount(char **rest, const struct backing_mount *mount)
{
	const char *id = next_word(rest), *parent = next_word(rest), *device = next_word(rest);
	unsigned int dev_major, dev_minor;
	char more;
	int n;

	if (!id || !parent || !device || sscanf(id, "%d%c", &n, &more) != 1)
		return false;
	if (mount->id >= 0)
		return n == mount->id;
	return sscanf(device, "%u:%u%c", &dev_major, &dev_minor, &more) == 2 &&
	       dev_major == mount->dev_major && dev_minor == mount->dev_minor;
}

/*
 * proc_pid_mountinfo(5): behind the device there are the root, the mount point, its options, any
 * number of tags, and a lonely dash before the type.
 */
static const char *
find_type(char *rest)
{
	const char *word;

	for (unsigned int i = 0; i < 3; i++)
		if (!next_word(&rest))
			return NULL;
	while ((word = next_word(&rest)) && strcmp(word, "-") != 0)
		;
	return word ? next_word(&rest) : NULL;
}

bool
backing_find_type(FILE *mountinfo, const struct backing_mount *mount, char type[BACKING_TYPE_MAX])
{
	char *line = NULL;
	bool is_found = false;
	size_t size = 0;

	while (!is_found && getline(&line, &size, mountinfo) >= 0) {
		const char *name;
		char *rest = line;

		if (!is_mount(&rest, mount) || !(name = find_type(rest)))
			continue;
		is_found = strlen(name) < BACKING_TYPE_MAX;
		if (is_found)
			strcpy(type, name);
	}
	free(line);
	return is_found;
}

/* In the mount namespace of a process; 0: ours. */
static bool
find_mount(pid_t pid, const struct backing_mount *mount, char type[BACKING_TYPE_MAX])
{
	char path[64] = "/proc/self/mountinfo";
	FILE *mountinfo;
	bool is_found;

	if (pid > 0)
		snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
	mountinfo = fopen(path, "re");
	if (!mountinfo)
		return false;
	is_found = backing_find_type(mountinfo, mount, type);
	fclose(mountinfo);
	return is_found;
}

/* Of the mount by which the file was opened; -1 if the kernel does not say. */
static int
mount_id(int fd)
{
	char path[64], line[128];
	FILE *info;
	int id = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	if (!info)
		return -1;
	while (id < 0 && fgets(line, sizeof(line), info))
		if (sscanf(line, "mnt_id: %d", &id) != 1)
			id = -1;
	fclose(info);
	return id;
}

/*
 * The file system's device, as far as it can be had without asking it: FUSE and the network's file
 * systems heed AT_STATX_DONT_SYNC. Only a disk has a number; 0 is what all others share.
 */
static bool
find_disk(int fd, struct backing_mount *mount)
{
	struct statx file;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &file) != 0)
		return false;
	*mount = (struct backing_mount){
		.id = -1, .dev_major = file.stx_dev_major, .dev_minor = file.stx_dev_minor};
	return mount->dev_major != 0;
}

const char *
backing_unfit(int fd, pid_t peer)
{
	struct backing_mount mount = {.id = -1};
	char type[BACKING_TYPE_MAX];

	if (fcntl(fd, F_GET_SEALS) >= 0) /* a memfd, or a file on a tmpfs or a hugetlbfs */
		return NULL;
	mount.id = mount_id(fd);
	if (mount.id < 0)
		return "something that does not say what it is";
	/*
	 * systemd gives us mounts of our own, libvirt gives QEMU some: each has its number, which
	 * is no other's as long as the file is open. Of what neither has, a disk is known by its
	 * own.
	 */
	if (find_mount(0, &mount, type) || (peer > 0 && find_mount(peer, &mount, type)) ||
	    (find_disk(fd, &mount) && find_mount(0, &mount, type)))
		return backing_unfit_type(type);
	return "a file system that neither vswitchd nor QEMU has mounted";
}

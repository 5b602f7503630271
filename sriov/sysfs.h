/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sysfs.h: attributes and links of sysfs, read with bounds and written with sentences.
 *
 * Threads: control.
 */
#ifndef SRIOV_SYSFS_H
#define SRIOV_SYSFS_H

#include <glob.h>
#include <stddef.h>

struct error;

enum {
	SYSFS_PATH_MAX = 256,
	SYSFS_NAME_MAX = 64, /* bytes of a driver's name (MODULE_NAME_LEN of the kernel), with 0 */
};

/* Where sysfs is mounted: "/sys"; unit tests put a tree of their own there. */
extern const char *sysfs_root;

/* The path below sysfs_root that format gives; empty, which is the path of nothing, if too long. */
void sysfs_path(char path[SYSFS_PATH_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The paths below sysfs_root that a pattern of glob(7) gives; to be freed by globfree(). */
void sysfs_list(glob_t *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Reads an attribute of one line. 0 or -errno; -EBADMSG: it does not fit into size bytes, or is no
 * printable text.
 */
int sysfs_read(const char *path, char *text, size_t size);

/* Reads a number of that base (16: with or without 0x); -EBADMSG: it is none, or not in min..max.
 */
int sysfs_read_number(const char *path, int base, long min, long max, long *number);

/* The last name in what a link points to. 0 or -errno, -ENOENT: there is no such link. */
int sysfs_read_link(const char *path, char *name, size_t size);

/* 0 or -errno, as the kernel said. May wait for drivers, and for processes that they wait for. */
int sysfs_write(const char *path, const char *text);

/* Can the device file be opened for reading and writing now? 0 or -errno. */
int sysfs_try_open(const char *path);

/*
 * Sets the sentence for a write to path that failed with code, -errno, and returns code. meaning:
 * what that code means for this attribute; NULL: nothing special.
 */
int sysfs_write_error(const char *port_name, const char *path, int code, const char *meaning,
		      struct error *e);

#endif

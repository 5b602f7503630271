/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backing.h: what the files lie on that a peer passes us to map: guest memory, the log of dirty
 * pages.
 *
 * Who touches a page that is not there waits for whoever brings it: for FUSE that is a process,
 * which can be the peer itself, for NFS another machine. Workers must not wait, so only such files
 * are taken whose pages this kernel has, or gets from a disk of its own.
 *
 * The one who serves a file is not asked what it is: fstat(), fstatfs() and even close() of one on
 * FUSE wait for its server as a page does. They may be called for what is fit, and nothing else.
 *
 * Threads: any.
 */
#ifndef VHOST_BACKING_H
#define VHOST_BACKING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum {
	BACKING_TYPE_MAX = 32, /* bytes of a file system's name, which the kernel keeps short */
};

/*
 * NULL if the file will do; else what it lies on, for a sentence: "FUSE". peer: the process that
 * passed it, which may have mounts that we do not see; 0: not known.
 */
const char *backing_unfit(int fd, pid_t peer);

/* What a mount is looked up by, see proc_pid_mountinfo(5). */
struct backing_mount {
	int id; /* of the mount; -1: any, of that device */
	uint32_t dev_major, dev_minor;
};

/* The type of that mount in a mountinfo; false if it is not there. */
bool backing_find_type(FILE *mountinfo, const struct backing_mount *mount,
		       char type[BACKING_TYPE_MAX]);

/* What the file system with that name is, as backing_unfit() says it. */
const char *backing_unfit_type(const char *type);

#endif

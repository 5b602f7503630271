/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backing.h: what the files lie on that a peer passes us to map: guest memory, the log of dirty
 * pages.
 *
 * Who touches a page that is not there waits for whoever brings it: for FUSE that is a process,
 * which can be the peer itself, for NFS another machine. Workers must not wait, so only such files
 * are taken whose pages this kernel has, or gets from a disk of its own.
 *
 * Threads: any.
 */
#ifndef VHOST_BACKING_H
#define VHOST_BACKING_H

/* NULL if the file will do; else what it lies on, for a sentence: "FUSE". */
const char *backing_unfit(int fd);

#endif

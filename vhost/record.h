/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * record.h: what is remembered of a port's features while no vswitchd runs: a file of its own for
 * each port, in `switch: state`.
 *
 * Threads: the control thread's.
 */
#ifndef VHOST_RECORD_H
#define VHOST_RECORD_H

#include <stdint.h>
#include <sys/types.h>

struct error;

struct record {
	uint64_t pinned; /* the features that the port offers at most; 0: not pinned */

	/* the process that had its guest's features agreed on last; pid 0: none */
	struct record_guest {
		pid_t pid;
		uint64_t start; /* of the process, clock ticks since boot */
		uint64_t features;
	} guest;
};

/*
 * Reads the record of a port; one that is not there, and of a dir "", is empty. 0, or -errno with
 * the sentence in e.
 */
int record_read(const char *dir, const char *port, struct record *r, struct error *e);

/*
 * Writes it, whole or not at all, and makes dir if it is missing; an empty one is removed. With
 * pinned features it has reached the disk then. 0, or -errno with the sentence in e.
 */
int record_write(const char *dir, const char *port, const struct record *r, struct error *e);

/* When a process was started, clock ticks since boot; 0: there is none. */
uint64_t record_start_of(pid_t pid);

#endif

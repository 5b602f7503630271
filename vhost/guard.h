/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guard.h: a peer that truncates a file which we have mapped hurts its own port only.
 *
 * Guest memory and the log of dirty pages are files of QEMU's. A page behind the end of such a file
 * is a SIGBUS for whoever touches it. Files that are too short are refused when they come
 * (guard_file_fits()); of one that is cut later, the handler maps zeroes in place of what the port
 * had of it, notes that, and has the control thread look at the port (HINT_PORT). A file sealed
 * with F_SEAL_SHRINK can't be cut at all. Any other SIGBUS does what it does without us.
 *
 * Threads: guard_init(): control. Of one port, all others by one thread at a time; the handler on
 * any thread that touches guest memory. What they share are atomic words; who reads a range finds
 * it whole or not at all.
 */
#ifndef VHOST_GUARD_H
#define VHOST_GUARD_H

#include <stdbool.h>
#include <stdint.h>

enum {
	GUARD_LOG = 8, /* number of the log's range; 0..7: the regions of memory (librte_vhost) */
	GUARD_RANGES = 9, /* of a port */
};

/* Installs the handler; later calls do nothing. */
void guard_init(void);

/* Does the file hold bytes [0, end)? True as well for what has no size (a DAX device). */
bool guard_file_fits(int fd, uint64_t end);

/*
 * size bytes at start are a mapping of the port's. Size 0: not any more; to be called before it is
 * unmapped. page: of the file, bytes.
 */
void guard_set(uint16_t port, unsigned int range, const void *start, uint64_t size, uint64_t page);

/*
 * The same for guest memory as connection vid of librte_vhost has it mapped; vid -1: it will be
 * unmapped.
 */
void guard_set_memory(uint16_t port, int vid);

/* None of the port's is mapped any more. */
void guard_forget(uint16_t port);

/*
 * The calling thread, librte_vhost's, handles a message of this port: what it touches while the
 * library has mapped new memory that we have not been told of so far is this port's.
 */
void guard_current(uint16_t port);

/* Was a file of the port's cut, since guard_forgive()? */
bool guard_is_hit(uint16_t port);
void guard_forgive(uint16_t port);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dirty.h: telling a live migration which pages of a guest's memory we wrote (vhost-user protocol,
 * "Migration").
 *
 * The log is a bitmap in memory shared with QEMU, a bit for each page of guest-physical memory.
 * Everything that we write, frames and used entries, is marked after it was written: QEMU takes a
 * page when it has cleared its bit.
 *
 * Threads: dirty_mark() by any; other workers and QEMU change bits at the same time.
 */
#ifndef VHOST_DIRTY_H
#define VHOST_DIRTY_H

#include <stdint.h>

struct memory;

enum {
	DIRTY_PAGE = 4096, /* bytes that a bit stands for */
};

struct dirty_log {
	uint8_t *bits;
	uint64_t size; /* bytes; page p is bit p % 8 of byte p / 8 */
};

/*
 * The len bytes at the host address at, which lie in one region of the guest's memory, were
 * written. A page that the log has no bit for is not marked: QEMU does not move it.
 */
void dirty_mark(const struct dirty_log *log, const struct memory *memory, const void *at,
		uint64_t len);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* dirty.c: see dirty.h. */
#include "dirty.h"

#include "memory.h"

void
dirty_mark(const struct dirty_log *log, const struct memory *memory, const void *at, uint64_t len)
{
	uint64_t guest, page, last;

	if (len == 0 || !memory_guest_of(memory, at, &guest))
		return;
	last = (guest + len - 1) / DIRTY_PAGE;
	for (page = guest / DIRTY_PAGE; page <= last && page / 8 < log->size; page++)
		/* release: who sees the bit sees what was written */
		__atomic_fetch_or(&log->bits[page / 8], (uint8_t)(1 << page % 8), __ATOMIC_RELEASE);
}

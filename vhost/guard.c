/* SPDX-License-Identifier: BSD-3-Clause */
/* guard.c: see guard.h. */
#include "guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <rte_vhost.h>

#include "hint.h"
#include "port.h"

/* end is 0 while the range is being written: a reader that finds it the same before and after has
 * read a whole one. */
struct range {
	_Atomic uintptr_t start, end;
	_Atomic uint64_t page;
};

struct guard {
	_Atomic bool is_hit; /* handler: sets */
	struct range ranges[GUARD_RANGES];
};

static struct guard guards[PORTS_MAX];
static _Thread_local int current = -1; /* port whose message this thread handles */
static struct sigaction before;	       /* what SIGBUS did */

static bool
find(uintptr_t at, uint16_t *port, uintptr_t *start, uint64_t *size)
{
	for (uint32_t i = 0; i < PORTS_MAX * GUARD_RANGES; i++) {
		const struct range *r = &guards[i / GUARD_RANGES].ranges[i % GUARD_RANGES];
		uintptr_t end = atomic_load_explicit(&r->end, memory_order_acquire);
		uint64_t page = atomic_load_explicit(&r->page, memory_order_relaxed);

		*start = atomic_load_explicit(&r->start, memory_order_acquire);
		if (at < *start || at >= end ||
		    atomic_load_explicit(&r->end, memory_order_relaxed) != end)
			continue;
		*port = (uint16_t)(i / GUARD_RANGES);
		*size = (end - *start + page - 1) / page * page;
		return true;
	}
	return false;
}

static bool
map_zeroes(uintptr_t start, uint64_t size)
{
	return mmap((void *)start, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
}

/* Of a mapping that we don't know only the page, of the size that the kernel takes. */
static bool
replace_page(uintptr_t at)
{
	static const uint64_t sizes[] = {4096, 2 << 20, 1 << 30};

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (map_zeroes(at & ~(sizes[i] - 1), sizes[i]))
			return true;
		if (errno != EINVAL) /* else it is a part of a larger page */
			return false;
	}
	return false;
}

/* Only what a signal handler may do: atomic words, system calls, a ring without locks. */
static void
handle_sigbus(int sig, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr, start = 0;
	uint16_t port = 0;
	uint64_t size = 0;
	bool is_done = false;
	int err = errno;

	(void)context;
	if (info->si_code > 0 && find(at, &port, &start, &size)) {
		/* all of it: page by page would take a signal and a mapping each. That is left for
		 * a log in huge pages: the library does not say of which size they are. */
		is_done = map_zeroes(start, size) || replace_page(at);
	} else if (info->si_code > 0 && current >= 0) {
		port = (uint16_t)current;
		is_done = replace_page(at);
	}
	if (!is_done) { /* what touched it touches it again, and then this happens */
		sigaction(sig, &before, NULL);
		return;
	}
	if (!atomic_exchange_explicit(&guards[port].is_hit, true, memory_order_release))
		hint_post(HINT_PORT, port, 0);
	errno = err;
}

static void
install(void)
{
	struct sigaction action = {.sa_sigaction = handle_sigbus,
				   .sa_flags = SA_SIGINFO | SA_RESTART};

	sigaction(SIGBUS, &action, &before);
}

void
guard_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}

bool
guard_file_fits(int fd, uint64_t end)
{
	struct stat file;

	if (fstat(fd, &file) != 0)
		return false;
	return !S_ISREG(file.st_mode) || end <= (uint64_t)file.st_size;
}

void
guard_set(uint16_t port, unsigned int range, const void *start, uint64_t size, uint64_t page)
{
	struct range *r = &guards[port].ranges[range];

	atomic_store_explicit(&r->end, 0, memory_order_seq_cst);
	if (size == 0)
		return;
	atomic_store_explicit(&r->start, (uintptr_t)start, memory_order_release);
	atomic_store_explicit(&r->page, page, memory_order_relaxed);
	atomic_store_explicit(&r->end, (uintptr_t)start + size, memory_order_release);
}

void
guard_set_memory(uint16_t port, int vid)
{
	struct rte_vhost_memory *table = NULL;

	for (unsigned int i = 0; i < GUARD_LOG; i++)
		guard_set(port, i, NULL, 0, 0);
	if (vid < 0 || rte_vhost_get_mem_table(vid, &table) != 0)
		return;
	for (uint32_t i = 0; i < table->nregions && i < GUARD_LOG; i++) {
		const struct rte_vhost_mem_region *r = &table->regions[i];
		struct stat file;

		if (fstat(r->fd, &file) == 0)
			guard_set(port, i, r->mmap_addr, r->mmap_size, (uint64_t)file.st_blksize);
	}
	free(table);
}

void
guard_forget(uint16_t port)
{
	for (unsigned int i = 0; i < GUARD_RANGES; i++)
		guard_set(port, i, NULL, 0, 0);
}

void
guard_current(uint16_t port)
{
	current = port;
}

bool
guard_is_hit(uint16_t port)
{
	return atomic_load_explicit(&guards[port].is_hit, memory_order_acquire);
}

void
guard_forgive(uint16_t port)
{
	atomic_store_explicit(&guards[port].is_hit, false, memory_order_relaxed);
}

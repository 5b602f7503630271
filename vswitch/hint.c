/* SPDX-License-Identifier: BSD-3-Clause */
/* hint.c: the ring of hints, an rte_ring of 16-byte elements, see hint.h. */
#include "hint.h"

#include <errno.h>
#include <stdatomic.h>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_ring_elem.h>

#include "error.h"

enum {
	HINTS_MAX = 1024,
	DRAIN_BURST = 32
};

static struct rte_ring *ring;
static _Atomic uint64_t n_lost; /* any: add, control: exchange */

int
hint_init(struct error *e)
{
	/* relaxed tail: a producer that is preempted in the middle makes no worker wait */
	ring = rte_ring_create_elem("hints", sizeof(struct hint), HINTS_MAX, SOCKET_ID_ANY,
				    RING_F_MP_RTS_ENQ | RING_F_SC_DEQ);
	if (!ring)
		return error_set(e, -rte_errno, "out of memory for the ring of hints: %s",
				 rte_strerror(rte_errno));
	return 0;
}

void
hint_fini(void)
{
	rte_ring_free(ring);
	ring = NULL;
}

void
hint_count_lost(void)
{
	atomic_fetch_add_explicit(&n_lost, 1, memory_order_relaxed);
}

static void
post(struct hint *hint)
{
	if (rte_ring_enqueue_elem(ring, hint, sizeof(*hint)) != 0)
		hint_count_lost();
}

void
hint_post(enum hint_type type, uint16_t port, uint32_t arg)
{
	struct hint hint = {.type = (uint16_t)type, .port = port, .arg = arg};

	if (ring)
		post(&hint);
}

void
hint_post_key(enum hint_type type, uint16_t port, uint32_t arg, uint64_t key)
{
	struct hint hint = {.type = (uint16_t)type, .port = port, .arg = arg, .key = key};

	if (!ring)
		return;
	if (rte_ring_count(ring) < HINTS_MAX / 2)
		post(&hint);
	else
		hint_count_lost();
}

uint64_t
hint_drain(void (*handle)(const struct hint *hint, void *arg), void *arg)
{
	struct hint hints[DRAIN_BURST];
	unsigned n;

	do {
		n = rte_ring_dequeue_burst_elem(ring, hints, sizeof(hints[0]), DRAIN_BURST, NULL);
		for (unsigned i = 0; i < n; i++)
			handle(&hints[i], arg);
	} while (n == DRAIN_BURST);
	return atomic_exchange_explicit(&n_lost, 0, memory_order_relaxed);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_ring_race.c: two guests that rewrite their descriptors, flags, tables, indices and frames
 * while the switch copies between them. Nothing is read or written out of bounds (ASan), and what
 * was checked of a frame is what is delivered. The data races on guest memory are meant; a TSan
 * build shows that there are no others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "guest.h"
#include "ring_guest.h"
#include "ring_kind.h"

enum {
	RUN_MS = 700,
	PATIENCE_MS = 60000,
	RING_SIZE = 64, /* about */
	HONEST_SIZE = 128,
	MILD_ROUNDS = 50,
	FLAG_AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
	FLAG_USED = 1 << VRING_PACKED_DESC_F_USED,
};

static struct ring_guest liar, receiver, honest;
static struct batch batch;
static struct port_stats stats;
static _Atomic bool stop;

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint32_t
random_next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33);
}

/* A descriptor that may be right, and may be wrong in any of its fields. */
static void
scribble_desc(uint8_t *at, uint64_t *seed, uint16_t usual_flags)
{
	static const uint64_t addrs[] = {GUEST_LOW,
					 GUEST_HIGH - 60,
					 GUEST_TABLES,
					 GUEST_ALONE,
					 GUEST_ALONE + GUEST_ALONE_SIZE - 70,
					 GUEST_NOWHERE};
	uint32_t r = random_next(seed);
	uint64_t addr = addrs[r % 16 < 12 ? r % 4 : r % 6];
	uint64_t len = r >> 8 & 1 ? 16 * (r >> 9 & 15) : 12 + (r >> 9 & 0x7ff);
	uint64_t flags = usual_flags, next = random_next(seed) % (RING_SIZE + 1);

	if (r % 8 == 7)
		flags ^= random_next(seed) % 8;
	guest_write64(at, addr);
	guest_write64(at + 8, len | flags << 32 | next << 48);
}

static void
scribble_split(struct ring_guest *g, uint64_t *seed, uint32_t i, uint16_t flags, bool is_mild)
{
	struct vring_avail *avail = g->view.avail;

	scribble_desc((uint8_t *)&g->view.desc[i], seed, flags);
	guest_write16(&avail->ring[i], (uint16_t)(random_next(seed) % (RING_SIZE + !is_mild)));
	/* offers a few more buffers, or, not so mild, any number, or takes some back */
	__atomic_store_n(
		&avail->idx,
		(uint16_t)(avail->idx + random_next(seed) % (is_mild ? 3 : 99) - (is_mild ? 0 : 5)),
		__ATOMIC_RELEASE);
}

/* Any descriptor may be offered, or offered again, or not be any more, or be the end of a chain. */
static void
scribble_packed(struct ring_guest *g, uint64_t *seed, uint32_t i, uint16_t flags, bool is_mild)
{
	uint8_t *at = (uint8_t *)&g->view.packed[i];
	uint32_t r = random_next(seed);
	uint64_t owner = r & 1 ? FLAG_AVAIL : FLAG_USED, word;

	if (r % 16 == 15)
		owner = r & 16 ? FLAG_AVAIL | FLAG_USED : 0;
	scribble_desc(at, seed, flags);
	word = guest_read64(at + 8); /* length, flags, next */
	flags = (uint16_t)(word >> 32) & 7;
	if (is_mild && r % 64 > 1)
		flags &= (uint16_t)~VRING_DESC_F_NEXT;
	guest_write64(at + 8, (uint32_t)word | (uint64_t)(uint16_t)r << 32 | (flags | owner) << 48);
}

static void
scribble(struct ring_guest *g, uint64_t *seed, uint16_t flags, bool is_mild)
{
	uint32_t i = random_next(seed) % g->view.size;

	if (ring_kind->kind == KIND_PACKED)
		scribble_packed(g, seed, i, flags, is_mild);
	else
		scribble_split(g, seed, i, flags, is_mild);
	scribble_desc(ring_guest_at(g, GUEST_TABLES) + 16 * (i % 16), seed, flags);
	/* frame and record */
	guest_write64(ring_guest_at(g, GUEST_LOW) + random_next(seed) % 200, *seed);
}

static void *
scribbler(void *arg)
{
	uint64_t seed = 42, n = 0;

	(void)arg;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		bool is_mild = n++ % MILD_ROUNDS != 0;

		scribble(&liar, &seed, 0, is_mild);
		scribble(&receiver, &seed, VRING_DESC_F_WRITE, is_mild);
		if (!is_mild)
			sched_yield(); /* where both have but one CPU */
	}
	return NULL;
}

/* As the guest would by a reset: a split ring begins where its index is now. */
static void
attach_again(struct ring_guest *g)
{
	uint16_t at = 0x8000;

	if (ring_kind->kind == KIND_SPLIT) {
		at = __atomic_load_n(&g->view.avail->idx, __ATOMIC_ACQUIRE);
		if ((uint16_t)(at - g->ring.avail) > g->view.size)
			ring_break(&g->ring, RING_INDEX_JUMPED);
	}
	if (ring_fault(&g->ring) == RING_FINE)
		return;
	ring_reset(&g->ring);
	ring_attach(&g->ring, &g->view, at, at);
}

/* Where a ring is can always be said of it. */
static void
check_place(const struct ring_guest *g)
{
	if (ring_kind->kind == KIND_PACKED) {
		assert_in_range(g->ring.avail & 0x7fff, 0, g->view.size - 1);
		assert_in_range(ring_used(&g->ring) & 0x7fff, 0, g->view.size - 1);
	}
	assert_int_equal(g->ring.avail, ring_used(&g->ring));
}

/* What was delivered begins with the head that the switch saw, however the liar changed it since.
 */
static void
check_delivered(uint64_t done, uint64_t at, uint32_t room)
{
	set_foreach (i, done) {
		const struct frame *f = &batch.frames[i];
		uint32_t id, len;

		assert_true(ring_guest_used(&honest, &id, &len));
		assert_int_equal(len, FRAME_RECORD_LEN + f->len);
		assert_memory_equal(ring_guest_at(&honest, at + id * room) + FRAME_RECORD_LEN,
				    f->head, f->head_len);
	}
}

/* The lies were mixed with enough truth to get somewhere, and were seen. */
static bool
is_enough(uint64_t n_frames, uint64_t n_sent)
{
	return n_frames > 100 && n_sent > 10 && stats_read(&stats.drops[DROP_RX_BAD_CHAIN]) > 10 &&
	       stats_read(&stats.drops[DROP_TX_BAD_CHAIN]) > 10;
}

static void
open_guests(void)
{
	struct ring_guest_conf conf = {.size = RING_SIZE}, large = {.size = HONEST_SIZE};

	memset(&stats, 0, sizeof(stats));
	atomic_store(&stop, false);
	ring_guest_open(&liar, ring_kind_conf(conf));
	conf.is_mergeable = true;
	ring_guest_open(&receiver, ring_kind_conf(conf));
	ring_guest_open(&honest, ring_kind_conf(large));
}

static void
test_scribbling_guests(void **state)
{
	const uint32_t room = 8192;
	uint64_t end = now_ms() + RUN_MS, n_frames = 0, n_sent = 0;
	pthread_t thread;

	(void)state;
	open_guests();
	assert_int_equal(pthread_create(&thread, NULL, scribbler, NULL), 0);
	/* on a busy machine the scribbler may have the CPU for long */
	while (now_ms() < end || (!is_enough(n_frames, n_sent) && now_ms() < end + PATIENCE_MS)) {
		uint64_t done;
		uint32_t n;

		while (honest.n_offered - honest.n_seen < honest.view.size) {
			uint16_t slot = (uint16_t)(honest.n_offered % honest.view.size);

			ring_guest_buffer(&honest, slot, GUEST_LOW + slot * room, room, true);
		}
		attach_again(&liar);
		attach_again(&receiver);
		batch_start(&batch, 0, 0);
		n = liar.view.ops->rx(&liar.view, &liar.ring, &batch, &stats);
		assert_in_range(n, batch.n, liar.view.size);
		if (n == 0) {
			sched_yield();
			continue;
		}
		n_frames += batch.n;
		done = honest.view.ops->tx(&honest.view, &honest.ring, &batch, set_first(batch.n),
					   &stats);
		check_delivered(done, GUEST_LOW, room);
		n_sent += set_count(receiver.view.ops->tx(&receiver.view, &receiver.ring, &batch,
							  set_first(batch.n), &stats));
		liar.view.ops->release(&liar.ring);
		check_place(&liar);
		check_place(&receiver);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	assert_true(is_enough(n_frames, n_sent));
	assert_int_equal(ring_fault(&honest.ring), RING_FINE);
	ring_guest_close(&liar);
	ring_guest_close(&receiver);
	ring_guest_close(&honest);
}

int
main(void)
{
	static const struct ring_case cases[] = {
		{"scribbling_guests", test_scribbling_guests, KIND_ANY},
	};

	return ring_kind_run("ring_race", cases, sizeof(cases) / sizeof(cases[0]));
}

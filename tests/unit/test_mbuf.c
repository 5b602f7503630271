/* SPDX-License-Identifier: BSD-3-Clause */
/* test_mbuf.c: vswitch/mbuf.c, with pools in ordinary memory. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include "error.h"
#include "frame.h"
#include "mbuf.h"
#include "stats.h"

enum {
	POOL_N = 2047,
	SEG_ROOM = RTE_MBUF_DEFAULT_DATAROOM,
};

static struct rte_mempool *pool;
static struct batch *batch;
static struct port_stats stats;
static uint8_t pattern[FRAME_LEN_MAX + 100];
static uint8_t seen[sizeof(pattern)];

static int
group_set_up(void **state)
{
	static char words[]
			 [16] =
				 {
					 "test_mbuf", "--no-huge", "--no-shconf",    "--no-pci",
					 "-m",	      "64",	   "--no-telemetry", "-l",
					 "" /* a CPU that this process may use */};
	enum {
		N_WORDS = sizeof(words) / sizeof(words[0])
	};
	char *args[N_WORDS + 1] = {NULL};
	struct error e;

	(void)state;
	snprintf(words[N_WORDS - 1], sizeof(words[0]), "%d", sched_getcpu());
	for (size_t i = 0; i < N_WORDS; i++)
		args[i] = words[i];
	if (rte_eal_init(N_WORDS, args) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 + i / 251);
	pattern[12] = 0x08; /* no tag */
	pool = mbuf_pool_create("test", POOL_N, 0, &e);
	batch = calloc(1, sizeof(*batch));
	return pool && batch ? 0 : -1;
}

static int
group_tear_down(void **state)
{
	(void)state;
	free(batch);
	rte_mempool_free(pool);
	return rte_eal_cleanup();
}

static int
set_up(void **state)
{
	(void)state;
	memset(&stats, 0, sizeof(stats));
	batch_start(batch, 1, 0);
	return 0;
}

/* Each test gives every mbuf back. */
static int
tear_down(void **state)
{
	(void)state;
	return rte_mempool_avail_count(pool) == POOL_N ? 0 : -1;
}

/* An mbuf of len bytes of the pattern in segments of at most seg_len. */
static struct rte_mbuf *
make(uint32_t len, uint32_t seg_len)
{
	struct rte_mbuf *first = rte_pktmbuf_alloc(pool);

	assert_non_null(first);
	for (uint32_t off = 0; off < len;) {
		struct rte_mbuf *seg = off ? rte_pktmbuf_alloc(pool) : first;
		uint32_t part = RTE_MIN(len - off, seg_len);

		assert_non_null(seg);
		memcpy(rte_pktmbuf_append(seg, (uint16_t)part), pattern + off, part);
		if (off)
			assert_int_equal(rte_pktmbuf_chain(first, seg), 0);
		off += part;
	}
	return first;
}

static void
assert_frame_is(const struct frame *f, const uint8_t *bytes, uint32_t len)
{
	assert_int_equal(f->len, len);
	frame_read(f, 0, seen, len);
	assert_memory_equal(seen, bytes, len);
}

static void
assert_mbuf_is(const struct rte_mbuf *m, const uint8_t *bytes, uint32_t len)
{
	const void *at;

	assert_int_equal(rte_mbuf_check(m, 1, &(const char *){NULL}), 0);
	assert_int_equal(m->pkt_len, len);
	at = rte_pktmbuf_read(m, 0, len, seen);
	assert_non_null(at);
	assert_memory_equal(at, bytes, len);
	assert_int_equal(m->ol_flags, 0);
}

static struct frame *
lend_one(struct rte_mbuf *m)
{
	mbuf_lend(batch, &m, 1, false, &stats);
	assert_int_equal(batch->n, 1);
	return &batch->frames[0];
}

static void
head_and_body(void **state)
{
	static const uint32_t lens[] = {
		14, 60, FRAME_HEAD_MAX - 1, FRAME_HEAD_MAX, FRAME_HEAD_MAX + 1, 1514};

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct rte_mbuf *m = make(lens[i], SEG_ROOM);
		struct frame *f;

		batch_start(batch, 1, 0);
		f = lend_one(m);
		assert_ptr_equal(f->mbuf, m);
		assert_int_equal(f->head_len, RTE_MIN(lens[i], (uint32_t)FRAME_HEAD_MAX));
		assert_int_equal(f->n_pieces, lens[i] > FRAME_HEAD_MAX);
		assert_int_equal(f->tpid, 0);
		assert_frame_is(f, pattern, lens[i]);
		/* the head is private */
		memset(rte_pktmbuf_mtod(m, void *), 0xee, f->head_len);
		assert_frame_is(f, pattern, lens[i]);
		mbuf_release(batch);
	}
	assert_int_equal(stats_read(&stats.rx_frames),
			 0); /* lent frames are the switch's to count */
}

static void
head_out_of_many_segments(void **state)
{
	struct frame *f = lend_one(make(300, 9));

	(void)state;
	assert_int_equal(f->head_len, FRAME_HEAD_MAX);
	assert_int_equal(f->n_pieces, 22); /* 5 bytes of the 13th of 34 segments, and 21 */
	assert_frame_is(f, pattern, 300);
	mbuf_release(batch);
}

static void
empty_segments(void **state)
{
	struct rte_mbuf *m = make(0, 1);

	(void)state;
	assert_int_equal(rte_pktmbuf_chain(m, make(0, 1)), 0);
	assert_int_equal(rte_pktmbuf_chain(m, make(200, 100)), 0);
	assert_int_equal(rte_pktmbuf_chain(m, make(0, 1)), 0);
	assert_frame_is(lend_one(m), pattern, 200);
	mbuf_release(batch);
}

static void
refused(void **state)
{
	struct rte_mbuf *mbufs[] = {
		make(FRAME_LEN_MIN - 1, SEG_ROOM),
		make(60, SEG_ROOM),
		make(FRAME_LEN_MAX + 1, SEG_ROOM),
		make(FRAME_LEN_MAX, SEG_ROOM),
		make(0, 1),
	};

	(void)state;
	mbuf_lend(batch, mbufs, 5, false, &stats);
	assert_int_equal(batch->n, 2);
	assert_frame_is(&batch->frames[0], pattern, 60);
	assert_frame_is(&batch->frames[1], pattern, FRAME_LEN_MAX);
	assert_int_equal(stats_read(&stats.drops[DROP_RX_RUNT]), 2);
	assert_int_equal(stats_read(&stats.drops[DROP_RX_OVERSIZE]), 1);
	assert_int_equal(stats_read(&stats.rx_frames), 3);
	mbuf_release(batch);
}

static void
pieces_used_up(void **state)
{
	enum {
		SEGS = 30,
		N = BATCH_PIECES_MAX / SEGS + 2,
		LEN = FRAME_HEAD_MAX + SEGS
	};
	struct rte_mbuf *mbufs[N];

	(void)state;
	for (int i = 0; i < N; i++) { /* the first segment is the head, SEGS pieces follow */
		mbufs[i] = make(FRAME_HEAD_MAX, SEG_ROOM);
		for (int seg = 0; seg < SEGS; seg++) {
			struct rte_mbuf *m = make(1, SEG_ROOM);

			*rte_pktmbuf_mtod(m, uint8_t *) = pattern[FRAME_HEAD_MAX + seg];
			assert_int_equal(rte_pktmbuf_chain(mbufs[i], m), 0);
		}
	}
	mbuf_lend(batch, mbufs, N, false, &stats);
	assert_int_equal(batch->n, N - 2);
	assert_int_equal(stats_read(&stats.drops[DROP_RX_BAD_CHAIN]), 2);
	for (uint32_t i = 0; i < batch->n; i++)
		assert_frame_is(&batch->frames[i], pattern, LEN);
	mbuf_release(batch);
}

static void
bursts_that_fit(void **state)
{
	struct rte_mbuf *mbufs[BATCH_MAX];
	uint32_t n = mbuf_burst_max(FRAME_LEN_MAX, pool);

	(void)state;
	assert_int_equal(mbuf_n_segs(SEG_ROOM, pool), 1);
	assert_int_equal(mbuf_n_segs(SEG_ROOM + 1, pool), 2);
	assert_int_equal(mbuf_burst_max(1522, pool), BATCH_MAX);
	assert_in_range(n, 1, BATCH_MAX - 1);
	for (uint32_t i = 0; i < n; i++)
		mbufs[i] = make(FRAME_LEN_MAX, SEG_ROOM);
	mbuf_lend(batch, mbufs, n, false, &stats);
	assert_int_equal(batch->n, n);
	mbuf_release(batch);
}

static void
stripped_tag_comes_back(void **state)
{
	struct rte_mbuf *m = make(200, SEG_ROOM), *copy;
	uint8_t tagged[204];
	struct frame *f;

	(void)state;
	m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_IP_CKSUM_BAD;
	m->vlan_tci = 0x6abc;
	memcpy(tagged, pattern, 12);
	memcpy(tagged + 12, (uint8_t[]){0x81, 0x00, 0x6a, 0xbc}, 4);
	memcpy(tagged + 16, pattern + 12, 188);
	f = lend_one(m);
	assert_int_equal(m->ol_flags, 0);
	assert_frame_is(f, tagged, 204);
	assert_true(frame_untag(f));
	assert_int_equal(f->tci, 0x6abc);
	assert_frame_is(f, pattern, 200);
	frame_tag(f);
	copy = mbuf_of_frame(f, pool);
	assert_ptr_not_equal(copy, m);
	assert_mbuf_is(copy, tagged, 204);
	rte_pktmbuf_free(copy);
	mbuf_release(batch);
}

static void
reference_to_own_mbuf(void **state)
{
	struct rte_mbuf *m = make(5000, SEG_ROOM), *again;
	struct frame *f = lend_one(m);

	(void)state;
	again = mbuf_of_frame(f, pool);
	assert_ptr_equal(again, m);
	for (const struct rte_mbuf *seg = m; seg; seg = seg->next)
		assert_int_equal(rte_mbuf_refcnt_read(seg), 2);
	mbuf_release(batch);
	assert_mbuf_is(again, pattern, 5000);
	rte_pktmbuf_free(again);
}

static void
reference_where_head_spans_segments(void **state)
{
	struct rte_mbuf *m = make(300, 50);
	struct frame *f = lend_one(m);

	(void)state;
	assert_ptr_equal(mbuf_of_frame(f, pool), m);
	rte_pktmbuf_free(m);
	f->head[FRAME_HEAD_MAX - 1] ^= 1; /* in the third segment */
	m = mbuf_of_frame(f, pool);
	assert_ptr_not_equal(m, f->mbuf);
	rte_pktmbuf_free(m);
	mbuf_release(batch);
}

/* A tag that was taken out and put back changes nothing; one that stays out does. */
static void
reference_unless_tag_changed(void **state)
{
	struct rte_mbuf *m = make(400, SEG_ROOM), *again;
	uint8_t untagged[396];
	struct frame *f;

	(void)state;
	memcpy(rte_pktmbuf_mtod_offset(m, void *, 12), (uint8_t[]){0x81, 0x00, 0x00, 0x05}, 4);
	memcpy(untagged, pattern, 12);
	memcpy(untagged + 12, pattern + 16, 384);
	f = lend_one(m);
	assert_true(frame_untag(f));
	assert_int_equal(f->tci, 5);
	again = mbuf_of_frame(f, pool);
	assert_ptr_not_equal(again, m);
	assert_mbuf_is(again, untagged, 396);
	rte_pktmbuf_free(again);
	frame_tag(f);
	assert_ptr_equal(mbuf_of_frame(f, pool), m);
	rte_pktmbuf_free(m);
	mbuf_release(batch);
}

static void
copy_of_changed_head(void **state)
{
	struct rte_mbuf *m = make(1000, SEG_ROOM), *copy;
	struct frame *f = lend_one(m);
	uint8_t changed[1000];

	(void)state;
	f->head[3] ^= 0xff;
	memcpy(changed, pattern, sizeof(changed));
	changed[3] ^= 0xff;
	copy = mbuf_of_frame(f, pool);
	assert_ptr_not_equal(copy, m);
	assert_mbuf_is(copy, changed, 1000);
	assert_mbuf_is(m, pattern, 1000);
	assert_int_equal(rte_mbuf_refcnt_read(m), 1);
	rte_pktmbuf_free(copy);
	mbuf_release(batch);
}

/* A guest's frame: no mbuf, head_len bytes in the head, the rest in pieces of the pattern. */
static struct frame *
borrow(uint32_t len, uint32_t piece_len)
{
	struct frame *f = batch_next(batch);

	f->len = len;
	f->head_len = (uint16_t)RTE_MIN(len, (uint32_t)FRAME_HEAD_MAX);
	memcpy(f->head, pattern, f->head_len);
	for (uint32_t off = f->head_len; off < len; off += piece_len)
		batch_add_piece(batch, f, pattern + off, RTE_MIN(piece_len, len - off));
	batch_commit(batch);
	return f;
}

static void
copy_of_borrowed_frame(void **state)
{
	static const uint32_t lens[] = {14,	  60,		FRAME_HEAD_MAX, SEG_ROOM - 1,
					SEG_ROOM, SEG_ROOM + 1, 9014,		FRAME_LEN_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct rte_mbuf *m;

		batch_start(batch, 1, 0);
		m = mbuf_of_frame(borrow(lens[i], 777), pool);
		assert_non_null(m);
		assert_mbuf_is(m, pattern, lens[i]);
		assert_in_range(m->nb_segs, 1, mbuf_n_segs(lens[i], pool) + 1);
		rte_pktmbuf_free(m);
	}
}

/* What was in the mbuf before does not leave with a short frame. */
static void
padded_frame(void **state)
{
	static struct rte_mbuf *all[POOL_N];
	uint8_t padded[60] = {0};
	struct rte_mbuf *m;

	(void)state;
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, all, POOL_N), 0);
	for (uint32_t i = 0; i < POOL_N; i++)
		memset(rte_pktmbuf_mtod(all[i], void *), 0xee, sizeof(padded));
	rte_pktmbuf_free_bulk(all, POOL_N);
	memcpy(padded, pattern, 14);
	m = mbuf_of_padded_frame(borrow(14, 1), pool, 60);
	assert_mbuf_is(m, padded, 60);
	rte_pktmbuf_free(m);
	m = mbuf_of_padded_frame(borrow(60, 1), pool, 60);
	assert_mbuf_is(m, pattern, 60);
	rte_pktmbuf_free(m);
}

/* The mbuf that a short frame came in is left as it is. */
static void
padded_frame_of_mbuf(void **state)
{
	struct rte_mbuf *m = make(59, SEG_ROOM), *copy;
	struct frame *f = lend_one(m);
	uint8_t padded[60] = {0};

	(void)state;
	memcpy(padded, pattern, 59);
	copy = mbuf_of_padded_frame(f, pool, 60);
	assert_ptr_not_equal(copy, m);
	assert_mbuf_is(copy, padded, 60);
	assert_mbuf_is(m, pattern, 59);
	rte_pktmbuf_free(copy);
	mbuf_release(batch);
}

static void
empty_pool(void **state)
{
	static struct rte_mbuf *all[POOL_N];
	struct frame *f = borrow(9014, 4096);

	(void)state;
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, all, POOL_N), 0);
	assert_null(mbuf_of_frame(f, pool));
	rte_pktmbuf_free_bulk(all, 2); /* enough for the head, not for the rest */
	assert_null(mbuf_of_frame(f, pool));
	assert_int_equal(rte_mempool_avail_count(pool), 2);
	rte_pktmbuf_free_bulk(all + 2, POOL_N - 2);
}

static void
pool_that_does_not_fit(void **state)
{
	struct error e = {0};

	(void)state;
	assert_null(mbuf_pool_create("huge", 1 << 20, 0, &e));
	assert_non_null(strstr(e.text, "memory"));
}

static uint32_t n_grace_periods;
static const char *watched; /* name of a pool that must not be freed before a grace period */

void __wrap_rcu_synchronize(void);

void
__wrap_rcu_synchronize(void)
{
	n_grace_periods++;
	if (watched)
		assert_non_null(rte_mempool_lookup(watched));
}

/*
 * rte_mempool_put() counts an mbuf before it writes it down: a pool that has all back may still be
 * written to by a worker.
 */
static void
retired_pool_waits_for_workers(void **state)
{
	struct error e = {0};
	struct rte_mempool *old[2] = {mbuf_pool_create("old", 64, 0, &e),
				      mbuf_pool_create("old", 64, 0, &e)};
	struct rte_mbuf *m[2] = {rte_pktmbuf_alloc(old[0]), rte_pktmbuf_alloc(old[1])};
	char name[RTE_MEMPOOL_NAMESIZE];

	(void)state;
	strcpy(name, old[0]->name);
	n_grace_periods = 0;
	mbuf_pool_retire(old[0]);
	mbuf_pool_retire(old[1]);
	assert_int_equal(mbuf_pools_retired(), 2);
	assert_int_equal(n_grace_periods, 0); /* as long as there is nothing to be freed */
	rte_pktmbuf_free(m[0]);
	rte_pktmbuf_free(m[1]);
	watched = name;
	assert_int_equal(mbuf_pools_retired(), 0);
	watched = NULL;
	assert_int_equal(n_grace_periods, 1); /* for all */
	assert_null(rte_mempool_lookup(name));
}

static void
retired_pool_waits_for_its_mbufs(void **state)
{
	struct error e = {0};
	struct rte_mempool *old = mbuf_pool_create("old", 64, 0, &e);
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mbuf *m;

	(void)state;
	assert_non_null(old);
	strcpy(name, old->name);
	m = rte_pktmbuf_alloc(old);
	mbuf_pool_retire(old);
	assert_ptr_equal(rte_mempool_lookup(name), old);
	rte_pktmbuf_free(m);
	mbuf_pool_retire(mbuf_pool_create("next", 64, 0, &e));
	assert_null(rte_mempool_lookup(name));
	mbuf_pool_retire(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(head_and_body),
		TEST(head_out_of_many_segments),
		TEST(empty_segments),
		TEST(refused),
		TEST(pieces_used_up),
		TEST(bursts_that_fit),
		TEST(stripped_tag_comes_back),
		TEST(reference_to_own_mbuf),
		TEST(reference_where_head_spans_segments),
		TEST(reference_unless_tag_changed),
		TEST(copy_of_changed_head),
		TEST(copy_of_borrowed_frame),
		TEST(padded_frame),
		TEST(padded_frame_of_mbuf),
		TEST(empty_pool),
		TEST(pool_that_does_not_fit),
		TEST(retired_pool_waits_for_its_mbufs),
		TEST(retired_pool_waits_for_workers),
	};

	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}

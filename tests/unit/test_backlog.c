/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_backlog.c: frames that wait for a guest's translations: their order, how long they wait, and
 * that each is counted and freed once. The guest is a function; time is a number.
 */
#include "backlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "stats.h"

enum {
	FRAMES = 300,
	PATIENCE = 1000,
	VID = 3,
	RING = 4,
	ROOM = BACKLOG_FRAMES - 1, /* of the ring: DPDK's hold one less */
	LEN = 60,		   /* of frame i: LEN + i bytes */
};

static struct {
	struct backlog *backlog;
	struct port_stats stats;
	struct rte_mbuf frames[FRAMES];
	uint32_t n_freed[FRAMES]; /* times */
	uint32_t n_put;		  /* the next frame to be put */

	/* the guest */
	uint32_t room;	      /* frames that it takes in a burst */
	uint32_t len_max;     /* bytes of its buffers: a longer frame blocks those behind it */
	uint32_t got[FRAMES]; /* frames that it has, in this order */
	uint32_t n_got;
	uint32_t n_bursts;
} rig;

uint16_t __wrap_rte_vhost_enqueue_burst(int vid, uint16_t queue, struct rte_mbuf **mbufs,
					uint16_t n);
void __wrap_rte_pktmbuf_free_bulk(struct rte_mbuf **mbufs, unsigned int n);

uint16_t
__wrap_rte_vhost_enqueue_burst(int vid, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t i;

	assert_int_equal(vid, VID);
	assert_int_equal(queue, RING);
	assert_in_range(n, 1, 32); /* the library takes no more at a time */
	rig.n_bursts++;
	for (i = 0; i < n && i < rig.room && mbufs[i]->pkt_len <= rig.len_max; i++) {
		assert_int_equal(rig.n_freed[mbufs[i] - rig.frames], 0);
		rig.got[rig.n_got++] = (uint32_t)(mbufs[i] - rig.frames);
	}
	return i;
}

void
__wrap_rte_pktmbuf_free_bulk(struct rte_mbuf **mbufs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		rig.n_freed[mbufs[i] - rig.frames]++;
}

static int
setup(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	for (uint32_t i = 0; i < FRAMES; i++)
		rig.frames[i].pkt_len = LEN + i;
	rig.room = UINT32_MAX;
	rig.len_max = UINT32_MAX;
	rig.backlog = backlog_create(PATIENCE);
	assert_non_null(rig.backlog);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	backlog_destroy(rig.backlog);
	for (uint32_t i = 0; i < FRAMES; i++)
		assert_int_equal(rig.n_freed[i], i < rig.n_put);
	return 0;
}

/* Puts the next n frames; returns how many were taken: the others are put the next time. */
static uint32_t
put(uint32_t n)
{
	struct rte_mbuf *mbufs[FRAMES];

	for (uint32_t i = 0; i < n; i++)
		mbufs[i] = &rig.frames[rig.n_put + i];
	n = backlog_put(rig.backlog, mbufs, n);
	rig.n_put += n;
	return n;
}

static void
flush(uint64_t now)
{
	backlog_flush(rig.backlog, VID, RING, true, now, &rig.stats);
}

static uint64_t
n_dropped(enum drop_reason reason)
{
	return stats_read(&rig.stats.drops[reason]);
}

/* The guest has the frames from first on, up to before end, in order, as its last ones. */
static void
assert_got_last(uint32_t first, uint32_t end)
{
	assert_true(rig.n_got >= end - first);
	for (uint32_t i = first; i < end; i++)
		assert_int_equal(rig.got[rig.n_got - end + i], i);
}

/* So many have gone, so many were dropped for want of room: nothing is counted twice. */
static void
assert_counts(uint32_t n_sent, uint32_t n_no_room)
{
	uint64_t bytes = 0;

	assert_int_equal(rig.n_got, n_sent);
	for (uint32_t i = 0; i < n_sent; i++)
		bytes += LEN + rig.got[i];
	assert_int_equal(stats_read(&rig.stats.tx_frames), n_sent);
	assert_int_equal(stats_read(&rig.stats.tx_bytes), bytes);
	for (int i = 0; i < DROP_REASONS; i++)
		assert_int_equal(n_dropped(i), i == DROP_TX_NO_ROOM ? n_no_room : 0);
}

static void
test_order(void **state)
{
	(void)state;
	flush(0);
	assert_int_equal(rig.n_bursts, 0); /* nobody waits: the guest is left alone */
	assert_int_equal(put(50), 50);
	assert_counts(0, 0); /* who waits has not gone */
	rig.room = 7;
	for (uint64_t now = 1; now <= 9; now++) {
		flush(now);
		assert_int_equal(put(5), 5);
	}
	assert_counts(63, 0);
	rig.room = 32;
	flush(10);
	assert_counts(95, 0);
	flush(11);
	flush(12);
	assert_counts(95, 0);
	assert_got_last(0, 95);
	assert_int_equal(rig.n_bursts, 10);
}

/* A guest that takes nothing: all that wait have one deadline, and then go, one a round. */
static void
test_deadline(void **state)
{
	const uint64_t start = UINT64_MAX - PATIENCE / 2; /* the TSC may wrap */
	uint32_t i;

	(void)state;
	rig.room = 0;
	assert_int_equal(put(40), 40);
	flush(start);
	assert_int_equal(put(10), 10);
	flush(start + PATIENCE);
	assert_counts(0, 0);
	for (i = 1; i <= 50; i++) {
		flush(start + PATIENCE + 1);
		assert_counts(0, i);
		assert_int_equal(rig.n_freed[i - 1], 1); /* the oldest one */
	}
	assert_int_equal(rig.n_bursts, 52); /* each one was tried before */
	/* nobody was left: who comes now has the same patience, from when it did not go */
	assert_int_equal(put(2), 2);
	flush(start + 10 * PATIENCE);
	flush(start + 11 * PATIENCE);
	assert_counts(0, 50);
	flush(start + 11 * PATIENCE + 1);
	assert_counts(0, 51);
	/* the guest is back: the other one had not to wait in vain */
	rig.room = 1;
	flush(start + 11 * PATIENCE + 2);
	assert_counts(1, 51);
	assert_got_last(51, 52);
}

/* A frame that no buffer is long enough for holds the others up, but takes none along. */
static void
test_too_long(void **state)
{
	(void)state;
	assert_int_equal(put(100), 100);
	rig.len_max = LEN + 9; /* 0 to 9 fit */
	flush(0);
	assert_counts(10, 0);
	flush(1);
	flush(1 + PATIENCE);
	assert_counts(10, 0);
	flush(2 + PATIENCE); /* 10 is dropped */
	rig.len_max = LEN + 20;
	flush(3 + PATIENCE); /* 11 to 20 go: what 21 waits for is another affair */
	assert_counts(20, 1);
	assert_got_last(11, 21);
	flush(4 + PATIENCE);
	flush(4 + 2 * PATIENCE);
	assert_counts(20, 1);
	flush(5 + 2 * PATIENCE);
	assert_counts(20, 2);
}

/* As long as any frame goes now and then, none is dropped. */
static void
test_slow_guest(void **state)
{
	(void)state;
	assert_int_equal(put(20), 20);
	for (uint64_t now = 0; now < 20 * PATIENCE; now += PATIENCE) {
		rig.room = 0;
		flush(now);
		flush(now + PATIENCE - 1);
		rig.room = 1;
		flush(now + PATIENCE - 1);
	}
	assert_counts(20, 0);
	assert_got_last(0, 20);
}

/* What finds no place stays its owner's; places are free again when frames have gone. */
static void
test_overflow(void **state)
{
	(void)state;
	assert_int_equal(put(200), ROOM);
	assert_int_equal(put(1), 0);
	rig.room = 0;
	flush(0); /* takes those to be sent next out of the ring */
	assert_int_equal(put(100), 32);
	assert_int_equal(put(1), 0);
	assert_counts(0, 0);
	rig.room = 5;
	flush(1);
	flush(2);
	assert_int_equal(put(100), 5);
	rig.room = UINT32_MAX;
	for (uint64_t now = 3; now < 13; now++)
		flush(now);
	assert_counts(ROOM + 32 + 5, 0);
	assert_got_last(0, ROOM + 32 + 5);
}

/* Guest or ring are off: what waits for them goes at once, and nothing is tried. */
static void
test_off(void **state)
{
	(void)state;
	rig.room = 0;
	assert_int_equal(put(100), 100);
	flush(0);
	backlog_flush(rig.backlog, -1, RING, false, 1, &rig.stats);
	assert_int_equal(rig.n_bursts, 1);
	assert_int_equal(n_dropped(DROP_TX_DOWN), 100);
	assert_int_equal(n_dropped(DROP_TX_NO_ROOM), 0);
	backlog_flush(rig.backlog, -1, RING, false, 2, &rig.stats);
	assert_int_equal(n_dropped(DROP_TX_DOWN), 100);
	/* the next guest is not charged with what the last one did not do */
	assert_int_equal(put(1), 1);
	flush(5 * PATIENCE);
	flush(6 * PATIENCE);
	assert_int_equal(n_dropped(DROP_TX_NO_ROOM), 0);
	rig.room = 1;
	flush(7 * PATIENCE);
	assert_got_last(100, 101);
	assert_int_equal(stats_read(&rig.stats.tx_frames), 1);
}

/* The port goes away while frames wait, in the ring and before it: teardown() sees them freed. */
static void
test_destroy(void **state)
{
	(void)state;
	rig.room = 0;
	assert_int_equal(put(100), 100);
	flush(0);
	assert_int_equal(put(20), 20);
	backlog_destroy(rig.backlog);
	rig.backlog = NULL; /* teardown() destroys none */
	assert_counts(0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),      TEST(test_deadline), TEST(test_too_long),
		TEST(test_slow_guest), TEST(test_overflow), TEST(test_off),
		TEST(test_destroy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

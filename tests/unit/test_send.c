/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_send.c: what send.h looks at: a kind of ring that counts, and whose buffers are as short as
 * a guest likes them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "frame.h"
#include "ring.h"
#include "send.h"
#include "stats.h"

enum {
	N_BUFFERS = 1024,
	ROOM = 2048, /* bytes of memory behind each buffer */
};

static struct ring_view view;
static struct ring ring;
static struct batch batch;
static struct port_stats stats;
static uint8_t memory[N_BUFFERS][ROOM];
static uint32_t lens[N_BUFFERS];
static uint32_t n_offered, n_looks;

static uint32_t
look_up(const struct ring_view *v, struct ring *r, uint16_t at, struct buffer *to, uint32_t n)
{
	uint32_t i;

	(void)v;
	(void)r;
	for (i = 0; i < n && at < n_offered; i++, at++) {
		to[i] = (struct buffer){.at = memory[at], .len = lens[at], .id = at, .n_descs = 1};
		n_looks++;
	}
	return i;
}

static int
read_chain(const struct ring_view *v, struct ring *r, uint16_t at, const struct buffer *buffer,
	   struct chain_piece *pieces, uint32_t max, uint64_t *len)
{
	(void)v;
	(void)r;
	(void)at;
	(void)buffer;
	(void)pieces;
	(void)max;
	(void)len;
	return -1;
}

static uint16_t
step(const struct ring_view *v, uint16_t at, const struct buffer *buffer)
{
	(void)v;
	(void)buffer;
	return (uint16_t)(at + 1);
}

static void
give(const struct ring_view *v, struct send_at *at, const struct buffer *buffer, uint32_t len)
{
	(void)v;
	assert_int_equal(buffer->id, at->used);
	assert_true(len <= lens[buffer->id]);
}

static void
publish(struct sending *s)
{
	atomic_store_explicit(&s->r->used, s->at.used, memory_order_relaxed);
}

static const struct send_kind counting = {
	.look_up = look_up,
	.read_chain = read_chain,
	.step = step,
	.give = give,
	.publish = publish,
};

/* A ring with n buffers of len bytes each, and an empty batch. */
static void
open_ring(bool is_mergeable, uint32_t n, uint32_t len)
{
	view = (struct ring_view){
		.size = N_BUFFERS,
		.record_len = FRAME_RECORD_LEN,
		.is_mergeable = is_mergeable,
	};
	ring_reset(&ring);
	memset(&stats, 0, sizeof(stats));
	batch_start(&batch, 0, 0);
	for (uint32_t i = 0; i < N_BUFFERS; i++)
		lens[i] = len;
	n_offered = n;
	n_looks = 0;
}

/* A frame that needs so many bytes of buffers. */
static void
add(uint32_t need)
{
	static uint8_t body[FRAME_LEN_MAX];
	struct frame *f = batch_next(&batch);

	f->len = need - FRAME_RECORD_LEN;
	f->head_len = (uint16_t)RTE_MIN(f->len, (uint32_t)FRAME_HEAD_MAX);
	if (f->len > f->head_len)
		batch_add_piece(&batch, f, body, f->len - f->head_len);
	batch_commit(&batch);
}

static uint64_t
send_all(void)
{
	return send_set(&counting, &view, &ring, &batch, set_first(batch.n), &stats);
}

static void
check_drops(uint32_t no_room, uint32_t oversize)
{
	assert_int_equal(stats_read(&stats.drops[DROP_TX_NO_ROOM]), no_room);
	assert_int_equal(stats_read(&stats.drops[DROP_TX_OVERSIZE]), oversize);
}

/* A guest with buffers that no frame fits into is looked at once for all that are sent to it. */
static void
test_tiny_buffers(void **state)
{
	(void)state;
	for (uint32_t shrink = 0; shrink <= 2; shrink++) {
		open_ring(true, 1000, 5);
		for (uint32_t i = 0; i < BATCH_MAX; i++)
			add(1526 - shrink * i);
		assert_int_equal(send_all(), 0);
		check_drops(0, BATCH_MAX);
		assert_in_range(n_looks, ROOM_BUFFERS_MAX, ROOM_BUFFERS_MAX + BATCH_MAX);
		assert_int_equal(ring.avail, 0);
	}
}

/* The same if it offers too few, or can't merge what it has. */
static void
test_few_buffers(void **state)
{
	(void)state;
	open_ring(true, 200, 5);
	for (uint32_t i = 0; i < BATCH_MAX; i++)
		add(1526 - i);
	assert_int_equal(send_all(), 0);
	check_drops(BATCH_MAX, 0);
	assert_in_range(n_looks, 200, 200 + BATCH_MAX);
	open_ring(false, 200, 300);
	for (uint32_t i = 0; i < BATCH_MAX; i++)
		add(1526 - i);
	assert_int_equal(send_all(), 0);
	check_drops(0, BATCH_MAX);
	assert_in_range(n_looks, 1, BATCH_MAX);
}

/* What is shorter finds its room, as ever, and what is longer is asked again after that. */
static void
test_short_between_long(void **state)
{
	(void)state;
	open_ring(true, 10, 100);
	add(1001); /* of 1000 */
	add(5000);
	add(100);
	add(901); /* of 900 */
	add(900);
	add(100);
	assert_int_equal(send_all(), 1 << 2 | 1 << 4);
	check_drops(4, 0);
	assert_int_equal(ring.avail, 10);
	open_ring(false, 10, 100);
	lens[1] = 2000;
	add(101);
	add(2000);
	add(100);
	add(2000);
	add(2001);
	add(101);
	assert_int_equal(send_all(), 1 << 2 | 1 << 3);
	check_drops(0, 4);
	assert_int_equal(ring.avail, 2);
	/* a frame over several buffers is such a shorter one, too */
	open_ring(true, 300, 5);
	lens[256] = 2000;
	add(1281);
	add(1280);
	add(1281);
	assert_int_equal(send_all(), 1 << 1 | 1 << 2);
	check_drops(0, 1);
	assert_int_equal(ring.avail, 257);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tiny_buffers),
		cmocka_unit_test(test_few_buffers),
		cmocka_unit_test(test_short_between_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_ring_tx.c: frames into a guest's receive ring: every layout, and every lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/virtio_net.h>

#include "ring_guest.h"
#include "split.h"

enum {
	NEXT = VRING_DESC_F_NEXT,
	WRITE = VRING_DESC_F_WRITE,
	INDIRECT = VRING_DESC_F_INDIRECT
};

static struct ring_guest guest;
static struct batch batch, batch_before;
static struct port_stats stats;
static uint8_t bodies[BATCH_MAX][FRAME_LEN_MAX];
static const struct ring_guest_conf mergeable = {.size = 256, .is_mergeable = true};
static const struct ring_guest_conf plain = {.size = 256};

static void
open_guest(struct ring_guest_conf conf)
{
	memset(&stats, 0, sizeof(stats));
	batch_start(&batch, 0, 0);
	ring_guest_open(&guest, conf);
}

/* A frame of len bytes whose body is in pieces of at most part bytes. */
static void
add_frame(uint32_t len, uint32_t part)
{
	struct frame *f = batch_next(&batch);
	uint8_t *body = bodies[batch.n];
	uint32_t off = len < FRAME_HEAD_MAX ? len : FRAME_HEAD_MAX;

	ring_guest_pattern(body, len, len);
	memcpy(f->head, body, off);
	f->head_len = (uint16_t)off;
	f->len = len;
	for (; off < len; off += part)
		batch_add_piece(&batch, f, body + off, len - off < part ? len - off : part);
	batch_commit(&batch);
}

static uint64_t
send(uint64_t set)
{
	uint64_t done;

	memcpy(&batch_before, &batch, sizeof(batch));
	done = split_tx(&guest.view, &guest.ring, &batch, set, &stats);
	assert_memory_equal(&batch_before, &batch, sizeof(batch)); /* tx never changes it */
	return done;
}

static uint64_t
dropped(enum drop_reason reason)
{
	return stats_read(&stats.drops[reason]);
}

/*
 * Reads a frame of len bytes, as a driver does, out of buffers of room bytes each, which lie one
 * behind the other from addr on, n_slots of them, and compares. It begins in buffer first. Returns
 * how many buffers it took.
 */
static uint32_t
check_from(uint32_t len, uint64_t addr, uint32_t room, uint32_t first, uint32_t n_slots)
{
	static uint8_t got[FRAME_RECORD_LEN + FRAME_LEN_MAX], body[FRAME_LEN_MAX];
	uint32_t need = guest.view.record_len + len, sum = 0, n = 0, id, used_len;
	uint16_t n_buffers = 1;

	while (sum < need) {
		assert_true(ring_guest_used(&guest, &id, &used_len));
		assert_int_equal(used_len, need - sum < room ? need - sum : room);
		ring_guest_read(&guest, addr + (uint64_t)((first + n) % n_slots) * room, got + sum,
				used_len);
		sum += used_len;
		n++;
	}
	if (guest.view.record_len == FRAME_RECORD_LEN)
		memcpy(&n_buffers, got + 10, sizeof(n_buffers));
	assert_int_equal(n_buffers, n);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(got[i], 0);
	ring_guest_pattern(body, len, len);
	assert_memory_equal(got + guest.view.record_len, body, len);
	return n;
}

static uint32_t
check_received(uint32_t len, uint64_t addr, uint32_t room)
{
	return check_from(len, addr, room, 0, UINT32_MAX);
}

static void
test_single(void **state)
{
	(void)state;
	for (int is_legacy = 0; is_legacy < 2; is_legacy++) {
		open_guest((struct ring_guest_conf){.size = 64, .is_legacy = is_legacy});
		for (uint32_t len = FRAME_LEN_MIN; len <= 1514; len++) {
			/* what lies behind the frame stays as it is */
			uint32_t need = guest.view.record_len + len;

			*ring_guest_at(&guest, GUEST_LOW + need) = 0xee;
			batch_start(&batch, 0, 0);
			add_frame(len, 700);
			ring_guest_buffer(&guest, 5, GUEST_LOW, 2048, true);
			assert_int_equal(send(1), 1);
			assert_int_equal(check_received(len, GUEST_LOW, 2048), 1);
			assert_int_equal(*ring_guest_at(&guest, GUEST_LOW + need), 0xee);
			/* a buffer of just the right size */
			ring_guest_buffer(&guest, 6, GUEST_ALONE + GUEST_ALONE_SIZE - need, need,
					  true);
			assert_int_equal(send(1), 1);
			check_received(len, GUEST_ALONE + GUEST_ALONE_SIZE - need, need);
		}
		ring_guest_close(&guest);
	}
}

static void
test_mergeable(void **state)
{
	const uint32_t lens[] = {14, 64, 1514, 9000, 65535};
	const uint32_t rooms[] = {64, 100, 512, 1536, 2048, 4096, 70000};

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		for (uint32_t j = 0; j < 7; j++) {
			uint32_t n = (lens[i] + 11 + rooms[j]) / rooms[j];

			if (n > 250)
				continue;
			open_guest(mergeable);
			add_frame(lens[i], 3000);
			for (uint32_t k = 0; k < n; k++)
				ring_guest_buffer(&guest, (uint16_t)k, GUEST_LOW + k * rooms[j],
						  rooms[j], true);
			assert_int_equal(send(1), 1);
			assert_int_equal(check_received(lens[i], GUEST_LOW, rooms[j]), n);
			assert_int_equal(ring_guest_n_used(&guest), 0);
			ring_guest_close(&guest);
		}
}

/* A buffer as drivers without mergeable buffers make it: a chain, direct or indirect. */
static void
offer_chain(uint16_t head, uint64_t addr, uint32_t first, uint32_t part, uint32_t n, uint64_t table)
{
	for (uint16_t i = 0; i < n; i++) {
		uint64_t at = i == 0 ? addr : addr + first + (i - 1u) * part;
		uint16_t flags = i + 1u < n ? NEXT | WRITE : WRITE;

		if (table)
			ring_guest_entry(&guest, table, i, at, i == 0 ? first : part, flags, i + 1);
		else
			ring_guest_desc(&guest, head + i, at, i == 0 ? first : part, flags,
					head + i + 1);
	}
	if (table)
		ring_guest_desc(&guest, head, table, n * 16, INDIRECT, 0);
	ring_guest_offer(&guest, head);
}

static void
test_chains(void **state)
{
	const uint32_t lens[] = {14, 64, 113, 1514, 9000, 65535};

	(void)state;
	for (uint32_t i = 0; i < 6; i++)
		for (uint32_t first = 1; first < 40; first++)
			for (int is_indirect = 0; is_indirect < 2; is_indirect++) {
				uint64_t table = is_indirect ? GUEST_TABLES : 0;

				open_guest(first % 2 ? plain : mergeable);
				add_frame(lens[i], 1448);
				offer_chain(0, GUEST_LOW, first, 4000, 18, table);
				assert_int_equal(send(1), 1);
				assert_int_equal(check_received(lens[i], GUEST_LOW, 1 << 20), 1);
				ring_guest_close(&guest);
			}
}

static void
test_crossing(void **state)
{
	(void)state;
	for (uint32_t before = 0; before < 400; before++) {
		open_guest(before % 2 ? plain : mergeable);
		add_frame(300, 100);
		ring_guest_buffer(&guest, 0, GUEST_HIGH - before, 400, true);
		assert_int_equal(send(1), 1);
		check_received(300, GUEST_HIGH - before, 400);
		ring_guest_close(&guest);
	}
}

/* Frames of all sizes to and fro in one batch, over the wrap of the indices. */
static void
test_batches(void **state)
{
	struct ring_guest_conf conf = {.size = 256, .base = 65400, .is_mergeable = true};
	uint64_t at = GUEST_LOW;

	(void)state;
	open_guest(conf);
	for (uint32_t round = 0; round < 20; round++) {
		batch_start(&batch, 0, 0);
		/* all buffers anew */
		while ((uint16_t)(guest.avail - guest.seen) < 256)
			ring_guest_buffer(&guest, guest.avail % 256, at + guest.avail % 256 * 1000,
					  1000, true);
		for (uint32_t i = 0; i < BATCH_MAX; i++)
			add_frame(i % 5 == 4 ? 2500 + i : 60 + i, 800);
		assert_int_equal(send(0xf0f0f0f0f0f0f0f0), 0xf0f0f0f0f0f0f0f0);
		for (uint32_t i = 0; i < BATCH_MAX; i++)
			if (0xf0f0f0f0f0f0f0f0 >> i & 1) {
				uint32_t len = i % 5 == 4 ? 2500 + i : 60 + i;
				assert_int_equal(check_from(len, at, 1000, guest.seen % 256, 256),
						 1 + (len + 11) / 1000);
			}
		assert_int_equal(ring_guest_n_used(&guest), 0);
	}
	assert_int_equal(stats_read(&stats.drops[DROP_TX_NO_ROOM]), 0);
	ring_guest_close(&guest);
}

static void
test_no_room(void **state)
{
	(void)state;
	open_guest(mergeable);
	for (int i = 0; i < 10; i++)
		add_frame(100, 100);
	assert_int_equal(send(0x3ff), 0);
	assert_int_equal(dropped(DROP_TX_NO_ROOM), 10);
	for (uint16_t i = 0; i < 4; i++)
		ring_guest_buffer(&guest, i, GUEST_LOW + i * 2048u, 2048, true);
	assert_int_equal(send(0x3fc), 0x3c); /* the first four of the set */
	assert_int_equal(dropped(DROP_TX_NO_ROOM), 14);
	assert_int_equal(ring_guest_n_used(&guest), 4);
	/* not enough for all of a frame: nothing of it is written, and a small one still fits */
	batch_start(&batch, 0, 0);
	add_frame(5000, 5000);
	add_frame(100, 100);
	memset(ring_guest_at(&guest, GUEST_LOW), 0xaa, 4096);
	ring_guest_buffer(&guest, 8, GUEST_LOW, 2048, true);
	ring_guest_buffer(&guest, 9, GUEST_LOW + 2048, 2048, true);
	assert_int_equal(send(1), 0);
	assert_int_equal(dropped(DROP_TX_NO_ROOM), 15);
	for (uint32_t i = 0; i < 4096; i++)
		assert_int_equal(*ring_guest_at(&guest, GUEST_LOW + i), 0xaa);
	assert_int_equal(ring_guest_n_used(&guest), 0);
	assert_int_equal(send(3), 2);
	assert_int_equal(check_received(100, GUEST_LOW, 2048), 1);
	ring_guest_close(&guest);
}

static void
test_oversize(void **state)
{
	(void)state;
	open_guest(plain); /* one buffer must do */
	add_frame(1500, 1500);
	add_frame(1488, 1488);
	for (uint16_t i = 0; i < 4; i++)
		ring_guest_buffer(&guest, i, GUEST_LOW, 1500, true);
	assert_int_equal(send(3), 2);
	assert_int_equal(dropped(DROP_TX_OVERSIZE), 1);
	assert_int_equal(check_received(1488, GUEST_LOW, 1500), 1);
	assert_int_equal(ring_guest_n_used(&guest), 0);
	ring_guest_close(&guest);
	/* one byte is missing, in one buffer and in a chain; then it is not */
	open_guest(plain);
	add_frame(100, 100);
	ring_guest_buffer(&guest, 0, GUEST_LOW, 111, true);
	assert_int_equal(send(1), 0);
	assert_int_equal(dropped(DROP_TX_OVERSIZE), 1);
	ring_guest_close(&guest);
	for (uint32_t last = 99; last <= 100; last++) {
		open_guest(plain);
		add_frame(100, 100);
		offer_chain(0, GUEST_LOW, 12, last, 2, 0);
		assert_int_equal(send(1), last == 100);
		assert_int_equal(dropped(DROP_TX_OVERSIZE), last != 100);
		assert_int_equal(ring_guest_n_used(&guest), last == 100);
		ring_guest_close(&guest);
	}
	open_guest(mergeable);
	add_frame(100, 100);
	ring_guest_buffer(&guest, 0, GUEST_LOW, 111, true);
	assert_int_equal(send(1), 0);
	assert_int_equal(dropped(DROP_TX_NO_ROOM), 1);
	ring_guest_buffer(&guest, 1, GUEST_LOW + 111, 111, true);
	assert_int_equal(send(1), 1);
	assert_int_equal(check_received(100, GUEST_LOW, 111), 2);
	ring_guest_close(&guest);
	/* all buffers of the ring together are too small */
	open_guest((struct ring_guest_conf){.size = 8, .is_mergeable = true});
	add_frame(1500, 1500);
	for (uint16_t i = 0; i < 8; i++)
		ring_guest_buffer(&guest, i, GUEST_LOW + i * 100u, 100, true);
	assert_int_equal(send(1), 0);
	assert_int_equal(dropped(DROP_TX_OVERSIZE), 1);
	assert_int_equal(ring_guest_n_used(&guest), 0);
	ring_guest_close(&guest);
}

/* What can't be used goes back empty, with the frame; the next frame gets the next buffer. */
static void
check_bad_buffer(uint16_t head)
{
	uint32_t id, len;

	batch_start(&batch, 0, 0);
	add_frame(200, 200);
	add_frame(100, 100);
	ring_guest_offer(&guest, head);
	ring_guest_buffer(&guest, 20, GUEST_LOW, 2048, true);
	assert_int_equal(send(3), 2);
	assert_int_equal(dropped(DROP_TX_BAD_CHAIN), 1);
	stats.drops[DROP_TX_BAD_CHAIN] = 0;
	assert_true(ring_guest_used(&guest, &id, &len));
	assert_int_equal(id, head);
	assert_int_equal(len, 0);
	assert_int_equal(check_received(100, GUEST_LOW, 2048), 1);
}

static void
test_bad_chains(void **state)
{
	const uint64_t bad[] = {0, GUEST_NOWHERE, UINT64_MAX, GUEST_ALONE + GUEST_ALONE_SIZE - 211,
				GUEST_ALONE - 1};

	(void)state;
	for (int is_mergeable = 0; is_mergeable < 2; is_mergeable++) {
		open_guest(is_mergeable ? mergeable : plain);
		ring_guest_desc(&guest, 0, GUEST_LOW, 2048, 0, 0); /* for us to read */
		check_bad_buffer(0);
		ring_guest_desc(&guest, 0, GUEST_LOW, 12, WRITE | NEXT, 1);
		ring_guest_desc(&guest, 1, GUEST_LOW, 2048, 0, 0);
		check_bad_buffer(0);
		ring_guest_desc(&guest, 0, GUEST_LOW, 12, WRITE | NEXT, 0); /* a loop */
		check_bad_buffer(0);
		ring_guest_desc(&guest, 0, GUEST_LOW, 12, WRITE | NEXT, 256);
		check_bad_buffer(0);
		ring_guest_desc(&guest, 0, GUEST_TABLES, 17, INDIRECT, 0);
		check_bad_buffer(0);
		/* empty: a chain of many would cost us much and the guest nothing */
		ring_guest_desc(&guest, 0, GUEST_LOW, 0, WRITE | NEXT, 1);
		ring_guest_desc(&guest, 1, GUEST_LOW, 2048, WRITE, 0);
		check_bad_buffer(0);
		for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			ring_guest_desc(&guest, 0, bad[i], 212, WRITE, 0);
			check_bad_buffer(0);
		}
		ring_guest_close(&guest);
	}
	/* the second of three: both that were looked at go back */
	open_guest(mergeable);
	add_frame(300, 300);
	ring_guest_buffer(&guest, 0, GUEST_LOW, 100, true);
	ring_guest_buffer(&guest, 1, GUEST_NOWHERE, 1000, true);
	ring_guest_buffer(&guest, 2, GUEST_LOW, 2000, true);
	assert_int_equal(send(1), 0);
	assert_int_equal(dropped(DROP_TX_BAD_CHAIN), 1);
	assert_int_equal(ring_guest_n_used(&guest), 2);
	ring_guest_close(&guest);
}

static void
test_ring_lies(void **state)
{
	(void)state;
	open_guest(mergeable);
	add_frame(100, 100);
	guest.view.avail->idx = 257;
	assert_int_equal(send(1), 0);
	assert_int_equal(ring_fault(&guest.ring), RING_INDEX_JUMPED);
	assert_int_equal(dropped(DROP_TX_BAD_CHAIN), 1);
	ring_guest_close(&guest);
	open_guest(mergeable);
	for (int i = 0; i < 3; i++)
		add_frame(100, 100);
	ring_guest_buffer(&guest, 0, GUEST_LOW, 2048, true);
	ring_guest_offer(&guest, 256);
	ring_guest_buffer(&guest, 1, GUEST_LOW, 2048, true);
	assert_int_equal(send(7), 1);
	assert_int_equal(ring_fault(&guest.ring), RING_BAD_HEAD);
	assert_int_equal(ring_guest_n_used(&guest), 1);
	ring_guest_close(&guest);
}

/* A frame that has got a tag back lies one place further to the front of its head. */
static void
test_tagged(void **state)
{
	uint8_t got[FRAME_RECORD_LEN + 204], body[200];
	struct frame *f;

	(void)state;
	open_guest(mergeable);
	add_frame(200, 200);
	f = &batch.frames[0];
	memcpy(f->head + 12, "\x81\x00\x00\x05", 4);
	assert_true(frame_untag(f));
	assert_int_equal(f->len, 196);
	ring_guest_buffer(&guest, 0, GUEST_LOW, 2048, true);
	assert_int_equal(send(1), 1);
	ring_guest_read(&guest, GUEST_LOW, got, sizeof(got));
	ring_guest_pattern(body, 200, 200);
	assert_memory_equal(got + 12, body, 12);
	assert_memory_equal(got + 24, body + 16, 184);
	frame_tag(f);
	ring_guest_buffer(&guest, 1, GUEST_LOW, 2048, true);
	assert_int_equal(send(1), 1);
	ring_guest_read(&guest, GUEST_LOW, got, sizeof(got));
	memcpy(body + 12, "\x81\x00\x00\x05", 4);
	assert_memory_equal(got + 12, body, 200);
	ring_guest_close(&guest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single),	  cmocka_unit_test(test_mergeable),
		cmocka_unit_test(test_chains),	  cmocka_unit_test(test_crossing),
		cmocka_unit_test(test_batches),	  cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_oversize),  cmocka_unit_test(test_bad_chains),
		cmocka_unit_test(test_ring_lies), cmocka_unit_test(test_tagged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

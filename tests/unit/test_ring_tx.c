/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_ring_tx.c: frames into a guest's receive ring: every layout, and every lie. Frames over many
 * buffers are in test_ring_tx_room.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/virtio_net.h>

#include "chain.h"
#include "ring_guest.h"
#include "ring_kind.h"
#include "split.h"
#include "tx_rig.h"

enum {
	NEXT = VRING_DESC_F_NEXT,
	WRITE = VRING_DESC_F_WRITE,
	INDIRECT = VRING_DESC_F_INDIRECT
};

static const struct ring_guest_conf mergeable = {.size = 256, .is_mergeable = true};
static const struct ring_guest_conf plain = {.size = 256};

static void
test_single(void **state)
{
	(void)state;
	for (int is_legacy = 0; is_legacy < 2; is_legacy++) {
		tx_open((struct ring_guest_conf){.size = 64, .is_legacy = is_legacy});
		for (uint32_t len = FRAME_LEN_MIN; len <= 1514; len++) {
			/* what lies behind the frame stays as it is */
			uint32_t need = tx.guest.view.record_len + len;

			*ring_guest_at(&tx.guest, GUEST_LOW + need) = 0xee;
			batch_start(&tx.batch, 0, 0);
			tx_add_frame(len, 700);
			ring_guest_buffer(&tx.guest, 5, GUEST_LOW, 2048, true);
			assert_int_equal(tx_send(1), 1);
			assert_int_equal(tx_check(len, GUEST_LOW, 2048), 1);
			assert_int_equal(*ring_guest_at(&tx.guest, GUEST_LOW + need), 0xee);
			/* a buffer of just the right size */
			ring_guest_buffer(&tx.guest, 6, GUEST_ALONE + GUEST_ALONE_SIZE - need, need,
					  true);
			assert_int_equal(tx_send(1), 1);
			tx_check(len, GUEST_ALONE + GUEST_ALONE_SIZE - need, need);
		}
		tx_close();
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
			tx_open(mergeable);
			tx_add_frame(lens[i], 3000);
			for (uint32_t k = 0; k < n; k++)
				ring_guest_buffer(&tx.guest, (uint16_t)k, GUEST_LOW + k * rooms[j],
						  rooms[j], true);
			assert_int_equal(tx_send(1), 1);
			assert_int_equal(tx_check(lens[i], GUEST_LOW, rooms[j]), n);
			assert_int_equal(ring_guest_n_used(&tx.guest), 0);
			tx_close();
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
			ring_guest_entry(&tx.guest, table, i, at, i == 0 ? first : part, flags,
					 i + 1);
		else
			ring_guest_desc(&tx.guest, head + i, at, i == 0 ? first : part, flags,
					head + i + 1);
	}
	if (table)
		ring_guest_desc(&tx.guest, head, table, n * 16, INDIRECT, 0);
	ring_guest_offer(&tx.guest, head);
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

				tx_open(first % 2 ? plain : mergeable);
				tx_add_frame(lens[i], 1448);
				offer_chain(0, GUEST_LOW, first, 4000, 18, table);
				assert_int_equal(tx_send(1), 1);
				assert_int_equal(tx_check(lens[i], GUEST_LOW, 1 << 20), 1);
				tx_close();
			}
}

static void
test_crossing(void **state)
{
	(void)state;
	for (uint32_t before = 0; before < 400; before++) {
		tx_open(before % 2 ? plain : mergeable);
		tx_add_frame(300, 100);
		ring_guest_buffer(&tx.guest, 0, GUEST_HIGH - before, 400, true);
		assert_int_equal(tx_send(1), 1);
		tx_check(300, GUEST_HIGH - before, 400);
		tx_close();
	}
}

/* Frames of all sizes to and fro in one batch, over the wrap of the indices. */
static void
test_batches(void **state)
{
	struct ring_guest_conf conf = {.size = 256, .base = 65400, .is_mergeable = true};
	uint64_t at = GUEST_LOW;
	uint32_t size;

	(void)state;
	tx_open(conf);
	size = tx.guest.view.size;
	for (uint32_t round = 0; round < 20; round++) {
		batch_start(&tx.batch, 0, 0);
		/* all buffers anew */
		while (tx.guest.n_offered - tx.guest.n_seen < size) {
			uint16_t slot = (uint16_t)(tx.guest.n_offered % size);

			ring_guest_buffer(&tx.guest, slot, at + slot * 1000u, 1000, true);
		}
		for (uint32_t i = 0; i < BATCH_MAX; i++)
			tx_add_frame(i % 5 == 4 ? 2500 + i : 60 + i, 800);
		assert_int_equal(tx_send(0xf0f0f0f0f0f0f0f0), 0xf0f0f0f0f0f0f0f0);
		for (uint32_t i = 0; i < BATCH_MAX; i++)
			if (0xf0f0f0f0f0f0f0f0 >> i & 1) {
				uint32_t len = i % 5 == 4 ? 2500 + i : 60 + i;
				assert_int_equal(
					tx_check_from(len, at, 1000, tx.guest.n_seen % size, size),
					1 + (len + 11) / 1000);
			}
		assert_int_equal(ring_guest_n_used(&tx.guest), 0);
	}
	assert_int_equal(stats_read(&tx.stats.drops[DROP_TX_NO_ROOM]), 0);
	tx_close();
}

static void
test_no_room(void **state)
{
	(void)state;
	tx_open(mergeable);
	for (int i = 0; i < 10; i++)
		tx_add_frame(100, 100);
	assert_int_equal(tx_send(0x3ff), 0);
	assert_int_equal(tx_dropped(DROP_TX_NO_ROOM), 10);
	for (uint16_t i = 0; i < 4; i++)
		ring_guest_buffer(&tx.guest, i, GUEST_LOW + i * 2048u, 2048, true);
	assert_int_equal(tx_send(0x3fc), 0x3c); /* the first four of the set */
	assert_int_equal(tx_dropped(DROP_TX_NO_ROOM), 14);
	assert_int_equal(ring_guest_n_used(&tx.guest), 4);
	/* not enough for all of a frame: nothing of it is written, and a small one still fits */
	batch_start(&tx.batch, 0, 0);
	tx_add_frame(5000, 5000);
	tx_add_frame(100, 100);
	memset(ring_guest_at(&tx.guest, GUEST_LOW), 0xaa, 4096);
	ring_guest_buffer(&tx.guest, 8, GUEST_LOW, 2048, true);
	ring_guest_buffer(&tx.guest, 9, GUEST_LOW + 2048, 2048, true);
	assert_int_equal(tx_send(1), 0);
	assert_int_equal(tx_dropped(DROP_TX_NO_ROOM), 15);
	for (uint32_t i = 0; i < 4096; i++)
		assert_int_equal(*ring_guest_at(&tx.guest, GUEST_LOW + i), 0xaa);
	assert_int_equal(ring_guest_n_used(&tx.guest), 0);
	assert_int_equal(tx_send(3), 2);
	assert_int_equal(tx_check(100, GUEST_LOW, 2048), 1);
	tx_close();
}

static void
test_oversize(void **state)
{
	(void)state;
	tx_open(plain); /* one buffer must do */
	tx_add_frame(1500, 1500);
	tx_add_frame(1488, 1488);
	for (uint16_t i = 0; i < 4; i++)
		ring_guest_buffer(&tx.guest, i, GUEST_LOW, 1500, true);
	assert_int_equal(tx_send(3), 2);
	assert_int_equal(tx_dropped(DROP_TX_OVERSIZE), 1);
	assert_int_equal(tx_check(1488, GUEST_LOW, 1500), 1);
	assert_int_equal(ring_guest_n_used(&tx.guest), 0);
	tx_close();
	/* one byte is missing, in one buffer and in a chain; then it is not */
	tx_open(plain);
	tx_add_frame(100, 100);
	ring_guest_buffer(&tx.guest, 0, GUEST_LOW, 111, true);
	assert_int_equal(tx_send(1), 0);
	assert_int_equal(tx_dropped(DROP_TX_OVERSIZE), 1);
	tx_close();
	for (uint32_t last = 99; last <= 100; last++) {
		tx_open(plain);
		tx_add_frame(100, 100);
		offer_chain(0, GUEST_LOW, 12, last, 2, 0);
		assert_int_equal(tx_send(1), last == 100);
		assert_int_equal(tx_dropped(DROP_TX_OVERSIZE), last != 100);
		assert_int_equal(ring_guest_n_used(&tx.guest), last == 100);
		tx_close();
	}
	tx_open(mergeable);
	tx_add_frame(100, 100);
	ring_guest_buffer(&tx.guest, 0, GUEST_LOW, 111, true);
	assert_int_equal(tx_send(1), 0);
	assert_int_equal(tx_dropped(DROP_TX_NO_ROOM), 1);
	ring_guest_buffer(&tx.guest, 1, GUEST_LOW + 111, 111, true);
	assert_int_equal(tx_send(1), 1);
	assert_int_equal(tx_check(100, GUEST_LOW, 111), 2);
	tx_close();
	/* all buffers of the ring together are too small */
	tx_open((struct ring_guest_conf){.size = 8, .is_mergeable = true});
	tx_add_frame(1500, 1500);
	for (uint16_t i = 0; i < tx.guest.view.size; i++)
		ring_guest_buffer(&tx.guest, i, GUEST_LOW + i * 100u, 100, true);
	assert_int_equal(tx_send(1), 0);
	assert_int_equal(tx_dropped(DROP_TX_OVERSIZE), 1);
	assert_int_equal(ring_guest_n_used(&tx.guest), 0);
	tx_close();
}

/* What can't be used goes back empty, with the frame; the next frame gets the next buffer. */
static void
check_bad_buffer(uint16_t head)
{
	uint32_t id, len;

	batch_start(&tx.batch, 0, 0);
	tx_add_frame(200, 200);
	tx_add_frame(100, 100);
	ring_guest_offer(&tx.guest, head);
	ring_guest_buffer(&tx.guest, 20, GUEST_LOW, 2048, true);
	assert_int_equal(tx_send(3), 2);
	assert_int_equal(tx_dropped(DROP_TX_BAD_CHAIN), 1);
	tx.stats.drops[DROP_TX_BAD_CHAIN] = 0;
	assert_true(ring_guest_used(&tx.guest, &id, &len));
	assert_int_equal(id, head);
	assert_int_equal(len, 0);
	assert_int_equal(tx_check(100, GUEST_LOW, 2048), 1);
}

static void
test_bad_chains(void **state)
{
	const uint64_t bad[] = {0, GUEST_NOWHERE, UINT64_MAX, GUEST_ALONE + GUEST_ALONE_SIZE - 211,
				GUEST_ALONE - 1};

	(void)state;
	for (int is_mergeable = 0; is_mergeable < 2; is_mergeable++) {
		tx_open(is_mergeable ? mergeable : plain);
		ring_guest_desc(&tx.guest, 0, GUEST_LOW, 2048, 0, 0); /* for us to read */
		check_bad_buffer(0);
		ring_guest_desc(&tx.guest, 0, GUEST_LOW, 12, WRITE | NEXT, 1);
		ring_guest_desc(&tx.guest, 1, GUEST_LOW, 2048, 0, 0);
		check_bad_buffer(0);
		ring_guest_desc(&tx.guest, 0, GUEST_TABLES, 17, INDIRECT, 0);
		check_bad_buffer(0);
		/* empty: a chain of many would cost us much and the guest nothing */
		ring_guest_desc(&tx.guest, 0, GUEST_LOW, 0, WRITE | NEXT, 1);
		ring_guest_desc(&tx.guest, 1, GUEST_LOW, 2048, WRITE, 0);
		check_bad_buffer(0);
		for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			ring_guest_desc(&tx.guest, 0, bad[i], 212, WRITE, 0);
			check_bad_buffer(0);
		}
		tx_close();
	}
	/* the second of three: both that were looked at go back */
	tx_open(mergeable);
	tx_add_frame(300, 300);
	ring_guest_buffer(&tx.guest, 0, GUEST_LOW, 100, true);
	ring_guest_buffer(&tx.guest, 1, GUEST_NOWHERE, 1000, true);
	ring_guest_buffer(&tx.guest, 2, GUEST_LOW, 2000, true);
	assert_int_equal(tx_send(1), 0);
	assert_int_equal(tx_dropped(DROP_TX_BAD_CHAIN), 1);
	assert_int_equal(ring_guest_n_used(&tx.guest), 2);
	tx_close();
}

static void
test_bad_links(void **state)
{
	(void)state;
	for (int is_mergeable = 0; is_mergeable < 2; is_mergeable++) {
		tx_open(is_mergeable ? mergeable : plain);
		ring_guest_desc(&tx.guest, 0, GUEST_LOW, 12, WRITE | NEXT, 0); /* a loop */
		check_bad_buffer(0);
		ring_guest_desc(&tx.guest, 0, GUEST_LOW, 12, WRITE | NEXT, 256);
		check_bad_buffer(0);
		tx_close();
	}
}

/* Chains longer than we read go back whole, and empty. */
static void
test_too_many_descriptors(void **state)
{
	struct ring_guest_conf conf = {.size = 1024};

	(void)state;
	for (uint32_t n = CHAIN_DESCS_MAX; n < 1000; n = n * 3 / 2) {
		tx_open(conf);
		tx_add_frame(200, 200);
		for (uint32_t i = 0; i < 3; i++)
			tx_add_frame(100, 100);
		offer_chain(0, GUEST_LOW, 1, 1, n, 0);
		ring_guest_buffer(&tx.guest, 1000, GUEST_HIGH, 2048, true);
		if (n == CHAIN_DESCS_MAX) {
			assert_int_equal(tx_send(0xf), 3);
			assert_int_equal(tx_check(200, GUEST_LOW, 256), 1);
		} else {
			uint32_t id, len;

			assert_int_equal(tx_send(0xf), 2);
			assert_int_equal(tx_dropped(DROP_TX_BAD_CHAIN), 1);
			assert_true(ring_guest_used(&tx.guest, &id, &len));
			assert_int_equal(id, 0);
			assert_int_equal(len, 0);
		}
		assert_int_equal(tx_check(100, GUEST_HIGH, 2048), 1);
		assert_int_equal(ring_guest_n_used(&tx.guest), 0);
		tx_close();
	}
}

/* An index that goes back while we are at it: what was on offer is not counted from there anew. */
static void
test_index_taken_back(void **state)
{
	struct ring *r = &tx.guest.ring;

	(void)state;
	tx_open((struct ring_guest_conf){.size = 16, .base = 65530});
	for (uint16_t i = 0; i < 10; i++)
		ring_guest_buffer(&tx.guest, i, GUEST_LOW, 2048, true);
	for (uint16_t i = 0; i <= 10; i++)
		assert_int_equal(split_offered(&tx.guest.view, r, (uint16_t)(65530 + i)), 10 - i);
	assert_int_equal(ring_fault(r), RING_FINE);
	tx.guest.view.avail->idx = (uint16_t)(65530 + 7);
	assert_int_equal(split_offered(&tx.guest.view, r, (uint16_t)(65530 + 7)), 0);
	assert_int_equal(ring_fault(r), RING_FINE);
	assert_int_equal(split_offered(&tx.guest.view, r, (uint16_t)(65530 + 8)), 0);
	assert_int_equal(ring_fault(r), RING_INDEX_JUMPED);
	tx_close();
}

/* A chain without an end. */
static void
test_endless(void **state)
{
	const uint16_t sizes[] = {1, 2, 7, 64, 300};

	(void)state;
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (uint16_t base = 0; base < sizes[i]; base = base * 2 + 1) {
			batch_start(&tx.batch, 0, 0);
			memset(&tx.stats, 0, sizeof(tx.stats));
			ring_guest_open(&tx.guest, (struct ring_guest_conf){.size = sizes[i],
									    .base = base,
									    .is_packed = true,
									    .is_mergeable = true});
			for (uint32_t k = 0; k < BATCH_MAX; k++)
				tx_add_frame(100, 100);
			ring_guest_desc(&tx.guest, 0, GUEST_LOW, 100, NEXT | WRITE, 0);
			ring_guest_offer(&tx.guest, 0);
			assert_int_equal(tx_send(~0ull), 0);
			assert_int_equal(ring_fault(&tx.guest.ring), RING_ENDLESS);
			assert_int_equal(tx_dropped(DROP_TX_BAD_CHAIN), BATCH_MAX);
			assert_int_equal(ring_guest_n_used(&tx.guest), 0);
			tx_close();
		}
}

/* A chain that goes on over buffers that were filled a moment ago: none is filled twice. */
static void
test_overlapping(void **state)
{
	uint32_t n_single;

	(void)state;
	tx_open((struct ring_guest_conf){.size = 16, .is_mergeable = true});
	n_single = tx.guest.view.size - 2u;
	for (uint16_t i = 0; i < n_single; i++)
		ring_guest_buffer(&tx.guest, i, GUEST_LOW + i * 2048u, 2048, true);
	for (uint32_t i = n_single; i < tx.guest.view.size; i++)
		tx.guest.view.packed[i] = (struct vring_packed_desc){
			GUEST_HIGH, 1000, 0, 1 << VRING_PACKED_DESC_F_AVAIL | NEXT | WRITE};
	for (uint32_t i = 0; i < 20; i++)
		tx_add_frame(100, 100);
	assert_int_equal(tx_send(set_first(20)), set_first(n_single));
	assert_int_equal(tx_dropped(DROP_TX_NO_ROOM), 20 - n_single);
	assert_int_equal(ring_fault(&tx.guest.ring), RING_FINE);
	assert_int_equal(tx.guest.ring.avail, 0x8000 | n_single);
	for (uint32_t i = 0; i < n_single; i++)
		assert_int_equal(tx_check(100, GUEST_LOW + i * 2048u, 2048), 1);
	tx_close();
}

static void
test_ring_lies(void **state)
{
	(void)state;
	tx_open(mergeable);
	tx_add_frame(100, 100);
	tx.guest.view.avail->idx = 257;
	assert_int_equal(tx_send(1), 0);
	assert_int_equal(ring_fault(&tx.guest.ring), RING_INDEX_JUMPED);
	assert_int_equal(tx_dropped(DROP_TX_BAD_CHAIN), 1);
	tx_close();
	tx_open(mergeable);
	for (int i = 0; i < 3; i++)
		tx_add_frame(100, 100);
	ring_guest_buffer(&tx.guest, 0, GUEST_LOW, 2048, true);
	ring_guest_offer(&tx.guest, 256);
	ring_guest_buffer(&tx.guest, 1, GUEST_LOW, 2048, true);
	assert_int_equal(tx_send(7), 1);
	assert_int_equal(ring_fault(&tx.guest.ring), RING_BAD_HEAD);
	assert_int_equal(ring_guest_n_used(&tx.guest), 1);
	tx_close();
}

/* A frame that has got a tag back lies one place further to the front of its head. */
static void
test_tagged(void **state)
{
	uint8_t got[FRAME_RECORD_LEN + 204], body[200];
	struct frame *f;

	(void)state;
	tx_open(mergeable);
	tx_add_frame(200, 200);
	f = &tx.batch.frames[0];
	memcpy(f->head + 12, "\x81\x00\x00\x05", 4);
	assert_true(frame_untag(f));
	assert_int_equal(f->len, 196);
	ring_guest_buffer(&tx.guest, 0, GUEST_LOW, 2048, true);
	assert_int_equal(tx_send(1), 1);
	ring_guest_read(&tx.guest, GUEST_LOW, got, sizeof(got));
	ring_guest_pattern(body, 200, 200);
	assert_memory_equal(got + 12, body, 12);
	assert_memory_equal(got + 24, body + 16, 184);
	frame_tag(f);
	ring_guest_buffer(&tx.guest, 1, GUEST_LOW, 2048, true);
	assert_int_equal(tx_send(1), 1);
	ring_guest_read(&tx.guest, GUEST_LOW, got, sizeof(got));
	memcpy(body + 12, "\x81\x00\x00\x05", 4);
	assert_memory_equal(got + 12, body, 200);
	tx_close();
}

int
main(void)
{
	static const struct ring_case cases[] = {
		{"single", test_single, KIND_ANY},
		{"mergeable", test_mergeable, KIND_ANY},
		{"chains", test_chains, KIND_ANY},
		{"crossing", test_crossing, KIND_ANY},
		{"batches", test_batches, KIND_ANY},
		{"no_room", test_no_room, KIND_ANY},
		{"oversize", test_oversize, KIND_ANY},
		{"bad_chains", test_bad_chains, KIND_ANY},
		{"bad_links", test_bad_links, KIND_SPLIT},
		{"too_many_descriptors", test_too_many_descriptors, KIND_ANY},
		{"ring_lies", test_ring_lies, KIND_SPLIT},
		{"index_taken_back", test_index_taken_back, KIND_SPLIT},
		{"endless", test_endless, KIND_PACKED},
		{"overlapping", test_overlapping, KIND_PACKED},
		{"tagged", test_tagged, KIND_ANY},
	};

	return ring_kind_run("ring_tx", cases, sizeof(cases) / sizeof(cases[0]));
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_ring_tx_room.c: frames that take many buffers of a guest's receive ring, and buffers that
 * don't suffice: then nothing is written, and nothing taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring_guest.h"
#include "ring_kind.h"
#include "send.h"
#include "tx_rig.h"

enum {
	NEXT = VRING_DESC_F_NEXT,
	WRITE = VRING_DESC_F_WRITE,
	PART_MAX = 4 /* descriptors of a buffer in these tests */
};

/* What the guest's memory was, region by region. */
static uint8_t *before[MEMORY_REGIONS_MAX];

static void
remember(void)
{
	for (uint32_t i = 0; i < tx.guest.memory.n; i++) {
		const struct memory_region *r = &tx.guest.memory.regions[i];

		before[i] = malloc(r->size);
		assert_non_null(before[i]);
		memcpy(before[i], r->host, r->size);
	}
}

static void
check_untouched(void)
{
	for (uint32_t i = 0; i < tx.guest.memory.n; i++) {
		const struct memory_region *r = &tx.guest.memory.regions[i];

		assert_memory_equal(r->host, before[i], r->size);
		free(before[i]);
	}
}

/* Offers buffers of room bytes each, one behind the other from GUEST_LOW on, as chains of n_descs.
 */
static void
offer(uint32_t n, uint32_t room, uint32_t n_descs)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t addr = GUEST_LOW + i * room;
		uint16_t head = (uint16_t)(i * n_descs);
		uint32_t part = room / n_descs;

		for (uint16_t k = 0; k + 1u < n_descs; k++)
			ring_guest_desc(&tx.guest, head + k, addr + k * part, part, WRITE | NEXT,
					head + k + 1);
		ring_guest_desc(&tx.guest, (uint16_t)(head + n_descs - 1),
				addr + (n_descs - 1) * part, room - (n_descs - 1) * part, WRITE, 0);
		ring_guest_offer(&tx.guest, head);
	}
}

/* Of every number of buffers up to the most, whole and as chains; one byte less does not fit. */
static void
test_numbers(void **state)
{
	(void)state;
	for (uint32_t n_descs = 1; n_descs < PART_MAX; n_descs++)
		for (uint32_t n = 1, next; n <= ROOM_BUFFERS_MAX; n = next) {
			uint32_t room = n > 200 ? 256 : 1031, len = n * room - FRAME_RECORD_LEN;

			next = n + 1 + n / 8;
			if (n < ROOM_BUFFERS_MAX && next > ROOM_BUFFERS_MAX)
				next = ROOM_BUFFERS_MAX;
			if (len > FRAME_LEN_MAX || n * n_descs > 500)
				continue;
			tx_open((struct ring_guest_conf){.size = 512, .is_mergeable = true});
			tx_add_frame(len, 4000);
			offer(n, room, n_descs);
			assert_int_equal(tx_send(1), 1);
			assert_int_equal(tx_check(len, GUEST_LOW, room), n);
			assert_int_equal(ring_guest_n_used(&tx.guest), 0);
			tx_close();
			/* with one byte too much nothing is delivered, or taken */
			tx_open((struct ring_guest_conf){.size = 512, .is_mergeable = true});
			tx_add_frame(len + 1, 4000);
			offer(n, room, n_descs);
			remember();
			assert_int_equal(tx_send(1), 0);
			check_untouched();
			assert_int_equal(tx_dropped(DROP_TX_NO_ROOM), n < ROOM_BUFFERS_MAX);
			assert_int_equal(tx_dropped(DROP_TX_OVERSIZE), n == ROOM_BUFFERS_MAX);
			assert_int_equal(tx.guest.ring.avail,
					 ring_guest_place(&tx.guest, tx.guest.seen));
			/* until the guest offers one more */
			ring_guest_buffer(&tx.guest, 505, GUEST_LOW + n * room, room, true);
			if (n < ROOM_BUFFERS_MAX) {
				assert_int_equal(tx_send(1), 1);
				assert_int_equal(tx_check(len + 1, GUEST_LOW, room), n + 1);
			}
			tx_close();
		}
}

/* The largest that are needed, over windows of the ring and over its end, again and again. */
static void
test_windows(void **state)
{
	const uint32_t lens[] = {65535, 1000, 30000, 64, 1012, 1013, 65000, 5000}, room = 1024;
	uint32_t size;

	(void)state;
	tx_open((struct ring_guest_conf){.size = 512, .base = 65400, .is_mergeable = true});
	size = tx.guest.view.size;
	for (uint32_t round = 0; round < 40; round++) {
		uint32_t n_frames = round % 8 + 1;

		while (tx.guest.n_offered - tx.guest.n_seen < size) {
			uint16_t slot = (uint16_t)(tx.guest.n_offered % size);

			ring_guest_buffer(&tx.guest, slot, GUEST_LOW + slot * room, room, true);
		}
		batch_start(&tx.batch, 0, 0);
		for (uint32_t i = 0; i < n_frames; i++)
			tx_add_frame(lens[(round + i) % 8], 4096);
		assert_int_equal(tx_send(set_first(n_frames)), set_first(n_frames));
		for (uint32_t i = 0; i < n_frames; i++)
			tx_check_from(lens[(round + i) % 8], GUEST_LOW, room,
				      tx.guest.n_seen % size, size);
		assert_int_equal(ring_guest_n_used(&tx.guest), 0);
	}
	tx_close();
}

/* Only the frames that do not fit are dropped, whatever stands before and behind them. */
static void
test_some_fit(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 100; n++) {
		uint64_t expected = 0, done;
		uint32_t left = n, first = 0;

		tx_open((struct ring_guest_conf){.size = 128, .is_mergeable = true});
		offer(n, 1000, 1);
		for (uint32_t i = 0; i < 40; i++) {
			uint32_t need = i % 5 == 3 ? 7 : i % 3 + 1;

			tx_add_frame(need * 1000 - FRAME_RECORD_LEN - i, 1500);
			if (need <= left) {
				expected |= 1ull << i;
				left -= need;
			}
		}
		done = tx_send(set_first(40));
		/* a frame that finds no room may be the end of a burst for those behind it */
		assert_int_equal(done & ~expected, 0);
		for (uint32_t i = 0; i < 40; i++)
			if (done >> i & 1)
				first += tx_check_from(tx.batch.frames[i].len, GUEST_LOW, 1000,
						       first, UINT32_MAX);
		assert_int_equal(ring_guest_n_used(&tx.guest), 0);
		assert_int_equal(tx_dropped(DROP_TX_NO_ROOM), 40 - set_count(done));
		assert_int_equal(done, expected);
		tx_close();
	}
}

/* Without mergeable buffers one must do: a chain of any number of descriptors. */
static void
test_one_chain(void **state)
{
	(void)state;
	for (uint32_t n_descs = 1; n_descs <= 200; n_descs += 1 + n_descs / 10)
		for (int is_short = 0; is_short < 2; is_short++) {
			uint32_t room = 20 + n_descs * 300, len = room - FRAME_RECORD_LEN;

			tx_open((struct ring_guest_conf){.size = 256});
			tx_add_frame(len + is_short, 1500);
			offer(1, room, n_descs);
			remember();
			assert_int_equal(tx_send(1), !is_short);
			if (is_short) {
				assert_int_equal(tx_dropped(DROP_TX_OVERSIZE), 1);
				check_untouched();
			} else {
				assert_int_equal(tx_check(len, GUEST_LOW, room), 1);
				for (uint32_t i = 0; i < tx.guest.memory.n; i++)
					free(before[i]);
			}
			tx_close();
		}
}

/* Every frame finds buffers that cross the border of two regions. */
static void
test_borders(void **state)
{
	(void)state;
	for (uint32_t off = 0; off < 3000; off += 37) {
		uint64_t addr = GUEST_HIGH - 3000 + off;

		tx_open((struct ring_guest_conf){.size = 16, .is_mergeable = true});
		tx_add_frame(2500, 1500);
		for (uint16_t i = 0; i < 3; i++)
			ring_guest_buffer(&tx.guest, i, addr + i * 1000u, 1000, true);
		assert_int_equal(tx_send(1), 1);
		assert_int_equal(tx_check(2500, addr, 1000), 3);
		tx_close();
	}
}

int
main(void)
{
	static const struct ring_case cases[] = {
		{"numbers", test_numbers, KIND_ANY},   {"windows", test_windows, KIND_ANY},
		{"some_fit", test_some_fit, KIND_ANY}, {"one_chain", test_one_chain, KIND_ANY},
		{"borders", test_borders, KIND_ANY},
	};

	return ring_kind_run("ring_tx_room", cases, sizeof(cases) / sizeof(cases[0]));
}

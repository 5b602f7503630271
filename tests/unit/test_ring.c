/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_ring.c: guest memory, soundness of rings, interrupts, and the whole way from one guest's
 * ring into another's. Layouts and lies are in test_ring_rx.c and test_ring_tx.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ring_guest.h"
#include "split.h"

static struct ring_guest guest, other;
static struct batch batch;
static struct port_stats stats;

static void
test_memory(void **state)
{
	struct memory m = {0};
	static uint8_t space[320];
	uint8_t *host = space + 10;
	uint32_t hint = 0, part = 0;

	(void)state;
	assert_null(memory_find(&m, &hint, 0, 1, &part)); /* an empty table */
	assert_int_equal(memory_add(&m, 100, 0, host), -EINVAL);
	assert_int_equal(memory_add(&m, UINT64_MAX - 5, 10, host), -EINVAL);
	assert_int_equal(memory_add(&m, 100, 10, (uint8_t *)(UINTPTR_MAX - 5)), -EINVAL);
	assert_int_equal(memory_add(&m, 1000, 100, host), 0);
	assert_int_equal(memory_add(&m, 1100, 100, host + 100), 0);
	assert_int_equal(memory_add(&m, 5000, 100, host + 200), 0);
	for (uint32_t from = 0; from < 3; from++) {
		hint = from;
		assert_ptr_equal(memory_find(&m, &hint, 1000, 100, &part), host);
		assert_int_equal(part, 100);
		assert_ptr_equal(memory_find(&m, &hint, 1099, 100, &part), host + 99);
		assert_int_equal(part, 1);
		assert_ptr_equal(memory_find(&m, &hint, 1150, UINT32_MAX, &part), host + 150);
		assert_int_equal(part, 50);
		assert_ptr_equal(memory_find(&m, &hint, 5099, 1, &part), host + 299);
		assert_int_equal(part, 1);
		assert_null(memory_find(&m, &hint, 999, 1, &part));
		assert_null(memory_find(&m, &hint, 1200, 1, &part));
		assert_null(memory_find(&m, &hint, 5100, 0, &part));
		assert_null(memory_find(&m, &hint, UINT64_MAX, 1, &part));
	}
	assert_true(memory_holds(&m, host, 100));
	assert_false(memory_holds(&m, host, 101));
	assert_false(memory_holds(&m, host - 1, 2));
	assert_false(memory_holds(&m, host + 299, 2));
	assert_false(memory_holds(&m, host + 299, UINT64_MAX));
	while (m.n < MEMORY_REGIONS_MAX)
		assert_int_equal(memory_add(&m, 10000 + 200 * m.n, 100, host), 0);
	assert_int_equal(memory_add(&m, 1, 1, host), -ENOSPC);
}

static void
test_soundness(void **state)
{
	struct ring_view v;
	uint8_t *end;

	(void)state;
	ring_guest_open(&guest, (struct ring_guest_conf){.size = 16, .has_event_idx = true});
	end = ring_guest_at(&guest, GUEST_RINGS + GUEST_RINGS_SIZE - 1) + 1;
	for (uint32_t size = 0; size <= UINT16_MAX; size++) {
		bool is_legal = size == 1 || size == 2 || size == 4 || size == 8 || size == 16;

		v = guest.view;
		v.size = (uint16_t)size;
		if (is_legal || size & (size - 1) || size > 4096)
			assert_int_equal(ring_view_is_sound(&v), is_legal);
	}
	v = guest.view;
	v.desc = (struct vring_desc *)((uint8_t *)v.desc + 8);
	assert_false(ring_view_is_sound(&v));
	v = guest.view;
	v.avail = (struct vring_avail *)((uint8_t *)v.avail + 1);
	assert_false(ring_view_is_sound(&v));
	v = guest.view;
	v.used = (struct vring_used *)((uint8_t *)v.used + 2);
	assert_false(ring_view_is_sound(&v));
	/* up to the last byte, and two more */
	v = guest.view;
	v.desc = (struct vring_desc *)(end - 16 * 16);
	assert_true(ring_view_is_sound(&v));
	v.desc++;
	assert_false(ring_view_is_sound(&v));
	v = guest.view;
	v.avail = (struct vring_avail *)(end - (4 + 16 * 2 + 2));
	assert_true(ring_view_is_sound(&v));
	v.avail = (struct vring_avail *)(end - (4 + 16 * 2));
	assert_false(ring_view_is_sound(&v));
	v.has_event_idx = false;
	assert_true(ring_view_is_sound(&v));
	v = guest.view;
	v.used = (struct vring_used *)(end - (4 + 16 * 8 + 4));
	assert_true(ring_view_is_sound(&v));
	v.used = (struct vring_used *)(end - (4 + 16 * 8));
	assert_false(ring_view_is_sound(&v));
	v.desc = NULL;
	assert_false(ring_view_is_sound(&v));
	ring_guest_close(&guest);
}

static void
publish(uint16_t used)
{
	ring_publish(&guest.ring, &guest.view, used);
}

static void
test_attach_asks_for_no_kicks(void **state)
{
	struct vring vring = {.num = 16};

	(void)state;
	ring_guest_open(&guest,
			(struct ring_guest_conf){.size = 16, .base = 65000, .has_event_idx = true});
	assert_int_equal(guest.view.used->flags, VRING_USED_F_NO_NOTIFY);
	/* the guest kicks when its index passes this one (virtio 1.2 §2.7.10) */
	vring.used = guest.view.used;
	assert_int_equal(vring_avail_event(&vring), (uint16_t)(65000 + 32768));
	assert_int_equal(guest.ring.avail, 65000);
	/* an interrupt that was due is still due when it is attached again, and none otherwise */
	assert_false(ring_take_touched(&guest.ring));
	publish(65001);
	ring_attach(&guest.ring, &guest.view, 65001, 65001);
	assert_true(ring_take_touched(&guest.ring));
	assert_false(ring_take_touched(&guest.ring));
	ring_guest_close(&guest);
}

static void
test_flag_suppresses(void **state)
{
	(void)state;
	ring_guest_open(&guest, (struct ring_guest_conf){.size = 16});
	publish(1);
	assert_true(ring_wants_call(&guest.ring, &guest.view));
	guest.view.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	assert_false(ring_wants_call(&guest.ring, &guest.view));
	ring_guest_close(&guest);
}

/* Used goes from `then` to `now`; the guest wants to be told when it passes event. */
static bool
wants(uint16_t then, uint16_t now, uint16_t event)
{
	ring_attach(&guest.ring, &guest.view, then, then);
	guest.view.avail->ring[guest.view.size] = (uint16_t)(then - 1000);
	assert_true(ring_wants_call(&guest.ring, &guest.view)); /* the first time always */
	guest.view.avail->ring[guest.view.size] = event;
	publish(now);
	return ring_wants_call(&guest.ring, &guest.view);
}

static void
test_event_index(void **state)
{
	const uint16_t bases[] = {0, 1, 100, 32767, 32768, 65500, 65534, 65535};

	(void)state;
	ring_guest_open(&guest, (struct ring_guest_conf){.size = 256, .has_event_idx = true});
	for (uint32_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		for (uint32_t step = 1; step <= 256; step += 5)
			for (int32_t event = -300; event < 600; event += 3) {
				uint16_t then = bases[i], now = (uint16_t)(then + step);
				bool expected = event >= 0 && (uint32_t)event < step;

				assert_int_equal(wants(then, now, (uint16_t)(then + event)),
						 expected);
			}
	ring_guest_close(&guest);
}

static void
test_call(void **state)
{
	struct ring_view v = {.call_fd = eventfd(0, EFD_NONBLOCK)};
	eventfd_t n;

	(void)state;
	ring_call(&v);
	ring_call(&v);
	assert_int_equal(eventfd_read(v.call_fd, &n), 0);
	assert_int_equal(n, 2);
	close(v.call_fd);
	v.call_fd = -1;
	ring_call(&v); /* a guest without interrupts */
}

/* A frame of len bytes from guest to other, which compares every byte. */
static void
pass(uint32_t len, uint32_t first, uint32_t room)
{
	static uint8_t frame[FRAME_RECORD_LEN + FRAME_LEN_MAX],
		got[FRAME_RECORD_LEN + FRAME_LEN_MAX];
	uint32_t total = FRAME_RECORD_LEN + len, id, used_len, sum = 0;
	uint32_t n_rooms = (total + room - 1) / room;

	ring_guest_pattern(frame + FRAME_RECORD_LEN, len, len + first);
	ring_guest_write(&guest, GUEST_HIGH - 100, frame, total); /* across a border */
	ring_guest_desc(&guest, 0, GUEST_HIGH - 100, first, VRING_DESC_F_NEXT, 1);
	ring_guest_desc(&guest, 1, GUEST_HIGH - 100 + first, total - first, 0, 0);
	ring_guest_offer(&guest, 0);
	for (uint32_t i = 0; i < n_rooms; i++)
		ring_guest_buffer(&other, (uint16_t)i, GUEST_HIGH - 50 + i * room, room, true);
	batch_start(&batch, 0, 0);
	assert_int_equal(split_rx(&guest.view, &guest.ring, &batch, &stats), 1);
	assert_int_equal(split_tx(&other.view, &other.ring, &batch, 1, &stats), 1);
	split_release(&guest.ring);
	assert_int_equal(ring_guest_n_used(&guest), 1);
	for (uint32_t i = 0; i < n_rooms; i++) {
		assert_true(ring_guest_used(&other, &id, &used_len));
		ring_guest_read(&other, GUEST_HIGH - 50 + i * room, got + sum, used_len);
		sum += used_len;
	}
	assert_int_equal(sum, total);
	assert_memory_equal(got + FRAME_RECORD_LEN, frame + FRAME_RECORD_LEN, len);
}

static void
test_guest_to_guest(void **state)
{
	const uint32_t large[] = {9000, 65535};

	(void)state;
	ring_guest_open(&guest, (struct ring_guest_conf){.size = 256});
	ring_guest_open(&other, (struct ring_guest_conf){.size = 256, .is_mergeable = true});
	for (uint32_t len = 14; len <= 1514; len++)
		pass(len, len % 3 ? 12 : len % 200 + 1, len % 2 ? 2048 : 512);
	for (uint32_t i = 0; i < 2; i++) {
		pass(large[i], 12, 2048);
		pass(large[i], 5000, 1536);
	}
	ring_guest_close(&guest);
	ring_guest_close(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_soundness),
		cmocka_unit_test(test_attach_asks_for_no_kicks),
		cmocka_unit_test(test_flag_suppresses),
		cmocka_unit_test(test_event_index),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_guest_to_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

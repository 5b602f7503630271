/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_ring.c: guest memory, soundness of rings, and the whole way from one guest's ring into
 * another's. Layouts and lies are in test_ring_rx*.c and test_ring_tx*.c, interrupts in
 * test_ring_events.c.
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
	assert_true(memory_holds(&m, host, 100, 1));
	assert_false(memory_holds(&m, host, 101, 1));
	assert_false(memory_holds(&m, host - 1, 2, 1));
	assert_false(memory_holds(&m, host + 299, 2, 1));
	assert_false(memory_holds(&m, host + 299, UINT64_MAX, 1));
	while (m.n < MEMORY_REGIONS_MAX)
		assert_int_equal(memory_add(&m, 10000 + 200 * m.n, 100, host), 0);
	assert_int_equal(memory_add(&m, 1, 1, host), -ENOSPC);
}

/* Is the ring sound if that part of it, a pointer at that offset of the view, lies there? */
static bool
is_sound_with(const struct ring_view *sound, size_t part, const uint8_t *at)
{
	struct ring_view v = *sound;

	memcpy((uint8_t *)&v + part, &at, sizeof(at));
	return v.ops->is_sound(&v);
}

/* Exactly so many bytes, up to the end of their region, and not one more. */
static void
check_part(const struct ring_view *sound, size_t part, uint8_t *end, uint32_t len, uint32_t align)
{
	assert_true(is_sound_with(sound, part, end - len));
	assert_false(is_sound_with(sound, part, end - len + align));
	assert_false(is_sound_with(sound, part, end));
	assert_false(is_sound_with(sound, part, end - len - 1));
	assert_false(is_sound_with(sound, part, NULL));
}

static void
test_soundness_split(void **state)
{
	struct ring_view v;
	uint8_t *end;

	(void)state;
	ring_guest_open(&guest, (struct ring_guest_conf){.size = 16, .has_event_idx = true});
	end = ring_guest_at(&guest, GUEST_ALONE + GUEST_ALONE_SIZE - 1) + 1;
	for (uint32_t size = 0; size <= UINT16_MAX; size++) {
		bool is_legal = size == 1 || size == 2 || size == 4 || size == 8 || size == 16;

		v = guest.view;
		v.size = (uint16_t)size;
		assert_int_equal(v.ops->is_sound(&v), is_legal);
	}
	check_part(&guest.view, offsetof(struct ring_view, desc), end, 16 * 16, 16);
	check_part(&guest.view, offsetof(struct ring_view, avail), end, 4 + 16 * 2 + 2, 2);
	check_part(&guest.view, offsetof(struct ring_view, used), end, 4 + 16 * 8 + 4, 4);
	/* the event's place is only there if it is negotiated */
	v = guest.view;
	v.avail = (struct vring_avail *)(end - (4 + 16 * 2));
	v.used = (struct vring_used *)(end - (4 + 16 * 8));
	assert_false(v.ops->is_sound(&v));
	v.has_event_idx = false;
	assert_true(v.ops->is_sound(&v));
	for (uint32_t at = 0; at <= UINT16_MAX; at++)
		assert_true(v.ops->has_place(&v, (uint16_t)at));
	ring_guest_close(&guest);
}

static void
test_soundness_packed(void **state)
{
	struct ring_view v;
	uint8_t *end;

	(void)state;
	ring_guest_open(&guest, (struct ring_guest_conf){.size = 21, .is_packed = true});
	end = ring_guest_at(&guest, GUEST_ALONE + GUEST_ALONE_SIZE - 1) + 1;
	for (uint32_t size = 0; size <= UINT16_MAX; size++) {
		v = guest.view;
		v.size = (uint16_t)size;
		assert_int_equal(v.ops->is_sound(&v), size >= 1 && size <= 21);
	}
	for (uint32_t at = 0; at <= UINT16_MAX; at++)
		assert_int_equal(guest.view.ops->has_place(&guest.view, (uint16_t)at),
				 (at & 0x7fff) < 21);
	check_part(&guest.view, offsetof(struct ring_view, packed), end, 21 * 16, 16);
	check_part(&guest.view, offsetof(struct ring_view, driver), end, 4, 4);
	check_part(&guest.view, offsetof(struct ring_view, device), end, 4, 4);
	ring_guest_close(&guest);
	/* the largest that there is */
	ring_guest_open(&guest, (struct ring_guest_conf){.size = RING_SIZE_MAX, .is_packed = true});
	v = guest.view;
	v.packed = (struct vring_packed_desc *)ring_guest_at(&guest, GUEST_LOW);
	assert_true(v.ops->is_sound(&v));
	v.size++;
	assert_false(v.ops->is_sound(&v));
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
	assert_int_equal(guest.view.ops->rx(&guest.view, &guest.ring, &batch, &stats), 1);
	assert_int_equal(other.view.ops->tx(&other.view, &other.ring, &batch, 1, &stats), 1);
	guest.view.ops->release(&guest.ring);
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
pass_all(struct ring_guest_conf from, struct ring_guest_conf to)
{
	const uint32_t large[] = {9000, 65535};

	ring_guest_open(&guest, from);
	ring_guest_open(&other, to);
	for (uint32_t len = 14; len <= 1514; len++)
		pass(len, len % 3 ? 12 : len % 200 + 1, len % 2 ? 2048 : 512);
	for (uint32_t i = 0; i < 2; i++) {
		pass(large[i], 12, 2048);
		pass(large[i], 5000, 1536);
	}
	ring_guest_close(&guest);
	ring_guest_close(&other);
}

static void
test_guest_to_guest(void **state)
{
	(void)state;
	for (int is_packed = 0; is_packed < 4; is_packed++)
		pass_all((struct ring_guest_conf){.size = 256, .is_packed = is_packed & 1},
			 (struct ring_guest_conf){
				 .size = 256, .is_packed = is_packed & 2, .is_mergeable = true});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),		 cmocka_unit_test(test_soundness_split),
		cmocka_unit_test(test_soundness_packed), cmocka_unit_test(test_call),
		cmocka_unit_test(test_guest_to_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

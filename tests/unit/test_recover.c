/* SPDX-License-Identifier: BSD-3-Clause */
/* test_recover.c: the place of a packed ring as its descriptors tell it, see recover.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "packed.h"
#include "recover.h"
#include "ring.h"

enum {
	SIZE_MAX_HERE = 9,
	BASE = 3 | PACKED_WRAP, /* what QEMU says, and nothing else here is */
};

static struct vring_packed_desc descs[SIZE_MAX_HERE];
static struct ring_view view = {.packed = descs, .has_indirect = true};

static void
set(uint16_t at, bool is_used)
{
	uint16_t avail = at & PACKED_WRAP ? PACKED_AVAIL : PACKED_USED;
	struct vring_packed_desc *d = &descs[packed_position(at)];

	d->flags = VRING_DESC_F_WRITE | (is_used ? packed_used_flags(at) : avail);
	d->id = (uint16_t)(100 + packed_position(at));
	d->len = is_used ? 64 : 2048;
}

/* The n entries from that place on came back, and there is nothing in them. */
static void
check_emptied(uint16_t at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct vring_packed_desc *d = &descs[packed_position(at)];

		assert_int_equal(d->flags, packed_used_flags(at) | VRING_DESC_F_WRITE);
		assert_int_equal(d->id, 100 + packed_position(at));
		assert_int_equal(d->len, 0);
		at = packed_next(at, 1, view.size);
	}
}

/* The others are as they were. */
static void
check_untouched(uint16_t at, uint32_t n)
{
	for (; n > 0; n--) {
		const struct vring_packed_desc *d = &descs[packed_position(at)];

		assert_int_not_equal(d->len, 0);
		at = packed_next(at, 1, view.size);
	}
}

/* As in the middle of a lap: up to at given back, n_offered on offer, the rest from a lap ago. */
static void
make(uint16_t at, uint32_t n_offered)
{
	uint16_t begin = at & PACKED_WRAP, lap_ago = begin ^ PACKED_WRAP;

	for (uint16_t i = 0; i < view.size; i++)
		set(i < packed_position(at) ? i | begin : i | lap_ago, true);
	for (uint32_t i = 0; i < n_offered; i++)
		set(packed_next(at, i, view.size), false);
}

static void
test_every_place(void **state)
{
	(void)state;
	for (view.size = 1; view.size <= SIZE_MAX_HERE; view.size++)
		for (uint16_t at = 0; at < view.size; at++)
			for (uint32_t n = 0; n <= view.size; n++) {
				make(at, n);
				assert_int_equal(recover_place(&view, BASE), at);
				make(at | PACKED_WRAP, n);
				assert_int_equal(recover_place(&view, BASE), at | PACKED_WRAP);
			}
	view.size = SIZE_MAX_HERE;
	memset(descs, 0, sizeof(descs)); /* a driver has just set it up */
	assert_int_equal(recover_place(&view, BASE), PACKED_WRAP);
}

static void
check_burst(uint16_t at, uint16_t n)
{
	uint16_t behind = packed_next(at, n, SIZE_MAX_HERE);

	make(at, SIZE_MAX_HERE);
	for (uint16_t i = 1; i < n; i++)
		set(packed_next(at, i, SIZE_MAX_HERE), true);
	assert_int_equal(recover_place(&view, BASE), behind);
	check_emptied(at, n);
	check_untouched(behind, SIZE_MAX_HERE - n);
}

/* All of a burst but its first descriptor is written: it is ended, and all of it is empty. */
static void
test_in_a_burst(void **state)
{
	(void)state;
	view.size = SIZE_MAX_HERE;
	for (int lap = 0; lap < 2; lap++) {
		uint16_t wrap = lap ? PACKED_WRAP : 0;

		for (uint16_t at = 0; at < SIZE_MAX_HERE; at++)
			for (uint16_t n = 2; n < SIZE_MAX_HERE; n++)
				check_burst(at | wrap, n);
	}
}

/* QEMU dropped what the guest sent from another place on: what is before that is given back. */
static void
test_ahead(void **state)
{
	(void)state;
	view.size = SIZE_MAX_HERE;
	for (uint16_t n_before = 1; n_before < SIZE_MAX_HERE; n_before++) {
		make(6, SIZE_MAX_HERE);
		set(packed_next(6, n_before, SIZE_MAX_HERE), true);
		assert_int_equal(recover_place(&view, BASE),
				 packed_next(6, n_before + 1u, SIZE_MAX_HERE));
		check_emptied(6, n_before + 1u);
	}
}

static void
test_untold(void **state)
{
	(void)state;
	view.size = SIZE_MAX_HERE;
	make(5, 3);
	set(2 | PACKED_WRAP, false); /* a driver that does not keep the order */
	assert_int_equal(recover_place(&view, BASE), BASE);
	make(5, SIZE_MAX_HERE);
	view.is_in_order = true;
	assert_int_equal(recover_place(&view, BASE), BASE);
	view.is_in_order = false;
	view.has_indirect = false;
	assert_int_equal(recover_place(&view, BASE), BASE);
	view.has_indirect = true;
	assert_int_equal(recover_place(&view, BASE), 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_place),
		cmocka_unit_test(test_in_a_burst),
		cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_untold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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
};

static struct vring_packed_desc descs[RING_SIZE_MAX];
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

/* What QEMU may say, and is neither the place nor right behind it. */
static uint16_t
elsewhere(uint16_t at)
{
	return packed_next(at, view.size, view.size);
}

/* A chain of n descriptors from that place on came back: only its first one was written. */
static void
set_consumed(uint16_t at, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		uint16_t place = packed_next(at, i, view.size);

		set(place, i == 0);
		if (i > 0 && i + 1 < n)
			descs[packed_position(place)].flags |= VRING_DESC_F_NEXT;
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
	for (view.size = 2; view.size <= SIZE_MAX_HERE; view.size++)
		for (uint16_t i = 0; i < 2 * view.size; i++) {
			uint16_t at = packed_next(0, i, view.size);

			for (uint32_t n = 0; n <= view.size; n++) {
				make(at, n);
				assert_int_equal(recover_place(&view, at), at);
				assert_int_equal(recover_place(&view, elsewhere(at)), at);
				assert_int_equal(
					recover_place(&view, packed_next(at, 2, view.size)), at);
				check_untouched(0, view.size);
			}
		}
	view.size = 1;
	for (int n = 0; n < 2; n++) {
		make(0, n);
		assert_int_equal(recover_place(&view, 0), 0);
		make(PACKED_WRAP, n);
		assert_int_equal(recover_place(&view, PACKED_WRAP), PACKED_WRAP);
	}
	view.size = SIZE_MAX_HERE;
	memset(descs, 0, sizeof(descs)); /* a driver has just set it up */
	assert_int_equal(recover_place(&view, 3 | PACKED_WRAP), PACKED_WRAP);
}

static void
test_largest(void **state)
{
	const uint32_t ns[] = {0, 1, 2, 20000, RING_SIZE_MAX - 1, RING_SIZE_MAX};

	(void)state;
	view.size = RING_SIZE_MAX;
	for (uint32_t i = 0; i < 6; i++)
		for (uint32_t k = 0; k < 6; k++) {
			uint16_t at = packed_next(PACKED_WRAP, ns[i], view.size);

			make(at, ns[k]);
			assert_int_equal(recover_place(&view, elsewhere(at)), at);
		}
	make(7, RING_SIZE_MAX);
	for (uint16_t i = 1; i < RING_SIZE_MAX; i++)
		set(packed_next(7, i, view.size), true);
	assert_int_equal(recover_place(&view, 7), packed_next(7, RING_SIZE_MAX, view.size));
	check_emptied(7, RING_SIZE_MAX);
}

static void
check_burst(uint16_t at, uint16_t n, uint16_t base)
{
	uint16_t behind = packed_next(at, n, SIZE_MAX_HERE);

	make(at, SIZE_MAX_HERE);
	for (uint16_t i = 1; i < n; i++)
		set(packed_next(at, i, SIZE_MAX_HERE), true);
	assert_int_equal(recover_place(&view, base), behind);
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
				for (uint16_t i = 0; i < 2 * SIZE_MAX_HERE; i++)
					if (i != n + 1) /* see test_chains_of_two() */
						check_burst(
							at | wrap, n,
							packed_next(at | wrap, i, SIZE_MAX_HERE));
	}
}

/*
 * QEMU dropped what the guest sent from another place on: what is before that is given back. QEMU
 * says where it has come to, and the guest may have offered more since.
 */
static void
test_ahead(void **state)
{
	(void)state;
	view.size = SIZE_MAX_HERE;
	for (uint16_t n_before = 1; n_before < SIZE_MAX_HERE; n_before++)
		for (uint16_t n = 1; n_before + n <= SIZE_MAX_HERE; n++) {
			uint16_t base = packed_next(6, n_before + n, SIZE_MAX_HERE);

			make(6, SIZE_MAX_HERE);
			for (uint16_t i = 0; i < n; i++)
				set(packed_next(6, n_before + i, SIZE_MAX_HERE), true);
			assert_int_equal(recover_place(&view, base), base);
			check_emptied(6, n_before + n);
			check_untouched(base, SIZE_MAX_HERE - n_before - n);
		}
}

/* A guest that was asked of its switch where it is, of any lap, n_offered on offer behind that. */
static void
check_consumed(uint16_t base, uint16_t n_offered, uint16_t distance, uint16_t n)
{
	uint16_t oldest = packed_next(base, n_offered, SIZE_MAX_HERE) ^ PACKED_WRAP;

	make(base, n_offered);
	set_consumed(packed_next(oldest, SIZE_MAX_HERE - n_offered - distance, SIZE_MAX_HERE), n);
	assert_int_equal(recover_place(&view, base), base);
}

/* Chains of 2 and 3 that came back, right before the place or further away. */
static void
test_consumed_chains(void **state)
{
	(void)state;
	view.size = SIZE_MAX_HERE;
	for (uint16_t i = 0; i < 2 * SIZE_MAX_HERE; i++)
		for (uint16_t n = 2; n <= 3; n++)
			for (uint16_t n_offered = 0; n_offered + n <= SIZE_MAX_HERE; n_offered++) {
				uint16_t base = packed_next(0, i, SIZE_MAX_HERE);

				for (uint16_t d = n; d + n_offered <= SIZE_MAX_HERE; d++) {
					check_consumed(base, n_offered, d, n);
					if (d == n || n == 3)
						check_untouched(0, SIZE_MAX_HERE);
				}
			}
}

/* Any number of them, and also where all that is offered are some. */
static void
test_chains_of_two(void **state)
{
	(void)state;
	view.size = SIZE_MAX_HERE;
	for (uint16_t n = 1; n <= 4; n++)
		for (uint16_t n_offered = 0; n_offered <= 1; n_offered++) {
			uint16_t base = packed_next(5, 8, SIZE_MAX_HERE);

			make(base, n_offered);
			for (uint16_t i = 0; i < n; i++)
				set_consumed(packed_next(5, 8u - 2 * n + 2 * i, SIZE_MAX_HERE), 2);
			assert_int_equal(recover_place(&view, base), base);
			check_untouched(0, SIZE_MAX_HERE);
		}
}

/* On offer they are NEXT flags, too: what QEMU says is all there is. */
static void
test_offered_chains(void **state)
{
	(void)state;
	view.size = SIZE_MAX_HERE;
	for (uint16_t base = 0; base < SIZE_MAX_HERE; base++) {
		make(5, 4);
		descs[6].flags |= VRING_DESC_F_NEXT;
		assert_int_equal(recover_place(&view, base), base);
		check_untouched(0, SIZE_MAX_HERE);
	}
}

static void
test_untold(void **state)
{
	const uint16_t base = 3 | PACKED_WRAP;

	(void)state;
	view.size = SIZE_MAX_HERE;
	make(5, 3);
	set(2 | PACKED_WRAP, false); /* a driver that does not keep the order */
	assert_int_equal(recover_place(&view, base), base);
	make(5, SIZE_MAX_HERE);
	view.is_in_order = true;
	assert_int_equal(recover_place(&view, base), base);
	view.is_in_order = false;
	view.has_indirect = false;
	assert_int_equal(recover_place(&view, base), base);
	view.has_indirect = true;
	assert_int_equal(recover_place(&view, base), 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_place),	cmocka_unit_test(test_largest),
		cmocka_unit_test(test_in_a_burst),	cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_consumed_chains), cmocka_unit_test(test_chains_of_two),
		cmocka_unit_test(test_offered_chains),	cmocka_unit_test(test_untold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_ring_events.c: what we ask a guest not to tell us, and what it asks us not to tell it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring_guest.h"
#include "ring_kind.h"

enum {
	EVENT_ENABLE = VRING_PACKED_EVENT_FLAG_ENABLE,
	EVENT_DISABLE = VRING_PACKED_EVENT_FLAG_DISABLE,
	EVENT_DESC = VRING_PACKED_EVENT_FLAG_DESC,
	EVENT_RESERVED = 3,
};

static struct ring_guest guest;

static bool
is_packed(void)
{
	return ring_kind->kind == KIND_PACKED;
}

static bool
wants_call(void)
{
	return guest.view.ops->wants_call(&guest.view, &guest.ring, ring_used(&guest.ring));
}

/* Buffers up to the place are the guest's again. */
static void
give_back(struct guest_place place)
{
	ring_set_used(&guest.ring, ring_guest_place(&guest, place));
}

/* The guest wants to be told when the buffer at that place is given back. */
static void
ask_for(struct guest_place place)
{
	if (is_packed()) {
		guest.view.driver->off_wrap = ring_guest_place(&guest, place);
		guest.view.driver->flags = EVENT_DESC;
	} else {
		guest.view.avail->ring[guest.view.size] = place.at;
	}
}

static void
test_attach_asks_for_no_kicks(void **state)
{
	struct vring vring = {.num = 16};
	struct ring *r = &guest.ring;

	(void)state;
	ring_guest_open(&guest, ring_kind_conf((struct ring_guest_conf){
					.size = 16, .base = 65000, .has_event_idx = true}));
	if (is_packed()) {
		assert_int_equal(guest.view.device->flags, EVENT_DISABLE);
		assert_int_equal(r->avail, 0x8000 | 65000 % guest.view.size);
	} else {
		assert_int_equal(guest.view.used->flags, VRING_USED_F_NO_NOTIFY);
		/* the guest kicks when its index passes this one (virtio 1.2 §2.7.10) */
		vring.used = guest.view.used;
		assert_int_equal(vring_avail_event(&vring), (uint16_t)(65000 + 32768));
		assert_int_equal(r->avail, 65000);
	}
	assert_int_equal(ring_used(r), r->avail);
	/* an interrupt that was due is still due when it is attached again, and none otherwise */
	assert_false(ring_take_touched(r));
	give_back(ring_guest_step(&guest, guest.seen, 1));
	ring_attach(r, &guest.view, ring_used(r), ring_used(r));
	assert_true(ring_take_touched(r));
	assert_false(ring_take_touched(r));
	ring_guest_close(&guest);
}

static void
test_flag_suppresses(void **state)
{
	(void)state;
	ring_guest_open(&guest, ring_kind_conf((struct ring_guest_conf){.size = 16}));
	for (uint32_t i = 1; i < 40; i++) {
		give_back(ring_guest_step(&guest, guest.seen, i));
		if (is_packed())
			guest.view.driver->flags = EVENT_ENABLE;
		else
			guest.view.avail->flags = 0;
		assert_true(wants_call());
		assert_true(wants_call());
		if (is_packed())
			guest.view.driver->flags = EVENT_DISABLE;
		else
			guest.view.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
		assert_false(wants_call());
	}
	ring_guest_close(&guest);
}

/* From then on step buffers are given back; the guest wants to be told at event. */
static bool
wants(struct guest_place then, uint32_t step, struct guest_place event)
{
	uint16_t at = ring_guest_place(&guest, then);

	ring_attach(&guest.ring, &guest.view, at, at);
	/* nothing is known of what the guest was told before: it is told once, whatever it asks */
	ask_for(ring_guest_step(&guest, then, guest.view.size / 2));
	assert_true(wants_call());
	ask_for(event);
	give_back(ring_guest_step(&guest, then, step));
	return wants_call();
}

/*
 * The guest asks for buffers that were given back before, are now, and will be: up to a whole ring
 * to and fro, over every wrap.
 */
static void
test_event(void **state)
{
	const uint16_t bases[] = {0, 1, 100, 200, 32767, 32768, 65500, 65534, 65535};
	uint32_t size;

	(void)state;
	for (uint32_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		ring_guest_open(&guest,
				ring_kind_conf((struct ring_guest_conf){
					.size = 256, .base = bases[i], .has_event_idx = true}));
		size = guest.view.size;
		for (uint32_t back = 0; back <= size; back += 5)
			for (uint32_t step = 1; step <= size; step += step % 4 == 3 ? 8 : 1)
				for (uint32_t event = 0; event < size + back; event += 7) {
					struct guest_place first = guest.seen;
					bool expected = event >= back && event < back + step;

					/* from here one can't tell it from one of a round before */
					if (event + size < back + step && is_packed())
						continue;
					assert_int_equal(
						wants(ring_guest_step(&guest, first, back), step,
						      ring_guest_step(&guest, first, event)),
						expected);
				}
		ring_guest_close(&guest);
	}
}

/*
 * Two workers give buffers back and notify at the same time. One has read the place and done its
 * fence when the other gives its buffers back, which the guest does not see yet: it goes to sleep
 * before them, and the second worker must wake it, whatever the first one has answered in between.
 */
static void
test_two_workers(void **state)
{
	const struct ring_ops *ops;
	uint16_t first, second;

	(void)state;
	ring_guest_open(&guest, ring_kind_conf((struct ring_guest_conf){.size = 16,
									.has_event_idx = true}));
	ops = guest.view.ops;
	assert_true(wants_call());
	ask_for(ring_guest_step(&guest, guest.seen, 12));
	give_back(ring_guest_step(&guest, guest.seen, 3));
	first = ring_used(&guest.ring);
	give_back(ring_guest_step(&guest, guest.seen, 5));
	second = ring_used(&guest.ring);
	assert_false(ops->wants_call(&guest.view, &guest.ring, first));
	ask_for(ring_guest_step(&guest, guest.seen, 3));
	assert_true(ops->wants_call(&guest.view, &guest.ring, second));
	assert_false(ops->wants_call(&guest.view, &guest.ring, second));
	/* the other way round one of them tells it, and what comes next is told again */
	ask_for(ring_guest_step(&guest, guest.seen, 5));
	give_back(ring_guest_step(&guest, guest.seen, 6));
	first = ring_used(&guest.ring);
	give_back(ring_guest_step(&guest, guest.seen, 8));
	second = ring_used(&guest.ring);
	assert_true(ops->wants_call(&guest.view, &guest.ring, second));
	ops->wants_call(&guest.view, &guest.ring, first);
	ask_for(ring_guest_step(&guest, guest.seen, 8));
	give_back(ring_guest_step(&guest, guest.seen, 9));
	assert_true(wants_call());
	ring_guest_close(&guest);
}

/* A guest that wants every interrupt, then none, and then the next one. */
static void
test_event_after_flags(void **state)
{
	struct guest_place place;

	(void)state;
	ring_guest_open(&guest, ring_kind_conf((struct ring_guest_conf){.size = 16,
									.has_event_idx = true}));
	place = guest.seen;
	for (uint32_t round = 0; round < 50; round++) {
		const uint16_t flags[] = {EVENT_ENABLE, EVENT_DISABLE, EVENT_RESERVED};

		for (uint32_t i = 0; i < 3; i++)
			for (uint32_t k = 0; k < 11; k++) {
				guest.view.driver->flags = flags[i];
				place = ring_guest_step(&guest, place, 1);
				give_back(place);
				assert_int_equal(wants_call(), flags[i] != EVENT_DISABLE);
			}
		/* what it saw while it did not ask is behind it */
		ask_for(ring_guest_step(&guest, place, 2));
		for (uint32_t k = 0; k < 5; k++) {
			assert_false(wants_call()); /* nothing was given back */
			place = ring_guest_step(&guest, place, 1);
			give_back(place);
			assert_int_equal(wants_call(), k == 2);
		}
	}
	ring_guest_close(&guest);
}

/* A place that the ring does not have: no harm, and no interrupt that was not asked for. */
static void
test_event_nowhere(void **state)
{
	(void)state;
	ring_guest_open(&guest, ring_kind_conf((struct ring_guest_conf){.size = 256,
									.has_event_idx = true}));
	assert_true(wants_call());
	guest.view.driver->flags = EVENT_DESC;
	for (uint32_t off = guest.view.size; off < 0x8000; off++) {
		guest.view.driver->off_wrap = (uint16_t)(0x8000 | off);
		assert_false(wants_call());
		guest.view.driver->off_wrap = (uint16_t)off;
		assert_false(wants_call());
	}
	ring_guest_close(&guest);
}

int
main(void)
{
	static const struct ring_case cases[] = {
		{"attach_asks_for_no_kicks", test_attach_asks_for_no_kicks, KIND_ANY},
		{"flag_suppresses", test_flag_suppresses, KIND_ANY},
		{"event", test_event, KIND_ANY},
		{"two_workers", test_two_workers, KIND_ANY},
		{"event_after_flags", test_event_after_flags, KIND_PACKED},
		{"event_nowhere", test_event_nowhere, KIND_PACKED},
	};

	return ring_kind_run("ring_events", cases, sizeof(cases) / sizeof(cases[0]));
}

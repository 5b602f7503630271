/* SPDX-License-Identifier: BSD-3-Clause */
/* recover.c: see recover.h. */
#include "recover.h"

#include <stdbool.h>

#include "packed.h"
#include "ring.h"

enum {
	TRIES_MAX = 100, /* to see the ring while its guest does not change it */
};

/* Which descriptors are the guest's no longer, and not given back. */
struct snapshot {
	uint16_t size;
	bool is_offered[RING_SIZE_MAX];
};

/*
 * Finds the place where the driver offers its next buffer: its laps meet there. False if it was
 * offering some at this moment.
 */
static bool
take_snapshot(const struct ring_view *v, struct snapshot *s, uint16_t *next)
{
	bool is_avail_set = false, is_first_set = false;
	uint16_t n_changes = 0;

	s->size = v->size;
	*next = 0;
	for (uint16_t i = 0; i < v->size; i++) {
		uint16_t flags = guest_read16(&v->packed[i].flags);
		bool is_set = flags & PACKED_AVAIL;

		s->is_offered[i] = is_set != !!(flags & PACKED_USED);
		if (i == 0) {
			is_first_set = is_set;
		} else if (is_set != is_avail_set) {
			n_changes++;
			*next = i;
		}
		is_avail_set = is_set;
	}
	if (is_first_set == (n_changes == 1))
		*next |= PACKED_WRAP;
	return n_changes <= 1;
}

/* Writes the descriptor as given back with nothing in it. */
static void
give_back(const struct ring_view *v, uint16_t at, bool is_first)
{
	struct packed_desc d = packed_desc_read(&v->packed[packed_position(at)]);
	uint64_t word =
		packed_word(0, d.id, packed_used_flags(at) | (d.flags & VRING_DESC_F_WRITE));

	if (is_first)
		packed_put_first(v, at, word);
	else
		packed_put(v, at, word);
}

static bool
is_offered(const struct snapshot *s, uint16_t from, uint32_t i)
{
	return s->is_offered[packed_position(packed_next(from, i, s->size))];
}

uint16_t
recover_place(const struct ring_view *v, uint16_t base)
{
	uint16_t next = 0, from, n_tries = 0;
	uint32_t first, end = 0;
	struct snapshot s;

	if (!v->has_indirect || v->is_in_order)
		return base;
	while (!take_snapshot(v, &s, &next))
		if (++n_tries == TRIES_MAX)
			return base;
	from = next ^ PACKED_WRAP; /* a whole lap before: the oldest descriptor */
	for (first = 0; first < s.size; first++)
		if (is_offered(&s, from, first))
			break;
	for (uint32_t i = first; i < s.size; i++)
		if (!is_offered(&s, from, i))
			end = i;
	if (end == 0)
		return packed_next(from, first, s.size);
	/* lengths too: who was killed had written some, and a frame whose beginning is not there
	 * would be read from its middle on */
	for (uint32_t i = end + 1; i-- > first;)
		give_back(v, packed_next(from, i, s.size), i == first);
	return packed_next(from, end + 1, s.size);
}

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
	bool has_chains; /* of more than one descriptor, but for some of two that came back */
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
	s->has_chains = false;
	*next = 0;
	for (uint16_t i = 0; i < v->size; i++) {
		uint16_t flags = guest_read16(&v->packed[i].flags);
		bool is_set = flags & PACKED_AVAIL;

		s->is_offered[i] = is_set != !!(flags & PACKED_USED);
		s->has_chains = s->has_chains || flags & VRING_DESC_F_NEXT;
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

/* What it shows, in descriptors behind the oldest one. */
struct picture {
	uint32_t first;	   /* not given back */
	uint32_t end;	   /* the last one behind it that was given back; 0: none */
	uint32_t n_holes;  /* how often some that were follow others that were not */
	uint32_t hole_len; /* of the last hole, from first on */
};

static bool
is_offered(const struct snapshot *s, uint16_t from, uint32_t i)
{
	return s->is_offered[packed_position(packed_next(from, i, s->size))];
}

static struct picture
look_at(const struct snapshot *s, uint16_t from)
{
	struct picture p = {0};

	while (p.first < s->size && !is_offered(s, from, p.first))
		p.first++;
	for (uint32_t i = p.first; i < s->size; i++) {
		if (is_offered(s, from, i))
			continue;
		if (is_offered(s, from, i - 1)) {
			p.n_holes++;
			p.hole_len = i - p.first;
		}
		p.end = i;
	}
	return p;
}

uint16_t
recover_place(const struct ring_view *v, uint16_t base)
{
	uint16_t next = 0, from, place, n_tries = 0;
	struct snapshot s;
	struct picture p;

	if (!v->has_indirect || v->is_in_order)
		return base;
	while (!take_snapshot(v, &s, &next))
		if (++n_tries == TRIES_MAX)
			return base;
	from = next ^ PACKED_WRAP; /* a whole lap before: the oldest descriptor */
	p = look_at(&s, from);
	/* a burst that was cut off leaves one hole, QEMU another; several are of chains */
	if (s.has_chains || p.n_holes > 1)
		return base;
	place = packed_next(from, p.n_holes ? p.end + 1 : p.first, s.size);
	/* the second descriptor of a chain that was given back, by all that is to be seen */
	if (base == packed_next(place, 1, s.size) && place != next && p.hole_len <= 1)
		return base;
	if (p.n_holes == 0)
		return place;
	/* lengths too: who was killed had written some, and a frame whose beginning is not there
	 * would be read from its middle on */
	for (uint32_t i = p.end + 1; i-- > p.first;)
		give_back(v, packed_next(from, i, s.size), i == p.first);
	return place;
}

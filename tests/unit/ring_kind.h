/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring_kind.h: the kinds of ring that a guest may have, and running test cases over all of them,
 * with the code of each level of CPU that there is one for and that this CPU can run.
 */
#ifndef TESTS_RING_KIND_H
#define TESTS_RING_KIND_H

#include <stdbool.h>
#include <stdint.h>

#include "ring_guest.h"

enum {
	KIND_SPLIT = 1,
	KIND_PACKED = 2,
	KIND_ANY = KIND_SPLIT | KIND_PACKED,
};

struct ring_kind {
	const char *name;
	unsigned int kind; /* KIND_SPLIT or KIND_PACKED */
	bool is_in_order;
	uint16_t trim;	  /* entries less than a case asks for: sizes that are no power of two */
	uint16_t id_base; /* buffer ids that no split ring would have */
};

/* One test function; it runs once for each kind in the set and each level. */
struct ring_case {
	const char *name;
	void (*run)(void **state);
	unsigned int kinds;
};

/* That of the case that runs. */
extern const struct ring_kind *ring_kind;

/* What a case asks for, in the kind that it runs with. */
struct ring_guest_conf ring_kind_conf(struct ring_guest_conf conf);

/* The return value of main(). */
int ring_kind_run(const char *group, const struct ring_case *cases, uint32_t n);

#endif

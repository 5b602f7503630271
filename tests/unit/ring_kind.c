/* SPDX-License-Identifier: BSD-3-Clause */
/* ring_kind.c: see ring_kind.h. */
#include "ring_kind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
	NAME_MAX_LEN = 96
};

static const struct ring_kind kinds[] = {
	{.name = "split", .kind = KIND_SPLIT},
	{.name = "split, in order", .kind = KIND_SPLIT, .is_in_order = true},
	{.name = "packed", .kind = KIND_PACKED},
	{.name = "packed, odd size, large ids", .kind = KIND_PACKED, .trim = 3, .id_base = 65000},
	{.name = "packed, in order, odd size", .kind = KIND_PACKED, .is_in_order = true, .trim = 1},
};

enum {
	N_KINDS = sizeof(kinds) / sizeof(kinds[0])
};

/* A kind, and the code that serves it. */
struct pairing {
	const struct ring_kind *kind;
	const struct level *level;
};

const struct ring_kind *ring_kind;
static const struct level *level;

struct ring_guest_conf
ring_kind_conf(struct ring_guest_conf conf)
{
	conf.is_packed = ring_kind->kind == KIND_PACKED;
	conf.is_in_order = ring_kind->is_in_order;
	conf.size -= ring_kind->trim;
	conf.id_base = ring_kind->id_base;
	conf.level = level;
	return conf;
}

static int
set_pairing(void **state)
{
	const struct pairing *pairing = *state;

	ring_kind = pairing->kind;
	level = pairing->level;
	return 0;
}

/* Returns how many there are; to may be NULL. */
static uint32_t
make_pairings(struct pairing *to)
{
	uint32_t n = 0;

	for (uint32_t l = 0; level_usable(l); l++)
		for (uint32_t k = 0; k < N_KINDS; k++, n++)
			if (to)
				to[n] = (struct pairing){&kinds[k], level_usable(l)};
	return n;
}

int
ring_kind_run(const char *group, const struct ring_case *cases, uint32_t n)
{
	uint32_t n_pairings = make_pairings(NULL), n_tests = 0;
	struct pairing *pairings = calloc(n_pairings, sizeof(*pairings));
	struct CMUnitTest *tests = calloc(n * n_pairings, sizeof(*tests));
	char(*names)[NAME_MAX_LEN] = calloc(n * n_pairings, sizeof(*names));
	int rc = 1;

	if (pairings)
		make_pairings(pairings);
	for (uint32_t i = 0; pairings && tests && names && i < n; i++)
		for (uint32_t p = 0; p < n_pairings; p++) {
			if (!(cases[i].kinds & pairings[p].kind->kind))
				continue;
			snprintf(names[n_tests], sizeof(*names), "%s: %s, %s", cases[i].name,
				 pairings[p].kind->name, pairings[p].level->name);
			tests[n_tests] = (struct CMUnitTest){
				.name = names[n_tests],
				.test_func = cases[i].run,
				.setup_func = set_pairing,
				.initial_state = &pairings[p],
			};
			n_tests++;
		}
	if (n_tests > 0)
		rc = _cmocka_run_group_tests(group, tests, n_tests, NULL, NULL);
	free(pairings);
	free(tests);
	free(names);
	return rc;
}

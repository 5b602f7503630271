/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_hint.h: hints that are only written down, for tests of workers' code without EAL. It defines
 * the functions of hint.h that workers call, so that hint.c is not linked.
 */
#ifndef TESTS_FAKE_HINT_H
#define TESTS_FAKE_HINT_H

#include "hint.h"

struct fake_hints {
	uint32_t n;	 /* may be more than are in hints */
	uint32_t n_lost; /* of hint_count_lost() */
	struct hint hints[1024];
};

extern struct fake_hints fake_hints;

void fake_hints_forget(void);

#endif

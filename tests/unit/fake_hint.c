/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_hint.c: see fake_hint.h. */
#include "fake_hint.h"

#include <rte_common.h>

struct fake_hints fake_hints;

void
fake_hints_forget(void)
{
	fake_hints = (struct fake_hints){0};
}

void
hint_post_key(enum hint_type type, uint16_t port, uint32_t arg, uint64_t key)
{
	if (fake_hints.n < RTE_DIM(fake_hints.hints))
		fake_hints.hints[fake_hints.n] = (struct hint){(uint16_t)type, port, arg, key};
	fake_hints.n++;
}

void
hint_post(enum hint_type type, uint16_t port, uint32_t arg)
{
	hint_post_key(type, port, arg, 0);
}

void
hint_count_lost(void)
{
	fake_hints.n_lost++;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* level.c: see level.h. */
#include "level.h"

#include <stdbool.h>
#include <stddef.h>

#include <rte_common.h>

#include "ring.h"

static bool
is_baseline_usable(void)
{
	return true;
}

#ifdef __x86_64__
extern const struct ring_ops split_ops_avx2, packed_ops_avx2;

/* All that meson.build lets the compiler use; avx2 includes that the kernel keeps its registers. */
static bool
is_avx2_usable(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2");
}
#endif

static const struct {
	struct level level;
	bool (*is_usable)(void);
} levels[] = {
	{{"baseline", &split_ops, &packed_ops}, is_baseline_usable},
#ifdef __x86_64__
	{{"avx2", &split_ops_avx2, &packed_ops_avx2}, is_avx2_usable},
#endif
};

const struct level *
level_usable(uint32_t i)
{
	for (uint32_t j = 0; j < RTE_DIM(levels); j++)
		if (levels[j].is_usable() && i-- == 0)
			return &levels[j].level;
	return NULL;
}

const struct level *
level_best(void)
{
	const struct level *best = level_usable(0), *next;

	for (uint32_t i = 1; (next = level_usable(i)) != NULL; i++)
		best = next;
	return best;
}

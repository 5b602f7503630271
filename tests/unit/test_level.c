/* SPDX-License-Identifier: BSD-3-Clause */
/* test_level.c: which code of the rings this CPU gets; the kernel's word for what it can do. */
#include "level.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring.h"

/* In an emulator /proc/cpuinfo may be that of the machine. */
#ifdef __x86_64__
/* Is that one of the CPU's flags, as /proc/cpuinfo has them? */
static bool
cpu_has(const char *flag)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char *line = NULL, *word, *rest;
	bool has = false;
	size_t size = 0;

	assert_non_null(file);
	while (!has && getline(&line, &size, file) > 0) {
		if (strncmp(line, "flags", strlen("flags")) != 0)
			continue;
		for (word = strtok_r(line, " \t\n", &rest); word && !has;
		     word = strtok_r(NULL, " \t\n", &rest))
			has = strcmp(word, flag) == 0;
	}
	free(line);
	fclose(file);
	return has;
}
#else
static bool
cpu_has(const char *flag)
{
	(void)flag;
	return false;
}
#endif

static void
test_the_baseline_is_first(void **state)
{
	const struct level *level = level_usable(0);

	(void)state;
	assert_string_equal(level->name, "baseline");
	assert_ptr_equal(level->split, &split_ops);
	assert_ptr_equal(level->packed, &packed_ops);
}

static void
test_what_the_cpu_has_is_used(void **state)
{
	bool has_avx2 = cpu_has("avx2") && cpu_has("bmi1") && cpu_has("bmi2");

	(void)state;
	assert_string_equal(level_best()->name, has_avx2 ? "avx2" : "baseline");
	assert_null(level_usable(has_avx2 ? 2 : 1));
}

/* That of another level under this one's name would pass all other tests. */
static void
test_each_level_has_code_of_its_own(void **state)
{
	const struct level *a, *b;

	(void)state;
	for (uint32_t i = 0; (a = level_usable(i)) != NULL; i++)
		for (uint32_t j = 0; (b = level_usable(j)) != NULL && j < i; j++) {
			assert_ptr_not_equal(a->split, b->split);
			assert_ptr_not_equal(a->split->rx, b->split->rx);
			assert_ptr_not_equal(a->split->release, b->split->release);
			assert_ptr_not_equal(a->split->tx, b->split->tx);
			assert_ptr_not_equal(a->packed, b->packed);
			assert_ptr_not_equal(a->packed->rx, b->packed->rx);
			assert_ptr_not_equal(a->packed->release, b->packed->release);
			assert_ptr_not_equal(a->packed->tx, b->packed->tx);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_baseline_is_first),
		cmocka_unit_test(test_what_the_cpu_has_is_used),
		cmocka_unit_test(test_each_level_has_code_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

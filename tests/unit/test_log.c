/* SPDX-License-Identifier: BSD-3-Clause */
/* test_log.c: a line of the log stays one line, and gives no terminal an order. */
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What is written for a text, behind the time and the level. */
static void
check_line(const char *text, const char *shown)
{
	char line[256];
	int ends[2], before = dup(STDERR_FILENO);
	ssize_t len;

	assert_int_equal(pipe(ends), 0);
	fflush(stderr);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	log_info("%s", text);
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(ends[1]);
	len = read(ends[0], line, sizeof(line) - 1);
	close(ends[0]);
	close(before);
	assert_true(len > 0);
	line[len] = 0;
	assert_non_null(strstr(line, "INFO  "));
	assert_string_equal(strstr(line, "INFO  ") + strlen("INFO  "), shown);
}

static void
test_controls(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	check_line("a\nb\tc\x1b[2Jd\x7f", "a b c [2Jd \n");
	/* U+0080, U+0085, U+009B and U+009F; not U+00A0, U+00E9, U+2713 */
	check_line("\xc2\x80\xc2\x85|\xc2\x9b|\xc2\x9f", "    |  |  \n");
	check_line("\xc2\xa0|\xc3\xa9|\xe2\x9c\x93", "\xc2\xa0|\xc3\xa9|\xe2\x9c\x93\n");
	check_line("cut \xc2", "cut \xc2\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_controls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_record.c: what is remembered of a port's features, in a file. */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "error.h"

static const struct record full = {.pinned = 0x123456789abcdef0ull,
				   .guest = {4711, 1ull << 60, UINT64_MAX}};
static char root[64], dir[80], file[96];

static int
setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/test_record.XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(dir, sizeof(dir), "%s/state", root);
	snprintf(file, sizeof(file), "%s/p.features", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(file);
	rmdir(dir);
	rmdir(root);
	return 0;
}

static void
check_same(const struct record *a, const struct record *b)
{
	assert_int_equal(a->pinned, b->pinned);
	assert_int_equal(a->guest.pid, b->guest.pid);
	assert_int_equal(a->guest.start, b->guest.start);
	assert_int_equal(a->guest.features, b->guest.features);
}

static void
test_round_trip(void **state)
{
	const struct record records[] = {
		full, {.pinned = 1}, {.guest = {1, 0, 0}}, {.guest = {INT32_MAX, 7, 9}}};
	static const struct record empty;
	struct error e;
	struct record r;

	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		assert_int_equal(record_write(dir, "p", &records[i], &e), 0);
		assert_int_equal(record_read(dir, "p", &r, &e), 0);
		check_same(&r, &records[i]);
		assert_int_equal(record_read(dir, "q", &r, &e), 0);
		check_same(&r, &empty);
	}
	/* an empty one is none, also if there was none */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(record_write(dir, "p", &empty, &e), 0);
		assert_int_equal(access(file, F_OK), -1);
		assert_int_equal(record_read(dir, "p", &r, &e), 0);
		check_same(&r, &empty);
	}
}

static void
test_no_directory(void **state)
{
	struct error e;
	struct record r;

	(void)state;
	assert_int_equal(record_write("", "p", &full, &e), 0);
	assert_int_equal(record_read("", "p", &r, &e), 0);
	assert_int_equal(r.pinned, 0);
	assert_int_equal(record_write("/proc/none", "p", &full, &e), -ENOENT);
	assert_non_null(strstr(e.text, "port p: features: can't write /proc/none/p.features: "));
	assert_int_equal(record_read("/proc/self/exe", "p", &r, &e), -ENOTDIR);
}

static void
test_garbage(void **state)
{
	static const char *const texts[] = {
		"",
		"pinned",
		"pinned 0x1\n",
		"pinned 1\nguest 1 2 0x3\n",
		"pinned 0x1\nguest -1 2 0x3\n",
		"pinned 0x1\nguest 1 2 3\n",
		"pinned 0x1\nguest 1 2 0x3\nmore\n",
		"pinned 0x1\nguest 1 2 0x3 4\n",
	};
	struct error e;
	struct record r;

	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		FILE *f = fopen(file, "w");

		fputs(texts[i], f);
		fclose(f);
		assert_int_equal(record_read(dir, "p", &r, &e), -EINVAL);
		assert_non_null(strstr(e.text, file));
		assert_int_equal(r.pinned, 0);
		assert_int_equal(r.guest.pid, 0);
	}
}

/* What others put into a directory that they may write to is neither followed nor waited for. */
static void
test_others(void **state)
{
	char file_new[112], far[96];
	struct error e;
	struct record r;
	struct stat st;

	(void)state;
	snprintf(file_new, sizeof(file_new), "%s.new", file);
	snprintf(far, sizeof(far), "%s/far", root);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(record_read(dir, "p", &r, &e), -EINVAL);
	assert_int_equal(unlink(file), 0);

	assert_int_equal(symlink(far, file_new), 0);
	assert_int_equal(record_write(dir, "p", &full, &e), 0);
	assert_int_equal(access(far, F_OK), -1);
	assert_int_equal(lstat(file, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(mkfifo(file_new, 0600), 0);
	assert_int_equal(record_write(dir, "p", &full, &e), 0);

	assert_int_equal(rename(file, far), 0);
	assert_int_equal(symlink(far, file), 0);
	assert_int_equal(record_read(dir, "p", &r, &e), -ELOOP);
	assert_int_equal(r.pinned, 0);
	assert_int_equal(unlink(far), 0);
}

static void
test_start(void **state)
{
	uint64_t start = record_start_of(getpid());

	(void)state;
	assert_true(start > 0);
	assert_int_equal(record_start_of(getpid()), start);
	assert_true(record_start_of(1) <= start);
	assert_int_equal(record_start_of(0), 0);
	assert_int_equal(record_start_of(INT32_MAX), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_others, setup, teardown),
		cmocka_unit_test(test_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

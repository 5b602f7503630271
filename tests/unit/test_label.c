/* SPDX-License-Identifier: BSD-3-Clause */
/* test_label.c: what is written to the kernel's files of SELinux, which lie in a directory here. */
#include "label.h"

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

static char root[64];

static void
path_of(char path[256], const char *name)
{
	snprintf(path, 256, "%s/%s", root, name);
}

static void
make_file(const char *name)
{
	char path[256];
	int fd;

	path_of(path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

/* The bytes of the kernel's file. */
static size_t
written(char text[64])
{
	char path[256];
	ssize_t len;
	int fd;

	path_of(path, "proc/thread-self/attr/fscreate");
	fd = open(path, O_RDONLY);
	len = read(fd, text, 64);
	close(fd);
	assert_true(len >= 0);
	return (size_t)len;
}

static int
setup(void **state)
{
	static const char *const dirs[] = {"sys",  "sys/fs",	       "sys/fs/selinux",
					   "proc", "proc/thread-self", "proc/thread-self/attr"};
	char path[256];

	(void)state;
	strcpy(root, "/tmp/test_label.XXXXXX");
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		path_of(path, dirs[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = {"sys/fs/selinux/enforce",
					    "proc/thread-self/attr/fscreate",
					    "sys/fs/selinux",
					    "sys/fs",
					    "sys",
					    "proc/thread-self/attr",
					    "proc/thread-self",
					    "proc",
					    ""};
	char path[256];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_of(path, names[i]);
		remove(path);
	}
	return 0;
}

static void
test_no_selinux(void **state)
{
	(void)state;
	make_file("proc/thread-self/attr/fscreate"); /* other security modules have it, too */
	assert_int_equal(label_set(root, "u:r:t"), -ENOTSUP);
	assert_int_equal(label_set(root, NULL), -ENOTSUP);
}

static void
test_label(void **state)
{
	char text[64];

	(void)state;
	make_file("sys/fs/selinux/enforce");
	make_file("proc/thread-self/attr/fscreate");
	assert_int_equal(label_set(root, "u:r:t:s0"), 0);
	assert_int_equal(written(text), sizeof("u:r:t:s0"));
	assert_string_equal(text, "u:r:t:s0");
	make_file("proc/thread-self/attr/fscreate");
	assert_int_equal(label_set(root, NULL), 0);
	assert_int_equal(written(text), 0);
}

static void
test_refused(void **state)
{
	char path[256];

	(void)state;
	make_file("sys/fs/selinux/enforce");
	path_of(path, "proc/thread-self/attr/fscreate");
	assert_int_equal(label_set(root, "u:r:t"), -ENOENT);
	assert_int_equal(symlink("/dev/full", path), 0);
	assert_int_equal(label_set(root, "u:r:t"), -ENOSPC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_selinux, setup, teardown),
		cmocka_unit_test_setup_teardown(test_label, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

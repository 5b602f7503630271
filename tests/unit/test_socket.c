/* SPDX-License-Identifier: BSD-3-Clause */
/* test_socket.c: where the path of a socket leads, see socket.h. */
#include "socket.h"

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

static const char *
in_root(const char *name)
{
	static char paths[2][108];
	static int n;

	n = !n;
	assert_true(snprintf(paths[n], sizeof(paths[n]), "%s%s", root, name) < 108);
	return paths[n];
}

/* root/dir/sub, root/link to dir/sub, root/dir/loop to itself, root/dir/s to elsewhere */
static int
setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/test_socket.XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(mkdir(in_root("/dir"), 0700), 0);
	assert_int_equal(mkdir(in_root("/dir/sub"), 0700), 0);
	assert_int_equal(symlink("dir/sub", in_root("/link")), 0);
	assert_int_equal(symlink("loop", in_root("/dir/loop")), 0);
	assert_int_equal(symlink("/elsewhere", in_root("/dir/s")), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(in_root("/dir/s"));
	unlink(in_root("/dir/loop"));
	unlink(in_root("/link"));
	rmdir(in_root("/dir/sub"));
	rmdir(in_root("/dir"));
	rmdir(root);
	return 0;
}

static void
test_place(void **state)
{
	static const char *const pairs[][2] = {
		{"/s", "/s"},
		{"/dir/sub/s", "/dir/sub/s"},
		{"/link/s", "/dir/sub/s"},
		{"/dir/../s", "/s"},
		{"/link/../s", "/dir/s"}, /* the directory above is that of where the link leads */
		{"/link/./../../link/s", "/dir/sub/s"},
		{"/dir/s", "/dir/s"},		/* the socket itself is not followed */
		{"/none/s", "/none/s"},		/* not there */
		{"/none//./a/../s", "/none/s"}, /* by its letters */
		{"/none/../s", "/s"},
		{"/link/none/../../s", "/dir/s"},
		{"/none/../../../../../../s", NULL},
		{"/dir/loop/s", "/dir/loop/s"}, /* leads nowhere */
	};
	char place[SOCKET_PLACE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		socket_place(in_root(pairs[i][0]), place);
		assert_string_equal(place, pairs[i][1] ? in_root(pairs[i][1]) : "/s");
	}
	socket_place("/s", place);
	assert_string_equal(place, "/s");
	socket_place("/../s", place);
	assert_string_equal(place, "/s");
	socket_place("/no such directory/s", place);
	assert_string_equal(place, "/no such directory/s");
}

/* The longest path below the longest directory. */
static void
test_longest(void **state)
{
	char path[108], place[SOCKET_PLACE_MAX];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	socket_place(path, place);
	assert_string_equal(place, path);
	path[50] = path[60] = path[61] = '/';
	socket_place(path, place);
	assert_int_equal(strlen(place), strlen(path) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_place, setup, teardown),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

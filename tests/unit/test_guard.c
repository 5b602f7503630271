/* SPDX-License-Identifier: BSD-3-Clause */
/* test_guard.c: files that are cut short while they are mapped, see guard.h. */
#include "guard.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_hint.h"

enum {
	PAGE = 4096,
	PAGES = 4,
	PORT = 5,
};

static struct sigaction handler; /* guard.c's: cmocka has its own before each test */

/* A file of these pages, full of ones, as it is mapped. */
struct file {
	int fd;
	volatile uint8_t *at;
};

static struct file
make_file(void)
{
	struct file f = {.fd = memfd_create("guest", MFD_CLOEXEC)};

	assert_true(f.fd >= 0);
	assert_int_equal(ftruncate(f.fd, PAGES * PAGE), 0);
	f.at = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
	assert_true((void *)(uintptr_t)f.at != MAP_FAILED);
	memset((void *)(uintptr_t)f.at, 1, PAGES * PAGE);
	return f;
}

static void
drop_file(const struct file *f)
{
	munmap((void *)(uintptr_t)f->at, PAGES * PAGE);
	close(f->fd);
}

static void
begin(void)
{
	sigaction(SIGBUS, &handler, NULL);
	guard_forgive(PORT);
	fake_hints_forget();
}

static int
tear_down(void **state)
{
	(void)state;
	guard_forget(PORT);
	return 0;
}

static void
check_told(void)
{
	assert_true(guard_is_hit(PORT));
	assert_false(guard_is_hit(PORT + 1));
	assert_int_equal(fake_hints.n, 1);
	assert_int_equal(fake_hints.hints[0].type, HINT_PORT);
	assert_int_equal(fake_hints.hints[0].port, PORT);
}

/* All that the port has of it is zeroes then, and can be written; nobody else's is. */
static void
test_cut(void **state)
{
	struct file f = make_file(), other = make_file();

	(void)state;
	begin();
	guard_set(PORT + 1, 0, (const void *)(uintptr_t)other.at, PAGES * PAGE, PAGE);
	guard_set(PORT, 3, (const void *)(uintptr_t)f.at, PAGES * PAGE, PAGE);
	assert_int_equal(ftruncate(f.fd, PAGE), 0);
	assert_int_equal(f.at[0], 1);
	assert_int_equal(fake_hints.n, 0);
	errno = ENOTTY;
	assert_int_equal(f.at[PAGE], 0);
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(f.at[0], 0);
	f.at[PAGES * PAGE - 1] = 2;
	assert_int_equal(f.at[PAGES * PAGE - 1], 2);
	assert_int_equal(other.at[0], 1);
	check_told();
	guard_forget(PORT + 1);
	drop_file(&f);
	drop_file(&other);
}

/* A log in huge pages, of which only its length is known. None is taken: nothing is in it. */
static void
test_cut_huge(void **state)
{
	int fd = memfd_create("log", MFD_CLOEXEC | MFD_HUGETLB);
	volatile uint8_t *at;

	(void)state;
	begin();
	if (fd < 0) {
		print_message("# no hugetlbfs here: %s\n", strerror(errno));
		skip();
	}
	at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	assert_true((void *)(uintptr_t)at != MAP_FAILED);
	assert_int_equal(ftruncate(fd, 0), 0); /* mmap() has made it longer */
	guard_set(PORT, GUARD_LOG, (const void *)(uintptr_t)at, PAGE, PAGE);
	errno = ENOTTY;
	assert_int_equal(at[8], 0);
	assert_int_equal(errno, ENOTTY);
	at[8] = 1;
	assert_int_equal(at[8], 1);
	check_told();
	close(fd);
}

/* In a message what is not known yet is the port's, a page of it. */
static void
test_current(void **state)
{
	struct file f = make_file();

	(void)state;
	begin();
	guard_current(PORT);
	assert_int_equal(ftruncate(f.fd, PAGE), 0);
	assert_int_equal(f.at[PAGE], 0);
	assert_int_equal(f.at[0], 1);
	check_told();
	drop_file(&f);
}

/* How a process ends that touches it. */
static int
touch(const struct file *f)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		close(STDERR_FILENO); /* a sanitizer would say so */
		_exit(f->at[PAGE]);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* What is nobody's, or not any more, ends the process. */
static void
test_unknown(void **state)
{
	struct file f = make_file();

	(void)state;
	begin();
	guard_set(PORT, 0, (const void *)(uintptr_t)f.at, PAGES * PAGE, PAGE);
	assert_int_equal(ftruncate(f.fd, PAGE), 0);
	assert_int_equal(touch(&f), 0);
	guard_set(PORT, 0, NULL, 0, 0);
	assert_int_not_equal(touch(&f), 0);
	drop_file(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_cut, tear_down),
		cmocka_unit_test_teardown(test_cut_huge, tear_down),
		/* before guard_current(), which is for good */
		cmocka_unit_test_teardown(test_unknown, tear_down),
		cmocka_unit_test_teardown(test_current, tear_down),
	};

	guard_init();
	sigaction(SIGBUS, NULL, &handler);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_backing.c: what the files that a peer passes us may lie on, see backing.h. */
#include "backing.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

/* as fstatfs() is called with files of 64 bits */
int __real_fstatfs64(int fd, struct statfs *fs);
int __wrap_fstatfs64(int fd, struct statfs *fs);

static uint32_t type; /* that every file system has; 0: its own */

int
__wrap_fstatfs64(int fd, struct statfs *fs)
{
	int err = __real_fstatfs64(fd, fs);

	if (type)
		fs->f_type = (__fsword_t)(int32_t)type; /* as a kernel of 32 bits has it */
	return err;
}

static void
test_files(void **state)
{
	int fd = memfd_create("guest", MFD_CLOEXEC), ends[2];

	(void)state;
	type = 0;
	assert_null(backing_unfit(fd));
	close(fd);
	fd = memfd_create("guest", MFD_CLOEXEC | MFD_HUGETLB);
	if (fd >= 0) {
		assert_null(backing_unfit(fd));
		close(fd);
	}
	fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0) {
		assert_null(backing_unfit(fd));
		close(fd);
	}
	fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	assert_string_equal(backing_unfit(fd), "a file system that vswitchd does not know");
	close(fd);
	assert_int_equal(pipe(ends), 0);
	assert_string_equal(backing_unfit(ends[0]), "a file system that vswitchd does not know");
	close(ends[0]);
	close(ends[1]);
	assert_string_equal(backing_unfit(-1), "something that does not say what it is");
}

/* By the numbers of their kernels, not by names that could be wrong in both places. */
static void
test_types(void **state)
{
	static const struct {
		uint32_t type;
		const char *unfit;
	} types[] = {
		{0x01021994, NULL},   /* tmpfs */
		{0x958458f6, NULL},   /* hugetlbfs */
		{0x858458f6, NULL},   /* ramfs */
		{0xef53, NULL},	      /* ext2 to ext4 */
		{0x58465342, NULL},   /* XFS */
		{0x9123683e, NULL},   /* btrfs */
		{0xf2f52010, NULL},   /* F2FS */
		{0x2fc12fc1, NULL},   /* ZFS */
		{0xca451a4e, NULL},   /* bcachefs */
		{0x65735546, "FUSE"}, /* also virtiofs */
		{0x6969, "NFS"},
		{0x517b, "SMB"},
		{0xff534d42, "SMB"},
		{0xfe534d42, "SMB"},
		{0x00c36400, "CephFS"},
		{0x01021997, "9p"},
		{0x794c7630, "an overlay"},
		{0x5346414f, "a file system that vswitchd does not know"}, /* AFS */
		{0x47504653, "a file system that vswitchd does not know"}, /* GPFS */
	};
	int fd = memfd_create("guest", MFD_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const char *unfit;

		type = types[i].type;
		unfit = backing_unfit(fd);
		if (types[i].unfit)
			assert_string_equal(unfit, types[i].unfit);
		else
			assert_null(unfit);
	}
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_backing.c: what the files that a peer passes us may lie on, see backing.h. */
#include "backing.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char unknown[] = "a file system that vswitchd does not know";
static const char unseen[] = "a file system that neither vswitchd nor QEMU has mounted";

static void
test_files(void **state)
{
	int fd = memfd_create("guest", MFD_CLOEXEC), ends[2];

	(void)state;
	assert_null(backing_unfit(fd, 0));
	close(fd);
	fd = memfd_create("guest", MFD_CLOEXEC | MFD_HUGETLB);
	if (fd >= 0) {
		assert_null(backing_unfit(fd, 0));
		close(fd);
	}
	fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0) {
		assert_null(backing_unfit(fd, 0));
		close(fd);
	}
	fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	assert_string_equal(backing_unfit(fd, 0), unknown);
	close(fd);
	assert_int_equal(pipe(ends), 0);
	assert_string_equal(backing_unfit(ends[0], getpid()), unseen);
	close(ends[0]);
	close(ends[1]);
	assert_string_equal(backing_unfit(-1, 0), "something that does not say what it is");
}

static void
test_types(void **state)
{
	static const struct {
		const char *type, *unfit;
	} types[] = {
		{"tmpfs", NULL},
		{"devtmpfs", NULL},
		{"hugetlbfs", NULL},
		{"ramfs", NULL},
		{"ext2", NULL},
		{"ext3", NULL},
		{"ext4", NULL},
		{"xfs", NULL},
		{"f2fs", NULL},
		{"btrfs", NULL},
		{"bcachefs", NULL},
		{"zfs", NULL},
		{"fuse", "FUSE"},
		{"fuseblk", "FUSE"},
		{"fuse.sshfs", "FUSE"},
		{"fuse.ext4", "FUSE"},
		{"fuse.", "FUSE"},
		{"fuseblk.ntfs", "FUSE"},
		{"virtiofs", "virtiofs"},
		{"nfs", "NFS"},
		{"nfs4", "NFS"},
		{"cifs", "SMB"},
		{"smb3", "SMB"},
		{"ceph", "CephFS"},
		{"9p", "9p"},
		{"overlay", "an overlay"},
		{"gpfs", unknown},
		{"proc", unknown},
		{"fusectl", unknown},
		{"tmpfs2", unknown},
		{"EXT4", unknown},
		{"xf", unknown},
		{"", unknown},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const char *is = backing_unfit_type(types[i].type);

		if (types[i].unfit)
			assert_string_equal(is, types[i].unfit);
		else
			assert_null(is);
	}
}

/* The type of a mount in that text; NULL: it is not there. */
static const char *
find(const char *text, size_t len, int id, uint32_t dev_major, uint32_t dev_minor)
{
	const struct backing_mount mount = {id, dev_major, dev_minor};
	static char type[BACKING_TYPE_MAX];
	char *copy = len ? malloc(len) : NULL; /* so that a sanitizer knows its end */
	bool is_found;
	FILE *file;

	if (copy)
		memcpy(copy, text, len);
	file = len ? fmemopen(copy, len, "r") : fopen("/dev/null", "r");
	assert_non_null(file);
	is_found = backing_find_type(file, &mount, type);
	fclose(file);
	free(copy);
	return is_found ? type : NULL;
}

static const char mounts[] = "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
			     "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n"
			     "31 27 0:44 / /mnt/a\\040-\\040ext4\\040b rw shared:7 master:2 "
			     "propagate_from:1 - fuse.x y rw\n"
			     "310 27 0:45 / /with\\012newline rw unbindable - nfs4 host:/ - rw\n"
			     "32 27 8:17 /- - - - xfs /dev/sdb1 rw\n"
			     "33 27 8:1 / /one rw a:1 b:2 c:3 d:4 e:5 f:6 - btrfs /dev/sda1 rw\n"
			     "34 27 8:1 /sub /two rw - ext3 /dev/sda1 rw\n"
			     "2147483647 27 4095:1048575 / /far rw - f2fs /dev/z rw";

static void
test_mountinfo(void **state)
{
	size_t len = sizeof(mounts) - 1;

	(void)state;
	assert_string_equal(find(mounts, len, 22, 0, 0), "proc");
	assert_string_equal(find(mounts, len, 27, 0, 0), "ext4");
	assert_string_equal(find(mounts, len, 31, 0, 0), "fuse.x");
	assert_string_equal(find(mounts, len, 310, 0, 0), "nfs4");
	assert_string_equal(find(mounts, len, 32, 0, 0), "xfs");
	assert_string_equal(find(mounts, len, 33, 0, 0), "btrfs");
	assert_string_equal(find(mounts, len, 2147483647, 0, 0), "f2fs");
	assert_string_equal(find(mounts, len, -1, 254, 0), "ext4");
	assert_string_equal(find(mounts, len, -1, 8, 17), "xfs");
	assert_string_equal(find(mounts, len, -1, 8, 1), "btrfs"); /* the first */
	assert_string_equal(find(mounts, len, -1, 4095, 1048575), "f2fs");
	assert_null(find(mounts, len, 0, 254, 0)); /* the id counts if there is one */
	assert_null(find(mounts, len, 2, 0, 0));
	assert_null(find(mounts, len, 3, 0, 0));
	assert_null(find(mounts, len, 1, 0, 0)); /* a parent's */
	assert_null(find(mounts, len, -1, 254, 1));
	assert_null(find(mounts, len, -1, 25, 40));
}

/* A line that is no such line is nobody's mount, and those behind it count. */
static void
test_garbage(void **state)
{
	static const char *const lines[] = {
		"",
		"\n",
		" \n",
		"5\n",
		"5 ",
		"5 1 8:1\n",
		"5 1 8:1 / /a rw\n",
		"5 1 8:1 / /a rw -\n",
		"5 1 8:1 / /a rw - \n",
		"5 1 8:1 / - ext4 x rw\n",
		"5 1 8:1 / /a - ext4 x rw\n",
		"5 1 8:1 / /a rw shared:1 ext4 x rw\n",
		"5 1 8:1 / /a rw shared:1 -- ext4 x rw\n",
		"5x 1 8:1 / /a rw - ext4 x rw\n",
		"5.0 1 8:1 / /a rw - ext4 x rw\n",
		"x5 1 8:1 / /a rw - ext4 x rw\n",
		"- - - - - - - - -\n",
		"5 1 8:1 / /a rw - ext4ext4ext4ext4ext4ext4ext4ext4 x rw\n", /* 32 bytes */
	};
	static const char after[] = "6 1 8:2 / / rw - xfs x rw\n";
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_null(find(lines[i], strlen(lines[i]), 5, 0, 0));
		snprintf(text, sizeof(text), "%s\n%s", lines[i], after);
		assert_null(find(text, strlen(text), 5, 0, 0));
		assert_string_equal(find(text, strlen(text), 6, 0, 0), "xfs");
		assert_string_equal(find(text, strlen(text), -1, 8, 2), "xfs");
	}
	assert_null(find("5 1 8:x / /a rw - ext4 x\n", 25, -1, 8, 0));
	assert_null(find("5 1 8 / /a rw - ext4 x\n", 23, -1, 8, 0));
	assert_null(find("5 1 8:1x / /a rw - ext4 x\n", 26, -1, 8, 1));
	assert_null(find("5 1 8:1\0/ /a rw - ext4 x\n", 25, 5, 8, 1));
	for (size_t len = 0; len < sizeof(mounts); len++) /* cut anywhere */
		for (int id = 20; id < 35; id++)
			find(mounts, len, id, 0, 0);
}

/* Lines have no longest one, and a file no end. */
static void
test_long(void **state)
{
	enum {
		LONG = 1 << 20
	};
	static char text[LONG + 1024];
	size_t n = 0;

	(void)state;
	n += (size_t)sprintf(text, "7 1 8:3 / /");
	memset(text + n, 'a', LONG / 2);
	n += LONG / 2;
	n += (size_t)sprintf(text + n, " rw - xfs x lowerdir=");
	memset(text + n, 'b', LONG / 2);
	n += LONG / 2;
	n += (size_t)sprintf(text + n, "\n8 1 8:4 / /b rw - ext4 x rw\n");
	assert_string_equal(find(text, n, 7, 0, 0), "xfs");
	assert_string_equal(find(text, n, 8, 0, 0), "ext4");
}

/* A process with a tmpfs of its own at /tmp, from which comes a named pipe: no file of a tmpfs. */
static pid_t
start_stranger(int sock)
{
	pid_t pid = fork();
	char name[] = "/tmp/backing-XXXXXX";
	int fd;

	if (pid != 0)
		return pid;
	fd = -1;
	if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", "/tmp", "tmpfs", 0, NULL) == 0 && mkdtemp(name) && chdir(name) == 0 &&
	    mkfifo("fifo", 0600) == 0)
		fd = open("fifo", O_RDWR | O_CLOEXEC);
	if (fd >= 0) { /* as SCM_RIGHTS has it */
		union {
			struct cmsghdr head;
			char room[CMSG_SPACE(sizeof(int))];
		} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
				      .cmsg_level = SOL_SOCKET,
				      .cmsg_type = SCM_RIGHTS}};
		struct iovec byte = {.iov_base = name, .iov_len = 1};
		struct msghdr message = {.msg_iov = &byte,
					 .msg_iovlen = 1,
					 .msg_control = &control,
					 .msg_controllen = sizeof(control)};

		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		sendmsg(sock, &message, 0);
	}
	close(sock);
	if (fd < 0)
		_exit(0);
	for (;;)
		pause();
}

static int
take_file(int sock)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char text;
	struct iovec byte = {.iov_base = &text, .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	int fd = -1;

	if (recvmsg(sock, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* A mount that only the peer has: found with the peer, and only then. */
static void
test_foreign_mount(void **state)
{
	int ends[2], fd;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	pid = start_stranger(ends[1]);
	assert_true(pid > 0);
	close(ends[1]);
	fd = take_file(ends[0]);
	close(ends[0]);
	if (fd >= 0) {
		assert_string_equal(backing_unfit(fd, 0), unseen);
		assert_string_equal(backing_unfit(fd, getpid()), unseen);
		assert_null(backing_unfit(fd, pid));
		close(fd);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (fd < 0)
		skip(); /* no mount namespaces here */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),	  cmocka_unit_test(test_types),
		cmocka_unit_test(test_mountinfo), cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_long),	  cmocka_unit_test(test_foreign_mount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

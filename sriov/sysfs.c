/* SPDX-License-Identifier: BSD-3-Clause */
/* sysfs.c: see sysfs.h. */
#include "sysfs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

const char *sysfs_root = "/sys";

static void
make_path(char path[SYSFS_PATH_MAX], const char *format, va_list args)
{
	int root_len = snprintf(path, SYSFS_PATH_MAX, "%s/", sysfs_root);
	int len = 0;

	if (root_len < SYSFS_PATH_MAX)
		len = vsnprintf(path + root_len, (size_t)(SYSFS_PATH_MAX - root_len), format, args);
	if (root_len + len >= SYSFS_PATH_MAX)
		path[0] = 0;
}

void
sysfs_path(char path[SYSFS_PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	make_path(path, format, args);
	va_end(args);
}

void
sysfs_list(glob_t *list, const char *format, ...)
{
	char pattern[SYSFS_PATH_MAX];
	va_list args;

	va_start(args, format);
	make_path(pattern, format, args);
	va_end(args);
	*list = (glob_t){0};
	if (glob(pattern, 0, NULL, list) != 0) {
		globfree(list);
		*list = (glob_t){0};
	}
}

int
sysfs_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	text[0] = 0;
	if (fd < 0)
		return -errno;
	len = read(fd, text, size);
	if (len < 0) {
		int err = -errno;

		close(fd);
		text[0] = 0;
		return err;
	}
	close(fd);
	if (len > 0 && text[len - 1] == '\n')
		len--;
	for (ssize_t i = 0; i < len && (size_t)len < size; i++)
		if (!isprint((unsigned char)text[i]))
			len = (ssize_t)size;
	if ((size_t)len >= size) {
		text[0] = 0;
		return -EBADMSG;
	}
	text[len] = 0;
	return 0;
}

int
sysfs_read_number(const char *path, int base, long min, long max, long *number)
{
	char text[32], *end;
	int err = sysfs_read(path, text, sizeof(text));

	if (err)
		return err;
	errno = 0;
	*number = strtol(text, &end, base);
	return errno || end == text || *end || *number < min || *number > max ? -EBADMSG : 0;
}

int
sysfs_read_link(const char *path, char *name, size_t size)
{
	char target[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target) - 1);
	const char *last;

	name[0] = 0;
	if (len < 0)
		return -errno;
	target[len] = 0;
	last = strrchr(target, '/');
	last = last ? last + 1 : target;
	if (strlen(last) >= size)
		return -EBADMSG;
	memcpy(name, last, strlen(last) + 1);
	return 0;
}

int
sysfs_write(const char *path, const char *text)
{
	size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, len); /* one call: each is an order of its own to the kernel */
	if (n < 0)
		err = -errno;
	else if ((size_t)n != len)
		err = -EIO;
	close(fd);
	return err;
}

int
sysfs_try_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int
sysfs_write_error(const char *port_name, const char *path, int code, const char *meaning,
		  struct error *e)
{
	if (code == -EROFS)
		return error_set(
			e, code,
			"port %s: can't write %s: sysfs is read-only here: in a container, "
			"mount it writable, or let the host make and bind the VFs; under "
			"systemd, set ProtectKernelTunables=no",
			port_name, path);
	if (!meaning && (code == -EACCES || code == -EPERM))
		return error_set(e, code,
				 "port %s: no right to write %s: run vswitchd as root, or give it "
				 "the capability CAP_DAC_OVERRIDE",
				 port_name, path);
	return error_set(e, code, "port %s: can't write %s: %s%s%s", port_name, path,
			 strerror(-code), meaning ? ": " : "", meaning ? meaning : "");
}

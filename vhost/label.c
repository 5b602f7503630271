/* SPDX-License-Identifier: BSD-3-Clause */
/* label.c: see label.h. */
#include "label.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
label_set(const char *root, const char *label)
{
	char path[PATH_MAX];
	size_t len = label ? strlen(label) + 1 : 0; /* with its final 0; nothing: no label */
	int fd, err;

	snprintf(path, sizeof(path), "%s/sys/fs/selinux/enforce", root);
	if (access(path, F_OK) != 0)
		return -ENOTSUP;
	snprintf(path, sizeof(path), "%s/proc/thread-self/attr/fscreate", root);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write(fd, label, len) == (ssize_t)len ? 0 : -errno;
	close(fd);
	return err;
}

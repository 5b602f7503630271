/* SPDX-License-Identifier: BSD-3-Clause */
/* watch.c: see watch.h. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
	LINKS_MAX = 8,	 /* symbolic links one after the other */
	CHANGES_MAX = 8, /* of the directories while we look */
};

/* What becomes of a name: it comes, or others may use it now; and what becomes of the directory. */
static const uint32_t events =
	IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

/* Follows the links that path is, not those on the way to it: the kernel does that. */
static void
follow_links(char path[PATH_MAX])
{
	char target[PATH_MAX];

	for (int i = 0; i < LINKS_MAX; i++) {
		ssize_t len = readlink(path, target, sizeof(target) - 1);
		size_t dir_len = (size_t)(strrchr(path, '/') + 1 - path);

		if (len <= 0)
			return;
		target[len] = 0;
		if (target[0] == '/')
			dir_len = 0;
		if (dir_len + (size_t)len >= PATH_MAX)
			return;
		memcpy(path + dir_len, target, (size_t)len + 1);
	}
}

/* Cuts the last name off: path is a directory then, name what was behind it. */
static bool
go_up(char path[PATH_MAX], char name[UNIX_PATH_MAX + 1])
{
	char *slash = strrchr(path, '/');

	while (slash > path && slash[1] == 0) { /* slashes at the end */
		*slash = 0;
		slash = strrchr(path, '/');
	}
	if (!slash || slash[1] == 0)
		return false;
	snprintf(name, UNIX_PATH_MAX + 1, "%s", slash + 1);
	slash[slash == path] = 0;
	return true;
}

int
watch_add(int inotify_fd, const char *path, char name[UNIX_PATH_MAX + 1], int *error)
{
	char real[PATH_MAX], dir[PATH_MAX], below[PATH_MAX];

	snprintf(real, sizeof(real), "%s", path);
	follow_links(real);
	for (int i = 0; i < CHANGES_MAX; i++) {
		bool is_own = true;
		int watch = -1;

		memcpy(dir, real, sizeof(dir));
		for (; watch < 0; is_own = false) {
			memcpy(below, dir, sizeof(below));
			if (!go_up(dir, name))
				break;
			watch = inotify_add_watch(inotify_fd, dir, events);
			if (watch < 0 && errno != ENOENT && errno != ENOTDIR)
				break;
			if (watch >= 0 && is_own)
				return watch;
		}
		if (watch < 0) {
			*error = errno;
			return -1;
		}
		/* what came between the look and the watch was not told: look again; with our
		 * capabilities, which access() does not look at */
		if (faccessat(AT_FDCWD, below, F_OK, AT_EACCESS) != 0)
			return watch;
	}
	*error = EAGAIN;
	return -1;
}

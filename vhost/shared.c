/* SPDX-License-Identifier: BSD-3-Clause */
/* shared.c: looking at the peer through /proc, see shared.h. */
#include "shared.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

static bool
has_path(int fd, const char *path, bool is_peer)
{
	struct sockaddr_un name = {0};
	socklen_t len = sizeof(name) - 1; /* leaves a final 0 where the kernel wrote none */
	int err;

	err = is_peer ? getpeername(fd, (struct sockaddr *)&name, &len)
		      : getsockname(fd, (struct sockaddr *)&name, &len);
	return err == 0 && name.sun_family == AF_UNIX && strcmp(name.sun_path, path) == 0;
}

static bool
is_listening(int fd)
{
	socklen_t len = sizeof(int);
	int listens = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens;
}

static bool
has_hung_up(int fd)
{
	struct pollfd peer = {.fd = fd};

	return poll(&peer, 1, 0) > 0 && peer.revents & POLLHUP;
}

/*
 * librte_vhost keeps the connection's descriptor to itself: ours is the one with that path. That of
 * a former connection may still be there, which newer versions close only after destroy_connection.
 */
int
shared_find_connection(const char *path, bool is_client)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	int found = -1, former = -1;

	if (!dir)
		return -1;
	while (found < 0 && (entry = readdir(dir))) {
		char *end;
		int fd = (int)strtol(entry->d_name, &end, 10);

		if (*end != 0 || end == entry->d_name || !has_path(fd, path, is_client) ||
		    is_listening(fd))
			continue;
		if (has_hung_up(fd))
			former = fd;
		else
			found = fd;
	}
	closedir(dir);
	return found < 0 ? former : found;
}

pid_t
shared_find_peer(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 ? cred.pid : 0;
}

bool
shared_is_private(pid_t pid, int fd)
{
	bool is_private = false, is_shared = false;
	char name[32], line[512];
	struct stat file;
	FILE *maps;

	if (pid <= 0 || fstat(fd, &file) != 0)
		return false;
	snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	maps = fopen(name, "re");
	if (!maps)
		return false;
	while (fgets(line, sizeof(line), maps)) {
		unsigned int dev_major, dev_minor;
		uint64_t inode;
		char mode;

		/* address permissions offset device inode, proc(5); a long name's rest does not
		 * match */
		if (sscanf(line, "%*x-%*x %*c%*c%*c%c %*x %x:%x %" SCNu64, &mode, &dev_major,
			   &dev_minor, &inode) != 4)
			continue;
		if (inode != file.st_ino || dev_major != major(file.st_dev) ||
		    dev_minor != minor(file.st_dev))
			continue;
		is_private |= mode == 'p';
		is_shared |= mode == 's';
	}
	fclose(maps);
	return is_private && !is_shared;
}

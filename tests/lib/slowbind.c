/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slowbind.c: ports that take their time to open: is loaded before the daemon's own libraries. To
 * bind a UNIX socket whose path ends in `.slowN` takes N milliseconds more.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char suffix[] = ".slow";

int
bind(int fd, const struct sockaddr *address, socklen_t len)
{
	int (*next)(int, const struct sockaddr *, socklen_t);
	const struct sockaddr_un *un = (const void *)address;
	const char *slow = NULL;

	*(void **)&next = dlsym(RTLD_NEXT, "bind");
	if (address->sa_family == AF_UNIX)
		slow = strstr(un->sun_path, suffix);
	if (slow)
		usleep((useconds_t)atoi(slow + strlen(suffix)) * 1000);
	return next(fd, address, len);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* wake.c: see wake.h. */
#include "wake.h"

#include <rte_version.h>

#if RTE_VERSION >= RTE_VERSION_NUM(24, 7, 0, 0)

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_vhost.h>

#include "log.h"
#include "port.h"

static char path[UNIX_PATH_MAX + 1]; /* of the socket that nobody connects to */
static bool is_registered;

void
wake_init(void)
{
	if (is_registered)
		return;
	snprintf(path, sizeof(path), "%s/none.%d", rte_eal_get_runtime_dir(), (int)getpid());
	is_registered = rte_vhost_driver_register(path, RTE_VHOST_USER_CLIENT |
								RTE_VHOST_USER_NO_RECONNECT) == 0;
	if (!is_registered)
		log_warn("vhost: librte_vhost does not register %s: each attempt to connect of an "
			 "only port may take a second",
			 path);
}

void
wake_library(void)
{
}

void
wake_fini(void)
{
	if (is_registered)
		rte_vhost_driver_unregister(path);
	is_registered = false;
}

#else

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_vhost.h>

#include "compat.h"
#include "log.h"
#include "port.h"

static const struct rte_vhost_device_ops no_ops;
static char path[UNIX_PATH_MAX + 1];
static int fd = -1; /* our end */
static bool has_failed;

/* Listens in EAL's own directory, for as long as the library takes to connect. -1: errno. */
static int
listen_once(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	mode_t before;
	int len, err;

	len = snprintf(path, sizeof(path), "%s/wake.%d", rte_eal_get_runtime_dir(), (int)getpid());
	if (len < 0 || (size_t)len >= sizeof(path)) {
		errno = ENAMETOOLONG;
		goto fail;
	}
	memcpy(un.sun_path, path, (size_t)len + 1);
	mkdir(rte_eal_get_runtime_dir(), 0700); /* a daemon that ended may have taken it away */
	unlink(path); /* of a process that had our number and was killed here */
	before = umask(0177);
	err = bind(listener, (const struct sockaddr *)&un, sizeof(un));
	umask(before);
	if (err == 0 && listen(listener, 1) == 0)
		return listener;

fail:
	if (listener >= 0)
		close(listener);
	return -1;
}

static int
connect_library(void)
{
	int listener = listen_once(), end = -1;

	if (listener < 0)
		return -1;
	if (rte_vhost_driver_register(path, RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT) ==
	    0) {
		if (rte_vhost_driver_callback_register(path, &no_ops) == 0 &&
		    rte_vhost_driver_start(path) == 0)
			end = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (end < 0)
			rte_vhost_driver_unregister(path);
	}
	close(listener);
	unlink(path);
	return end;
}

void
wake_init(void)
{
}

void
wake_library(void)
{
	/* SET_OWNER: the library does nothing at it, and does not answer */
	static const struct {
		uint32_t request, flags, size;
	} message = {.request = REQUEST_SET_OWNER, .flags = 1 /* version */};

	if (fd < 0 && !has_failed) {
		fd = connect_library(); /* which wakes the library by itself */
		has_failed = fd < 0;
		if (has_failed)
			log_warn("vhost: librte_vhost can't be woken by %s: %s: a guest that "
				 "connects may be seen a second late",
				 path, strerror(errno));
	} else if (fd >= 0) {
		/* full: it has something to do anyhow */
		(void)!send(fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

void
wake_fini(void)
{
	if (fd < 0)
		return;
	rte_vhost_driver_unregister(path);
	close(fd);
	fd = -1;
}

#endif

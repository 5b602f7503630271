/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slowvhost.c: librte_vhost on a thread that the kernel interrupts at the worst moment: is loaded
 * before the daemon's own libraries. When the main thread has connected to a socket, the library
 * waits before each of the next mutexes that it takes there, so that its event thread sees the
 * connection before the library has noted it.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LOCKS = 6,
	WAIT_US = 20000,
};

static int n_waits; /* main thread's */

static bool
is_vhost(const void *caller)
{
	Dl_info info;

	return dladdr(caller, &info) != 0 && info.dli_fname &&
	       strstr(info.dli_fname, "librte_vhost") != NULL;
}

int
connect(int fd, const struct sockaddr *address, socklen_t len)
{
	int (*next)(int, const struct sockaddr *, socklen_t);
	int err;

	*(void **)&next = dlsym(RTLD_NEXT, "connect");
	err = next(fd, address, len);
	if (getpid() == gettid() && is_vhost(__builtin_return_address(0)))
		n_waits = err == 0 ? LOCKS : 0;
	return err;
}

int
pthread_mutex_lock(pthread_mutex_t *mutex)
{
	static int (*_Atomic known)(pthread_mutex_t *);
	int (*next)(pthread_mutex_t *) = known;

	if (!next) {
		*(void **)&next = dlsym(RTLD_NEXT, "pthread_mutex_lock");
		known = next;
	}
	if (getpid() == gettid() && n_waits > 0 && is_vhost(__builtin_return_address(0))) {
		n_waits--;
		usleep(WAIT_US);
	}
	return next(mutex);
}

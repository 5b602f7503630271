/* SPDX-License-Identifier: BSD-3-Clause */
/* stall.c: see stall.h. */
#include "stall.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "hint.h"
#include "switch.h"
#include "worker.h"

enum {
	LOOK_MS = 100, /* not less than IDLE_MAX_US_LIMIT: an idle worker makes a round meanwhile */
};

struct stall {
	const struct vswitch *sw;
	pthread_t thread;
	sem_t end;
	uint64_t n_rounds[WORKERS_MAX]; /* of each worker, at the last look */
};

static _Atomic bool guilty[PORTS_MAX]; /* stall thread: sets, others: ro, and take it back */

static void
ignore(int signo)
{
	(void)signo; /* that it came is all: a system call ends by it */
}

bool
stall_is_eventfd(int fd)
{
	static const char eventfd[] = "anon_inode:[eventfd]";
	char path[64], name[sizeof(eventfd)] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, name, sizeof(name)) == sizeof(eventfd) - 1 &&
	       memcmp(name, eventfd, sizeof(eventfd) - 1) == 0;
}

/* Does the thread wait in write(2) to an eventfd? If so, which. */
static bool
waits_for_eventfd(pid_t tid, unsigned long *fd)
{
	char path[64], text[64];
	long number;
	ssize_t n;
	int file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)tid);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	n = read(file, text, sizeof(text) - 1); /* "running", or its number and arguments */
	close(file);
	text[n > 0 ? n : 0] = 0;
	return sscanf(text, "%ld %lx", &number, fd) == 2 && number == SYS_write &&
	       stall_is_eventfd((int)*fd);
}

static void
look_at(struct stall *s, const struct worker *w)
{
	uint64_t n_rounds = worker_rounds(w);
	unsigned long fd, same;
	uint16_t port;

	if (n_rounds != s->n_rounds[w->id]) {
		s->n_rounds[w->id] = n_rounds;
		return;
	}
	if (!waits_for_eventfd(w->tid, &fd))
		return;
	/* it is still there after the port was read: so this is the port */
	port = atomic_load_explicit(&w->at, memory_order_relaxed);
	if (!waits_for_eventfd(w->tid, &same) || same != fd || worker_rounds(w) != n_rounds)
		return;
	atomic_store_explicit(&guilty[port], true, memory_order_relaxed);
	hint_post(HINT_PORT, port, 0); /* each time: one may be lost */
	pthread_kill(w->thread, STALL_SIGNAL);
}

static void *
stall_main(void *arg)
{
	struct stall *s = arg;
	struct timespec next;

	pthread_setname_np(pthread_self(), "stall");
	clock_gettime(CLOCK_MONOTONIC, &next);
	do {
		for (uint32_t i = 0; i < s->sw->n_workers; i++)
			look_at(s, s->sw->workers[i]);
		clock_gettime(CLOCK_MONOTONIC, &next);
		next.tv_nsec += LOOK_MS * 1000000l;
		if (next.tv_nsec >= 1000000000l) {
			next.tv_nsec -= 1000000000l;
			next.tv_sec++;
		}
	} while (sem_clockwait(&s->end, CLOCK_MONOTONIC, &next) != 0);
	return NULL;
}

struct stall *
stall_start(struct vswitch *sw, struct error *e)
{
	const struct sigaction action = {.sa_handler = ignore}; /* without SA_RESTART */
	struct stall *s = calloc(1, sizeof(*s));
	sigset_t all, before;
	int err;

	if (!s) {
		error_set(e, -ENOMEM, "switch: out of memory");
		return NULL;
	}
	s->sw = sw;
	sem_init(&s->end, 0, 0);
	sigaction(STALL_SIGNAL, &action, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&s->thread, NULL, stall_main, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		error_set(e, -err, "switch: can't start a thread: %s", strerror(err));
		sem_destroy(&s->end);
		free(s);
		return NULL;
	}
	return s;
}

void
stall_stop(struct stall *s)
{
	if (!s)
		return;
	sem_post(&s->end);
	pthread_join(s->thread, NULL);
	sem_destroy(&s->end);
	free(s);
}

bool
stall_is_by(uint16_t port)
{
	return atomic_load_explicit(&guilty[port], memory_order_relaxed);
}

void
stall_forgive(uint16_t port)
{
	atomic_store_explicit(&guilty[port], false, memory_order_relaxed);
}

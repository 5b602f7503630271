/* SPDX-License-Identifier: BSD-3-Clause */
/* client.c: see client.h. watch.c knows what to watch. */
#include "client.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <stdalign.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"
#include "error.h"
#include "log.h"
#include "session.h"
#include "watch.h"

enum {
	DELAY_FIRST_MS = 5,
	DELAY_SOON_MS = 10, /* the longest while something is expected */
	DELAY_MS = 1000,
	EAGER_MS = 1000, /* how long it is */
};

static struct {
	struct event_base *base;
	struct event *on_inotify, *on_lost;
	int inotify_fd, inotify_error; /* -1 and errno: none */
	int lost_fd;
	struct session *first;
} all = {.inotify_fd = -1, .lost_fd = -1};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

const char *
client_cause_text(enum client_cause cause)
{
	static const char *const texts[] = {[CLIENT_AT_ONCE] = "at once",
					    [CLIENT_INOTIFY] = "inotify",
					    [CLIENT_RETRY] = "retry",
					    [CLIENT_TIMER] = "timer"};

	return texts[cause];
}

/* Something has happened: it is worth trying often for a while. */
static void
be_eager(struct client *c)
{
	c->delay_ms = 0;
	c->eager_until_ns = now_ns() + EAGER_MS * 1000000ull;
}

static void
plan_next(struct client *c)
{
	struct timeval delay;

	c->cause = CLIENT_RETRY;
	if (now_ns() >= c->eager_until_ns) {
		c->delay_ms = DELAY_MS;
		c->cause = CLIENT_TIMER;
	} else if (c->delay_ms == 0) {
		c->delay_ms = DELAY_FIRST_MS;
	} else if ((c->delay_ms *= 2) > DELAY_SOON_MS) {
		c->delay_ms = DELAY_SOON_MS;
	}
	delay = (struct timeval){c->delay_ms / 1000, c->delay_ms % 1000 * 1000};
	event_add(c->timer, &delay);
}

static bool
is_connected(struct session *s)
{
	bool is;

	pthread_mutex_lock(&s->lock);
	is = s->vid >= 0;
	pthread_mutex_unlock(&s->lock);
	return is;
}

/* Of the port's other clients none needs the directory that this one watched? */
static bool
is_watch_free(int watch)
{
	for (const struct session *s = all.first; s; s = s->client.next)
		if (s->client.watch == watch)
			return false;
	return true;
}

/* Watches the directory where something has to happen next. What is there already is seen by the
 * attempt that follows. */
static void
keep_watch(struct session *s)
{
	struct client *c = &s->client;
	int before = c->watch, error = all.inotify_error;

	c->watch = -1;
	if (all.inotify_fd >= 0)
		c->watch =
			watch_add(all.inotify_fd, s->port->conf.vhost.socket, c->awaited, &error);
	if (before >= 0 && before != c->watch && is_watch_free(before))
		inotify_rm_watch(all.inotify_fd, before);
	if (c->watch < 0 && error != c->watch_error)
		log_warn("port %s: socket: inotify can't watch for %s: %s%s: the port looks for it "
			 "once a second",
			 s->port->conf.name, s->port->conf.vhost.socket, strerror(error),
			 error == ENOSPC   ? ": raise fs.inotify.max_user_watches"
			 : error == EMFILE ? ": raise fs.inotify.max_user_instances"
					   : "");
	c->watch_error = c->watch < 0 ? error : 0;
}

/* Says why there is no connection, if that has changed. */
static void
set_access_error(struct session *s, int error)
{
	if (error == ENOENT || error == ENOTDIR)
		error = 0; /* it is not there yet */
	if (s->client.access_error == error)
		return;
	pthread_mutex_lock(&s->lock);
	s->client.access_error = error;
	session_judge(s);
	pthread_mutex_unlock(&s->lock);
}

static void
try_to_connect(struct session *s, enum client_cause cause)
{
	struct client *c = &s->client;
	struct error e;
	int error;

	if (is_connected(s))
		return;
	c->tried_ns = now_ns();
	event_del(c->timer);
	if (c->is_registered)
		driver_stop(s);
	c->is_registered = false;
	keep_watch(s);
	/* as connect() will be: with our capabilities, which access() does not look at */
	error = faccessat(AT_FDCWD, s->port->conf.vhost.socket, W_OK, AT_EACCESS) == 0 ? 0 : errno;
	set_access_error(s, error);
	if (error) {
		plan_next(c);
		return;
	}
	c->connected_by = cause;
	error = driver_start(s, &e);
	c->is_registered = error == 0;
	if (error == -ENOTCONN)
		error = 0;
	if (error && error != c->start_error) /* it will come again and again */
		log_err("%s", e.text);
	c->start_error = error;
	/* also if it was refused, or has ended by now: client_lost() may have been said before */
	if (!is_connected(s))
		plan_next(c);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd, (void)what;
	try_to_connect(s, s->client.cause);
}

/* A guest that ran may be back at once; one that never did must not keep us busy. */
static void
take_lost(struct session *s)
{
	bool has_run;

	if (!atomic_exchange_explicit(&s->client.is_lost, false, memory_order_acquire))
		return;
	pthread_mutex_lock(&s->lock);
	has_run = s->has_run;
	s->has_run = false;
	pthread_mutex_unlock(&s->lock);
	if (has_run) {
		be_eager(&s->client);
		try_to_connect(s, CLIENT_AT_ONCE);
	} else if (!is_connected(s) && !event_pending(s->client.timer, EV_TIMEOUT, NULL)) {
		plan_next(&s->client);
	}
}

static void
on_lost(evutil_socket_t fd, short what, void *arg)
{
	eventfd_t n;

	(void)what, (void)arg;
	eventfd_read(fd, &n);
	for (struct session *s = all.first; s; s = s->client.next)
		take_lost(s);
}

static bool
is_awaited(const struct client *c, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		return true;
	if (event->wd != c->watch)
		return false;
	if (event->mask & (IN_IGNORED | IN_MOVE_SELF | IN_DELETE_SELF))
		return true;
	return event->len > 0 && strcmp(event->name, c->awaited) == 0;
}

/* At once, but not for each event of one who makes and removes files all the time. */
static void
try_after_event(struct session *s)
{
	struct client *c = &s->client;

	be_eager(c);
	if (now_ns() - c->tried_ns >= DELAY_FIRST_MS * 1000000ull) {
		try_to_connect(s, CLIENT_INOTIFY);
	} else if (!is_connected(s)) {
		plan_next(c);
		c->cause = CLIENT_INOTIFY;
	}
}

static void
take_inotify(const struct inotify_event *event)
{
	for (struct session *s = all.first; s; s = s->client.next) {
		if (!is_awaited(&s->client, event))
			continue;
		if (event->mask & IN_IGNORED) /* the kernel has removed it */
			s->client.watch = -1;
		try_after_event(s);
	}
}

static void
on_inotify(evutil_socket_t fd, short what, void *arg)
{
	char buf[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)]
		__attribute__((aligned(alignof(struct inotify_event))));
	ssize_t len, at;

	(void)what, (void)arg;
	len = read(fd, buf, sizeof(buf));
	for (at = 0; at < len;) {
		const struct inotify_event *event = (const void *)(buf + at);

		take_inotify(event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

void
client_lost(struct session *s)
{
	if (!s->port->conf.vhost.is_client)
		return;
	atomic_store_explicit(&s->client.is_lost, true, memory_order_release);
	eventfd_write(all.lost_fd, 1);
}

static struct event *
add_event(int fd, event_callback_fn call)
{
	struct event *event = event_new(all.base, fd, EV_READ | EV_PERSIST, call, NULL);

	if (event && event_add(event, NULL) == 0)
		return event;
	if (event)
		event_free(event);
	return NULL;
}

int
client_init(struct event_base *base, struct error *e)
{
	all.base = base;
	all.lost_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	all.inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	all.inotify_error = all.inotify_fd < 0 ? errno : 0;
	if (all.lost_fd >= 0)
		all.on_lost = add_event(all.lost_fd, on_lost);
	if (all.inotify_fd >= 0)
		all.on_inotify = add_event(all.inotify_fd, on_inotify);
	if (!all.on_lost || (all.inotify_fd >= 0 && !all.on_inotify))
		return error_set(e, -ENOMEM, "vhost: out of memory or file descriptors");
	return 0;
}

void
client_fini(void)
{
	struct event **events[] = {&all.on_inotify, &all.on_lost};
	int *fds[] = {&all.inotify_fd, &all.lost_fd};

	for (int i = 0; i < 2; i++) {
		if (*events[i])
			event_free(*events[i]);
		if (*fds[i] >= 0)
			close(*fds[i]);
		*events[i] = NULL;
		*fds[i] = -1;
	}
	all.base = NULL;
}

int
client_open(struct session *s, struct error *e)
{
	struct client *c = &s->client;

	c->watch = -1;
	c->timer = all.base ? event_new(all.base, -1, 0, on_timer, s) : NULL;
	if (!c->timer)
		return error_set(e, -ENOMEM, "port %s: out of memory", s->port->conf.name);
	c->next = all.first;
	all.first = s;
	be_eager(c);
	try_to_connect(s, CLIENT_AT_ONCE);
	return 0;
}

void
client_close(struct session *s)
{
	struct session **at = &all.first;
	int watch = s->client.watch;

	if (!s->client.timer)
		return;
	while (*at != s)
		at = &(*at)->client.next;
	*at = s->client.next;
	if (watch >= 0 && is_watch_free(watch))
		inotify_rm_watch(all.inotify_fd, watch);
	event_free(s->client.timer);
	s->client.timer = NULL;
}

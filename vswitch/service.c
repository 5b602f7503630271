/* SPDX-License-Identifier: BSD-3-Clause */
/* service.c: see service.h. */
#include "service.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "error.h"
#include "log.h"
#include "switch.h"

enum {
	LOOK_US = 1000000, /* how often at most to look */
	LOOKS = 4,	   /* looks in the time that the watchdog allows */
};

/* What was seen of a worker when the watchdog was fed last. */
struct seen {
	uint64_t n_rounds;
	bool is_stuck; /* and it was said */
};

struct service {
	struct vswitch *sw;
	struct event *on_look;
	uint64_t watchdog_us; /* 0: nobody waits for a sign of life */
	uint64_t each_us;     /* between two looks */
	uint64_t fed_us;
	uint32_t n_ports, n_up; /* as last told */
	struct seen seen[WORKERS_MAX];
};

/* CLOCK_MONOTONIC */
static uint64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Says once that a worker stands still, when half of the time is over. */
static void
tell_stuck(struct service *s, uint32_t id, uint64_t now)
{
	struct seen *seen = &s->seen[id];

	if (seen->is_stuck || now - s->fed_us < s->watchdog_us / 2)
		return;
	seen->is_stuck = true;
	log_err("worker %u: on CPU %u stands still for %" PRIu64 " ms: the service manager ends "
		"vswitchd %" PRIu64 " ms after the last sign of life",
		id, s->sw->workers[id]->cpu, (now - s->fed_us) / 1000, s->watchdog_us / 1000);
}

/* A sign of life, if each worker has made a round since the last one. */
static void
feed(struct service *s)
{
	uint64_t now = now_us();
	bool all = true;

	for (uint32_t i = 0; i < s->sw->n_workers; i++) {
		if (worker_rounds(s->sw->workers[i]) != s->seen[i].n_rounds)
			continue;
		tell_stuck(s, i, now);
		all = false;
	}
	if (!all)
		return;
	for (uint32_t i = 0; i < s->sw->n_workers; i++) {
		if (s->seen[i].is_stuck)
			log_info("worker %u: on CPU %u goes on", i, s->sw->workers[i]->cpu);
		s->seen[i] = (struct seen){.n_rounds = worker_rounds(s->sw->workers[i])};
	}
	s->fed_us = now;
	sd_notify(0, "WATCHDOG=1");
}

struct count {
	uint32_t n, n_up;
};

static bool
count_port(struct port *port, void *arg)
{
	struct count *count = arg;

	count->n++;
	count->n_up += port_is_up(port);
	return true;
}

/* The line of `systemctl status`, if it is another than before. */
static void
tell_status(struct service *s)
{
	struct count count = {0};

	switch_port_walk(s->sw, count_port, &count);
	if (count.n == s->n_ports && count.n_up == s->n_up)
		return;
	s->n_ports = count.n;
	s->n_up = count.n_up;
	sd_notifyf(0, "STATUS=ports: %u, up: %u, workers: %u", count.n, count.n_up,
		   s->sw->n_workers);
}

static void
look(evutil_socket_t fd, short what, void *arg)
{
	struct service *s = arg;

	(void)fd, (void)what;
	tell_status(s);
	if (s->watchdog_us)
		feed(s);
}

/* Ports come and go, and no event is looked at meanwhile: one that hangs ends the feeding. */
static void
progress(void *arg)
{
	struct service *s = arg;

	if (s->watchdog_us && now_us() - s->fed_us >= s->each_us)
		feed(s);
}

struct service *
service_create(struct event_base *base, struct vswitch *sw, struct error *e)
{
	struct service *s = calloc(1, sizeof(*s));
	struct timeval each;

	if (!s)
		goto no_memory;
	s->sw = sw;
	s->n_ports = UINT32_MAX; /* nothing was told yet */
	s->fed_us = now_us();
	s->each_us = LOOK_US;
	if (!getenv("NOTIFY_SOCKET"))
		return s;
	if (sd_watchdog_enabled(0, &s->watchdog_us) <= 0)
		s->watchdog_us = 0;
	else if (s->watchdog_us / LOOKS < s->each_us)
		s->each_us = s->watchdog_us / LOOKS;
	each.tv_sec = (time_t)(s->each_us / 1000000);
	each.tv_usec = (suseconds_t)(s->each_us % 1000000);
	s->on_look = event_new(base, -1, EV_PERSIST, look, s);
	if (!s->on_look || event_add(s->on_look, &each) != 0)
		goto no_memory;
	sw->progress_arg = s;
	sw->on_progress = progress;
	return s;

no_memory:
	error_set(e, -ENOMEM, "out of memory for the control thread");
	service_destroy(s);
	return NULL;
}

void
service_ready(struct service *s)
{
	sd_notify(0, "READY=1");
	tell_status(s);
}

void
service_reloading(struct service *s)
{
	s->n_ports = UINT32_MAX;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reads its configuration",
		   now_us());
}

void
service_destroy(struct service *s)
{
	if (!s)
		return;
	sd_notify(0, "STOPPING=1\nSTATUS=ends");
	s->sw->on_progress = NULL;
	if (s->on_look)
		event_free(s->on_look);
	free(s);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* watch.c: a tap port's link, see watch.h. */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "device.h"
#include "error.h"
#include "log.h"
#include "netlink.h"
#include "port.h"

struct watch {
	struct port *port;	   /* control: wo before the thread starts, both: ro */
	int fd;			   /* the same */
	int stop_fd;		   /* the same; control writes once to end the thread */
	bool has_thread;	   /* control */
	pthread_t thread;	   /* control */
	struct mnl_socket *socket; /* control before the thread starts, then the thread */
	bool sees_all;		   /* the same; other namespaces too */
	bool is_blind;		   /* the same; the interface is where we can't look */
};

static void
set_up(struct watch *w)
{
	port_set_reason(w->port, "%s", "");
	port_set_link(w->port, true);
}

static void
read_link(struct watch *w, int32_t ns_id, const char *ifname)
{
	struct netlink_link link;
	struct error why;

	w->is_blind = false;
	if (netlink_get_link(ns_id, ifname, &link, &why) < 0) {
		/* gone or moved since we looked: then a message about that is waiting */
		port_set_reason(w->port, "interface %s can't be read: %s", ifname, why.text);
		port_set_link(w->port, false);
	} else if (!link.up) {
		port_set_reason(w->port, "interface %s is down on the host: ip link set %s up",
				ifname, ifname);
		port_set_link(w->port, false);
	} else {
		set_up(w);
	}
}

/* The interface is in another namespace. Takes ns_fd, -1 if there is none. */
static void
read_link_elsewhere(struct watch *w, int ns_fd, const char *ifname)
{
	struct error why;
	int32_t ns_id;
	int err;

	if (!w->sees_all)
		err = error_set(&why, -EPERM, "vswitchd needs the capability CAP_NET_BROADCAST");
	else if (ns_fd < 0)
		err = error_set(&why, -EPERM, "vswitchd needs the capability CAP_NET_ADMIN there");
	else
		err = netlink_namespace_id(ns_fd, &ns_id, &why);
	if (ns_fd >= 0)
		close(ns_fd);
	if (err == 0) {
		read_link(w, ns_id, ifname);
		return;
	}
	if (!w->is_blind)
		log_warn("port %s: interface %s: its link is taken to be up, since the network "
			 "namespace that it was moved to can't be watched: %s",
			 w->port->conf.name, ifname, why.text);
	w->is_blind = true;
	set_up(w);
}

/* What a message says does not count, only that there was one: the state itself is read here. */
static void
look(struct watch *w)
{
	char ifname[IFNAMSIZ];
	int ns_fd;

	switch (device_look(w->fd, ifname, &ns_fd)) {
	case DEVICE_HERE:
		read_link(w, NETLINK_OWN_NAMESPACE, ifname);
		break;
	case DEVICE_ELSEWHERE:
		read_link_elsewhere(w, ns_fd, ifname);
		break;
	case DEVICE_GONE:
		port_set_reason(w->port,
				"interface %s was deleted on the host: delete the port and add it "
				"again",
				w->port->conf.tap.ifname);
		port_set_link(w->port, false);
		break;
	}
}

static void *
watch_main(void *arg)
{
	struct watch *w = arg;

	pthread_setname_np(pthread_self(), "tap-watch");
	for (;;) {
		struct pollfd fds[] = {
			{.fd = w->stop_fd, .events = POLLIN},
			{.fd = netlink_watch_fd(w->socket), .events = POLLIN},
		};

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			return NULL;
		netlink_watch_drain(w->socket);
		look(w);
	}
}

static int
thread_start(struct watch *w)
{
	sigset_t all, before;
	int err;

	/* signals are the control thread's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, NULL, watch_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->has_thread = err == 0;
	return -err;
}

struct watch *
watch_start(struct port *port, int fd, struct error *e)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct error why;
	int err;

	if (!w) {
		error_set(e, -ENOMEM, "port %s: out of memory", port->conf.name);
		return NULL;
	}
	w->port = port;
	w->fd = fd;
	w->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (w->stop_fd < 0) {
		error_set(&why, -errno, "eventfd: %s", strerror(errno));
		goto fail;
	}
	w->socket = netlink_watch_open(&w->sees_all, &why);
	if (!w->socket)
		goto fail;
	look(w); /* from here on, changes wait in the socket */
	err = thread_start(w);
	if (err == 0)
		return w;
	error_set(&why, err, "no thread: %s", strerror(-err));
fail:
	watch_stop(w);
	error_set(e, -EIO, "port %s: can't watch the interface %s: %s", port->conf.name,
		  port->conf.tap.ifname, why.text);
	return NULL;
}

void
watch_stop(struct watch *watch)
{
	if (!watch)
		return;
	if (watch->has_thread) {
		eventfd_write(watch->stop_fd, 1);
		pthread_join(watch->thread, NULL);
	}
	netlink_watch_close(watch->socket);
	if (watch->stop_fd >= 0)
		close(watch->stop_fd);
	free(watch);
}

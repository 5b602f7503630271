/* SPDX-License-Identifier: BSD-3-Clause */
/* port.c: what all kinds of port share, see port.h. */
#include "port.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "hint.h"
#include "log.h"

enum {
	LOG_BURST = 10, /* lines of one port in a minute: a guest can cause as many as it likes */
	LOG_INTERVAL_S = 60,
};

const char *const port_backend_names[PORT_BACKENDS] = {
	[PORT_BACKEND_TUN] = "tun",
	[PORT_BACKEND_NET_TAP] = "net_tap",
	[PORT_BACKEND_VHOST_NET] = "vhost-net",
};

struct port_reason {
	pthread_mutex_t lock; /* of all below */
	char text[REASON_MAX];
	struct log_limit limit;
};

struct port *
port_create(struct vswitch *sw, const struct port_ops *ops, uint16_t id,
	    const struct port_conf *conf, struct error *e)
{
	struct port *port = calloc(1, sizeof(*port));

	if (!port)
		goto fail;
	port->reason = calloc(1, sizeof(*port->reason));
	if (!port->reason)
		goto fail;
	pthread_mutex_init(&port->reason->lock, NULL);
	port->reason->limit = (struct log_limit){.burst = LOG_BURST, .interval_s = LOG_INTERVAL_S};
	port->sw = sw;
	port->ops = ops;
	port->id = id;
	port->conf = *conf;
	atomic_init(&port->mtu, conf->mtu);
	return port;

fail:
	port_free(port);
	error_set(e, -ENOMEM, "port %s: out of memory", conf->name);
	return NULL;
}

void
port_free(struct port *port)
{
	if (!port)
		return;
	free(port->reason);
	free(port);
}

/* Under the lock: what became of the port. */
static void
log_change(const struct port *port, const char *what)
{
	uint32_t n_suppressed;

	if (!log_allowed(&port->reason->limit, &n_suppressed))
		return;
	if (n_suppressed)
		log_info("port %s: %u changes of its state are not shown", port->conf.name,
			 n_suppressed);
	log_info("port %s: %s", port->conf.name, what);
}

void
port_set_reason(struct port *port, const char *format, ...)
{
	char text[REASON_MAX];
	bool changed;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pthread_mutex_lock(&port->reason->lock);
	changed = strcmp(text, port->reason->text) != 0;
	if (changed)
		memcpy(port->reason->text, text, sizeof(text));
	if (changed && text[0])
		log_change(port, text);
	pthread_mutex_unlock(&port->reason->lock);
}

void
port_get_reason(const struct port *port, char text[REASON_MAX])
{
	pthread_mutex_lock(&port->reason->lock);
	memcpy(text, port->reason->text, REASON_MAX);
	pthread_mutex_unlock(&port->reason->lock);
}

void
port_set_link(struct port *port, bool up)
{
	if (atomic_exchange_explicit(&port->link_up, up, memory_order_acq_rel) == up)
		return;
	pthread_mutex_lock(&port->reason->lock);
	log_change(port, up ? "link up" : "link down");
	pthread_mutex_unlock(&port->reason->lock);
	hint_post(HINT_PORT, port->id, 0);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c: vswitchd. It lists the kinds of port there are, and starts and stops everything in the
 * order one reads here. Afterwards the main thread is the control thread (libevent).
 */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_version.h>

#include "conf.h"
#include "control.h"
#include "error.h"
#include "hint.h"
#include "level.h"
#include "log.h"
#include "rcu.h"
#include "service.h"
#include "startup.h"
#include "switch.h"
#include "tap.h"
#include "uplink.h"
#include "vhost.h"

/* A new kind of port comes here, and nowhere else outside of its folder and the config's schema. */
static const struct port_ops *const kinds[] = {&vhost_port_ops, &tap_port_ops, &vf_port_ops,
					       &ethdev_port_ops, NULL};

struct options {
	const char *conf_path;
	bool check;
	char *const *eal; /* NULL-ended */
};

/* All that is started, in the order of its start; what is not yet is NULL or false. */
struct daemon {
	struct conf *conf; /* until the control takes it over */
	struct conf_cpus cpus;
	struct switch_conf switch_conf;
	bool eal, rcu, hints;
	struct vswitch *sw;
	struct event_base *base;
	struct event *on_term, *on_int, *on_hup, *on_tick;
	struct control *control;
	struct service *service;
};

static const char usage[] =
	"usage: vswitchd [-c FILE] [--check] [-- EAL OPTIONS]\n"
	"\n"
	"A virtual switch for QEMU/KVM guests: connects vhost-user sockets, a TAP of the host and "
	"VFs.\n"
	"\n"
	"  -c, --config FILE  the configuration (default " CONF_FILE_DEFAULT
	"), see vswitch.yaml(5)\n"
	"      --check        say whether the configuration is right, and end\n"
	"      --version      print the version, and end\n"
	"  -h, --help         print this, and end\n"
	"\n"
	"SIGHUP reads the configuration again; SIGTERM ends. `vswitchctl` talks to it.\n";

/* Returns -1 to go on, else the exit code. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	enum {
		OPT_CHECK = 256,
		OPT_VERSION
	};
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, OPT_CHECK},
		{"version", no_argument, NULL, OPT_VERSION},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	*o = (struct options){.conf_path = CONF_FILE_DEFAULT};
	while ((c = getopt_long(argc, argv, "+c:h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->conf_path = optarg;
			break;
		case OPT_CHECK:
			o->check = true;
			break;
		case OPT_VERSION:
			printf("vswitchd %s, %s\n", VSWITCH_VERSION, rte_version());
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc && strcmp(argv[optind - 1], "--") != 0) {
		fprintf(stderr, "vswitchd: %s: what is this? EAL options come after --\n",
			argv[optind]);
		return 2;
	}
	o->eal = argv + optind;
	return -1;
}

static void
end_loop(evutil_socket_t sig, short what, void *arg)
{
	(void)sig, (void)what;
	event_base_loopbreak(arg);
}

static void
reload(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)sig, (void)what;
	service_reloading(d->service);
	control_reload(d->control);
	service_ready(d->service);
}

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd, (void)what;
	switch_tick(d->sw);
}

/* The configuration, and whether it can be true on this machine. */
static int
load(struct daemon *d, const struct options *o, struct error *e)
{
	int err = conf_load_file(o->conf_path, kinds, &d->conf, e);

	if (err || (err = conf_cpus_read(&d->cpus, e)) != 0)
		return err;
	log_set_level(d->conf->log);
	err = conf_switch(d->conf, &d->cpus, &d->switch_conf, e);
	if (!err)
		err = conf_check_ports(d->conf, kinds, e);
	if (err)
		return err;
	d->switch_conf.n_mbufs = startup_mbufs(d->conf->memory, d->switch_conf.n_workers);
	return startup_check_cpus(&d->switch_conf, e);
}

static int
start_switch(struct daemon *d, const struct options *o, struct error *e)
{
	const struct conf *conf = d->conf;
	int err;

	if (conf->hugepages && (err = startup_check_hugepages(&d->switch_conf, conf->memory, e)))
		return err;
	err = startup_eal(&d->switch_conf, conf->memory, conf->hugepages,
			  conf->log == LOG_LEVEL_DEBUG, o->eal, e);
	if (err)
		return err;
	d->eal = true;
	if ((err = rcu_init(d->switch_conf.n_workers, e)) != 0)
		return err;
	d->rcu = true;
	if ((err = hint_init(e)) != 0)
		return err;
	d->hints = true;
	d->sw = switch_create(&d->switch_conf, kinds, e);
	return d->sw ? 0 : -ENOMEM;
}

static struct event *
add_event(struct daemon *d, int sig, event_callback_fn call, void *arg, const struct timeval *each)
{
	struct event *event =
		event_new(d->base, each ? -1 : sig, EV_PERSIST | (each ? 0 : EV_SIGNAL), call, arg);

	if (event && event_add(event, each) == 0)
		return event;
	if (event)
		event_free(event);
	return NULL;
}

static int
start_control(struct daemon *d, const struct options *o, struct error *e)
{
	const struct timeval each = {.tv_usec = SWITCH_TICK_MS * 1000};
	struct control_info info = {
		.conf_path = o->conf_path,
		.version = VSWITCH_VERSION,
		.dpdk = rte_version(),
		.cpu_level = level_best()->name,
		.hugepages = d->conf->hugepages,
		.memory = d->conf->memory,
		.cpus = d->cpus,
	};
	struct conf *conf = d->conf;
	int err;

	signal(SIGPIPE, SIG_IGN);
	d->base = event_base_new();
	if (!d->base)
		return error_set(e, -ENOMEM, "out of memory for the control thread");
	if (vhost_init(d->base, e) != 0)
		return -ENOMEM;
	d->on_term = add_event(d, SIGTERM, end_loop, d->base, NULL);
	d->on_int = add_event(d, SIGINT, end_loop, d->base, NULL);
	d->on_hup = add_event(d, SIGHUP, reload, d, NULL);
	d->on_tick = add_event(d, 0, tick, d, &each);
	if (!d->on_term || !d->on_int || !d->on_hup || !d->on_tick)
		return error_set(e, -ENOMEM, "out of memory for the control thread");
	d->conf = NULL;
	d->control = control_create(d->base, d->sw, conf, &info, e);
	if (!d->control)
		return -EINVAL;
	err = control_start(d->control, e);
	if (err)
		return err;
	d->service = service_create(d->base, d->sw, e);
	return d->service ? 0 : -ENOMEM;
}

static void
free_event(struct event *event)
{
	if (event)
		event_free(event);
}

/* Undoes a start, also half of one. */
static void
stop(struct daemon *d)
{
	service_destroy(d->service);
	control_destroy(d->control);
	free_event(d->on_tick);
	free_event(d->on_hup);
	free_event(d->on_int);
	free_event(d->on_term);
	switch_destroy(d->sw);
	vhost_fini();
	if (d->base)
		event_base_free(d->base);
	if (d->hints)
		hint_fini();
	if (d->rcu)
		rcu_fini();
	if (d->eal)
		startup_eal_end();
	conf_free(d->conf);
	libevent_global_shutdown();
}

static void
log_ready(const struct daemon *d)
{
	const struct switch_conf *conf = &d->switch_conf;

	for (uint32_t i = 0; i < d->sw->n_workers; i++)
		log_info("worker %u: on CPU %u, NUMA node %d", i, d->sw->workers[i]->cpu,
			 d->sw->workers[i]->node);
	if (conf->idle_max_us)
		log_info("vswitchd %s: ready: idle workers sleep up to %u us", VSWITCH_VERSION,
			 conf->idle_max_us);
	else
		log_info("vswitchd %s: ready: workers poll all the time", VSWITCH_VERSION);
}

int
main(int argc, char **argv)
{
	struct daemon d = {0};
	struct options o;
	struct error e = {0};
	int code = parse_options(argc, argv, &o);

	if (code >= 0)
		return code;
	code = EXIT_FAILURE;
	if (load(&d, &o, &e) != 0)
		goto out;
	if (o.check) {
		printf("%s: right\n", o.conf_path);
		code = EXIT_SUCCESS;
		goto out;
	}
	if (start_switch(&d, &o, &e) != 0 || start_control(&d, &o, &e) != 0)
		goto out;
	log_ready(&d);
	service_ready(d.service);
	event_base_dispatch(d.base);
	log_info("vswitchd %s: ends", VSWITCH_VERSION);
	code = EXIT_SUCCESS;

out:
	if (e.text[0] && code != EXIT_SUCCESS)
		log_err("vswitchd: %s", e.text);
	stop(&d);
	return code;
}

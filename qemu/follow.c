/* SPDX-License-Identifier: BSD-3-Clause */
/* follow.c: see follow.h. */
#include "follow.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <syslog.h>
#include <unistd.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "client.h"
#include "domain.h"
#include "ports.h"
#include "printable.h"

enum {
	TICK_MS = 1000,	     /* looks whether the switch, or libvirt, came back */
	SOON_MS = 20,	     /* events come in groups */
	KEEPALIVE_S = 5,     /* libvirt is asked whether it lives, ... */
	KEEPALIVE_TRIES = 3, /* and given up after so many answers that did not come */
	N_EVENTS = 3,
	SAID_MAX = 2048, /* bytes of a line */
};

struct follow {
	struct client *client;
	const struct ports_rules *rules;
	const char *uri;
	virConnectPtr libvirt; /* NULL: not connected */
	int callbacks[N_EVENTS];
	int soon; /* timer: all is to be looked at */
	int signals;
	bool ends;
	bool is_lost;	      /* libvirt closed the connection */
	bool libvirt_is_mute; /* that it is not there was said */
	bool switch_is_mute;
	uint32_t n_domains; /* as they were when libvirt was asked last */
	struct domain *domains;
	struct ports warned; /* the ports when their warnings were said */
	FILE *failures;	     /* what goes wrong now, a line each; NULL: out of memory */
	char *failed;	     /* what went wrong when all was looked at last, and was said */
};

static void say(const char *level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The journal has levels of its own, which a line begins with. */
static void
say(const char *level, const char *format, ...)
{
	char line[SAID_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	printable_blank(line);
	if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>",
			level[0] == 'E'	  ? LOG_ERR
			: level[0] == 'W' ? LOG_WARNING
					  : LOG_INFO);
	else
		fprintf(stderr, "%-5s ", level);
	fprintf(stderr, "%s\n", line);
}

static void
follow_forget(struct follow *f)
{
	for (uint32_t i = 0; i < f->n_domains; i++)
		domain_free(&f->domains[i]);
	free(f->domains);
	f->domains = NULL;
	f->n_domains = 0;
}

static const struct domain *
follow_find(const struct follow *f, const char *name)
{
	for (uint32_t i = 0; i < f->n_domains; i++)
		if (strcmp(f->domains[i].name, name) == 0)
			return &f->domains[i];
	return NULL;
}

/* Something could not be done: said by follow_say_failures(). */
static void
follow_fail(const struct follow *f, const char *kind, const char *name, const char *why)
{
	if (f->failures)
		fprintf(f->failures, "%s %s: %s\n", kind, name, why);
}

/* Reads a domain of libvirt's; one that ended meanwhile is none. */
static void
follow_read(struct follow *f, virDomainPtr from)
{
	char *xml = virDomainGetXMLDesc(from, 0), why[DOMAIN_WHY_MAX];
	struct domain *domain = &f->domains[f->n_domains];

	if (!xml)
		return;
	if (domain_parse(xml, strlen(xml), domain, why)) {
		follow_fail(f, "domain", virDomainGetName(from), why);
		domain_free(domain);
	} else {
		f->n_domains++;
	}
	free(xml);
}

/* All running domains. False if libvirt did not say. */
static bool
follow_read_all(struct follow *f)
{
	virDomainPtr *all = NULL;
	int n = virConnectListAllDomains(f->libvirt, &all, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

	if (n < 0) {
		say("WARN", "libvirt does not list its domains: %s", virGetLastErrorMessage());
		return false;
	}
	follow_forget(f);
	f->domains = calloc((size_t)n + 1, sizeof(*f->domains));
	for (int i = 0; i < n; i++) {
		if (f->domains)
			follow_read(f, all[i]);
		virDomainFree(all[i]);
	}
	free(all);
	return f->domains != NULL;
}

/* The VM that the port was of is not running any more, or has no such card any more. */
static bool
follow_is_left(const struct follow *f, const struct ports_port *port)
{
	const struct domain *domain = follow_find(f, port->vm);

	/* one that has no nic was named by somebody else, or waits for its card to be plugged in */
	if (!port->vm[0] || !port->nic[0])
		return false;
	return !domain || !domain_has_socket(domain, port->socket);
}

/*
 * Asks libvirt for the port's VM alone. One that libvirt says nothing of, since it ends or hangs,
 * or whose XML can't be read, has its card: it must not lose its port for that. And it may have
 * ended and begun anew since all were listed.
 */
static bool
follow_has_now(const struct follow *f, const struct ports_port *port)
{
	virDomainPtr from = virDomainLookupByName(f->libvirt, port->vm);
	int is_active = from ? virDomainIsActive(from) : -1;
	char *xml = is_active == 1 ? virDomainGetXMLDesc(from, 0) : NULL, why[DOMAIN_WHY_MAX];
	struct domain domain = {0};
	bool has = is_active != 0;

	if (!from && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
		has = false;
	if (xml && domain_parse(xml, strlen(xml), &domain, why) == 0)
		has = domain_has_socket(&domain, port->socket);
	domain_free(&domain);
	free(xml);
	if (from)
		virDomainFree(from);
	return has;
}

/* Says each warning once, when it comes. */
static void
follow_warn(struct follow *f, struct ports *ports)
{
	for (uint32_t i = 0; i < ports->n; i++) {
		const struct ports_port *port = &ports->all[i];
		const struct ports_port *was = ports_find(&f->warned, port->socket);

		if (port->warning[0] && (!was || strcmp(was->warning, port->warning) != 0))
			say("WARN", "domain %s, port %s: %s", port->vm, port->name, port->warning);
	}
	ports_free(&f->warned);
	f->warned = *ports;
	*ports = (struct ports){0};
}

/* Asks the switch for its ports; says when it can't be reached, and when it can again. */
static bool
follow_ask(struct follow *f, struct ports *ports)
{
	if (ports_list(f->client, ports)) {
		if (!f->switch_is_mute)
			say("WARN", "%s: waiting for it", f->client->why);
		f->switch_is_mute = true;
		return false;
	}
	if (f->switch_is_mute)
		say("INFO", "vswitchd is there again");
	f->switch_is_mute = false;
	return true;
}

/* What went wrong is tried again each second, but said only when it is something else than before.
 */
static void
follow_say_failures(struct follow *f, char *failures)
{
	if (failures && f->failed && strcmp(failures, f->failed) == 0) {
		free(failures);
		return;
	}
	free(f->failed);
	f->failed = failures;
	for (const char *line = failures; line && *line; line += strcspn(line, "\n") + 1)
		say("ERR", "%.*s", (int)strcspn(line, "\n"), line);
}

/*
 * Of the ports as they were before and after the domains were listed, takes what has been left. Did
 * it change any?
 */
static bool
follow_leave(struct follow *f, const struct ports *before, const struct ports *after)
{
	bool has_changed = false;

	f->client->is_mute = false;
	for (uint32_t i = 0; i < after->n && !f->client->is_mute; i++) {
		const struct ports_port *port = &after->all[i];
		const struct ports_port *was = ports_find(before, port->socket);

		if (!was || strcmp(was->vm, port->vm) != 0 || !follow_is_left(f, port) ||
		    follow_has_now(f, port))
			continue;
		has_changed = true;
		if (ports_leave(f->client, port))
			follow_fail(f, "port", port->name, f->client->why);
		else
			say("INFO", "port %s: domain %s has left it: %s", port->name, port->vm,
			    port->is_auto ? "removed" : "kept, since it was not added for it");
	}
	return has_changed;
}

static void
follow_ensure(struct follow *f, const struct ports *ports)
{
	f->client->is_mute = false;
	for (uint32_t i = 0; i < f->n_domains && !f->client->is_mute; i++) {
		const struct domain *domain = &f->domains[i];

		if (ports_are_right(ports, f->rules, domain))
			continue;
		if (ports_ensure(f->client, ports, f->rules, domain))
			follow_fail(f, "domain", domain->name, f->client->why);
		else
			say("INFO", "domain %s: its ports are set up", domain->name);
	}
}

/* All domains have been read. */
static void
follow_change(struct follow *f, const struct ports *before)
{
	struct ports ports;
	bool has_changed;

	if (!follow_ask(f, &ports))
		return;
	has_changed = follow_leave(f, before, &ports);
	if (has_changed) {
		ports_free(&ports);
		if (!follow_ask(f, &ports))
			return;
	}
	follow_ensure(f, &ports);
	ports_free(&ports);
	if (follow_ask(f, &ports))
		follow_warn(f, &ports);
}

/*
 * What a port is there for was running before the port was, and so is listed after it, or has
 * ended. libvirt lists its domains only when the hook, if it is at work, is done: the ports are
 * then others.
 */
static void
follow_all(struct follow *f)
{
	struct ports before;
	char *failures = NULL;
	size_t len;

	if (!f->libvirt || !follow_ask(f, &before))
		return;
	f->failures = open_memstream(&failures, &len);
	if (follow_read_all(f))
		follow_change(f, &before);
	ports_free(&before);
	if (f->failures)
		fclose(f->failures);
	f->failures = NULL;
	follow_say_failures(f, failures);
}

/* A look at the switch alone, which is cheap: has it been started anew, or changed? */
static void
follow_look(struct follow *f)
{
	struct ports ports;
	bool is_right = true;

	if (!f->libvirt || !follow_ask(f, &ports))
		return;
	for (uint32_t i = 0; i < ports.n && is_right; i++)
		is_right = !follow_is_left(f, &ports.all[i]);
	for (uint32_t i = 0; i < f->n_domains && is_right; i++)
		is_right = ports_are_right(&ports, f->rules, &f->domains[i]);
	if (is_right)
		follow_warn(f, &ports);
	ports_free(&ports);
	if (!is_right)
		follow_all(f);
}

/* --- libvirt's events */

static void
follow_soon(struct follow *f)
{
	virEventUpdateTimeout(f->soon, SOON_MS);
}

static int
follow_on_lifecycle(virConnectPtr libvirt, virDomainPtr domain, int event, int detail, void *opaque)
{
	(void)libvirt;
	(void)domain;
	(void)event;
	(void)detail;
	follow_soon(opaque);
	return 0;
}

static void
follow_on_device(virConnectPtr libvirt, virDomainPtr domain, const char *alias, void *opaque)
{
	(void)libvirt;
	(void)domain;
	(void)alias;
	follow_soon(opaque);
}

static void
follow_on_close(virConnectPtr libvirt, int reason, void *opaque)
{
	struct follow *f = opaque;

	(void)libvirt;
	(void)reason;
	f->is_lost = true;
}

static void
follow_disconnect(struct follow *f)
{
	if (!f->libvirt)
		return;
	virConnectUnregisterCloseCallback(f->libvirt, follow_on_close);
	for (int i = 0; i < N_EVENTS; i++)
		if (f->callbacks[i] >= 0)
			virConnectDomainEventDeregisterAny(f->libvirt, f->callbacks[i]);
	virConnectClose(f->libvirt);
	f->libvirt = NULL;
	f->is_lost = false;
}

static bool
follow_register(struct follow *f)
{
	static const struct {
		int id;
		virConnectDomainEventGenericCallback call;
	} events[N_EVENTS] = {
		{VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(follow_on_lifecycle)},
		{VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, VIR_DOMAIN_EVENT_CALLBACK(follow_on_device)},
		{VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(follow_on_device)},
	};
	bool is_right = virConnectRegisterCloseCallback(f->libvirt, follow_on_close, f, NULL) == 0;

	for (int i = 0; i < N_EVENTS; i++) {
		f->callbacks[i] = virConnectDomainEventRegisterAny(f->libvirt, NULL, events[i].id,
								   events[i].call, f, NULL);
		is_right &= f->callbacks[i] >= 0;
	}
	/* a libvirt on this machine may do without */
	virConnectSetKeepAlive(f->libvirt, KEEPALIVE_S, KEEPALIVE_TRIES);
	return is_right;
}

/* To look is all that is asked of libvirt: any user may. */
static void
follow_connect(struct follow *f)
{
	f->libvirt = virConnectOpenReadOnly(f->uri);
	if (f->libvirt && !follow_register(f)) {
		say("ERR", "libvirt has no events for us: %s", virGetLastErrorMessage());
		follow_disconnect(f);
	}
	if (!f->libvirt) {
		if (!f->libvirt_is_mute)
			say("WARN", "libvirt can't be reached: %s: waiting for it",
			    virGetLastErrorMessage());
		f->libvirt_is_mute = true;
		return;
	}
	f->libvirt_is_mute = false;
	say("INFO", "connected to libvirt");
	follow_soon(f);
}

/* --- timers and signals */

static void
follow_on_tick(int timer, void *opaque)
{
	struct follow *f = opaque;

	(void)timer;
	if (f->is_lost) {
		say("WARN", "libvirt has gone: waiting for it");
		f->libvirt_is_mute = true;
		follow_disconnect(f);
	}
	if (!f->libvirt)
		follow_connect(f);
	else
		follow_look(f);
}

static void
follow_on_soon(int timer, void *opaque)
{
	virEventUpdateTimeout(timer, -1);
	follow_all(opaque);
}

static void
follow_on_signal(int watch, int fd, int events, void *opaque)
{
	struct follow *f = opaque;
	struct signalfd_siginfo info;

	(void)watch;
	(void)events;
	if (read(fd, &info, sizeof(info)) == sizeof(info))
		f->ends = true;
}

static void
follow_no_print(void *context, virErrorPtr error)
{
	(void)context;
	(void)error;
}

static int
follow_init(struct follow *f)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -errno;
	f->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (f->signals < 0)
		return -errno;
	virSetErrorFunc(NULL, follow_no_print);
	if (virEventRegisterDefaultImpl() != 0)
		return -ENOMEM;
	f->soon = virEventAddTimeout(-1, follow_on_soon, f, NULL);
	if (f->soon < 0 || virEventAddTimeout(TICK_MS, follow_on_tick, f, NULL) < 0 ||
	    virEventAddHandle(f->signals, VIR_EVENT_HANDLE_READABLE, follow_on_signal, f, NULL) < 0)
		return -ENOMEM;
	return 0;
}

int
follow_run(struct client *client, const struct ports_rules *rules, const char *uri)
{
	struct follow f = {.client = client, .rules = rules, .uri = uri, .signals = -1};
	int rc = follow_init(&f);

	setlinebuf(stderr);
	if (!rc)
		follow_connect(&f);
	while (!rc && !f.ends)
		if (virEventRunDefaultImpl() != 0)
			rc = -EIO;
	if (rc)
		say("ERR", "the event loop of libvirt failed: %s", virGetLastErrorMessage());
	follow_disconnect(&f);
	follow_forget(&f);
	ports_free(&f.warned);
	free(f.failed);
	if (f.signals >= 0)
		close(f.signals);
	return rc ? 1 : 0;
}

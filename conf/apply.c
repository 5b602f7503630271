/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * apply.c: from one configuration to the next, all of it or nothing, see conf.h.
 *
 * The difference is a list of steps. Each is taken in turn, and when one fails, those that were
 * taken are undone backwards.
 */
#include "conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offload.h"
#include "switch.h"

enum step_kind {
	STEP_DEL,
	STEP_CHANGE, /* what can change while the port runs */
	STEP_ADD,
	STEP_TRY, /* as STEP_ADD, but the others go on if it fails */
};

struct step {
	enum step_kind kind;
	const struct port_conf *from; /* of old: what to go back to */
	const struct port_conf *to;   /* of next */
};

struct plan {
	struct vswitch *sw;
	const struct conf *old; /* may be NULL */
	const struct conf *next;
	uint32_t n;
	struct step *steps;
	struct conf_failed failed; /* of next */
};

static bool
apply_failed_has(const struct conf_failed *failed, const char *name)
{
	for (uint32_t i = 0; i < failed->n; i++)
		if (strcmp(failed->ports[i].name, name) == 0)
			return true;
	return false;
}

static int
apply_failed_add(struct conf_failed *failed, const char *name, const char *reason)
{
	struct conf_failed_port *more =
		realloc(failed->ports, (failed->n + 1) * sizeof(*failed->ports));

	if (!more)
		return -ENOMEM;
	failed->ports = more;
	snprintf(more[failed->n].name, sizeof(more->name), "%s", name);
	snprintf(more[failed->n].reason, sizeof(more->reason), "%s", reason);
	failed->n++;
	return 0;
}

static void
apply_add_step(struct plan *plan, enum step_kind kind, const struct port_conf *from,
	       const struct port_conf *to)
{
	plan->steps[plan->n++] = (struct step){.kind = kind, .from = from, .to = to};
}

/* Can the kind of port change all that differs while the port runs? */
static bool
apply_can_change(const struct plan *plan, const struct port_conf *from, const struct port_conf *to)
{
	const struct port *port = switch_port_find(plan->sw, from->name);
	struct port_conf same = *to;

	if (port && port->ops->set_mtu)
		same.mtu = from->mtu;
	if (port && port->ops->set_offloads)
		same.offloads = from->offloads;
	if (port) /* which is shown as it stands in the configuration */
		same.vhost.vm = from->vhost.vm;
	if (port && port->ops->set_pinned)
		same.vhost.is_pinned = from->vhost.is_pinned;
	return conf_same_port(from, &same);
}

/* Those that go come first: what they hold may be what those that come need. */
static int
apply_plan(struct plan *plan, const struct conf_failed *was_failed, struct error *e)
{
	const struct conf *old = plan->old, *next = plan->next;
	uint32_t n_old = old ? old->n_ports : 0;

	/* at most one to delete for each of old, and one to add for each of next */
	plan->steps = calloc((size_t)n_old + next->n_ports + 1, sizeof(*plan->steps));
	if (!plan->steps)
		return error_set(e, -ENOMEM, "switch: out of memory");
	for (uint32_t i = 0; i < n_old; i++) {
		const struct port_conf *from = &old->ports[i];
		const struct port_conf *to = conf_find_port(next, from->name);

		if (apply_failed_has(was_failed, from->name))
			continue;
		if (!to || !apply_can_change(plan, from, to))
			apply_add_step(plan, STEP_DEL, from, NULL);
	}
	for (uint32_t i = 0; i < next->n_ports; i++) {
		const struct port_conf *to = &next->ports[i];
		const struct port_conf *from = old ? conf_find_port(old, to->name) : NULL;

		if (!old)
			apply_add_step(plan, STEP_TRY, NULL, to);
		else if (from && apply_failed_has(was_failed, from->name))
			apply_add_step(plan, conf_same_port(from, to) ? STEP_TRY : STEP_ADD, NULL,
				       to);
		else if (!from || !apply_can_change(plan, from, to))
			apply_add_step(plan, STEP_ADD, NULL, to);
		else if (!conf_same_port(from, to))
			apply_add_step(plan, STEP_CHANGE, from, to);
	}
	return 0;
}

/* Does the port need a name, socket, interface or device that a port which goes still holds? */
static bool
apply_waits(const struct plan *plan, const struct port_conf *to)
{
	for (uint32_t i = 0; i < plan->n; i++) {
		const struct port_conf *from = plan->steps[i].from;

		if (plan->steps[i].kind != STEP_DEL)
			continue;
		if (strcmp(from->name, to->name) == 0 || conf_port_clash(to, from))
			return true;
	}
	return false;
}

/* Puts the file and line before the sentence. */
static int
apply_fail(const struct plan *plan, const struct step *step, int rc, struct error *e)
{
	char where[320] = "";
	struct error was = *e;

	if (step->to)
		conf_where(plan->next, step->to, where, sizeof(where));
	return error_set(e, rc, "%s%s", where, was.text);
}

/*
 * All ports that come, as far as can be said while those that go are there. A port that is only
 * tried may fail, but at the first start (old NULL) not because its configuration can't be right.
 */
static int
apply_check(struct plan *plan, struct error *e)
{
	for (uint32_t i = 0; i < plan->n; i++) {
		struct step *step = &plan->steps[i];
		int rc;

		if ((step->kind != STEP_ADD && step->kind != STEP_TRY) ||
		    apply_waits(plan, step->to))
			continue;
		rc = switch_port_check(plan->sw, step->to, e);
		switch_progress(plan->sw);
		if (rc && (step->kind == STEP_ADD || (!plan->old && rc == -EINVAL)))
			return apply_fail(plan, step, rc, e);
	}
	return 0;
}

static int
apply_mtu(struct port *port, const struct port_conf *to, struct error *e)
{
	int rc = port->ops->set_mtu(port, to->mtu, e);

	if (rc)
		return rc;
	/* workers read it: a frame is judged by the one or the other */
	atomic_store_explicit(&port->mtu, to->mtu, memory_order_relaxed);
	log_info("port %s: mtu is %u now", to->name, to->mtu);
	return 0;
}

static void
apply_offloads(struct port *port, const struct port_conf *to)
{
	char text[OFFLOAD_TEXT_MAX];

	port->ops->set_offloads(port, to->offloads);
	offload_text(to->offloads, text);
	log_info("port %s: offloads are %s now", to->name, text);
}

static int
apply_pinned(struct port *port, const struct port_conf *to, struct error *e)
{
	int rc = port->ops->set_pinned(port, to->vhost.is_pinned, e);

	if (!rc)
		log_info("port %s: features are %s now", to->name,
			 to->vhost.is_pinned ? "pinned" : "those that vswitchd has");
	return rc;
}

/* All that differs, or nothing: what may be refused comes first. */
static int
apply_change(struct plan *plan, const struct port_conf *from, const struct port_conf *to,
	     struct error *e)
{
	struct port *port = switch_port_find(plan->sw, to->name);
	struct error other;
	int rc = 0;

	if (!port)
		return error_set(e, -ENOENT, "port %s: there is no such port", to->name);
	if (from->mtu != to->mtu)
		rc = apply_mtu(port, to, e);
	if (!rc && from->vhost.is_pinned != to->vhost.is_pinned) {
		rc = apply_pinned(port, to, e);
		if (rc && from->mtu != to->mtu && apply_mtu(port, from, &other) != 0)
			log_err("going back to the former configuration: %s", other.text);
	}
	if (!rc && from->offloads != to->offloads)
		apply_offloads(port, to);
	return rc;
}

static int
apply_step(struct plan *plan, const struct step *step, struct error *e)
{
	int rc;

	switch (step->kind) {
	case STEP_DEL:
		return switch_port_del(plan->sw, step->from->name, e);
	case STEP_CHANGE:
		return apply_change(plan, step->from, step->to, e);
	case STEP_ADD:
		return switch_port_add(plan->sw, step->to, e);
	case STEP_TRY:
		rc = switch_port_add(plan->sw, step->to, e);
		if (!rc)
			return 0;
		log_err("%s", e->text);
		return apply_failed_add(&plan->failed, step->to->name, e->text);
	}
	return 0;
}

/* A port that STEP_TRY brought up stays up after the others were undone: it has not failed any
 * more. */
static void
apply_forget_recovered(struct vswitch *sw, struct conf_failed *failed)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < failed->n; i++)
		if (!switch_port_find(sw, failed->ports[i].name))
			failed->ports[n++] = failed->ports[i];
	failed->n = n;
}

/*
 * Takes back the first n steps, the last one first. A port that can't be had back is logged and put
 * into was_failed, whose configuration stays the one in force.
 */
static void
apply_undo(struct plan *plan, uint32_t n, struct conf_failed *was_failed)
{
	struct error e = {0};

	while (n-- > 0) {
		const struct step *step = &plan->steps[n];
		int rc = 0;

		switch (step->kind) {
		case STEP_DEL:
			rc = switch_port_add(plan->sw, step->from, &e);
			if (rc && apply_failed_add(was_failed, step->from->name, e.text))
				log_err("switch: out of memory");
			break;
		case STEP_CHANGE:
			rc = apply_change(plan, step->to, step->from, &e);
			break;
		case STEP_ADD:
			rc = switch_port_del(plan->sw, step->to->name, &e);
			break;
		case STEP_TRY: /* it was asked for before as well */
			break;
		}
		switch_progress(plan->sw);
		if (rc)
			log_err("going back to the former configuration: %s", e.text);
	}
	apply_forget_recovered(plan->sw, was_failed);
}

/* The keys that a running switch can't change, those of the default workers included. */
static int
apply_check_switch(const struct conf *old, const struct conf *next, const struct switch_conf *was,
		   const struct switch_conf *is, struct error *e)
{
	const char *key = NULL;

	if (strcmp(old->name, next->name) != 0)
		key = "name";
	else if (was->n_workers != is->n_workers ||
		 memcmp(was->workers, is->workers, is->n_workers * sizeof(is->workers[0])) != 0)
		key = "workers";
	else if (strcmp(old->control, next->control) != 0)
		key = "control";
	else if (strcmp(old->state, next->state) != 0)
		key = "state";
	else if (old->memory != next->memory)
		key = "memory";
	else if (old->hugepages != next->hugepages)
		key = "hugepages";
	else if (old->fdb_max != next->fdb_max)
		key = "fdb: max";
	if (!key)
		return 0;
	return error_set(e, -ENOTSUP, "switch: %s: can't change while running; restart vswitchd",
			 key);
}

/* Takes all steps, and undoes those that were taken if one fails. */
static int
apply_steps(struct plan *plan, struct conf_failed *was_failed, struct error *e)
{
	for (uint32_t i = 0; i < plan->n; i++) {
		int rc = apply_step(plan, &plan->steps[i], e);

		switch_progress(plan->sw);
		if (!rc)
			continue;
		apply_fail(plan, &plan->steps[i], rc, e);
		apply_undo(plan, i, was_failed);
		return rc;
	}
	return 0;
}

/* What is left of the ports that are gone for good. */
static void
apply_forget(const struct plan *plan)
{
	for (uint32_t i = 0; plan->old && i < plan->old->n_ports; i++) {
		const struct port_conf *from = &plan->old->ports[i];
		const struct port_conf *to = conf_find_port(plan->next, from->name);

		if (!to || strcmp(to->type, from->type) != 0)
			switch_port_forget(plan->sw, from);
	}
}

int
conf_apply(struct vswitch *sw, const struct conf_cpus *cpus, const struct conf *old,
	   const struct conf *next, struct conf_failed *failed, struct error *e)
{
	struct plan plan = {.sw = sw, .old = old, .next = next};
	struct switch_conf was, is;
	int rc;

	rc = conf_switch(next, cpus, &is, e);
	if (!rc && old)
		rc = conf_switch(old, cpus, &was, e);
	if (!rc && old)
		rc = apply_check_switch(old, next, &was, &is, e);
	if (!rc)
		rc = apply_plan(&plan, failed, e);
	if (!rc)
		rc = apply_check(&plan, e);
	if (!rc)
		rc = apply_steps(&plan, failed, e);
	if (!rc && old) {
		is.n_mbufs = sw->conf.n_mbufs;
		rc = switch_reconfigure(sw, &is, e);
		if (rc)
			apply_undo(&plan, plan.n, failed);
	}
	switch_settle(sw);
	free(plan.steps);
	if (rc) {
		free(plan.failed.ports);
		return rc;
	}
	apply_forget(&plan);
	log_set_level(next->log);
	free(failed->ports);
	*failed = plan.failed;
	return 0;
}

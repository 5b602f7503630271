/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch.c: makes the switch and changes it while it runs, see switch.h. What workers see is
 * published whole and freed after a grace period; no change stops a worker.
 */
#include "switch.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_malloc.h>
#include <rte_random.h>

#include "error.h"
#include "groups.h"
#include "hint.h"
#include "log.h"
#include "rcu.h"
#include "snoop.h"
#include "stall.h"
#include "stats.h"

enum {
	AGE_PARTS = 10, /* at least, of the fdb: so it is looked through once a second */
};

static const struct port_table no_ports;

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static const struct port_table *
current_table(const struct vswitch *sw)
{
	return atomic_load_explicit(&sw->table, memory_order_relaxed);
}

/* The node that all workers share, or any. */
static int
fdb_node(const struct vswitch *sw)
{
	for (uint32_t i = 1; i < sw->n_workers; i++)
		if (sw->workers[i]->node != sw->workers[0]->node)
			return SOCKET_ID_ANY;
	return sw->workers[0]->node;
}

static int
create_fdb(struct vswitch *sw, struct error *e)
{
	size_t size = fdb_size(sw->conf.fdb_max);

	sw->fdb_mem = rte_zmalloc_socket("fdb", size, 64, fdb_node(sw));
	if (!sw->fdb_mem)
		return error_set(
			e, -ENOMEM,
			"switch: fdb: max: %u stations need %zu MiB of packet memory: raise "
			"switch: memory",
			sw->conf.fdb_max, (size >> 20) + 1);
	sw->fdb = fdb_create(sw->fdb_mem, sw->conf.fdb_max, rte_rand(), rcu_synchronize);
	return 0;
}

struct vswitch *
switch_create(const struct switch_conf *conf, const struct port_ops *const *kinds, struct error *e)
{
	struct vswitch *sw = calloc(1, sizeof(*sw));

	if (!sw) {
		error_set(e, -ENOMEM, "switch: out of memory");
		return NULL;
	}
	sw->conf = *conf;
	sw->kinds = kinds;
	sw->started_ns = now_ns();
	seconds_start(&sw->seconds, sw->started_ns);
	atomic_init(&sw->table, &no_ports);
	sw->groups = groups_create((uint32_t)rte_rand());
	if (!sw->groups) {
		error_set(e, -ENOMEM, "switch: out of memory for multicast groups");
		goto fail;
	}
	for (uint32_t i = 0; i < conf->n_workers; i++) {
		sw->workers[i] =
			worker_create(sw, i, conf->workers[i], conf->n_mbufs, conf->idle_max_us, e);
		if (!sw->workers[i])
			goto fail;
		sw->n_workers++;
	}
	if (create_fdb(sw, e) != 0)
		goto fail;
	for (uint32_t i = 0; i < sw->n_workers; i++)
		if (worker_start(sw->workers[i], e) != 0)
			goto fail;
	sw->stall = stall_start(sw, e);
	if (!sw->stall)
		goto fail;
	return sw;

fail:
	switch_destroy(sw);
	return NULL;
}

void
switch_destroy(struct vswitch *sw)
{
	struct error e;

	if (!sw)
		return;
	while (current_table(sw)->n > 0)
		if (switch_port_del(sw, current_table(sw)->ports[0]->conf.name, &e) != 0) {
			log_err("%s: the end of the process does the rest", e.text);
			return;
		}
	stall_stop(sw->stall);
	for (uint32_t i = 0; i < sw->n_workers; i++)
		worker_destroy(sw->workers[i]);
	if (current_table(sw) != &no_ports)
		free((void *)(uintptr_t)current_table(sw));
	rte_free(sw->fdb_mem);
	groups_destroy(sw->groups);
	free(sw);
}

int
switch_reconfigure(struct vswitch *sw, const struct switch_conf *conf, struct error *e)
{
	const struct switch_conf *old = &sw->conf;

	if (strcmp(conf->name, old->name) != 0 || conf->n_workers != old->n_workers ||
	    memcmp(conf->workers, old->workers, conf->n_workers * sizeof(conf->workers[0])) != 0 ||
	    conf->fdb_max != old->fdb_max)
		return error_set(e, -ENOTSUP,
				 "switch: name, workers and fdb: max can't change while the switch "
				 "runs: restart vswitchd");
	sw->conf.idle_max_us = conf->idle_max_us;
	sw->conf.fdb_ageing_s = conf->fdb_ageing_s;
	for (uint32_t i = 0; i < sw->n_workers; i++)
		atomic_store_explicit(&sw->workers[i]->idle_max_us, conf->idle_max_us,
				      memory_order_relaxed);
	return 0;
}

static struct worker *
worker_of_cpu(const struct vswitch *sw, uint16_t cpu)
{
	for (uint32_t i = 0; i < sw->n_workers; i++)
		if (sw->workers[i]->cpu == cpu)
			return sw->workers[i];
	return NULL;
}

static const struct port_ops *
find_kind(const struct vswitch *sw, const char *type)
{
	for (uint32_t i = 0; sw->kinds[i]; i++)
		if (strcmp(sw->kinds[i]->type, type) == 0)
			return sw->kinds[i];
	return NULL;
}

int
switch_port_check(struct vswitch *sw, const struct port_conf *conf, struct error *e)
{
	const struct port_ops *kind = find_kind(sw, conf->type);

	if (!kind)
		return error_set(e, -EINVAL, "port %s: type: there is no kind of port named %s",
				 conf->name, conf->type);
	for (uint32_t i = 0; i < conf->n_lcores; i++)
		if (!worker_of_cpu(sw, conf->lcores[i]))
			return error_set(e, -EINVAL,
					 "port %s: lcores: CPU %u has no worker: add it to switch: "
					 "workers",
					 conf->name, conf->lcores[i]);
	return kind->check ? kind->check(conf, e) : 0;
}

/* The present table with one port more or less; NULL if out of memory. */
static struct port_table *
table_with(const struct port_table *old, struct port *more, const struct port *less)
{
	struct port_table *t = calloc(1, sizeof(*t) + (old->n + 1) * sizeof(t->ports[0]));

	if (!t)
		return NULL;
	for (uint32_t id = 0; id < PORTS_MAX; id++) {
		struct port *port = more && more->id == id ? more : old->by_id[id];

		if (!port || port == less)
			continue;
		t->by_id[id] = port;
		t->ports[t->n++] = port;
	}
	return t;
}

/* Returns when no worker reads the old table any more. */
static void
publish_table(struct vswitch *sw, struct port_table *table)
{
	const struct port_table *old =
		atomic_exchange_explicit(&sw->table, table, memory_order_acq_rel);

	rcu_synchronize();
	if (old != &no_ports)
		free((void *)(uintptr_t)old);
}

/* Queues that a worker has in the ports of a table. */
static uint32_t
count_queues(const struct port_table *table, uint32_t worker)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < table->n; i++)
		for (uint16_t q = 0; q < table->ports[i]->conf.queues; q++)
			n += table->ports[i]->workers[q] == worker;
	return n;
}

/* Gives each queue of a port to a worker: as asked, else to the one that has least to do. */
static void
assign_workers(const struct vswitch *sw, struct port *port)
{
	uint32_t load[WORKERS_MAX];

	for (uint32_t w = 0; w < sw->n_workers; w++)
		load[w] = count_queues(current_table(sw), w);
	for (uint16_t q = 0; q < port->conf.queues; q++) {
		uint32_t best = 0;

		if (port->conf.n_lcores) {
			uint16_t cpu = port->conf.lcores[q % port->conf.n_lcores];

			best = worker_of_cpu(sw, cpu)->id;
		} else {
			for (uint32_t w = 1; w < sw->n_workers; w++)
				if (load[w] < load[best])
					best = w;
		}
		port->workers[q] = (uint16_t)best;
		load[best]++;
	}
}

/* The queues of a port that are a worker's; returns how many. */
static uint32_t
list_queues(const struct port *port, uint32_t worker, uint8_t queues[PORT_QUEUES_MAX])
{
	uint32_t n = 0;

	for (uint16_t q = 0; q < port->conf.queues; q++)
		if (port->workers[q] == worker)
			queues[n++] = (uint8_t)q;
	return n;
}

static struct poll_list *
make_polls(const struct port_table *table, uint32_t worker)
{
	size_t size = sizeof(struct poll_list) + table->n * sizeof(struct poll);
	struct poll_list *polls = aligned_alloc(alignof(struct poll_list), size);

	if (!polls)
		return NULL;
	memset(polls, 0, size);
	for (uint32_t i = 0; i < table->n; i++) {
		struct poll *p = &polls->polls[polls->n];

		p->port = table->ports[i];
		p->n_queues = (uint8_t)list_queues(p->port, worker, p->queues);
		polls->n += p->n_queues > 0;
	}
	return polls;
}

/*
 * Makes table what the workers see, port being what it has more or less than before. A port comes
 * into the table before it is polled and leaves it after. -ENOMEM leaves all as it was.
 */
static int
change_ports(struct vswitch *sw, struct port_table *table, struct port *port, bool added)
{
	struct poll_list *polls[WORKERS_MAX] = {0};
	uint8_t queues[PORT_QUEUES_MAX];
	uint32_t w;

	for (w = 0; w < sw->n_workers; w++) {
		if (list_queues(port, w, queues) == 0)
			continue;
		polls[w] = make_polls(table, w);
		if (!polls[w])
			goto no_memory;
	}
	if (added)
		publish_table(sw, table);
	for (w = 0; w < sw->n_workers; w++)
		if (polls[w])
			worker_set_polls(sw->workers[w], polls[w]);
	if (!added)
		publish_table(sw, table);
	return 0;

no_memory:
	while (w-- > 0)
		free(polls[w]);
	return -ENOMEM;
}

static int
find_free_id(struct vswitch *sw)
{
	const struct port_table *table = current_table(sw);

	for (int id = 0; id < PORTS_MAX; id++)
		if (!table->by_id[id] && !forget_has(&sw->forget, (uint16_t)id))
			return id;
	if (table->n == PORTS_MAX)
		return -1;
	forget_all(&sw->forget, sw->fdb);
	return find_free_id(sw);
}

static void
sum_counts(const struct vswitch *sw, uint16_t id, struct port_counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	for (uint32_t w = 0; w < sw->n_workers; w++)
		stats_sum(counts, &sw->workers[w]->stats[id]);
}

/* The wire has as many stations as it likes: an eighth of the fdb stays for those behind others. */
static uint32_t
macs_max(const struct vswitch *sw, const struct port *port)
{
	if (port->ops->is_uplink && port->conf.max_macs == (uint32_t)PORT_MACS_UNLIMITED)
		return sw->conf.fdb_max - sw->conf.fdb_max / 8;
	return port->conf.max_macs;
}

/* A guest that comes up again says anew what it has joined; what is behind an uplink does not. */
static void
handle_port(struct vswitch *sw, struct port *port)
{
	if (port->ops->attend)
		port->ops->attend(port);
	if (!port->ops->is_uplink && !port_is_up(port))
		groups_forget_port(sw->groups, port->id);
}

static void
handle_group(struct vswitch *sw, const struct port *port, const struct hint *hint)
{
	uint32_t now_s = atomic_load_explicit(&sw->now_s, memory_order_relaxed);
	uint32_t alias = snoop_arg_alias(hint->arg);
	bool is_only = !port->ops->is_uplink && fdb_port_count(sw->fdb, port->id) <= 1;

	switch (snoop_arg_message(hint->arg)) {
	case SNOOP_JOIN:
		groups_join(sw->groups, hint->key, alias, port->id, now_s);
		break;
	case SNOOP_LEAVE:
		groups_leave(sw->groups, hint->key, alias, port->id, is_only, now_s);
		break;
	case SNOOP_QUERY:
		groups_query(sw->groups, hint->key, now_s);
		break;
	}
}

static void
handle_fdb_full(const struct vswitch *sw, const struct port *port, const struct hint *hint)
{
	static struct log_limit limit = {.burst = 5, .interval_s = 60};
	uint32_t suppressed;

	if (!log_allowed(&limit, &suppressed))
		return;
	if (hint->arg == FDB_PORT_FULL)
		log_warn("port %s: a station was not learned: %u stations are the port's limit "
			 "(max_macs); frames to others are flooded",
			 port->conf.name, macs_max(sw, port));
	else
		log_warn("port %s: a station was not learned: the table is full (%u of %u; switch: "
			 "fdb: max); frames to others are flooded",
			 port->conf.name, fdb_count(sw->fdb), fdb_max(sw->fdb));
}

static void
handle_hint(const struct hint *hint, void *arg)
{
	struct vswitch *sw = arg;
	struct port *port = current_table(sw)->by_id[hint->port];

	if (!port)
		return;
	switch (hint->type) {
	case HINT_PORT:
		handle_port(sw, port);
		break;
	case HINT_FDB_FULL:
		handle_fdb_full(sw, port, hint);
		break;
	case HINT_GROUP:
		handle_group(sw, port, hint);
		break;
	default:
		break;
	}
}

int
switch_port_add(struct vswitch *sw, const struct port_conf *conf, struct error *e)
{
	const struct port_table *old = current_table(sw);
	struct port_table *table = NULL;
	struct port *port = NULL;
	int err, id = find_free_id(sw);

	if (switch_port_find(sw, conf->name))
		return error_set(e, -EEXIST, "port %s: there is a port of that name already",
				 conf->name);
	if (id < 0)
		return error_set(e, -ENOSPC, "port %s: there are %u ports already, which is all",
				 conf->name, old->n);
	err = switch_port_check(sw, conf, e);
	if (err)
		return err;
	port = port_create(sw, find_kind(sw, conf->type), (uint16_t)id, conf, e);
	if (!port)
		return -ENOMEM;
	assign_workers(sw, port);
	sum_counts(sw, port->id, &port->base);
	fdb_set_port_limit(sw->fdb, port->id, macs_max(sw, port));
	err = port->ops->open(port, e);
	if (err)
		goto fail;
	table = table_with(old, port, NULL);
	if (!table || change_ports(sw, table, port, true) != 0) {
		err = error_set(e, -ENOMEM, "port %s: out of memory", conf->name);
		goto fail_open;
	}
	log_info("port %s: added: %s, %u queue%s", conf->name, conf->type, conf->queues,
		 conf->queues == 1 ? "" : "s");
	return 0;

fail_open:
	port->ops->close(port);
	free(table);
fail:
	port_free(port);
	return err;
}

int
switch_port_del(struct vswitch *sw, const char *name, struct error *e)
{
	struct port *port = switch_port_find(sw, name);
	struct port_table *table;

	if (!port)
		return error_set(e, -ENOENT, "port %s: there is no such port", name);
	table = table_with(current_table(sw), NULL, port);
	if (!table || change_ports(sw, table, port, false) != 0) {
		free(table);
		return error_set(e, -ENOMEM, "port %s: out of memory", name);
	}
	/* nobody learns on it any more: what is forgotten stays forgotten, and no hint that is on
	 * its way is taken for one of the next port with this id */
	sw->n_hints_lost += hint_drain(handle_hint, sw);
	forget_port(&sw->forget, sw->fdb, port->id);
	groups_forget_port(sw->groups, port->id);
	log_info("port %s: deleted", port->conf.name);
	port->ops->close(port);
	port_free(port);
	return 0;
}

static bool
settle_port(struct port *port, void *arg)
{
	(void)arg;
	if (port->ops->settle)
		port->ops->settle(port);
	return true;
}

void
switch_settle(struct vswitch *sw)
{
	switch_port_walk(sw, settle_port, NULL);
}

void
switch_port_forget(struct vswitch *sw, const struct port_conf *conf)
{
	const struct port_ops *kind = find_kind(sw, conf->type);

	if (kind && kind->forget)
		kind->forget(sw, conf);
}

struct port *
switch_port_find(struct vswitch *sw, const char *name)
{
	const struct port_table *table = current_table(sw);

	for (uint32_t i = 0; i < table->n; i++)
		if (strcmp(table->ports[i]->conf.name, name) == 0)
			return table->ports[i];
	return NULL;
}

void
switch_port_walk(struct vswitch *sw, bool (*each)(struct port *port, void *arg), void *arg)
{
	const struct port_table *table = current_table(sw);

	for (uint32_t i = 0; i < table->n; i++)
		if (!each(table->ports[i], arg))
			return;
}

void
switch_port_counts(struct vswitch *sw, const struct port *port, struct port_counts *counts)
{
	sum_counts(sw, port->id, counts);
	stats_subtract(counts, &port->base);
}

static bool
tick_port(struct port *port, void *arg)
{
	(void)arg;
	if (port->ops->tick)
		port->ops->tick(port);
	return true;
}

void
switch_tick(struct vswitch *sw)
{
	uint32_t now_s = seconds_tick(&sw->seconds, now_ns());
	uint32_t parts = RTE_MAX((uint32_t)AGE_PARTS, fdb_parts(sw->fdb));

	atomic_store_explicit(&sw->now_s, now_s, memory_order_relaxed);
	fdb_age(sw->fdb, now_s, sw->conf.fdb_ageing_s, sw->age_part, parts);
	sw->age_part = (sw->age_part + 1) % parts;
	forget_step(&sw->forget, sw->fdb);
	sw->n_hints_lost += hint_drain(handle_hint, sw);
	if (sw->age_part % AGE_PARTS == 0)
		groups_age(sw->groups, now_s);
	switch_port_walk(sw, tick_port, NULL);
}

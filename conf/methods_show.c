/* SPDX-License-Identifier: BSD-3-Clause */
/* methods_show.c: the methods of the control socket that only look. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_mempool.h>

#include "control_state.h"
#include "error.h"
#include "fdb.h"
#include "mbuf.h"
#include "offload.h"
#include "port.h"
#include "show_vm.h"
#include "stats.h"
#include "switch.h"
#include "worker.h"

static void
show_number(struct json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

static void
show_text(struct json_object *to, const char *key, const char *value)
{
	json_object_object_add(to, key, json_object_new_string(value));
}

static void
show_flag(struct json_object *to, const char *key, bool value)
{
	json_object_object_add(to, key, json_object_new_boolean(value));
}

/* Sums of the reasons that are counted where a frame came in, and where it was to go out. */
static uint64_t
show_sum_drops(const struct port_counts *counts, int from, int to)
{
	uint64_t sum = 0;

	for (int i = from; i < to; i++)
		sum += counts->drops[i];
	return sum;
}

static struct json_object *
show_drops(const struct port_counts *counts)
{
	struct json_object *drops = json_object_new_object();

	for (int i = 0; i < DROP_REASONS; i++)
		if (counts->drops[i])
			show_number(drops, drop_infos[i].name, counts->drops[i]);
	return drops;
}

static const struct poll_list *
show_polls(const struct worker *w)
{
	return atomic_load_explicit(&w->polls, memory_order_relaxed); /* we are its writer */
}

/* The CPUs that poll a queue of the port. */
static struct json_object *
show_port_workers(const struct vswitch *sw, const struct port *port)
{
	struct json_object *cpus = json_object_new_array();

	for (uint32_t i = 0; i < sw->n_workers && port; i++) {
		const struct poll_list *polls = show_polls(sw->workers[i]);

		for (uint32_t j = 0; polls && j < polls->n; j++)
			if (polls->polls[j].port == port) {
				json_object_array_add(cpus,
						      json_object_new_int(sw->workers[i]->cpu));
				break;
			}
	}
	return cpus;
}

const char *
control_failed_reason(const struct control *control, const char *name)
{
	for (uint32_t i = 0; i < control->failed.n; i++)
		if (strcmp(control->failed.ports[i].name, name) == 0)
			return control->failed.ports[i].reason;
	return "";
}

/* What the configuration lets the port use, in its words. */
static struct json_object *
show_offloads(const struct port_conf *conf)
{
	struct json_object *words = json_object_new_array();

	if (conf->offloads & OFFLOAD_CHECKSUM)
		json_object_array_add(words, json_object_new_string("checksum"));
	if (conf->offloads & OFFLOAD_TSO)
		json_object_array_add(words, json_object_new_string("tso"));
	if (conf->offloads & OFFLOAD_USO)
		json_object_array_add(words, json_object_new_string("uso"));
	return words;
}

/* The object of port.list; port is NULL for one that is configured but not open. */
static struct json_object *
show_port_object(const struct control *control, const struct port_conf *conf, struct port *port,
		 bool with_macs, struct show_vm **seen, struct port_counts *counts)
{
	struct json_object *object = json_object_new_object();
	char reason[REASON_MAX] = "";

	memset(counts, 0, sizeof(*counts));
	show_text(object, "name", conf->name);
	show_text(object, "type", conf->type);
	json_object_object_add(object, "id", port ? json_object_new_int(port->id) : NULL);
	show_text(object, "link", port && port_is_up(port) ? "up" : "down");
	if (port) {
		switch_port_counts(control->sw, port, counts);
		port_get_reason(port, reason);
		show_text(object, "reason", reason);
	} else {
		show_text(object, "reason", control_failed_reason(control, conf->name));
	}
	show_vm_add(seen, control->sw, conf, port, with_macs, object);
	show_number(object, "mtu", port ? port_mtu(port) : conf->mtu);
	json_object_object_add(object, "offloads", show_offloads(conf));
	show_number(object, "queues", conf->queues);
	json_object_object_add(object, "workers", show_port_workers(control->sw, port));
	show_number(object, "rx_frames", counts->rx_frames);
	show_number(object, "rx_bytes", counts->rx_bytes);
	show_number(object, "tx_frames", counts->tx_frames);
	show_number(object, "tx_bytes", counts->tx_bytes);
	show_number(object, "rx_drops", show_sum_drops(counts, 0, DROP_TX_DOWN));
	show_number(object, "tx_drops", show_sum_drops(counts, DROP_TX_DOWN, DROP_REASONS));
	return object;
}

static bool
show_next_stations(struct control_job *job, struct evbuffer *out)
{
	(void)out;
	return !job->reply || show_vm_step(job->seen, job->control->sw);
}

/*
 * What a method returns that has made *result: it is the reply, or, if stations have to be looked
 * for (seen, taken over), it will be.
 */
static int
show_when_seen(struct control *control, struct show_vm *seen, struct json_object **result,
	       struct error *e)
{
	struct control_job *job;

	if (!seen)
		return 0;
	job = control_begin(control, show_next_stations);
	if (!job) {
		show_vm_free(seen);
		json_object_put(*result);
		*result = NULL;
		return error_set(e, RPC_REFUSED, "out of memory");
	}
	job->seen = seen;
	job->result = *result;
	*result = NULL;
	return RPC_LATER;
}

int
show_ports(void *context, struct json_object *params, struct json_object **result, struct error *e)
{
	struct control *control = context;
	struct json_object *ports = json_object_new_array();
	struct port_counts counts;
	struct show_vm *seen = NULL;

	(void)params;
	for (uint32_t i = 0; i < control->conf->n_ports; i++) {
		const struct port_conf *conf = &control->conf->ports[i];
		struct port *port = switch_port_find(control->sw, conf->name);

		struct json_object *object =
			show_port_object(control, conf, port, false, &seen, &counts);

		if (conf->vhost.socket[0]) {
			/* in port.show, they are among what the kind of port says */
			show_text(object, "socket", conf->vhost.socket);
			show_text(object, "mode", conf->vhost.is_client ? "client" : "server");
		}
		json_object_array_add(ports, object);
	}
	*result = json_object_new_object();
	json_object_object_add(*result, "ports", ports);
	return show_when_seen(control, seen, result, e);
}

struct show_report {
	struct report report; /* first: what the kind of port gets */
	struct json_object *details;
};

static void
show_report_text(struct report *report, const char *key, const char *value)
{
	show_text(((struct show_report *)report)->details, key, value);
}

static void
show_report_number(struct report *report, const char *key, uint64_t value)
{
	show_number(((struct show_report *)report)->details, key, value);
}

static void
show_report_flag(struct report *report, const char *key, bool value)
{
	show_flag(((struct show_report *)report)->details, key, value);
}

int
show_port(void *context, struct json_object *params, struct json_object **result, struct error *e)
{
	struct control *control = context;
	const char *name = rpc_text(params, "name");
	struct show_report report = {
		.report = {show_report_text, show_report_number, show_report_flag}};
	const struct port_conf *conf;
	struct port_counts counts;
	struct show_vm *seen = NULL;
	struct port *port;

	if (!name)
		return error_set(e, RPC_INVALID_PARAMS, "parameter name is missing or no text");
	conf = conf_find_port(control->conf, name);
	if (!conf)
		return error_set(e, RPC_REFUSED, "port %.40s: there is no such port", name);
	port = switch_port_find(control->sw, name);
	*result = show_port_object(control, conf, port, true, &seen, &counts);
	json_object_object_add(*result, "drops", show_drops(&counts));
	show_number(*result, "stations", port ? fdb_port_count(control->sw->fdb, port->id) : 0);
	report.details = json_object_new_object();
	if (port && port->ops->show)
		port->ops->show(port, &report.report);
	json_object_object_add(*result, "details", report.details);
	return show_when_seen(control, seen, result, e);
}

static struct json_object *
show_port_stats(const struct control *control, const struct port_conf *conf)
{
	struct port *port = switch_port_find(control->sw, conf->name);
	struct json_object *object = json_object_new_object();
	struct port_counts counts = {0};

	if (port)
		switch_port_counts(control->sw, port, &counts);
	show_text(object, "name", conf->name);
	show_number(object, "rx_frames", counts.rx_frames);
	show_number(object, "rx_bytes", counts.rx_bytes);
	show_number(object, "tx_frames", counts.tx_frames);
	show_number(object, "tx_bytes", counts.tx_bytes);
	show_number(object, "rx_flooded", counts.rx_flooded);
	show_number(object, "tx_contended", counts.tx_contended);
	show_number(object, "notified", counts.notified);
	json_object_object_add(object, "drops", show_drops(&counts));
	return object;
}

int
show_stats(void *context, struct json_object *params, struct json_object **result, struct error *e)
{
	const struct control *control = context;
	const char *name = rpc_text(params, "name");
	struct json_object *ports, *reasons;

	if (params && !name && json_object_object_length(params))
		return error_set(e, RPC_INVALID_PARAMS, "the only parameter is name, a text");
	if (name && !conf_find_port(control->conf, name))
		return error_set(e, RPC_REFUSED, "port %.40s: there is no such port", name);
	ports = json_object_new_array();
	for (uint32_t i = 0; i < control->conf->n_ports; i++)
		if (!name || strcmp(name, control->conf->ports[i].name) == 0)
			json_object_array_add(ports,
					      show_port_stats(control, &control->conf->ports[i]));
	reasons = json_object_new_object();
	for (int i = 0; i < DROP_REASONS; i++)
		show_text(reasons, drop_infos[i].name, drop_infos[i].meaning);
	*result = json_object_new_object();
	json_object_object_add(*result, "ports", ports);
	json_object_object_add(*result, "reasons", reasons);
	show_number(*result, "events_lost", control->sw->n_hints_lost);
	return 0;
}

void
control_sample(struct control *control)
{
	for (uint32_t i = 0; i < control->sw->n_workers; i++) {
		struct worker *w = control->sw->workers[i];
		struct control_sample *s = &control->samples[i];
		uint64_t busy = stats_read(&w->busy_cycles), idle = stats_read(&w->idle_cycles);
		uint64_t n_frames = stats_read(&w->n_frames);
		uint64_t all = busy - s->busy_cycles + idle - s->idle_cycles;

		s->busy_percent = all ? (uint32_t)((busy - s->busy_cycles) * 100 / all) : 0;
		if (n_frames != s->n_frames)
			s->cycles_per_frame = (busy - s->busy_cycles) / (n_frames - s->n_frames);
		s->busy_cycles = busy;
		s->idle_cycles = idle;
		s->n_frames = n_frames;
	}
}

static void
show_poll(const struct poll *poll, struct json_object *queues)
{
	for (uint32_t i = 0; i < poll->n_queues; i++) {
		struct json_object *queue = json_object_new_object();

		show_text(queue, "port", poll->port->conf.name);
		show_number(queue, "queue", poll->queues[i]);
		json_object_array_add(queues, queue);
	}
}

static struct json_object *
show_worker(const struct control *control, const struct worker *w)
{
	const struct control_sample *s = &control->samples[w->id];
	const struct poll_list *polls = show_polls(w);
	struct json_object *object = json_object_new_object(), *queues = json_object_new_array();
	uint32_t idle_max_us = atomic_load_explicit(&w->idle_max_us, memory_order_relaxed);

	show_number(object, "id", w->id);
	show_number(object, "cpu", w->cpu);
	json_object_object_add(object, "node", json_object_new_int(w->node));
	show_text(object, "idle", idle_max_us ? "sleep" : "poll");
	show_number(object, "idle_max_us", idle_max_us);
	show_number(object, "rounds", stats_read(&w->n_rounds));
	show_number(object, "sleeps", stats_read(&w->n_sleeps));
	show_number(object, "busy_percent", s->busy_percent);
	show_number(object, "busy_cycles", stats_read(&w->busy_cycles));
	show_number(object, "cycles_per_frame", s->cycles_per_frame);
	show_number(object, "frames", stats_read(&w->n_frames));
	show_number(object, "batches", stats_read(&w->n_batches));
	for (uint32_t i = 0; polls && i < polls->n; i++)
		show_poll(&polls->polls[i], queues);
	json_object_object_add(object, "queues", queues);
	show_number(object, "mbufs_free", w->pool ? rte_mempool_avail_count(w->pool) : 0);
	show_number(object, "mbufs", w->pool ? w->pool->size : 0);
	return object;
}

int
show_workers(void *context, struct json_object *params, struct json_object **result,
	     struct error *e)
{
	const struct control *control = context;
	struct json_object *workers = json_object_new_array();

	(void)params;
	(void)e;
	for (uint32_t i = 0; i < control->sw->n_workers; i++)
		json_object_array_add(workers, show_worker(control, control->sw->workers[i]));
	*result = json_object_new_object();
	json_object_object_add(*result, "workers", workers);
	return 0;
}

static bool
show_count_up(struct port *port, void *context)
{
	*(uint32_t *)context += port_is_up(port);
	return true;
}

int
show_status(void *context, struct json_object *params, struct json_object **result, struct error *e)
{
	const struct control *control = context;
	struct vswitch *sw = control->sw;
	struct timespec now;
	uint32_t n_up = 0;

	(void)params;
	(void)e;
	clock_gettime(CLOCK_MONOTONIC, &now);
	switch_port_walk(sw, show_count_up, &n_up);
	*result = json_object_new_object();
	show_text(*result, "name", control->conf->name);
	show_text(*result, "version", control->info.version);
	show_text(*result, "dpdk", control->info.dpdk);
	show_text(*result, "cpu_level", control->info.cpu_level);
	show_number(*result, "pid", (uint64_t)getpid());
	show_number(*result, "uptime_s",
		    ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - sw->started_ns) /
			    1000000000);
	show_number(*result, "workers", sw->n_workers);
	show_number(*result, "mtu", control->conf->mtu);
	show_number(*result, "ports", control->conf->n_ports);
	show_number(*result, "ports_up", n_up);
	show_number(*result, "ports_failed", control->failed.n);
	show_number(*result, "stations", fdb_count(sw->fdb));
	show_number(*result, "stations_max", fdb_max(sw->fdb));
	show_flag(*result, "hugepages", control->info.hugepages);
	show_number(*result, "memory", control->info.memory);
	show_number(*result, "retired_pools", mbuf_pools_retired());
	show_text(*result, "config", control->info.conf_path);
	return 0;
}

int
show_config(void *context, struct json_object *params, struct json_object **result, struct error *e)
{
	const struct control *control = context;
	char *text = conf_print(control->conf);

	(void)params;
	if (!text)
		return error_set(e, RPC_REFUSED, "config: out of memory");
	*result = json_object_new_object();
	show_text(*result, "text", text);
	free(text);
	return 0;
}

int
show_version(void *context, struct json_object *params, struct json_object **result,
	     struct error *e)
{
	const struct control *control = context;

	(void)params;
	(void)e;
	*result = json_object_new_object();
	show_text(*result, "version", control->info.version);
	show_text(*result, "dpdk", control->info.dpdk);
	return 0;
}

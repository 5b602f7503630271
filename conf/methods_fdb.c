/* SPDX-License-Identifier: BSD-3-Clause */
/* methods_fdb.c: the methods of the control socket that go through the whole fdb, step by step. */
#include <event2/buffer.h>
#include <json-c/json.h>
#include <stdio.h>

#include <rte_common.h>

#include "control_state.h"
#include "error.h"
#include "fdb.h"
#include "switch.h"

enum {
	LIST_PARTS = 64,   /* of what fdb_parts() takes for a part: stations cost text */
	LIST_ENTRIES = 256 /* that make a step, if there are so many */
};

struct list {
	struct control_job *job;
	struct evbuffer *out;
	const char *names[PORTS_MAX]; /* of ports, by id */
};

static void
add_json(struct evbuffer *out, struct json_object *object, size_t n_cut)
{
	size_t len;
	const char *text = json_object_to_json_string_length(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

	if (text)
		evbuffer_add(out, text, len - n_cut);
}

static bool
note_name(struct port *port, void *context)
{
	struct list *list = context;

	list->names[port->id] = port->conf.name;
	return true;
}

static bool
list_entry(const struct fdb_entry *entry, void *context)
{
	struct list *list = context;
	const char *name = entry->port < PORTS_MAX ? list->names[entry->port] : NULL;
	struct json_object *object;
	char mac[18];

	if (!name) /* was deleted, and will be forgotten */
		return true;
	if (list->job->n == CONTROL_FDB_LIST_MAX)
		return false;
	object = json_object_new_object();
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", entry->mac[0], entry->mac[1],
		 entry->mac[2], entry->mac[3], entry->mac[4], entry->mac[5]);
	json_object_object_add(object, "vlan", json_object_new_int(entry->vlan));
	json_object_object_add(object, "mac", json_object_new_string(mac));
	json_object_object_add(object, "port", json_object_new_string(name));
	json_object_object_add(object, "age_s", json_object_new_uint64(entry->age_s));
	json_object_object_add(object, "static", json_object_new_boolean(entry->is_static));
	if (list->job->n++ > 0)
		evbuffer_add(list->out, ",", 1);
	add_json(list->out, object, 0);
	json_object_put(object);
	return true;
}

/* The reply is written as it comes: a large one is never there as a whole. */
static bool
list_step(struct control_job *job, struct evbuffer *out)
{
	struct vswitch *sw = job->control->sw;
	uint32_t now_s = atomic_load_explicit(&sw->now_s, memory_order_relaxed);
	uint32_t parts = LIST_PARTS * fdb_parts(sw->fdb), n = job->n;
	struct list list = {.job = job, .out = out};
	bool is_whole = true;

	if (!job->reply)
		return true;
	if (job->part == 0) {
		add_json(out, job->reply, 1); /* without its closing brace */
		evbuffer_add_printf(out, ",\"result\":{\"entries\":[");
	}
	switch_port_walk(sw, note_name, &list);
	for (uint32_t i = 0; i < LIST_PARTS && job->part < parts && is_whole; i++) {
		is_whole = fdb_walk_part(sw->fdb, now_s, job->part++, parts, list_entry, &list);
		if (job->n - n >= LIST_ENTRIES)
			break;
	}
	if (is_whole && job->part < parts)
		return false;
	/* while it was listed it may have changed: all that there was is all */
	evbuffer_add_printf(out, "],\"n\":%u,\"max\":%u}}\n",
			    is_whole ? job->n : RTE_MAX(job->n, fdb_count(sw->fdb)),
			    fdb_max(sw->fdb));
	return true;
}

int
fdb_list(void *context, struct json_object *params, struct json_object **result, struct error *e)
{
	(void)params;
	(void)result;
	if (!control_begin(context, list_step))
		return error_set(e, RPC_REFUSED, "out of memory");
	return RPC_LATER;
}

static bool
forget_next(struct control_job *job, struct evbuffer *out)
{
	struct fdb *fdb = job->control->sw->fdb;
	uint32_t parts = fdb_parts(fdb);

	(void)out;
	job->n += fdb_flush_part(fdb, job->has_port ? job->ports : NULL, false, job->part, parts);
	if (++job->part < parts)
		return false;
	job->result = json_object_new_object();
	json_object_object_add(job->result, "flushed", json_object_new_uint64(job->n));
	return true;
}

int
fdb_forget(void *context, struct json_object *params, struct json_object **result, struct error *e)
{
	struct control *control = context;
	const char *name = rpc_text(params, "port");
	const struct port *port = NULL;
	struct control_job *job;

	(void)result;
	if (params && !name && json_object_object_get_ex(params, "port", NULL))
		return error_set(e, RPC_INVALID_PARAMS, "parameter port is missing or no text");
	if (name && !(port = switch_port_find(control->sw, name)))
		return error_set(e, RPC_REFUSED, "port %.40s: there is no such port", name);
	job = control_begin(control, forget_next);
	if (!job)
		return error_set(e, RPC_REFUSED, "out of memory");
	if (port) {
		job->has_port = true;
		job->ports[port->id / 64] = 1ull << port->id % 64;
	}
	methods_log(control, "fdb.flush", name ? name : "of all ports");
	return RPC_LATER;
}

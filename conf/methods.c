/* SPDX-License-Identifier: BSD-3-Clause */
/* methods.c: the methods of the control socket; those that change something. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_state.h"
#include "error.h"
#include "log.h"
#include "switch.h"
#include "text.h"

void
methods_log(const struct control *control, const char *what, const char *on)
{
	const struct control_client *caller = control->caller;

	if (caller)
		log_info("control: pid %ld of user %ld: %s %s", (long)caller->peer.pid,
			 (long)caller->peer.uid, what, on);
}

/* The parameter of that name, which must be a text. */
static int
methods_need(struct json_object *params, const char *key, const char **text, struct error *e)
{
	*text = rpc_text(params, key);
	if (*text)
		return 0;
	return error_set(e, RPC_INVALID_PARAMS, "parameter %s is missing or no text", key);
}

static int
methods_apply(struct control *control, struct conf *next, struct error *e)
{
	return control_apply(control, next, e) ? RPC_REFUSED : 0;
}

/* The keys of a port that came along, as YAML. */
static int
methods_keys(struct json_object *params, const char **text, struct error *e)
{
	if (!params)
		return error_set(e, RPC_INVALID_PARAMS, "the keys of a port are missing");
	/* JSON is YAML; with spaces it is so for every parser */
	*text = json_object_to_json_string_ext(params, JSON_C_TO_STRING_SPACED |
							       JSON_C_TO_STRING_NOSLASHESCAPE);
	return *text ? 0 : error_set(e, RPC_REFUSED, "port: out of memory");
}

/* Applies next (taken over), in which the port that params name is another one. */
static int
methods_apply_keys(struct control *control, struct conf *next, const char *what,
		   struct json_object *params, struct json_object **result, struct error *e)
{
	struct json_object *name;
	int rc = methods_apply(control, next, e);

	if (rc)
		return rc;
	json_object_object_get_ex(params, "name", &name);
	methods_log(control, what, json_object_get_string(name));
	*result = json_object_new_object();
	json_object_object_add(*result, "name", json_object_get(name));
	return 0;
}

static int
methods_port_add(void *context, struct json_object *params, struct json_object **result,
		 struct error *e)
{
	struct control *control = context;
	struct conf *next;
	const char *text;
	int rc = methods_keys(params, &text, e);

	if (rc)
		return rc;
	if (conf_add_port(control->conf, text, strlen(text), control->sw->kinds, &next, e))
		return RPC_REFUSED;
	return methods_apply_keys(control, next, "port.add", params, result, e);
}

static int
methods_port_set(void *context, struct json_object *params, struct json_object **result,
		 struct error *e)
{
	struct control *control = context;
	struct conf *next;
	const char *text;
	int rc = methods_keys(params, &text, e);

	if (rc)
		return rc;
	if (conf_set_port(control->conf, text, strlen(text), control->sw->kinds, &next, e))
		return RPC_REFUSED;
	return methods_apply_keys(control, next, "port.set", params, result, e);
}

static int
methods_port_del(void *context, struct json_object *params, struct json_object **result,
		 struct error *e)
{
	struct control *control = context;
	struct conf *next;
	const char *name;
	int rc;

	rc = methods_need(params, "name", &name, e);
	if (rc)
		return rc;
	if (conf_del_port(control->conf, name, &next, e))
		return RPC_REFUSED;
	rc = methods_apply(control, next, e);
	if (rc)
		return rc;
	methods_log(control, "port.del", name);
	*result = json_object_new_object();
	json_object_object_add(*result, "name", json_object_new_string(name));
	return 0;
}

static int
methods_port_restart(void *context, struct json_object *params, struct json_object **result,
		     struct error *e)
{
	struct control *control = context;
	struct port *port;
	const char *name;
	int rc;

	rc = methods_need(params, "name", &name, e);
	if (rc)
		return rc;
	if (!conf_find_port(control->conf, name))
		return error_set(e, RPC_REFUSED, "port %.40s: there is no such port", name);
	port = switch_port_find(control->sw, name);
	if (!port)
		return error_set(e, RPC_REFUSED, "%s", control_failed_reason(control, name));
	if (!port->ops->restart)
		return error_set(e, RPC_REFUSED, "port %s: a %s port has no device to restart",
				 name, port->ops->type);
	/* before: one that fails has stopped the device all the same */
	methods_log(control, "port.restart", name);
	if (port->ops->restart(port, e))
		return RPC_REFUSED;
	*result = json_object_new_object();
	json_object_object_add(*result, "name", json_object_new_string(name));
	return 0;
}

/* Loads the text that came along; its name is for errors only. */
static int
methods_load(struct control *control, struct json_object *params, struct conf **conf,
	     struct error *e)
{
	struct json_object *text;
	const char *name = "text";
	int rc = 0;

	if (params && json_object_object_get_ex(params, "name", NULL))
		rc = methods_need(params, "name", &name, e);
	if (rc)
		return rc;
	if (!text_is_printable(name, strlen(name)))
		return error_set(e, RPC_INVALID_PARAMS,
				 "parameter name contains a control character or line break, which "
				 "no name of a file may");
	if (!params || !json_object_object_get_ex(params, "text", &text) ||
	    !json_object_is_type(text, json_type_string))
		return error_set(e, RPC_INVALID_PARAMS, "parameter text is missing or no text");
	if (conf_load_text(json_object_get_string(text), (size_t)json_object_get_string_len(text),
			   name, control->sw->kinds, conf, e))
		return RPC_REFUSED;
	return 0;
}

static struct json_object *
methods_count(const struct conf *conf)
{
	struct json_object *result = json_object_new_object();

	json_object_object_add(result, "ports", json_object_new_uint64(conf->n_ports));
	return result;
}

static int
methods_config_check(void *context, struct json_object *params, struct json_object **result,
		     struct error *e)
{
	struct control *control = context;
	struct switch_conf unused;
	struct conf *conf;
	int rc;

	rc = methods_load(control, params, &conf, e);
	if (rc)
		return rc;
	if (conf_switch(conf, &control->info.cpus, &unused, e) ||
	    conf_check_ports(conf, control->sw->kinds, e))
		rc = RPC_REFUSED;
	else
		*result = methods_count(conf);
	conf_free(conf);
	return rc;
}

static int
methods_config_apply(void *context, struct json_object *params, struct json_object **result,
		     struct error *e)
{
	struct control *control = context;
	struct conf *conf;
	int rc;

	rc = methods_load(control, params, &conf, e);
	if (rc)
		return rc;
	if (control_replace(control, conf, e))
		return RPC_REFUSED;
	methods_log(control, "config.apply", control->conf->source);
	*result = methods_count(control->conf);
	return 0;
}

const struct rpc_method control_methods[] = {
	{.name = "status", .call = show_status},
	{.name = "port.list", .call = show_ports},
	{.name = "port.show", .params = {"name"}, .call = show_port},
	{.name = "port.add", .takes_any = true, .call = methods_port_add},
	{.name = "port.set", .takes_any = true, .call = methods_port_set},
	{.name = "port.del", .params = {"name"}, .call = methods_port_del},
	{.name = "port.restart", .params = {"name"}, .call = methods_port_restart},
	{.name = "fdb.list", .call = fdb_list},
	{.name = "fdb.flush", .params = {"port"}, .call = fdb_forget},
	{.name = "stats", .params = {"name"}, .call = show_stats},
	{.name = "worker.list", .call = show_workers},
	{.name = "config.show", .call = show_config},
	{.name = "config.check", .params = {"text", "name"}, .call = methods_config_check},
	{.name = "config.apply", .params = {"text", "name"}, .call = methods_config_apply},
	{.name = "version", .call = show_version},
	{.name = NULL},
};

/* SPDX-License-Identifier: BSD-3-Clause */
/* schema.c: see schema.h. */
#include "schema.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cyaml/cyaml.h>

#include "error.h"
#include "port.h"
#include "text.h"
#include "worker.h"

enum {
	OPT = CYAML_FLAG_OPTIONAL,
	OPT_PTR = CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER,
	OPT_NULL = CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER_NULL,
	PATH_MAX_DEPTH = TEXT_DEPTH_MAX,
};

static const cyaml_schema_value_t schema_string = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t schema_fdb[] = {
	CYAML_FIELD_STRING_PTR("max", OPT_PTR, struct raw_fdb, max, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("ageing", OPT_PTR, struct raw_fdb, ageing, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t schema_offloads[] = {
	CYAML_FIELD_STRING_PTR("checksum", OPT_PTR, struct raw_offloads, checksum, 0,
			       CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("tso", OPT_PTR, struct raw_offloads, tso, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("uso", OPT_PTR, struct raw_offloads, uso, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t schema_vm[] = {
	CYAML_FIELD_STRING_PTR("name", OPT_PTR, struct raw_vm, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("nic", OPT_PTR, struct raw_vm, nic, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("mac", OPT_PTR, struct raw_vm, mac, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("memory", OPT_PTR, struct raw_vm, memory, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("auto", OPT_PTR, struct raw_vm, is_auto, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t schema_switch[] = {
	CYAML_FIELD_STRING_PTR("name", OPT_PTR, struct raw_switch, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("workers", OPT_PTR, struct raw_switch, workers, &schema_string, 0,
			     WORKERS_MAX),
	CYAML_FIELD_STRING_PTR("idle", OPT_PTR, struct raw_switch, idle, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("idle_max_us", OPT_PTR, struct raw_switch, idle_max_us, 0,
			       CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("control", OPT_PTR, struct raw_switch, control, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("state", OPT_PTR, struct raw_switch, state, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("memory", OPT_PTR, struct raw_switch, memory, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("hugepages", OPT_PTR, struct raw_switch, hugepages, 0,
			       CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("log", OPT_PTR, struct raw_switch, log, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("mtu", OPT_PTR, struct raw_switch, mtu, 0, CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING_PTR("fdb", OPT_NULL, struct raw_switch, fdb, schema_fdb),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t schema_port[] = {
	CYAML_FIELD_STRING_PTR("name", OPT_PTR, struct raw_port, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("type", OPT_PTR, struct raw_port, type, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("lcores", OPT_PTR, struct raw_port, lcores, &schema_string, 0,
			     PORT_LCORES_MAX),
	CYAML_FIELD_STRING_PTR("queues", OPT_PTR, struct raw_port, queues, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("mtu", OPT_PTR, struct raw_port, mtu, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("max_macs", OPT_PTR, struct raw_port, max_macs, 0, CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING_PTR("offloads", OPT_PTR, struct raw_port, offloads, schema_offloads),
	CYAML_FIELD_STRING_PTR("socket", OPT_PTR, struct raw_port, socket, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("mode", OPT_PTR, struct raw_port, mode, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("datapath", OPT_PTR, struct raw_port, datapath, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("viommu", OPT_PTR, struct raw_port, viommu, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("features", OPT_PTR, struct raw_port, features, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("owner", OPT_PTR, struct raw_port, owner, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("group", OPT_PTR, struct raw_port, group, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("permissions", OPT_PTR, struct raw_port, permissions, 0,
			       CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING_PTR("vm", OPT_PTR, struct raw_port, vm, schema_vm),
	CYAML_FIELD_STRING_PTR("selinux", OPT_PTR, struct raw_port, selinux, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("ifname", OPT_PTR, struct raw_port, ifname, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("backend", OPT_PTR, struct raw_port, backend, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("mac", OPT_PTR, struct raw_port, mac, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("address", OPT_PTR, struct raw_port, address, &schema_string, 0,
			     PORT_ADDRESSES_MAX),
	CYAML_FIELD_STRING_PTR("filter", OPT_PTR, struct raw_port, filter, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("vlans", OPT_PTR, struct raw_port, vlans, &schema_string, 0,
			     PORT_VLANS_MAX),
	CYAML_FIELD_STRING_PTR("pf", OPT_PTR, struct raw_port, pf, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("vf", OPT_PTR, struct raw_port, vf, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("num_vfs", OPT_PTR, struct raw_port, num_vfs, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("pci", OPT_PTR, struct raw_port, pci, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("vlan", OPT_PTR, struct raw_port, vlan, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("trust", OPT_PTR, struct raw_port, trust, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("spoofcheck", OPT_PTR, struct raw_port, spoofcheck, 0,
			       CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("link_state", OPT_PTR, struct raw_port, link_state, 0,
			       CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("min_rate", OPT_PTR, struct raw_port, min_rate, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("max_rate", OPT_PTR, struct raw_port, max_rate, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("devargs", OPT_PTR, struct raw_port, devargs, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t schema_port_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_port, schema_port),
};

static const cyaml_schema_field_t schema_file[] = {
	CYAML_FIELD_MAPPING_PTR("switch", OPT_NULL, struct raw, sw, schema_switch),
	CYAML_FIELD_SEQUENCE("ports", OPT_NULL, struct raw, ports, &schema_port_entry, 0,
			     PORTS_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t schema_root = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw, schema_file),
};

static const cyaml_schema_value_t schema_port_root = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_port, schema_port),
};

const struct schema_own_key schema_own_keys[] = {
	{"socket", {"vhost-user"}},
	{"mode", {"vhost-user"}},
	{"datapath", {"vhost-user"}},
	{"viommu", {"vhost-user"}},
	{"features", {"vhost-user"}},
	{"owner", {"vhost-user"}},
	{"group", {"vhost-user"}},
	{"permissions", {"vhost-user"}},
	{"vm", {"vhost-user"}},
	{"selinux", {"vhost-user"}},
	{"ifname", {"tap"}},
	{"backend", {"tap"}},
	{"mac", {"tap", "vf"}},
	{"address", {"tap"}},
	{"filter", {"vf", "ethdev"}},
	{"vlans", {"vf", "ethdev"}},
	{"pf", {"vf"}},
	{"vf", {"vf"}},
	{"num_vfs", {"vf"}},
	{"pci", {"vf"}},
	{"vlan", {"vf"}},
	{"trust", {"vf"}},
	{"spoofcheck", {"vf"}},
	{"link_state", {"vf"}},
	{"min_rate", {"vf"}},
	{"max_rate", {"vf"}},
	{"devargs", {"ethdev"}},
	{NULL, {NULL}},
};

/* A step of the way to what libcyaml refused: a key, or an entry (from 1) where key is empty. */
struct step {
	char key[32];
	unsigned int entry;
};

/* What libcyaml says of the first thing it refuses: a message, then the way there, inside out. */
struct refusal {
	char message[200];
	unsigned int n_steps;
	struct step steps[PATH_MAX_DEPTH];
};

static void
schema_log(cyaml_log_t level, void *context, const char *format, va_list args)
{
	struct refusal *refusal = context;
	char line[sizeof(refusal->message)];
	struct step step = {0};

	if (level < CYAML_LOG_ERROR)
		return;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = 0;
	if (!refusal->message[0]) {
		snprintf(refusal->message, sizeof(refusal->message), "%s",
			 strncmp(line, "Load: ", 6) == 0 ? line + 6 : line);
		return;
	}
	if (refusal->n_steps == PATH_MAX_DEPTH)
		return;
	if (sscanf(line, "  in mapping field '%31[^']'", step.key) == 1 ||
	    sscanf(line, "  in sequence entry '%u'", &step.entry) == 1)
		refusal->steps[refusal->n_steps++] = step;
}

/* Follows the steps through the text and writes them as `ports: vm1: `; the node they lead to. */
static yaml_node_t *
schema_follow(struct text *text, const struct refusal *refusal, const cyaml_schema_value_t **schema,
	      const yaml_node_t **line, char *path, size_t path_len)
{
	yaml_node_t *node = text_root(text);
	size_t used = 0;

	*line = node;
	path[0] = 0;
	for (unsigned int i = refusal->n_steps; i-- > 0 && node;) {
		const struct step *step = &refusal->steps[i];
		const cyaml_schema_field_t *field = NULL;
		const char *name;

		if (step->key[0]) {
			*line = text_key(text, node, step->key);
			node = text_value(text, node, step->key);
			if ((*schema)->type == CYAML_MAPPING)
				for (field = (*schema)->mapping.fields; field->key; field++)
					if (strcmp(field->key, step->key) == 0)
						break;
			if (field && field->key)
				*schema = &field->value;
			used += (size_t)snprintf(path + used, path_len - used, "%s: ", step->key);
		} else {
			node = text_entry(text, node, step->entry - 1);
			*line = node;
			if ((*schema)->type == CYAML_SEQUENCE)
				*schema = (*schema)->sequence.entry;
			name = text_scalar(text_value(text, node, "name"));
			if (name && name[0])
				used += (size_t)snprintf(path + used, path_len - used,
							 "%.40s: ", name);
			else
				used += (size_t)snprintf(path + used, path_len - used,
							 "entry %u: ", step->entry);
		}
		if (used >= path_len)
			used = path_len - 1;
	}
	return node;
}

static void
schema_list_keys(const cyaml_schema_value_t *schema, char *keys, size_t len)
{
	size_t used = 0;

	keys[0] = 0;
	if (schema->type != CYAML_MAPPING)
		return;
	for (const cyaml_schema_field_t *f = schema->mapping.fields; f->key && used < len; f++)
		used += (size_t)snprintf(keys + used, len - used, "%s%s", used ? ", " : "", f->key);
}

static const char *
schema_expected(const char *message)
{
	if (strncmp(message, "Expecting SEQUENCE", 18) == 0)
		return "a list is expected here, as in [1, 2]";
	if (strncmp(message, "Expecting MAPPING", 17) == 0)
		return "keys with values are expected here, as in {key: value}";
	return "one value is expected here";
}

/* Makes one sentence of what libcyaml refused. */
static int
schema_refuse(struct text *text, struct refusal *refusal, const cyaml_schema_value_t *schema,
	      cyaml_err_t code, struct error *e)
{
	static const char unexpected[] = "Unexpected key: ",
			  seen[] = "Mapping field already seen: ";
	char where[TEXT_WHERE_MAX], path[160], keys[400];
	const char *message = refusal->message;
	const yaml_node_t *line;
	yaml_node_t *node;
	unsigned int max = 0;

	if (code == CYAML_ERR_OOM)
		return error_set(e, -ENOMEM, "out of memory");
	/* the list is what has too many entries, not its last entry */
	if (sscanf(message, "Excessive entries (%u", &max) == 1 && refusal->n_steps)
		memmove(&refusal->steps[0], &refusal->steps[1],
			--refusal->n_steps * sizeof(refusal->steps[0]));
	node = schema_follow(text, refusal, &schema, &line, path, sizeof(path));
	if (code == CYAML_ERR_INVALID_KEY &&
	    strncmp(message, unexpected, strlen(unexpected)) == 0) {
		const char *key = message + strlen(unexpected);

		schema_list_keys(schema, keys, sizeof(keys));
		text_where(text, text_key(text, node, key), where);
		return error_set(e, -EINVAL, "%s%s%.40s: there is no such key; there are %s", where,
				 path, key, keys);
	}
	text_where(text, line ? line : node, where);
	if (path[0])
		path[strlen(path) - 2] = 0; /* the last ": " */
	if (strncmp(message, seen, strlen(seen)) == 0)
		return error_set(e, -EINVAL, "%s%s: is there twice", where, path);
	if (strncmp(message, "Expecting ", 10) == 0)
		return error_set(e, -EINVAL, "%s%s: %s", where, path, schema_expected(message));
	if (max)
		return error_set(e, -EINVAL, "%s%s: there are more than %u entries", where, path,
				 max);
	return error_set(e, -EINVAL, "%s%s%s%s (%s)", where, path, path[0] ? ": " : "",
			 message[0] ? message : "can't be read", cyaml_strerror(code));
}

static cyaml_config_t
schema_config(struct refusal *refusal)
{
	return (cyaml_config_t){
		.log_fn = schema_log,
		.log_ctx = refusal,
		.log_level = CYAML_LOG_ERROR,
		.mem_fn = cyaml_mem,
		.flags = CYAML_CFG_NO_ALIAS,
	};
}

static int
schema_load_as(struct text *text, const cyaml_schema_value_t *schema, void **raw, struct error *e)
{
	struct refusal refusal = {0};
	cyaml_config_t config = schema_config(&refusal);
	cyaml_data_t *data = NULL;
	cyaml_err_t code;

	*raw = NULL;
	code = cyaml_load_data((const uint8_t *)text->bytes, text->len, &config, schema, &data,
			       NULL);
	if (code != CYAML_OK)
		return schema_refuse(text, &refusal, schema, code, e);
	if (!data)
		return error_set(e, -EINVAL, "%s: there is nothing in it",
				 text->name ? text->name : "text");
	*raw = data;
	return 0;
}

int
schema_load(struct text *text, struct raw **raw, struct error *e)
{
	void *data;
	int rc = schema_load_as(text, &schema_root, &data, e);

	*raw = data;
	return rc;
}

int
schema_load_port(struct text *text, struct raw_port **raw, struct error *e)
{
	void *data;
	int rc = schema_load_as(text, &schema_port_root, &data, e);

	*raw = data;
	return rc;
}

void
schema_free(struct raw *raw)
{
	struct refusal refusal = {0};
	cyaml_config_t config = schema_config(&refusal);

	if (raw)
		cyaml_free(&config, &schema_root, raw, 0);
}

void
schema_free_port(struct raw_port *raw)
{
	struct refusal refusal = {0};
	cyaml_config_t config = schema_config(&refusal);

	if (raw)
		cyaml_free(&config, &schema_port_root, raw, 0);
}

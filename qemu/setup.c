/* SPDX-License-Identifier: BSD-3-Clause */
/* setup.c: see setup.h. */
#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

enum {
	MEMORY_DEFAULT_M = 256
};

static yaml_node_t *
setup_get(yaml_document_t *doc, const yaml_node_t *map, const char *key)
{
	const yaml_node_pair_t *pair;

	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
		const yaml_node_t *k = yaml_document_get_node(doc, pair->key);

		if (k && k->type == YAML_SCALAR_NODE &&
		    strcmp((const char *)k->data.scalar.value, key) == 0)
			return yaml_document_get_node(doc, pair->value);
	}
	return NULL;
}

static const char *
setup_scalar(const yaml_node_t *node)
{
	return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

static void
setup_text(yaml_document_t *doc, const yaml_node_t *map, const char *key, char *out, size_t len)
{
	snprintf(out, len, "%s", setup_scalar(setup_get(doc, map, key)));
}

static bool
setup_is(yaml_document_t *doc, const yaml_node_t *map, const char *key, const char *value)
{
	return strcmp(setup_scalar(setup_get(doc, map, key)), value) == 0;
}

static void
setup_read_switch(yaml_document_t *doc, const yaml_node_t *map, struct setup *setup)
{
	const yaml_node_t *list = setup_get(doc, map, "workers");
	const char *memory = setup_scalar(setup_get(doc, map, "memory"));
	const yaml_node_item_t *item;
	char *unit;

	setup->polls = setup_is(doc, map, "idle", "poll");
	setup->hugepages = !setup_is(doc, map, "hugepages", "false") &&
			   !setup_is(doc, map, "hugepages", "no") &&
			   !setup_is(doc, map, "hugepages", "off");
	if (memory[0]) {
		setup->memory = strtoull(memory, &unit, 10);
		setup->memory <<= *unit == 'K' ? 10 : *unit == 'M' ? 20 : *unit == 'G' ? 30 : 0;
	}
	if (!list || list->type != YAML_SEQUENCE_NODE)
		return;
	for (item = list->data.sequence.items.start; item < list->data.sequence.items.top; item++) {
		const char *cpu = setup_scalar(yaml_document_get_node(doc, *item));
		unsigned long number = strtoul(cpu, NULL, 10);

		if (cpu[0] && number < SETUP_CPUS_MAX)
			setup->workers[number] = setup->has_workers = true;
	}
}

static void
setup_read_port(yaml_document_t *doc, const yaml_node_t *map, struct setup_port *port)
{
	char device[SETUP_WORD_MAX];

	setup_text(doc, map, "name", port->name, sizeof(port->name));
	setup_text(doc, map, "type", port->type, sizeof(port->type));
	setup_text(doc, map, "socket", port->socket, sizeof(port->socket));
	setup_text(doc, map, "group", port->group, sizeof(port->group));
	port->is_client = setup_is(doc, map, "mode", "client");
	setup_text(doc, map, "pci", port->device, sizeof(port->device));
	if (!port->device[0])
		setup_text(doc, map, "pf", port->device, sizeof(port->device));
	/* other devargs begin with the name of a driver, and need no IOMMU */
	setup_text(doc, map, "devargs", device, sizeof(device));
	device[strcspn(device, ",")] = 0;
	if (strchr(device, ':'))
		memcpy(port->device, device, sizeof(device));
}

static int
setup_read(yaml_document_t *doc, struct setup *setup)
{
	const yaml_node_t *root = yaml_document_get_root_node(doc);
	const yaml_node_t *list = setup_get(doc, root, "ports");
	const yaml_node_item_t *item;
	size_t n;

	setup_read_switch(doc, setup_get(doc, root, "switch"), setup);
	if (!list || list->type != YAML_SEQUENCE_NODE)
		return 0;
	n = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
	setup->ports = calloc(n + 1, sizeof(*setup->ports));
	if (!setup->ports)
		return -ENOMEM;
	for (item = list->data.sequence.items.start; item < list->data.sequence.items.top; item++)
		setup_read_port(doc, yaml_document_get_node(doc, *item),
				&setup->ports[setup->n_ports++]);
	return 0;
}

int
setup_parse(const char *text, size_t len, struct setup *setup, char why[SETUP_WHY_MAX])
{
	yaml_document_t doc;
	yaml_parser_t parser;
	int rc = -ENOMEM;

	*setup = (struct setup){.memory = (uint64_t)MEMORY_DEFAULT_M << 20, .hugepages = true};
	snprintf(why, SETUP_WHY_MAX, "out of memory");
	if (!yaml_parser_initialize(&parser))
		return rc;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (yaml_parser_load(&parser, &doc)) {
		rc = setup_read(&doc, setup);
		yaml_document_delete(&doc);
	} else {
		snprintf(why, SETUP_WHY_MAX, "line %zu: %s", parser.problem_mark.line + 1,
			 parser.problem ? parser.problem : "is no YAML");
		rc = -EINVAL;
	}
	yaml_parser_delete(&parser);
	return rc;
}

void
setup_free(struct setup *setup)
{
	free(setup->ports);
	setup->ports = NULL;
	setup->n_ports = 0;
}

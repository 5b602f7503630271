/* SPDX-License-Identifier: BSD-3-Clause */
/* text.c: see text.h. */
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "printable.h"

void
text_where(const struct text *t, const yaml_node_t *node, char where[TEXT_WHERE_MAX])
{
	where[0] = 0;
	if (t->name && node)
		snprintf(where, TEXT_WHERE_MAX, "%.340s:%zu: ", t->name, node->start_mark.line + 1);
	else if (t->name)
		snprintf(where, TEXT_WHERE_MAX, "%.340s: ", t->name);
}

static int
text_fail(const struct text *t, size_t line, struct error *e, const char *what, const char *more)
{
	if (t->name)
		return error_set(e, -EINVAL, "%.340s:%zu: %s%s", t->name, line + 1, what, more);
	return error_set(e, -EINVAL, "%s%s", what, more);
}

/* What libyaml found wrong. Its reader knows only the byte, its scanner and parser the line. */
static int
text_fail_parser(const struct text *t, const yaml_parser_t *parser, struct error *e)
{
	size_t line = 0;

	if (parser->error == YAML_MEMORY_ERROR)
		return error_set(e, -ENOMEM, "out of memory");
	if (parser->error != YAML_READER_ERROR)
		return text_fail(t, parser->problem_mark.line, e, "not valid YAML: ",
				 parser->problem ? parser->problem : "unknown reason");
	for (size_t i = 0; i < parser->problem_offset && i < t->len; i++)
		line += t->bytes[i] == '\n';
	return text_fail(t, line, e,
			 "not UTF-8 text: ", parser->problem ? parser->problem : "unknown reason");
}

bool
text_is_printable(const char *s, size_t len)
{
	static const char *const refused[] = {"\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff"};

	for (size_t i = 0; i < len; i++) {
		if (printable_control(s + i))
			return false;
		for (size_t r = 0; r < sizeof(refused) / sizeof(refused[0]); r++)
			if (len - i >= 3 && memcmp(s + i, refused[r], 3) == 0)
				return false;
	}
	return true;
}

struct scan {
	uint32_t depth;
	uint32_t n_documents;
};

/* Judges one event of the stream. */
static int
text_scan_event(const struct text *t, struct scan *scan, const yaml_event_t *event, struct error *e)
{
	const yaml_char_t *anchor = NULL;
	size_t line = event->start_mark.line;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (scan->n_documents++)
			return text_fail(t, line, e, "a second document begins here; ",
					 "a configuration is one document");
		break;
	case YAML_ALIAS_EVENT:
		return text_fail(t, line, e, "aliases (*name) are not allowed; ",
				 "write the value itself");
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		if (!text_is_printable((const char *)event->data.scalar.value,
				       event->data.scalar.length))
			return text_fail(t, line, e, "a value contains a control character or ",
					 "line break, which no value may");
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		scan->depth++;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		scan->depth++;
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		scan->depth--;
		break;
	default:
		break;
	}
	if (anchor)
		return text_fail(t, line, e, "anchors (&name) are not allowed; ",
				 "write the value itself");
	if (scan->depth > TEXT_DEPTH_MAX)
		return text_fail(t, line, e, "mappings and lists are nested deeper ",
				 "than any key of a configuration is");
	return 0;
}

/* Reads all events before anything is built from them. */
static int
text_scan(const struct text *t, struct error *e)
{
	struct scan scan = {0};
	yaml_parser_t parser;
	yaml_event_t event;
	bool at_end = false;
	int rc = 0;

	if (!yaml_parser_initialize(&parser))
		return error_set(e, -ENOMEM, "out of memory");
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)t->bytes, t->len);
	while (!rc && !at_end) {
		if (!yaml_parser_parse(&parser, &event)) {
			rc = text_fail_parser(t, &parser, e);
			break;
		}
		rc = text_scan_event(t, &scan, &event, e);
		at_end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return rc;
}

const char *
text_scalar(const yaml_node_t *node)
{
	if (!node || node->type != YAML_SCALAR_NODE)
		return NULL;
	return (const char *)node->data.scalar.value;
}

/* Keys are single values; libcyaml has no word for others. */
static int
text_check_keys(struct text *t, struct error *e)
{
	for (yaml_node_t *n = t->document.nodes.start; n < t->document.nodes.top; n++) {
		if (n->type != YAML_MAPPING_NODE)
			continue;
		for (yaml_node_pair_t *pair = n->data.mapping.pairs.start;
		     pair < n->data.mapping.pairs.top; pair++) {
			yaml_node_t *key = yaml_document_get_node(&t->document, pair->key);

			if (!text_scalar(key))
				return text_fail(t, key->start_mark.line, e,
						 "a list or mapping can't ", "be a key");
		}
	}
	return 0;
}

int
text_init(struct text *t, const char *name, const char *bytes, size_t len, struct error *e)
{
	yaml_parser_t parser;
	yaml_node_t *root;
	int rc;

	*t = (struct text){.name = name, .bytes = bytes, .len = len};
	rc = text_scan(t, e);
	if (rc)
		return rc;
	if (!yaml_parser_initialize(&parser))
		return error_set(e, -ENOMEM, "out of memory");
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
	t->loaded = yaml_parser_load(&parser, &t->document);
	if (!t->loaded)
		rc = text_fail_parser(t, &parser, e);
	yaml_parser_delete(&parser);
	if (rc)
		return rc;
	root = text_root(t);
	if (!root || (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0))
		return text_fail(t, 0, e, "there is nothing in it; ",
				 "a switch without ports is written `ports: []`");
	if (root->type != YAML_MAPPING_NODE)
		return text_fail(t, root->start_mark.line, e, "expected keys with values ",
				 "(`key: value`), found something else");
	return text_check_keys(t, e);
}

void
text_fini(struct text *t)
{
	if (t->loaded)
		yaml_document_delete(&t->document);
	t->loaded = false;
}

yaml_node_t *
text_root(struct text *t)
{
	return yaml_document_get_root_node(&t->document);
}

static const yaml_node_pair_t *
text_pair(struct text *t, const yaml_node_t *map, const char *key)
{
	const yaml_node_pair_t *pair, *found = NULL;

	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
		const char *text = text_scalar(yaml_document_get_node(&t->document, pair->key));

		if (text && strcmp(text, key) == 0)
			found = pair;
	}
	return found;
}

yaml_node_t *
text_value(struct text *t, const yaml_node_t *map, const char *key)
{
	const yaml_node_pair_t *pair = text_pair(t, map, key);

	return pair ? yaml_document_get_node(&t->document, pair->value) : NULL;
}

yaml_node_t *
text_key(struct text *t, const yaml_node_t *map, const char *key)
{
	const yaml_node_pair_t *pair = text_pair(t, map, key);

	return pair ? yaml_document_get_node(&t->document, pair->key) : NULL;
}

yaml_node_t *
text_entry(struct text *t, const yaml_node_t *list, size_t i)
{
	if (!list || list->type != YAML_SEQUENCE_NODE)
		return NULL;
	if (i >= (size_t)(list->data.sequence.items.top - list->data.sequence.items.start))
		return NULL;
	return yaml_document_get_node(&t->document, list->data.sequence.items.start[i]);
}

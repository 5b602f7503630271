/* SPDX-License-Identifier: BSD-3-Clause */
/* merge.c: see merge.h. */
#include "merge.h"

#include <stdio.h>
#include <stdlib.h>

/* text.c lets no control characters in, so that these two are all there is to escape. */
static void
merge_scalar(FILE *out, const char *value)
{
	putc('"', out);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			putc('\\', out);
		putc(*value, out);
	}
	putc('"', out);
}

static void merge_write_maps(FILE *out, struct text *t, const yaml_node_t *map, struct text *other,
			     const yaml_node_t *changes);

static void
merge_write(FILE *out, struct text *t, const yaml_node_t *node)
{
	const yaml_node_t *entry;

	if (node->type == YAML_MAPPING_NODE) {
		merge_write_maps(out, t, node, NULL, NULL);
	} else if (node->type == YAML_SEQUENCE_NODE) {
		putc('[', out);
		for (size_t i = 0; (entry = text_entry(t, node, i)) != NULL; i++) {
			fputs(i ? ", " : "", out);
			merge_write(out, t, entry);
		}
		putc(']', out);
	} else {
		merge_scalar(out, text_scalar(node));
	}
}

/* The keys of map, then those that only changes has (NULL: none). Texts nest TEXT_DEPTH_MAX deep.
 */
static void
merge_write_maps(FILE *out, struct text *t, const yaml_node_t *map, struct text *other,
		 const yaml_node_t *changes)
{
	const yaml_node_pair_t *pair;
	const char *comma = "";

	putc('{', out);
	for (pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
		const char *key = text_scalar(yaml_document_get_node(&t->document, pair->key));
		const yaml_node_t *was = yaml_document_get_node(&t->document, pair->value);
		const yaml_node_t *is = changes ? text_value(other, changes, key) : NULL;

		fputs(comma, out);
		merge_scalar(out, key);
		fputs(": ", out);
		if (is && is->type == YAML_MAPPING_NODE && was->type == YAML_MAPPING_NODE)
			merge_write_maps(out, t, was, other, is);
		else
			merge_write(out, is ? other : t, is ? is : was);
		comma = ", ";
	}
	if (!changes) {
		putc('}', out);
		return;
	}
	pair = changes->data.mapping.pairs.start;
	for (; pair < changes->data.mapping.pairs.top; pair++) {
		const char *key = text_scalar(yaml_document_get_node(&other->document, pair->key));

		if (text_value(t, map, key))
			continue;
		fputs(comma, out);
		merge_scalar(out, key);
		fputs(": ", out);
		merge_write(out, other, yaml_document_get_node(&other->document, pair->value));
		comma = ", ";
	}
	putc('}', out);
}

char *
merge_maps(struct text *t, const yaml_node_t *map, struct text *other, const yaml_node_t *changes)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	merge_write_maps(out, t, map, other, changes);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

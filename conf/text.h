/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text.h: a YAML text before libcyaml sees it: refused if it is hostile or not one plain document,
 * and kept as a tree in which the line of every key can be found.
 *
 * Threads: any, on its own struct text.
 */
#ifndef CONF_TEXT_H
#define CONF_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <yaml.h>

struct error;

enum {
	TEXT_DEPTH_MAX = 8, /* mappings and lists in each other: the schema has 4 */
	TEXT_WHERE_MAX = 384,
};

struct text {
	const char *name; /* of the file, for errors; NULL: errors carry no file and line */
	const char *bytes;
	size_t len;
	bool loaded; /* document is */
	yaml_document_t document;
};

/*
 * Takes the text in: it must be UTF-8 and one document without anchors, aliases and control
 * characters, not nested deeper than TEXT_DEPTH_MAX, with a mapping at its root, all keys scalars.
 * Does not copy name and bytes. 0 or -errno with the sentence in e; text_fini() in both cases.
 */
int text_init(struct text *t, const char *name, const char *bytes, size_t len, struct error *e);
void text_fini(struct text *t);

/*
 * Only what can be shown on one line, and that libyaml reads again as it is, may be in a value. The
 * text is UTF-8, len bytes before its final 0.
 */
bool text_is_printable(const char *s, size_t len);

/* The root mapping, never NULL after text_init() has returned 0. */
yaml_node_t *text_root(struct text *t);

/* The value of key in a mapping, the last one if it is there twice; NULL if there is none. */
yaml_node_t *text_value(struct text *t, const yaml_node_t *map, const char *key);

/* The node of key itself, by the same rule. */
yaml_node_t *text_key(struct text *t, const yaml_node_t *map, const char *key);

/* Entry i of a list, or NULL. */
yaml_node_t *text_entry(struct text *t, const yaml_node_t *list, size_t i);

/* The text of a scalar, or NULL. */
const char *text_scalar(const yaml_node_t *node);

/* Writes `NAME:LINE: ` of a node (NULL: `NAME: `), or nothing where the text has no name. */
void text_where(const struct text *t, const yaml_node_t *node, char where[TEXT_WHERE_MAX]);

#endif

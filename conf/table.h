/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.h: columns that line up, for vswitchctl.
 *
 * Threads: vswitchctl has one.
 */
#ifndef CONF_TABLE_H
#define CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	TABLE_COLUMNS_MAX = 16
};

struct table {
	size_t n_columns;
	size_t n_cells; /* the titles are the first row */
	char **cells;
	bool right[TABLE_COLUMNS_MAX]; /* numbers */
};

/* titles ends with NULL; one that begins with > is a column of numbers. */
void table_init(struct table *t, const char *const *titles);

/* Appends the next cell, row by row; the text is copied. */
void table_add(struct table *t, const char *text);

/* Prints and frees it. */
void table_print(struct table *t);

/* Prints text with what is no printable character replaced: it may come from a peer. */
void table_put(const char *text, size_t len);

#endif

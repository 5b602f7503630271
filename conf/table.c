/* SPDX-License-Identifier: BSD-3-Clause */
/* table.c: see table.h. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "printable.h"

void
table_add(struct table *t, const char *text)
{
	/* grows by doubling, at powers of two */
	if ((t->n_cells & (t->n_cells - 1)) == 0) {
		size_t room = t->n_cells ? t->n_cells * 2 : 1;
		char **cells = realloc(t->cells, room * sizeof(*cells));

		if (!cells)
			abort();
		t->cells = cells;
	}
	t->cells[t->n_cells] = strdup(text);
	if (!t->cells[t->n_cells])
		abort();
	t->n_cells++;
}

void
table_init(struct table *t, const char *const *titles)
{
	memset(t, 0, sizeof(*t));
	for (; titles[t->n_columns] && t->n_columns < TABLE_COLUMNS_MAX; t->n_columns++) {
		const char *title = titles[t->n_columns];

		t->right[t->n_columns] = title[0] == '>';
		table_add(t, title + t->right[t->n_columns]);
	}
}

void
table_put(const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		size_t control = printable_control(text);

		putchar(control ? '?' : *text);
		text += control ? control : 1;
	}
}

static void
table_pad(size_t n)
{
	while (n-- > 0)
		putchar(' ');
}

void
table_print(struct table *t)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};

	for (size_t i = 0; i < t->n_cells; i++)
		if (strlen(t->cells[i]) > widths[i % t->n_columns])
			widths[i % t->n_columns] = strlen(t->cells[i]);
	for (size_t i = 0; i < t->n_cells; i++) {
		size_t column = i % t->n_columns, pad = widths[column] - strlen(t->cells[i]);
		bool is_last = column == t->n_columns - 1;

		if (t->right[column])
			table_pad(pad);
		table_put(t->cells[i], strlen(t->cells[i]));
		if (!t->right[column] && !is_last)
			table_pad(pad);
		fputs(is_last ? "\n" : "  ", stdout);
		free(t->cells[i]);
	}
	free(t->cells);
	memset(t, 0, sizeof(*t));
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* finding.c: see finding.h. */
#include "finding.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "printable.h"

static const char *const level_names[] = {
	[FINDING_OK] = "ok", [FINDING_WARNING] = "warning", [FINDING_ERROR] = "error"};

struct finding *
finding_add(struct findings *f, enum finding_level level, const char *check, const char *format,
	    ...)
{
	struct finding *more = realloc(f->all, (f->n + 1) * sizeof(*more));
	va_list args;

	if (!more)
		abort();
	f->all = more;
	more = &f->all[f->n++];
	memset(more, 0, sizeof(*more));
	more->level = level;
	more->check = check;
	va_start(args, format);
	vsnprintf(more->text, sizeof(more->text), format, args);
	va_end(args);
	printable_blank(more->text);
	return more;
}

void
finding_todo(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->todo, sizeof(finding->todo), format, args);
	va_end(args);
	printable_blank(finding->todo);
}

uint32_t
finding_count(const struct findings *f, enum finding_level level)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n; i++)
		n += f->all[i].level == level;
	return n;
}

static void
finding_print_json(const struct findings *f)
{
	struct json_object *all = json_object_new_object(), *list = json_object_new_array();

	for (uint32_t i = 0; i < f->n; i++) {
		const struct finding *finding = &f->all[i];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "check", json_object_new_string(finding->check));
		json_object_object_add(object, "level",
				       json_object_new_string(level_names[finding->level]));
		json_object_object_add(object, "text", json_object_new_string(finding->text));
		json_object_object_add(object, "todo", json_object_new_string(finding->todo));
		json_object_array_add(list, object);
	}
	json_object_object_add(all, "findings", list);
	json_object_object_add(all, "warnings",
			       json_object_new_int64(finding_count(f, FINDING_WARNING)));
	json_object_object_add(all, "errors",
			       json_object_new_int64(finding_count(f, FINDING_ERROR)));
	puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN |
							 JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(all);
}

void
finding_print(const struct findings *f, bool json)
{
	if (json) {
		finding_print_json(f);
		return;
	}
	for (uint32_t i = 0; i < f->n; i++) {
		const struct finding *finding = &f->all[i];

		printf("%-8s %-14s %s\n", level_names[finding->level], finding->check,
		       finding->text);
		if (finding->todo[0])
			printf("%-23s -> %s\n", "", finding->todo);
	}
	printf("%u errors, %u warnings\n", finding_count(f, FINDING_ERROR),
	       finding_count(f, FINDING_WARNING));
}

void
finding_free(struct findings *f)
{
	free(f->all);
	*f = (struct findings){0};
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serve.c: commands from stdin, one a line (group.h).
 */
#include "group.h"

#include <stdio.h>
#include <string.h>

#include "measure.h"

static const struct {
	const char *name;
	void (*run)(struct group *group, struct command *c);
} verbs[] = {
	{"teach", measure_teach},
	{"window", measure_window},
	{"latency", measure_latency},
	{"verify", measure_verify},
};

/* False: quit. */
static bool
serve_line(struct group *group, char *line)
{
	struct command c;
	char error[256];

	if (!command_read(&c, line, error, sizeof(error))) {
		printf("{\"error\": \"%s\"}\n", error);
		return true;
	}
	if (strcmp(c.verb, "quit") == 0)
		return false;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(c.verb, verbs[i].name) == 0) {
			verbs[i].run(group, &c);
			return true;
		}
	printf("{\"error\": \"%s: no such command\"}\n", c.verb);
	return true;
}

void
group_serve(struct group *group)
{
	char line[256];

	while (fgets(line, sizeof(line), stdin) != NULL && serve_line(group, line))
		;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.c: from a line to a struct command (command.h).
 */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

enum {
	COMMAND_MS_MAX = 60000,
	COMMAND_MPPS_MAX = 1000,
};

/* Index of a word in a list that ends with NULL, -1: it isn't there. */
static int
find(const char *const *words, const char *word)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

/* False: no such key with words as values, or no such word. */
static bool
set_word(struct command *c, const char *key, const char *value)
{
	static const char *const layouts[] = {"single", "two", "indirect", "chain", NULL};
	static const char *const kinds[] = {"none", "csum", "tso", NULL};
	static const char *const patterns[] = {"pairs", "mesh", "flood", NULL};
	static const char *const hostiles[] = {"none",	"stall",     "storm", "runt",
					       "pulse", "interrupt", NULL};
	int i = -1;

	if (strcmp(key, "layout") == 0 && (i = find(layouts, value)) >= 0)
		c->layout = (enum ring_layout)i;
	else if (strcmp(key, "pattern") == 0 && (i = find(patterns, value)) >= 0)
		c->pattern = (enum command_pattern)i;
	else if (strcmp(key, "offload") == 0 && (i = find(kinds, value)) >= 0)
		c->kind = (enum frame_kind)i;
	else if (strcmp(key, "hostile") == 0 && (i = find(hostiles, value)) >= 0)
		c->hostile = (enum command_hostile)i;
	else if (strcmp(key, "size") == 0 && strcmp(value, "imix") == 0) {
		c->is_mixed = true;
		c->len = FRAME_MIX_LEN;
		i = 0;
	}
	return i >= 0;
}

/* The same of keys with numbers. */
static bool
set_number(struct command *c, const char *key, unsigned long n)
{
	if (strcmp(key, "size") == 0 && n >= FRAME_LEN_MIN && n <= FRAME_LEN_MAX) {
		c->is_mixed = false;
		c->len = (uint32_t)n;
	} else if (strcmp(key, "macs") == 0 && n >= 1 && n <= FRAME_MACS_MAX)
		c->macs = (uint32_t)n;
	else if (strcmp(key, "limit") == 0 && n <= UINT16_MAX)
		c->limit = (uint32_t)n;
	else if (strcmp(key, "both") == 0 && n <= 1)
		c->both_ways = n;
	else if (strcmp(key, "ms") == 0 && n >= 1 && n <= COMMAND_MS_MAX)
		c->ms = (uint32_t)n;
	else if (strcmp(key, "frames") == 0 && n >= 1)
		c->frames = n;
	else
		return false;
	return true;
}

static bool
set(struct command *c, const char *key, const char *value)
{
	unsigned long n;
	double mpps;
	char *end;

	if (set_word(c, key, value))
		return true;
	if (strcmp(key, "rate") == 0) {
		mpps = strtod(value, &end);
		if (end == value || *end != 0 || !(mpps >= 0 && mpps <= COMMAND_MPPS_MAX))
			return false;
		c->mpps = mpps;
		return true;
	}
	errno = 0;
	n = strtoul(value, &end, 10);
	return errno == 0 && *value >= '0' && *value <= '9' && *end == 0 && set_number(c, key, n);
}

bool
command_read(struct command *c, char *line, char *error, size_t error_size)
{
	char *left, *word = strtok_r(line, " \n", &left), *value;

	*c = (struct command){.len = 64, .macs = 1, .ms = 40, .frames = 10000};
	snprintf(c->verb, sizeof(c->verb), "%s", word != NULL ? word : "quit");
	while (word != NULL && (word = strtok_r(NULL, " \n", &left)) != NULL) {
		value = strchr(word, '=');
		if (value != NULL)
			*value++ = 0;
		if (value == NULL || !set(c, word, value)) {
			snprintf(error, error_size, "%s%s%s: no such key, or out of range", word,
				 value != NULL ? "=" : "", value != NULL ? value : "");
			return false;
		}
	}
	return true;
}

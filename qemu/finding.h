/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * finding.h: what vswitch-doctor has found, in order.
 *
 * Threads: one.
 */
#ifndef QEMU_FINDING_H
#define QEMU_FINDING_H

#include <stdbool.h>
#include <stdint.h>

enum {
	FINDING_TEXT_MAX = 1024,
};

enum finding_level {
	FINDING_OK,
	FINDING_WARNING, /* works, but slower, or until something happens */
	FINDING_ERROR,	 /* does not work */
};

struct finding {
	enum finding_level level;
	const char *check;
	char text[FINDING_TEXT_MAX];
	char todo[FINDING_TEXT_MAX]; /* empty: nothing */
};

struct findings {
	uint32_t n;
	struct finding *all;
};

/* Adds a sentence; check is not copied. */
struct finding *finding_add(struct findings *f, enum finding_level level, const char *check,
			    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Says of a finding what to do. */
void finding_todo(struct finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

uint32_t finding_count(const struct findings *f, enum finding_level level);

/* For people, or as one JSON object in a line. */
void finding_print(const struct findings *f, bool json);

void finding_free(struct findings *f);

#endif

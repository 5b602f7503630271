/* SPDX-License-Identifier: BSD-3-Clause */
/* log.c: see log.h. */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "printable.h"

enum {
	LINE_MAX_LEN = 1024
};

static _Atomic int level_max = LOG_LEVEL_INFO;

void
log_set_level(enum log_level max)
{
	atomic_store_explicit(&level_max, (int)max, memory_order_relaxed);
}

static const char *
level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERR:
		return "ERR";
	case LOG_LEVEL_WARN:
		return "WARN";
	case LOG_LEVEL_INFO:
		return "INFO";
	case LOG_LEVEL_DEBUG:
		return "DEBUG";
	}
	return "?";
}

void
log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_LEN], when[32];
	struct timespec now;
	struct tm local;
	va_list args;

	if ((int)level > atomic_load_explicit(&level_max, memory_order_relaxed))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	printable_blank(line);
	if (getenv("JOURNAL_STREAM")) {
		fprintf(stderr, "<%d>%s\n", (int)level, line);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &local);
	strftime(when, sizeof(when), "%F %T", &local);
	fprintf(stderr, "%s.%03ld %-5s %s\n", when, now.tv_nsec / 1000000, level_name(level), line);
}

bool
log_allowed(struct log_limit *limit, uint32_t *suppressed)
{
	struct timespec now;
	uint64_t now_s;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_s = (uint64_t)now.tv_sec;
	if (limit->n == 0 || now_s - limit->started_s >= limit->interval_s) {
		limit->n = 0;
		limit->started_s = now_s;
	}
	if (limit->n >= limit->burst) {
		limit->n_suppressed++;
		return false;
	}
	limit->n++;
	*suppressed = limit->n_suppressed;
	limit->n_suppressed = 0;
	return true;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h: the daemon's log, one line per event on stderr: `kind name: what happened: reason`.
 *
 * ERR: somebody must act. WARN: degraded. INFO: change of state. DEBUG: only with `log: debug`.
 * Under systemd (JOURNAL_STREAM set) a line starts with its syslog level, else with the time.
 *
 * Threads: any but workers, which count instead (stats.h).
 */
#ifndef VSWITCH_LOG_H
#define VSWITCH_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERR = 3, /* numbers as in syslog(3) */
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

void log_set_level(enum log_level max);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...)   log_line(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* For what a guest can cause: at most burst lines each interval_s seconds, then a count of the
 * rest. */
struct log_limit {
	uint32_t burst, interval_s;
	uint32_t n; /* lines in this interval */
	uint32_t n_suppressed;
	uint64_t started_s; /* CLOCK_MONOTONIC */
};

/*
 * True if the line may be written; *suppressed gets how many were not since the last one.
 * Threads: the one that owns the limit.
 */
bool log_allowed(struct log_limit *limit, uint32_t *suppressed);

#endif

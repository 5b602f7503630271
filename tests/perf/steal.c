/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * steal.c: time on a run queue as the kernel's scheduler counts it (steal.h).
 *
 * Source: Linux Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat".
 */
#include "steal.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* In nanoseconds: on a CPU, and waiting for one. Both 0 if there is no such file. */
static void
read_schedstat(const char *path, uint64_t *ran, uint64_t *waited)
{
	FILE *f = fopen(path, "re");

	if (f == NULL || fscanf(f, "%" SCNu64 " %" SCNu64, ran, waited) != 2)
		*ran = *waited = 0;
	if (f != NULL)
		fclose(f);
}

static void
read_thread(pid_t pid, pid_t thread, uint64_t *ran, uint64_t *waited)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)pid, (int)thread);
	read_schedstat(path, ran, waited);
}

uint64_t
steal_self_ns(void)
{
	uint64_t ran, waited;

	read_schedstat("/proc/thread-self/schedstat", &ran, &waited);
	return waited;
}

pid_t
steal_busiest(pid_t pid)
{
	uint64_t ran, waited, most = 0;
	pid_t thread, busiest = 0;
	struct dirent *entry;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (tasks == NULL)
		return 0;
	while ((entry = readdir(tasks)) != NULL) {
		thread = (pid_t)strtol(entry->d_name, NULL, 10);
		if (thread <= 0)
			continue;
		read_thread(pid, thread, &ran, &waited);
		if (ran > most) {
			most = ran;
			busiest = thread;
		}
	}
	closedir(tasks);
	return busiest;
}

uint64_t
steal_thread_ns(pid_t pid, pid_t thread)
{
	uint64_t ran, waited = 0;

	if (thread > 0)
		read_thread(pid, thread, &ran, &waited);
	return waited;
}

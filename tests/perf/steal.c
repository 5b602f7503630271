/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * steal.c: time on a run queue as the kernel's scheduler counts it, and the host's share (steal.h).
 *
 * Source: Linux Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat"; proc(5),
 * /proc/stat.
 */
#include "steal.h"

#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

static bool
is_bound_to(pid_t thread, int cpu)
{
	cpu_set_t set;

	return cpu >= 0 && sched_getaffinity(thread, sizeof(set), &set) == 0 &&
	       CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)cpu, &set);
}

pid_t
steal_poller(pid_t pid, int cpu)
{
	uint64_t ran, waited, most = 0;
	pid_t thread, busiest = 0;
	bool is_bound = false;
	struct dirent *entry;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (tasks == NULL)
		return 0;
	while ((entry = readdir(tasks)) != NULL) {
		thread = (pid_t)strtol(entry->d_name, NULL, 10);
		if (thread <= 0 || (is_bound && !is_bound_to(thread, cpu)))
			continue;
		read_thread(pid, thread, &ran, &waited);
		if (ran > most || (!is_bound && is_bound_to(thread, cpu))) {
			is_bound = is_bound_to(thread, cpu);
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

double
steal_host_seconds(int cpu)
{
	const int own = sched_getcpu();
	unsigned long ticks, total = 0;
	char line[256];
	int number;
	FILE *f = fopen("/proc/stat", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "cpu%d %*u %*u %*u %*u %*u %*u %*u %lu", &number, &ticks) == 2 &&
		    (number == own || number == cpu))
			total += ticks;
	if (f != NULL)
		fclose(f);
	return (double)total / (double)sysconf(_SC_CLK_TCK);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* doctor_files.c: reading what the kernel shows, see doctor.h. */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

static void doctor_path(const struct doctor *d, char path[DOCTOR_PATH_MAX], const char *format,
			va_list args) __attribute__((format(printf, 3, 0)));

static void
doctor_path(const struct doctor *d, char path[DOCTOR_PATH_MAX], const char *format, va_list args)
{
	int len = snprintf(path, DOCTOR_PATH_MAX, "%s", d->root);

	if (len < DOCTOR_PATH_MAX)
		vsnprintf(path + len, (size_t)(DOCTOR_PATH_MAX - len), format, args);
}

static bool
doctor_first_line(const char *path, char line[DOCTOR_LIST_MAX])
{
	FILE *file = fopen(path, "re");

	line[0] = 0;
	if (!file)
		return false;
	if (!fgets(line, DOCTOR_LIST_MAX, file))
		line[0] = 0;
	fclose(file);
	line[strcspn(line, "\n")] = 0;
	return true;
}

bool
doctor_line(const struct doctor *d, char line[DOCTOR_LIST_MAX], const char *format, ...)
{
	char path[DOCTOR_PATH_MAX];
	va_list args;

	va_start(args, format);
	doctor_path(d, path, format, args);
	va_end(args);
	return doctor_first_line(path, line);
}

int64_t
doctor_number(const struct doctor *d, int64_t otherwise, const char *format, ...)
{
	char path[DOCTOR_PATH_MAX], line[DOCTOR_LIST_MAX], *end;
	va_list args;
	int64_t number;

	va_start(args, format);
	doctor_path(d, path, format, args);
	va_end(args);
	if (!doctor_first_line(path, line))
		return otherwise;
	number = strtoll(line, &end, 10);
	return end == line ? otherwise : number;
}

bool
doctor_has_text(const struct doctor *d, const char *path, const char *text)
{
	char whole[DOCTOR_PATH_MAX], line[DOCTOR_LIST_MAX];
	bool has = false;
	FILE *file;

	snprintf(whole, sizeof(whole), "%s%s", d->root, path);
	file = fopen(whole, "re");
	while (file && !has && fgets(line, sizeof(line), file))
		has = line[0] != '#' && strstr(line, text);
	if (file)
		fclose(file);
	return has;
}

bool
doctor_exists(const struct doctor *d, const char *format, ...)
{
	char path[DOCTOR_PATH_MAX];
	va_list args;

	va_start(args, format);
	doctor_path(d, path, format, args);
	va_end(args);
	return access(path, F_OK) == 0;
}

uint32_t
doctor_numbers(const struct doctor *d, const char *dir, const char *pattern, uint32_t *numbers,
	       uint32_t max)
{
	size_t len = strcspn(pattern, "%");
	char path[DOCTOR_PATH_MAX];
	const struct dirent *entry;
	uint32_t n = 0;
	DIR *entries;

	snprintf(path, sizeof(path), "%s%s", d->root, dir);
	entries = opendir(path);
	while (entries && n < max && (entry = readdir(entries))) {
		char *end;

		if (strncmp(entry->d_name, pattern, len) != 0)
			continue;
		numbers[n] = (uint32_t)strtoul(entry->d_name + len, &end, 10);
		n += end != entry->d_name + len && strcmp(end, pattern + len + 1) == 0;
	}
	if (entries)
		closedir(entries);
	return n;
}

bool
doctor_has_cpu(const struct doctor *d, uint32_t cpu, const char *path)
{
	char line[DOCTOR_LIST_MAX], *list = line;

	doctor_line(d, line, "%s", path);
	while (*list) {
		unsigned long first, last;
		char *end;

		first = last = strtoul(list, &end, 10);
		if (end == list)
			return false;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (first <= cpu && cpu <= last)
			return true;
		list = end + (*end == ',');
		if (*end && *end != ',')
			return false;
	}
	return false;
}

void
doctor_device(const char *device, char dir[DOCTOR_PATH_MAX])
{
	const char *colon = strchr(device, ':');

	/* lspci leaves out the first part of an address */
	if (colon)
		snprintf(dir, DOCTOR_PATH_MAX, "/sys/bus/pci/devices/%s%s",
			 colon == strrchr(device, ':') ? "0000:" : "", device);
	else
		snprintf(dir, DOCTOR_PATH_MAX, "/sys/class/net/%s/device", device);
}

uint32_t
doctor_node(const struct doctor *d, uint32_t cpu)
{
	char dir[64];
	uint32_t node = 0;

	snprintf(dir, sizeof(dir), "/sys/devices/system/cpu/cpu%u", cpu);
	return doctor_numbers(d, dir, "node%", &node, 1) ? node : 0;
}

void
doctor_find_workers(struct doctor *d)
{
	uint32_t last = 0;
	bool found = false;

	if (d->setup.has_workers)
		return;
	for (uint32_t cpu = 0; cpu < SETUP_CPUS_MAX; cpu++) {
		if (doctor_has_cpu(d, cpu, "/sys/devices/system/cpu/online"))
			last = cpu;
		if (doctor_has_cpu(d, cpu, "/sys/devices/system/cpu/isolated"))
			d->setup.workers[cpu] = found = true;
	}
	if (!found)
		d->setup.workers[last] = true;
}

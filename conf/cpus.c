/* SPDX-License-Identifier: BSD-3-Clause */
/* cpus.c: the defaults that depend on the machine's CPUs, see conf.h. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"

/* The list of CPUs that sysfs shows, as in "2-5,8" (Documentation/admin-guide/cputopology.rst). */
static void
cpus_parse(const char *text, struct conf_cpus *cpus)
{
	cpus->n_isolated = 0;
	while (*text >= '0' && *text <= '9') {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && first < CPU_SETSIZE && cpus->n_isolated < WORKERS_MAX;
		     first++)
			cpus->isolated[cpus->n_isolated++] = (uint16_t)first;
		text = *end == ',' ? end + 1 : end;
	}
}

int
conf_cpus_read(struct conf_cpus *cpus, struct error *e)
{
	static const char path[] = "/sys/devices/system/cpu/isolated";
	char line[4096] = "";
	cpu_set_t set;
	FILE *file;

	memset(cpus, 0, sizeof(*cpus));
	/* a machine without the file has no isolated CPUs */
	file = fopen(path, "re");
	if (file) {
		if (fgets(line, sizeof(line), file))
			cpus_parse(line, cpus);
		fclose(file);
	}
	if (sched_getaffinity(0, sizeof(set), &set))
		return error_set(e, -errno, "the CPUs of this process can't be read: %s",
				 strerror(errno));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus->last = (uint16_t)cpu;
	return 0;
}

static bool
cpus_is_isolated(const struct conf_cpus *cpus, uint16_t cpu)
{
	for (uint16_t i = 0; i < cpus->n_isolated; i++)
		if (cpus->isolated[i] == cpu)
			return true;
	return false;
}

/* Where the workers are the machine's default, only here can the lcores of ports be judged. */
static int
cpus_check_port(const struct conf *conf, const struct port_conf *port, const struct switch_conf *sw,
		struct error *e)
{
	char where[320] = "";

	for (uint16_t i = 0; i < port->n_lcores; i++) {
		uint16_t j = 0;

		while (j < sw->n_workers && sw->workers[j] != port->lcores[i])
			j++;
		if (j < sw->n_workers)
			continue;
		conf_where(conf, port, where, sizeof(where));
		return error_set(
			e, -EINVAL,
			"%sport %s: lcores: CPU %u has no worker: add it to switch: workers", where,
			port->name, port->lcores[i]);
	}
	return 0;
}

int
conf_switch(const struct conf *conf, const struct conf_cpus *cpus, struct switch_conf *out,
	    struct error *e)
{
	bool polls = true;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	memcpy(out->name, conf->name, sizeof(out->name));
	memcpy(out->state, conf->state, sizeof(out->state));
	if (conf->n_workers) {
		out->n_workers = conf->n_workers;
		memcpy(out->workers, conf->workers, sizeof(out->workers));
	} else if (cpus->n_isolated) {
		out->n_workers = cpus->n_isolated;
		memcpy(out->workers, cpus->isolated, sizeof(out->workers));
	} else {
		out->n_workers = 1;
		out->workers[0] = cpus->last;
	}
	for (uint16_t i = 0; i < out->n_workers; i++)
		polls = polls && cpus_is_isolated(cpus, out->workers[i]);
	if (conf->idle != CONF_IDLE_AUTO)
		polls = conf->idle == CONF_IDLE_POLL;
	out->idle_max_us = polls ? 0 : conf->idle_max_us;
	out->fdb_max = conf->fdb_max;
	out->fdb_ageing_s = conf->fdb_ageing_s;
	for (uint32_t i = 0; i < conf->n_ports && !rc; i++)
		rc = cpus_check_port(conf, &conf->ports[i], out, e);
	return rc;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* doctor_cpu.c: the CPUs that poll, and what is near them. */
#include <stdio.h>
#include <string.h>

#include "doctor.h"

#define CPU_DIR "/sys/devices/system/cpu"

enum {
	NODES_MAX = 64
};

static void
cpu_check(struct doctor *d, uint32_t cpu)
{
	char governor[DOCTOR_LIST_MAX];
	struct finding *finding;

	if (!doctor_has_cpu(d, cpu, CPU_DIR "/online")) {
		finding = finding_add(&d->findings, FINDING_ERROR, "cpu",
				      "CPU %u of `workers` is not there or not online", cpu);
		finding_todo(finding, "choose from " CPU_DIR "/online");
		return;
	}
	if (!doctor_has_cpu(d, cpu, CPU_DIR "/isolated")) {
		finding = finding_add(&d->findings, FINDING_WARNING, "cpu",
				      "CPU %u is not isolated: others run on it beside a worker%s",
				      cpu, d->setup.polls ? " that never sleeps" : "");
		finding_todo(finding, "boot with isolcpus=%u nohz_full=%u rcu_nocbs=%u", cpu, cpu,
			     cpu);
	} else if (!doctor_has_cpu(d, cpu, CPU_DIR "/nohz_full")) {
		finding =
			finding_add(&d->findings, FINDING_WARNING, "cpu",
				    "CPU %u is isolated, but its timer interrupts the worker", cpu);
		finding_todo(finding, "boot with nohz_full=%u rcu_nocbs=%u as well", cpu, cpu);
	} else {
		finding_add(&d->findings, FINDING_OK, "cpu", "CPU %u is isolated", cpu);
	}
	if (doctor_line(d, governor, CPU_DIR "/cpu%u/cpufreq/scaling_governor", cpu) &&
	    strcmp(governor, "powersave") == 0) {
		finding = finding_add(&d->findings, FINDING_WARNING, "cpu",
				      "CPU %u has the governor powersave", cpu);
		finding_todo(finding,
			     "echo performance > " CPU_DIR "/cpu%u/cpufreq/scaling_governor", cpu);
	}
}

void
doctor_check_cpus(struct doctor *d)
{
	for (uint32_t cpu = 0; cpu < SETUP_CPUS_MAX; cpu++)
		if (d->setup.workers[cpu])
			cpu_check(d, cpu);
}

/* The node of an uplink's device; -1: nobody knows. */
static int64_t
cpu_device_node(const struct doctor *d, const char *device)
{
	char dir[DOCTOR_PATH_MAX];

	doctor_device(device, dir);
	return doctor_number(d, -1, "%s/numa_node", dir);
}

void
doctor_check_numa(struct doctor *d)
{
	uint32_t all[NODES_MAX],
		n = doctor_numbers(d, "/sys/devices/system/node", "node%", all, NODES_MAX);
	bool has_worker[NODES_MAX] = {false}, is_right = true;

	if (n < 2) {
		finding_add(&d->findings, FINDING_OK, "numa", "there is one node");
		return;
	}
	for (uint32_t cpu = 0; cpu < SETUP_CPUS_MAX; cpu++)
		if (d->setup.workers[cpu] && doctor_node(d, cpu) < NODES_MAX)
			has_worker[doctor_node(d, cpu)] = true;
	for (uint32_t i = 0; i < d->setup.n_ports; i++) {
		const struct setup_port *port = &d->setup.ports[i];
		int64_t node = port->device[0] ? cpu_device_node(d, port->device) : -1;
		struct finding *finding;

		if (node < 0 || node >= NODES_MAX || has_worker[node])
			continue;
		finding = finding_add(&d->findings, FINDING_WARNING, "numa",
				      "port %s: %s is on node %d, where no worker is", port->name,
				      port->device, (int)node);
		finding_todo(finding,
			     "add a CPU of /sys/devices/system/node/node%d/cpulist to "
			     "`workers`, and to the port's `lcores`",
			     (int)node);
		is_right = false;
	}
	if (is_right)
		finding_add(&d->findings, FINDING_OK, "numa",
			    "%u nodes, and each uplink has a worker on its own", n);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* doctor_memory.c: hugepages for the switch, and guest memory that it can read. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"

enum {
	SIZES_MAX = 8,
	NODES_MAX = 64,
};

/* Hugepages of a node, or of a machine without nodes. */
struct pages {
	uint64_t free;	  /* bytes */
	uint32_t page_kb; /* size of the smallest kind; 0: the kernel has none */
	int64_t n;	  /* reserved of that kind */
	char dir[128];
};

static void
memory_find_pages(const struct doctor *d, uint32_t node, struct pages *pages)
{
	uint32_t sizes[SIZES_MAX], n;

	*pages = (struct pages){0};
	snprintf(pages->dir, sizeof(pages->dir), "/sys/devices/system/node/node%u/hugepages", node);
	if (!doctor_exists(d, "%s", pages->dir))
		strcpy(pages->dir, "/sys/kernel/mm/hugepages");
	n = doctor_numbers(d, pages->dir, "hugepages-%kB", sizes, SIZES_MAX);
	for (uint32_t i = 0; i < n; i++) {
		int64_t n_free = doctor_number(d, 0, "%s/hugepages-%ukB/free_hugepages", pages->dir,
					       sizes[i]);

		pages->free += (uint64_t)n_free * sizes[i] * 1024;
		if (pages->page_kb && sizes[i] > pages->page_kb)
			continue;
		pages->page_kb = sizes[i];
		pages->n =
			doctor_number(d, 0, "%s/hugepages-%ukB/nr_hugepages", pages->dir, sizes[i]);
	}
}

static void
memory_check_node(struct doctor *d, uint32_t node, uint64_t need)
{
	struct finding *finding;
	struct pages pages;
	uint64_t missing, page;

	memory_find_pages(d, node, &pages);
	if (!pages.page_kb) {
		finding = finding_add(&d->findings, FINDING_ERROR, "hugepages",
				      "this kernel has none");
		finding_todo(finding, "set `switch: hugepages: false` (slower)");
		return;
	}
	if (pages.free >= need) {
		finding_add(&d->findings, FINDING_OK, "hugepages",
			    "node %u: %" PRIu64 " MiB are needed, %" PRIu64 " MiB are free", node,
			    need >> 20, pages.free >> 20);
		return;
	}
	page = (uint64_t)pages.page_kb * 1024;
	missing = (need - pages.free + page - 1) / page;
	finding = finding_add(&d->findings, FINDING_ERROR, "hugepages",
			      "node %u: %" PRIu64 " MiB are needed, %" PRIu64 " MiB are free", node,
			      need >> 20, pages.free >> 20);
	finding_todo(finding, "echo %" PRIu64 " > %s/hugepages-%ukB/nr_hugepages",
		     (uint64_t)pages.n + missing, pages.dir, pages.page_kb);
}

void
doctor_check_hugepages(struct doctor *d)
{
	bool nodes[NODES_MAX] = {false};
	uint32_t n = 0;

	if (!d->setup.hugepages) {
		struct finding *finding = finding_add(&d->findings, FINDING_WARNING, "hugepages",
						      "the switch uses ordinary pages");

		finding_todo(finding, "for speed, reserve some and take `hugepages: false` out");
		return;
	}
	if (d->is_running || d->is_barred) {
		finding_add(&d->findings, FINDING_OK, "hugepages", "vswitchd %s has its own",
			    d->is_running ? "runs, and" : "may run, and then");
		return;
	}
	for (uint32_t cpu = 0; cpu < SETUP_CPUS_MAX; cpu++) {
		uint32_t node = d->setup.workers[cpu] ? doctor_node(d, cpu) : NODES_MAX;

		if (node < NODES_MAX && !nodes[node])
			nodes[node] = ++n;
	}
	for (uint32_t node = 0; node < NODES_MAX; node++)
		if (nodes[node])
			memory_check_node(d, node, d->setup.memory / n);
}

void
doctor_check_sharing(struct doctor *d)
{
	bool is_right = true;

	for (uint32_t i = 0; i < d->ports.n; i++) {
		const struct ports_port *port = &d->ports.all[i];
		struct finding *finding;

		if (strstr(port->reason, "memory is not shared")) {
			finding = finding_add(&d->findings, FINDING_ERROR, "memory sharing",
					      "port %s: %s", port->name, port->reason);
			finding_todo(finding, "QEMU: share=on; libvirt: <access mode='shared'/>");
			is_right = false;
		} else if (port->warning[0]) {
			bool is_private = strcmp(port->memory, "private") == 0;

			finding = finding_add(&d->findings,
					      is_private ? FINDING_ERROR : FINDING_WARNING,
					      is_private ? "memory sharing" : "mac", "port %s: %s",
					      port->name, port->warning);
			finding_todo(finding,
				     is_private ? "virsh edit %s"
						: "look at the guest of %s, if that is not meant",
				     doctor_is_plain(port->vm) ? port->vm : "NAME");
			is_right = is_right && !is_private;
		}
	}
	if (is_right && d->is_running)
		finding_add(&d->findings, FINDING_OK, "memory sharing",
			    "no guest that is connected has memory of its own");
}

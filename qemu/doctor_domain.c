/* SPDX-License-Identifier: BSD-3-Clause */
/* doctor_domain.c: libvirt's domains, and whether they go together with the switch. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "virt.h"

#define HOOK	      "/etc/libvirt/hooks/qemu.d/vswitch"
#define HOOK_SETTINGS "/etc/default/vswitch-libvirt"

enum {
	QEMU_FIT = 8000000, /* 7.2 crashes without KVM */
};

/* MACs of other domains' NICs, to find those that two have. */
struct macs {
	uint32_t n;
	struct mac {
		char mac[DOMAIN_MAC_MAX];
		char domain[DOMAIN_NAME_MAX];
	} * all;
};

struct look {
	struct doctor *d;
	struct macs macs;
	unsigned long qemu;
	uint32_t n; /* domains that have to do with the switch */
};

/* A finding about a domain, or one of its NICs. */
static struct finding *domain_add(struct look *look, enum finding_level level,
				  const struct domain *domain, const struct domain_nic *nic,
				  const char *format, ...) __attribute__((format(printf, 5, 6)));

static struct finding *
domain_add(struct look *look, enum finding_level level, const struct domain *domain,
	   const struct domain_nic *nic, const char *format, ...)
{
	char name[DOMAIN_WORD_MAX] = "", text[FINDING_TEXT_MAX];
	va_list args;

	if (nic)
		domain_nic_name(nic, name);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return finding_add(&look->d->findings, level, "domain", "%s: %s%s%s", domain->name, name,
			   nic ? ": " : "", text);
}

static void
domain_check_memory(struct look *look, const struct domain *domain, bool is_running)
{
	struct finding *finding;
	int64_t n_free;

	if (!domain->is_shared) {
		finding = domain_add(look, FINDING_ERROR, domain, NULL,
				     "its memory is not shared: no frame can pass");
		finding_todo(finding, "<memoryBacking><source type='memfd'/><access mode='shared'/>"
				      "</memoryBacking>, and start it anew");
	}
	if (!domain->has_hugepages || is_running)
		return;
	/* the default size is the one that /proc/meminfo tells, nearly always 2 MiB */
	n_free = doctor_number(look->d, 0,
			       "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/free_hugepages",
			       domain->page_kib ? domain->page_kib : 2048);
	if ((uint64_t)n_free * (domain->page_kib ? domain->page_kib : 2048) >= domain->memory_kib)
		return;
	finding = domain_add(look, FINDING_ERROR, domain, NULL,
			     "its %" PRIu64 " MiB are to be of hugepages, and %" PRId64
			     " of %" PRIu64 " KiB are free",
			     domain->memory_kib >> 10, n_free,
			     domain->page_kib ? domain->page_kib : 2048);
	finding_todo(finding, "reserve more beside those of the switch, or take <hugepages/> out");
}

static void
domain_check_cpus(struct look *look, const struct domain *domain)
{
	struct finding *finding;

	for (uint32_t cpu = 0; cpu < SETUP_CPUS_MAX && look->d->is_set_up; cpu++) {
		if (!domain->pins[cpu] || !look->d->setup.workers[cpu])
			continue;
		finding = domain_add(look, FINDING_WARNING, domain, NULL,
				     "it may run on CPU %u, which is a worker's", cpu);
		finding_todo(finding, "leave CPU %u out of <vcpu cpuset> and <cputune>", cpu);
	}
}

/* Will libvirt's hook add a port for this NIC when its domain starts? */
static bool
domain_hook_adds(const struct doctor *d, const struct domain_nic *nic)
{
	char dir[DOMAIN_SOCKET_MAX];
	struct ports_rules rules = {0};

	if (!doctor_exists(d, "%s", HOOK) || !strrchr(nic->socket, '/'))
		return false;
	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(nic->socket, '/') - nic->socket),
		 nic->socket);
	if (doctor_has_text(d, HOOK_SETTINGS, "-d"))
		return doctor_has_text(d, HOOK_SETTINGS, dir);
	ports_default_dirs(&rules);
	return ports_is_ours(&rules, nic);
}

bool
doctor_is_plain(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._/-";

	return text[0] != '-' && text[strspn(text, plain)] == 0;
}

static void
domain_todo_port(struct finding *finding, const struct domain *domain, const struct domain_nic *nic)
{
	bool is_plain = doctor_is_plain(domain->name) && doctor_is_plain(nic->socket);

	finding_todo(finding,
		     "vswitchctl port add %.20s type=vhost-user socket=%s mode=%s queues=%u "
		     "group=kvm, or install libvirt's hook and start the domain anew",
		     is_plain ? domain->name : "NAME", is_plain ? nic->socket : "SOCKET",
		     nic->listens ? "client" : "server", nic->queues);
}

/* The port that a NIC comes together with. */
static void
domain_check_port(struct look *look, const struct domain *domain, const struct domain_nic *nic,
		  bool is_running)
{
	const struct doctor *d = look->d;
	const struct ports_port *port = ports_find(&d->ports, nic->socket);
	char why[CLIENT_WHY_MAX];
	struct finding *finding;

	if (!d->is_running)
		return;
	if (!port && !is_running && domain_hook_adds(d, nic)) {
		domain_add(look, FINDING_OK, domain, nic,
			   "no port has the socket %s now: libvirt's hook adds it", nic->socket);
		return;
	}
	if (!port) {
		finding = domain_add(look, FINDING_ERROR, domain, nic,
				     "no port has the socket %s: QEMU %s for it", nic->socket,
				     is_running ? "waits" : "would wait");
		domain_todo_port(finding, domain, nic);
		return;
	}
	if (ports_is_anothers(port, domain)) {
		finding = domain_add(look, FINDING_ERROR, domain, nic,
				     "%s is the socket of port %s, which is of domain %s",
				     nic->socket, port->name, port->vm);
		finding_todo(finding,
			     "give the interface another; or, if that domain has ended: "
			     "vswitchctl port set %s vm.name=",
			     port->name);
		return;
	}
	ports_mismatch(port, nic, why);
	if (why[0]) {
		finding = domain_add(look, FINDING_ERROR, domain, nic, "%s", why);
		finding_todo(finding, "vswitchctl port set %s mode=%s queues=%u", port->name,
			     nic->listens ? "client" : "server", nic->queues);
	}
	if (nic->mtu > port->mtu) {
		finding = domain_add(look, FINDING_WARNING, domain, nic,
				     "its MTU is %u, that of port %s %u: longer frames are dropped",
				     nic->mtu, port->name, port->mtu);
		finding_todo(finding, "vswitchctl port set %s mtu=%u", port->name, nic->mtu);
	}
}

static void
domain_check_mac(struct look *look, const struct domain *domain, const struct domain_nic *nic)
{
	struct mac *more;

	for (uint32_t i = 0; i < look->macs.n; i++) {
		const struct mac *mac = &look->macs.all[i];
		struct finding *finding;

		if (!nic->mac[0] || strcmp(mac->mac, nic->mac) != 0)
			continue;
		finding = domain_add(look, FINDING_ERROR, domain, nic, "%s has its MAC %s as well",
				     mac->domain, nic->mac);
		finding_todo(finding, "give each interface a <mac address=''/> of its own");
	}
	more = realloc(look->macs.all, (look->macs.n + 1) * sizeof(*more));
	if (!more)
		return;
	look->macs.all = more;
	more += look->macs.n++;
	snprintf(more->mac, sizeof(more->mac), "%s", nic->mac);
	snprintf(more->domain, sizeof(more->domain), "%s", domain->name);
}

static void
domain_check_nic(struct look *look, const struct domain *domain, const struct domain_nic *nic,
		 bool is_running)
{
	struct finding *finding;

	if (!nic->listens && !nic->reconnects) {
		finding = domain_add(look, FINDING_WARNING, domain, nic,
				     "after a restart of the switch it stays cut off");
		finding_todo(finding, "<reconnect enabled='yes' timeout='1'/> in its <source>");
	}
	if (nic->queues > domain->n_vcpus) {
		finding = domain_add(look, FINDING_WARNING, domain, nic,
				     "it has %u queues, and the machine %u vCPUs: some stay unused",
				     nic->queues, domain->n_vcpus);
		finding_todo(finding, "<driver queues='%u'/>", domain->n_vcpus);
	}
	domain_check_port(look, domain, nic, is_running);
	domain_check_mac(look, domain, nic);
}

static void
domain_check(const char *xml, bool is_running, void *context)
{
	struct look *look = context;
	struct findings *findings = &look->d->findings;
	char why[DOMAIN_WHY_MAX];
	struct domain domain;
	struct finding *finding;
	uint32_t before = findings->n;

	if (domain_parse(xml, strlen(xml), &domain, why)) {
		finding =
			finding_add(findings, FINDING_ERROR, "domain", "%s: %s", domain.name, why);
		finding_todo(finding, "virsh edit it");
	} else if (domain.n_nics) {
		look->n++;
		domain_check_memory(look, &domain, is_running);
		domain_check_cpus(look, &domain);
		for (uint32_t i = 0; i < domain.n_nics; i++)
			domain_check_nic(look, &domain, &domain.nics[i], is_running);
		if (domain.is_emulated && look->qemu && look->qemu < QEMU_FIT) {
			finding = domain_add(look, FINDING_ERROR, &domain, NULL,
					     "QEMU %lu.%lu crashes without KVM as soon as a guest "
					     "uses such an interface",
					     look->qemu / 1000000, look->qemu / 1000 % 1000);
			finding_todo(finding, "take QEMU 8.0 or later, or type='kvm'");
		}
		if (findings->n == before)
			domain_add(look, FINDING_OK, &domain, NULL, "it fits");
	} else if (look->d->domain) {
		finding = domain_add(look, FINDING_WARNING, &domain, NULL,
				     "it has no <interface type='vhostuser'>");
		finding_todo(finding, "see qemu.md in the documentation of vswitch");
	}
	domain_free(&domain);
}

void
doctor_check_domains(struct doctor *d)
{
	struct look look = {.d = d};
	char why[VIRT_WHY_MAX] = "";
	struct virt *virt = virt_open(d->uri, why);
	struct finding *finding;

	if (virt) {
		look.qemu = virt_qemu(virt);
		if (!virt_each(virt, d->domain, domain_check, &look, why)) {
			finding = finding_add(&d->findings, FINDING_ERROR, "domain", "%s", why);
			finding_todo(finding, "virsh list --all says which there are");
		} else if (!look.n && !d->domain) {
			finding_add(&d->findings, FINDING_OK, "domain",
				    "libvirt has none with an <interface type='vhostuser'>");
		}
	} else if (d->domain) {
		finding = finding_add(&d->findings, FINDING_ERROR, "domain", "%s: %s", d->domain,
				      why);
		finding_todo(finding, "start libvirt, or say by --connect where it is");
	} else {
		finding_add(&d->findings, FINDING_OK, "domain", "%s: domains were not looked at",
			    why);
	}
	virt_close(virt);
	free(look.macs.all);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * print.c: a struct conf as YAML, every key written out, but the MTU of a port that has the
 * switch's; see conf.h.
 *
 * Two ports are the same if they print the same: a field that is missing here is missing in
 * `config show`, and the round trip of test_conf.c fails.
 */
#include "conf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offload.h"

enum print_keys {
	PRINT_ALL,
	PRINT_OWN, /* not those whose default depends on another key that is printed */
};

/* Values hold no control characters (text.c), so that these two are all there is to escape. */
static void
print_quoted(FILE *out, const char *key, const char *value)
{
	fprintf(out, "%s: \"", key);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			putc('\\', out);
		putc(*value, out);
	}
	putc('"', out);
}

static void
print_text(FILE *out, const char *key, const char *value)
{
	print_quoted(out, key, value);
	putc('\n', out);
}

static void
print_numbers(FILE *out, const char *key, const uint16_t *numbers, uint16_t n)
{
	fprintf(out, "%s: [", key);
	for (uint16_t i = 0; i < n; i++)
		fprintf(out, "%s%u", i ? ", " : "", numbers[i]);
	fputs("]\n", out);
}

static void
print_mac(FILE *out, const char *key, const struct ether_addr *addr)
{
	const uint8_t *mac = addr->ether_addr_octet;

	fprintf(out, "%s: \"%02x:%02x:%02x:%02x:%02x:%02x\"", key, mac[0], mac[1], mac[2], mac[3],
		mac[4], mac[5]);
}

static void
print_vm(FILE *out, const struct port_vm *vm)
{
	static const char *const memories[] = {[PORT_VM_MEMORY_UNKNOWN] = "unknown",
					       [PORT_VM_MEMORY_SHARED] = "shared",
					       [PORT_VM_MEMORY_PRIVATE] = "private"};

	print_quoted(out, "    vm: {name", vm->name);
	print_quoted(out, ", nic", vm->nic);
	if (vm->has_mac)
		print_mac(out, ", mac", &vm->mac);
	fprintf(out, ", memory: %s, auto: %s}\n", memories[vm->memory],
		vm->is_auto ? "true" : "false");
}

static bool
print_has_vm(const struct port_vm *vm)
{
	return vm->name[0] || vm->nic[0] || vm->has_mac || vm->memory || vm->is_auto;
}

static void
print_port_vhost(FILE *out, const struct port_conf *port)
{
	print_text(out, "    socket", port->vhost.socket);
	fprintf(out, "    mode: %s\n", port->vhost.is_client ? "client" : "server");
	fprintf(out, "    datapath: %s\n", port->vhost.is_library ? "library" : "direct");
	if (port->vhost.has_viommu)
		fputs("    viommu: true\n", out);
	fprintf(out, "    features: %s\n", port->vhost.is_pinned ? "pin" : "auto");
	if (port->vhost.owner[0])
		print_text(out, "    owner", port->vhost.owner);
	if (port->vhost.group[0])
		print_text(out, "    group", port->vhost.group);
	fprintf(out, "    permissions: \"%04o\"\n", port->vhost.permissions);
	if (print_has_vm(&port->vhost.vm))
		print_vm(out, &port->vhost.vm);
	if (port->vhost.selinux[0])
		print_text(out, "    selinux", port->vhost.selinux);
}

static void
print_port_tap(FILE *out, const struct port_conf *port)
{
	char address[INET6_ADDRSTRLEN];

	print_text(out, "    ifname", port->tap.ifname);
	fprintf(out, "    backend: %s\n", port_backend_names[port->tap.backend]);
	if (port->tap.has_mac) {
		print_mac(out, "    mac", &port->tap.mac);
		putc('\n', out);
	}
	if (!port->tap.n_addresses)
		return;
	fputs("    address: [", out);
	for (uint16_t i = 0; i < port->tap.n_addresses; i++) {
		const struct port_address *a = &port->tap.addresses[i];

		if (inet_ntop(a->family, &a->in6, address, sizeof(address)))
			fprintf(out, "%s\"%s/%u\"", i ? ", " : "", address, a->prefix_len);
	}
	fputs("]\n", out);
}

static void
print_uplink(FILE *out, const struct port_conf *port)
{
	static const char *const filters[] = {[PORT_FILTER_AUTO] = "auto",
					      [PORT_FILTER_PROMISCUOUS] = "promiscuous",
					      [PORT_FILTER_MAC_LIST] = "mac-list",
					      [PORT_FILTER_OWN] = "own"};

	fprintf(out, "    filter: %s\n", filters[port->uplink.filter]);
	if (port->uplink.n_vlans)
		print_numbers(out, "    vlans", port->uplink.vlans, port->uplink.n_vlans);
}

static void
print_wish(FILE *out, const char *key, enum port_wish wish)
{
	if (wish != PORT_WISH_NONE)
		fprintf(out, "    %s: %s\n", key, wish == PORT_WISH_ON ? "on" : "off");
}

static void
print_port_vf(FILE *out, const struct port_conf *port)
{
	static const char *const link_states[] = {[PORT_LINK_STATE_AUTO] = "auto",
						  [PORT_LINK_STATE_ENABLE] = "enable",
						  [PORT_LINK_STATE_DISABLE] = "disable"};
	const struct port_vf_wish *wish = &port->vf.wish;

	if (port->vf.pci[0]) {
		print_text(out, "    pci", port->vf.pci);
	} else {
		print_text(out, "    pf", port->vf.pf);
		fprintf(out, "    vf: %u\n", port->vf.vf);
	}
	if (port->vf.num_vfs)
		fprintf(out, "    num_vfs: %u\n", port->vf.num_vfs);
	if (wish->has_mac) {
		print_mac(out, "    mac", &wish->mac);
		putc('\n', out);
	}
	if (wish->vlan != PORT_VLAN_NONE)
		fprintf(out, "    vlan: %d\n", wish->vlan);
	print_wish(out, "trust", wish->trust);
	print_wish(out, "spoofcheck", wish->spoofcheck);
	if (wish->link_state != PORT_LINK_STATE_NONE)
		fprintf(out, "    link_state: %s\n", link_states[wish->link_state]);
	if (wish->min_rate != PORT_RATE_NONE)
		fprintf(out, "    min_rate: %lld\n", (long long)wish->min_rate);
	if (wish->max_rate != PORT_RATE_NONE)
		fprintf(out, "    max_rate: %lld\n", (long long)wish->max_rate);
	print_uplink(out, port);
}

static void
print_port_ethdev(FILE *out, const struct port_conf *port)
{
	print_text(out, "    devargs", port->ethdev.devargs);
	print_uplink(out, port);
}

/* Segments are as the checksums are where nothing is said of them. */
static void
print_offloads(FILE *out, uint32_t offloads, enum print_keys keys)
{
	bool checksum = offloads & OFFLOAD_CHECKSUM;
	bool tso = offloads & OFFLOAD_TSO, uso = offloads & OFFLOAD_USO;

	fprintf(out, "    offloads: {checksum: %s", checksum ? "true" : "false");
	if (keys == PRINT_ALL || tso != checksum)
		fprintf(out, ", tso: %s", tso ? "true" : "false");
	if (keys == PRINT_ALL || uso != checksum)
		fprintf(out, ", uso: %s", uso ? "true" : "false");
	fputs("}\n", out);
}

/* mtu: the one that is not printed; 0: each is. */
static void
print_port(FILE *out, const struct port_conf *port, uint16_t mtu, enum print_keys keys)
{
	print_text(out, "  - name", port->name);
	fprintf(out, "    type: %s\n", port->type);
	if (port->n_lcores)
		print_numbers(out, "    lcores", port->lcores, port->n_lcores);
	fprintf(out, "    queues: %u\n", port->queues);
	if (port->mtu != mtu)
		fprintf(out, "    mtu: %u\n", port->mtu);
	if (port->max_macs == (uint32_t)PORT_MACS_UNLIMITED)
		fputs("    max_macs: unlimited\n", out);
	else
		fprintf(out, "    max_macs: %u\n", port->max_macs);
	print_offloads(out, port->offloads, keys);
	if (strcmp(port->type, "vhost-user") == 0)
		print_port_vhost(out, port);
	if (strcmp(port->type, "tap") == 0)
		print_port_tap(out, port);
	if (strcmp(port->type, "vf") == 0)
		print_port_vf(out, port);
	if (strcmp(port->type, "ethdev") == 0)
		print_port_ethdev(out, port);
}

static const char *
print_level(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERR:
		return "err";
	case LOG_LEVEL_WARN:
		return "warn";
	case LOG_LEVEL_INFO:
		return "info";
	case LOG_LEVEL_DEBUG:
		return "debug";
	}
	return "info";
}

static void
print_switch(FILE *out, const struct conf *conf)
{
	static const char *const idles[] = {
		[CONF_IDLE_AUTO] = "auto", [CONF_IDLE_POLL] = "poll", [CONF_IDLE_SLEEP] = "sleep"};

	fputs("switch:\n", out);
	print_text(out, "  name", conf->name);
	if (conf->n_workers)
		print_numbers(out, "  workers", conf->workers, conf->n_workers);
	fprintf(out, "  idle: %s\n", idles[conf->idle]);
	fprintf(out, "  idle_max_us: %u\n", conf->idle_max_us);
	print_text(out, "  control", conf->control);
	print_text(out, "  state", conf->state);
	fprintf(out, "  memory: %lluM\n", (unsigned long long)(conf->memory >> 20));
	fprintf(out, "  hugepages: %s\n", conf->hugepages ? "true" : "false");
	fprintf(out, "  log: %s\n", print_level(conf->log));
	fprintf(out, "  mtu: %u\n", conf->mtu);
	fprintf(out, "  fdb: {max: %u, ageing: %u}\n", conf->fdb_max, conf->fdb_ageing_s);
}

/* The text that was printed to out, or NULL. */
static char *
print_end(FILE *out, char **text)
{
	if (fclose(out) == 0)
		return *text;
	free(*text);
	return NULL;
}

char *
conf_print(const struct conf *conf)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	print_switch(out, conf);
	fputs(conf->n_ports ? "ports:\n" : "ports: []\n", out);
	for (uint32_t i = 0; i < conf->n_ports; i++)
		print_port(out, &conf->ports[i], conf->mtu, PRINT_ALL);
	return print_end(out, &text);
}

char *
conf_print_port(const struct conf *conf, const struct port_conf *port)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fputs("ports:\n", out);
	print_port(out, port, conf->mtu, PRINT_OWN);
	return print_end(out, &text);
}

bool
conf_same_port(const struct port_conf *a, const struct port_conf *b)
{
	char *texts[2] = {NULL, NULL};
	const struct port_conf *ports[2] = {a, b};
	bool same = true;

	for (int i = 0; i < 2 && same; i++) {
		size_t len;
		FILE *out = open_memstream(&texts[i], &len);

		same = out != NULL;
		if (out) {
			print_port(out, ports[i], 0, PRINT_ALL);
			same = fclose(out) == 0;
		}
	}
	same = same && strcmp(texts[0], texts[1]) == 0;
	free(texts[0]);
	free(texts[1]);
	return same;
}

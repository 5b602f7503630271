/* SPDX-License-Identifier: BSD-3-Clause */
/* show_vm.c: see show_vm.h. */
#include "show_vm.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fdb.h"
#include "port.h"
#include "switch.h"

enum {
	MACS_MAX = 8, /* of a port, that are named */
	MAC_TEXT = 18,
};

struct show_vm_port {
	uint32_t n; /* different stations, as far as they are compared */
	uint8_t macs[MACS_MAX][6];
};

/* A station that is in several VLANs is one. What finds no place is as good as any that did. */
static bool
show_vm_see(const struct fdb_entry *entry, void *context)
{
	struct show_vm *seen = context;
	struct show_vm_port *port;

	if (entry->port >= PORTS_MAX || entry->is_static)
		return true;
	port = &seen->ports[entry->port];
	for (uint32_t i = 0; i < port->n; i++)
		if (memcmp(port->macs[i], entry->mac, 6) == 0)
			return true;
	if (port->n < MACS_MAX)
		memcpy(port->macs[port->n++], entry->mac, 6);
	return true;
}

void
show_vm_init(struct show_vm *seen, const struct vswitch *sw, const struct port_conf *ports,
	     uint32_t n)
{
	seen->ports = NULL;
	for (uint32_t i = 0; i < n && !seen->ports; i++)
		if (ports[i].vhost.vm.has_mac)
			seen->ports = calloc(PORTS_MAX, sizeof(*seen->ports));
	if (seen->ports)
		fdb_walk(sw->fdb, atomic_load_explicit(&sw->now_s, memory_order_relaxed),
			 show_vm_see, seen);
}

void
show_vm_fini(struct show_vm *seen)
{
	free(seen->ports);
	seen->ports = NULL;
}

static void
show_vm_text(struct json_object *to, const char *key, const char *value)
{
	json_object_object_add(to, key, json_object_new_string(value));
}

static void
show_vm_mac(const uint8_t mac[6], char text[MAC_TEXT])
{
	snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
}

static const struct show_vm_port *
show_vm_find(const struct show_vm *seen, const struct port_conf *conf, const struct port *port)
{
	return seen->ports && port && conf->vhost.vm.has_mac ? &seen->ports[port->id] : NULL;
}

/* The sentence for a guest that sends as somebody else; empty if it does not. */
static void
show_vm_strangers(const struct show_vm_port *stations, const struct port_vm *vm, char *text,
		  size_t len)
{
	char mac[MAC_TEXT], stranger[MAC_TEXT] = "";
	uint32_t n = 0;

	text[0] = 0;
	for (uint32_t i = 0; i < stations->n; i++) {
		if (memcmp(stations->macs[i], vm->mac.ether_addr_octet, 6) == 0)
			continue;
		if (n++ == 0)
			show_vm_mac(stations->macs[i], stranger);
	}
	if (!n)
		return;
	show_vm_mac(vm->mac.ether_addr_octet, mac);
	snprintf(text, len, "the guest sends from %s%s, its own MAC is %s", stranger,
		 n > 1 ? " and others" : "", mac);
}

void
show_vm_add(const struct show_vm *seen, const struct port_conf *conf, const struct port *port,
	    struct json_object *object)
{
	static const char *const memories[] = {[PORT_VM_MEMORY_UNKNOWN] = "unknown",
					       [PORT_VM_MEMORY_SHARED] = "shared",
					       [PORT_VM_MEMORY_PRIVATE] = "private"};
	const struct port_vm *vm = &conf->vhost.vm;
	const struct show_vm_port *stations;
	char text[160] = "";

	if (!vm->name[0])
		return;
	show_vm_text(object, "vm", vm->name);
	show_vm_text(object, "vm_nic", vm->nic);
	if (vm->has_mac)
		show_vm_mac(vm->mac.ether_addr_octet, text);
	show_vm_text(object, "vm_mac", text);
	show_vm_text(object, "vm_memory", memories[vm->memory]);
	json_object_object_add(object, "vm_auto", json_object_new_boolean(vm->is_auto));
	text[0] = 0;
	stations = show_vm_find(seen, conf, port);
	if (vm->memory == PORT_VM_MEMORY_PRIVATE)
		snprintf(
			text, sizeof(text),
			"the memory of the machine is not shared, no frame can pass: start it anew "
			"with <access mode='shared'/> in its <memoryBacking>");
	else if (stations)
		show_vm_strangers(stations, vm, text, sizeof(text));
	show_vm_text(object, "warning", text);
}

void
show_vm_add_macs(const struct show_vm *seen, const struct port_conf *conf, const struct port *port,
		 struct json_object *object)
{
	const struct show_vm_port *stations = show_vm_find(seen, conf, port);
	struct json_object *macs;
	char mac[MAC_TEXT];

	if (!stations)
		return;
	macs = json_object_new_array();
	for (uint32_t i = 0; i < stations->n; i++) {
		show_vm_mac(stations->macs[i], mac);
		json_object_array_add(macs, json_object_new_string(mac));
	}
	json_object_object_add(object, "macs_seen", macs);
}

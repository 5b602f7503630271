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
	struct json_object *object; /* NULL: this one is not looked for */
	uint8_t own[6];
	uint32_t n; /* different stations, as far as they are compared */
	uint8_t macs[MACS_MAX][6];
};

struct show_vm {
	uint32_t part; /* of the table, the next one */
	struct show_vm_port ports[PORTS_MAX];
};

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

/* A station that is in several VLANs is one. What finds no place is as good as any that did. */
static bool
show_vm_see(const struct fdb_entry *entry, void *context)
{
	struct show_vm *seen = context;
	struct show_vm_port *port;

	if (entry->port >= PORTS_MAX || entry->is_static)
		return true;
	port = &seen->ports[entry->port];
	if (!port->object)
		return true;
	for (uint32_t i = 0; i < port->n; i++)
		if (memcmp(port->macs[i], entry->mac, 6) == 0)
			return true;
	if (port->n < MACS_MAX)
		memcpy(port->macs[port->n++], entry->mac, 6);
	return true;
}

/* The sentence for a guest that sends as somebody else, if it does. */
static void
show_vm_warn(const struct show_vm_port *port)
{
	char mac[MAC_TEXT], stranger[MAC_TEXT], text[160];
	uint32_t n = 0;

	for (uint32_t i = 0; i < port->n; i++) {
		if (memcmp(port->macs[i], port->own, 6) == 0)
			continue;
		if (n++ == 0)
			show_vm_mac(port->macs[i], stranger);
	}
	if (!n)
		return;
	show_vm_mac(port->own, mac);
	snprintf(text, sizeof(text), "the guest sends from %s%s, its own MAC is %s", stranger,
		 n > 1 ? " and others" : "", mac);
	show_vm_text(port->object, "warning", text);
}

/* Puts into the object what was seen. A warning that it has already is the graver one. */
static void
show_vm_tell(const struct show_vm_port *port)
{
	struct json_object *value;
	char mac[MAC_TEXT];

	if (json_object_object_get_ex(port->object, "macs_seen", &value))
		for (uint32_t i = 0; i < port->n; i++) {
			show_vm_mac(port->macs[i], mac);
			json_object_array_add(value, json_object_new_string(mac));
		}
	if (json_object_object_get_ex(port->object, "warning", &value) &&
	    json_object_get_string_len(value) == 0)
		show_vm_warn(port);
}

/* Tells the stations of the port at once, or notes it. */
static void
show_vm_look(struct show_vm **seen, const struct fdb *fdb, uint16_t id, const uint8_t own[6],
	     struct json_object *object)
{
	uint32_t n = fdb_port_count(fdb, id);
	struct show_vm_port port = {.object = object};

	memcpy(port.own, own, 6);
	if (n == 0)
		return;
	if (n == 1 && fdb_find(fdb, fdb_key(0, own)) == id) {
		memcpy(port.macs[port.n++], own, 6);
		show_vm_tell(&port);
		return;
	}
	if (!*seen)
		*seen = calloc(1, sizeof(**seen));
	if (*seen)
		(*seen)->ports[id] = port;
}

/* What is known of the machine; true if its stations may add a warning. */
static bool
show_vm_machine(const struct port_vm *vm, struct json_object *object)
{
	static const char *const memories[] = {[PORT_VM_MEMORY_UNKNOWN] = "unknown",
					       [PORT_VM_MEMORY_SHARED] = "shared",
					       [PORT_VM_MEMORY_PRIVATE] = "private"};
	bool is_private = vm->memory == PORT_VM_MEMORY_PRIVATE;
	char mac[MAC_TEXT] = "";

	if (!vm->name[0])
		return false;
	show_vm_text(object, "vm", vm->name);
	show_vm_text(object, "vm_nic", vm->nic);
	if (vm->has_mac)
		show_vm_mac(vm->mac.ether_addr_octet, mac);
	show_vm_text(object, "vm_mac", mac);
	show_vm_text(object, "vm_memory", memories[vm->memory]);
	json_object_object_add(object, "vm_auto", json_object_new_boolean(vm->is_auto));
	show_vm_text(object, "warning",
		     is_private ? "the memory of the machine is not shared, no frame can pass: "
				  "start it anew with <access mode='shared'/> in its "
				  "<memoryBacking>"
				: "");
	return !is_private;
}

void
show_vm_add(struct show_vm **seen, const struct vswitch *sw, const struct port_conf *conf,
	    const struct port *port, bool with_macs, struct json_object *object)
{
	const struct port_vm *vm = &conf->vhost.vm;
	bool is_to_compare = show_vm_machine(vm, object);

	if (!vm->has_mac || !port)
		return;
	if (with_macs)
		json_object_object_add(object, "macs_seen", json_object_new_array());
	if (with_macs || is_to_compare)
		show_vm_look(seen, sw->fdb, port->id, vm->mac.ether_addr_octet, object);
}

bool
show_vm_step(struct show_vm *seen, const struct vswitch *sw)
{
	uint32_t parts = fdb_parts(sw->fdb);

	fdb_walk_part(sw->fdb, atomic_load_explicit(&sw->now_s, memory_order_relaxed), seen->part++,
		      parts, show_vm_see, seen);
	if (seen->part < parts)
		return false;
	for (uint32_t id = 0; id < PORTS_MAX; id++)
		if (seen->ports[id].object)
			show_vm_tell(&seen->ports[id]);
	return true;
}

void
show_vm_free(struct show_vm *seen)
{
	free(seen);
}

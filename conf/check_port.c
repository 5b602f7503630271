/* SPDX-License-Identifier: BSD-3-Clause */
/* check_port.c: one port of a configuration, see check.h. check_uplink.c has the uplinks. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "check_where.h"
#include "conf.h"
#include "offload.h"
#include "schema.h"
#include "value.h"

/* Does the port have only keys of its kind? */
static int
check_own_keys(const struct where *w, const struct raw_port *raw, struct error *e)
{
	for (const struct schema_own_key *own = schema_own_keys; own->key; own++) {
		const char *first = own->types[0], *second = own->types[1];

		if (!text_key(w->text, w->map, own->key) || strcmp(first, raw->type) == 0 ||
		    (second && strcmp(second, raw->type) == 0))
			continue;
		return check_fail(w, own->key, -1, e, "only a port of type %s%s%s has one", first,
				  second ? " or " : "", second ? second : "");
	}
	return 0;
}

static int
check_port_type(const struct where *w, const struct raw_port *raw,
		const struct port_ops *const *kinds, struct port_conf *port, struct error *e)
{
	const struct port_ops *const *kind;
	char all[160];
	size_t used = 0;

	if (!raw->type)
		return check_fail(w, "", -1, e, "type is missing");
	all[0] = 0;
	for (kind = kinds; *kind; kind++) {
		if (strcmp((*kind)->type, raw->type) == 0)
			break;
		if (used < sizeof(all))
			used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
						 used ? ", " : "", (*kind)->type);
	}
	if (!*kind)
		return check_fail(w, "type", -1, e, "\"%.40s\" is none of: %s", raw->type, all);
	snprintf(port->type, sizeof(port->type), "%s", raw->type);
	return check_own_keys(w, raw, e);
}

static int
check_port_lcores(const struct where *w, const struct raw_port *raw, const struct conf *conf,
		  struct port_conf *port, struct error *e)
{
	int rc;

	rc = check_cpus(w, "lcores", raw->lcores, raw->lcores_count, port->lcores, e);
	if (rc)
		return rc;
	port->n_lcores = (uint16_t)raw->lcores_count;
	for (unsigned int i = 0; i < port->n_lcores && conf->n_workers; i++) {
		uint16_t j = 0;

		while (j < conf->n_workers && conf->workers[j] != port->lcores[i])
			j++;
		if (j == conf->n_workers)
			return check_fail(w, "lcores", (int)i, e,
					  "CPU %u is not in switch: workers", port->lcores[i]);
	}
	return 0;
}

/* What is not said of segments is as the checksums are, which they need. */
static int
check_port_offloads(const struct where *w, const struct raw_offloads *raw, struct port_conf *port,
		    struct error *e)
{
	struct where own = {.text = w->text, .map = text_value(w->text, w->map, "offloads")};
	bool checksum = true, tso, uso;
	int rc;

	snprintf(own.subject, sizeof(own.subject), "%.50s: offloads", w->subject);
	rc = check_flag(&own, "checksum", raw->checksum, &checksum, e);
	tso = uso = checksum;
	if (!rc)
		rc = check_flag(&own, "tso", raw->tso, &tso, e);
	if (!rc)
		rc = check_flag(&own, "uso", raw->uso, &uso, e);
	if (!rc && (tso || uso) && !checksum)
		rc = check_fail(&own, tso ? "tso" : "uso", -1, e,
				"needs checksum, which is false: turn that on, or this off");
	port->offloads = checksum ? OFFLOAD_ALL & ~OFFLOAD_SEGMENTS : 0;
	if (tso)
		port->offloads |= OFFLOAD_TSO;
	if (uso)
		port->offloads |= OFFLOAD_USO;
	return rc;
}

/* The keys that every kind has. */
static int
check_port_common(const struct where *w, const struct raw_port *raw, const struct conf *conf,
		  struct port_conf *port, struct error *e)
{
	uint64_t mtu = conf->mtu, queues = 1;
	uint64_t max_macs = strcmp(port->type, "vhost-user") == 0 ? CONF_MACS_VHOST_DEFAULT
								  : PORT_MACS_UNLIMITED;
	int rc;

	rc = check_number(w, "mtu", raw->mtu, PORT_MTU_MIN, PORT_MTU_MAX, &mtu, e);
	if (!rc)
		rc = check_number(w, "queues", raw->queues, 1, PORT_QUEUES_MAX, &queues, e);
	if (!rc && raw->max_macs && strcmp(raw->max_macs, "unlimited") == 0)
		max_macs = PORT_MACS_UNLIMITED;
	else if (!rc)
		rc = check_number(w, "max_macs", raw->max_macs, 1, FDB_MAX_LIMIT, &max_macs, e);
	if (!rc)
		rc = check_port_lcores(w, raw, conf, port, e);
	port->mtu = (uint16_t)mtu;
	port->queues = (uint16_t)queues;
	port->max_macs = (uint32_t)max_macs;
	port->offloads = OFFLOAD_ALL;
	if (!rc && raw->offloads)
		rc = check_port_offloads(w, raw->offloads, port, e);
	return rc;
}

/* A user or a group; whether the machine knows it is vhost's to say. */
static int
check_account(const struct where *w, const char *key, const char *text, char out[64],
	      struct error *e)
{
	if (!text)
		return 0;
	if (!value_is_name(text, 63))
		return check_fail(w, key, -1, e, CHECK_NAME_RULE, text, 63);
	snprintf(out, 64, "%s", text);
	return 0;
}

/* A text that is only shown, and may be empty. */
static int
check_shown(const struct where *w, const char *key, const char *text, char *out, size_t len,
	    struct error *e)
{
	if (!text)
		return 0;
	if (strlen(text) >= len)
		return check_fail(w, key, -1, e, "has %zu bytes, at most %zu can be", strlen(text),
				  len - 1);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

/* An empty name, NIC or MAC is none: so they can be taken away again while the port runs. */
static int
check_port_vm(const struct where *w, const struct raw_vm *raw, struct port_vm *vm, struct error *e)
{
	static const struct check_word memories[] = {{"unknown", PORT_VM_MEMORY_UNKNOWN},
						     {"shared", PORT_VM_MEMORY_SHARED},
						     {"private", PORT_VM_MEMORY_PRIVATE},
						     {NULL, 0}};
	struct where own = {.text = w->text, .map = text_value(w->text, w->map, "vm")};
	int memory = PORT_VM_MEMORY_UNKNOWN, rc;

	snprintf(own.subject, sizeof(own.subject), "%.55s: vm", w->subject);
	rc = check_shown(&own, "name", raw->name, vm->name, sizeof(vm->name), e);
	if (!rc)
		rc = check_shown(&own, "nic", raw->nic, vm->nic, sizeof(vm->nic), e);
	if (!rc && raw->mac && raw->mac[0])
		rc = check_mac(&own, "mac", raw->mac, &vm->has_mac, &vm->mac, e);
	if (!rc)
		rc = check_word(&own, "memory", raw->memory, memories, &memory, e);
	if (!rc)
		rc = check_flag(&own, "auto", raw->is_auto, &vm->is_auto, e);
	vm->memory = (enum port_vm_memory)memory;
	return rc;
}

/* user:role:type, with a level behind it where the policy has levels. */
static int
check_label(const struct where *w, const char *text, struct port_conf *port, struct error *e)
{
	const char *colon = text;

	if (!text)
		return 0;
	for (int i = 0; i < 2 && colon; i++)
		colon = strchr(colon + (i > 0), ':');
	if (!colon || strchr(text, ' ') || strlen(text) >= sizeof(port->vhost.selinux))
		return check_fail(w, "selinux", -1, e,
				  "\"%.60s\" is not the label of a file, as "
				  "\"system_u:object_r:svirt_image_t:s0\" is",
				  text);
	if (port->vhost.is_client)
		return check_fail(
			w, "selinux", -1, e,
			"QEMU makes the socket of a port with mode: client, and labels it");
	snprintf(port->vhost.selinux, sizeof(port->vhost.selinux), "%s", text);
	return 0;
}

static int
check_port_vhost(const struct where *w, const struct raw_port *raw, struct port_conf *port,
		 struct error *e)
{
	static const struct check_word modes[] = {{"server", false}, {"client", true}, {NULL, 0}};
	static const struct check_word paths[] = {{"direct", false}, {"library", true}, {NULL, 0}};
	static const struct check_word pins[] = {{"auto", false}, {"pin", true}, {NULL, 0}};
	int is_client = false, is_library = false, is_pinned = false, rc;

	if (!raw->socket)
		return check_fail(w, "", -1, e, "socket is missing");
	rc = check_path(w, "socket", raw->socket, port->vhost.socket, e);
	if (!rc)
		rc = check_word(w, "mode", raw->mode, modes, &is_client, e);
	if (!rc)
		rc = check_word(w, "datapath", raw->datapath, paths, &is_library, e);
	if (!rc)
		rc = check_word(w, "features", raw->features, pins, &is_pinned, e);
	if (!rc)
		rc = check_account(w, "owner", raw->owner, port->vhost.owner, e);
	if (!rc)
		rc = check_account(w, "group", raw->group, port->vhost.group, e);
	port->vhost.is_client = is_client;
	port->vhost.is_library = is_library;
	if (!rc)
		rc = check_flag(w, "viommu", raw->viommu, &port->vhost.has_viommu, e);
	if (!rc && port->vhost.has_viommu && !is_library)
		rc = check_fail(w, "viommu", -1, e, "needs datapath: library");
	port->vhost.is_pinned = is_pinned;
	port->vhost.permissions = 0660;
	if (!rc && raw->permissions &&
	    !value_permissions(raw->permissions, &port->vhost.permissions))
		rc = check_fail(w, "permissions", -1, e,
				"\"%.40s\" is not octal and in 0000..0777, as \"0660\" is",
				raw->permissions);
	if (!rc && raw->vm)
		rc = check_port_vm(w, raw->vm, &port->vhost.vm, e);
	if (!rc)
		rc = check_label(w, raw->selinux, port, e);
	return rc;
}

/* RFC 1122 §3.2.1.3, RFC 4291 §2.7: an interface's own address is none of these. */
static bool
check_is_host_address(const struct port_address *a)
{
	uint32_t in = ntohl(a->in.s_addr);

	if (a->family == AF_INET6)
		return !IN6_IS_ADDR_MULTICAST(&a->in6) && !IN6_IS_ADDR_UNSPECIFIED(&a->in6);
	return in >> 24 != 0 && !IN_MULTICAST(in) && in != INADDR_BROADCAST;
}

static int
check_port_addresses(const struct where *w, const struct raw_port *raw, struct port_conf *port,
		     struct error *e)
{
	for (unsigned int i = 0; i < raw->address_count; i++) {
		const char *text = raw->address[i];
		struct port_address *a = &port->tap.addresses[i];

		if (!value_prefix(text, a))
			return check_fail(w, "address", (int)i, e,
					  "\"%.60s\" is not an address with its prefix length, as "
					  "10.77.0.254/24 or fd77::fe/64 are",
					  text);
		if (!check_is_host_address(a))
			return check_fail(w, "address", (int)i, e,
					  "%.60s can't be the address of a host", text);
		for (unsigned int j = 0; j < i; j++)
			if (memcmp(a, &port->tap.addresses[j], sizeof(*a)) == 0)
				return check_fail(w, "address", (int)i, e, "%.60s is there twice",
						  text);
	}
	port->tap.n_addresses = (uint16_t)raw->address_count;
	return 0;
}

static int
check_port_tap(const struct where *w, const struct raw_port *raw, struct port_conf *port,
	       struct error *e)
{
	static const struct check_word backends[] = {
		{"tun", PORT_BACKEND_TUN},
		{"net_tap", PORT_BACKEND_NET_TAP},
		{"vhost-net", PORT_BACKEND_VHOST_NET},
		{NULL, 0},
	};
	const char *ifname = raw->ifname ? raw->ifname : port->name;
	const size_t len_max = sizeof(port->tap.ifname) - 1;
	int backend = PORT_BACKEND_TUN, rc;

	if (!raw->ifname && strlen(ifname) > len_max)
		return check_fail(w, "", -1, e,
				  "ifname is missing, and the port's name is too long for an "
				  "interface, which takes %zu bytes",
				  len_max);
	if (!value_is_name(ifname, len_max))
		return check_fail(w, "ifname", -1, e, CHECK_NAME_RULE, ifname, (int)len_max);
	memcpy(port->tap.ifname, ifname, strlen(ifname) + 1);
	rc = check_word(w, "backend", raw->backend, backends, &backend, e);
	port->tap.backend = (enum port_backend)backend;
	if (!rc)
		rc = check_mac(w, "mac", raw->mac, &port->tap.has_mac, &port->tap.mac, e);
	if (rc)
		return rc;
	return check_port_addresses(w, raw, port, e);
}

/*
 * The bytes that DPDK names the port's device by, as far as the config says it: a PCI address, or
 * what is before the first comma of devargs, or all of them where they have no such name
 * (`bus=pci,addr=...`, rte_devargs.h). 0: there are none.
 */
static size_t
check_device_name(const struct port_conf *port, const char **name)
{
	size_t len;

	*name = port->vf.pci[0] ? port->vf.pci : port->ethdev.devargs;
	len = strcspn(*name, ",");
	return memchr(*name, '=', len) ? strlen(*name) : len;
}

const char *
conf_port_clash(const struct port_conf *a, const struct port_conf *b)
{
	const char *names[2];
	size_t len = check_device_name(a, &names[0]);

	if (a->vhost.socket[0] && strcmp(a->vhost.socket, b->vhost.socket) == 0)
		return "socket";
	if (a->tap.ifname[0] && strcmp(a->tap.ifname, b->tap.ifname) == 0)
		return "ifname";
	if (a->vf.pf[0] && strcmp(a->vf.pf, b->vf.pf) == 0 && a->vf.vf == b->vf.vf)
		return "vf";
	if (len && len == check_device_name(b, &names[1]) && memcmp(names[0], names[1], len) == 0)
		return a->vf.pci[0] ? "pci" : "devargs";
	return NULL;
}

/* The address that a port asks for, or NULL. */
static const struct ether_addr *
check_port_mac(const struct port_conf *port)
{
	if (port->tap.has_mac)
		return &port->tap.mac;
	return port->vf.wish.has_mac ? &port->vf.wish.mac : NULL;
}

/* What two ports of a switch can't both have. */
static int
check_port_beside(const struct where *w, const struct port_conf *port,
		  const struct port_conf *other, struct error *e)
{
	const struct ether_addr *mac = check_port_mac(port), *other_mac = check_port_mac(other);
	const char *key = conf_port_clash(port, other);

	if (strcmp(port->name, other->name) == 0)
		return check_fail(w, "name", -1, e, "another port has this name");
	if (key && (strcmp(key, "pci") == 0 || strcmp(key, "devargs") == 0)) {
		const char *name;
		size_t len = check_device_name(port, &name);

		return check_fail(w, key, -1, e, "port %s has device %.*s", other->name, (int)len,
				  name);
	}
	if (key)
		return check_fail(w, key, -1, e, "port %s has the same%s", other->name,
				  strcmp(key, "vf") == 0 ? " VF of the same PF" : "");
	if (port->vf.num_vfs && other->vf.num_vfs && strcmp(port->vf.pf, other->vf.pf) == 0 &&
	    port->vf.num_vfs != other->vf.num_vfs)
		return check_fail(w, "num_vfs", -1, e, "port %s wants %s to have %u", other->name,
				  other->vf.pf, other->vf.num_vfs);
	/* a TAP with a VF's is what such a VF can reach that takes no address beside its own */
	if (mac && other_mac && port->tap.has_mac == other->tap.has_mac &&
	    memcmp(mac, other_mac, sizeof(*mac)) == 0)
		return check_fail(w, "mac", -1, e, "port %s has this address", other->name);
	for (unsigned int i = 0; i < port->tap.n_addresses; i++)
		for (unsigned int j = 0; j < other->tap.n_addresses; j++)
			if (memcmp(&port->tap.addresses[i], &other->tap.addresses[j],
				   sizeof(port->tap.addresses[i])) == 0)
				return check_fail(w, "address", (int)i, e,
						  "port %s has this address", other->name);
	return 0;
}

int
check_port(const struct where *w, const struct raw_port *raw, const struct port_ops *const *kinds,
	   struct conf *conf, struct error *e)
{
	struct port_conf *port = &conf->ports[conf->n_ports];
	int rc;

	if (!raw->name)
		return check_fail(w, "", -1, e, "name is missing");
	if (!value_is_name(raw->name, PORT_NAME_MAX - 1))
		return check_fail(w, "name", -1, e, CHECK_NAME_RULE, raw->name, PORT_NAME_MAX - 1);
	snprintf(port->name, sizeof(port->name), "%s", raw->name);
	rc = check_port_type(w, raw, kinds, port, e);
	if (!rc)
		rc = check_port_common(w, raw, conf, port, e);
	if (!rc && strcmp(port->type, "vhost-user") == 0)
		rc = check_port_vhost(w, raw, port, e);
	if (!rc && strcmp(port->type, "tap") == 0)
		rc = check_port_tap(w, raw, port, e);
	if (!rc && strcmp(port->type, "vf") == 0)
		rc = check_uplink_vf(w, raw, port, e);
	if (!rc && strcmp(port->type, "ethdev") == 0)
		rc = check_uplink_ethdev(w, raw, port, e);
	if (!rc && strcmp(port->vhost.socket, conf->control) == 0)
		rc = check_fail(w, "socket", -1, e, "this is the control socket of the switch");
	for (uint32_t i = 0; i < conf->n_ports && !rc; i++)
		rc = check_port_beside(w, port, &conf->ports[i], e);
	if (!rc)
		conf->n_ports++;
	return rc;
}

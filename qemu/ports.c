/* SPDX-License-Identifier: BSD-3-Clause */
/* ports.c: see ports.h. */
#include "ports.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_DEFAULT "kvm"

enum {
	SUFFIX_MAX = 1024, /* ports of the same name that are tried: as many as there can be */
};

static void
ports_text(struct json_object *from, const char *key, char *out, size_t len)
{
	struct json_object *value;

	out[0] = 0;
	if (json_object_object_get_ex(from, key, &value) &&
	    json_object_is_type(value, json_type_string))
		snprintf(out, len, "%s", json_object_get_string(value));
}

static uint32_t
ports_number(struct json_object *from, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(from, key, &value) ? (uint32_t)json_object_get_int64(value)
							    : 0;
}

static void
ports_read(struct json_object *from, struct ports_port *port)
{
	struct json_object *is_auto;

	ports_text(from, "name", port->name, sizeof(port->name));
	ports_text(from, "socket", port->socket, sizeof(port->socket));
	ports_text(from, "mode", port->memory, sizeof(port->memory));
	port->is_client = strcmp(port->memory, "client") == 0;
	port->queues = ports_number(from, "queues");
	port->mtu = ports_number(from, "mtu");
	ports_text(from, "vm", port->vm, sizeof(port->vm));
	ports_text(from, "vm_nic", port->nic, sizeof(port->nic));
	ports_text(from, "vm_mac", port->mac, sizeof(port->mac));
	ports_text(from, "vm_memory", port->memory, sizeof(port->memory));
	port->is_auto = json_object_object_get_ex(from, "vm_auto", &is_auto) &&
			json_object_get_boolean(is_auto);
	ports_text(from, "warning", port->warning, sizeof(port->warning));
	ports_text(from, "reason", port->reason, sizeof(port->reason));
}

int
ports_list(struct client *client, struct ports *ports)
{
	struct json_object *result, *list = NULL;
	size_t n;

	*ports = (struct ports){0};
	result = client_call(client, "port.list", NULL);
	if (!result)
		return -EIO;
	json_object_object_get_ex(result, "ports", &list);
	n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	ports->all = calloc(n + 1, sizeof(*ports->all));
	for (size_t i = 0; ports->all && i < n; i++) {
		struct ports_port *port = &ports->all[ports->n++];

		ports_read(json_object_array_get_idx(list, i), port);
	}
	json_object_put(result);
	if (ports->all)
		return 0;
	snprintf(client->why, sizeof(client->why), "out of memory");
	return -ENOMEM;
}

void
ports_free(struct ports *ports)
{
	free(ports->all);
	*ports = (struct ports){0};
}

void
ports_default_dirs(struct ports_rules *rules)
{
	static const char *const dirs[] = {"/run/vswitch", "/run/vswitch/qemu",
					   "/run/vswitch-qemu"};

	rules->n_dirs = sizeof(dirs) / sizeof(dirs[0]);
	memcpy(rules->dirs, dirs, sizeof(dirs));
}

const struct ports_port *
ports_find(const struct ports *ports, const char *socket)
{
	for (uint32_t i = 0; i < ports->n; i++)
		if (socket[0] && strcmp(ports->all[i].socket, socket) == 0)
			return &ports->all[i];
	return NULL;
}

static bool
ports_has_name(const struct ports *ports, const char *name)
{
	for (uint32_t i = 0; i < ports->n; i++)
		if (strcmp(ports->all[i].name, name) == 0)
			return true;
	return false;
}

bool
ports_is_ours(const struct ports_rules *rules, const struct domain_nic *nic)
{
	const char *slash = strrchr(nic->socket, '/');
	size_t len = slash ? (size_t)(slash - nic->socket) : 0;

	for (uint32_t i = 0; slash && i < rules->n_dirs; i++)
		if (strlen(rules->dirs[i]) == len && strncmp(rules->dirs[i], nic->socket, len) == 0)
			return true;
	return false;
}

bool
ports_is_anothers(const struct ports_port *port, const struct domain *domain)
{
	/* without either, somebody has only written down what he takes the port to be */
	return port->vm[0] && (port->nic[0] || port->is_auto) &&
	       strcmp(port->vm, domain->name) != 0;
}

/* Has an earlier NIC of the same domain the socket already? */
static bool
ports_is_doubled(const struct domain *domain, const struct domain_nic *nic)
{
	for (const struct domain_nic *other = domain->nics; other < nic; other++)
		if (nic->socket[0] && strcmp(other->socket, nic->socket) == 0)
			return true;
	return false;
}

void
ports_mismatch(const struct ports_port *port, const struct domain_nic *nic,
	       char why[CLIENT_WHY_MAX])
{
	why[0] = 0;
	if (port->is_client != nic->listens)
		snprintf(why, CLIENT_WHY_MAX,
			 "port %s has `mode: %s`, and the interface mode='%s': both would %s; "
			 "change "
			 "one of them",
			 port->name, port->is_client ? "client" : "server",
			 nic->listens ? "server" : "client", nic->listens ? "listen" : "connect");
	else if (port->queues < nic->queues)
		snprintf(why, CLIENT_WHY_MAX,
			 "port %s has `queues: %" PRIu32 "`, and the interface queues='%" PRIu32
			 "': give the port as many, or the interface fewer",
			 port->name, port->queues, nic->queues);
}

/* A name that a port may have: VM.NIC, shortened and without what is not allowed in it. */
static void
ports_make_name(const struct ports *ports, const struct domain *domain, const char *nic,
		char name[PORTS_NAME_MAX])
{
	char vm[DOMAIN_NAME_MAX], tail[32];
	int len = 0;

	for (const char *c = domain->name; *c; c++)
		if (isascii(*c) &&
		    (isalnum((unsigned char)*c) || *c == '_' || (len && (*c == '-' || *c == '.'))))
			vm[len++] = *c;
	for (int i = 1; i < SUFFIX_MAX; i++) {
		int tail_len = snprintf(tail, sizeof(tail), i > 1 ? ".%.18s-%d" : ".%.18s", nic, i);
		int room = PORTS_NAME_MAX - 1 - tail_len;

		len = len < room ? len : room;
		memcpy(name, vm, (size_t)len);
		snprintf(name + len, PORTS_NAME_MAX - (size_t)len, "%s", len ? tail : tail + 1);
		if (!ports_has_name(ports, name))
			return;
	}
}

static void
ports_put(struct json_object *to, const char *key, const char *value)
{
	json_object_object_add(to, key, json_object_new_string(value));
}

/* What the switch is told of the machine. */
static struct json_object *
ports_vm(const char *name, const char *nic, const char *mac, const char *memory)
{
	struct json_object *vm = json_object_new_object();

	ports_put(vm, "name", name);
	ports_put(vm, "nic", nic);
	ports_put(vm, "mac", mac);
	ports_put(vm, "memory", memory);
	return vm;
}

static const char *
ports_memory(const struct domain *domain)
{
	return domain->is_shared ? "shared" : "private";
}

/* Whose QEMU is, and so may open what the switch makes. NULL: there is nothing to say. */
static const char *
ports_group(const struct ports_rules *rules)
{
	if (rules->group)
		return rules->group;
	return getgrnam(GROUP_DEFAULT) ? GROUP_DEFAULT : NULL;
}

/* The keys that a port has from the interface, to those of `port.add` or `port.set`. */
static void
ports_put_keys(struct json_object *params, const struct ports_rules *rules,
	       const struct domain_nic *nic)
{
	const char *group = ports_group(rules);

	ports_put(params, "mode", nic->listens ? "client" : "server");
	json_object_object_add(params, "queues", json_object_new_int64(nic->queues));
	if (nic->mtu)
		json_object_object_add(params, "mtu", json_object_new_int64(nic->mtu));
	if (group && !nic->listens)
		ports_put(params, "group", group);
}

static int
ports_call(struct client *client, const char *method, struct json_object *params)
{
	struct json_object *result = client_call(client, method, params);

	json_object_put(result);
	return result ? 0 : -EIO;
}

static int
ports_add(struct client *client, const struct ports *ports, const struct ports_rules *rules,
	  const struct domain *domain, const struct domain_nic *nic, const char *nic_name)
{
	struct json_object *params = json_object_new_object(), *vm;
	char name[PORTS_NAME_MAX];

	ports_make_name(ports, domain, nic_name, name);
	ports_put(params, "name", name);
	ports_put(params, "type", "vhost-user");
	ports_put(params, "socket", nic->socket);
	ports_put_keys(params, rules, nic);
	vm = ports_vm(domain->name, nic_name, nic->mac, ports_memory(domain));
	json_object_object_add(vm, "auto", json_object_new_boolean(true));
	json_object_object_add(params, "vm", vm);
	return ports_call(client, "port.add", params);
}

/* Has an earlier start of the machine left a port that does not fit any more? */
static bool
ports_must_remake(const struct ports_port *port, const struct domain *domain,
		  const struct domain_nic *nic)
{
	return port->is_auto && strcmp(port->vm, domain->name) == 0 &&
	       (port->is_client != nic->listens || port->queues < nic->queues ||
		(nic->mtu && port->mtu != nic->mtu));
}

static bool
ports_is_noted(const struct ports_port *port, const struct domain *domain,
	       const struct domain_nic *nic, const char *nic_name)
{
	return strcmp(port->vm, domain->name) == 0 && strcmp(port->nic, nic_name) == 0 &&
	       strcmp(port->mac, nic->mac) == 0 && strcmp(port->memory, ports_memory(domain)) == 0;
}

static int
ports_note(struct client *client, const struct ports_port *port, const struct ports_rules *rules,
	   const struct domain *domain, const struct domain_nic *nic, const char *nic_name)
{
	struct json_object *params = json_object_new_object();

	ports_put(params, "name", port->name);
	if (ports_must_remake(port, domain, nic))
		ports_put_keys(params, rules, nic);
	json_object_object_add(params, "vm",
			       ports_vm(domain->name, nic_name, nic->mac, ports_memory(domain)));
	return ports_call(client, "port.set", params);
}

bool
ports_are_right(const struct ports *ports, const struct ports_rules *rules,
		const struct domain *domain)
{
	char name[DOMAIN_WORD_MAX];

	for (uint32_t i = 0; i < domain->n_nics; i++) {
		const struct domain_nic *nic = &domain->nics[i];
		const struct ports_port *port = ports_find(ports, nic->socket);

		if ((port && ports_is_anothers(port, domain)) || ports_is_doubled(domain, nic))
			continue;
		domain_nic_name(nic, name);
		if (port ? !ports_is_noted(port, domain, nic, name) ||
				    ports_must_remake(port, domain, nic)
			 : ports_is_ours(rules, nic))
			return false;
	}
	return true;
}

/* A NIC that QEMU would wait for another one with: -EINVAL with the sentence in client->why. */
static int
ports_check_alone(struct client *client, const struct ports_port *port, const struct domain *domain,
		  const struct domain_nic *nic)
{
	if (ports_is_doubled(domain, nic))
		snprintf(client->why, sizeof(client->why),
			 "two of its interfaces have the socket %s: give each one of its own",
			 nic->socket);
	else if (port && ports_is_anothers(port, domain))
		snprintf(
			client->why, sizeof(client->why),
			"%s is the socket of port %s, which is of domain %.64s: give the interface "
			"another; or, if that domain has ended: vswitchctl port set %s vm.name=",
			nic->socket, port->name, port->vm, port->name);
	else
		return 0;
	return -EINVAL;
}

static int
ports_ensure_nic(struct client *client, const struct ports *ports, const struct ports_rules *rules,
		 const struct domain *domain, const struct domain_nic *nic)
{
	const struct ports_port *port = ports_find(ports, nic->socket);
	char name[DOMAIN_WORD_MAX];
	int rc = ports_check_alone(client, port, domain, nic);

	if (rc)
		return rc;
	domain_nic_name(nic, name);
	if (!port)
		return ports_is_ours(rules, nic)
			       ? ports_add(client, ports, rules, domain, nic, name)
			       : 0;
	if (!ports_is_noted(port, domain, nic, name) || ports_must_remake(port, domain, nic))
		rc = ports_note(client, port, rules, domain, nic, name);
	if (!rc && !ports_must_remake(port, domain, nic)) {
		ports_mismatch(port, nic, client->why);
		rc = client->why[0] ? -EINVAL : 0;
	}
	return rc;
}

int
ports_ensure(struct client *client, const struct ports *ports, const struct ports_rules *rules,
	     const struct domain *domain)
{
	char why[CLIENT_WHY_MAX] = "";
	int rc = 0;

	client->is_mute = false;
	for (uint32_t i = 0; i < domain->n_nics && !client->is_mute; i++) {
		int err = ports_ensure_nic(client, ports, rules, domain, &domain->nics[i]);

		if (!err)
			continue;
		rc = err;
		memcpy(why, client->why, sizeof(why));
	}
	memcpy(client->why, why, sizeof(why));
	return rc;
}

int
ports_leave(struct client *client, const struct ports_port *port)
{
	struct json_object *params = json_object_new_object();

	ports_put(params, "name", port->name);
	if (port->is_auto)
		return ports_call(client, "port.del", params);
	json_object_object_add(params, "vm", ports_vm("", "", "", "unknown"));
	return ports_call(client, "port.set", params);
}

int
ports_release(struct client *client, const struct ports *ports, const struct domain *domain)
{
	int rc = 0;

	client->is_mute = false;
	for (uint32_t i = 0; i < domain->n_nics && !client->is_mute; i++) {
		const struct ports_port *port = ports_find(ports, domain->nics[i].socket);

		if (port && strcmp(port->vm, domain->name) == 0 &&
		    !ports_is_doubled(domain, &domain->nics[i]) && ports_leave(client, port))
			rc = -EIO;
	}
	return rc;
}

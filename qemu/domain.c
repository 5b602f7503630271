/* SPDX-License-Identifier: BSD-3-Clause */
/* domain.c: see domain.h. */
#include "domain.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "path.h"

static xmlNode *
domain_next(xmlNode *node, const char *name)
{
	while (node &&
	       (node->type != XML_ELEMENT_NODE || strcmp((const char *)node->name, name) != 0))
		node = node->next;
	return node;
}

static xmlNode *
domain_child(xmlNode *parent, const char *name)
{
	return parent ? domain_next(parent->children, name) : NULL;
}

/* Copies and frees the text of an element or attribute. False if it has no room. */
static bool
domain_take(xmlChar *text, char *out, size_t len)
{
	size_t n = text ? strlen((const char *)text) : 0;
	bool fits = n < len;

	if (text && fits)
		memcpy(out, text, n + 1);
	else
		out[0] = 0;
	xmlFree(text);
	return fits;
}

static bool
domain_get(xmlNode *node, const char *key, char *out, size_t len)
{
	return domain_take(node ? xmlGetProp(node, (const xmlChar *)key) : NULL, out, len);
}

static bool
domain_is(xmlNode *node, const char *key, const char *value)
{
	char text[DOMAIN_WORD_MAX];

	return domain_get(node, key, text, sizeof(text)) && strcmp(text, value) == 0;
}

/* A number that libvirt has checked; 0 if there is none. */
static uint64_t
domain_number(xmlNode *node, const char *key)
{
	char text[DOMAIN_WORD_MAX];

	if (key)
		domain_get(node, key, text, sizeof(text));
	else
		domain_take(node ? xmlNodeGetContent(node) : NULL, text, sizeof(text));
	return isdigit((unsigned char)text[0]) ? strtoull(text, NULL, 10) : 0;
}

/* KiB of a <memory unit=''> or <page size='' unit=''>; libvirt writes them in KiB itself. */
static uint64_t
domain_kib(xmlNode *node, const char *key)
{
	uint64_t number = domain_number(node, key);
	char unit[DOMAIN_WORD_MAX];

	domain_get(node, "unit", unit, sizeof(unit));
	switch (unit[0]) {
	case 'b':
		return number >> 10;
	case 'M':
		return number << 10;
	case 'G':
		return number << 20;
	case 'T':
		return number << 30;
	default:
		return number;
	}
}

/*
 * <cell memAccess=''> goes before <access mode=''>, and where neither says anything, QEMU shares
 * what is of memfd. One cell that is private is enough.
 */
static bool
domain_is_shared(xmlNode *root)
{
	xmlNode *backing = domain_child(root, "memoryBacking"), *cell;
	xmlNode *access = domain_child(backing, "access");
	bool is_shared = access ? domain_is(access, "mode", "shared")
				: domain_is(domain_child(backing, "source"), "type", "memfd");
	bool all_cells = true;

	cell = domain_child(domain_child(domain_child(root, "cpu"), "numa"), "cell");
	if (!cell)
		return is_shared;
	for (; cell; cell = domain_next(cell->next, "cell"))
		if (!domain_is(cell, "memAccess", "shared") &&
		    (!is_shared || domain_is(cell, "memAccess", "private")))
			all_cells = false;
	return all_cells;
}

/* Marks the CPUs of a list as 0-3,^2,6. */
static void
domain_pin(const char *list, bool pins[DOMAIN_CPUS_MAX])
{
	while (*list) {
		bool is_not = *list == '^';
		unsigned long first, last;
		char *end;

		first = last = strtoul(list + is_not, &end, 10);
		if (end == list + is_not)
			return;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && first < DOMAIN_CPUS_MAX; first++)
			pins[first] = !is_not;
		list = end + (*end == ',');
		if (*end && *end != ',')
			return;
	}
}

static void
domain_read_pins(xmlNode *root, bool pins[DOMAIN_CPUS_MAX])
{
	static const char *const kinds[] = {"vcpupin", "emulatorpin", "iothreadpin"};
	xmlNode *tune = domain_child(root, "cputune"), *pin;
	char list[DOMAIN_WORD_MAX * 4];

	if (domain_get(domain_child(root, "vcpu"), "cpuset", list, sizeof(list)))
		domain_pin(list, pins);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (pin = domain_child(tune, kinds[i]); pin;
		     pin = domain_next(pin->next, kinds[i]))
			if (domain_get(pin, "cpuset", list, sizeof(list)))
				domain_pin(list, pins);
}

/* <seclabel model='dac'><label>+64055:+106</label>: whom QEMU runs as. */
static void
domain_read_owner(xmlNode *root, struct domain *domain)
{
	char text[DOMAIN_WORD_MAX];
	xmlNode *label = domain_child(root, "seclabel");

	while (label && !domain_is(label, "model", "dac"))
		label = domain_next(label->next, "seclabel");
	label = domain_child(label, "label");
	if (label && domain_take(xmlNodeGetContent(label), text, sizeof(text)))
		domain->has_owner =
			sscanf(text, "+%" SCNu32 ":+%" SCNu32, &domain->uid, &domain->gid) == 2;
}

static int
domain_read_nic(xmlNode *node, struct domain_nic *nic, char why[DOMAIN_WHY_MAX])
{
	xmlNode *source = domain_child(node, "source"), *driver = domain_child(node, "driver");

	nic->queues = (uint32_t)domain_number(driver, "queues");
	if (!nic->queues)
		nic->queues = 1;
	nic->mtu = (uint32_t)domain_number(domain_child(node, "mtu"), "size");
	nic->listens = domain_is(source, "mode", "server");
	nic->reconnects = domain_is(domain_child(source, "reconnect"), "enabled", "yes");
	domain_get(domain_child(node, "mac"), "address", nic->mac, sizeof(nic->mac));
	for (char *c = nic->mac; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	domain_get(domain_child(node, "alias"), "name", nic->alias, sizeof(nic->alias));
	if (!domain_get(source, "path", nic->socket, sizeof(nic->socket))) {
		snprintf(why, DOMAIN_WHY_MAX,
			 "interface %s: the path of its socket is too long: a UNIX socket takes %d "
			 "bytes",
			 nic->mac, DOMAIN_SOCKET_MAX - 1);
		return -EINVAL;
	}
	path_squeeze(nic->socket); /* as those of ports are */
	return 0;
}

/* <qemu:override> of a device's property; 0: there is none. */
static uint64_t
domain_override(xmlNode *root, const char *alias, const char *name)
{
	xmlNode *device = domain_child(domain_child(root, "override"), "device"), *property;

	while (device && !domain_is(device, "alias", alias))
		device = domain_next(device->next, "device");
	property = domain_child(domain_child(device, "frontend"), "property");
	while (property && !domain_is(property, "name", name))
		property = domain_next(property->next, "property");
	return domain_number(property, "value");
}

/* Will libvirt call it netN? Not what has a name already, nor a device of the host. */
static bool
domain_is_numbered(xmlNode *nic)
{
	return !domain_child(nic, "alias") && !domain_is(nic, "type", "hostdev");
}

static int
domain_read_nics(xmlNode *root, struct domain *domain, char why[DOMAIN_WHY_MAX])
{
	xmlNode *devices = domain_child(root, "devices"), *node;
	char name[DOMAIN_WORD_MAX];
	uint32_t number = 0;
	int rc = 0;

	node = domain_child(devices, "interface");
	for (; node && !rc; node = domain_next(node->next, "interface")) {
		struct domain_nic *more;

		if (!domain_is(node, "type", "vhostuser")) {
			number += domain_is_numbered(node);
			continue;
		}
		more = realloc(domain->nics, (domain->n_nics + 1) * sizeof(*more));
		if (!more) {
			snprintf(why, DOMAIN_WHY_MAX, "out of memory");
			return -ENOMEM;
		}
		domain->nics = more;
		memset(&more[domain->n_nics], 0, sizeof(*more));
		rc = domain_read_nic(node, &more[domain->n_nics], why);
		more[domain->n_nics].number = number;
		number += domain_is_numbered(node);
		domain_nic_name(&more[domain->n_nics], name);
		if (!more[domain->n_nics].mtu)
			more[domain->n_nics].mtu =
				(uint32_t)domain_override(root, name, "host_mtu");
		domain->n_nics += !rc;
	}
	return rc;
}

static int
domain_read(xmlNode *root, struct domain *domain, char why[DOMAIN_WHY_MAX])
{
	xmlNode *name = domain_child(root, "name"), *huge;

	if (!root || strcmp((const char *)root->name, "domain") != 0 || !name ||
	    !domain_take(xmlNodeGetContent(name), domain->name, sizeof(domain->name)) ||
	    !domain->name[0]) {
		snprintf(why, DOMAIN_WHY_MAX,
			 "this is no <domain> with a <name> of at most %d bytes",
			 DOMAIN_NAME_MAX - 1);
		return -EINVAL;
	}
	domain->is_emulated = domain_is(root, "type", "qemu");
	domain->is_shared = domain_is_shared(root);
	huge = domain_child(domain_child(root, "memoryBacking"), "hugepages");
	domain->has_hugepages = huge;
	domain->page_kib = domain_kib(domain_child(huge, "page"), "size");
	domain->memory_kib = domain_kib(domain_child(root, "memory"), NULL);
	domain->n_vcpus = (uint32_t)domain_number(domain_child(root, "vcpu"), NULL);
	domain_read_pins(root, domain->pins);
	domain_read_owner(root, domain);
	return domain_read_nics(root, domain, why);
}

int
domain_parse(const char *xml, size_t len, struct domain *domain, char why[DOMAIN_WHY_MAX])
{
	xmlDoc *doc = NULL;
	int rc = -EINVAL;

	memset(domain, 0, sizeof(*domain));
	snprintf(why, DOMAIN_WHY_MAX, "this is no XML");
	/* entities are not put in, nothing is fetched */
	if (len <= INT_MAX)
		doc = xmlReadMemory(xml, (int)len, "domain.xml", NULL,
				    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (doc && xmlGetIntSubset(doc))
		snprintf(why, DOMAIN_WHY_MAX, "a domain has no <!DOCTYPE>");
	else if (doc)
		rc = domain_read(xmlDocGetRootElement(doc), domain, why);
	xmlFreeDoc(doc);
	return rc;
}

void
domain_free(struct domain *domain)
{
	free(domain->nics);
	domain->nics = NULL;
	domain->n_nics = 0;
}

void
domain_nic_name(const struct domain_nic *nic, char name[DOMAIN_WORD_MAX])
{
	if (nic->alias[0])
		snprintf(name, DOMAIN_WORD_MAX, "%s", nic->alias);
	else
		snprintf(name, DOMAIN_WORD_MAX, "net%" PRIu32, nic->number);
}

bool
domain_has_socket(const struct domain *domain, const char *socket)
{
	for (uint32_t i = 0; i < domain->n_nics; i++)
		if (strcmp(domain->nics[i].socket, socket) == 0)
			return true;
	return false;
}

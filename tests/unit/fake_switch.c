/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_switch.c: see fake_switch.h. */
#include "fake_switch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

struct fake fake;

static struct worker fake_worker = {.cpu = 1};
static struct poll_list *fake_polls;

static void
journal(const char *what, const char *on)
{
	size_t used = strlen(fake.journal);

	snprintf(fake.journal + used, sizeof(fake.journal) - used, "%s %s; ", what, on);
}

static int
fake_set_mtu(struct port *port, uint16_t mtu, struct error *e)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %u", port->conf.name, mtu);
	journal("mtu", text);
	if (fake.fail_mtu && mtu != 1500)
		return error_set(e, -EINVAL, "port %s: mtu: refused", port->conf.name);
	return 0;
}

static void
fake_set_offloads(struct port *port, uint32_t offloads)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %#x", port->conf.name, offloads);
	journal("offloads", text);
}

static void
fake_show(struct port *port, struct report *report)
{
	report->text(report, "interface", port->conf.tap.ifname);
	report->number(report, "queues_on", 1);
	report->flag(report, "carrier", true);
}

static int
fake_restart(struct port *port, struct error *e)
{
	journal("restart", port->conf.name);
	if (fake.fail_restart)
		return error_set(e, -EIO, "port %s: restart: refused", port->conf.name);
	return 0;
}

const struct port_ops fake_vhost = {.type = "vhost-user", .peer = "guest"};
const struct port_ops fake_tap = {.type = "tap",
				  .peer = "host",
				  .set_mtu = fake_set_mtu,
				  .set_offloads = fake_set_offloads,
				  .show = fake_show};
const struct port_ops fake_vf = {
	.type = "vf", .peer = "wire", .is_uplink = true, .restart = fake_restart};
const struct port_ops fake_ethdev = {
	.type = "ethdev", .peer = "wire", .is_uplink = true, .restart = fake_restart};
const struct port_ops *const fake_kinds[] = {&fake_vhost, &fake_tap, &fake_vf, &fake_ethdev, NULL};

static const struct port_ops *
find_kind(const char *type)
{
	uint32_t i = 0;

	while (strcmp(fake_kinds[i]->type, type) != 0)
		i++;
	return fake_kinds[i];
}

static void
synchronize(void)
{
}

void
fake_resize_fdb(uint32_t max)
{
	size_t size = fdb_size(max);

	free(fake.sw.fdb_mem);
	fake.sw.fdb_mem = aligned_alloc(64, size);
	memset(fake.sw.fdb_mem, 0, size);
	fake.sw.fdb = fdb_create(fake.sw.fdb_mem, max, 1, synchronize);
}

void
fake_init(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.sw.kinds = fake_kinds;
	fake_resize_fdb(64);
	fake.sw.n_workers = 1;
	fake.sw.workers[0] = &fake_worker;
	fake_polls = aligned_alloc(64, sizeof(*fake_polls) + 16 * sizeof(fake_polls->polls[0]));
	fake_polls->n = 0;
	atomic_store(&fake_worker.polls, fake_polls);
	atomic_store(&fake_worker.idle_max_us, 250);
}

void
fake_fini(void)
{
	for (uint32_t i = 0; i < fake.n; i++)
		port_free(fake.ports[i]);
	fake.n = 0;
	free(fake.sw.fdb_mem);
	free(fake_polls);
}

struct port *
switch_port_find(struct vswitch *sw, const char *name)
{
	(void)sw;
	for (uint32_t i = 0; i < fake.n; i++)
		if (strcmp(fake.ports[i]->conf.name, name) == 0)
			return fake.ports[i];
	return NULL;
}

int
switch_port_check(struct vswitch *sw, const struct port_conf *conf, struct error *e)
{
	(void)sw;
	if (fake.fail_check && strcmp(fake.fail_check, conf->name) == 0)
		return error_set(e, fake.fail_check_code, "port %s: check: refused", conf->name);
	return 0;
}

int
switch_port_add(struct vswitch *sw, const struct port_conf *conf, struct error *e)
{
	struct port *port;
	uint16_t id = 0;
	int rc = switch_port_check(sw, conf, e);

	if (rc)
		return rc;
	if (switch_port_find(sw, conf->name))
		return error_set(e, -EEXIST, "port %s: exists", conf->name);
	journal("add", conf->name);
	if (fake.fail_open && strcmp(fake.fail_open, conf->name) == 0)
		return error_set(e, -EBUSY, "port %s: open: refused", conf->name);
	while (id < fake.n && fake.ports[id]->id == id)
		id++;
	port = port_create(sw, find_kind(conf->type), id, conf, e);
	if (!port)
		return -ENOMEM;
	atomic_store(&port->link_up, port->ops == &fake_tap);
	memmove(&fake.ports[id + 1], &fake.ports[id], (fake.n - id) * sizeof(fake.ports[0]));
	fake.ports[id] = port;
	fake.n++;
	fake_polls->polls[fake_polls->n++] = (struct poll){.port = port, .n_queues = 1};
	return 0;
}

int
switch_port_del(struct vswitch *sw, const char *name, struct error *e)
{
	struct port *port = switch_port_find(sw, name);
	uint32_t i = 0, kept = 0;

	if (!port)
		return error_set(e, -ENOENT, "port %s: there is no such port", name);
	journal("del", name);
	while (fake.ports[i] != port)
		i++;
	fake.n--;
	memmove(&fake.ports[i], &fake.ports[i + 1], (fake.n - i) * sizeof(fake.ports[0]));
	for (i = 0; i < fake_polls->n; i++)
		if (fake_polls->polls[i].port != port)
			fake_polls->polls[kept++] = fake_polls->polls[i];
	fake_polls->n = kept;
	port_free(port);
	return 0;
}

void
switch_settle(struct vswitch *sw)
{
	(void)sw;
	fake.n_settled++;
}

void
switch_port_forget(struct vswitch *sw, const struct port_conf *conf)
{
	size_t used = strlen(fake.forgotten);

	(void)sw;
	snprintf(fake.forgotten + used, sizeof(fake.forgotten) - used, "%s; ", conf->name);
}

void
switch_port_walk(struct vswitch *sw, bool (*each)(struct port *port, void *arg), void *arg)
{
	(void)sw;
	for (uint32_t i = 0; i < fake.n; i++)
		if (!each(fake.ports[i], arg))
			return;
}

void
switch_port_counts(struct vswitch *sw, const struct port *port, struct port_counts *counts)
{
	(void)sw;
	(void)port;
	*counts = fake.counts;
}

int
switch_reconfigure(struct vswitch *sw, const struct switch_conf *conf, struct error *e)
{
	(void)sw;
	if (fake.fail_reconfigure)
		return error_set(e, -ENOTSUP, "switch: refused");
	fake.sw.conf = *conf;
	return 0;
}

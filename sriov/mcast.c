/* SPDX-License-Identifier: BSD-3-Clause */
/* mcast.c: see mcast.h. */
#include "mcast.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_ethdev.h>

#include "filter_device.h"
#include "port.h"
#include "stations.h"

enum {
	NEVER_ASKED = UINT32_MAX,
};

void
mcast_decide(struct mcast *m, const struct filter_device *dev, bool receives_all)
{
	int err = -EPERM;

	/* off first: ethdev does nothing to turn on what it believes to be on */
	rte_eth_allmulticast_disable(dev->dpdk_port);
	if (filter_device_keeps(dev, dev->driver->allmulticast))
		err = rte_eth_allmulticast_enable(dev->dpdk_port);
	m->mode = err == 0			    ? "allmulticast"
		  : err == -ENOTSUP && receives_all ? "promiscuous"
						    : NULL;
	m->is_all_tried = false;
	m->refusal = 0;
	m->n_asked = NEVER_ASKED;
	if (m->mode && m->n_listed > 0)
		mcast_make_room(m, dev);
}

void
mcast_make_room(struct mcast *m, const struct filter_device *dev)
{
	rte_eth_dev_set_mc_addr_list(dev->dpdk_port, NULL, 0);
	m->n_listed = 0;
	m->n_asked = NEVER_ASKED;
}

/* --- what is wanted */

/* Groups of one importance, of which each port's first comes before any port's second. */
struct wish {
	uint32_t turn, at; /* at: in the order in which they came */
	struct rte_ether_addr group;
};

struct wishes {
	uint32_t n;
	uint32_t n_of_port[PORTS_MAX];
	struct wish list[2 * MACSET_MAX]; /* neighbours, joined groups */
};

static void
add_wish(struct wishes *w, uint16_t port, const struct rte_ether_addr *group)
{
	struct wish *wish = &w->list[w->n];

	*wish = (struct wish){.turn = w->n_of_port[port]++, .at = w->n++, .group = *group};
}

/* By which IPv6 finds the stations that are listed, or those that are not. */
static void
add_neighbours(struct wishes *w, const struct stations *s, bool listed)
{
	struct rte_ether_addr group = {.addr_bytes = {0x33, 0x33, 0xff}};

	for (uint32_t i = 0; i < s->macs.n; i++) {
		if (!s->list[i].is_wanted || s->list[i].is_listed != listed)
			continue;
		memcpy(&group.addr_bytes[3], &s->macs.list[i].addr_bytes[3], 3);
		add_wish(w, s->list[i].port, &group);
	}
}

static int
compare(const void *a, const void *b)
{
	const struct wish *x = a, *y = b;

	if (x->turn != y->turn)
		return x->turn < y->turn ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

static void
want_all(struct mcast *m, struct wishes *w)
{
	qsort(w->list, w->n, sizeof(w->list[0]), compare);
	for (uint32_t i = 0; i < w->n; i++)
		macset_add(&m->wanted, &w->list[i].group);
	memset(w->n_of_port, 0, sizeof(w->n_of_port));
	w->n = 0;
}

/*
 * In the order in which they are given up last. Stations that unicast frames don't reach come last:
 * to be found is of no use to them.
 */
static void
want(struct mcast *m, const struct stations *s)
{
	static const struct rte_ether_addr every_host[] = {
		{{0x01, 0x00, 0x5e, 0, 0, 1}}, /* 224.0.0.1 */
		{{0x33, 0x33, 0, 0, 0, 1}},    /* ff02::1 */
	};
	static struct wishes wishes; /* control; empty between calls */

	macset_clear(&m->wanted);
	for (size_t i = 0; i < RTE_DIM(every_host); i++)
		macset_add(&m->wanted, &every_host[i]);
	add_neighbours(&wishes, s, true);
	for (uint32_t i = 0; i < s->groups.n; i++)
		add_wish(&wishes, s->group_ports[i], &s->groups.list[i]);
	want_all(m, &wishes);
	add_neighbours(&wishes, s, false);
	want_all(m, &wishes);
}

/* --- what is asked for */

static bool
is_as_asked(const struct mcast *m)
{
	return m->n_asked == m->wanted.n &&
	       memcmp(m->asked, m->wanted.list, m->n_asked * sizeof(m->asked[0])) == 0;
}

/* A driver says only that the list is too long: half of it, then, until it fits. */
static void
set_list(struct mcast *m, const struct filter_device *dev)
{
	uint32_t n = m->wanted.n;

	if (dev->driver->groups_max && n > dev->driver->groups_max)
		n = dev->driver->groups_max;
	m->refusal = rte_eth_dev_set_mc_addr_list(dev->dpdk_port, m->wanted.list, n);
	for (int err = m->refusal; err && err != -ENOTSUP && n > 1;) {
		n /= 2;
		err = rte_eth_dev_set_mc_addr_list(dev->dpdk_port, m->wanted.list, n);
		if (err == 0) {
			m->n_listed = n;
			return;
		}
	}
	m->n_listed = m->refusal ? 0 : n;
}

void
mcast_sync(struct mcast *m, const struct filter_device *dev, const struct stations *s, bool retry)
{
	if (m->mode)
		return;
	want(m, s);
	if (is_as_asked(m) && !(retry && m->refusal))
		return;
	set_list(m, dev);
	m->n_asked = m->wanted.n;
	memcpy(m->asked, m->wanted.list, m->n_asked * sizeof(m->asked[0]));
	if (mcast_n_missing(m) > 0 && !m->is_all_tried)
		m->is_all_tried = rte_eth_allmulticast_enable(dev->dpdk_port) == 0;
}

uint32_t
mcast_n_missing(const struct mcast *m)
{
	return m->mode ? 0 : m->wanted.n - m->n_listed;
}

void
mcast_show(const struct mcast *m, struct report *report)
{
	char text[FILTER_SENTENCE_MAX];
	const char *tried = m->is_all_tried ? ", and allmulticast mode, which may do nothing" : "";

	if (m->mode)
		snprintf(text, sizeof(text), "%s", m->mode);
	else if (m->refusal == -ENOTSUP)
		snprintf(text, sizeof(text), "none: the driver takes no list%s", tried);
	else
		snprintf(text, sizeof(text), "list of %u%s", m->n_listed, tried);
	report->text(report, "groups", text);
	report->number(report, "groups_missing", mcast_n_missing(m));
}

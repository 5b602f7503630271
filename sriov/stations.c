/* SPDX-License-Identifier: BSD-3-Clause */
/* stations.c: see stations.h. */
#include "stations.h"

#include <stdatomic.h>
#include <string.h>

#include "fdb.h"
#include "groups.h"
#include "port.h"
#include "switch.h"

enum {
	EVERY_RANK = STATION_RANKS,
	/* of one port, while others have some: a guest that invents them leaves room */
	SHARE_MAX = MACSET_MAX / 4,
	VLANS_OF_PORT_MAX = 16,
};

/* What a port has in the collection. */
struct share {
	uint16_t n_stations, n_vlans;
};

struct collection {
	struct stations *s;
	const struct port *uplink;
	const struct rte_ether_addr *own;
	uint8_t rank;	    /* only these, or EVERY_RANK */
	uint16_t share_max; /* stations of one port */
	const struct port *ports[PORTS_MAX];
	struct share shares[PORTS_MAX];
};

static void
take_vlan(struct collection *c, uint16_t vlan, uint16_t port)
{
	uint64_t *word = &c->s->vlans[vlan / 64], bit = 1ull << vlan % 64;
	uint16_t *n = &c->shares[port].n_vlans;

	if (*word & bit || *n >= VLANS_OF_PORT_MAX)
		return;
	*word |= bit;
	(*n)++;
}

static void
take(struct collection *c, const struct rte_ether_addr *mac, uint16_t port, uint8_t rank)
{
	struct stations *s = c->s;
	uint32_t n = s->macs.n;
	struct station *st;
	int at;

	if (rte_is_same_ether_addr(mac, c->own) || (c->rank != EVERY_RANK && c->rank != rank))
		return;
	at = macset_find(&s->macs, mac);
	if (at < 0 && c->shares[port].n_stations < c->share_max)
		at = macset_add(&s->macs, mac);
	if (at < 0) {
		s->n_left_out++;
		return;
	}
	st = &s->list[at];
	if (s->macs.n > n)
		*st = (struct station){0};
	c->shares[port].n_stations += !st->is_wanted;
	if (st->is_wanted && st->rank <= rank)
		return;
	st->is_wanted = true;
	st->port = port;
	st->rank = rank;
}

static bool
take_entry(const struct fdb_entry *entry, void *arg)
{
	struct collection *c = arg;
	const struct port *port = entry->port < PORTS_MAX ? c->ports[entry->port] : NULL;
	struct rte_ether_addr mac;
	uint8_t rank = entry->is_static ? STATION_STATIC : STATION_LEARNED;

	if (!port || port->id == c->uplink->id)
		return true;
	if (port->ops->is_uplink)
		rank += STATION_UPLINK_STATIC;
	take_vlan(c, entry->vlan, port->id);
	memcpy(mac.addr_bytes, entry->mac, sizeof(mac.addr_bytes));
	take(c, &mac, port->id, rank);
	return true;
}

static bool
take_configured(struct port *port, void *arg)
{
	struct collection *c = arg;
	struct rte_ether_addr mac;

	if (!port->conf.tap.has_mac || port->id == c->uplink->id)
		return true;
	memcpy(mac.addr_bytes, &port->conf.tap.mac, sizeof(mac.addr_bytes));
	take(c, &mac, port->id, STATION_STATIC);
	return true;
}

static bool
take_group(uint64_t key, uint16_t port, void *arg)
{
	struct collection *c = arg;
	uint32_t n = c->s->groups.n;
	struct rte_ether_addr mac;

	if (port == c->uplink->id)
		return true;
	for (int i = 0; i < RTE_ETHER_ADDR_LEN; i++)
		mac.addr_bytes[i] = (uint8_t)(key >> (40 - 8 * i));
	take_vlan(c, key >> 48 & 0xfff, port);
	macset_add(&c->s->groups, &mac);
	if (c->s->groups.n > n)
		c->s->group_ports[n] = port;
	return true;
}

static bool
note_port(struct port *port, void *arg)
{
	struct collection *c = arg;

	c->ports[port->id] = port;
	return true;
}

static void
take_rank(struct collection *c, uint8_t rank, uint16_t share_max)
{
	struct vswitch *sw = c->uplink->sw;

	c->rank = rank;
	c->share_max = share_max;
	switch_port_walk(sw, take_configured, c);
	fdb_walk(sw->fdb, atomic_load_explicit(&sw->now_s, memory_order_relaxed), take_entry, c);
}

/* Forgets the stations that are not in the device's filter and, unless listed_only, not wanted. */
static void
keep(struct stations *s, bool listed_only)
{
	uint32_t n = s->macs.n;

	macset_clear(&s->macs); /* the addresses stay in its list until others take their places */
	for (uint32_t i = 0; i < n; i++) {
		struct rte_ether_addr mac = s->macs.list[i];

		if (s->list[i].is_listed || s->list[i].is_doubtful ||
		    (!listed_only && s->list[i].is_wanted))
			s->list[macset_add(&s->macs, &mac)] = s->list[i];
	}
}

static void
want_none(struct collection *c)
{
	struct stations *s = c->s;

	for (uint32_t i = 0; i < PORTS_MAX; i++)
		c->shares[i].n_stations = 0;
	s->n_left_out = 0;
	for (uint32_t i = 0; i < s->macs.n; i++)
		s->list[i].is_wanted = false;
}

void
stations_collect(struct stations *s, const struct port *uplink, const struct rte_ether_addr *own)
{
	struct collection c = {.s = s, .uplink = uplink, .own = own};

	memset(s->vlans, 0, sizeof(s->vlans));
	macset_clear(&s->groups);
	groups_walk(uplink->sw->groups, take_group, &c);
	switch_port_walk(uplink->sw, note_port, &c);
	want_none(&c);
	take_rank(&c, EVERY_RANK, MACSET_MAX);
	if (s->n_left_out > 0) {
		/* more than there is room for: to each port its share first, then what is left */
		want_none(&c);
		keep(s, true);
		for (uint8_t rank = 0; rank < STATION_RANKS; rank++)
			take_rank(&c, rank, SHARE_MAX);
		s->n_left_out = 0;
		for (uint8_t rank = 0; rank < STATION_RANKS; rank++)
			take_rank(&c, rank, MACSET_MAX);
	}
	keep(s, false);
}

static bool
mix_configured(struct port *port, void *arg)
{
	uint64_t *mix = arg;

	if (port->conf.tap.has_mac)
		*mix = (*mix ^ fdb_key(port->id, port->conf.tap.mac.ether_addr_octet)) *
		       0x9e3779b97f4a7c15u;
	return true;
}

uint64_t
stations_configured(const struct port *uplink)
{
	uint64_t mix = 1;

	switch_port_walk(uplink->sw, mix_configured, &mix);
	return mix;
}

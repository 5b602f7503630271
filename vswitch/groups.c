/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * groups.c: the members of groups, see groups.h. All places for members are there from the start,
 * GROUPS_PORT_MAX a port; memory that is not used is never touched. A hash table chains the members
 * in use by group.
 */
#include "groups.h"

#include <stdlib.h>

#include <rte_common.h>
#include <rte_jhash.h>

#include "port.h"

enum {
	BUCKETS = 4096,
	VLANS = 4096,
};

/* A group behind a port. */
struct member {
	struct member *next; /* in its bucket */
	uint64_t key;	     /* 0: the place is free */
	uint32_t alias;
	uint32_t reported_s;  /* on this port */
	uint32_t confirmed_s; /* on any */
	uint32_t left_s;
	uint16_t port;
	bool is_leaving; /* to be confirmed by left_s + GROUPS_LEAVE_S */
};

struct querier {
	bool was_heard;
	uint32_t first_s, last_s; /* of queries with no gap of GROUPS_QUERIER_S */
};

struct groups {
	uint32_t seed;
	uint32_t version;
	struct querier queriers[2][VLANS]; /* of IGMP, of MLD */
	struct member *buckets[BUCKETS];
	uint32_t n[PORTS_MAX]; /* members in use */
	struct member members[PORTS_MAX][GROUPS_PORT_MAX];
};

struct groups *
groups_create(uint32_t seed)
{
	struct groups *g = calloc(1, sizeof(*g));

	if (g)
		g->seed = seed;
	return g;
}

void
groups_destroy(struct groups *g)
{
	free(g);
}

static struct member **
bucket_of(struct groups *g, uint64_t key, uint32_t alias)
{
	uint32_t hash = rte_jhash_3words((uint32_t)key, (uint32_t)(key >> 32), alias, g->seed);

	return &g->buckets[hash % BUCKETS];
}

static bool
is_of(const struct member *m, uint64_t key, uint32_t alias)
{
	return m->key == key && m->alias == alias;
}

static struct member *
find(struct groups *g, uint64_t key, uint32_t alias, uint16_t port)
{
	for (struct member *m = *bucket_of(g, key, alias); m; m = m->next)
		if (is_of(m, key, alias) && m->port == port)
			return m;
	return NULL;
}

static void
drop(struct groups *g, struct member *member)
{
	struct member **m = bucket_of(g, member->key, member->alias);

	while (*m != member)
		m = &(*m)->next;
	*m = member->next;
	member->key = 0;
	g->n[member->port]--;
	g->version++;
}

/* A free place of port, if need be that of the member that reported longest ago. */
static struct member *
make_room(struct groups *g, uint16_t port, uint32_t now_s)
{
	struct member *oldest = &g->members[port][0];

	for (uint32_t i = 0; i < GROUPS_PORT_MAX; i++) {
		struct member *m = &g->members[port][i];

		if (!m->key)
			return m;
		if (now_s - m->reported_s > now_s - oldest->reported_s)
			oldest = m;
	}
	drop(g, oldest);
	return oldest;
}

static void
confirm(struct groups *g, uint64_t key, uint32_t alias, uint32_t now_s)
{
	for (struct member *m = *bucket_of(g, key, alias); m; m = m->next) {
		if (!is_of(m, key, alias))
			continue;
		m->confirmed_s = now_s;
		m->is_leaving = false;
	}
}

void
groups_join(struct groups *g, uint64_t key, uint32_t alias, uint16_t port, uint32_t now_s)
{
	struct member *m = find(g, key, alias, port);

	if (!m) {
		struct member **bucket = bucket_of(g, key, alias);

		m = make_room(g, port, now_s);
		*m = (struct member){.next = *bucket, .key = key, .alias = alias, .port = port};
		*bucket = m;
		g->n[port]++;
		g->version++;
	}
	m->reported_s = now_s;
	confirm(g, key, alias, now_s);
}

static struct querier *
querier_of(struct groups *g, uint64_t key)
{
	bool is_ipv6 = (key >> 32 & 0xffff) == 0x3333;

	return &g->queriers[is_ipv6][key >> 48 & (VLANS - 1)];
}

static bool
is_present(const struct querier *q, uint32_t now_s)
{
	return q->was_heard && now_s - q->last_s <= GROUPS_QUERIER_S;
}

void
groups_leave(struct groups *g, uint64_t key, uint32_t alias, uint16_t port, bool is_only,
	     uint32_t now_s)
{
	struct member *m = find(g, key, alias, port);

	if (!m)
		return;
	if (is_only) {
		drop(g, m);
	} else if (!m->is_leaving && is_present(querier_of(g, key), now_s)) {
		m->is_leaving = true;
		m->left_s = now_s;
	}
}

void
groups_query(struct groups *g, uint64_t key, uint32_t now_s)
{
	struct querier *q = querier_of(g, key);

	if (!is_present(q, now_s))
		q->first_s = now_s;
	q->last_s = now_s;
	q->was_heard = true;
}

void
groups_forget_port(struct groups *g, uint16_t port)
{
	for (uint32_t i = 0; g->n[port] > 0 && i < GROUPS_PORT_MAX; i++)
		if (g->members[port][i].key)
			drop(g, &g->members[port][i]);
}

/* What joined before the querier came has as long to answer it as any. */
static bool
is_gone(struct groups *g, const struct member *m, uint32_t now_s)
{
	const struct querier *q = querier_of(g, m->key);

	if (m->is_leaving && now_s - m->left_s > GROUPS_LEAVE_S)
		return true;
	return is_present(q, now_s) &&
	       now_s - RTE_MAX(m->confirmed_s, q->first_s) > GROUPS_MEMBERSHIP_S;
}

void
groups_age(struct groups *g, uint32_t now_s)
{
	for (uint32_t port = 0; port < PORTS_MAX; port++)
		for (uint32_t i = 0; g->n[port] > 0 && i < GROUPS_PORT_MAX; i++) {
			struct member *m = &g->members[port][i];

			if (m->key && is_gone(g, m, now_s))
				drop(g, m);
		}
}

uint32_t
groups_version(const struct groups *g)
{
	return g->version;
}

void
groups_walk(const struct groups *g, bool (*each)(uint64_t key, uint16_t port, void *arg), void *arg)
{
	for (uint16_t port = 0; port < PORTS_MAX; port++)
		for (uint32_t i = 0; g->n[port] > 0 && i < GROUPS_PORT_MAX; i++)
			if (g->members[port][i].key && !each(g->members[port][i].key, port, arg))
				return;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* macs.c: see macs.h. */
#include "macs.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_ethdev.h>

#include "filter_device.h"
#include "port.h"
#include "stations.h"

void
macs_forget(struct macs *m, struct stations *s)
{
	for (uint32_t i = 0; i < s->macs.n; i++)
		s->list[i].is_doubtful = s->list[i].is_listed;
	m->is_unsupported = false;
}

/*
 * That it fails is no matter: ethdev refuses what is the device's own address by now, and who has
 * no such call, or is gone, has no filter to be cleared.
 */
static void
take_out(struct macs *m, const struct filter_device *dev, struct stations *s, uint32_t i)
{
	rte_eth_dev_mac_addr_remove(dev->dpdk_port, &s->macs.list[i]);
	s->list[i].is_listed = false;
	m->n_listed--;
}

void
macs_remove_all(struct macs *m, const struct filter_device *dev, struct stations *s)
{
	for (uint32_t i = 0; i < s->macs.n; i++)
		if (s->list[i].is_listed)
			take_out(m, dev, s, i);
	m->n_refused = 0;
}

/* An address that ethdev still has, and has set again itself, is not asked for once more. */
static void
add_again(struct macs *m, const struct filter_device *dev, struct stations *s)
{
	for (uint32_t i = 0; i < s->macs.n; i++) {
		struct station *st = &s->list[i];

		if (!st->is_listed || !st->is_doubtful)
			continue;
		st->is_doubtful = false;
		st->refusal = rte_eth_dev_mac_addr_add(dev->dpdk_port, &s->macs.list[i], 0);
		st->is_listed = st->refusal == 0;
		m->n_listed -= !st->is_listed;
		m->was_added |= st->is_listed;
	}
}

/* By rank; of equals, who was refused less often, so that it is everybody's turn. */
static int
compare(const void *a, const void *b, void *arg)
{
	const struct stations *s = arg;
	const struct station *x = &s->list[*(const uint16_t *)a];
	const struct station *y = &s->list[*(const uint16_t *)b];

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->n_refusals != y->n_refusals)
		return x->n_refusals < y->n_refusals ? -1 : 1;
	return *(const uint16_t *)a < *(const uint16_t *)b ? -1 : 1;
}

static uint32_t
candidates(const struct macs *m, struct stations *s, bool retry, uint16_t order[MACSET_MAX])
{
	uint32_t n = 0;

	if (m->is_unsupported)
		return 0;
	for (uint32_t i = 0; i < s->macs.n; i++) {
		const struct station *st = &s->list[i];

		if (st->is_wanted && !st->is_listed && (retry || st->refusal == 0))
			order[n++] = (uint16_t)i;
	}
	qsort_r(order, n, sizeof(order[0]), compare, s);
	return n;
}

/*
 * Adds the n of order until there were too many refusals in a row; the others count as refused like
 * the last one. True if time was up before.
 */
static bool
add(struct macs *m, const struct filter_device *dev, struct stations *s, const uint16_t *order,
    uint32_t n)
{
	uint64_t start = filter_clock();
	uint32_t in_row = 0;
	int refusal = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct station *st = &s->list[order[i]];

		if (i > 0 && filter_clock() - start > FILTER_STEP_NS) {
			if (in_row == 0)
				return true;
			in_row = FILTER_REFUSALS_MAX; /* of the slow kind: a PF that is away */
		}
		if (in_row == FILTER_REFUSALS_MAX || m->is_unsupported) {
			st->refusal = refusal;
			continue;
		}
		/* ethdev, when full, would tell the log so at each try */
		refusal = m->n_listed + 1 >= dev->macs_max
				  ? -ENOSPC
				  : rte_eth_dev_mac_addr_add(dev->dpdk_port,
							     &s->macs.list[order[i]], 0);
		st->refusal = refusal;
		st->is_listed = refusal == 0;
		m->is_unsupported = refusal == -ENOTSUP;
		m->n_listed += refusal == 0;
		m->was_added |= refusal == 0;
		st->n_refusals += refusal != 0;
		in_row = refusal ? in_row + 1 : 0;
	}
	return false;
}

/* A refused station of the port that has the fewest places; or -1. */
static int32_t
find_poorest(const struct stations *s, const uint16_t n_of_port[PORTS_MAX])
{
	int32_t poorest = -1;

	for (uint32_t i = 0; i < s->macs.n; i++) {
		const struct station *st = &s->list[i];

		if (st->is_wanted && !st->is_listed && st->refusal != 0 &&
		    (poorest < 0 || n_of_port[st->port] < n_of_port[s->list[poorest].port]))
			poorest = (int32_t)i;
	}
	return poorest;
}

/* A listed station of no better rank, of the port that has the most places; or -1. */
static int32_t
find_richest(const struct stations *s, const uint16_t n_of_port[PORTS_MAX], uint8_t rank)
{
	int32_t richest = -1;

	for (uint32_t i = 0; i < s->macs.n; i++) {
		const struct station *st = &s->list[i];

		if (st->is_listed && st->rank >= rank &&
		    (richest < 0 || n_of_port[st->port] >= n_of_port[s->list[richest].port]))
			richest = (int32_t)i;
	}
	return richest;
}

/*
 * A guest that invents addresses must not take all places: a station of the port that has the most
 * gives its place to one whose port has at least two fewer. True if there is more to be done.
 */
static bool
share(struct macs *m, const struct filter_device *dev, struct stations *s)
{
	uint16_t n_of_port[PORTS_MAX] = {0};

	for (uint32_t i = 0; i < s->macs.n; i++)
		n_of_port[s->list[i].port] += s->list[i].is_listed;
	for (int n = 0; n < FILTER_REFUSALS_MAX; n++) {
		int32_t poor = find_poorest(s, n_of_port), rich;
		struct station *to, *from;

		if (poor < 0)
			return false;
		to = &s->list[poor];
		rich = find_richest(s, n_of_port, to->rank);
		if (rich < 0)
			return false;
		from = &s->list[rich];
		if (n_of_port[from->port] < n_of_port[to->port] + 2)
			return false;
		take_out(m, dev, s, (uint32_t)rich);
		n_of_port[from->port]--;
		from->refusal = to->refusal;
		to->refusal = rte_eth_dev_mac_addr_add(dev->dpdk_port, &s->macs.list[poor], 0);
		if (to->refusal)
			return false;
		to->is_listed = true;
		m->n_listed++;
		m->was_added = true;
		n_of_port[to->port]++;
	}
	return true;
}

/*
 * Removing an address makes such a driver send its table whole: so one is added, and removed, that
 * nobody has.
 */
static void
mend_holes(const struct filter_device *dev, const struct stations *s)
{
	struct rte_ether_addr nobody = {.addr_bytes = {RTE_ETHER_LOCAL_ADMIN_ADDR}};

	/* more than the set can hold */
	for (uint16_t i = 1; macset_find(&s->macs, &nobody) >= 0; i++) {
		nobody.addr_bytes[RTE_ETHER_ADDR_LEN - 2] = (uint8_t)(i >> 8);
		nobody.addr_bytes[RTE_ETHER_ADDR_LEN - 1] = (uint8_t)i;
	}
	if (rte_eth_dev_mac_addr_add(dev->dpdk_port, &nobody, 0) == 0)
		rte_eth_dev_mac_addr_remove(dev->dpdk_port, &nobody);
}

bool
macs_sync(struct macs *m, const struct filter_device *dev, struct stations *s, bool retry)
{
	uint16_t order[MACSET_MAX];
	uint32_t n;
	bool again;

	m->was_added = false;
	for (uint32_t i = 0; i < s->macs.n; i++) {
		if (s->list[i].is_wanted || !s->list[i].is_listed)
			continue;
		take_out(m, dev, s, i);
		retry = true;
	}
	add_again(m, dev, s);
	n = candidates(m, s, retry, order);
	again = add(m, dev, s, order, n);
	if (!m->is_unsupported && m->n_listed > 0)
		again |= share(m, dev, s);
	if (m->n_most < m->n_listed)
		m->n_most = m->n_listed;
	if (dev->driver->stops_at_hole && m->was_added && m->n_listed < m->n_most)
		mend_holes(dev, s);
	m->n_refused = 0;
	for (uint32_t i = 0; i < s->macs.n; i++) {
		struct station *st = &s->list[i];

		if (m->is_unsupported && st->is_wanted && !st->is_listed)
			st->refusal = -ENOTSUP;
		m->n_refused += st->is_wanted && !st->is_listed && st->refusal != 0;
	}
	return again;
}

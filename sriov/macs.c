/* SPDX-License-Identifier: BSD-3-Clause */
/* macs.c: see macs.h. */
#include "macs.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_common.h>
#include <rte_ethdev.h>

#include "filter_device.h"
#include "port.h"
#include "stations.h"

void
macs_forget(struct macs *m, struct stations *s)
{
	for (uint32_t i = 0; i < s->macs.n; i++) {
		struct station *st = &s->list[i];

		if (!st->is_listed)
			continue;
		st->is_listed = false;
		st->is_doubtful = true;
		st->refusal = 0;
	}
	m->n_listed = 0;
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
	m->n_listed -= s->list[i].is_listed;
	s->list[i].is_listed = s->list[i].is_doubtful = false;
}

/*
 * Asks for it, whatever is listed; 0 or the driver's refusal. At a start, ethdev sets again what it
 * knows of, and does not look at the answers; nor does it ask for that once more.
 */
static int
put_in(struct macs *m, const struct filter_device *dev, struct stations *s, uint32_t i)
{
	struct station *st = &s->list[i];

	if (st->is_doubtful)
		take_out(m, dev, s, i);
	st->refusal = rte_eth_dev_mac_addr_add(dev->dpdk_port, &s->macs.list[i], 0);
	st->is_listed = st->refusal == 0;
	m->n_listed += st->is_listed;
	m->was_added |= st->is_listed;
	st->n_refusals += !st->is_listed;
	return st->refusal;
}

void
macs_remove_all(struct macs *m, const struct filter_device *dev, struct stations *s)
{
	for (uint32_t i = 0; i < s->macs.n; i++)
		if (s->list[i].is_listed || s->list[i].is_doubtful)
			take_out(m, dev, s, i);
	m->n_refused = 0;
}

/*
 * Who has had a place keeps it. Then by rank; of equals, who was refused less often, so that it is
 * everybody's turn.
 */
static int
compare(const void *a, const void *b, void *arg)
{
	const struct stations *s = arg;
	const struct station *x = &s->list[*(const uint16_t *)a];
	const struct station *y = &s->list[*(const uint16_t *)b];

	if (x->is_doubtful != y->is_doubtful)
		return x->is_doubtful ? -1 : 1;
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

/* They are candidates the next time, too. */
static void
ask_later(struct stations *s, const uint16_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		s->list[order[i]].refusal = 0;
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
			if (in_row == 0) {
				ask_later(s, order + i, n - i);
				return true;
			}
			in_row = FILTER_REFUSALS_MAX; /* of the slow kind: a PF that is away */
		}
		if (in_row == FILTER_REFUSALS_MAX || m->is_unsupported) {
			st->refusal = refusal;
			continue;
		}
		if (m->n_listed + 1 < dev->macs_max) {
			refusal = put_in(m, dev, s, order[i]);
		} else { /* ethdev, when full, would tell the log so at each try */
			refusal = st->refusal = -ENOSPC;
			st->n_refusals++;
		}
		m->is_unsupported = refusal == -ENOTSUP;
		in_row = refusal ? in_row + 1 : 0;
	}
	if (in_row > 0 && filter_clock() - start > FILTER_STEP_NS)
		m->n_vain = FILTER_REFUSALS_MAX;
	return false;
}

/*
 * A refused station of the port that has the fewest places, of equals who was refused less often;
 * or -1. Not one for which a place was made in vain.
 */
static int32_t
find_poorest(const struct stations *s, const uint16_t n_of_port[PORTS_MAX])
{
	int32_t poorest = -1;

	for (uint32_t i = 0; i < s->macs.n; i++) {
		const struct station *st = &s->list[i], *least = &s->list[RTE_MAX(poorest, 0)];
		uint16_t n = n_of_port[st->port], n_least = n_of_port[least->port];

		if (!st->is_wanted || st->is_listed || st->refusal == 0 || st->is_vain)
			continue;
		if (poorest < 0 || n < n_least ||
		    (n == n_least && st->n_refusals < least->n_refusals))
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
 * Gives the place of one to the other. Who is refused all the same is refused for another reason
 * than room: then it goes back. A PF that refuses that, too, is left alone.
 */
static bool
hand_over(struct macs *m, const struct filter_device *dev, struct stations *s, uint32_t from,
	  uint32_t to)
{
	int refusal = s->list[to].refusal;

	take_out(m, dev, s, from);
	if (put_in(m, dev, s, to) == 0) {
		s->list[from].refusal = refusal;
		return true;
	}
	s->list[to].is_vain = true;
	m->n_vain++;
	if (put_in(m, dev, s, from) != 0) {
		s->list[to].is_vain = false;
		m->n_vain = FILTER_REFUSALS_MAX;
	}
	return false;
}

/*
 * A guest that invents addresses must not take all places: a station of the port that has the most
 * gives its place to one whose port has at least two fewer. True if there is more to be done.
 */
static bool
share(struct macs *m, const struct filter_device *dev, struct stations *s)
{
	uint16_t n_of_port[PORTS_MAX] = {0};
	uint64_t start = filter_clock();

	for (uint32_t i = 0; i < s->macs.n; i++)
		n_of_port[s->list[i].port] += s->list[i].is_listed;
	for (int n = 0; n < FILTER_REFUSALS_MAX; n++) {
		int32_t to, from;

		if (m->n_vain >= FILTER_REFUSALS_MAX)
			return false;
		if (n > 0 && filter_clock() - start > FILTER_STEP_NS)
			return true;
		to = find_poorest(s, n_of_port);
		from = to < 0 ? -1 : find_richest(s, n_of_port, s->list[to].rank);
		if (from < 0 || n_of_port[s->list[from].port] < n_of_port[s->list[to].port] + 2)
			return false;
		if (!hand_over(m, dev, s, (uint32_t)from, (uint32_t)to))
			continue;
		n_of_port[s->list[from].port]--;
		n_of_port[s->list[to].port]++;
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

/* What was in vain may not be any more. */
static void
hope_again(struct macs *m, struct stations *s)
{
	m->n_vain = 0;
	for (uint32_t i = 0; i < s->macs.n; i++)
		s->list[i].is_vain = false;
}

bool
macs_sync(struct macs *m, const struct filter_device *dev, struct stations *s, bool retry)
{
	uint16_t order[MACSET_MAX];
	uint32_t n;
	bool again;

	m->was_added = false;
	for (uint32_t i = 0; i < s->macs.n; i++) {
		struct station *st = &s->list[i];

		if (st->is_wanted || (!st->is_listed && !st->is_doubtful))
			continue;
		take_out(m, dev, s, i);
		retry = true;
	}
	if (retry)
		hope_again(m, s);
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

/* SPDX-License-Identifier: BSD-3-Clause */
/* filter_show.c: a filter in words, see filter.h. */
#include "filter.h"

#include <errno.h>
#include <stdio.h>

#include <rte_ether.h>

#include "filter_state.h"
#include "switch.h"

enum {
	SHOWN_MAX = 16, /* stations that can't be reached */
};

bool
filter_misses(const struct filter *f, const struct station *st)
{
	if (!st->is_wanted || st->is_listed || f->mode.receives_all)
		return false;
	return !f->mode.has_list || st->refusal != 0;
}

/* Is no address taken because the PF's administrator has set one? */
static bool
is_bound(const struct filter *f)
{
	return f->dev.is_vf && f->dev.facts.is_pf_mac && f->dev.facts.trust != PORT_WISH_ON &&
	       f->macs.n_listed == 0;
}

static void
reason(const struct filter *f, const struct station *st, char text[FILTER_REASON_MAX])
{
	uint32_t n = f->macs.n_listed + 1; /* with the device's own */
	char advice[FILTER_ADVICE_MAX];

	if (f->dev.port->conf.uplink.filter == PORT_FILTER_OWN) {
		snprintf(text, FILTER_REASON_MAX, "filter: own is asked for");
	} else if (!f->mode.has_list || st->refusal == -ENOTSUP) {
		bool is_untrusted =
			f->dev.is_vf && f->dev.facts.trust == PORT_WISH_OFF && f->dev.macs_max > 1;

		snprintf(text, FILTER_REASON_MAX, "the driver %s takes no address beside its own%s",
			 f->dev.driver_name,
			 is_untrusted ? " while the PF does not trust the VF" : "");
	} else if (st->is_vain) {
		snprintf(text, FILTER_REASON_MAX,
			 "the driver %s or its PF refuses this address (code %d)",
			 f->dev.driver_name, st->refusal);
	} else if (st->refusal == -ENOSPC) {
		snprintf(text, FILTER_REASON_MAX, "filter full (%u of %u)", n, n);
	} else if (is_bound(f)) {
		mode_advise(&f->dev, "trust: on", "trust on", advice);
		snprintf(text, FILTER_REASON_MAX,
			 "the PF refuses addresses beside the one that it has set: %s", advice);
	} else if (f->macs.n_listed > 0) {
		snprintf(text, FILTER_REASON_MAX, "filter full (%u of %u)", n, n);
	} else {
		snprintf(text, FILTER_REASON_MAX,
			 "the driver %s or its PF refuses every address (code %d)",
			 f->dev.driver_name, st->refusal);
	}
}

struct search {
	uint16_t id;
	const char *name;
};

static bool
find_name(struct port *port, void *arg)
{
	struct search *search = arg;

	if (port->id != search->id)
		return true;
	search->name = port->conf.name;
	return false;
}

void
filter_complain(const struct filter *f, uint32_t i, char text[FILTER_SENTENCE_MAX])
{
	const struct station *st = &f->stations.list[i];
	const struct rte_ether_addr *mac = &f->stations.macs.list[i];
	struct search search = {.id = st->port, .name = "(a port that was deleted)"};
	char why[FILTER_REASON_MAX];

	switch_port_walk(f->dev.port->sw, find_name, &search);
	reason(f, st, why);
	snprintf(text, FILTER_SENTENCE_MAX,
		 "%s %02x:%02x:%02x:%02x:%02x:%02x: not reachable from uplink %s: %s", search.name,
		 RTE_ETHER_ADDR_BYTES(mac), f->dev.port->conf.name, why);
}

static void
show_stations(const struct filter *f, struct report *report)
{
	char key[32], text[FILTER_SENTENCE_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->stations.macs.n; i++) {
		if (!filter_misses(f, &f->stations.list[i]))
			continue;
		if (n < SHOWN_MAX) {
			filter_complain(f, i, text);
			snprintf(key, sizeof(key), "unreachable_%u", n);
			report->text(report, key, text);
		}
		n++;
	}
	if (!f->mode.receives_all)
		n += f->stations.n_left_out;
	report->number(report, "unreachable", n);
}

void
filter_show(const struct filter *f, struct report *report)
{
	char key[32];

	report->text(report, "filter", mode_name(f->mode.mode));
	report->text(report, "filter_why", f->mode.why);
	report->text(report, "filter_asked", mode_name(f->dev.port->conf.uplink.filter));
	for (uint32_t i = 0; i < f->mode.n_warnings; i++) {
		snprintf(key, sizeof(key), "warning_%u", i);
		report->text(report, key, f->mode.warnings[i]);
	}
	report->number(report, "macs_listed", f->macs.n_listed);
	report->number(report, "macs_max", f->dev.macs_max);
	report->number(report, "macs_refused", f->macs.n_refused);
	mcast_show(&f->mcast, report);
	vlans_show(&f->vlans, report);
	show_stations(f, report);
}

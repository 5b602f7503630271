/* SPDX-License-Identifier: BSD-3-Clause */
/* vlans.c: see vlans.h. */
#include "vlans.h"

#include <stdio.h>
#include <string.h>

#include <rte_ethdev.h>

#include "filter_device.h"
#include "port.h"

static bool
has(const uint64_t set[STATIONS_VLAN_WORDS], uint16_t vlan)
{
	return set[vlan / 64] >> vlan % 64 & 1;
}

static void
put(uint64_t set[STATIONS_VLAN_WORDS], uint16_t vlan, bool is_in)
{
	uint64_t bit = 1ull << vlan % 64;

	set[vlan / 64] = is_in ? set[vlan / 64] | bit : set[vlan / 64] & ~bit;
}

void
vlans_decide(struct vlans *v, const struct filter_device *dev)
{
	int offloads = rte_eth_dev_get_vlan_offload(dev->dpdk_port);
	struct vlans was = *v;

	*v = (struct vlans){0};
	for (uint16_t i = 0; i < STATIONS_VLAN_WORDS; i++)
		v->doubtful[i] = was.listed[i] | was.doubtful[i];
	/* a PF filters also where the driver has no call for it; a virtio device then does not */
	v->is_filtered = (dev->driver->filters_vlans && dev->driver->is_vf) ||
			 (offloads >= 0 && offloads & RTE_ETH_VLAN_FILTER_OFFLOAD);
}

/* Takes out what nobody wants any more; true if there was anything. */
static bool
drop_unwanted(struct vlans *v, const struct filter_device *dev,
	      const uint64_t want[STATIONS_VLAN_WORDS])
{
	bool any = false;

	for (uint16_t vlan = 1; vlan < RTE_ETHER_MAX_VLAN_ID + 1; vlan++) {
		if (!has(want, vlan) && (has(v->listed, vlan) || has(v->doubtful, vlan))) {
			rte_eth_dev_vlan_filter(dev->dpdk_port, vlan, 0);
			v->n_listed -= has(v->listed, vlan);
			put(v->listed, vlan, false);
			any = true;
		}
		put(v->doubtful, vlan, false);
	}
	return any;
}

static void
add_one(struct vlans *v, const struct filter_device *dev, uint16_t vlan, bool retry,
	uint32_t *in_row)
{
	bool is_due = retry || !has(v->refused, vlan);

	if (has(v->listed, vlan))
		return;
	if (is_due && *in_row < FILTER_REFUSALS_MAX &&
	    rte_eth_dev_vlan_filter(dev->dpdk_port, vlan, 1) == 0) {
		put(v->listed, vlan, true);
		put(v->refused, vlan, false);
		v->n_listed++;
		*in_row = 0;
		return;
	}
	put(v->refused, vlan, true);
	*in_row += is_due;
}

void
vlans_sync(struct vlans *v, const struct filter_device *dev,
	   const uint64_t wanted[STATIONS_VLAN_WORDS], bool retry)
{
	const struct port_conf *conf = &dev->port->conf;
	uint64_t want[STATIONS_VLAN_WORDS];
	uint32_t in_row = 0;

	if (!v->is_filtered)
		return;
	memcpy(want, wanted, sizeof(want));
	for (uint16_t i = 0; i < conf->uplink.n_vlans; i++)
		put(want, conf->uplink.vlans[i], true);
	retry |= drop_unwanted(v, dev, want);
	for (uint16_t i = 0; i < STATIONS_VLAN_WORDS; i++)
		v->refused[i] &= want[i];
	/* the configured ones first: a PF's table may be small, and shared by all its VFs */
	for (uint16_t i = 0; i < conf->uplink.n_vlans; i++)
		add_one(v, dev, conf->uplink.vlans[i], retry, &in_row);
	for (uint16_t vlan = 1; vlan < RTE_ETHER_MAX_VLAN_ID + 1; vlan++)
		if (has(want, vlan))
			add_one(v, dev, vlan, retry, &in_row);
	v->n_refused = 0;
	for (uint16_t i = 0; i < STATIONS_VLAN_WORDS; i++)
		v->n_refused += (uint32_t)__builtin_popcountll(v->refused[i]);
}

/* As "10, 20"; what does not fit is said to be more. */
static void
print(const uint64_t set[STATIONS_VLAN_WORDS], char text[FILTER_SENTENCE_MAX])
{
	int used = 0;

	text[0] = 0;
	for (uint16_t vlan = 1; vlan < RTE_ETHER_MAX_VLAN_ID + 1; vlan++) {
		if (!has(set, vlan))
			continue;
		if (used > FILTER_SENTENCE_MAX - 16) {
			snprintf(text + used, (size_t)(FILTER_SENTENCE_MAX - used), ", more");
			return;
		}
		used += snprintf(text + used, (size_t)(FILTER_SENTENCE_MAX - used), "%s%u",
				 used ? ", " : "", vlan);
	}
}

void
vlans_show(const struct vlans *v, struct report *report)
{
	char text[FILTER_SENTENCE_MAX];

	if (!v->is_filtered) {
		report->text(report, "vlans", "all");
		return;
	}
	print(v->listed, text);
	report->text(report, "vlans", v->n_listed ? text : "none");
	report->number(report, "vlans_listed", v->n_listed);
	report->number(report, "vlans_refused", v->n_refused);
	if (v->n_refused == 0)
		return;
	print(v->refused, text);
	report->text(report, "vlans_not_let_in", text);
}

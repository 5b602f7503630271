/* SPDX-License-Identifier: BSD-3-Clause */
/* mode.c: see mode.h. */
#include "mode.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "error.h"

const char *
mode_name(enum port_filter mode)
{
	switch (mode) {
	case PORT_FILTER_AUTO:
		return "auto";
	case PORT_FILTER_PROMISCUOUS:
		return "promiscuous";
	case PORT_FILTER_MAC_LIST:
		return "mac-list";
	case PORT_FILTER_OWN:
		return "own";
	}
	return "?";
}

void
mode_advise(const struct filter_device *dev, const char *ours, const char *iproute2,
	    char text[FILTER_ADVICE_MAX])
{
	const struct filter_facts *facts = &dev->facts;

	if (facts->pf_ifname[0])
		snprintf(text, FILTER_ADVICE_MAX, "set %s, or ip link set %s vf %u %s", ours,
			 facts->pf_ifname, facts->number, iproute2);
	else
		snprintf(text, FILTER_ADVICE_MAX,
			 "on the machine that has the PF: ip link set PF vf N %s", iproute2);
}

__attribute__((format(printf, 2, 3))) static void
because(struct mode *m, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(m->why, sizeof(m->why), format, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3))) static void
warn(struct mode *m, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(m->warnings[m->n_warnings++], sizeof(m->warnings[0]), format, args);
	va_end(args);
}

static bool
takes_macs(const struct filter_device *dev)
{
	return dev->macs_max > 1;
}

/*
 * 0 or what the driver says. A driver that keeps its word and has no such call, as net_pcap,
 * filters nothing.
 */
static int
set_promiscuous(const struct filter_device *dev)
{
	int err;

	/* off first: ethdev does nothing to turn on what it believes to be on */
	rte_eth_promiscuous_disable(dev->dpdk_port);
	err = rte_eth_promiscuous_enable(dev->dpdk_port);
	if (err == -ENOTSUP && dev->driver->promiscuous == DRIVER_WORD_TRUE)
		return 0;
	return err;
}

static const char *
trust_text(const struct filter_device *dev)
{
	return dev->facts.trust == PORT_WISH_OFF ? "the PF does not trust the VF"
						 : "the PF does not say that it trusts the VF";
}

/* --- asked for */

static int
ask_promiscuous(struct mode *m, const struct filter_device *dev, struct error *e)
{
	char advice[FILTER_ADVICE_MAX];
	int err = set_promiscuous(dev);

	m->mode = PORT_FILTER_PROMISCUOUS;
	mode_advise(dev, "trust: on", "trust on", advice);
	if (err) {
		because(m, "asked for, but %s or the PF refuses it", dev->driver_name);
		return error_set(
			e, err < 0 ? err : -EIO,
			"port %s: filter: promiscuous is refused by the driver %s or its "
			"PF (%s): set filter: auto or mac-list, or let the PF allow it: %s",
			dev->port->conf.name, dev->driver_name,
			err < 0 ? rte_strerror(-err) : "no reason given", advice);
	}
	if (dev->driver->promiscuous == DRIVER_WORD_FALSE) {
		because(m, "asked for, but %s takes the wish and does nothing", dev->driver_name);
		warn(m,
		     "filter: promiscuous can't work: %s takes the wish and does nothing: set "
		     "filter: auto",
		     dev->driver_name);
	} else if (dev->driver->promiscuous == DRIVER_WORD_TRUSTED &&
		   dev->facts.trust == PORT_WISH_OFF) {
		because(m, "asked for, but %s, so it is ignored", trust_text(dev));
		warn(m, "filter: promiscuous can't work, for %s: %s; or set filter: mac-list",
		     trust_text(dev), advice);
	} else {
		m->receives_all = true; /* nothing else is known */
		because(m, "asked for%s",
			filter_device_keeps(dev, dev->driver->promiscuous)
				? ""
				: "; if the PF does not trust the VF, it does nothing");
	}
	return 0;
}

static int
ask_list(struct mode *m, const struct filter_device *dev, struct error *e)
{
	m->mode = PORT_FILTER_MAC_LIST;
	because(m, "asked for");
	if (takes_macs(dev))
		return 0;
	because(m, "asked for, but %s takes no address beside its own", dev->driver_name);
	return error_set(e, -ENOTSUP,
			 "port %s: filter: mac-list: the driver %s takes no address beside its "
			 "own: set filter: auto",
			 dev->port->conf.name, dev->driver_name);
}

/* --- auto */

static void
fall_back(struct mode *m, const struct filter_device *dev, const char *why)
{
	m->mode = takes_macs(dev) ? PORT_FILTER_MAC_LIST : PORT_FILTER_OWN;
	because(m, "%s%s%s%s", why, takes_macs(dev) ? "" : ", and ",
		takes_macs(dev) ? "" : dev->driver_name,
		takes_macs(dev) ? "" : " takes no address beside its own");
}

static void
choose(struct mode *m, const struct filter_device *dev)
{
	char why[FILTER_REASON_MAX];
	bool keeps = filter_device_keeps(dev, dev->driver->promiscuous);
	int err = keeps ? set_promiscuous(dev) : 0;

	if (keeps && err == 0) {
		m->mode = PORT_FILTER_PROMISCUOUS;
		m->receives_all = true;
		if (dev->driver->promiscuous == DRIVER_WORD_TRUSTED)
			because(m, "the PF trusts the VF, so %s's promiscuous mode works",
				dev->driver_name);
		else
			because(m, "%s receives all when told to", dev->driver_name);
		return;
	}
	if (keeps)
		snprintf(why, sizeof(why), "%s%s or its PF refuses promiscuous mode (%s)",
			 dev->driver->promiscuous == DRIVER_WORD_TRUSTED
				 ? "the PF trusts the VF, but "
				 : "",
			 dev->driver_name, err < 0 ? rte_strerror(-err) : "no reason given");
	else if (dev->driver->promiscuous == DRIVER_WORD_FALSE)
		snprintf(why, sizeof(why), "%s's promiscuous mode does nothing", dev->driver_name);
	else
		snprintf(why, sizeof(why), "%s, so %s's promiscuous mode would be ignored",
			 trust_text(dev), dev->driver_name);
	fall_back(m, dev, why);
}

/* Frames of stations behind other ports leave with source addresses that are not the VF's. */
static void
check_spoofing(struct mode *m, const struct filter_device *dev)
{
	char advice[FILTER_ADVICE_MAX];

	if (!dev->is_vf || dev->facts.spoofcheck != PORT_WISH_ON)
		return;
	mode_advise(dev, "spoofcheck: off", "spoofchk off", advice);
	warn(m, "spoof check is on, so the PF drops what stations of other ports send: %s", advice);
}

int
mode_decide(struct mode *m, const struct filter_device *dev, struct error *e)
{
	enum port_filter asked = dev->port->conf.uplink.filter;
	int err = 0;

	*m = (struct mode){0};
	if (asked != PORT_FILTER_PROMISCUOUS)
		rte_eth_promiscuous_disable(dev->dpdk_port);
	switch (asked) {
	case PORT_FILTER_AUTO:
		choose(m, dev);
		break;
	case PORT_FILTER_PROMISCUOUS:
		err = ask_promiscuous(m, dev, e);
		break;
	case PORT_FILTER_MAC_LIST:
		err = ask_list(m, dev, e);
		break;
	case PORT_FILTER_OWN:
		m->mode = asked;
		because(m, "asked for");
		break;
	}
	m->has_list = takes_macs(dev) && (m->mode == PORT_FILTER_MAC_LIST ||
					  (m->mode == PORT_FILTER_PROMISCUOUS && dev->is_vf));
	check_spoofing(m, dev);
	return err;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* check_uplink.c: the keys of the kinds of uplink, vf and ethdev, see check_where.h. */
#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "check_where.h"
#include "conf.h"
#include "schema.h"
#include "value.h"

enum {
	VLAN_MAX = 4094, /* IEEE 802.1Q §9.6: 4095 is reserved */
	VF_MAX = 65534,	 /* a PF's TotalVFs has 16 bits */
};

static_assert((int)PORT_PCI_MAX >= IFNAMSIZ, "pf takes the name of an interface as well");

static int
check_pci(const struct where *w, const char *key, const char *text, char out[PORT_PCI_MAX],
	  struct error *e)
{
	if (value_pci(text, out))
		return 0;
	return check_fail(w, key, -1, e, "\"%.40s\" is not a PCI address, as \"0000:01:10.0\" is",
			  text);
}

/* The name of an interface, or a PCI address, which has colons: no interface's name may. */
static int
check_pf(const struct where *w, const char *text, char out[PORT_PCI_MAX], struct error *e)
{
	if (strchr(text, ':'))
		return check_pci(w, "pf", text, out, e);
	if (!value_is_name(text, IFNAMSIZ - 1))
		return check_fail(w, "pf", -1, e,
				  "\"%.40s\" is neither the name of an interface nor a PCI "
				  "address, as eth2 and \"0000:01:00.0\" are",
				  text);
	strcpy(out, text);
	return 0;
}

/* Which VF it is: by pf and vf, or by pci. */
static int
check_which_vf(const struct where *w, const struct raw_port *raw, struct port_conf *port,
	       struct error *e)
{
	uint64_t number = 0, n = 0;
	int rc;

	if (!raw->pf && !raw->vf && !raw->pci)
		return check_fail(w, "", -1, e,
				  "which VF it is, is missing: give pf and vf, or pci");
	if (raw->pci && (raw->pf || raw->vf))
		return check_fail(w, "pci", -1, e,
				  "there is %s as well: which VF it is, say by pf and vf, or by "
				  "pci",
				  raw->pf ? "pf" : "vf");
	if (raw->pci && raw->num_vfs)
		return check_fail(w, "num_vfs", -1, e,
				  "only goes with pf and vf: there is pci, which is of a VF that "
				  "is there already");
	if (raw->pci)
		return check_pci(w, "pci", raw->pci, port->vf.pci, e);
	if (!raw->pf)
		return check_fail(w, "", -1, e,
				  "pf is missing: the interface or PCI address of the PF that vf "
				  "is a number of");
	if (!raw->vf)
		return check_fail(w, "", -1, e,
				  "vf is missing: the number of the VF of pf, from 0");
	rc = check_pf(w, raw->pf, port->vf.pf, e);
	if (!rc)
		rc = check_number(w, "vf", raw->vf, 0, VF_MAX, &number, e);
	if (!rc)
		rc = check_number(w, "num_vfs", raw->num_vfs, 1, CONF_VFS_MAX, &n, e);
	if (!rc && raw->num_vfs && number >= n)
		rc = check_fail(w, "vf", -1, e, "with num_vfs %s, %s is not in 0..%llu",
				raw->num_vfs, raw->vf, (unsigned long long)n - 1);
	port->vf.vf = (uint16_t)number;
	port->vf.num_vfs = (uint16_t)n;
	return rc;
}

static int
check_wish(const struct where *w, const char *key, const char *text, enum port_wish *wish,
	   struct error *e)
{
	bool is_on;

	if (!text)
		return 0;
	if (!value_flag(text, &is_on))
		return check_fail(w, key, -1, e, "\"%.40s\" is neither on nor off", text);
	*wish = is_on ? PORT_WISH_ON : PORT_WISH_OFF;
	return 0;
}

/* IFLA_VF_RATE: 32 bits each. The PF may know less. */
static int
check_rates(const struct where *w, const struct raw_port *raw, struct port_vf_wish *wish,
	    struct error *e)
{
	uint64_t min = 0, max = 0;
	int rc;

	rc = check_number(w, "min_rate", raw->min_rate, 0, UINT32_MAX, &min, e);
	if (!rc)
		rc = check_number(w, "max_rate", raw->max_rate, 0, UINT32_MAX, &max, e);
	if (!rc && max && min > max)
		rc = check_fail(w, "min_rate", -1, e, "%s is more than max_rate, which is %s",
				raw->min_rate, raw->max_rate);
	wish->min_rate = raw->min_rate ? (int64_t)min : PORT_RATE_NONE;
	wish->max_rate = raw->max_rate ? (int64_t)max : PORT_RATE_NONE;
	return rc;
}

/* What is wanted of the PF. */
static int
check_vf_wish(const struct where *w, const struct raw_port *raw, struct port_vf_wish *wish,
	      struct error *e)
{
	static const struct check_word states[] = {{"auto", PORT_LINK_STATE_AUTO},
						   {"enable", PORT_LINK_STATE_ENABLE},
						   {"disable", PORT_LINK_STATE_DISABLE},
						   {NULL, 0}};
	int state = PORT_LINK_STATE_NONE, rc;
	uint64_t vlan = 0;

	rc = check_mac(w, "mac", raw->mac, &wish->has_mac, &wish->mac, e);
	if (!rc)
		rc = check_number(w, "vlan", raw->vlan, 0, VLAN_MAX, &vlan, e);
	if (!rc)
		rc = check_wish(w, "trust", raw->trust, &wish->trust, e);
	if (!rc)
		rc = check_wish(w, "spoofcheck", raw->spoofcheck, &wish->spoofcheck, e);
	if (!rc)
		rc = check_word(w, "link_state", raw->link_state, states, &state, e);
	if (!rc)
		rc = check_rates(w, raw, wish, e);
	wish->vlan = raw->vlan ? (int32_t)vlan : PORT_VLAN_NONE;
	wish->link_state = (enum port_link_state)state;
	return rc;
}

/* The keys of both kinds. */
static int
check_uplink(const struct where *w, const struct raw_port *raw, struct port_conf *port,
	     struct error *e)
{
	static const struct check_word filters[] = {{"auto", PORT_FILTER_AUTO},
						    {"promiscuous", PORT_FILTER_PROMISCUOUS},
						    {"mac-list", PORT_FILTER_MAC_LIST},
						    {"own", PORT_FILTER_OWN},
						    {NULL, 0}};
	uint16_t *vlans = port->uplink.vlans;
	int filter = PORT_FILTER_AUTO, rc;

	rc = check_word(w, "filter", raw->filter, filters, &filter, e);
	if (rc)
		return rc;
	port->uplink.filter = (enum port_filter)filter;
	for (unsigned int i = 0; i < raw->vlans_count; i++) {
		uint64_t vlan;

		if (!value_number(raw->vlans[i], &vlan) || vlan < 1 || vlan > VLAN_MAX)
			return check_fail(w, "vlans", (int)i, e,
					  "\"%.40s\" is not a VLAN, which is a number in 1..%d",
					  raw->vlans[i], VLAN_MAX);
		vlans[i] = (uint16_t)vlan;
		for (unsigned int j = 0; j < i; j++)
			if (vlans[j] == vlan)
				return check_fail(w, "vlans", (int)i, e, "VLAN %u is there twice",
						  vlans[i]);
	}
	port->uplink.n_vlans = (uint16_t)raw->vlans_count;
	return 0;
}

int
check_uplink_vf(const struct where *w, const struct raw_port *raw, struct port_conf *port,
		struct error *e)
{
	int rc = check_which_vf(w, raw, port, e);

	if (!rc)
		rc = check_vf_wish(w, raw, &port->vf.wish, e);
	if (!rc)
		rc = check_uplink(w, raw, port, e);
	return rc;
}

/*
 * A PCI device has one name, however it is written (`pci:01:1A.0`): so two ports that want it are
 * seen, and sriov/ finds it in sysfs. Other devices keep theirs.
 */
static int
check_devargs(const struct where *w, const char *text, char out[PORT_DEVARGS_MAX], struct error *e)
{
	static const char bus[] = "pci:";
	const char *name = strncmp(text, bus, strlen(bus)) == 0 ? text + strlen(bus) : text;
	size_t name_len = strcspn(name, ",");
	char pci[PORT_PCI_MAX], one[PORT_DEVARGS_MAX];
	int len;

	snprintf(one, sizeof(one), "%.*s", (int)name_len, name);
	if (value_pci(one, pci))
		len = snprintf(out, PORT_DEVARGS_MAX, "%s%s", pci, name + name_len);
	else
		len = snprintf(out, PORT_DEVARGS_MAX, "%s", text);
	if (len < PORT_DEVARGS_MAX)
		return 0;
	return check_fail(w, "devargs", -1, e, "has %d bytes, at most %d can be", len,
			  PORT_DEVARGS_MAX - 1);
}

int
check_uplink_ethdev(const struct where *w, const struct raw_port *raw, struct port_conf *port,
		    struct error *e)
{
	const char *text = raw->devargs;
	size_t len;

	if (!text)
		return check_fail(w, "", -1, e, "devargs is missing");
	len = strlen(text);
	if (len == 0)
		return check_fail(w, "devargs", -1, e,
				  "is empty: it names a device for DPDK, as "
				  "\"net_af_packet0,iface=eth2\" does");
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return check_fail(w, "devargs", -1, e,
					  "\"%.100s\" has a space or another character that no "
					  "device's name or argument has",
					  text);
	if (check_devargs(w, text, port->ethdev.devargs, e))
		return -EINVAL;
	return check_uplink(w, raw, port, e);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fakevf_filter.c: the functions of librte_ethdev by which the program asks the VF of fakevf.h for
 * frames: modes, addresses, groups, VLANs. Static functions here are called locked.
 */
#include "fakevf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static size_t
print_addrs(char *text, size_t size, const struct rte_ether_addr *addrs, uint32_t n)
{
	size_t used = 0;

	text[0] = 0;
	for (uint32_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(text + used, size - used,
					 "%s%02x:%02x:%02x:%02x:%02x:%02x", i ? "," : "",
					 RTE_ETHER_ADDR_BYTES(&addrs[i]));
	return used;
}

void
fakevf_say_filter(void)
{
	char macs[FAKEVF_ADDRS_MAX * 18 + 1], mcs[FAKEVF_ADDRS_MAX * 18 + 1], vlans[1024] = "";
	size_t used = 0;

	print_addrs(macs, sizeof(macs), fakevf.macs, fakevf.n_macs);
	print_addrs(mcs, sizeof(mcs), fakevf.mcs, fakevf.n_mcs);
	for (int id = 0; id <= RTE_ETHER_MAX_VLAN_ID && used < sizeof(vlans); id++)
		if (fakevf.vlans.ids[id / 64] >> id % 64 & 1)
			used += (size_t)snprintf(vlans + used, sizeof(vlans) - used, "%s%d",
						 used ? "," : "", id);
	fakevf_say("filter macs=%s mcs=%s vlans=%s promiscuous=%d allmulticast=%d", macs, mcs,
		   vlans, fakevf.is_promiscuous, fakevf.is_allmulticast);
}

void
fakevf_forget_filter(void)
{
	fakevf.n_macs = fakevf.n_mcs = 0;
	memset(&fakevf.vlans, 0, sizeof(fakevf.vlans));
	fakevf.is_promiscuous = fakevf.is_allmulticast = false;
}

static int
mode_set(const char *name, uint16_t port, const uint32_t *answer, bool *mode, bool on)
{
	int err;

	if (!fakevf_is(port))
		return fakevf_next_of_port(name, port);
	pthread_mutex_lock(&fakevf.lock);
	err = *mode == on ? 0 : fakevf_error_of(*answer, -EAGAIN);
	if (!err)
		*mode = on;
	return fakevf_said(name, err);
}

static int
mode_get(const char *name, uint16_t port, const bool *mode)
{
	int is_on;

	if (!fakevf_is(port))
		return fakevf_next_of_port(name, port);
	pthread_mutex_lock(&fakevf.lock);
	is_on = *mode;
	pthread_mutex_unlock(&fakevf.lock);
	return is_on;
}

int
rte_eth_promiscuous_enable(uint16_t port)
{
	return mode_set("rte_eth_promiscuous_enable", port, &fakevf.conf.promiscuous,
			&fakevf.is_promiscuous, true);
}

int
rte_eth_promiscuous_disable(uint16_t port)
{
	return mode_set("rte_eth_promiscuous_disable", port, &fakevf.conf.promiscuous,
			&fakevf.is_promiscuous, false);
}

int
rte_eth_promiscuous_get(uint16_t port)
{
	return mode_get("rte_eth_promiscuous_get", port, &fakevf.is_promiscuous);
}

int
rte_eth_allmulticast_enable(uint16_t port)
{
	return mode_set("rte_eth_allmulticast_enable", port, &fakevf.conf.allmulticast,
			&fakevf.is_allmulticast, true);
}

int
rte_eth_allmulticast_disable(uint16_t port)
{
	return mode_set("rte_eth_allmulticast_disable", port, &fakevf.conf.allmulticast,
			&fakevf.is_allmulticast, false);
}

int
rte_eth_allmulticast_get(uint16_t port)
{
	return mode_get("rte_eth_allmulticast_get", port, &fakevf.is_allmulticast);
}

int
rte_eth_macaddr_get(uint16_t port, struct rte_ether_addr *mac)
{
	int (*next)(uint16_t, struct rte_ether_addr *) = fakevf_next("rte_eth_macaddr_get");
	int err = next(port, mac);

	if (err || !fakevf_is(port))
		return err;
	pthread_mutex_lock(&fakevf.lock);
	if (fakevf.has_own)
		*mac = fakevf.own;
	pthread_mutex_unlock(&fakevf.lock);
	return 0;
}

static uint32_t
mac_find(const struct rte_ether_addr *mac)
{
	uint32_t i = 0;

	while (i < fakevf.n_macs && !rte_is_same_ether_addr(mac, &fakevf.macs[i]))
		i++;
	return i;
}

/* How many slots of the PF's are in use. */
static uint32_t
slots_used(uint32_t n_macs, uint32_t n_mcs)
{
	return n_macs + (fakevf.conf.mc_list == FAKEVF_SHARED ? n_mcs : 0);
}

static int
mac_add(const struct rte_ether_addr *mac)
{
	if (fakevf.conf.macs == 1)
		return -ENOTSUP; /* such drivers lack the call */
	if (rte_is_zero_ether_addr(mac))
		return -EINVAL;
	if (rte_is_same_ether_addr(mac, &fakevf.own) || mac_find(mac) < fakevf.n_macs)
		return 0;
	if (fakevf.n_macs + 1 >= fakevf.conf.macs)
		return -ENOSPC;
	if (!fakevf.conf.present || fakevf.conf.admin_mac ||
	    slots_used(fakevf.n_macs + 1, fakevf.n_mcs) > fakevf.conf.slots)
		return -EIO;
	fakevf.macs[fakevf.n_macs++] = *mac;
	return 0;
}

static int
mac_remove(const struct rte_ether_addr *mac)
{
	uint32_t i = mac_find(mac);

	if (fakevf.conf.macs == 1)
		return -ENOTSUP;
	if (rte_is_same_ether_addr(mac, &fakevf.own))
		return -EADDRINUSE;
	if (i < fakevf.n_macs)
		fakevf.macs[i] = fakevf.macs[--fakevf.n_macs];
	return 0;
}

/* Says, with the address, what came of a wish. */
static int
said_mac(const char *what, const struct rte_ether_addr *mac, int err)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %02x:%02x:%02x:%02x:%02x:%02x", what,
		 RTE_ETHER_ADDR_BYTES(mac));
	return fakevf_said(text, err);
}

int
rte_eth_dev_mac_addr_add(uint16_t port, struct rte_ether_addr *mac, uint32_t pool)
{
	int (*next)(uint16_t, struct rte_ether_addr *, uint32_t) =
		fakevf_next("rte_eth_dev_mac_addr_add");

	if (!fakevf_is(port))
		return next(port, mac, pool);
	pthread_mutex_lock(&fakevf.lock);
	return said_mac("mac_addr_add", mac, mac_add(mac));
}

int
rte_eth_dev_mac_addr_remove(uint16_t port, struct rte_ether_addr *mac)
{
	int (*next)(uint16_t, struct rte_ether_addr *) = fakevf_next("rte_eth_dev_mac_addr_remove");

	if (!fakevf_is(port))
		return next(port, mac);
	pthread_mutex_lock(&fakevf.lock);
	return said_mac("mac_addr_remove", mac, mac_remove(mac));
}

int
rte_eth_dev_default_mac_addr_set(uint16_t port, struct rte_ether_addr *mac)
{
	int (*next)(uint16_t, struct rte_ether_addr *) =
		fakevf_next("rte_eth_dev_default_mac_addr_set");
	int err = 0;

	if (!fakevf_is(port))
		return next(port, mac);
	pthread_mutex_lock(&fakevf.lock);
	if (!rte_is_valid_assigned_ether_addr(mac))
		err = -EINVAL;
	else if (mac_find(mac) < fakevf.n_macs)
		err = -EEXIST;
	else if (!fakevf.conf.present || fakevf.conf.admin_mac)
		err = -EIO;
	if (!err) {
		fakevf.own = *mac;
		fakevf.has_own = true;
	}
	return said_mac("default_mac_addr_set", mac, err);
}

int
rte_eth_dev_set_mc_addr_list(uint16_t port, struct rte_ether_addr *mcs, uint32_t n)
{
	int (*next)(uint16_t, struct rte_ether_addr *, uint32_t) =
		fakevf_next("rte_eth_dev_set_mc_addr_list");
	int err;

	if (!fakevf_is(port))
		return next(port, mcs, n);
	pthread_mutex_lock(&fakevf.lock);
	err = fakevf_error_of(fakevf.conf.mc_list, -EIO);
	if (!err && n > FAKEVF_ADDRS_MAX)
		err = -EINVAL;
	else if (!err && n > fakevf.n_mcs && slots_used(fakevf.n_macs, n) > fakevf.conf.slots)
		err = -EIO;
	if (!err) {
		if (n)
			memcpy(fakevf.mcs, mcs, n * sizeof(*mcs));
		fakevf.n_mcs = n;
	}
	return fakevf_said("set_mc_addr_list", err);
}

int
rte_eth_dev_vlan_filter(uint16_t port, uint16_t vlan, int on)
{
	int (*next)(uint16_t, uint16_t, int) = fakevf_next("rte_eth_dev_vlan_filter");
	char text[64];
	int err;

	if (!fakevf_is(port))
		return next(port, vlan, on);
	pthread_mutex_lock(&fakevf.lock);
	if (!fakevf.filters_vlans)
		err = -ENOSYS;
	else if (vlan > RTE_ETHER_MAX_VLAN_ID)
		err = -EINVAL;
	else
		err = fakevf_error_of(fakevf.conf.vlan_filter, -EIO);
	if (!err && on)
		fakevf.vlans.ids[vlan / 64] |= 1ull << vlan % 64;
	else if (!err)
		fakevf.vlans.ids[vlan / 64] &= ~(1ull << vlan % 64);
	snprintf(text, sizeof(text), "vlan_filter %u %s", vlan, on ? "on" : "off");
	return fakevf_said(text, err);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_nic.c: see fake_nic.h. */
#include "fake_nic.h"

#include <errno.h>
#include <string.h>

struct fake_nic nic;
uint64_t fake_nic_now_ns;

void
fake_nic_reset(const char *driver, uint32_t macs_max)
{
	memset(&nic, 0, sizeof(nic));
	nic.driver = driver;
	nic.macs_max = macs_max;
	nic.own = (struct rte_ether_addr){{0x52, 0x54, 0, 0xff, 0, 1}};
}

void
fake_nic_forget(void)
{
	memset(nic.macs, 0, sizeof(nic.macs));
	memset(nic.is_in_table, 0, sizeof(nic.is_in_table));
	memset(nic.vlans, 0, sizeof(nic.vlans));
	nic.n_groups = nic.n_vlans = 0;
	nic.is_promiscuous = nic.is_allmulticast = false;
}

uint32_t
fake_nic_n_macs(void)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i < FAKE_NIC_MACS; i++)
		n += nic.is_in_table[i];
	return n;
}

static int
mac_index(const struct rte_ether_addr *mac)
{
	nic.macs[0] = nic.own;
	for (uint32_t i = 0; i < nic.macs_max; i++)
		if (rte_is_same_ether_addr(&nic.macs[i], mac))
			return (int)i;
	return -1;
}

static bool
has_group(const struct rte_ether_addr *mac)
{
	uint32_t n = nic.n_groups;

	if (nic.groups_cut && n > nic.groups_cut)
		n = nic.groups_cut;
	for (uint32_t i = 0; i < n; i++)
		if (rte_is_same_ether_addr(&nic.groups[i], mac))
			return true;
	return false;
}

bool
fake_nic_receives(const struct rte_ether_addr *mac, uint16_t vlan)
{
	int i;

	if (vlan && nic.filters_vlans && !nic.vlans[vlan])
		return false;
	if (nic.is_promiscuous && !nic.ignores_modes)
		return true;
	if (rte_is_multicast_ether_addr(mac))
		return (nic.is_allmulticast && !nic.ignores_modes) || has_group(mac);
	i = mac_index(mac);
	return i == 0 || (i > 0 && nic.is_in_table[i]);
}

int
rte_eth_dev_info_get(uint16_t port, struct rte_eth_dev_info *info)
{
	if (port != FAKE_NIC_PORT)
		return -ENODEV;
	memset(info, 0, sizeof(*info));
	info->driver_name = nic.driver;
	info->max_mac_addrs = nic.macs_max;
	return nic.info_error;
}

int
rte_eth_macaddr_get(uint16_t port, struct rte_ether_addr *mac)
{
	*mac = nic.own;
	return port == FAKE_NIC_PORT ? 0 : -ENODEV;
}

int
rte_eth_promiscuous_enable(uint16_t port)
{
	(void)port;
	if (nic.is_promiscuous)
		return 0;
	nic.n_calls++;
	nic.n_promiscuous++;
	nic.is_promiscuous = nic.promiscuous_error == 0;
	return nic.promiscuous_error;
}

int
rte_eth_promiscuous_disable(uint16_t port)
{
	(void)port;
	nic.n_calls += nic.is_promiscuous;
	nic.is_promiscuous = false;
	return 0;
}

int
rte_eth_allmulticast_enable(uint16_t port)
{
	(void)port;
	if (nic.is_allmulticast)
		return 0;
	nic.n_calls++;
	nic.n_allmulticast++;
	nic.is_allmulticast = nic.allmulticast_error == 0;
	return nic.allmulticast_error;
}

int
rte_eth_allmulticast_disable(uint16_t port)
{
	(void)port;
	nic.n_calls += nic.is_allmulticast;
	nic.is_allmulticast = false;
	return 0;
}

static bool
is_enemy(const struct rte_ether_addr *mac)
{
	return nic.n_enemies && memcmp(mac, &nic.enemy, RTE_ETHER_ADDR_LEN - 1) == 0 &&
	       (uint32_t)(mac->addr_bytes[5] - nic.enemy.addr_bytes[5]) < nic.n_enemies;
}

static int
driver_add(const struct rte_ether_addr *mac, int at)
{
	uint32_t n_taken = fake_nic_n_macs() + (nic.shares_slots ? nic.n_groups : 0);

	nic.n_calls++;
	nic.n_adds++;
	fake_nic_now_ns += nic.slow_ns;
	if (nic.is_bound || is_enemy(mac) || (nic.slots && n_taken >= nic.slots))
		return -EIO;
	nic.is_in_table[at] = true;
	for (int i = 1, has_hole = 0; nic.stops_at_hole && i < (int)nic.macs_max; i++) {
		has_hole |= i != at && rte_is_zero_ether_addr(&nic.macs[i]);
		if (has_hole)
			nic.is_in_table[i] = false;
	}
	return 0;
}

int
rte_eth_dev_mac_addr_add(uint16_t port, struct rte_ether_addr *mac, uint32_t pool)
{
	const struct rte_ether_addr none = {0};
	int at, err;

	(void)port;
	(void)pool;
	if (nic.lacks_macs)
		return -ENOTSUP;
	if (rte_is_zero_ether_addr(mac))
		return -EINVAL;
	if (mac_index(mac) >= 0)
		return 0;
	at = mac_index(&none);
	if (at < 0)
		return -ENOSPC;
	err = driver_add(mac, at);
	if (err == 0)
		nic.macs[at] = *mac;
	return err;
}

int
rte_eth_dev_mac_addr_remove(uint16_t port, struct rte_ether_addr *mac)
{
	int at;

	(void)port;
	if (nic.lacks_macs)
		return -ENOTSUP;
	at = mac_index(mac);
	if (at <= 0)
		return at == 0 ? -EADDRINUSE : 0;
	nic.n_calls++;
	memset(&nic.macs[at], 0, sizeof(nic.macs[at]));
	nic.is_in_table[at] = false;
	for (uint32_t i = 1; nic.stops_at_hole && i < nic.macs_max; i++)
		nic.is_in_table[i] = !rte_is_zero_ether_addr(&nic.macs[i]);
	return 0;
}

int
rte_eth_dev_set_mc_addr_list(uint16_t port, struct rte_ether_addr *list, uint32_t n)
{
	(void)port;
	nic.n_lists++;
	if (nic.lacks_list)
		return -ENOTSUP;
	nic.n_calls++;
	if (nic.groups_max && n > nic.groups_max)
		return -ENOSPC;
	if (nic.shares_slots && fake_nic_n_macs() + n > nic.slots)
		return -EIO;
	nic.n_groups = n;
	if (n)
		memcpy(nic.groups, list, n * sizeof(*list));
	return 0;
}

int
rte_eth_dev_get_vlan_offload(uint16_t port)
{
	(void)port;
	return nic.vlan_offloads;
}

int
rte_eth_dev_vlan_filter(uint16_t port, uint16_t vlan, int on)
{
	(void)port;
	if (!(nic.vlan_offloads & RTE_ETH_VLAN_FILTER_OFFLOAD))
		return -ENOSYS;
	nic.n_calls++;
	if (on && nic.refuses_odd_vlans && vlan % 2)
		return -EIO;
	if (on && nic.vlans_max && nic.n_vlans == nic.vlans_max)
		return -EIO;
	nic.n_vlans += (uint32_t)((on != 0) - nic.vlans[vlan]);
	nic.vlans[vlan] = on;
	return 0;
}

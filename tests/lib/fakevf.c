/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fakevf.c: the functions of librte_ethdev that fakevf.h stands before. Each does what the real one
 * says of itself, with the answers of the file instead of a driver's.
 */
#include "fakevf.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>

struct fakevf fakevf = {.lock = PTHREAD_MUTEX_INITIALIZER};

void *
fakevf_next(const char *name)
{
	void *next = dlsym(RTLD_NEXT, name);

	if (!next) {
		fprintf(stderr, "fakevf: there is no %s\n", name);
		abort();
	}
	return next;
}

bool
fakevf_is(uint16_t port)
{
	char name[RTE_ETH_NAME_MAX_LEN];

	return rte_eth_dev_get_name_by_port(port, name) == 0 && strcmp(name, fakevf.device) == 0;
}

bool
fakevf_passes(void)
{
	return fakevf.conf.present && fakevf.conf.link && fakevf.conf.passes && !fakevf.is_dead;
}

/* Locked. */
static bool
is_up(void)
{
	bool is_link_up = fakevf.uses_lsc ? fakevf.is_link_up : fakevf.conf.link;

	return fakevf.is_started && is_link_up;
}

int
fakevf_error_of(enum fakevf_answer answer, int reject)
{
	if (!fakevf.conf.present)
		return -EIO;
	return answer == FAKEVF_REJECT ? reject : answer == FAKEVF_NOTSUP ? -ENOTSUP : 0;
}

int
fakevf_said(const char *what, int err)
{
	fakevf_say("%s = %d", what, err);
	fakevf_say_filter();
	pthread_mutex_unlock(&fakevf.lock);
	return err;
}

int
fakevf_next_of_port(const char *name, uint16_t port)
{
	int (*next)(uint16_t) = fakevf_next(name);

	return next(port);
}

int
rte_eal_init(int argc, char **argv)
{
	int (*next)(int, char **) = fakevf_next("rte_eal_init");

	fakevf_watch();
	return next(argc, argv);
}

/* --- the device comes and goes */

int
rte_dev_probe(const char *devargs)
{
	int (*next)(const char *) = fakevf_next("rte_dev_probe");
	size_t len = strlen(fakevf.device);
	bool present;
	int err;

	if (strncmp(devargs, fakevf.device, len) != 0 || (devargs[len] && devargs[len] != ','))
		return next(devargs);
	pthread_mutex_lock(&fakevf.lock);
	present = fakevf.conf.present;
	pthread_mutex_unlock(&fakevf.lock);
	err = present ? next(devargs) : -ENODEV;
	fakevf_say("probe = %d", err);
	return err;
}

int
rte_eth_dev_close(uint16_t port)
{
	int err;

	if (!fakevf_is(port))
		return fakevf_next_of_port("rte_eth_dev_close", port);
	err = fakevf_next_of_port("rte_eth_dev_close", port);
	pthread_mutex_lock(&fakevf.lock);
	fakevf_forget_filter();
	fakevf.has_own = fakevf.is_configured = fakevf.is_dead = false;
	fakevf.uses_lsc = fakevf.filters_vlans = false;
	return fakevf_said("close", err);
}

int
rte_eth_dev_is_removed(uint16_t port)
{
	return fakevf_is(port) ? !fakevf.conf.present
			       : fakevf_next_of_port("rte_eth_dev_is_removed", port);
}

/* --- configuration and state */

int
rte_eth_dev_info_get(uint16_t port, struct rte_eth_dev_info *info)
{
	int (*next)(uint16_t, struct rte_eth_dev_info *) = fakevf_next("rte_eth_dev_info_get");
	static uint32_t flags[4];
	static char driver[sizeof(fakevf.conf.driver)];
	int err = next(port, info);

	if (err || !fakevf_is(port))
		return err;
	pthread_mutex_lock(&fakevf.lock);
	if (fakevf.is_half_closed)
		return fakevf_said("info_get", -EIO);
	memcpy(driver, fakevf.conf.driver, sizeof(driver));
	info->driver_name = driver;
	info->max_mac_addrs = fakevf.conf.macs;
	if (fakevf.conf.txqs)
		info->max_tx_queues = FAKEVF_TXQS_SAID;
	if (fakevf.conf.vlan_filter != FAKEVF_NOTSUP)
		info->rx_offload_capa |= RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	/* constant words to point to, one for each case: callers may keep the pointer */
	for (uint32_t i = 0; i < RTE_DIM(flags); i++)
		flags[i] = (i & 1 ? RTE_ETH_DEV_INTR_LSC : 0) | (i & 2 ? RTE_ETH_DEV_INTR_RMV : 0);
	info->dev_flags = &flags[(fakevf.conf.lsc ? 1 : 0) + (fakevf.conf.rmv ? 2 : 0)];
	pthread_mutex_unlock(&fakevf.lock);
	return 0;
}

int
rte_eth_dev_configure(uint16_t port, uint16_t n_rxq, uint16_t n_txq,
		      const struct rte_eth_conf *wish)
{
	int (*next)(uint16_t, uint16_t, uint16_t, const struct rte_eth_conf *) =
		fakevf_next("rte_eth_dev_configure");
	struct rte_eth_conf conf = *wish;
	int err = 0;

	if (!fakevf_is(port))
		return next(port, n_rxq, n_txq, wish);
	pthread_mutex_lock(&fakevf.lock);
	if (!fakevf.conf.present)
		err = -EIO;
	else if ((wish->intr_conf.lsc && !fakevf.conf.lsc) ||
		 (wish->intr_conf.rmv && !fakevf.conf.rmv) ||
		 (wish->rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER &&
		  fakevf.conf.vlan_filter == FAKEVF_NOTSUP))
		err = -EINVAL;
	else if (fakevf.conf.txqs && n_txq > fakevf.conf.txqs)
		err = -EIO;
	conf.intr_conf.lsc = conf.intr_conf.rmv = 0;
	conf.rxmode.offloads &= ~RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	fakevf.uses_lsc = wish->intr_conf.lsc;
	fakevf.filters_vlans = wish->rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	fakevf.is_link_up = fakevf.conf.link;
	pthread_mutex_unlock(&fakevf.lock);
	if (!err)
		err = next(port, n_rxq, n_txq, &conf);
	pthread_mutex_lock(&fakevf.lock);
	fakevf.is_configured = err == 0;
	return fakevf_said("configure", err);
}

int
rte_eth_rx_queue_setup(uint16_t port, uint16_t queue, uint16_t n_desc, unsigned int node,
		       const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	int (*next)(uint16_t, uint16_t, uint16_t, unsigned int, const struct rte_eth_rxconf *,
		    struct rte_mempool *) = fakevf_next("rte_eth_rx_queue_setup");

	if (fakevf_is(port))
		fakevf_set_pool(pool);
	return next(port, queue, n_desc, node, conf, pool);
}

/* A start brings back what ethdev keeps for it: addresses and modes, but not the groups' list. */
int
rte_eth_dev_start(uint16_t port)
{
	struct rte_ether_addr mac;
	int err;

	if (!fakevf_is(port))
		return fakevf_next_of_port("rte_eth_dev_start", port);
	pthread_mutex_lock(&fakevf.lock);
	err = fakevf_error_of(fakevf.conf.start, -EIO);
	if (!err && !fakevf.is_configured)
		err = -EINVAL;
	pthread_mutex_unlock(&fakevf.lock);
	if (!err)
		err = fakevf_next_of_port("rte_eth_dev_start", port);
	if (!err && !fakevf.is_started)
		fakevf_take_bursts(port);
	if (!err)
		err = rte_eth_macaddr_get(port, &mac);
	pthread_mutex_lock(&fakevf.lock);
	if (err)
		return fakevf_said("start", err);
	fakevf.is_started = true;
	fakevf.own = mac;
	fakevf.n_mcs = 0;
	if (fakevf.conf.revival == FAKEVF_REVIVED_BY_START && fakevf.conf.link &&
	    fakevf.conf.passes)
		fakevf.is_dead = false;
	fakevf.is_link_up = fakevf.conf.link;
	return fakevf_said("start", 0);
}

int
rte_eth_dev_stop(uint16_t port)
{
	int err;

	if (!fakevf_is(port))
		return fakevf_next_of_port("rte_eth_dev_stop", port);
	err = fakevf_next_of_port("rte_eth_dev_stop", port);
	pthread_mutex_lock(&fakevf.lock);
	fakevf.is_started = false;
	return fakevf_said("stop", err);
}

int
rte_eth_dev_set_mtu(uint16_t port, uint16_t mtu)
{
	int (*next)(uint16_t, uint16_t) = fakevf_next("rte_eth_dev_set_mtu");
	int err;

	if (!fakevf_is(port))
		return next(port, mtu);
	pthread_mutex_lock(&fakevf.lock);
	err = fakevf.is_started ? -(int)fakevf.conf.mtu_errno : 0;
	pthread_mutex_unlock(&fakevf.lock);
	if (!err)
		err = next(port, mtu);
	fakevf_say("set_mtu %u = %d", mtu, err);
	return err;
}

int
rte_eth_dev_reset(uint16_t port)
{
	uint32_t takes_ms;
	int err;

	if (!fakevf_is(port))
		return fakevf_next_of_port("rte_eth_dev_reset", port);
	pthread_mutex_lock(&fakevf.lock);
	err = fakevf_error_of(fakevf.conf.reset, -EIO);
	takes_ms = fakevf.conf.reset_ms;
	pthread_mutex_unlock(&fakevf.lock);
	rte_delay_us_sleep(takes_ms * 1000);
	if (!err)
		rte_eth_dev_stop(port);
	pthread_mutex_lock(&fakevf.lock);
	fakevf.is_half_closed = err && err != -ENOTSUP;
	if (err)
		return fakevf_said("reset", err);
	fakevf_forget_filter();
	fakevf.is_configured = false;
	fakevf.is_dead = fakevf.is_dead && !(fakevf.conf.link && fakevf.conf.passes);
	return fakevf_said("reset", 0);
}

int
rte_eth_dev_get_vlan_offload(uint16_t port)
{
	int offloads = fakevf_next_of_port("rte_eth_dev_get_vlan_offload", port);

	if (offloads < 0 || !fakevf_is(port))
		return offloads;
	pthread_mutex_lock(&fakevf.lock);
	if (fakevf.filters_vlans)
		offloads |= RTE_ETH_VLAN_FILTER_OFFLOAD;
	pthread_mutex_unlock(&fakevf.lock);
	return offloads;
}

static int
link_of(const char *name, uint16_t port, struct rte_eth_link *link)
{
	int (*next)(uint16_t, struct rte_eth_link *) = fakevf_next(name);
	int err = next(port, link);

	if (err || !fakevf_is(port))
		return err;
	pthread_mutex_lock(&fakevf.lock);
	link->link_status = is_up() ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN;
	link->link_speed = is_up() ? RTE_ETH_SPEED_NUM_25G : RTE_ETH_SPEED_NUM_NONE;
	pthread_mutex_unlock(&fakevf.lock);
	return 0;
}

int
rte_eth_dev_socket_id(uint16_t port)
{
	int node;

	if (!fakevf_is(port))
		return fakevf_next_of_port("rte_eth_dev_socket_id", port);
	pthread_mutex_lock(&fakevf.lock);
	node = (int)fakevf.conf.node;
	pthread_mutex_unlock(&fakevf.lock);
	return node;
}

int
rte_eth_link_get(uint16_t port, struct rte_eth_link *link)
{
	return link_of("rte_eth_link_get", port, link);
}

int
rte_eth_link_get_nowait(uint16_t port, struct rte_eth_link *link)
{
	return link_of("rte_eth_link_get_nowait", port, link);
}

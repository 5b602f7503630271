/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_pf.c: a PF of our own, see fake_pf.h. */
#include "fake_pf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "error.h"
#include "log.h"
#include "pf.h"

struct fake_pf fake_pf;

int __wrap_netlink_ask(struct nlmsghdr *request, mnl_cb_t each, void *arg, struct error *why);
void __wrap_log_line(enum log_level level, const char *format, ...);
int __wrap_usleep(useconds_t us);

int
fake_pf_set_up(void **state)
{
	(void)state;
	memset(&fake_pf, 0, sizeof(fake_pf));
	fake_pf.n_vfs = 4;
	fake_pf.silent_vf = -1;
	fake_pf.has_carrier = true;
	for (uint32_t i = 0; i < FAKE_PF_VFS_MAX; i++) {
		struct fake_pf_vf *vf = &fake_pf.vfs[i];

		vf->proto = htons(ETH_P_8021Q);
		vf->spoofcheck = 1;
		if (i == 0)
			continue; /* VF 0 has no address */
		vf->mac[0] = 2;
		vf->mac[4] = (uint8_t)(i >> 8);
		vf->mac[5] = (uint8_t)i;
	}
	return 0;
}

int
__wrap_usleep(useconds_t us)
{
	assert_in_range(us, 1, 1000000);
	fake_pf.n_sleeps++;
	return 0;
}

void
__wrap_log_line(enum log_level level, const char *format, ...)
{
	size_t len = strlen(fake_pf.log);
	va_list args;

	snprintf(fake_pf.log + len, FAKE_PF_LOG_MAX - len, "%d ", (int)level);
	len = strlen(fake_pf.log);
	va_start(args, format);
	vsnprintf(fake_pf.log + len, FAKE_PF_LOG_MAX - len, format, args);
	va_end(args);
	len = strlen(fake_pf.log);
	snprintf(fake_pf.log + len, FAKE_PF_LOG_MAX - len, "\n");
}

/* --- the fake PF's answers */

static void
put_vlan_list(struct nlmsghdr *nlh, uint32_t number, const struct fake_pf_vf *vf)
{
	struct ifla_vf_vlan_info info = {number, vf->vlan, vf->qos, vf->proto};
	struct nlattr *list = mnl_attr_nest_start(nlh, IFLA_VF_VLAN_LIST);

	mnl_attr_put(nlh, IFLA_VF_VLAN_INFO, sizeof(info), &info);
	mnl_attr_nest_end(nlh, list);
}

/* One VF with all that the kernel says of it, in the kernel's order. */
static void
put_vf(struct nlmsghdr *nlh, uint32_t number)
{
	const struct fake_pf_vf *vf = &fake_pf.vfs[number];
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_VF_INFO);
	struct ifla_vf_mac mac = {.vf = number};
	struct ifla_vf_broadcast broadcast = {0};
	struct ifla_vf_vlan vlan = {number, vf->vlan, vf->qos};
	struct ifla_vf_rate rate = {number, vf->min_rate, vf->max_rate};
	struct ifla_vf_tx_rate tx_rate = {number, vf->max_rate};
	struct ifla_vf_spoofchk spoofcheck = {number, vf->spoofcheck};
	struct ifla_vf_link_state link_state = {number, vf->link_state};
	struct ifla_vf_rss_query_en rss = {number, UINT32_MAX};
	struct ifla_vf_trust trust = {number, vf->trust};

	memcpy(mac.mac, vf->mac, sizeof(vf->mac));
	mnl_attr_put(nlh, IFLA_VF_MAC, sizeof(mac), &mac);
	mnl_attr_put(nlh, IFLA_VF_BROADCAST, sizeof(broadcast), &broadcast);
	mnl_attr_put(nlh, IFLA_VF_VLAN, sizeof(vlan), &vlan);
	mnl_attr_put(nlh, IFLA_VF_RATE, sizeof(rate), &rate);
	mnl_attr_put(nlh, IFLA_VF_TX_RATE, sizeof(tx_rate), &tx_rate);
	mnl_attr_put(nlh, IFLA_VF_SPOOFCHK, sizeof(spoofcheck), &spoofcheck);
	mnl_attr_put(nlh, IFLA_VF_LINK_STATE, sizeof(link_state), &link_state);
	mnl_attr_put(nlh, IFLA_VF_RSS_QUERY_EN, sizeof(rss), &rss);
	mnl_attr_put(nlh, IFLA_VF_TRUST, sizeof(trust), &trust);
	put_vlan_list(nlh, number, vf);
	if (fake_pf.has_stats) {
		struct nlattr *stats = mnl_attr_nest_start(nlh, IFLA_VF_STATS);

		for (uint16_t i = IFLA_VF_STATS_RX_PACKETS; i <= IFLA_VF_STATS_TX_DROPPED; i++)
			mnl_attr_put_u64(nlh, i, number);
		mnl_attr_nest_end(nlh, stats);
	}
	mnl_attr_nest_end(nlh, info);
}

/* The length of a list wraps around at 64 KiB there as here. */
struct nlmsghdr *
fake_pf_put_answer(void *room, bool with_vfs)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(room);
	struct ifinfomsg *info;
	struct nlattr *list;

	nlh->nlmsg_type = RTM_NEWLINK;
	info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	info->ifi_index = 7;
	info->ifi_flags = IFF_UP | IFF_BROADCAST | (fake_pf.has_carrier ? IFF_RUNNING : 0);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "eth2");
	mnl_attr_put_u32(nlh, IFLA_MTU, 1500);
	if (!with_vfs)
		return nlh;
	mnl_attr_put_u32(nlh, IFLA_NUM_VF, fake_pf.n_vfs);
	if (!fake_pf.is_silent) {
		list = mnl_attr_nest_start(nlh, IFLA_VFINFO_LIST);
		for (uint32_t i = 0; i < fake_pf.n_vfs; i++) {
			if ((int32_t)i != fake_pf.silent_vf)
				put_vf(nlh, i);
		}
		mnl_attr_nest_end(nlh, list);
	}
	mnl_attr_put_u8(nlh, IFLA_CARRIER, 1);
	return nlh;
}

/* Hands on an answer in memory that ends where it ends, for the sanitizers. */
static int
answer(bool with_vfs, mnl_cb_t each, void *arg, struct error *why)
{
	void *room = malloc(FAKE_PF_ANSWER_MAX);
	struct nlmsghdr *nlh, *exact;
	int more, code;

	assert_non_null(room);
	nlh = fake_pf_put_answer(room, with_vfs);
	if (fake_pf.spoil)
		fake_pf.spoil(nlh);
	exact = malloc(nlh->nlmsg_len);
	assert_non_null(exact);
	memcpy(exact, nlh, nlh->nlmsg_len);
	free(room);
	errno = 0;
	more = each(exact, arg);
	code = errno;
	free(exact);
	assert_true(more == MNL_CB_OK || (more == MNL_CB_ERROR && code > 0));
	return more == MNL_CB_OK ? 0 : error_set(why, -code, "%s", strerror(code));
}

/* --- what the fake PF is told */

struct nlattr *
fake_pf_find(const struct nlattr *nest, uint16_t type)
{
	struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == type)
			return attr;
	}
	fail_msg("no attribute %u", type);
	return NULL;
}

struct nlattr *
fake_pf_find_list(const struct nlmsghdr *nlh)
{
	struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attr) == IFLA_VFINFO_LIST)
			return attr;
	}
	fail_msg("no list");
	return NULL;
}

const struct nlattr *
fake_pf_only_child(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *child = mnl_attr_get_payload(nest);

	assert_true(nest->nla_type & NLA_F_NESTED);
	assert_true(mnl_attr_ok(child, mnl_attr_get_payload_len(nest)));
	assert_int_equal(MNL_ALIGN(child->nla_len), mnl_attr_get_payload_len(nest));
	if (type)
		assert_int_equal(mnl_attr_get_type(child), type);
	return child;
}

static void
obey(const struct nlattr *attr)
{
	uint32_t said[16] = {0};
	struct fake_pf_vf *vf;

	if (mnl_attr_get_type(attr) == IFLA_VF_VLAN_LIST)
		memcpy(said, mnl_attr_get_payload(fake_pf_only_child(attr, IFLA_VF_VLAN_INFO)),
		       sizeof(struct ifla_vf_vlan_info));
	else
		memcpy(said, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	assert_true(said[0] < fake_pf.n_vfs);
	vf = &fake_pf.vfs[said[0]];
	switch (mnl_attr_get_type(attr)) {
	case IFLA_VF_MAC:
		memcpy(vf->mac, &said[1], sizeof(vf->mac));
		break;
	case IFLA_VF_VLAN_LIST:
		vf->vlan = said[1];
		vf->qos = said[2];
		memcpy(&vf->proto, &said[3], sizeof(vf->proto));
		break;
	case IFLA_VF_RATE:
		vf->min_rate = said[1];
		vf->max_rate = said[2];
		break;
	case IFLA_VF_SPOOFCHK:
		vf->spoofcheck = said[1];
		break;
	case IFLA_VF_LINK_STATE:
		vf->link_state = said[1];
		break;
	case IFLA_VF_TRUST:
		vf->trust = said[1];
		break;
	default:
		fail_msg("setting %u", mnl_attr_get_type(attr));
	}
}

static int
take_setting(const struct nlmsghdr *request, struct error *why)
{
	const struct nlattr *list = fake_pf_find_list(request), *attr;
	int code;

	attr = fake_pf_only_child(fake_pf_only_child(list, IFLA_VF_INFO), 0);
	code = fake_pf.refuse[mnl_attr_get_type(attr)];
	if (fake_pf.n_busy > 0) {
		fake_pf.n_busy--;
		code = fake_pf.busy_error;
	}
	if (code)
		return error_set(why, -code, "%s", strerror(code));
	obey(attr);
	return 0;
}

int
__wrap_netlink_ask(struct nlmsghdr *request, mnl_cb_t each, void *arg, struct error *why)
{
	struct nlattr *attr, *name = NULL;
	uint32_t mask = 0;

	assert_true(fake_pf.n_requests < FAKE_PF_REQUESTS_MAX);
	assert_true(request->nlmsg_len <= sizeof(struct netlink_request));
	memcpy(&fake_pf.requests[fake_pf.n_requests++], request, request->nlmsg_len);
	mnl_attr_for_each(attr, request, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			name = attr;
		if (mnl_attr_get_type(attr) == IFLA_EXT_MASK)
			mask = mnl_attr_get_u32(attr);
	}
	assert_non_null(name);
	if (strcmp(mnl_attr_get_str(name), "eth2") != 0)
		return error_set(why, -ENODEV, "%s", strerror(ENODEV));
	if (request->nlmsg_type == RTM_SETLINK)
		return take_setting(request, why);
	assert_int_equal(request->nlmsg_type, RTM_GETLINK);
	assert_true(mask & RTEXT_FILTER_SKIP_STATS);
	if (fake_pf.get_error)
		return error_set(why, -fake_pf.get_error, "%s", strerror(fake_pf.get_error));
	return answer(mask & RTEXT_FILTER_VF, each, arg, why);
}

int
fake_pf_read(uint16_t number, struct pf_vf *vf)
{
	struct pf_link link;
	struct error why;

	return pf_read("eth2", number, &link, vf, &why);
}

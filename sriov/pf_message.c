/* SPDX-License-Identifier: BSD-3-Clause */
/* pf_message.c: rtnetlink messages about VFs by libmnl, see pf_message.h. */
#include "pf_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "netlink.h"

enum {
	VLAN_ID_MAX = 4095,
};

struct nlmsghdr *
pf_message_get(struct netlink_request *request, const char *pf, bool with_vfs)
{
	struct nlmsghdr *nlh = netlink_put_link(request, RTM_GETLINK, pf);

	/* without the counters of VFs, three times as many have room in a list */
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK,
			 RTEXT_FILTER_SKIP_STATS | (with_vfs ? RTEXT_FILTER_VF : 0));
	return nlh;
}

/* --- setting */

static void
put_mac(struct nlmsghdr *nlh, uint32_t number, const struct ether_addr *mac)
{
	struct ifla_vf_mac attr = {.vf = number};

	memcpy(attr.mac, mac, sizeof(*mac));
	mnl_attr_put(nlh, IFLA_VF_MAC, sizeof(attr), &attr);
}

/* In a list of one, as only there it has a protocol. */
static void
put_vlan(struct nlmsghdr *nlh, uint32_t number, const struct pf_vf *vf)
{
	struct nlattr *list = mnl_attr_nest_start(nlh, IFLA_VF_VLAN_LIST);
	struct ifla_vf_vlan_info attr;

	memset(&attr, 0, sizeof(attr)); /* it has padding */
	attr.vf = number;
	attr.vlan = (uint32_t)vf->vlan;
	attr.qos = vf->vlan_qos;
	attr.vlan_proto = htons(vf->vlan_proto);
	mnl_attr_put(nlh, IFLA_VF_VLAN_INFO, sizeof(attr), &attr);
	mnl_attr_nest_end(nlh, list);
}

static void
put_rate(struct nlmsghdr *nlh, uint32_t number, const struct pf_vf *vf)
{
	struct ifla_vf_rate attr = {
		.vf = number,
		.min_tx_rate = vf->min_rate == PORT_RATE_NONE ? 0 : (uint32_t)vf->min_rate,
		.max_tx_rate = vf->max_rate == PORT_RATE_NONE ? 0 : (uint32_t)vf->max_rate,
	};

	mnl_attr_put(nlh, IFLA_VF_RATE, sizeof(attr), &attr);
}

/* IFLA_VF_SPOOFCHK, IFLA_VF_TRUST and IFLA_VF_LINK_STATE are all alike. */
static void
put_setting(struct nlmsghdr *nlh, uint16_t type, uint32_t number, uint32_t setting)
{
	struct ifla_vf_spoofchk attr = {.vf = number, .setting = setting};

	mnl_attr_put(nlh, type, sizeof(attr), &attr);
}

_Static_assert(sizeof(struct ifla_vf_trust) == sizeof(struct ifla_vf_spoofchk) &&
		       sizeof(struct ifla_vf_link_state) == sizeof(struct ifla_vf_spoofchk),
	       "put_setting() is for all three");

static uint32_t
link_state_number(enum port_link_state state)
{
	switch (state) {
	case PORT_LINK_STATE_ENABLE:
		return IFLA_VF_LINK_STATE_ENABLE;
	case PORT_LINK_STATE_DISABLE:
		return IFLA_VF_LINK_STATE_DISABLE;
	default:
		return IFLA_VF_LINK_STATE_AUTO;
	}
}

struct nlmsghdr *
pf_message_set(struct netlink_request *request, const char *pf, uint16_t number, enum pf_key key,
	       const struct pf_vf *vf)
{
	struct nlmsghdr *nlh = netlink_put_link(request, RTM_SETLINK, pf);
	struct nlattr *list = mnl_attr_nest_start(nlh, IFLA_VFINFO_LIST);
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_VF_INFO);

	switch (key) {
	case PF_KEY_MAC:
		put_mac(nlh, number, &vf->mac);
		break;
	case PF_KEY_VLAN:
		put_vlan(nlh, number, vf);
		break;
	case PF_KEY_RATE:
		put_rate(nlh, number, vf);
		break;
	case PF_KEY_SPOOFCHECK:
		put_setting(nlh, IFLA_VF_SPOOFCHK, number, vf->spoofcheck == PORT_WISH_ON);
		break;
	case PF_KEY_LINK_STATE:
		put_setting(nlh, IFLA_VF_LINK_STATE, number, link_state_number(vf->link_state));
		break;
	case PF_KEY_TRUST:
		put_setting(nlh, IFLA_VF_TRUST, number, vf->trust == PORT_WISH_ON);
		break;
	case PF_KEYS:
		break;
	}
	mnl_attr_nest_end(nlh, info);
	mnl_attr_nest_end(nlh, list);
	return nlh;
}

/* --- reading */

/* What is read of a VF and how long it is at least; structs grow at their ends. */
static const uint16_t said_len[IFLA_VF_MAX + 1] = {
	[IFLA_VF_MAC] = sizeof(struct ifla_vf_mac),
	[IFLA_VF_SPOOFCHK] = sizeof(struct ifla_vf_spoofchk),
	[IFLA_VF_LINK_STATE] = sizeof(struct ifla_vf_link_state),
	[IFLA_VF_RATE] = sizeof(struct ifla_vf_rate),
	[IFLA_VF_TRUST] = sizeof(struct ifla_vf_trust),
	[IFLA_VF_VLAN_LIST] = MNL_ATTR_HDRLEN + sizeof(struct ifla_vf_vlan_info),
};

/* What the driver does not know is -1. */
static enum port_wish
read_setting(const struct nlattr *attr)
{
	const struct ifla_vf_spoofchk *said = attr ? mnl_attr_get_payload(attr) : NULL;

	if (!said || said->setting == UINT32_MAX)
		return PORT_WISH_NONE;
	return said->setting ? PORT_WISH_ON : PORT_WISH_OFF;
}

static enum port_link_state
read_link_state(const struct nlattr *attr)
{
	static const enum port_link_state states[] = {
		[IFLA_VF_LINK_STATE_AUTO] = PORT_LINK_STATE_AUTO,
		[IFLA_VF_LINK_STATE_ENABLE] = PORT_LINK_STATE_ENABLE,
		[IFLA_VF_LINK_STATE_DISABLE] = PORT_LINK_STATE_DISABLE,
	};
	const struct ifla_vf_link_state *said = attr ? mnl_attr_get_payload(attr) : NULL;

	return said && said->link_state < MNL_ARRAY_SIZE(states) ? states[said->link_state]
								 : PORT_LINK_STATE_NONE;
}

/* The list has one VLAN (MAX_VLAN_LIST_LEN). False: it says something impossible. */
static bool
read_vlan(const struct nlattr *list, struct pf_vf *vf)
{
	const struct nlattr *attr = mnl_attr_get_payload(list);
	const struct ifla_vf_vlan_info *said = mnl_attr_get_payload(attr);

	if (!mnl_attr_ok(attr, mnl_attr_get_payload_len(list)) ||
	    mnl_attr_get_type(attr) != IFLA_VF_VLAN_INFO ||
	    mnl_attr_get_payload_len(attr) < sizeof(*said) || said->vlan > VLAN_ID_MAX)
		return false;
	vf->vlan = (int32_t)said->vlan;
	vf->vlan_qos = said->qos;
	vf->vlan_proto = ntohs(said->vlan_proto);
	return true;
}

static int
bad_message(void)
{
	errno = EBADMSG;
	return MNL_CB_ERROR;
}

static int
on_vf_attr(const struct nlattr *attr, void *arg)
{
	const struct nlattr **said = arg;
	uint16_t type = mnl_attr_get_type(attr);

	if (type > IFLA_VF_MAX || said_len[type] == 0)
		return MNL_CB_OK;
	if (mnl_attr_get_payload_len(attr) < said_len[type])
		return bad_message();
	said[type] = attr;
	return MNL_CB_OK;
}

static int
on_vf(const struct nlattr *info, void *arg)
{
	static const struct ether_addr no_mac;
	const struct nlattr *said[IFLA_VF_MAX + 1] = {0};
	struct pf_answer *answer = arg;
	struct pf_vf *vf = &answer->vf;
	const struct ifla_vf_mac *mac;
	const struct ifla_vf_rate *rate;

	if (mnl_attr_get_type(info) != IFLA_VF_INFO)
		return MNL_CB_OK;
	if (mnl_attr_parse_nested(info, on_vf_attr, said) == MNL_CB_ERROR)
		return MNL_CB_ERROR;
	mac = said[IFLA_VF_MAC] ? mnl_attr_get_payload(said[IFLA_VF_MAC]) : NULL;
	if (!mac || mac->vf != answer->number)
		return MNL_CB_OK;

	memcpy(&vf->mac, mac->mac, sizeof(vf->mac));
	vf->has_mac = memcmp(&vf->mac, &no_mac, sizeof(no_mac)) != 0;
	if (said[IFLA_VF_VLAN_LIST] && !read_vlan(said[IFLA_VF_VLAN_LIST], vf))
		return bad_message();
	if (said[IFLA_VF_RATE]) {
		rate = mnl_attr_get_payload(said[IFLA_VF_RATE]);
		vf->min_rate = rate->min_tx_rate;
		vf->max_rate = rate->max_tx_rate;
	}
	vf->spoofcheck = read_setting(said[IFLA_VF_SPOOFCHK]);
	vf->trust = read_setting(said[IFLA_VF_TRUST]);
	vf->link_state = read_link_state(said[IFLA_VF_LINK_STATE]);
	answer->has_vf = true;
	return MNL_CB_STOP;
}

static int
on_link_attr(const struct nlattr *attr, void *arg)
{
	struct pf_answer *answer = arg;

	if (mnl_attr_get_type(attr) == IFLA_NUM_VF && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		answer->n_vfs = mnl_attr_get_u32(attr);
	if (mnl_attr_get_type(attr) != IFLA_VFINFO_LIST)
		return MNL_CB_OK;
	answer->has_list = true;
	if (mnl_attr_parse_nested(attr, on_vf, answer) == MNL_CB_ERROR)
		return MNL_CB_ERROR;
	/* behind it nothing is wanted, and may be the rest of a list that was cut */
	return MNL_CB_STOP;
}

int
pf_message_read(const struct nlmsghdr *message, void *arg)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct pf_answer *answer = arg;

	if (message->nlmsg_type != RTM_NEWLINK ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*info))
		return MNL_CB_OK;
	answer->link.index = (uint32_t)info->ifi_index;
	answer->link.is_up = info->ifi_flags & IFF_UP;
	answer->link.is_running = info->ifi_flags & IFF_RUNNING;
	answer->vf = (struct pf_vf){.vlan = PORT_VLAN_NONE,
				    .vlan_proto = ETH_P_8021Q,
				    .min_rate = PORT_RATE_NONE,
				    .max_rate = PORT_RATE_NONE};
	answer->n_vfs = 0;
	answer->has_list = answer->has_vf = false;
	/* the kernel writes a longer list all the same, with the low 16 bits of its length */
	answer->is_cut = message->nlmsg_len > UINT16_MAX;
	return mnl_attr_parse(message, sizeof(*info), on_link_attr, answer) == MNL_CB_ERROR
		       ? MNL_CB_ERROR
		       : MNL_CB_OK;
}

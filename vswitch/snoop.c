/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * snoop.c: IGMP and MLD messages, as hosts and queriers send them, see snoop.h. A message is copied
 * once, whole, out of memory that the guest can still write; all checks read that copy.
 */
#include "snoop.h"

#include <arpa/inet.h>
#include <linux/igmp.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <string.h>

#include <rte_common.h>
#include <rte_ip.h>

#include "fdb.h"
#include "frame.h"
#include "groups.h"
#include "hint.h"
#include "port.h"
#include "switch.h"
#include "worker.h"

enum {
	PACKET_MAX = 9216,		       /* bytes of a message with its IP headers */
	RECORDS_MAX = GROUPS_PORT_MAX,	       /* heard of one message: more are not kept */
	HEARD_PER_S_MAX = 2 * GROUPS_PORT_MAX, /* of a port by a worker */
	IPV4_LEN = 4,			       /* bytes of an address */
	IPV6_LEN = 16,
	IGMP_LEN = 8, /* bytes of a query before version 3, a report, a leave; RFC 2236 §2 */
	IGMPV3_QUERY_LEN = 12, /* bytes at least; RFC 3376 §4.1 */
	MLD_LEN = 24,	       /* RFC 2710 §3 */
	MLDV2_QUERY_LEN = 28,  /* bytes at least; RFC 3810 §5.1 */
	MLDV2_REPORT = 143,    /* RFC 3810 §5.2 */
	RECORDS_AT = 8,	       /* of both kinds of report with records */
	RECORD_LEN = 4,	       /* bytes before the group's address */
	OPTION_ALERT_LEN = 2,  /* RFC 2711 §2.1 */
	/* from here on a response time is an exponent: up to 53 minutes, or 2.3 hours */
	IGMPV3_FLOAT = 0x80, /* RFC 3376 §4.1.1 */
	MLDV2_FLOAT = 0x8000 /* RFC 3810 §5.1.3 */
};

/* Where what is heard comes from. */
struct ear {
	struct worker *worker;
	const struct port *in;
	const struct frame *frame;
};

static uint16_t
read_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool
is_silenced(const struct ear *ear)
{
	return ear->worker->n_heard[ear->in->id] >= HEARD_PER_S_MAX;
}

static void
note(const struct ear *ear, enum snoop_message message, const uint8_t mac[ETH_ALEN], uint32_t alias)
{
	if (is_silenced(ear)) {
		hint_count_lost();
		return;
	}
	ear->worker->n_heard[ear->in->id]++;
	hint_post_key(HINT_GROUP, ear->in->id, snoop_arg(message, alias),
		      fdb_key(ear->frame->tci, mac));
}

/* RFC 1112 §6.4. All-hosts is nobody's to join. */
static void
note_ipv4(const struct ear *ear, enum snoop_message message, const uint8_t group[IPV4_LEN])
{
	const uint8_t mac[ETH_ALEN] = {0x01, 0x00, 0x5e, group[1] & 0x7f, group[2], group[3]};
	static const uint8_t all_hosts[IPV4_LEN] = {224, 0, 0, 1};

	if (!IN_MULTICAST((uint32_t)group[0] << 24) || memcmp(group, all_hosts, IPV4_LEN) == 0)
		return;
	note(ear, message, mac, (uint32_t)group[0] << 1 | group[1] >> 7);
}

/* RFC 2464 §7. No MLD message is due for all-nodes, or for a scope below link-local. */
static void
note_ipv6(const struct ear *ear, enum snoop_message message, const uint8_t group[IPV6_LEN])
{
	const uint8_t mac[ETH_ALEN] = {0x33, 0x33, group[12], group[13], group[14], group[15]};
	static const uint8_t all_nodes[IPV6_LEN] = {0xff, 0x02, [15] = 1};
	uint32_t words[3], alias;

	if (group[0] != 0xff || (group[1] & 0xf) < 2 || memcmp(group, all_nodes, IPV6_LEN) == 0)
		return;
	memcpy(words, group, sizeof(words));
	alias = ntohl(words[0] ^ words[1] ^ words[2]);
	note(ear, message, mac, (alias ^ alias >> 24) & 0xffffff);
}

static void
note_group(const struct ear *ear, enum snoop_message message, const uint8_t *group,
	   uint32_t group_len)
{
	if (group_len == IPV4_LEN)
		note_ipv4(ear, message, group);
	else
		note_ipv6(ear, message, group);
}

/* A host that wants no source of a group has left it. What it blocks says nothing of the rest. */
static void
hear_record(const struct ear *ear, uint8_t type, bool has_sources, const uint8_t *group,
	    uint32_t group_len)
{
	switch (type) {
	case IGMPV3_MODE_IS_EXCLUDE:
	case IGMPV3_CHANGE_TO_EXCLUDE:
		note_group(ear, SNOOP_JOIN, group, group_len);
		break;
	case IGMPV3_MODE_IS_INCLUDE:
	case IGMPV3_CHANGE_TO_INCLUDE:
		note_group(ear, has_sources ? SNOOP_JOIN : SNOOP_LEAVE, group, group_len);
		break;
	case IGMPV3_ALLOW_NEW_SOURCES:
		if (has_sources)
			note_group(ear, SNOOP_JOIN, group, group_len);
		break;
	default:
		break;
	}
}

/*
 * The records of an IGMPv3 or MLDv2 report, which differ in the length of an address only (RFC 3376
 * §4.2, RFC 3810 §5.2). Ends at a record that does not fit.
 */
static void
hear_records(const struct ear *ear, const uint8_t *at, uint32_t len, uint32_t group_len)
{
	uint32_t n = RTE_MIN(read_be16(at + 6), (uint32_t)RECORDS_MAX), off = RECORDS_AT;

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *record = at + off;
		uint32_t n_sources, record_len = RECORD_LEN + group_len;

		if (len - off < record_len)
			return;
		n_sources = read_be16(record + 2);
		record_len += n_sources * group_len + record[1] * 4u;
		if (len - off < record_len)
			return;
		hear_record(ear, record[0], n_sources > 0, record + RECORD_LEN, group_len);
		off += record_len;
	}
}

/*
 * A query that hosts answer: to all of them, for all groups, of a length and TTL that none ignores
 * (RFC 3376 §4, §7.1), and before their groups age out. Others must start no ageing: no member
 * would report in time.
 */
static bool
is_igmp_query(const struct ear *ear, const struct ip *ip, const uint8_t *at, uint32_t len)
{
	static const uint8_t all[ETH_ALEN] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x01};
	static const uint8_t any[IPV4_LEN];

	return (len == IGMP_LEN || (len >= IGMPV3_QUERY_LEN && at[1] < IGMPV3_FLOAT)) &&
	       ip->ip_ttl == 1 && ip->ip_dst.s_addr == htonl(INADDR_ALLHOSTS_GROUP) &&
	       memcmp(at + 4, any, sizeof(any)) == 0 &&
	       memcmp(ear->frame->head, all, sizeof(all)) == 0;
}

static void
hear_igmp(const struct ear *ear, const struct ip *ip, const uint8_t *at, uint32_t len)
{
	if (len < IGMP_LEN || rte_raw_cksum(at, len) != 0xffff)
		return;
	switch (at[0]) {
	case IGMP_HOST_MEMBERSHIP_REPORT:
	case IGMPV2_HOST_MEMBERSHIP_REPORT:
		note_ipv4(ear, SNOOP_JOIN, at + 4);
		break;
	case IGMP_HOST_LEAVE_MESSAGE:
		note_ipv4(ear, SNOOP_LEAVE, at + 4);
		break;
	case IGMPV3_HOST_MEMBERSHIP_REPORT:
		hear_records(ear, at, len, IPV4_LEN);
		break;
	case IGMP_HOST_MEMBERSHIP_QUERY:
		if (is_igmp_query(ear, ip, at, len))
			note(ear, SNOOP_QUERY, ear->frame->head, 0);
		break;
	default:
		break;
	}
}

static void
hear_ipv4(const struct ear *ear, const uint8_t *at, uint32_t len)
{
	uint32_t header_len, total_len;
	struct ip ip;

	if (len < sizeof(ip))
		return;
	memcpy(&ip, at, sizeof(ip));
	header_len = ip.ip_hl * 4u;
	total_len = ntohs(ip.ip_len);
	if (ip.ip_v != IPVERSION || ip.ip_p != IPPROTO_IGMP ||
	    (ntohs(ip.ip_off) & (IP_MF | IP_OFFMASK)) || header_len < sizeof(ip) ||
	    total_len < header_len || total_len > len || rte_raw_cksum(at, header_len) != 0xffff)
		return;
	hear_igmp(ear, &ip, at + header_len, total_len - header_len);
}

/* As is_igmp_query(); RFC 3810 §6.2. */
static bool
is_mld_query(const struct ear *ear, const struct ip6_hdr *ip, const uint8_t *at, uint32_t len)
{
	static const uint8_t all[ETH_ALEN] = {0x33, 0x33, 0x00, 0x00, 0x00, 0x01};
	static const struct in6_addr all_nodes = {.s6_addr = {0xff, 0x02, [15] = 1}};

	return (len == MLD_LEN || (len >= MLDV2_QUERY_LEN && read_be16(at + 4) < MLDV2_FLOAT)) &&
	       IN6_IS_ADDR_LINKLOCAL(&ip->ip6_src) &&
	       memcmp(&ip->ip6_dst, &all_nodes, sizeof(all_nodes)) == 0 &&
	       memcmp(at + 8, &in6addr_any, IPV6_LEN) == 0 &&
	       memcmp(ear->frame->head, all, sizeof(all)) == 0;
}

/* The checksum covers a pseudo-header: addresses, length and protocol (RFC 8200 §8.1). */
static bool
is_mld_sum_right(const struct ip6_hdr *ip, const uint8_t *at, uint32_t len)
{
	uint32_t sum = htons((uint16_t)len) + (uint32_t)htons(IPPROTO_ICMPV6);

	sum += rte_raw_cksum(&ip->ip6_src, 2 * sizeof(ip->ip6_src));
	sum += rte_raw_cksum(at, len);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

static void
hear_mld(const struct ear *ear, const struct ip6_hdr *ip, const uint8_t *at, uint32_t len)
{
	if (len < RECORDS_AT || !is_mld_sum_right(ip, at, len))
		return;
	if (at[0] == MLDV2_REPORT) {
		hear_records(ear, at, len, IPV6_LEN);
		return;
	}
	if (len < MLD_LEN)
		return;
	if (at[0] == MLD_LISTENER_REPORT)
		note_ipv6(ear, SNOOP_JOIN, at + 8);
	else if (at[0] == MLD_LISTENER_REDUCTION)
		note_ipv6(ear, SNOOP_LEAVE, at + 8);
	else if (at[0] == MLD_LISTENER_QUERY && is_mld_query(ear, ip, at, len))
		note(ear, SNOOP_QUERY, ear->frame->head, 0);
}

/* Is the router alert for MLD (RFC 2711) among these options (RFC 8200 §4.2)? */
static bool
has_mld_alert(const uint8_t *options, uint32_t len)
{
	static const uint8_t alert[] = {IP6OPT_ROUTER_ALERT, OPTION_ALERT_LEN, 0, 0};

	for (uint32_t off = 0, step; off < len; off += step) {
		if (len - off >= sizeof(alert) && memcmp(options + off, alert, sizeof(alert)) == 0)
			return true;
		if (options[off] == IP6OPT_PAD1)
			step = 1;
		else if (len - off >= 2)
			step = 2u + options[off + 1];
		else
			return false;
	}
	return false;
}

/*
 * Every MLD message has hop limit 1, a source that is link-local, or none yet (RFC 3590), and a
 * router alert in hop-by-hop options that come right before it (RFC 3810 §5).
 */
static void
hear_ipv6(const struct ear *ear, const uint8_t *at, uint32_t len)
{
	uint32_t payload_len, options_len;
	const uint8_t *options;
	struct ip6_hdr ip;

	if (len < sizeof(ip) + sizeof(struct ip6_hbh))
		return;
	memcpy(&ip, at, sizeof(ip));
	payload_len = ntohs(ip.ip6_plen);
	if (ip.ip6_vfc >> 4 != 6 || ip.ip6_nxt != IPPROTO_HOPOPTS || ip.ip6_hlim != 1 ||
	    payload_len > len - sizeof(ip) ||
	    !(IN6_IS_ADDR_LINKLOCAL(&ip.ip6_src) || IN6_IS_ADDR_UNSPECIFIED(&ip.ip6_src)))
		return;
	options = at + sizeof(ip);
	options_len = (options[1] + 1u) * 8;
	if (options[0] != IPPROTO_ICMPV6 || options_len > payload_len ||
	    !has_mld_alert(options + sizeof(struct ip6_hbh),
			   options_len - (uint32_t)sizeof(struct ip6_hbh)))
		return;
	hear_mld(ear, &ip, options + options_len, payload_len - options_len);
}

/* Only a glance: what it lets pass is checked anew. */
static bool
may_be_message(const struct frame *f)
{
	uint16_t type = read_be16(f->head + 2 * ETH_ALEN);
	uint8_t next;

	if (f->head[0] == 0x01 && type == ETHERTYPE_IP && f->len >= ETH_HLEN + sizeof(struct ip)) {
		frame_read(f, ETH_HLEN + offsetof(struct ip, ip_p), &next, sizeof(next));
		return next == IPPROTO_IGMP;
	}
	if (f->head[0] == 0x33 && type == ETHERTYPE_IPV6 &&
	    f->len >= ETH_HLEN + sizeof(struct ip6_hdr)) {
		frame_read(f, ETH_HLEN + offsetof(struct ip6_hdr, ip6_nxt), &next, sizeof(next));
		return next == IPPROTO_HOPOPTS;
	}
	return false;
}

static void
hear_frame(const struct ear *ear)
{
	uint32_t len = RTE_MIN(ear->frame->len - ETH_HLEN, (uint32_t)PACKET_MAX);
	uint8_t packet[PACKET_MAX];

	frame_read(ear->frame, ETH_HLEN, packet, len);
	if (ear->frame->head[0] == 0x01)
		hear_ipv4(ear, packet, len);
	else
		hear_ipv6(ear, packet, len);
}

void
snoop_batch(struct worker *w, const struct port *in, uint64_t set)
{
	uint32_t now_s = atomic_load_explicit(&w->sw->now_s, memory_order_relaxed);

	if (w->heard_s != now_s) {
		w->heard_s = now_s;
		memset(w->n_heard, 0, sizeof(w->n_heard));
	}
	set_foreach (i, set) {
		struct ear ear = {.worker = w, .in = in, .frame = &w->batch->frames[i]};

		if (!may_be_message(ear.frame))
			continue;
		if (is_silenced(&ear))
			hint_count_lost();
		else
			hear_frame(&ear);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * groups.h: which multicast groups (VLAN and group address) have members behind which port, as
 * their IGMP and MLD reports say (snoop.h). Frames to groups are flooded all the same: this is for
 * the filters of uplinks.
 *
 * A group is known by its key (fdb_key()) and its alias, which tells apart the IP groups that share
 * a MAC address. A port has at most GROUPS_PORT_MAX; the one heard of longest ago makes room.
 * Members report again only when a querier asks: groups age out only while one is heard (RFC 4541
 * §2.1.1), in its VLAN and of its protocol. A report on any port confirms the group's members on
 * all: reports are flooded, and an IGMPv2 or MLDv1 member that hears another's keeps its own back
 * (RFC 2236 §3).
 *
 * Threads: control.
 */
#ifndef VSWITCH_GROUPS_H
#define VSWITCH_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

struct groups;

enum {
	GROUPS_PORT_MAX = 128,
	GROUPS_MEMBERSHIP_S = 260, /* unconfirmed under a querier: RFC 2236 §8.4, RFC 2710 §7.4 */
	GROUPS_QUERIER_S = 255,	   /* silent, it is gone: RFC 3376 §8.5, RFC 3810 §9.5 */
	GROUPS_LEAVE_S = 5, /* to be confirmed after a leave: 2 queries a second apart, and room */
};

/* seed: random, so that nobody can aim at a bucket. NULL: out of memory. */
struct groups *groups_create(uint32_t seed);
void groups_destroy(struct groups *g); /* takes NULL */

/* A member behind port has joined, or confirmed, the group, at now_s. */
void groups_join(struct groups *g, uint64_t key, uint32_t alias, uint16_t port, uint32_t now_s);

/*
 * A member behind port has left. is_only: it is the port's only station; others, where there are
 * more, have GROUPS_LEAVE_S to report if there is a querier that asks them, and keep the group if
 * there is none.
 */
void groups_leave(struct groups *g, uint64_t key, uint32_t alias, uint16_t port, bool is_only,
		  uint32_t now_s);

/* A querier asked all members of the protocol and VLAN that key, of any group, is of. */
void groups_query(struct groups *g, uint64_t key, uint32_t now_s);

void groups_forget_port(struct groups *g, uint16_t port);
void groups_age(struct groups *g, uint32_t now_s); /* once a second */

/* Changes (and wraps) whenever the result of groups_walk() does. */
uint32_t groups_version(const struct groups *g);

/*
 * Calls each() for every group of every port, once for each alias; stops when it returns false.
 * each() changes nothing in g.
 */
void groups_walk(const struct groups *g, bool (*each)(uint64_t key, uint16_t port, void *arg),
		 void *arg);

#endif

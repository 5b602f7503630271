/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * snoop.h: hears the IGMP and MLD messages among the frames to groups (RFC 4541) and hints the
 * control thread at them (HINT_GROUP), which keeps the groups (groups.h).
 *
 * Understood are IGMPv1, v2 and v3 (RFC 2236, 3376) and MLDv1 and v2 (RFC 2710, 3810). All lengths
 * are a guest's word and are checked, and a message with a wrong checksum is not heard (RFC 4541
 * §2.1.2). A message that is lost on the way is repeated by its sender.
 *
 * Threads: a worker's, on its own batch.
 */
#ifndef VSWITCH_SNOOP_H
#define VSWITCH_SNOOP_H

#include <stdint.h>

struct port;
struct worker;

enum snoop_message {
	SNOOP_JOIN,
	SNOOP_LEAVE,
	SNOOP_QUERY, /* key: of 224.0.0.1 or ff02::1, which says the VLAN and who is asked */
};

/*
 * The arg of a HINT_GROUP: a message, and in alias (24 bits) what tells apart the IP groups that
 * share one MAC address, such as ff02::fb and ff05::fb.
 */
static inline uint32_t
snoop_arg(enum snoop_message message, uint32_t alias)
{
	return alias << 8 | message;
}

static inline enum snoop_message
snoop_arg_message(uint32_t arg)
{
	return (enum snoop_message)(arg & 0xff);
}

static inline uint32_t
snoop_arg_alias(uint32_t arg)
{
	return arg >> 8;
}

/*
 * Looks at the frames of set in w->batch, which came in on port in and have their tags taken out;
 * those that are not to an IP group cost a glance. A port is heard so many times a second and no
 * more, so that a guest that floods reports harms nobody else's; what is left out counts as a lost
 * hint.
 */
void snoop_batch(struct worker *w, const struct port *in, uint64_t set);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* snoop_packet.h: builds IGMP and MLD messages and the frames they travel in, for tests. */
#ifndef TESTS_SNOOP_PACKET_H
#define TESTS_SNOOP_PACKET_H

#include <stdbool.h>
#include <stdint.h>

enum {
	MESSAGE_MAX = 16384,
	PACKET_IPV4_AT = 14 + 24, /* of the message in a frame: the IP header has an option */
	PACKET_IPV6_AT = 14 + 40 + 8,
};

struct message {
	bool is_ipv6;
	uint32_t len;
	uint8_t bytes[MESSAGE_MAX];
};

struct packet {
	uint32_t len; /* of the Ethernet frame, untagged */
	uint8_t bytes[MESSAGE_MAX];
};

/* A message of type about one group, an address of either protocol. */
void message_make(struct message *m, uint8_t type, const char *group);

/* A report with records, none yet; type says the protocol: 0x22 or 143. */
void message_report(struct message *m, uint8_t type);
void message_add(struct message *m, uint8_t type, const char *group, uint16_t n_sources,
		 uint8_t aux);

/* A right and proper frame to the IP group dst. */
void packet_make(struct packet *p, const char *dst, const struct message *m);

/* Puts in the right checksums, as far as lengths allow. */
void packet_fix(struct packet *p);

#endif

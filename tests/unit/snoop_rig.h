/* SPDX-License-Identifier: BSD-3-Clause */
/* snoop_rig.h: a switch with one port that hears messages about groups, for tests of snoop.h. */
#ifndef TESTS_SNOOP_RIG_H
#define TESTS_SNOOP_RIG_H

#include <stdint.h>

#include "groups.h"
#include "port.h"
#include "snoop.h"
#include "snoop_packet.h"
#include "switch.h"
#include "worker.h"

enum {
	PORT = 7,
	TCI = 0xe064, /* VLAN 100, with the highest priority */
	IS_IN = 1,
	IS_EX,
	TO_IN,
	TO_EX,
	ALLOW,
	BLOCK
};

extern struct vswitch sw;
extern struct worker *worker;
extern struct port port;
extern struct message msg;
extern struct packet packet;

int set_up(void **state);
int tear_down(void **state);
/* The packet as the only frame: head_len bytes in the head, the rest in pieces of piece_len. */
void lend(uint16_t tci, uint32_t head_len, uint32_t piece_len);
void take_back(void);
void hear_split(uint16_t tci, uint32_t head_len, uint32_t piece_len);
void hear(void);
void hear_message(uint8_t type, const char *group, const char *dst);
void assert_hint(uint32_t i, enum snoop_message message, uint64_t key);
void assert_only(enum snoop_message message, uint64_t key);
void assert_nothing(void);

#endif

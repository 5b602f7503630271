/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_switch.h: a switch without workers and DPDK, for tests of what is above it (conf/).
 *
 * It defines the switch_* functions of switch.h, so that switch.c is not linked. Ports are opened
 * by name: one whose name is fail_open can't be opened, and so on. What was done is in journal.
 */
#ifndef TESTS_FAKE_SWITCH_H
#define TESTS_FAKE_SWITCH_H

#include "switch.h"

struct fake {
	struct vswitch sw;
	uint32_t n;
	struct port *ports[16];
	struct port_counts counts; /* what every port has counted */
	char journal[1024];	   /* "add vm1; del vm2; " */
	char forgotten[256];	   /* "vm2; " */
	uint32_t n_settled;	   /* how often the ports were */
	const char *fail_check;	   /* name of a port, or NULL */
	int fail_check_code;
	const char *fail_open;
	bool fail_reconfigure;
	bool fail_mtu;
	bool fail_restart;
};

extern struct fake fake;
extern const struct port_ops fake_vhost, fake_tap; /* only the latter can change */
extern const struct port_ops fake_vf, fake_ethdev; /* these have restart */
extern const struct port_ops *const fake_kinds[];

void fake_init(void); /* an empty switch with an fdb of 64 stations and one worker, CPU 1 */
void fake_resize_fdb(uint32_t max); /* a new, empty one */
void fake_fini(void);

#endif

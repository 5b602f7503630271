/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * setup.h: what the switch is set up to be, as far as vswitch-doctor has to know: from the running
 * daemon, or from its file. The daemon checks a configuration, not we: what is not understood here
 * is taken as if it were not there.
 *
 * Threads: one.
 */
#ifndef QEMU_SETUP_H
#define QEMU_SETUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "domain.h"

enum {
	SETUP_CPUS_MAX = 1024,
	SETUP_WORD_MAX = 256,
	SETUP_WHY_MAX = 512,
};

struct setup_port {
	char name[SETUP_WORD_MAX];
	char type[SETUP_WORD_MAX];
	char socket[DOMAIN_SOCKET_MAX];
	bool is_client;
	char group[SETUP_WORD_MAX];
	char device[SETUP_WORD_MAX]; /* of an uplink: its PF, or its own PCI address; or empty */
};

struct setup {
	uint64_t memory; /* bytes */
	bool hugepages;
	bool polls;		      /* idle: poll */
	bool has_workers;	      /* the next says which; else the machine does */
	bool workers[SETUP_CPUS_MAX]; /* CPUs */
	uint32_t n_ports;
	struct setup_port *ports;
};

/* Reads len bytes of YAML. 0, or -errno with a sentence in why. setup_free() in both cases. */
int setup_parse(const char *text, size_t len, struct setup *setup, char why[SETUP_WHY_MAX]);
void setup_free(struct setup *setup);

#endif

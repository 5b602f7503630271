/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_rig.h: a worker and a switch whose ports have the test's own ops and links that are up:
 * for tests of what a worker does. Nothing runs by itself.
 */
#ifndef TESTS_WORKER_RIG_H
#define TESTS_WORKER_RIG_H

#include "switch.h"
#include "worker.h"

enum {
	N_PORTS = 4,
	FDB_STATIONS = 64,
};

struct worker_rig {
	struct vswitch sw;
	struct worker worker; /* polls a queue of each port */
	struct port ports[N_PORTS];
	struct port_table *table;
	struct poll_list *polls;
};

extern struct worker_rig *rig;

void worker_rig_open(const struct port_ops *ops);
void worker_rig_close(void);

#endif

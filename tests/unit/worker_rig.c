/* SPDX-License-Identifier: BSD-3-Clause */
/* worker_rig.c: see worker_rig.h. */
#include "worker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fdb.h"
#include "frame.h"

struct worker_rig *rig;

static void
no_grace_period(void)
{
}

static void *
zeroed(size_t size)
{
	size_t whole = (size + 63) / 64 * 64;
	void *mem = aligned_alloc(64, whole);

	assert_non_null(mem);
	return memset(mem, 0, whole);
}

void
worker_rig_open(const struct port_ops *ops)
{
	rig = zeroed(sizeof(*rig));
	rig->table = zeroed(sizeof(*rig->table) + N_PORTS * sizeof(struct port *));
	rig->polls = zeroed(sizeof(*rig->polls) + N_PORTS * sizeof(struct poll));
	rig->sw.fdb_mem = zeroed(fdb_size(FDB_STATIONS));
	rig->sw.fdb = fdb_create(rig->sw.fdb_mem, FDB_STATIONS, 42, no_grace_period);
	for (uint16_t i = 0; i < N_PORTS; i++) {
		struct port *p = &rig->ports[i];

		p->ops = ops;
		p->id = i;
		atomic_store(&p->mtu, 1500);
		atomic_store(&p->link_up, true);
		rig->table->by_id[i] = p;
		rig->table->ports[rig->table->n++] = p;
		rig->polls->polls[rig->polls->n++] = (struct poll){.port = p, .n_queues = 1};
		fdb_set_port_limit(rig->sw.fdb, i, PORT_MACS_UNLIMITED);
	}
	atomic_store(&rig->sw.table, rig->table);
	rig->worker.sw = &rig->sw;
	rig->worker.batch = zeroed(sizeof(struct batch));
	rig->worker.stats = zeroed(PORTS_MAX * sizeof(struct port_stats));
	atomic_store(&rig->worker.polls, rig->polls);
}

void
worker_rig_close(void)
{
	free(rig->worker.stats);
	free(rig->worker.batch);
	free(rig->sw.fdb_mem);
	free(rig->polls);
	free(rig->table);
	free(rig);
}

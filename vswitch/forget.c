/* SPDX-License-Identifier: BSD-3-Clause */
/* forget.c: see forget.h. */
#include "forget.h"

#include <string.h>

#include <rte_common.h>

static bool
is_empty(const uint64_t ports[FDB_PORTS_MAX / 64])
{
	uint64_t any = 0;

	for (uint32_t i = 0; i < FDB_PORTS_MAX / 64; i++)
		any |= ports[i];
	return any == 0;
}

void
forget_port(struct forget *f, const struct fdb *fdb, uint16_t port)
{
	if (fdb_port_count(fdb, port) > 0)
		f->next[port / 64] |= 1ull << port % 64;
}

bool
forget_has(const struct forget *f, uint16_t port)
{
	return (f->now[port / 64] | f->next[port / 64]) >> port % 64 & 1;
}

void
forget_step(struct forget *f, struct fdb *fdb)
{
	if (f->part == 0) {
		memcpy(f->now, f->next, sizeof(f->now));
		memset(f->next, 0, sizeof(f->next));
	}
	if (is_empty(f->now))
		return;
	fdb_flush_part(fdb, f->now, true, f->part, fdb_parts(fdb));
	if (++f->part < fdb_parts(fdb))
		return;
	f->part = 0;
	memset(f->now, 0, sizeof(f->now));
}

void
forget_all(struct forget *f, struct fdb *fdb)
{
	while (!is_empty(f->now) || !is_empty(f->next))
		forget_step(f, fdb);
}

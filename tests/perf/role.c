/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * role.c: who does what at which command (role.h).
 */
#include "role.h"

void
role_init(struct role *r, uint8_t id)
{
	*r = (struct role){.id = id, .random = id};
}

static void
prepare_hostile(struct role *r, enum command_hostile hostile)
{
	bool is_it = r->id == r->n_guests;

	if (hostile == COMMAND_NONE || r->id < r->n_guests - 1)
		return;
	/* somebody has to send to one that is hostile by what it does with it */
	r->sends = (hostile == COMMAND_STALL || hostile == COMMAND_INTERRUPT) != is_it;
	r->is_hostile = is_it;
	if (is_it && (hostile == COMMAND_STORM || hostile == COMMAND_PULSE))
		r->to = FRAME_BROADCAST;
}

void
role_prepare(struct role *r, const struct command *c, uint32_t n_guests, struct hist *hist)
{
	uint8_t wanted[8] = {0x02, 0, r->id, 0, 0, 0, 0x02, 0};
	uint8_t mask[8] = {255, 255, 255};
	uint8_t last = (uint8_t)n_guests;

	r->n_guests = last;
	r->pattern = c->pattern;
	r->kind = c->kind;
	/* who has no peer sends nothing else: one station will do */
	r->macs = r->id == last && last % 2 == 1 ? 1 : c->macs;
	r->hist = hist;
	r->station = 0;
	r->to = (uint8_t)(((r->id - 1) ^ 1) + 1);
	r->from = r->to;
	r->sends = r->to <= last && (r->id % 2 == 1 || c->both_ways);
	if (c->pattern == COMMAND_TEACH) {
		if (last % 2 == 1) {
			r->to = r->id < last ? r->id + 1 : 1;
			r->from = r->id > 1 ? r->id - 1 : last;
		}
		r->sends = true;
	} else if (c->pattern == COMMAND_MESH) {
		r->from = 0;
		r->sends = true;
	} else if (c->pattern == COMMAND_FLOOD) {
		r->to = FRAME_BROADCAST;
		r->from = 1;
		r->sends = r->id == 1;
		memset(wanted, 255, 6);
		memset(mask, 255, sizeof(mask));
	}
	r->is_hostile = false;
	prepare_hostile(r, c->hostile);
	r->is_checked = hist != NULL || c->macs > 1 || c->pattern == COMMAND_MESH ||
			c->pattern == COMMAND_FLOOD;
	memset(r->next, 0, sizeof(r->next));
	r->is_steady = c->macs == 1 && !c->is_mixed && !c->is_verified &&
		       (c->pattern == COMMAND_PAIRS || c->pattern == COMMAND_FLOOD);
	memcpy(&r->wanted, wanted, sizeof(wanted));
	memcpy(&r->mask, mask, sizeof(mask));
}

void
role_check(struct role *r, const uint8_t *f, uint64_t now)
{
	uint8_t from = f[FRAME_FROM_AT];
	uint64_t seq = frame_seq(f, r->kind);

	if (r->hist != NULL)
		hist_add(r->hist, now > seq ? now - seq : 0);
	if (from <= FRAME_GUESTS_MAX) {
		r->n_reordered += seq < r->next[from];
		r->next[from] = seq + (r->kind != FRAME_TSO); /* it may come in segments */
	}
}

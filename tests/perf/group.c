/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * group.c: rounds of guests (group.h).
 */
#include "group.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"

void
group_watch(struct group *group, int switch_cpu, pid_t switch_pid)
{
	group->switch_cpu = switch_cpu;
	group->switch_pid = switch_pid;
	if (switch_cpu >= 0)
		group->probe = probe_create((uint16_t)switch_cpu);
}

/* Why these guests can't do it, or NULL. */
static const char *
misfit(const struct group *group, const struct command *c)
{
	if ((c->is_verified || c->hostile != COMMAND_NONE) && group->kind->n_bad == NULL)
		return "only perf_gen verifies or has hostile guests";
	if (c->is_verified && (c->pattern != COMMAND_PAIRS || c->hostile != COMMAND_NONE))
		return "verify: only pattern=pairs, without hostile guests";
	if (c->kind == FRAME_TSO && (c->pattern != COMMAND_PAIRS || c->is_stamped || c->is_mixed ||
				     frame_n_segments(c->len) < 2))
		return "offload=tso: only pattern=pairs, window or verify, and frames that need "
		       "segments";
	if (c->is_stamped && c->pattern != COMMAND_PAIRS)
		return "latency: only pattern=pairs";
	if (c->hostile != COMMAND_NONE &&
	    (c->pattern != COMMAND_PAIRS || group->n_guests < 4 || group->n_guests % 2 != 0))
		return "hostile: only pattern=pairs, with two pairs of guests or more";
	return NULL;
}

/*
 * So few that no receiver's buffers run out, or as the command says. TCP's windows see to that for
 * long frames, too.
 */
static uint32_t
in_flight_max(const struct group *group, const struct command *c)
{
	uint32_t len = c->len + RING_HEADER_LEN;
	uint32_t per_frame = (len + group->buffer_len - 1) / group->buffer_len;
	uint32_t n_buffers = per_frame > group->n_segments ? per_frame : group->n_segments;
	uint32_t most = group->n_buffers / 2 / n_buffers;

	if (c->limit > 0 ||
	    !(c->is_verified || c->pattern == COMMAND_TEACH || c->kind == FRAME_TSO))
		return c->limit;
	return most > 0 ? most : 1;
}

bool
group_prepare(struct group *group, const struct command *c, char *error, size_t error_size)
{
	const char *reason = misfit(group, c);
	int rc;

	if (reason != NULL) {
		snprintf(error, error_size, "%s", reason);
		return false;
	}
	memset(&group->hist, 0, sizeof(group->hist));
	group->pace = (struct pace){0};
	group->n_segments = 1;
	group->fanout = c->pattern == COMMAND_FLOOD ? group->n_guests - 1 : 1;
	group->n_counted = group->n_guests - (c->hostile != COMMAND_NONE ? 2 : 0);
	for (uint32_t i = 0; i < group->n_guests; i++) {
		role_prepare(group->roles[i], c, group->n_guests,
			     c->is_stamped ? &group->hist : NULL);
		group->sent_before[i] = group->roles[i]->n_sent;
		group->received_before[i] = group->roles[i]->n_received;
		group->forgiven[i] = 0;
	}
	rc = group->kind->prepare(group, c);
	group->in_flight = in_flight_max(group, c);
	if (rc == -EMSGSIZE)
		snprintf(error, error_size, "size=%u: more than --frame-max", c->len);
	else if (rc == -ENOTSUP)
		snprintf(error, error_size,
			 "layout or offload: these guests or the switch can't do it");
	else if (rc < 0)
		snprintf(error, error_size, "the guests can't be made ready: %s", strerror(-rc));
	return rc == 0;
}

/* Frames of guest i to one other that are on their way, or lost. */
static uint64_t
n_out(const struct group *group, uint32_t i)
{
	const struct role *r = group->roles[i];
	uint32_t to = r->to - 1u;

	return r->n_sent - group->sent_before[i] -
	       (group->roles[to]->n_received - group->received_before[to]) / group->n_segments;
}

void
group_forgive(struct group *group)
{
	for (uint32_t i = 0; i < group->n_guests; i++)
		if (group->roles[i]->sends && group->roles[i]->to != FRAME_BROADCAST)
			group->forgiven[i] = n_out(group, i);
}

/* How many frames guest i may send without more being on their way than allowed. */
static uint32_t
room(const struct group *group, uint32_t i)
{
	const struct role *r = group->roles[i];
	uint64_t out;
	uint32_t n;

	if (group->in_flight == 0 || r->to == FRAME_BROADCAST)
		return UINT32_MAX;
	out = n_out(group, i);
	out -= out < group->forgiven[i] ? out : group->forgiven[i];
	n = out < group->in_flight ? group->in_flight - (uint32_t)out : 0;
	if (r->pattern == COMMAND_TEACH && n > r->macs - r->station)
		n = r->macs - r->station;
	return n;
}

/* Returns how much of the budget guest i needed. */
static inline uint32_t
send_some(struct group *group, const struct command *c, uint32_t i, uint32_t budget, uint32_t *n)
{
	const struct role *r = group->roles[i];
	uint32_t n_max = c->burst, n_room, n_sent;

	if (!r->sends)
		return 0;
	if (r->is_hostile && c->hostile == COMMAND_PULSE &&
	    clock_ticks() / (uint64_t)(clock_hz * GROUP_PULSE_MS / 1000) % 2 == 0)
		return 0;
	if (r->is_hostile) {
		*n += group->kind->send(group, c, i, GROUP_BURST_MAX);
		return 0;
	}
	n_room = room(group, i);
	n_max = n_max < budget ? n_max : budget;
	n_max = n_max < n_room ? n_max : n_room;
	n_sent = n_max > 0 ? group->kind->send(group, c, i, n_max) : 0;
	group->pace.n_gone += n_sent;
	*n += n_sent;
	return n_sent;
}

uint32_t
group_round(struct group *group, const struct command *c, uint32_t budget, uint32_t *n_sent)
{
	const uint32_t n_guests = group->n_guests;
	const uint32_t swap = group->turn++ & 1; /* where the budget is small, each is first once */
	uint32_t first = group->first, n = 0, left = budget;

	for (uint32_t done = 0; done < n_guests; done += 2) {
		uint32_t pair = first + 1 < n_guests ? 2 : 1;

		/* what guests receive comes first, so that their buffers are ready */
		n += group->kind->receive(group, c, first, pair);
		if (budget > 0)
			for (uint32_t i = 0; i < pair; i++)
				left -= send_some(group, c, first + ((i ^ swap) & (pair - 1)), left,
						  &n);
		first = first + 2 < n_guests ? first + 2 : 0;
	}
	if (swap > 0)
		group->first = group->first + 2 < n_guests ? group->first + 2 : 0;
	*n_sent = budget - left;
	return n;
}

uint64_t
group_missing(const struct group *group)
{
	uint64_t n_sent = 0, n_received = 0;

	for (uint32_t i = 0; i < group->n_counted; i++) {
		n_sent += group->roles[i]->n_sent - group->sent_before[i];
		n_received += group->roles[i]->n_received - group->received_before[i];
	}
	n_sent *= (uint64_t)group->fanout * group->n_segments;
	return n_sent > n_received ? n_sent - n_received : 0;
}

static bool
is_quiet(const struct group *group)
{
	return group->kind->is_quiet == NULL || group->kind->is_quiet(group);
}

bool
group_drain(struct group *group, const struct command *c)
{
	const uint64_t ms = (uint64_t)(clock_hz / 1000);
	uint64_t last = clock_ticks();
	uint32_t n_sent;

	if (c->hostile != COMMAND_NONE)
		group->kind->calm(group);
	for (;;) {
		uint64_t now = clock_ticks(), pause = now - last;

		if (group_round(group, c, 0, &n_sent) > 0)
			last = now;
		else if (pause > GROUP_STALL_MS * ms)
			return is_quiet(group);
		else if (is_quiet(group) &&
			 pause > (group_missing(group) > 0 ? GROUP_LOST_MS : GROUP_QUIET_MS) * ms)
			return true;
	}
}

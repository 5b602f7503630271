/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * measure.c: what is counted in which rounds (measure.h).
 */
#include "measure.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "steal.h"

enum {
	MEASURE_SETTLE_MS = 5, /* of traffic before a window counts */
	MEASURE_LOST_MS = 2,   /* without a frame, where few may be on their way: they are lost */
};

/* What happened in a window. */
struct window {
	double seconds, idle_seconds;
	double gap_us;	    /* the longest that guests did nothing, not even wait */
	double probe_ns[2]; /* before and after; negative: not known */
	double stolen[3];   /* part of the window that guests, switch, both CPUs did not have */
	uint64_t received[FRAME_GUESTS_MAX], sent[FRAME_GUESTS_MAX];
	uint64_t foreign, reordered, lost, unsent;
};

/* What somebody else had of the CPUs so far. */
struct thefts {
	uint64_t mine_ns, its_ns;
	double host_seconds;
};

static void
print_error(const char *error)
{
	printf("{\"error\": \"%s\"}\n", error);
}

/* "name": [1, 2, 3] */
static void
print_list(const char *name, const uint64_t *values, uint32_t n)
{
	printf("\"%s\": [", name);
	for (uint32_t i = 0; i < n; i++)
		printf("%s%" PRIu64, i > 0 ? ", " : "", values[i]);
	printf("]");
}

static uint64_t
sum(const uint64_t *values, uint32_t n)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < n; i++)
		total += values[i];
	return total;
}

static bool
prepare(struct group *group, const struct command *c)
{
	char error[128];

	if (group_prepare(group, c, error, sizeof(error)))
		return true;
	print_error(error);
	return false;
}

/* What came about since it was called with the same counts before. */
static void
take_counts(const struct group *group, struct window *w)
{
	uint64_t foreign = 0, reordered = 0;

	for (uint32_t i = 0; i < group->n_guests; i++) {
		const struct role *r = group->roles[i];

		w->received[i] = r->n_received - w->received[i];
		w->sent[i] = r->n_sent - w->sent[i];
		foreign += r->n_foreign;
		reordered += r->n_reordered;
	}
	w->foreign = foreign - w->foreign;
	w->reordered = reordered - w->reordered;
}

/* Frames that were due by then and have not been sent, though they had a moment more for it. */
static uint64_t
send_rest(struct group *group, const struct command *c, uint64_t then)
{
	const uint64_t until = clock_ticks() + (uint64_t)(clock_hz * PACE_BACKLOG_US / 1000000);
	uint32_t due, n_sent;

	while ((due = pace_due(&group->pace, then)) > 0 && clock_ticks() < until)
		group_round(group, c, due, &n_sent);
	return group->pace.n_given_up + due;
}

/* Rounds for a time. Sets seconds, idle_seconds, gap_us and unsent. */
static void
run_for(struct group *group, const struct command *c, uint32_t ms, struct window *w)
{
	const uint64_t start = clock_ticks();
	const uint64_t until = start + (uint64_t)(clock_hz * ms / 1000);
	const uint64_t lost = (uint64_t)(clock_hz * MEASURE_LOST_MS / 1000);
	uint64_t now = start, idle = 0, gap = 0, moved = start;

	group->pace = pace_start(c->mpps, c->burst, start);
	if (c->is_stamped)
		pace_keep_all(&group->pace);
	while (now < until) {
		uint32_t n_sent, due = pace_due(&group->pace, now);
		uint32_t n = group_round(group, c, due, &n_sent);
		uint64_t then = now;

		now = clock_ticks();
		if (n == 0)
			idle += now - then;
		else
			moved = now;
		if (now - moved > lost && group->in_flight > 0)
			group_forgive(group);
		if (now - then > gap)
			gap = now - then;
	}
	w->seconds = clock_seconds(now - start);
	w->idle_seconds = clock_seconds(idle);
	w->gap_us = clock_seconds(gap) * 1e6;
	w->unsent = c->mpps > 0 ? send_rest(group, c, until) : 0;
}

static struct thefts
look_for_thefts(const struct group *group, pid_t poller)
{
	return (struct thefts){
		.mine_ns = steal_self_ns(),
		.its_ns = steal_thread_ns(group->switch_pid, poller),
		.host_seconds = steal_host_seconds(group->switch_cpu),
	};
}

static void
count_thefts(struct window *w, struct thefts before, struct thefts after)
{
	w->stolen[0] = (double)(after.mine_ns - before.mine_ns) / 1e9 / w->seconds;
	w->stolen[1] = (double)(after.its_ns - before.its_ns) / 1e9 / w->seconds;
	w->stolen[2] = (after.host_seconds - before.host_seconds) / w->seconds;
}

/*
 * Rounds without sending, until one of them moves nothing: what is on its way at the end of a
 * window is not to be lost because the guests are busy with something else.
 */
static void
run_out(struct group *group, const struct command *c)
{
	const uint64_t until = clock_ticks() + (uint64_t)(clock_hz * MEASURE_SETTLE_MS / 1000);
	uint32_t n_sent;

	while (group_round(group, c, 0, &n_sent) > 0 && clock_ticks() < until)
		;
}

/* A window, with what surrounds it. False if the switch keeps what was sent. */
static bool
run_window(struct group *group, const struct command *c, struct window *w)
{
	bool is_paced = c->mpps > 0;
	struct thefts before;
	uint64_t lost = 0;
	pid_t poller;

	*w = (struct window){.probe_ns = {-1, -1}};
	if (group->probe != NULL)
		w->probe_ns[0] = probe_measure(group->probe);
	run_for(group, c, MEASURE_SETTLE_MS, w);
	if (is_paced) {
		if (!group_drain(group, c))
			return false;
		lost = group_missing(group);
	}
	memset(&group->hist, 0, sizeof(group->hist));
	poller = steal_poller(group->switch_pid, group->switch_cpu);
	before = look_for_thefts(group, poller);
	take_counts(group, w);
	run_for(group, c, c->ms, w);
	if (!is_paced)
		take_counts(group, w);
	count_thefts(w, before, look_for_thefts(group, poller));
	run_out(group, c);
	if (group->probe != NULL)
		w->probe_ns[1] = probe_measure(group->probe);
	if (!group_drain(group, c))
		return false;
	if (is_paced)
		take_counts(group, w);
	w->lost = group_missing(group) - lost;
	return true;
}

/* What windows and latencies have in common: the inside of an object. */
static void
print_window(const struct group *group, const struct window *w)
{
	const uint32_t n = group->n_counted;

	printf("\"seconds\": %.6f, \"mpps\": %.4f, \"rate\": %.4f, ", w->seconds,
	       (double)sum(w->received, n) / group->n_segments / w->seconds / 1e6,
	       (double)sum(w->sent, n) / w->seconds / 1e6);
	print_list("received", w->received, group->n_guests);
	printf(", ");
	print_list("sent", w->sent, group->n_guests);
	printf(", \"lost\": %" PRIu64 ", \"unsent\": %" PRIu64 ", \"foreign\": %" PRIu64
	       ", \"reordered\": %" PRIu64 ", \"generator_idle\": %.3f, \"gap_us\": %.1f, "
	       "\"stolen\": [%.5f, %.5f, %.5f], \"probe_ns\": [%.1f, %.1f], \"bad_used\": %" PRIu64,
	       w->lost, w->unsent, w->foreign, w->reordered, w->idle_seconds / w->seconds,
	       w->gap_us, w->stolen[0], w->stolen[1], w->stolen[2], w->probe_ns[0], w->probe_ns[1],
	       group->kind->n_bad_used != NULL ? group->kind->n_bad_used(group) : 0);
}

/* False, with the answer, if it could not be done. */
static bool
measure(struct group *group, const struct command *c, struct window *w)
{
	if (!prepare(group, c))
		return false;
	if (!run_window(group, c, w)) {
		print_error("the switch does not give back what was sent");
		return false;
	}
	return true;
}

void
measure_window(struct group *group, struct command *c)
{
	struct window w;

	c->burst = c->mpps > 0 ? GROUP_BURST_PACED : GROUP_BURST_MAX;
	if (!measure(group, c, &w))
		return;
	printf("{");
	print_window(group, &w);
	printf("}\n");
}

void
measure_latency(struct group *group, struct command *c)
{
	const struct hist *h = &group->hist;
	const double ns = 1e9 / clock_hz;
	struct window w;

	if (c->mpps == 0) {
		print_error("latency: needs a rate=");
		return;
	}
	c->burst = GROUP_BURST_PACED;
	c->is_stamped = true;
	if (!measure(group, c, &w))
		return;
	printf("{\"p50_ns\": %.0f, \"p99_ns\": %.0f, \"p999_ns\": %.0f, \"max_ns\": %.0f, "
	       "\"mean_ns\": %.1f, \"n\": %" PRIu64 ", ",
	       (double)hist_quantile(h, 0.5) * ns, (double)hist_quantile(h, 0.99) * ns,
	       (double)hist_quantile(h, 0.999) * ns, (double)h->max * ns,
	       h->n > 0 ? (double)h->sum / (double)h->n * ns : 0, h->n);
	print_window(group, &w);
	printf("}\n");
}

/* Rounds until so many frames are sent, or nothing moves any more. */
static void
send_all(struct group *group, const struct command *c, uint64_t n_frames)
{
	const uint64_t stall = (uint64_t)(clock_hz * GROUP_STALL_MS / 1000);
	uint64_t last = clock_ticks();
	uint32_t n_sent;

	for (uint64_t sent = 0; sent < n_frames; sent += n_sent) {
		uint64_t now = clock_ticks();

		if (group_round(group, c, UINT32_MAX, &n_sent) > 0)
			last = now;
		else if (now - last > stall)
			break;
	}
}

void
measure_teach(struct group *group, struct command *c)
{
	const uint64_t start = clock_ticks();
	struct window w = {0};
	uint64_t ticks, n_frames = 0;

	c->pattern = COMMAND_TEACH;
	if (c->kind == FRAME_TSO)
		c->len = FRAME_LEN_MIN;
	c->kind = FRAME_PLAIN;
	c->burst = 1;
	if (!prepare(group, c))
		return;
	take_counts(group, &w);
	for (uint32_t i = 0; i < group->n_guests; i++)
		n_frames += group->roles[i]->macs;
	/* one of each guest is flooded: to nobody who is known later */
	send_all(group, c, group->n_guests);
	group_drain(group, c);
	c->burst = GROUP_BURST_MAX;
	send_all(group, c, n_frames - group->n_guests);
	ticks = clock_ticks() - start;
	group_drain(group, c);
	take_counts(group, &w);
	printf("{\"sent\": %" PRIu64 ", \"received\": %" PRIu64 ", \"seconds\": %.6f}\n",
	       sum(w.sent, group->n_guests), sum(w.received, group->n_guests),
	       clock_seconds(ticks));
}

void
measure_verify(struct group *group, struct command *c)
{
	uint64_t n_bad = group->kind->n_bad != NULL ? group->kind->n_bad(group) : 0;
	struct window w = {0};
	bool is_back;

	c->is_verified = true;
	c->burst = GROUP_BURST_MAX;
	if (!prepare(group, c))
		return;
	take_counts(group, &w);
	send_all(group, c, c->frames);
	is_back = group_drain(group, c);
	take_counts(group, &w);
	printf("{");
	print_list("received", w.received, group->n_guests);
	printf(", ");
	print_list("sent", w.sent, group->n_guests);
	printf(", \"bad\": %" PRIu64 ", \"foreign\": %" PRIu64
	       ", \"segments\": %u, \"given_back\": %s, \"fault\": \"%s\"}\n",
	       group->kind->n_bad(group) - n_bad, w.foreign, group->n_segments,
	       is_back ? "true" : "false", group->kind->fault(group));
}

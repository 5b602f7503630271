/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * measure.c: rounds of two guests, and what is counted meanwhile (measure.h).
 */
#include "measure.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "steal.h"

enum {
	MEASURE_SETTLE_MS = 5,	/* of traffic before a window counts */
	MEASURE_STALL_MS = 500, /* without a frame: what is missing is lost */
};

/* What happened in a window. */
struct count {
	double seconds, idle_seconds;
	double probe_ns[2]; /* before and after; negative: not known */
	double stolen[2];   /* part of the window that generator and switch had no CPU */
	uint64_t received[2], sent[2];
};

/* One round of both guests; what one receives comes first, so that its buffers are ready. */
static inline uint32_t
run_round(struct gen *gen, const struct command *c, bool sending)
{
	struct guest *a = &gen->guests[0], *b = &gen->guests[1];
	uint32_t n = guest_reclaim(a) + guest_reclaim(b);

	guest_receive(a, &c->traffic);
	guest_receive(b, &c->traffic);
	if (sending)
		n += guest_send(a, &c->traffic);
	if (sending && c->both_ways)
		n += guest_send(b, &c->traffic);
	return n;
}

/* Rounds until all that was sent is back from the switch, and nothing more arrives. */
static bool
drain(struct gen *gen, const struct command *c)
{
	const uint64_t stall = (uint64_t)(clock_hz * MEASURE_STALL_MS / 1000);
	uint64_t last = clock_ticks();

	for (;;) {
		const struct guest *a = &gen->guests[0], *b = &gen->guests[1];
		uint64_t now = clock_ticks();
		bool is_empty = ring_n_free(a->tx) == a->tx->n_slots &&
				ring_n_free(b->tx) == b->tx->n_slots;

		if (run_round(gen, c, false) > 0)
			last = now;
		else if (is_empty && now - last > stall / 100)
			return true;
		else if (now - last > stall)
			return is_empty;
	}
}

static bool
prepare(struct gen *gen, const struct command *c)
{
	for (uint32_t i = 0; i < 2; i++) {
		int rc = guest_prepare(&gen->guests[i], &c->traffic);

		if (rc < 0) {
			printf("{\"error\": \"size=%u macs=%u: %s\"}\n", c->traffic.len,
			       c->traffic.macs, strerror(-rc));
			return false;
		}
	}
	return true;
}

static void
take_counts(const struct gen *gen, struct count *count)
{
	for (uint32_t i = 0; i < 2; i++) {
		count->received[i] = gen->guests[i].n_received - count->received[i];
		count->sent[i] = gen->guests[i].n_sent - count->sent[i];
	}
}

/* Rounds for a time; idle: ticks of those in which nothing moved. Returns the time, in ticks. */
static uint64_t
run_for(struct gen *gen, const struct command *c, uint32_t ms, uint64_t *idle)
{
	const uint64_t start = clock_ticks();
	const uint64_t until = start + (uint64_t)(clock_hz * ms / 1000);
	uint64_t now = start;

	*idle = 0;
	while (now < until) {
		uint32_t n = run_round(gen, c, true);
		uint64_t then = now;

		now = clock_ticks();
		if (n == 0)
			*idle += now - then;
	}
	return now - start;
}

void
measure_window(struct gen *gen, const struct command *c)
{
	struct count count = {.probe_ns = {-1, -1}};
	uint64_t idle, ticks, mine, its;
	pid_t poller;

	if (!prepare(gen, c))
		return;
	if (gen->probe != NULL)
		count.probe_ns[0] = probe_measure(gen->probe);
	run_for(gen, c, MEASURE_SETTLE_MS, &idle);
	poller = steal_busiest(gen->switch_pid);
	mine = steal_self_ns();
	its = steal_thread_ns(gen->switch_pid, poller);
	take_counts(gen, &count);
	ticks = run_for(gen, c, c->ms, &idle);
	take_counts(gen, &count);
	mine = steal_self_ns() - mine;
	its = steal_thread_ns(gen->switch_pid, poller) - its;
	if (gen->probe != NULL)
		count.probe_ns[1] = probe_measure(gen->probe);
	if (!drain(gen, c)) {
		printf("{\"error\": \"the switch does not give back what was sent\"}\n");
		return;
	}
	count.seconds = clock_seconds(ticks);
	count.idle_seconds = clock_seconds(idle);
	count.stolen[0] = (double)mine / 1e9 / count.seconds;
	count.stolen[1] = (double)its / 1e9 / count.seconds;
	printf("{\"seconds\": %.6f, \"mpps\": %.4f, \"received\": [%" PRIu64 ", %" PRIu64 "], "
	       "\"sent\": [%" PRIu64 ", %" PRIu64
	       "], \"generator_idle\": %.3f, \"stolen\": [%.3f, %.3f], "
	       "\"probe_ns\": [%.1f, %.1f], \"bad_used\": %" PRIu64 "}\n",
	       count.seconds, (double)(count.received[0] + count.received[1]) / count.seconds / 1e6,
	       count.received[0], count.received[1], count.sent[0], count.sent[1],
	       count.idle_seconds / count.seconds, count.stolen[0], count.stolen[1],
	       count.probe_ns[0], count.probe_ns[1],
	       gen->guests[0].rx->n_bad_used + gen->guests[0].tx->n_bad_used +
		       gen->guests[1].rx->n_bad_used + gen->guests[1].tx->n_bad_used);
}

void
measure_teach(struct gen *gen, const struct command *c)
{
	struct guest *a = &gen->guests[0], *b = &gen->guests[1];
	const uint64_t stall = (uint64_t)(clock_hz * MEASURE_STALL_MS / 1000);
	struct count count = {0};
	uint64_t last = clock_ticks();

	if (!prepare(gen, c))
		return;
	take_counts(gen, &count);
	for (uint32_t k = 0; k < c->traffic.macs;) {
		bool has_room = a->n_sent - b->n_received < MEASURE_LIMIT &&
				b->n_sent - a->n_received < MEASURE_LIMIT;

		if (has_room && ring_n_free(a->tx) > 0 && ring_n_free(b->tx) > 0) {
			guest_send_from(a, &c->traffic, k);
			guest_send_from(b, &c->traffic, k);
			k++;
		}
		if (run_round(gen, c, false) > 0)
			last = clock_ticks();
		else if (clock_ticks() - last > stall)
			break;
	}
	drain(gen, c);
	take_counts(gen, &count);
	printf("{\"sent\": %" PRIu64 ", \"received\": %" PRIu64 "}\n",
	       count.sent[0] + count.sent[1], count.received[0] + count.received[1]);
}

void
measure_verify(struct gen *gen, const struct command *c)
{
	struct guest *a = &gen->guests[0], *b = &gen->guests[1];
	const uint64_t stall = (uint64_t)(clock_hz * MEASURE_STALL_MS / 1000);
	struct count count = {0};
	uint64_t last = clock_ticks(), bad = a->n_bad + b->n_bad;
	uint64_t foreign = a->n_foreign + b->n_foreign;
	bool is_back;

	if (!prepare(gen, c))
		return;
	take_counts(gen, &count);
	while (a->n_sent - count.sent[0] + b->n_sent - count.sent[1] < c->frames) {
		uint64_t now = clock_ticks();

		if (run_round(gen, c, true) > 0)
			last = now;
		else if (now - last > stall)
			break;
	}
	is_back = drain(gen, c);
	take_counts(gen, &count);
	printf("{\"received\": [%" PRIu64 ", %" PRIu64 "], \"sent\": [%" PRIu64 ", %" PRIu64 "], "
	       "\"bad\": %" PRIu64 ", \"foreign\": %" PRIu64 ", \"given_back\": %s, "
	       "\"fault\": \"%s\"}\n",
	       count.received[0], count.received[1], count.sent[0], count.sent[1],
	       a->n_bad + b->n_bad - bad, a->n_foreign + b->n_foreign - foreign,
	       is_back ? "true" : "false", a->fault[0] != 0 ? a->fault : b->fault);
	a->fault[0] = b->fault[0] = 0;
}

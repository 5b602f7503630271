/* SPDX-License-Identifier: BSD-3-Clause */
/* round.c: a worker's round, see round.h. */
#include "round.h"

#include <rte_branch_prediction.h>
#include <rte_cycles.h>

#include "forward.h"
#include "frame.h"
#include "switch.h"
#include "worker.h"

enum {
	LOOKS_MAX = 8, /* at empty queues, that the next busy one may have to pay for */
};

/* What is known of a round so far. */
struct round {
	uint64_t last;	    /* TSC: what was before has been charged */
	uint32_t n_looks;   /* at empty queues since */
	uint32_t n_touches; /* ports to notify, each counted once a batch */
	uint32_t n_frames, n_batches;
};

static void
notify_touched(struct worker *w)
{
	const struct port_table *table = atomic_load_explicit(&w->sw->table, memory_order_acquire);

	set_foreach (word, w->touched_words) {
		set_foreach (bit, w->touched[word]) {
			struct port *port = table->by_id[word * 64 + bit];

			if (unlikely(port == NULL))
				continue;
			worker_enter(w, port);
			port->ops->notify(port, w, worker_stats(w, port));
		}
		w->touched[word] = 0;
	}
	w->touched_words = 0;
}

/* Who touched them pays for it, with its next batch. */
static void
charge_notify(struct worker *w, struct poll_list *polls, uint64_t cycles, uint32_t n_touches)
{
	uint64_t price = turns_notify_price(&w->turns, cycles, n_touches);

	for (uint32_t i = 0; i < polls->n; i++)
		turn_notified(&polls->polls[i].turn, price);
}

/* Whoever comes next pays for no look at the empty queues of others. */
static inline void
forget_looks(struct round *r)
{
	r->last = rte_rdtsc();
	r->n_looks = 0;
}

/*
 * Switches what has come in on a queue. Returns the number of frames; *is_left: there may be more.
 */
static inline uint32_t
poll_queue(struct worker *w, struct poll *p, uint16_t queue, struct round *r, bool *is_left)
{
	struct batch *b = w->batch;
	struct port *port = p->port;
	uint64_t now;
	uint32_t n;

	batch_start(b, port->id, queue);
	b->max = turn_burst(&p->turn);
	b->bytes_max = turn_bytes(&p->turn);
	w->n_touches = 0;
	worker_enter(w, port);
	n = port->ops->rx(port, queue, b, worker_stats(w, port));
	if (n == 0) {
		r->n_looks++;
		return 0;
	}
	if (likely(b->n > 0))
		forward_batch(w, port);
	port->ops->release(port, queue, b);
	worker_touch(w, port);
	now = rte_rdtsc();
	turn_took(&w->turns, &p->turn, now - r->last, w->n_touches, !b->is_drained);
	*is_left |= !b->is_drained;
	r->last = now;
	r->n_looks = 0;
	r->n_touches += w->n_touches;
	r->n_frames += n;
	r->n_batches++;
	return n;
}

/* The port's queues, a batch of each, as long as it is its turn. */
static inline void
poll_port(struct worker *w, struct poll *p, struct round *r)
{
	bool is_left = false, is_busy = false;
	uint32_t at = p->first;

	for (uint32_t i = 0; i < p->n_queues; i++) {
		if (unlikely(!turn_is_due(&w->turns, &p->turn))) {
			p->first = (uint8_t)at;
			is_left = true;
			break;
		}
		if (r->n_looks && (p->is_busy || r->n_looks >= LOOKS_MAX))
			forget_looks(r);
		is_busy |= poll_queue(w, p, p->queues[at], r, &is_left) > 0;
		at = at + 1u < p->n_queues ? at + 1 : 0;
	}
	is_busy |= is_left;
	if (p->is_busy != is_busy)
		p->is_busy = is_busy;
	if (is_left)
		turn_wait(&w->turns, &p->turn);
}

uint32_t
round_run(struct worker *w)
{
	struct poll_list *polls = atomic_load_explicit(&w->polls, memory_order_acquire);
	struct round r = {.last = rte_rdtsc()};

	turns_begin_round(&w->turns);
	for (uint32_t i = 0; i < polls->n; i++)
		poll_port(w, &polls->polls[i], &r);
	turns_end_round(&w->turns);
	if (w->touched_words) {
		if (r.n_looks)
			forget_looks(&r);
		notify_touched(w);
		charge_notify(w, polls, rte_rdtsc() - r.last, r.n_touches);
	}
	if (r.n_frames) {
		stats_add(&w->n_frames, r.n_frames);
		stats_add(&w->n_batches, r.n_batches);
	}
	return r.n_frames;
}

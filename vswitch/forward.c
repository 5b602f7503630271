/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forward.c: what a worker does with a batch, see forward.h. It works on what switch.c published:
 * the table of ports and the fdb.
 */
#include "forward.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "hint.h"
#include "fdb.h"
#include "frame.h"
#include "offload.h"
#include "port.h"
#include "snoop.h"
#include "stats.h"
#include "switch.h"
#include "worker.h"

enum {
	MAC_LEN = 6,
	FLOOD = FDB_NO_PORT, /* "port" of a frame that goes to all others */
	ECHO_FRESH_S = 2,    /* a frame that comes back does so at once */
};

/* What is found out about the frames of a batch on the way. */
struct way {
	uint64_t src[BATCH_MAX], dst[BATCH_MAX]; /* keys of the fdb */
	uint64_t src_hashes[BATCH_MAX], dst_hashes[BATCH_MAX];
	uint16_t port[BATCH_MAX]; /* id of the destination, or FLOOD */
	uint64_t tagged;	  /* frames with a tag taken out */
	uint32_t longest;	  /* bytes on a wire, without tag */
	bool is_one_port;	  /* all frames go to one */
};

static bool
mac_is_group(const uint8_t *mac)
{
	return mac[0] & 1;
}

/* 01:80:c2:00:00:00 .. 0f, IEEE 802.1Q table 8-1. */
static bool
mac_is_link_local(const uint8_t *mac)
{
	static const uint8_t prefix[] = {0x01, 0x80, 0xc2, 0x00, 0x00};

	return memcmp(mac, prefix, sizeof(prefix)) == 0 && (mac[5] & 0xf0) == 0;
}

/* Why frame f, of len bytes on a wire, must not be switched, or DROP_REASONS if it may. */
static enum drop_reason
frame_refused(const struct frame *f, uint64_t src, uint32_t len, uint32_t len_max)
{
	if (unlikely(len > len_max))
		return DROP_RX_OVERSIZE;
	if (unlikely(mac_is_group(f->head + MAC_LEN) || !(src & 0xffffffffffffull)))
		return DROP_RX_BAD_SOURCE;
	if (unlikely(mac_is_link_local(f->head)))
		return DROP_RX_LINK_LOCAL;
	return DROP_REASONS;
}

/* Takes tags out, makes keys, and returns the frames that may be switched. */
static uint64_t
classify(struct batch *b, struct way *way, const struct port *in, struct port_stats *stats)
{
	uint64_t good = 0;
	uint32_t len_max = port_frame_max(in);

	way->tagged = 0;
	way->longest = 0;
	for (uint32_t i = 0; i < RTE_MIN(b->n, (uint32_t)BATCH_MAX); i++) {
		struct frame *f = &b->frames[i];
		enum drop_reason reason;
		uint32_t len;

		if (unlikely(!frame_untag(f))) {
			stats_drop(stats, DROP_RX_RUNT, 1);
			continue;
		}
		way->src[i] = fdb_key(f->tci, f->head + MAC_LEN);
		way->dst[i] = fdb_key(f->tci, f->head);
		len = offload_wire_len(f);
		reason = frame_refused(f, way->src[i], len, len_max);
		if (unlikely(reason != DROP_REASONS)) {
			stats_drop(stats, reason, 1);
			continue;
		}
		good |= 1ull << i;
		way->tagged |= (uint64_t)(f->tpid != 0) << i;
		if (len > way->longest)
			way->longest = len;
	}
	stats_add(&stats->rx_frames, b->n);
	stats_add(&stats->rx_bytes, b->n_bytes);
	return good;
}

/* One hint a second and worker is enough: the state itself is in the fdb. */
static void
report_full(struct worker *w, const struct port *in, enum fdb_learned learned, uint32_t now_s)
{
	if (w->full_s == now_s + 1)
		return;
	w->full_s = now_s + 1;
	hint_post(HINT_FDB_FULL, in->id, learned);
}

/*
 * A frame of station key came in from the wire. Some NICs give a VF its own broadcasts back: the
 * station that another port heard just now stays there, unless that port is down, as it is when a
 * guest has moved away. *echo: the frame is one that we sent. So it is between uplinks, too: two
 * that give broadcasts back would else pass each to the other for ever.
 */
static enum fdb_learned
learn_from_wire(struct worker *w, const struct port_table *table, uint64_t key,
		const struct port *in, uint32_t now_s, bool *echo)
{
	const struct port *holder;
	enum fdb_learned learned;
	uint16_t id;

	learned = fdb_learn_unless_fresh(w->sw->fdb, key, in->id, now_s, ECHO_FRESH_S, &id);
	if (likely(learned != FDB_HELD))
		return learned;
	holder = table->by_id[id];
	*echo = holder && port_is_up(holder);
	return *echo ? learned : fdb_learn(w->sw->fdb, key, in->id, now_s);
}

/* Returns the frames whose source is a station that must have sent them from elsewhere. */
static uint64_t
learn(struct worker *w, const struct port_table *table, const struct way *way,
      const uint64_t *hashes, uint64_t good, const struct port *in)
{
	uint32_t now_s = atomic_load_explicit(&w->sw->now_s, memory_order_relaxed);
	bool is_uplink = in->ops->is_uplink, is_echo = false;
	uint64_t last = 0, echoes = 0, others;

	others = fdb_bulk_refresh(w->sw->fdb, way->src, hashes, good, in->id, now_s);
	set_foreach (i, others) {
		enum fdb_learned learned;

		if (way->src[i] != last) {
			last = way->src[i];
			is_echo = false;
			learned = is_uplink ? learn_from_wire(w, table, last, in, now_s, &is_echo)
					    : fdb_learn(w->sw->fdb, last, in->id, now_s);
			if (unlikely(learned == FDB_FULL || learned == FDB_PORT_FULL))
				report_full(w, in, learned, now_s);
		}
		echoes |= (uint64_t)is_echo << i;
	}
	return echoes;
}

static uint64_t
frames_to(const struct way *way, uint64_t among, uint16_t port)
{
	uint64_t set = 0;

	for (uint32_t i = 0; i < BATCH_MAX; i++)
		set |= (uint64_t)(way->port[i] == port) << i;
	return set & among;
}

static uint64_t
frames_longer(const struct batch *b, uint64_t set, uint32_t len_max)
{
	uint64_t longer = 0;

	set_foreach (i, set) {
		const struct frame *f = &b->frames[i];

		if (offload_wire_len(f) - (f->tpid ? FRAME_TAG_LEN : 0) > len_max)
			longer |= 1ull << i;
	}
	return longer;
}

/* Sends the frames of set as they are. */
static void
send_as_is(struct worker *w, struct port *out, struct batch *b, uint64_t set,
	   struct port_stats *stats)
{
	uint64_t bytes = 0;

	worker_enter(w, out);
	set = out->ops->tx(out, b, set, w, stats);
	set_foreach (i, set)
		bytes += b->frames[i].len;
	stats_add(&stats->tx_frames, set_count(set));
	stats_add(&stats->tx_bytes, bytes);
}

/* Sends the frames of set after what the receiver does not take was done to them. */
static __attribute__((noinline)) void
send_finished(struct worker *w, struct port *out, uint64_t set, uint32_t accepted,
	      struct port_stats *stats)
{
	const struct batch *b = w->batch;
	struct batch *to = w->finished;
	struct offload_work work;

	offload_begin(&work, b, set, accepted);
	for (;;) {
		/* the same queue of the receiver as for other frames of this batch */
		batch_start(to, b->in_port, b->in_queue);
		if (!offload_next(&work, to))
			return;
		send_as_is(w, out, to, set_first(to->n), stats);
	}
}

static void
deliver(struct worker *w, struct port *out, uint64_t set, const struct way *way)
{
	struct port_stats *stats = worker_stats(w, out);
	struct batch *b = w->batch;
	uint32_t accepted;

	if (unlikely(way->longest > port_frame_max(out))) {
		uint64_t longer = frames_longer(b, set, port_frame_max(out));

		stats_drop(stats, DROP_TX_OVERSIZE, set_count(longer));
		set &= ~longer;
	}
	if (unlikely(!set))
		return;
	/* acquire: pairs with port_set_offloads(); the view that says so is seen then, too */
	accepted = atomic_load_explicit(&out->offloads, memory_order_acquire);
	if (likely(!(b->offloads & ~accepted)))
		send_as_is(w, out, b, set, stats);
	else
		send_finished(w, out, set, accepted, stats);
	worker_touch(w, out);
}

/* Each port gets what is for it and what is for all in one go: the order of its frames holds. */
static void
flood(struct worker *w, const struct port_table *table, struct port *in, uint64_t good,
      uint64_t all, const struct way *way)
{
	struct port_stats *stats = worker_stats(w, in);
	uint32_t n = 0;

	for (uint32_t i = 0; i < table->n; i++) {
		struct port *out = table->ports[i];
		uint64_t set = frames_to(way, good, out->id);

		if (out == in || !port_is_up(out)) {
			/* no copy is missed on a port that is down, but its own frames are */
			if (set)
				stats_drop(worker_stats(w, out), DROP_TX_DOWN, set_count(set));
			continue;
		}
		n++;
		deliver(w, out, set | all, way);
	}
	if (n > 0)
		stats_add(&stats->rx_flooded, set_count(all));
	else
		stats_drop(stats, DROP_RX_NO_PORT, set_count(all));
}

static void
unicast(struct worker *w, const struct port_table *table, uint64_t good, const struct way *way)
{
	while (good) {
		struct port *out = table->by_id[way->port[__builtin_ctzll(good)]];
		uint64_t set = way->is_one_port ? good : frames_to(way, good, out->id);

		good &= ~set;
		if (likely(port_is_up(out)))
			deliver(w, out, set, way);
		else
			stats_drop(worker_stats(w, out), DROP_TX_DOWN, set_count(set));
	}
}

/*
 * What we sent to all, and what came back, goes no second time to all. What is for one known
 * station did not go out by the uplink and is none of ours: a guest that sends with the address of
 * the gateway keeps the gateway's frames from nobody.
 */
static uint64_t
drop_echoes(const struct way *way, uint64_t echoes, struct port_stats *stats)
{
	uint64_t dropped = frames_to(way, echoes, FLOOD);

	stats_drop(stats, DROP_RX_REFLECTED, set_count(dropped));
	return dropped;
}

/*
 * Drops what is for the port it came from, floods what is for a port that is just being deleted,
 * and returns the frames that are left; *any_flood: some go to all.
 */
static uint64_t
check_ways(struct way *way, const struct port_table *table, const struct port *in, uint64_t good,
	   struct port_stats *stats, bool *any_flood)
{
	uint64_t same = 0;
	uint16_t first = good ? way->port[__builtin_ctzll(good)] : FLOOD, differ = 0;

	*any_flood = false;
	set_foreach (i, good) {
		uint16_t id = way->port[i];

		differ |= id ^ first;
		if (id == in->id)
			same |= 1ull << i;
		else if (id == FLOOD || !table->by_id[id]) {
			way->port[i] = FLOOD;
			*any_flood = true;
		}
	}
	way->is_one_port = differ == 0;
	if (unlikely(same))
		stats_drop(stats, DROP_RX_SAME_PORT, set_count(same));
	return good & ~same;
}

void
forward_batch(struct worker *w, struct port *in)
{
	const struct port_table *table = atomic_load_explicit(&w->sw->table, memory_order_acquire);
	struct port_stats *stats = worker_stats(w, in);
	struct batch *b = w->batch;
	const uint64_t *src_hashes, *dst_hashes;
	struct fdb *fdb = w->sw->fdb;
	struct way way;
	uint64_t good, echoes, all;
	bool any_flood;

	good = classify(b, &way, in, stats);
	src_hashes = fdb_bulk_prefetch(fdb, way.src, good, way.src_hashes);
	dst_hashes = fdb_bulk_prefetch(fdb, way.dst, good, way.dst_hashes);
	echoes = learn(w, table, &way, src_hashes, good, in);
	memset(way.port, 0xff, sizeof(way.port));
	fdb_bulk_find(fdb, way.dst, dst_hashes, good, way.port);
	if (unlikely(echoes))
		good &= ~drop_echoes(&way, echoes, stats);
	good = check_ways(&way, table, in, good, stats, &any_flood);
	all = any_flood ? frames_to(&way, good, FLOOD) : 0;
	if (all)
		snoop_batch(w, in, all);
	if (unlikely(way.tagged))
		set_foreach (i, way.tagged)
			frame_tag(&b->frames[i]);
	if (any_flood)
		flood(w, table, in, good, all, &way);
	else
		unicast(w, table, good, &way);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* mbuf.c: frames out of mbufs and mbufs out of frames, see mbuf.h. */
#include "mbuf.h"

#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>
#include <rte_ip.h>

#include "error.h"
#include "frame.h"
#include "offload.h"
#include "rcu.h"
#include "stats.h"

enum {
	CACHE_MAX = 256,  /* mbufs that a pool keeps near each lcore */
	CACHE_PARTS = 16, /* of a small pool, no more than this part is kept near one lcore */
	MIB = 1 << 20,
	MBUF_LEN = sizeof(struct rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE,
};

/* The first bytes of the mbuf become the frame's head, the rest its body. False: too many pieces.
 */
static bool
lend_segments(struct batch *b, struct frame *f, const struct rte_mbuf *m)
{
	for (const struct rte_mbuf *seg = m; seg; seg = seg->next) {
		const uint8_t *at = rte_pktmbuf_mtod(seg, const uint8_t *);
		uint32_t len = seg->data_len;
		uint32_t part = RTE_MIN(len, (uint32_t)FRAME_HEAD_MAX - f->head_len);

		memcpy(f->head + f->head_len, at, part);
		f->head_len += part;
		f->len += len;
		if (len == part)
			continue;
		if (unlikely(f->n_pieces == FRAME_PIECES_MAX || !batch_room(b, f->n_pieces + 1u)))
			return false;
		batch_add_piece(b, f, at + part, len - part);
	}
	return true;
}

/* A tag that the driver took out goes back to where it was: the switch takes tags out itself. */
static void
restore_tag(struct frame *f, uint16_t tci)
{
	f->tpid = ETHERTYPE_VLAN;
	f->tci = tci;
	frame_tag(f);
	f->tpid = 0;
	f->tci = 0;
}

/* Where a checksum is in the header of that protocol; 0: we know of none. */
static uint16_t
checksum_at(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return OFFLOAD_TCP_CHECKSUM_AT;
	case IPPROTO_UDP:
		return OFFLOAD_UDP_CHECKSUM_AT;
	case IPPROTO_SCTP:
		return OFFLOAD_SCTP_CHECKSUM_AT;
	default:
		return 0;
	}
}

/* What the driver found out of the frame, as virtio says it. False if that can't be. */
static bool
read_offloads(struct frame *f, const struct rte_mbuf *m, bool is_virtio)
{
	uint64_t l4 = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
	bool is_long = is_virtio && m->ol_flags & RTE_MBUF_F_RX_LRO;
	struct virtio_net_hdr_mrg_rxbuf record = {0};
	struct offload_headers h;

	if (l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD) {
		record.hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	} else if (is_virtio && (l4 == RTE_MBUF_F_RX_L4_CKSUM_NONE || is_long)) {
		if (!offload_parse(f, &h) || h.is_fragment || !checksum_at(h.protocol))
			return false;
		record.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		record.hdr.csum_start = h.l4;
		record.hdr.csum_offset = checksum_at(h.protocol);
	} else {
		return true;
	}
	if (is_long) {
		record.hdr.gso_type =
			h.is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		record.hdr.gso_size = m->tso_segsz;
	}
	frame_set_record(f, record);
	return offload_check(f, OFFLOAD_ALL);
}

/* Why m can't be a frame, or DROP_REASONS if it was lent. */
static enum drop_reason
lend(struct batch *b, struct rte_mbuf *m, bool is_virtio)
{
	struct frame *f = batch_next(b);

	if (unlikely(!lend_segments(b, f, m)))
		return DROP_RX_BAD_CHAIN;
	if (unlikely(f->len < FRAME_LEN_MIN))
		return DROP_RX_RUNT;
	if (unlikely(f->len > FRAME_LEN_MAX))
		return DROP_RX_OVERSIZE;
	if (unlikely(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED))
		restore_tag(f, m->vlan_tci);
	if (m->ol_flags & (RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_LRO) &&
	    unlikely(!read_offloads(f, m, is_virtio)))
		return DROP_RX_BAD_RECORD;
	/* what the driver found out must not ask the next driver for anything; nobody else has m
	 * yet */
	m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	f->mbuf = m;
	batch_commit(b);
	return DROP_REASONS;
}

void
mbuf_lend(struct batch *batch, struct rte_mbuf **mbufs, uint32_t n, bool is_virtio,
	  struct port_stats *stats)
{
	for (uint32_t i = 0; i < n; i++) {
		enum drop_reason reason = lend(batch, mbufs[i], is_virtio);

		if (likely(reason == DROP_REASONS))
			continue;
		rte_pktmbuf_free(mbufs[i]);
		stats_rx_drop(stats, reason, 1);
	}
}

uint32_t
mbuf_n_segs(uint32_t frame_max, struct rte_mempool *pool)
{
	uint32_t room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;

	return (frame_max + room - 1) / room;
}

uint32_t
mbuf_burst_max(uint32_t frame_max, struct rte_mempool *pool)
{
	return RTE_MIN((uint32_t)BATCH_MAX, BATCH_PIECES_MAX / mbuf_n_segs(frame_max, pool));
}

void
mbuf_release(struct batch *batch)
{
	struct rte_mbuf *mbufs[BATCH_MAX];

	for (uint32_t i = 0; i < batch->n; i++)
		mbufs[i] = batch->frames[i].mbuf;
	rte_pktmbuf_free_bulk(mbufs, batch->n);
}

/*
 * Does the frame's own mbuf still say what the frame says? Heads change, bodies don't: what follows
 * an equal head in a frame of equal length is equal.
 */
static bool
is_unchanged(const struct frame *f, const struct rte_mbuf *m)
{
	uint32_t off = 0;

	if (m->pkt_len != f->len)
		return false;
	for (; off < f->head_len; m = m->next) {
		uint32_t part = RTE_MIN((uint32_t)m->data_len, f->head_len - off);

		if (memcmp(f->head + off, rte_pktmbuf_mtod(m, const uint8_t *), part) != 0)
			return false;
		off += part;
	}
	return true;
}

/* Appends to the chain from first to *last; false if the pool is empty. */
static bool
append(struct rte_mbuf *first, struct rte_mbuf **last, struct rte_mempool *pool,
       const uint8_t *from, uint32_t len)
{
	while (len > 0) {
		uint32_t part = RTE_MIN(len, (uint32_t)rte_pktmbuf_tailroom(*last));

		if (part == 0) {
			struct rte_mbuf *seg = rte_pktmbuf_alloc(pool);

			if (unlikely(!seg))
				return false;
			(*last)->next = seg;
			*last = seg;
			first->nb_segs++;
			continue;
		}
		memcpy(rte_pktmbuf_mtod_offset(*last, uint8_t *, (*last)->data_len), from, part);
		(*last)->data_len += part;
		first->pkt_len += part;
		from += part;
		len -= part;
	}
	return true;
}

static struct rte_mbuf *
copy_of_frame(const struct frame *f, struct rte_mempool *pool)
{
	struct rte_mbuf *first = rte_pktmbuf_alloc(pool), *last = first;

	if (unlikely(!first))
		return NULL;
	if (unlikely(!append(first, &last, pool, f->head, f->head_len)))
		goto fail;
	for (uint32_t i = 0; i < f->n_pieces; i++)
		if (unlikely(!append(first, &last, pool, f->body[i].addr, f->body[i].len)))
			goto fail;
	return first;

fail:
	rte_pktmbuf_free(first);
	return NULL;
}

/* A byte of the chain; there are that many. */
static uint8_t *
byte_of(struct rte_mbuf *m, uint32_t off)
{
	for (; off >= m->data_len; m = m->next)
		off -= m->data_len;
	return rte_pktmbuf_mtod_offset(m, uint8_t *, off);
}

/* The sum from start on goes to place: what is asked for where the headers are of no known kind. */
static void
put_checksum(struct rte_mbuf *m, uint32_t start, uint32_t place)
{
	uint16_t sum = 0;

	rte_raw_cksum_mbuf(m, start, m->pkt_len - start, &sum);
	sum = (uint16_t)~sum;
	if (sum == 0)
		sum = UINT16_MAX; /* 0 says that there is none (RFC 768) */
	*byte_of(m, place) = (uint8_t)sum;
	*byte_of(m, place + 1) = (uint8_t)(sum >> 8);
}

/* Makes m, a copy of f, ask its driver for what f asks for. */
static void
set_offloads(const struct frame *f, struct rte_mbuf *m)
{
	struct virtio_net_hdr record = frame_record(f).hdr;
	struct offload_headers h;

	/* drivers prepare only what comes right behind IPv6 */
	if (!offload_parse(f, &h) || h.is_fragment || h.l4 != record.csum_start ||
	    record.csum_offset != checksum_at(h.protocol) ||
	    (h.is_ipv6 && h.l4 != h.l3 + sizeof(struct rte_ipv6_hdr))) {
		put_checksum(m, record.csum_start, record.csum_start + record.csum_offset);
		return;
	}
	m->l2_len = h.l3;
	m->l3_len = h.l4 - h.l3;
	m->l4_len = h.payload - h.l4;
	m->ol_flags |= h.is_ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	if (f->offloads & OFFLOAD_SEGMENTS) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		m->tso_segsz = record.gso_size;
	} else {
		m->ol_flags |= h.protocol == IPPROTO_TCP ? RTE_MBUF_F_TX_TCP_CKSUM
							 : RTE_MBUF_F_TX_UDP_CKSUM;
	}
}

struct rte_mbuf *
mbuf_of_frame(const struct frame *f, struct rte_mempool *pool)
{
	if (unlikely(f->offloads & ~OFFLOAD_VALID)) {
		struct rte_mbuf *m = copy_of_frame(f, pool);

		if (likely(m != NULL))
			set_offloads(f, m);
		return m;
	}
	if (!f->mbuf || !is_unchanged(f, f->mbuf))
		return copy_of_frame(f, pool);
	rte_pktmbuf_refcnt_update(f->mbuf, 1);
	return f->mbuf;
}

struct rte_mbuf *
mbuf_of_padded_frame(const struct frame *f, struct rte_mempool *pool, uint32_t len_min)
{
	struct rte_mbuf *m;
	uint16_t missing;

	if (likely(f->len >= len_min))
		return mbuf_of_frame(f, pool);
	m = copy_of_frame(f, pool);
	if (unlikely(!m))
		return NULL;
	if (f->offloads & ~OFFLOAD_VALID)
		set_offloads(f, m);
	missing = (uint16_t)(len_min - f->len);
	memset(rte_pktmbuf_append(m, missing), 0, missing); /* a new mbuf has room */
	return m;
}

/* Control thread only. */
struct retired_pool {
	struct retired_pool *next;
	struct rte_mempool *pool;
};
static struct retired_pool *retired_pools;

static void
free_pools(struct retired_pool *r)
{
	while (r) {
		struct retired_pool *next = r->next;

		rte_mempool_free(r->pool);
		free(r);
		r = next;
	}
}

/*
 * Who puts an mbuf back counts it before he writes it down: a worker may be just between the two,
 * which is over after a grace period.
 */
static void
reap_pools(void)
{
	struct retired_pool **at = &retired_pools, *full = NULL;

	while (*at) {
		struct retired_pool *r = *at;

		if (!rte_mempool_full(r->pool)) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		r->next = full;
		full = r;
	}
	if (!full)
		return;
	rcu_synchronize();
	free_pools(full);
}

void
mbuf_pool_retire(struct rte_mempool *pool)
{
	struct retired_pool *r;

	if (!pool)
		return;
	r = malloc(sizeof(*r));
	if (!r)
		return; /* better a pool that is never freed than one freed under its mbufs */
	*r = (struct retired_pool){.next = retired_pools, .pool = pool};
	retired_pools = r;
	reap_pools();
}

uint32_t
mbuf_pools_retired(void)
{
	uint32_t n = 0;

	reap_pools();
	for (const struct retired_pool *r = retired_pools; r; r = r->next)
		n++;
	return n;
}

/*
 * rte_pktmbuf_init() takes the address for devices from the object's header, which has none where
 * the pool was told that objects may lie across pages.
 */
static void
init_mbuf(struct rte_mempool *pool, void *arg, void *mbuf, unsigned int i)
{
	struct rte_mempool_objhdr *header = RTE_PTR_SUB(mbuf, sizeof(*header));

	if (rte_eal_iova_mode() == RTE_IOVA_VA)
		header->iova = (uintptr_t)mbuf;
	rte_pktmbuf_init(pool, arg, mbuf, i);
}

/*
 * As rte_pktmbuf_pool_create(), but where there are no hugepages, and addresses for devices are
 * virtual ones, an mbuf may lie across pages: else each would take a whole one.
 */
static struct rte_mempool *
create_pool(const char *name, uint32_t n, int node)
{
	struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size =
							   RTE_MBUF_DEFAULT_BUF_SIZE};
	bool is_split = rte_eal_iova_mode() == RTE_IOVA_VA && !rte_eal_has_hugepages();
	unsigned flags = is_split ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0;
	uint32_t cache = RTE_MIN(n / CACHE_PARTS, (uint32_t)CACHE_MAX);
	struct rte_mempool *pool;
	int err;

	pool = rte_mempool_create_empty(name, n, MBUF_LEN, cache, sizeof(private), node, flags);
	if (!pool)
		return NULL;
	err = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);
	if (err)
		goto fail;
	rte_pktmbuf_pool_init(pool, &private);
	err = rte_mempool_populate_default(pool);
	if (err < 0)
		goto fail;
	rte_mempool_obj_iter(pool, init_mbuf, NULL);
	return pool;

fail:
	rte_mempool_free(pool);
	rte_errno = -err;
	return NULL;
}

struct rte_mempool *
mbuf_pool_create(const char *use, uint32_t n, int node, struct error *e)
{
	static uint32_t serial; /* a retired pool keeps its name */
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *pool;

	reap_pools();
	snprintf(name, sizeof(name), "%s_%u", use, serial++);
	pool = create_pool(name, n, node);
	if (!pool && rte_errno == ENOMEM)
		error_set(e, -ENOMEM,
			  "packet memory: no room for the %u buffers of a %s, about %u MiB: raise "
			  "switch: memory",
			  n, use, (uint32_t)((uint64_t)n * MBUF_LEN / MIB) + 1);
	else if (!pool)
		error_set(e, -rte_errno, "packet memory: can't make the %u buffers of a %s: %s", n,
			  use, rte_strerror(rte_errno));
	return pool;
}

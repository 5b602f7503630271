/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pmd.c: perf_pmd, guests with the driver of DPDK: net_virtio_user ports in one thread. What rings
 * and chains look like is the driver's own affair.
 *
 * It connects both, says what was agreed, and obeys commands (command.h).
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "clock.h"
#include "frontend.h"
#include "group.h"
#include "options.h"

enum {
	PMD_GUESTS_MAX = 4,
	PMD_BURST = 64,
	PMD_CACHE = 256,    /* mbufs that a pool keeps at hand */
	PMD_MEMORY_MB = 24, /* of all that is not mbufs */
	PMD_WORD_MAX = 320, /* bytes of an EAL option: a device with its socket's path */
	PMD_ETHER_LEN = RTE_ETHER_HDR_LEN,
	PMD_CONNECT_MS = 10000,
	PMD_FRAME_MAX = UINT16_MAX - RTE_PKTMBUF_HEADROOM, /* bytes: a frame is one mbuf */
};

struct pmd {
	struct role role;
	uint16_t port;		/* RTE_MAX_ETHPORTS: none */
	struct rte_mempool *tx; /* only this guest's frames: their headers stay in the mbufs */
};

struct pmds {
	struct group group; /* first: a struct group of this kind is a struct pmds */
	struct pmd guests[PMD_GUESTS_MAX];
	bool has_sum; /* checksums may be left to the switch */
};

static struct pmd *
pmd_of(struct group *group, uint32_t i)
{
	return &((struct pmds *)group)->guests[i];
}

/* What to write into each mbuf of a pool. */
struct blank {
	struct frame_ends ends;
	enum frame_kind kind;
	uint32_t len;
};

static void
fill_blank(struct rte_mempool *pool, void *arg, void *object, unsigned int i)
{
	const struct blank *blank = arg;
	struct rte_mbuf *m = object;

	(void)pool, (void)i;
	frame_write((uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM, blank->ends, blank->kind,
		    blank->len, 0);
}

static int
pmd_prepare(struct group *group, const struct command *c)
{
	if (c->layout != RING_SINGLE || c->kind == FRAME_TSO ||
	    (c->kind == FRAME_SUM && !((struct pmds *)group)->has_sum))
		return -ENOTSUP;
	for (uint32_t i = 0; i < group->n_guests; i++) {
		struct pmd *p = pmd_of(group, i);
		struct blank blank = {{.from = p->role.id, .to = p->role.to}, c->kind, c->len};

		if (c->len + RTE_PKTMBUF_HEADROOM > rte_pktmbuf_data_room_size(p->tx))
			return -EMSGSIZE;
		rte_mempool_obj_iter(p->tx, fill_blank, &blank);
	}
	return 0;
}

static uint32_t
pmd_receive(struct group *group, const struct command *c, uint32_t first, uint32_t n_guests)
{
	struct rte_mbuf *mbufs[PMD_BURST];
	uint32_t moved = 0;

	for (uint32_t i = first; i < first + n_guests; i++) {
		struct pmd *p = pmd_of(group, i);
		uint16_t n = rte_eth_rx_burst(p->port, 0, mbufs, PMD_BURST), n_ours = 0;
		uint64_t now = c->is_stamped && n > 0 ? clock_ticks() : 0;

		for (uint16_t k = 0; k < n; k++)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[k], void *));
		for (uint16_t k = 0; k < n; k++) {
			const uint8_t *f = rte_pktmbuf_mtod(mbufs[k], const uint8_t *);
			bool is_ours = role_is_ours(&p->role, f);

			if (is_ours && p->role.is_checked)
				role_check(&p->role, f, now);
			n_ours += is_ours;
		}
		p->role.n_received += n_ours;
		p->role.n_foreign += n - n_ours;
		if (n > 0)
			rte_pktmbuf_free_bulk(mbufs, n);
		moved += n;
	}
	return moved;
}

static uint32_t
pmd_send(struct group *group, const struct command *c, uint32_t i, uint32_t n_max)
{
	struct pmd *p = pmd_of(group, i);
	struct role *r = &p->role;
	struct rte_mbuf *mbufs[PMD_BURST];
	uint32_t n = n_max < PMD_BURST ? n_max : PMD_BURST;
	uint16_t n_sent;

	if (rte_pktmbuf_alloc_bulk(p->tx, mbufs, n) != 0)
		return 0;
	for (uint32_t k = 0; k < n; k++) {
		uint8_t *f = rte_pktmbuf_mtod(mbufs[k], uint8_t *);
		uint32_t len = c->is_mixed ? frame_mix_len(r->n_sent + k) : c->len;

		if (!r->is_steady)
			frame_write_head(f, role_next(r), c->kind, len);
		frame_put_seq(f, c->kind,
			      c->is_stamped ? pace_time(&group->pace, k) : r->n_sent + k);
		mbufs[k]->data_len = (uint16_t)len;
		mbufs[k]->pkt_len = len;
		if (c->kind == FRAME_SUM) {
			mbufs[k]->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM;
			mbufs[k]->l2_len = RTE_ETHER_HDR_LEN;
			mbufs[k]->l3_len = FRAME_L4_AT - RTE_ETHER_HDR_LEN;
		}
	}
	n_sent = rte_eth_tx_burst(p->port, 0, mbufs, (uint16_t)n);
	if (n_sent < n)
		rte_pktmbuf_free_bulk(mbufs + n_sent, n - n_sent);
	r->n_sent += n_sent;
	role_unsend(r, n - n_sent);
	return n_sent;
}

static const struct group_kind pmd_kind = {
	.prepare = pmd_prepare,
	.receive = pmd_receive,
	.send = pmd_send,
};

/* Mbufs of a pool: a ring full of them, and some on their way. */
static uint32_t
pool_size(const struct options *o)
{
	return o->ring_size + 2 * (PMD_CACHE + PMD_BURST);
}

static uint32_t
memory_mb(const struct options *o)
{
	uint64_t each =
		o->rx_len + o->frame_max + 2 * (RTE_PKTMBUF_HEADROOM + sizeof(struct rte_mbuf));

	return PMD_MEMORY_MB + (uint32_t)(o->n_names * pool_size(o) * each >> 20);
}

static int
start_eal(const struct options *o)
{
	static char words[PMD_GUESTS_MAX][PMD_WORD_MAX], cpu[16], memory[16];
	char *args[16] = {(char[]){"perf_pmd"},
			  (char[]){"-l"},
			  cpu,
			  (char[]){"-m"},
			  memory,
			  (char[]){"--no-pci"},
			  (char[]){"--no-telemetry"}};
	int n = 7;

	snprintf(cpu, sizeof(cpu), "%d", o->cpu >= 0 ? o->cpu : sched_getcpu());
	snprintf(memory, sizeof(memory), "%u", memory_mb(o));
	/* a vhost-user switch takes 8 files of memory at most */
	args[n++] = o->has_hugepages ? (char[]){"--in-memory"} : (char[]){"--no-huge"};
	args[n++] = o->has_hugepages ? (char[]){"--single-file-segments"} : (char[]){"--no-shconf"};
	for (uint32_t i = 0; i < o->n_names; i++) {
		snprintf(words[i], sizeof(words[i]),
			 "--vdev=net_virtio_user%u,path=%s,server=%d,queues=1,queue_size=%u,"
			 "packed_vq=%d,in_order=%d,mrg_rxbuf=%d",
			 i, o->names[i], o->is_server, o->ring_size, o->is_packed, o->is_in_order,
			 o->is_mergeable);
		args[n++] = words[i];
	}
	if (rte_eal_init(n, args) < 0) {
		printf("{\"error\": \"EAL: %s, see what it wrote\"}\n", rte_strerror(rte_errno));
		return -1;
	}
	return 0;
}

/* 0 or -errno, with the step that failed. */
static int
start_port(struct pmd *p, uint32_t i, const struct options *o, const char **step)
{
	struct rte_eth_conf conf = {.rxmode.mtu = o->frame_max - PMD_ETHER_LEN};
	const uint64_t sums = RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	struct rte_mempool *rx;
	char name[32];
	int rc;

	if (o->has_sum) {
		conf.rxmode.offloads = sums;
		conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	}
	snprintf(name, sizeof(name), "rx%u", i);
	rx = rte_pktmbuf_pool_create(name, pool_size(o), PMD_CACHE, 0,
				     (uint16_t)(o->rx_len + RTE_PKTMBUF_HEADROOM), SOCKET_ID_ANY);
	snprintf(name, sizeof(name), "tx%u", i);
	p->tx = rte_pktmbuf_pool_create(name, pool_size(o), PMD_CACHE, 0,
					(uint16_t)(o->frame_max + RTE_PKTMBUF_HEADROOM),
					SOCKET_ID_ANY);
	*step = "no memory for mbufs";
	if (rx == NULL || p->tx == NULL)
		return -rte_errno;
	snprintf(name, sizeof(name), "net_virtio_user%u", i);
	*step = "no such device";
	rc = rte_eth_dev_get_port_by_name(name, &p->port);
	if (rc < 0)
		return rc;
	if (o->frame_max + RING_HEADER_LEN > o->rx_len)
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
	*step = "the driver can't be started";
	rc = rte_eth_dev_configure(p->port, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(p->port, 0, o->ring_size, SOCKET_ID_ANY, NULL, rx);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(p->port, 0, o->ring_size, SOCKET_ID_ANY, NULL);
	return rc < 0 ? rc : rte_eth_dev_start(p->port);
}

/*
 * The driver takes a split ring if the switch has no packed ones, and says nothing of it: so ask
 * the switch first. 0 or -errno, with a sentence in fe.
 */
static int
ask_features(struct frontend *fe, const struct options *o, const char *socket, uint64_t *features)
{
	uint64_t required = 0, offered = 0;
	int rc = o->is_server ? frontend_listen(fe, socket) : 0;

	required |= o->is_packed ? 1ull << VIRTIO_F_RING_PACKED : 0;
	if (o->has_sum)
		required |= 1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_GUEST_CSUM;
	required |= o->is_in_order ? 1ull << VIRTIO_F_IN_ORDER : 0;
	*features = required | 1ull << VIRTIO_F_VERSION_1;
	*features |= o->is_mergeable ? 1ull << VIRTIO_NET_F_MRG_RXBUF : 0;
	if (rc == 0)
		rc = o->is_server ? frontend_accept(fe, PMD_CONNECT_MS)
				  : frontend_connect(fe, socket, PMD_CONNECT_MS);
	if (rc == 0)
		rc = frontend_get(fe, FRONTEND_GET_FEATURES, &offered);
	*features &= offered;
	if (rc == 0 && (required & ~offered) != 0) {
		snprintf(fe->error, sizeof(fe->error),
			 "features %#" PRIx64 " are not offered, only %#" PRIx64,
			 required & ~offered, offered);
		return -ENOTSUP;
	}
	return rc;
}

static int
pmds_start(struct pmds *pmds, const struct options *o)
{
	struct group *group = &pmds->group;
	const char *step = "";
	uint64_t features = 0;

	for (uint32_t i = 0; i < o->n_names; i++) {
		struct frontend fe;
		int rc;

		frontend_init(&fe);
		rc = ask_features(&fe, o, o->names[i], &features);
		if (rc < 0)
			printf("{\"error\": \"guest %u: %s\"}\n", i + 1, fe.error);
		frontend_close(&fe);
		if (rc < 0)
			return rc;
	}
	if (start_eal(o) < 0)
		return -1;
	pmds->has_sum = o->has_sum;
	group->kind = &pmd_kind;
	group->n_guests = o->n_names;
	group->n_buffers = o->ring_size;
	group->buffer_len = o->rx_len;
	for (uint32_t i = 0; i < o->n_names; i++) {
		int rc = start_port(&pmds->guests[i], i, o, &step);

		if (rc < 0) {
			printf("{\"error\": \"guest %u: %s: %s\"}\n", i + 1, step,
			       rte_strerror(-rc));
			return rc;
		}
		role_init(&pmds->guests[i].role, (uint8_t)(i + 1));
		group->roles[i] = &pmds->guests[i].role;
	}
	group_watch(group, o->switch_cpu, o->switch_pid);
	printf("{\"features\": %" PRIu64 ", \"hugepages\": %s, \"clock_hz\": %.0f, "
	       "\"probe\": %s}\n",
	       features, o->has_hugepages ? "true" : "false", clock_hz,
	       group->probe != NULL ? "true" : "false");
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct options_kind kind = {
		.program = "perf_pmd",
		.names = "SOCKET SOCKET [SOCKET ...]",
		.letters = "srlfpokmncdi",
		.names_max = PMD_GUESTS_MAX,
	};
	static struct pmds pmds;
	struct options o;
	int rc;

	signal(SIGPIPE, SIG_IGN); /* the driver talks to switches that have gone */
	for (uint32_t i = 0; i < PMD_GUESTS_MAX; i++)
		pmds.guests[i].port = RTE_MAX_ETHPORTS;
	if (!options_parse(&o, &kind, argc, argv))
		return 2;
	if (o.frame_max > PMD_FRAME_MAX || o.rx_len > PMD_FRAME_MAX) {
		fprintf(stderr, "perf_pmd: frame-max and rx-len are %d bytes at most\n",
			PMD_FRAME_MAX);
		return 2;
	}
	rc = options_settle(&o, &kind);
	if (rc == 0)
		rc = pmds_start(&pmds, &o);
	if (rc == 0)
		group_serve(&pmds.group);
	probe_destroy(pmds.group.probe);
	for (uint32_t i = 0; i < PMD_GUESTS_MAX; i++)
		if (pmds.guests[i].port != RTE_MAX_ETHPORTS) {
			rte_eth_dev_stop(pmds.guests[i].port);
			rte_eth_dev_close(pmds.guests[i].port);
		}
	return rc == 0 ? 0 : 1;
}

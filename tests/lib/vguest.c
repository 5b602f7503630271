/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vguest.c: plays guests for tests. Each guest is a virtio-user device (DPDK's net_virtio_user) on
 * a vhost-user socket; what it receives is written to a UNIX stream, and what is read from that
 * stream it sends, so that vguest.py has every frame as bytes. Nothing is dropped here: a full ring
 * or a slow reader makes the other side wait.
 *
 * On the stream, both ways: a struct stream_head, then the frame.
 *
 * Commands on stdin, one a line, each answered by one line that starts with "ok" or "error":
 *   add NAME STREAM MTU QUEUES SEGMENT DEVARGS
 *       NAME: net_virtio_user_NAME is the device, or NAME itself if it begins with "net_", such as
 *       net_af_packet_x, which makes a network interface's frames a stream just so; STREAM: path of
 *       the UNIX socket to connect to, or of a character device (a port of virtio-serial); SEGMENT:
 *       most bytes in one buffer of a frame sent, so that long frames are chains; DEVARGS: as for
 *       the device. Waits for the peer where DEVARGS have server=1.
 *   queues NAME N
 *       The guest uses N of its queue pairs from now on: it stops and starts its device, as guests
 *       do, and loses what is in its rings.
 *   del NAME
 *   quit (or end of file)
 *
 * Threads: main does the commands, one more moves the frames of all guests.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "stream.h"

enum {
	GUESTS_MAX = 64,
	BURST = 32,
	FRAME_MAX = 65535 + 18,	     /* bytes */
	STREAM_BUF = 64 * 1024 * 64, /* bytes; room for a burst of the longest frames, and more */
	N_MBUFS = 16384,	     /* of the usual size, shared by all guests */
	IDLE_US = 50,		     /* sleep of a round in which nothing moved */
};

struct stream_head {
	uint32_t len;	/* bytes of the frame */
	uint32_t queue; /* which queue pair it came by, or is to go by */
};

/* Who owns a guest at the moment. */
enum guest_state {
	GUEST_FREE,    /* commands: may fill it */
	GUEST_LIVE,    /* frames are moved */
	GUEST_LEAVING, /* commands: asked the mover to let go */
	GUEST_LEFT,    /* the mover has */
};

struct guest {
	char name[48]; /* of the device */
	_Atomic int state;
	uint16_t port_id;
	uint16_t n_queues;
	uint16_t segment; /* bytes */
	uint16_t mtu;

	/* mover only, while live */
	struct stream stream;
	struct rte_mbuf *unsent[BURST]; /* what the ring of unsent_queue had no room for */
	uint32_t n_unsent;
	uint16_t unsent_queue;
};

static struct guest guests[GUESTS_MAX];
static struct rte_mempool *pool;
static _Atomic bool stop;

/* Copies frame into a chain of buffers of at most segment bytes; NULL if there are none now. */
static struct rte_mbuf *
frame_to_mbuf(const uint8_t *frame, uint32_t len, uint32_t segment)
{
	struct rte_mbuf *head = NULL, *last = NULL;

	for (uint32_t off = 0; off < len;) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		uint32_t n;

		if (!m) {
			rte_pktmbuf_free(head);
			return NULL;
		}
		n = RTE_MIN(RTE_MIN(len - off, segment), (uint32_t)rte_pktmbuf_tailroom(m));
		memcpy(rte_pktmbuf_mtod(m, uint8_t *), frame + off, n);
		m->data_len = (uint16_t)n;
		off += n;
		if (!head) {
			head = m;
			head->pkt_len = len;
		} else {
			last->next = m;
			head->nb_segs++;
		}
		last = m;
	}
	return head;
}

/* Sends what is left over; true if nothing is any more. */
static bool
guest_send_unsent(struct guest *g)
{
	uint16_t n;

	if (!g->n_unsent)
		return true;
	n = rte_eth_tx_burst(g->port_id, g->unsent_queue, g->unsent, (uint16_t)g->n_unsent);
	g->n_unsent -= n;
	memmove(g->unsent, g->unsent + n, g->n_unsent * sizeof(g->unsent[0]));
	return !g->n_unsent;
}

/* Takes the next frame of the stream into unsent; false if there is none, or not for this burst. */
static bool
guest_take_frame(struct guest *g, uint32_t *used)
{
	struct stream_head head;
	struct rte_mbuf *m;

	if (g->n_unsent == BURST || g->stream.in_len - *used < sizeof(head))
		return false;
	memcpy(&head, g->stream.in + *used, sizeof(head));
	if (!head.len || head.len > FRAME_MAX || head.queue >= g->n_queues) {
		fprintf(stderr, "vguest: %s: bad head on the stream: %u bytes, queue %u\n", g->name,
			head.len, head.queue);
		exit(1);
	}
	if (g->stream.in_len - *used < sizeof(head) + head.len)
		return false;
	if (g->n_unsent && g->unsent_queue != head.queue)
		return false;
	m = frame_to_mbuf(g->stream.in + *used + sizeof(head), head.len, g->segment);
	if (!m)
		return false;
	g->unsent[g->n_unsent++] = m;
	g->unsent_queue = (uint16_t)head.queue;
	*used += (uint32_t)sizeof(head) + head.len;
	return true;
}

/* From the stream into the rings. True if something moved. */
static bool
guest_send(struct guest *g)
{
	uint32_t used = 0, before = g->n_unsent;
	bool moved = stream_read(&g->stream);

	if (!guest_send_unsent(g))
		return moved || g->n_unsent != before;
	while (guest_take_frame(g, &used))
		moved = true;
	guest_send_unsent(g);
	stream_used(&g->stream, used);
	return moved || before;
}

/* Appends a received frame to what goes to the stream, and frees it. */
static void
guest_keep(struct guest *g, struct rte_mbuf *m, uint16_t queue)
{
	struct stream_head head = {.len = m->pkt_len, .queue = queue};

	memcpy(g->stream.out + g->stream.out_len, &head, sizeof(head));
	g->stream.out_len += (uint32_t)sizeof(head);
	for (const struct rte_mbuf *s = m; s; s = s->next) {
		memcpy(g->stream.out + g->stream.out_len, rte_pktmbuf_mtod(s, const uint8_t *),
		       s->data_len);
		g->stream.out_len += s->data_len;
	}
	rte_pktmbuf_free(m);
}

/* From the rings into the stream. True if something moved. */
static bool
guest_receive(struct guest *g)
{
	const uint32_t most = FRAME_MAX + sizeof(struct stream_head);
	struct rte_mbuf *bufs[BURST];
	bool moved = false;

	for (uint16_t q = 0; q < g->n_queues; q++) {
		uint32_t room = (STREAM_BUF - g->stream.out_len) / most;
		uint16_t n;

		if (!room)
			break;
		n = rte_eth_rx_burst(g->port_id, q, bufs, (uint16_t)RTE_MIN(room, (uint32_t)BURST));
		for (uint16_t i = 0; i < n; i++)
			guest_keep(g, bufs[i], q);
		moved |= n > 0;
	}
	moved |= stream_write(&g->stream);
	return moved;
}

static void *
mover(void *arg)
{
	(void)arg;
	if (rte_thread_register()) {
		fprintf(stderr, "vguest: can't register the thread that moves frames\n");
		exit(1);
	}
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		bool moved = false;

		for (struct guest *g = guests; g < guests + GUESTS_MAX; g++) {
			int state = atomic_load_explicit(&g->state, memory_order_acquire);

			if (state == GUEST_LEAVING)
				atomic_store_explicit(&g->state, GUEST_LEFT, memory_order_release);
			if (state != GUEST_LIVE)
				continue;
			moved |= guest_receive(g);
			moved |= guest_send(g);
		}
		if (!moved)
			usleep(IDLE_US);
	}
	rte_thread_unregister();
	return NULL;
}

/* Sets up and starts all queues of the guest's device. */
static int
guest_start(const struct guest *g)
{
	struct rte_eth_conf conf = {.rxmode = {.mtu = g->mtu}};
	struct rte_eth_dev_info info;
	int ret;

	ret = rte_eth_dev_info_get(g->port_id, &info);
	if (ret)
		return ret;
	conf.intr_conf.lsc = !!(*info.dev_flags & RTE_ETH_DEV_INTR_LSC);
	conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_SCATTER & info.rx_offload_capa;
	conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS & info.tx_offload_capa;
	ret = rte_eth_dev_configure(g->port_id, g->n_queues, g->n_queues, &conf);
	for (uint16_t q = 0; !ret && q < g->n_queues; q++) {
		ret = rte_eth_rx_queue_setup(g->port_id, q, 0, SOCKET_ID_ANY, NULL, pool);
		if (!ret)
			ret = rte_eth_tx_queue_setup(g->port_id, q, 0, SOCKET_ID_ANY, NULL);
	}
	return ret ? ret : rte_eth_dev_start(g->port_id);
}

/* Takes what guest_add() made apart; the mover does not touch the guest (any more). */
static void
guest_free(struct guest *g, bool has_dev)
{
	if (has_dev) {
		rte_eth_dev_stop(g->port_id);
		rte_eth_dev_close(g->port_id);
		rte_vdev_uninit(g->name);
	}
	for (uint32_t i = 0; i < g->n_unsent; i++)
		rte_pktmbuf_free(g->unsent[i]);
	stream_close(&g->stream);
	memset(g, 0, sizeof(*g));
}

/* The name of the guest's device. */
static void
device_name(const char *name, char *device, size_t size)
{
	bool is_whole = !strncmp(name, "net_", 4);

	snprintf(device, size, "%s%.31s", is_whole ? "" : "net_virtio_user_", name);
}

static struct guest *
guest_find(const char *name)
{
	for (struct guest *g = guests; g < guests + GUESTS_MAX; g++)
		if (!strcmp(g->name, name))
			return g;
	return NULL;
}

static void
guest_add(char *args)
{
	char name[32], stream[128], devargs[512];
	unsigned int mtu, n_queues, segment;
	struct guest *g = guest_find("");
	bool has_dev = false;
	int ret;

	if (sscanf(args, "%31s %127s %u %u %u %511s", name, stream, &mtu, &n_queues, &segment,
		   devargs) != 6 ||
	    mtu > 65535 || !segment || segment > 65535) {
		printf("error add: NAME STREAM MTU QUEUES SEGMENT DEVARGS are needed\n");
		return;
	}
	if (!g) {
		printf("error add: no more than %d guests\n", GUESTS_MAX);
		return;
	}
	device_name(name, g->name, sizeof(g->name));
	g->n_queues = (uint16_t)n_queues;
	g->segment = (uint16_t)segment;
	g->mtu = (uint16_t)mtu;
	if (stream_open(&g->stream, stream, STREAM_BUF) < 0) {
		printf("error add %s: no memory, or stream %s: %s\n", name, stream,
		       strerror(errno));
		goto fail;
	}
	ret = rte_vdev_init(g->name, devargs); /* hot plugging takes 127 bytes */
	if (ret || rte_eth_dev_get_port_by_name(g->name, &g->port_id)) {
		printf("error add %s: no device: %s\n", name, rte_strerror(-ret));
		goto fail;
	}
	has_dev = true;
	ret = guest_start(g);
	if (ret) {
		printf("error add %s: can't start: %s\n", name, rte_strerror(-ret));
		goto fail;
	}
	atomic_store_explicit(&g->state, GUEST_LIVE, memory_order_release);
	printf("ok\n");
	return;
fail:
	guest_free(g, has_dev);
}

/* Takes a guest from the mover; NULL, and says so, if there is none of this name. */
static struct guest *
guest_take(const char *command, const char *name)
{
	char device[sizeof(guests[0].name)];
	struct guest *g;

	device_name(name, device, sizeof(device));
	g = guest_find(device);
	if (!g) {
		printf("error %s: no guest %s\n", command, name);
		return NULL;
	}
	atomic_store_explicit(&g->state, GUEST_LEAVING, memory_order_release);
	while (atomic_load_explicit(&g->state, memory_order_acquire) != GUEST_LEFT)
		usleep(IDLE_US);
	return g;
}

static void
guest_set_queues(const char *args)
{
	unsigned int n_queues;
	struct guest *g;
	char name[32];
	int ret;

	if (sscanf(args, "%31s %u", name, &n_queues) != 2 || !n_queues || n_queues > UINT16_MAX) {
		printf("error queues: NAME and N are needed\n");
		return;
	}
	g = guest_take("queues", name);
	if (!g)
		return;
	for (uint32_t i = 0; i < g->n_unsent; i++)
		rte_pktmbuf_free(g->unsent[i]);
	g->n_unsent = 0;
	g->n_queues = (uint16_t)n_queues;
	ret = rte_eth_dev_stop(g->port_id);
	if (!ret)
		ret = guest_start(g);
	atomic_store_explicit(&g->state, GUEST_LIVE, memory_order_release);
	if (ret)
		printf("error queues %s: can't restart: %s\n", name, rte_strerror(-ret));
	else
		printf("ok\n");
}

static void
guest_del(const char *name)
{
	struct guest *g = guest_take("del", name);

	if (!g)
		return;
	guest_free(g, true);
	printf("ok\n");
}

int
main(int argc, char **argv)
{
	char line[1024];
	pthread_t thread;

	signal(SIGPIPE, SIG_IGN); /* net_virtio_user talks to switches that have gone */
	if (rte_eal_init(argc, argv) < 0) {
		printf("error EAL: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	pool = rte_pktmbuf_pool_create("vguest", N_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	if (!pool || pthread_create(&thread, NULL, mover, NULL)) {
		printf("error start: no memory for %d buffers, or no thread\n", N_MBUFS);
		return 1;
	}
	printf("ok ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strcmp(line, "quit"))
			break;
		if (!strncmp(line, "add ", 4))
			guest_add(line + 4);
		else if (!strncmp(line, "queues ", 7))
			guest_set_queues(line + 7);
		else if (!strncmp(line, "del ", 4))
			guest_del(line + 4);
		else
			printf("error unknown command: %s\n", line);
		fflush(stdout);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	for (struct guest *g = guests; g < guests + GUESTS_MAX; g++)
		if (g->name[0])
			guest_free(g, true);
	rte_eal_cleanup();
	return 0;
}

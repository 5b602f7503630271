/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rawguest.c: plays guests whose offload records are the test's own. vguest.c's guests have DPDK's
 * driver between the test and the ring; here each frame goes with the virtio_net_hdr that the test
 * gave it, true or not, and each one received comes with the one that the switch wrote. The
 * messages and rings are those of tests/perf (frontend.h, ring.h). rawguest.py is the other end.
 *
 * On the stream, both ways: a struct stream_head, then the frame. What was received is one frame,
 * however many buffers it came in; its record still says how many they were.
 *
 * Commands on stdin, one a line, each answered by one line that starts with "ok" or "error":
 *   add NAME STREAM SOCKET-PATH server=0|1 features=HEX required=HEX packed=0|1 layout=LAYOUT
 *       rx_len=N size=N
 *       STREAM: path of the UNIX socket to connect to; server=1: waits for the switch to connect;
 *       features: those wanted; required: those that must be offered, VERSION_1 always; LAYOUT:
 *       single, two, indirect or chain, of what is sent (enum ring_layout); rx_len: bytes of a
 *       receive buffer, virtio header included; size: descriptors of a ring. The answer is "ok" and
 *       two words in hex: the features agreed on, and those that the switch offered.
 *   del NAME
 *   quit (or end of file)
 *
 * Nothing is dropped here: a full ring or a slow reader makes the other side wait.
 *
 * Threads: one, which does the commands and moves the frames of all guests.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "frontend.h"
#include "ring.h"
#include "stream.h"

enum {
	GUESTS_MAX = 64,
	FRAME_MAX = 65535 + 14 + 2 * 4, /* bytes: the longest IP packet with two tags */
	STREAM_BUF = 16 << 20,		/* bytes; room for RING_TAKE_MAX of the longest frames */
	TX_BUFFERS = 128,		/* frames on their way out, unless the ring is in order */
	REGION_ALIGN = 2 << 20,
	BUFFER_ALIGN = 64,
	RING_DESC_SIZE = 26,	    /* bytes of a ring for each descriptor, at most */
	RING_PARTS_SIZE = 5 * 4096, /* and for aligning its parts */
	PEER_MS = 30000,	    /* for the switch to connect, or to listen */
	IDLE_NS = 50 * 1000,	    /* sleep of a round in which nothing moved */
};

struct stream_head {
	uint32_t len; /* bytes of the frame */
	struct virtio_net_hdr_mrg_rxbuf record;
};

/* How a guest is to be. */
struct wish {
	uint32_t is_server, is_packed;
	uint64_t features, required;
	enum ring_layout layout;
	uint32_t rx_len, size;
};

struct guest {
	char name[32]; /* "": there is none */
	struct frontend fe;
	struct ring *rx, *tx;
	uint8_t *rx_buffers, *tx_buffers;
	struct stream stream;
	uint32_t n_left; /* buffers of the frame behind out_len that are still to come */
};

static struct guest guests[GUESTS_MAX];

/* True if one more frame of the stream was put into the ring. */
static bool
send_one(struct guest *g, uint32_t *used)
{
	struct stream_head head;
	uint8_t *buffer;

	if (ring_n_free(g->tx) == 0 || g->stream.in_len - *used < sizeof(head))
		return false;
	memcpy(&head, g->stream.in + *used, sizeof(head));
	if (head.len == 0 || head.len > FRAME_MAX) {
		fprintf(stderr, "rawguest: %s: bad head on the stream: %u bytes\n", g->name,
			head.len);
		exit(1);
	}
	if (g->stream.in_len - *used < sizeof(head) + head.len)
		return false;
	buffer = g->tx_buffers + (size_t)ring_next_slot(g->tx, 0) * g->tx->buffers.stride;
	memcpy(buffer, &head.record, RING_HEADER_LEN);
	memcpy(buffer + RING_HEADER_LEN, g->stream.in + *used + sizeof(head), head.len);
	ring_put(g->tx, RING_HEADER_LEN + head.len, 1);
	*used += (uint32_t)sizeof(head) + head.len;
	return true;
}

/* From the stream into the ring. True if something moved. */
static bool
guest_send(struct guest *g)
{
	struct ring_done done[RING_TAKE_MAX];
	bool moved = stream_read(&g->stream);
	uint32_t used = 0;

	while (ring_take(g->tx, done) > 0)
		;
	while (send_one(g, &used))
		;
	ring_publish(g->tx);
	stream_used(&g->stream, used);
	return moved || used > 0;
}

/* Appends a buffer to the frame behind out_len. */
static void
keep(struct guest *g, const struct ring_done *done)
{
	const uint8_t *buffer = g->rx_buffers + (size_t)done->slot * g->rx->buffers.stride;
	struct stream_head head = {0};
	uint8_t *to = g->stream.out + g->stream.out_len;
	uint32_t skip = 0;

	if (done->len > g->rx->buffers.len || (g->n_left == 0 && done->len < RING_HEADER_LEN)) {
		fprintf(stderr, "rawguest: %s: the switch used a buffer of %u bytes for %u\n",
			g->name, g->rx->buffers.len, done->len);
		exit(1);
	}
	if (g->n_left == 0) {
		memcpy(&head.record, buffer, RING_HEADER_LEN);
		memcpy(to, &head, sizeof(head));
		g->stream.part_len = sizeof(head);
		g->n_left = head.record.num_buffers;
		skip = RING_HEADER_LEN;
	}
	memcpy(to + g->stream.part_len, buffer + skip, done->len - skip);
	g->stream.part_len += done->len - skip;
	if (g->n_left > 0)
		g->n_left--;
	if (g->n_left == 0) {
		head.len = g->stream.part_len - (uint32_t)sizeof(head);
		memcpy(to, &head.len, sizeof(head.len));
		g->stream.out_len += g->stream.part_len;
		g->stream.part_len = 0;
	}
}

static void
refill(struct guest *g)
{
	ring_put(g->rx, g->rx->buffers.len, ring_n_free(g->rx));
	ring_publish(g->rx);
}

/* From the ring into the stream. True if something moved. */
static bool
guest_receive(struct guest *g)
{
	const uint32_t most = RING_TAKE_MAX * (g->rx->buffers.len + sizeof(struct stream_head));
	struct ring_done done[RING_TAKE_MAX];
	uint32_t n_done = 0;

	if (STREAM_BUF - g->stream.out_len - g->stream.part_len >= most)
		n_done = ring_take(g->rx, done);
	for (uint32_t i = 0; i < n_done; i++)
		keep(g, &done[i]);
	if (n_done > 0)
		refill(g);
	return stream_write(&g->stream) || n_done > 0;
}

static bool
move_all(void)
{
	bool moved = false;

	for (struct guest *g = guests; g < guests + GUESTS_MAX; g++) {
		if (!g->name[0])
			continue;
		moved |= guest_receive(g);
		moved |= guest_send(g);
	}
	return moved;
}

static uint64_t
round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

static struct ring_buffers
buffers_of(uint32_t n, uint32_t len)
{
	return (struct ring_buffers){
		.stride = (uint32_t)round_up(len, BUFFER_ALIGN) + BUFFER_ALIGN,
		.len = len,
		.n = n,
	};
}

/* Where the buffers are, taken out of a region; NULL if it is used up. */
static uint8_t *
take_buffers(struct frontend *fe, uint32_t region, struct ring_buffers *buffers)
{
	uint64_t size = (uint64_t)buffers->n * buffers->stride;

	buffers->gpa = frontend_alloc(fe, region, size, BUFFER_ALIGN);
	return buffers->gpa == UINT64_MAX ? NULL : frontend_at(fe, buffers->gpa, size);
}

/* The rings and what is sent lie low in the guest's memory, what it receives into high. */
static int
make_rings(struct guest *g, const struct wish *w)
{
	static const uint64_t gpas[2] = {0x100000, 0x100000000};
	uint32_t n_tx = frontend_has(&g->fe, VIRTIO_F_IN_ORDER) || w->size < TX_BUFFERS
				? w->size
				: TX_BUFFERS;
	struct ring_buffers tx = buffers_of(n_tx, RING_HEADER_LEN + FRAME_MAX);
	struct ring_buffers rx = buffers_of(w->size, w->rx_len);
	uint32_t n_tables = n_tx * ring_table_len(w->layout, tx.len);
	uint64_t sizes[2] = {
		round_up(2 * (w->size * RING_DESC_SIZE + RING_PARTS_SIZE) +
				 n_tables * sizeof(struct vring_desc) + (uint64_t)tx.n * tx.stride +
				 BUFFER_ALIGN,
			 REGION_ALIGN),
		round_up((uint64_t)rx.n * rx.stride + BUFFER_ALIGN, REGION_ALIGN),
	};
	int rc = frontend_map(&g->fe, gpas, sizes, 2, false);

	if (rc < 0)
		return rc;
	g->rx = ring_create(&g->fe, 0, 0, (uint16_t)w->size, 0);
	g->tx = ring_create(&g->fe, 0, 1, (uint16_t)w->size, n_tables);
	g->rx_buffers = take_buffers(&g->fe, 1, &rx);
	g->tx_buffers = take_buffers(&g->fe, 0, &tx);
	if (!g->rx || !g->tx || !g->rx_buffers || !g->tx_buffers)
		return -ENOMEM;
	ring_set_layout(g->rx, RING_SINGLE, &rx);
	ring_set_layout(g->tx, w->layout, &tx);
	return 0;
}

static int
guest_start(struct guest *g, const struct wish *w, const char *path)
{
	struct frontend *fe = &g->fe;
	int rc = w->is_server ? frontend_listen(fe, path) : frontend_connect(fe, path, PEER_MS);

	if (rc == 0 && w->is_server)
		rc = frontend_accept(fe, PEER_MS);
	if (rc == 0)
		rc = frontend_negotiate(fe, w->features,
					w->required | 1ull << VIRTIO_F_VERSION_1 |
						(w->is_packed ? 1ull << VIRTIO_F_RING_PACKED : 0),
					1 << FRONTEND_PROTOCOL_MQ |
						1 << FRONTEND_PROTOCOL_REPLY_ACK);
	if (rc == 0)
		rc = make_rings(g, w);
	if (rc == 0)
		rc = frontend_share_memory(fe);
	if (rc == 0)
		rc = frontend_start_ring(fe, &g->rx->told);
	if (rc == 0)
		rc = frontend_start_ring(fe, &g->tx->told);
	if (rc == 0)
		refill(g);
	return rc;
}

static void
guest_free(struct guest *g)
{
	frontend_close(&g->fe);
	ring_destroy(g->rx);
	ring_destroy(g->tx);
	stream_close(&g->stream);
	memset(g, 0, sizeof(*g));
}

static struct guest *
guest_find(const char *name)
{
	for (struct guest *g = guests; g < guests + GUESTS_MAX; g++)
		if (!strcmp(g->name, name))
			return g;
	return NULL;
}

static bool
parse_layout(const char *word, enum ring_layout *layout)
{
	static const char *const words[] = {"single", "two", "indirect", "chain"};

	for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		*layout = (enum ring_layout)i;
		if (!strcmp(word, words[i]))
			return true;
	}
	return false;
}

static bool
parse_add(const char *args, char *name, char *stream, char *path, struct wish *w)
{
	char layout[16];

	return sscanf(args,
		      "%31s %127s %127s server=%u features=%" SCNx64 " required=%" SCNx64
		      " packed=%u layout=%15s rx_len=%u size=%u",
		      name, stream, path, &w->is_server, &w->features, &w->required, &w->is_packed,
		      layout, &w->rx_len, &w->size) == 10 &&
	       parse_layout(layout, &w->layout) && w->rx_len > RING_HEADER_LEN &&
	       w->rx_len <= RING_HEADER_LEN + FRAME_MAX && w->size >= 2 &&
	       w->size <= RING_SIZE_MAX && (w->size & (w->size - 1)) == 0;
}

static void
guest_add(const char *args)
{
	char name[32], stream[128], path[128];
	struct guest *g = guest_find("");
	struct wish w;

	if (!parse_add(args, name, stream, path, &w)) {
		printf("error add: %s: not as rawguest.c says\n", args);
		return;
	}
	if (!g || guest_find(name)) {
		printf("error add %s: it is there, or %d guests are\n", name, GUESTS_MAX);
		return;
	}
	frontend_init(&g->fe);
	if (stream_open(&g->stream, stream, STREAM_BUF) < 0) {
		printf("error add %s: no memory, or stream %s: %s\n", name, stream,
		       strerror(errno));
		guest_free(g);
		return;
	}
	if (guest_start(g, &w, path) < 0) {
		printf("error add %s: %s\n", name, g->fe.error);
		guest_free(g);
		return;
	}
	strcpy(g->name, name);
	printf("ok %" PRIx64 " %" PRIx64 "\n", g->fe.features, g->fe.offered);
}

static void
guest_del(const char *name)
{
	struct guest *g = guest_find(name);
	uint32_t base;

	if (!g || !name[0]) {
		printf("error del: no guest %s\n", name);
		return;
	}
	/* the switch may have gone; then there is nothing to be stopped */
	frontend_stop_ring(&g->fe, 0, &base);
	frontend_stop_ring(&g->fe, 1, &base);
	guest_free(g);
	printf("ok\n");
}

/* False at the end. */
static bool
do_command(void)
{
	char line[1024];

	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\n")] = '\0';
	if (!strcmp(line, "quit"))
		return false;
	if (!strncmp(line, "add ", 4))
		guest_add(line + 4);
	else if (!strncmp(line, "del ", 4))
		guest_del(line + 4);
	else
		printf("error unknown command: %s\n", line);
	fflush(stdout);
	return true;
}

int
main(void)
{
	struct pollfd commands = {.fd = STDIN_FILENO, .events = POLLIN};
	bool moved = false;

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdin, NULL, _IONBF, 0); /* what poll() does not see must not be read ahead */
	printf("ok ready\n");
	fflush(stdout);
	for (;;) {
		struct timespec pause = {.tv_nsec = moved ? 0 : IDLE_NS};

		if (ppoll(&commands, 1, &pause, NULL) > 0 && !do_command())
			break;
		moved = move_all();
	}
	for (struct guest *g = guests; g < guests + GUESTS_MAX; g++)
		if (g->name[0])
			guest_free(g);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outage.c: guests that send a frame each millisecond to the next one, for ever, and connect again
 * whenever their switch is gone, as QEMU does; says how long each was without traffic. The script
 * `outage` kills the switch.
 *
 *   perf_outage N server|client RETRY_MS DIR
 *       server: the ports' mode: the guests connect to DIR/vm0.sock ..., and try again each
 *       RETRY_MS (QEMU's reconnect-ms), which begins when the connection was lost. client: they
 *       listen there.
 *
 * Commands on stdin, one a line: `mark`: from now on; `report`: the answer is one line for each
 * guest: nanoseconds of the longest time in which the switch took none of its frames, and of that
 * in which none came to it.
 *
 * Threads: one. A guest that comes back holds the others up for as long as its switch takes to
 * answer some twenty messages.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "frontend.h"
#include "ring.h"

enum {
	GUESTS_MAX = 64,
	RING_SIZE = 256,
	FRAME_LEN = 60,
	BUFFER_LEN = 2048,
	SEND_NS = 1000 * 1000,
	PAUSE_NS = 100 * 1000,
	MEMORY = 4 << 20,
};

struct gap {
	uint64_t last_ns, longest_ns;
};

struct guest {
	struct frontend fe;
	char path[108];
	struct ring *rx, *tx;
	uint8_t *buffers;
	uint64_t next_send_ns, next_try_ns;
	struct gap taken, come;
};

static struct guest guests[GUESTS_MAX];
static uint32_t n_guests;
static uint64_t retry_ns; /* 0: they listen */

static void
gap_end(struct gap *gap, uint64_t now_ns)
{
	if (now_ns - gap->last_ns > gap->longest_ns)
		gap->longest_ns = now_ns - gap->last_ns;
	gap->last_ns = now_ns;
}

static void
fail(const struct guest *g, const char *what)
{
	fprintf(stderr, "perf_outage: %s: %s: %s\n", g->path, what, g->fe.error);
	exit(1);
}

/* A frame to the next guest; each has the MAC 02:00:00:00:00:NUMBER. */
static void
fill_frame(const struct guest *g, uint8_t *frame)
{
	uint32_t number = (uint32_t)(g - guests), next = (number + 1) % n_guests;

	memset(frame, 0, RING_HEADER_LEN + FRAME_LEN);
	frame += RING_HEADER_LEN;
	frame[0] = frame[6] = 2;
	frame[5] = (uint8_t)next + 1;
	frame[11] = (uint8_t)number + 1;
	frame[12] = 0x88; /* local experimental EtherType 1, IEEE 802 */
	frame[13] = 0xb5;
}

static void
make_rings(struct guest *g)
{
	static const uint64_t gpa = 0, size = MEMORY;
	struct ring_buffers rx = {.stride = BUFFER_LEN, .len = BUFFER_LEN, .n = RING_SIZE}, tx = rx;

	if (frontend_map(&g->fe, &gpa, &size, 1, false) < 0)
		fail(g, "memory");
	g->rx = ring_create(&g->fe, 0, 0, RING_SIZE, 0);
	g->tx = ring_create(&g->fe, 0, 1, RING_SIZE, 0);
	rx.gpa = frontend_alloc(&g->fe, 0, RING_SIZE * BUFFER_LEN, BUFFER_LEN);
	tx.gpa = frontend_alloc(&g->fe, 0, RING_SIZE * BUFFER_LEN, BUFFER_LEN);
	if (!g->rx || !g->tx || rx.gpa == UINT64_MAX || tx.gpa == UINT64_MAX)
		fail(g, "rings");
	g->buffers = frontend_at(&g->fe, tx.gpa, RING_SIZE * BUFFER_LEN);
	ring_set_layout(g->rx, RING_SINGLE, &rx);
	ring_set_layout(g->tx, RING_SINGLE, &tx);
	for (uint32_t i = 0; i < RING_SIZE; i++)
		fill_frame(g, g->buffers + (size_t)i * BUFFER_LEN);
	ring_put(g->rx, BUFFER_LEN, ring_n_free(g->rx));
	ring_publish(g->rx);
}

/* What QEMU does on a new connection; where the switch is in the rings, the used index says. */
static int
negotiate(struct guest *g)
{
	struct ring *rings[2] = {g->rx, g->tx};
	uint64_t wanted = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_NET_F_MRG_RXBUF |
			  1ull << FRONTEND_F_PROTOCOL;
	int rc = frontend_negotiate(&g->fe, wanted, wanted, 1 << FRONTEND_PROTOCOL_REPLY_ACK);

	if (rc == 0 && !g->rx) {
		make_rings(g);
		rings[0] = g->rx;
		rings[1] = g->tx;
	}
	if (rc == 0)
		rc = frontend_share_memory(&g->fe);
	for (int i = 0; i < 2 && rc == 0; i++) {
		rings[i]->told.base = rings[i]->used->idx;
		rc = frontend_start_ring(&g->fe, &rings[i]->told);
	}
	return rc;
}

static void
disconnect(struct guest *g, uint64_t now_ns)
{
	close(g->fe.fd);
	g->fe.fd = -1;
	g->next_try_ns = now_ns + retry_ns;
}

static void
connect_again(struct guest *g, uint64_t now_ns)
{
	int rc;

	if (now_ns < g->next_try_ns)
		return;
	rc = retry_ns ? frontend_connect(&g->fe, g->path, 0) : frontend_accept(&g->fe, 0);
	if (rc == 0)
		rc = negotiate(g);
	if (rc == 0)
		return;
	if (g->fe.fd >= 0)
		disconnect(g, now_ns);
	else
		g->next_try_ns = now_ns + retry_ns;
}

static bool
is_lost(const struct guest *g)
{
	char byte;
	ssize_t n = recv(g->fe.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void
move(struct guest *g, uint64_t now_ns)
{
	struct ring_done done[RING_TAKE_MAX];

	if (ring_take(g->tx, done) > 0)
		gap_end(&g->taken, now_ns);
	if (ring_take(g->rx, done) > 0) {
		gap_end(&g->come, now_ns);
		ring_put(g->rx, BUFFER_LEN, ring_n_free(g->rx));
		ring_publish(g->rx);
	}
	if (now_ns < g->next_send_ns || ring_n_free(g->tx) == 0)
		return;
	ring_put(g->tx, RING_HEADER_LEN + FRAME_LEN, 1);
	ring_publish(g->tx);
	g->next_send_ns = now_ns + SEND_NS;
}

/* All others move between one that comes back and the next. */
static void
move_all(void)
{
	for (uint32_t i = 0; i < n_guests; i++)
		if (guests[i].tx)
			move(&guests[i], clock_ns());
}

static void
mark(void)
{
	for (uint32_t i = 0; i < n_guests; i++)
		guests[i].taken = guests[i].come = (struct gap){.last_ns = clock_ns()};
	puts("ok");
}

static void
report(void)
{
	for (uint32_t i = 0; i < n_guests; i++) {
		struct guest *g = &guests[i];

		printf("%" PRIu64 " %" PRIu64 "\n", g->taken.longest_ns, g->come.longest_ns);
	}
}

/* False at the end. */
static bool
do_command(void)
{
	char line[64];

	if (!fgets(line, sizeof(line), stdin))
		return false;
	if (!strcmp(line, "mark\n"))
		mark();
	else if (!strcmp(line, "report\n"))
		report();
	else
		puts("error: unknown command");
	fflush(stdout);
	return true;
}

static bool
parse(int argc, char **argv)
{
	if (argc != 5 || (strcmp(argv[2], "server") && strcmp(argv[2], "client")))
		return false;
	n_guests = (uint32_t)strtoul(argv[1], NULL, 10);
	retry_ns = strcmp(argv[2], "server") ? 0 : strtoul(argv[3], NULL, 10) * 1000000ull;
	return n_guests >= 1 && n_guests <= GUESTS_MAX && (retry_ns || !strcmp(argv[2], "client"));
}

int
main(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct pollfd commands = {.fd = STDIN_FILENO, .events = POLLIN};

	if (!parse(argc, argv)) {
		fprintf(stderr, "usage: perf_outage N server|client RETRY_MS DIR (see outage.c)\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdin, NULL, _IONBF, 0); /* what poll() does not see must not be read ahead */
	for (uint32_t i = 0; i < n_guests; i++) {
		struct guest *g = &guests[i];

		frontend_init(&g->fe);
		snprintf(g->path, sizeof(g->path), "%s/vm%u.sock", argv[4], i);
		if (!retry_ns && frontend_listen(&g->fe, g->path) < 0)
			fail(g, "can't listen");
	}
	for (;;) {
		for (uint32_t i = 0; i < n_guests; i++) {
			struct guest *g = &guests[i];

			if (g->fe.fd >= 0 && is_lost(g))
				disconnect(g, clock_ns());
			if (g->fe.fd < 0) {
				connect_again(g, clock_ns());
				move_all();
			}
		}
		move_all();
		if (ppoll(&commands, 1, &pause, NULL) > 0 && !do_command())
			break;
	}
	for (uint32_t i = 0; i < n_guests; i++)
		frontend_close(&guests[i].fe);
	return 0;
}

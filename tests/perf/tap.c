/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.c: perf_tap, guests of the kernel's own switches: each is a TAP interface of the network
 * namespace that this runs in, and the other side of it is this program. Without vhost-net, each
 * frame is a read() or a write(), in which the kernel also does its switching.
 *
 * It makes the interfaces, or takes those that are there, and obeys commands (command.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "group.h"
#include "options.h"

enum {
	TAP_GUESTS_MAX = 2,
	TAP_QUEUE = 512, /* frames that surely find room behind an interface: half of its queue */
	TAP_READ_MAX = 256, /* frames of a round: more than a guest sends in one */
};

struct tap {
	struct role role;
	int fd;
	uint8_t *frame;	   /* [FRAME_LEN_MAX] to be sent */
	uint8_t *received; /* [FRAME_LEN_MAX] */
};

struct taps {
	struct group group; /* first: a struct group of this kind is a struct taps */
	struct tap guests[TAP_GUESTS_MAX];
};

static struct tap *
tap_of(struct group *group, uint32_t i)
{
	return &((struct taps *)group)->guests[i];
}

static int
tap_prepare(struct group *group, const struct command *c)
{
	if (c->layout != RING_SINGLE || c->kind != FRAME_PLAIN)
		return -ENOTSUP;
	for (uint32_t i = 0; i < group->n_guests; i++) {
		struct tap *t = tap_of(group, i);
		struct frame_ends ends = {.from = t->role.id, .to = t->role.to};

		frame_write(t->frame, ends, FRAME_PLAIN, c->len, 0);
	}
	return 0;
}

static uint32_t
tap_receive(struct group *group, const struct command *c, uint32_t first, uint32_t n_guests)
{
	uint32_t n = 0;

	for (uint32_t i = first; i < first + n_guests; i++) {
		struct tap *t = tap_of(group, i);
		struct role *r = &t->role;

		for (uint32_t k = 0; k < TAP_READ_MAX; k++) {
			bool is_ours;

			if (read(t->fd, t->received, FRAME_LEN_MAX) < FRAME_BODY_AT)
				break;
			is_ours = role_is_ours(r, t->received);
			if (is_ours && r->is_checked)
				role_check(r, t->received, c->is_stamped ? clock_ticks() : 0);
			r->n_received += is_ours;
			r->n_foreign += !is_ours;
			n++;
		}
	}
	return n;
}

static uint32_t
tap_send(struct group *group, const struct command *c, uint32_t i, uint32_t n_max)
{
	struct tap *t = tap_of(group, i);
	struct role *r = &t->role;
	uint32_t n;

	for (n = 0; n < n_max; n++) {
		uint32_t len = c->is_mixed ? frame_mix_len(r->n_sent) : c->len;

		if (!r->is_steady)
			frame_write_head(t->frame, role_next(r), FRAME_PLAIN, len);
		frame_put_seq(t->frame, FRAME_PLAIN,
			      c->is_stamped ? pace_time(&group->pace, n) : r->n_sent);
		if (write(t->fd, t->frame, len) != (ssize_t)len) {
			role_unsend(r, 1);
			break;
		}
		r->n_sent++;
	}
	return n;
}

static const struct group_kind tap_kind = {
	.prepare = tap_prepare,
	.receive = tap_receive,
	.send = tap_send,
};

/* An ioctl about an interface. 0 or -errno. */
static int
ask(int fd, unsigned long request, struct ifreq *req)
{
	return ioctl(fd, request, req) < 0 ? -errno : 0;
}

/* Up, and long enough for the longest frame. */
static int
set_up(const char *name, uint32_t frame_max)
{
	struct ifreq req = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	req.ifr_mtu = (int)frame_max - 14;
	rc = ask(fd, SIOCSIFMTU, &req);
	if (rc == 0)
		rc = ask(fd, SIOCGIFFLAGS, &req);
	req.ifr_flags |= IFF_UP;
	if (rc == 0)
		rc = ask(fd, SIOCSIFFLAGS, &req);
	close(fd);
	return rc;
}

/* 0 or -errno. */
static int
open_tap(struct tap *t, const char *name, uint32_t frame_max)
{
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int rc;

	if (strlen(name) >= sizeof(req.ifr_name))
		return -ENAMETOOLONG;
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	t->frame = calloc(1, FRAME_LEN_MAX);
	t->received = calloc(1, FRAME_LEN_MAX);
	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->frame == NULL || t->received == NULL)
		return -ENOMEM;
	if (t->fd < 0)
		return -errno;
	rc = ask(t->fd, TUNSETIFF, &req);
	return rc < 0 ? rc : set_up(name, frame_max);
}

static void
close_tap(struct tap *t)
{
	if (t->fd >= 0)
		close(t->fd);
	free(t->frame);
	free(t->received);
}

static int
taps_start(struct taps *taps, const struct options *o)
{
	struct group *group = &taps->group;

	group->kind = &tap_kind;
	group->n_guests = o->n_names;
	group->n_buffers = TAP_QUEUE;
	group->buffer_len = FRAME_LEN_MAX + RING_HEADER_LEN;
	for (uint32_t i = 0; i < o->n_names; i++) {
		int rc = open_tap(&taps->guests[i], o->names[i], o->frame_max);

		if (rc < 0) {
			printf("{\"error\": \"%s: not a TAP interface that can be had: %s\"}\n",
			       o->names[i], strerror(-rc));
			return rc;
		}
		role_init(&taps->guests[i].role, (uint8_t)(i + 1));
		group->roles[i] = &taps->guests[i].role;
	}
	group_watch(group, o->switch_cpu, o->switch_pid);
	printf("{\"features\": 0, \"hugepages\": false, \"clock_hz\": %.0f, \"probe\": %s}\n",
	       clock_hz, group->probe != NULL ? "true" : "false");
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct options_kind kind = {
		.program = "perf_tap",
		.names = "INTERFACE INTERFACE",
		.letters = "fncdi", /* none of its memory is in hugepages anyway */
		.names_max = TAP_GUESTS_MAX,
	};
	static struct taps taps;
	struct options o;
	int rc;

	for (uint32_t i = 0; i < TAP_GUESTS_MAX; i++)
		taps.guests[i].fd = -1;
	if (!options_parse(&o, &kind, argc, argv))
		return 2;
	rc = options_settle(&o, &kind);
	if (rc == 0)
		rc = taps_start(&taps, &o);
	if (rc == 0)
		group_serve(&taps.group);
	probe_destroy(taps.group.probe);
	for (uint32_t i = 0; i < TAP_GUESTS_MAX; i++)
		close_tap(&taps.guests[i]);
	return rc == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gen.c: perf_gen, guests in one thread, each a vhost-user front-end with rings of its own, with a
 * switch between them. It connects all, says what was agreed, and obeys commands (command.h).
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "group.h"
#include "guest.h"
#include "options.h"

enum {
	GEN_CONNECT_MS = 10000
};

struct gen {
	struct group group; /* first: a struct group of this kind is a struct gen */
	struct guest *guests;
};

static struct gen *
gen_of(struct group *group)
{
	return (struct gen *)group;
}

static const struct gen *
gen_of_const(const struct group *group)
{
	return (const struct gen *)group;
}

static int
gen_prepare(struct group *group, const struct command *c)
{
	struct gen *gen = gen_of(group);

	for (uint32_t i = 0; i < group->n_guests; i++) {
		struct guest *g = &gen->guests[i];
		const struct guest *peer = g->role.from > 0 ? &gen->guests[g->role.from - 1] : NULL;
		int rc = guest_prepare(g, c, peer);

		if (rc < 0)
			return rc;
		if (c->kind == FRAME_TSO && g->role.from > 0 &&
		    gen->guests[g->role.from - 1].role.sends &&
		    !frontend_has(&g->fe, VIRTIO_NET_F_GUEST_TSO4))
			group->n_segments = frame_n_segments(c->len);
	}
	return 0;
}

static uint32_t
gen_receive(struct group *group, const struct command *c, uint32_t first, uint32_t n)
{
	struct guest *guests = &gen_of(group)->guests[first];
	uint32_t moved = 0;

	for (uint32_t i = 0; i < n; i++)
		moved += guest_reclaim(&guests[i], c);
	for (uint32_t i = 0; i < n; i++)
		guest_receive(&guests[i], c);
	return moved;
}

static uint32_t
gen_send(struct group *group, const struct command *c, uint32_t i, uint32_t n_max)
{
	return guest_send(&gen_of(group)->guests[i], c, &group->pace, n_max);
}

static bool
gen_is_quiet(const struct group *group)
{
	const struct gen *gen = gen_of_const(group);

	for (uint32_t i = 0; i < group->n_guests; i++) {
		const struct ring *tx = gen->guests[i].tx;

		if (ring_n_free(tx) != tx->n_slots)
			return false;
	}
	return true;
}

static void
gen_calm(struct group *group)
{
	for (uint32_t i = 0; i < group->n_guests; i++)
		gen_of(group)->guests[i].is_stalled = false;
}

static uint64_t
gen_n_bad_used(const struct group *group)
{
	const struct gen *gen = gen_of_const(group);
	uint64_t n = 0;

	for (uint32_t i = 0; i < group->n_guests; i++)
		n += gen->guests[i].rx->n_bad_used + gen->guests[i].tx->n_bad_used;
	return n;
}

static uint64_t
gen_n_bad(const struct group *group)
{
	const struct gen *gen = gen_of_const(group);
	uint64_t n = 0;

	for (uint32_t i = 0; i < group->n_guests; i++)
		n += gen->guests[i].n_bad;
	return n;
}

static const char *
gen_fault(struct group *group)
{
	static char first[sizeof(((struct guest *)0)->fault)];

	first[0] = 0;
	for (uint32_t i = 0; i < group->n_guests; i++) {
		struct guest *g = &gen_of(group)->guests[i];

		if (first[0] == 0)
			memcpy(first, g->fault, sizeof(first));
		g->fault[0] = 0;
	}
	return first;
}

static const struct group_kind gen_kind = {
	.prepare = gen_prepare,
	.receive = gen_receive,
	.send = gen_send,
	.is_quiet = gen_is_quiet,
	.calm = gen_calm,
	.n_bad_used = gen_n_bad_used,
	.n_bad = gen_n_bad,
	.fault = gen_fault,
};

/* Of guest i, from 0. */
static struct guest_conf
guest_conf_of(const struct options *o, uint32_t i)
{
	bool is_plain = o->has_plain_receivers && i % 2 == 1;
	struct guest_conf conf = {
		.is_server = o->is_server,
		.features = 1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << FRONTEND_F_PROTOCOL,
		.required = 1ull << VIRTIO_F_VERSION_1,
		.ring_size = o->ring_size,
		.rx_len = o->rx_len,
		.frame_max = o->frame_max,
		.want_hugepages = o->has_hugepages,
	};

	if (o->is_mergeable)
		conf.features |= 1ull << VIRTIO_NET_F_MRG_RXBUF;
	if (o->is_packed)
		conf.required |= 1ull << VIRTIO_F_RING_PACKED;
	if (o->is_in_order)
		conf.required |= 1ull << VIRTIO_F_IN_ORDER;
	if (o->has_event_idx)
		conf.required |= 1ull << VIRTIO_RING_F_EVENT_IDX;
	if (o->has_sum && !is_plain)
		conf.required |= 1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_GUEST_CSUM;
	if (o->has_tso && !is_plain)
		conf.required |= 1ull << VIRTIO_NET_F_HOST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_TSO4;
	return conf;
}

/* All connected: says what was agreed. */
static int
gen_start(struct gen *gen, const struct options *o)
{
	struct group *group = &gen->group;

	gen->guests = calloc(o->n_names, sizeof(*gen->guests));
	if (gen->guests == NULL)
		return -ENOMEM;
	group->kind = &gen_kind;
	group->n_guests = o->n_names;
	group->n_buffers = o->ring_size;
	group->buffer_len = o->rx_len;
	for (uint32_t i = 0; i < o->n_names; i++) {
		guest_init(&gen->guests[i], (uint8_t)(i + 1));
		group->roles[i] = &gen->guests[i].role;
	}
	for (uint32_t i = 0; i < o->n_names; i++)
		if (o->is_server && guest_listen(&gen->guests[i], o->names[i]) < 0)
			goto fail;
	for (uint32_t i = 0; i < o->n_names; i++) {
		const struct guest_conf conf = guest_conf_of(o, i);

		if (guest_start(&gen->guests[i], &conf, o->names[i], GEN_CONNECT_MS) < 0)
			goto fail;
	}
	group_watch(group, o->switch_cpu, o->switch_pid);
	printf("{\"features\": %" PRIu64 ", \"hugepages\": %s, \"clock_hz\": %.0f, "
	       "\"probe\": %s}\n",
	       gen->guests[0].fe.features, gen->guests[0].fe.has_hugepages ? "true" : "false",
	       clock_hz, group->probe != NULL ? "true" : "false");
	return 0;
fail:
	for (uint32_t i = 0; i < o->n_names; i++)
		if (gen->guests[i].fe.error[0] != 0)
			printf("{\"error\": \"guest %u: %s\"}\n", i + 1, gen->guests[i].fe.error);
	return -1;
}

int
main(int argc, char **argv)
{
	static const struct options_kind kind = {
		.program = "perf_gen",
		.names = "SOCKET SOCKET [SOCKET ...]",
		.letters = "srlfpoektqmncdi",
		.names_max = FRAME_GUESTS_MAX,
	};
	static struct gen gen;
	struct options o;
	int rc;

	if (!options_parse(&o, &kind, argc, argv))
		return 2;
	rc = options_settle(&o, &kind);
	if (rc == 0)
		rc = gen_start(&gen, &o);
	if (rc == 0)
		group_serve(&gen.group);
	probe_destroy(gen.group.probe);
	for (uint32_t i = 0; gen.guests != NULL && i < o.n_names; i++)
		guest_close(&gen.guests[i]);
	free(gen.guests);
	return rc == 0 ? 0 : 1;
}

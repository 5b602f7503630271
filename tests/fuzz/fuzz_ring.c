/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_ring.c: two guests with a ring each, of any kind and size, which write what the input says
 * while we take frames from one and give them to the other. No byte beyond the guests' memory is
 * touched (ASan), and what is lent is sane and stays as it was checked.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dirty.h"
#include "frame.h"
#include "packed.h"
#include "recover.h"
#include "ring_guest.h"
#include "stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What comes next in the input. */
enum step {
	STEP_DESC,  /* a guest writes a descriptor */
	STEP_ENTRY, /* an entry of an indirect table */
	STEP_OFFER, /* offers something */
	STEP_DATA,  /* writes record or frame */
	STEP_EVENT, /* says when it wants to be told */
	STEP_RX,
	STEP_TX,
	STEP_RELEASE,
	STEP_RECOVER, /* another switch takes a packed ring up */
	N_STEPS
};

enum {
	SIZE_BITS_MAX = 8,
	STEPS_MAX = 2000,
	LOG_SIZE = 544,	      /* bytes: GUEST_HIGH has a bit, and what is far behind has none */
	DATA_SIZE = 16 << 10, /* on both sides of GUEST_HIGH */
	DATA = GUEST_HIGH - DATA_SIZE,
	TABLE = GUEST_HIGH - 512, /* goes on in the other region */
};

struct input {
	const uint8_t *at;
	size_t left;
};

static struct ring_guest sender, receiver;
static struct batch batch;
static struct frame_head heads[BATCH_MAX]; /* what they were when they were lent */
static struct port_stats stats;
static struct dirty_log dirty_log;
static uint32_t n_taken; /* not yet given back */
static uint64_t sum;	 /* of all that was lent: it has to be read */

static uint8_t
next8(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static uint16_t
next16(struct input *in)
{
	uint16_t low = next8(in);

	return (uint16_t)(low | next8(in) << 8);
}

/* Around the borders of regions, mostly. */
static uint64_t
next_addr(struct input *in)
{
	static const uint64_t addrs[] = {
		DATA,	       GUEST_HIGH - 64, GUEST_ALONE, GUEST_ALONE + GUEST_ALONE_SIZE - 64,
		GUEST_NOWHERE, TABLE,		GUEST_DESC,  UINT64_MAX - 64,
	};
	uint8_t sel = next8(in);

	return addrs[sel % 8] + (sel & 0x80 ? next16(in) : sel >> 3 & 0xf);
}

static uint32_t
next_len(struct input *in)
{
	uint16_t len = next16(in);

	switch (len >> 14) {
	case 0:
		return len & 0xff;
	case 1:
		return 16u * (len & 0x1ff);
	case 2:
		return len & 0x3fff;
	default:
		return (uint32_t)(len & 0x3fff) << 8;
	}
}

static void
write_desc(struct ring_guest *g, struct input *in)
{
	uint16_t i = next8(in) % g->view.size, flags = next8(in);
	uint64_t addr = next_addr(in);
	uint32_t len = next_len(in);

	if (g->view.ops == &packed_ops)
		g->view.packed[i] = (struct vring_packed_desc){
			addr, len, next8(in),
			(uint16_t)((flags & 7) | (flags & 8 ? PACKED_AVAIL : 0) |
				   (flags & 16 ? PACKED_USED : 0))};
	else
		g->view.desc[i] = (struct vring_desc){addr, len, flags & 7, next8(in)};
}

/* Entries lie whole in a region. */
static uint8_t *
table_entry(struct ring_guest *g, uint16_t i)
{
	return ring_guest_at(g, TABLE + i * sizeof(struct vring_desc));
}

static void
write_entry(struct ring_guest *g, struct input *in)
{
	uint16_t i = next8(in) % 64, flags = next8(in) & 7;
	uint64_t addr = next_addr(in);
	uint32_t len = next_len(in);
	struct vring_desc split = {addr, len, flags, next8(in)};
	struct vring_packed_desc packed = {addr, len, 0, flags};

	if (g->view.ops == &packed_ops)
		memcpy(table_entry(g, i), &packed, sizeof(packed));
	else
		memcpy(table_entry(g, i), &split, sizeof(split));
}

static void
offer(struct ring_guest *g, struct input *in)
{
	uint8_t what = next8(in);

	if (g->view.ops == &packed_ops) {
		/* a driver's way, as far as the descriptors are there already */
		for (uint32_t n = 1 + what % 8; n > 0; n--) {
			uint16_t *flags = &g->view.packed[g->avail.at].flags;

			*flags &= (uint16_t) ~(PACKED_AVAIL | PACKED_USED);
			*flags |= g->avail.wrap ? PACKED_AVAIL : PACKED_USED;
			g->avail = ring_guest_step(g, g->avail, 1);
		}
		return;
	}
	if (what & 0x80) {
		g->view.avail->idx = next16(in);
		return;
	}
	for (uint32_t n = 1 + what % 8; n > 0; n--) {
		uint8_t head = next8(in);

		g->view.avail->ring[g->view.avail->idx++ & (g->view.size - 1)] =
			what & 0x40 ? head : head % g->view.size;
	}
}

static void
write_data(struct ring_guest *g, struct input *in)
{
	uint8_t *at = ring_guest_at(g, next8(in) & 1 ? GUEST_ALONE : DATA);

	at += next8(in);
	for (uint32_t n = next8(in) % 32; n > 0; n--)
		*at++ = next8(in);
}

static void
write_event(struct ring_guest *g, struct input *in)
{
	uint16_t flags = next8(in), event = next16(in);

	if (g->view.ops == &packed_ops)
		*g->view.driver = (struct vring_packed_desc_event){event, flags};
	else if (g->view.has_event_idx)
		g->view.avail->ring[g->view.size] = event;
	else
		g->view.avail->flags = flags;
	g->view.ops->wants_call(&g->view, &g->ring, ring_used(&g->ring));
}

/* It is where a ring can be, or off; then the guest sets it up anew. */
static void
check_ring(struct ring_guest *g, uint32_t n_out)
{
	struct ring *r = &g->ring;
	uint16_t at;

	if (g->view.ops == &packed_ops) {
		assert(packed_position(r->avail) < g->view.size);
		assert(packed_position(ring_used(r)) < g->view.size);
	} else {
		assert((uint16_t)(r->avail - ring_used(r)) == n_out);
		assert(g->view.used->idx == ring_used(r));
	}
	if (n_out > 0 || ring_fault(r) == RING_FINE)
		return;
	at = r->avail;
	ring_reset(r);
	if (g->view.ops == &split_ops)
		g->view.avail->idx = g->view.used->idx = at;
	ring_attach(r, &g->view, at, at);
}

static void
check_lent(void)
{
	for (uint32_t i = 0; i < batch.n; i++) {
		const struct frame *f = &batch.frames[i];
		uint32_t len = f->head_len;

		assert(f->len >= FRAME_LEN_MIN && f->len <= FRAME_LEN_MAX);
		assert(f->head_len <= FRAME_HEAD_MAX);
		assert(memcmp(&batch.heads[i], &heads[i], sizeof(heads[i])) == 0);
		for (uint32_t k = 0; k < f->n_pieces; k++) {
			len += f->body[k].len;
			assert(f->body[k].len > 0);
			for (uint32_t b = 0; b < f->body[k].len; b += 61)
				sum += f->body[k].addr[b];
			sum += f->body[k].addr[f->body[k].len - 1];
		}
		assert(len == f->len);
	}
}

static void
receive(struct input *in)
{
	struct ring_guest *g = &sender;

	if (n_taken > 0)
		return;
	batch_start(&batch, 0, 0);
	batch.max = 1 + next8(in) % BATCH_MAX;
	n_taken = g->view.ops->rx(&g->view, &g->ring, &batch, &stats);
	assert(n_taken <= batch.max && n_taken <= g->view.size && batch.n <= n_taken);
	memcpy(heads, batch.heads, sizeof(heads[0]) * batch.n);
	check_lent();
	check_ring(g, n_taken);
}

static void
transmit(struct input *in)
{
	struct ring_guest *g = &receiver;
	uint64_t set = set_first(batch.n), sent;

	if (n_taken == 0 || batch.n == 0)
		return;
	if (next8(in) & 1)
		set &= 0x5555555555555555;
	sent = g->view.ops->tx(&g->view, &g->ring, &batch, set, &stats);
	assert((sent & ~set) == 0);
	check_lent();
	check_ring(g, 0);
}

static void
release(void)
{
	if (n_taken == 0)
		return;
	check_lent();
	sender.view.ops->release(&sender.ring);
	n_taken = 0;
	check_ring(&sender, 0);
}

/* QEMU says any place that there is. */
static void
recover(struct ring_guest *g, struct input *in)
{
	uint16_t base = next16(in);
	uint16_t at = (uint16_t)(packed_position(base) % g->view.size | (base & PACKED_WRAP));

	if (g->view.ops != &packed_ops || n_taken > 0)
		return;
	at = recover_place(&g->view, at);
	assert(packed_position(at) < g->view.size);
	ring_reset(&g->ring);
	ring_attach(&g->ring, &g->view, at, at);
}

/* Good buffers to begin with, and to be spoilt: every n_parts descriptors are one. */
static void
fill(struct ring_guest *g, uint16_t flags, uint32_t n_parts)
{
	uint16_t size = g->view.size;

	for (uint32_t i = 0; i < size; i++) {
		bool is_last = i % n_parts == n_parts - 1 || i + 1u == size;
		uint16_t all = is_last ? flags : flags | VRING_DESC_F_NEXT, next = (i + 1) % size;
		uint64_t addr = DATA + i * 60;

		if (g->view.ops == &packed_ops)
			g->view.packed[i] = (struct vring_packed_desc){addr, 100, (uint16_t)i, all};
		else
			g->view.desc[i] = (struct vring_desc){addr, 100, all, next};
	}
}

static void
open_guests(struct input *in)
{
	uint8_t how = next8(in), size = next8(in);
	struct ring_guest_conf conf = {
		.is_packed = how & 1,
		.is_in_order = how & 2,
		.is_legacy = how & 4,
		.has_event_idx = how & 8,
		.no_indirect = how & 16,
		.size = (uint16_t)(how & 1 ? 1 + size : 1 << size % (SIZE_BITS_MAX + 1)),
		.base = next16(in),
		.data = DATA_SIZE,
	};
	uint8_t parts = next8(in);

	ring_guest_open(&sender, conf);
	conf.is_mergeable = how & 32;
	ring_guest_open(&receiver, conf);
	fill(&sender, 0, 1 + parts % 16);
	fill(&receiver, VRING_DESC_F_WRITE, 1 + parts / 16);
	if (!(how & 64))
		return;
	dirty_log = (struct dirty_log){.bits = calloc(1, LOG_SIZE), .size = LOG_SIZE};
	assert(dirty_log.bits);
	sender.view.log = receiver.view.log = &dirty_log;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {.at = data, .left = len};

	dirty_log.bits = NULL;
	open_guests(&in);
	for (uint32_t n = 0; in.left > 0 && n < STEPS_MAX; n++) {
		uint8_t step = next8(&in);
		struct ring_guest *g = step & 0x80 ? &receiver : &sender;

		switch ((enum step)(step % N_STEPS)) {
		case STEP_DESC:
			write_desc(g, &in);
			break;
		case STEP_ENTRY:
			write_entry(g, &in);
			break;
		case STEP_OFFER:
			offer(g, &in);
			break;
		case STEP_DATA:
			write_data(g, &in);
			break;
		case STEP_EVENT:
			write_event(g, &in);
			break;
		case STEP_RX:
			receive(&in);
			break;
		case STEP_TX:
			transmit(&in);
			break;
		case STEP_RELEASE:
			release();
			break;
		case STEP_RECOVER:
			recover(g, &in);
			break;
		case N_STEPS:
			break;
		}
	}
	release();
	ring_guest_close(&sender);
	ring_guest_close(&receiver);
	free(dirty_log.bits);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_ring_rx.c: frames out of a guest's transmit ring: every layout. Lies are in
 * test_ring_rx_lies.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/virtio_net.h>

#include "chain.h"
#include "ring_guest.h"
#include "ring_kind.h"
#include "rx_rig.h"

enum {
	NEXT = VRING_DESC_F_NEXT,
	WRITE = VRING_DESC_F_WRITE,
	INDIRECT = VRING_DESC_F_INDIRECT
};

static void
test_single(void **state)
{
	(void)state;
	for (int is_legacy = 0; is_legacy < 2; is_legacy++) {
		rx_open((struct ring_guest_conf){.size = 64, .is_legacy = is_legacy});
		for (uint32_t len = FRAME_LEN_MIN; len <= 1514; len++) {
			uint32_t total = rx_put_frame(GUEST_LOW + len % 64, len, len);

			ring_guest_desc(&rx.guest, 3, GUEST_LOW + len % 64, total, 0, 0);
			rx_check_one(3, len);
		}
		rx_close();
	}
}

static void
test_large(void **state)
{
	const uint32_t lens[] = {9000, 65535, FRAME_LEN_MAX};

	(void)state;
	rx_open((struct ring_guest_conf){.size = 256});
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t total = rx_put_frame(GUEST_LOW, lens[i], i);

		rx_put_chain(GUEST_LOW, total, total, 0, 0);
		rx_check_one(0, lens[i]);
		rx_put_chain(GUEST_LOW, total, 12, 4096, 0);
		rx_check_one(0, lens[i]);
		rx_put_chain(GUEST_LOW, total, 12 + 66, 1448, GUEST_TABLES);
		rx_check_one(0, lens[i]);
	}
	rx_put_chain(GUEST_LOW, FRAME_RECORD_LEN + FRAME_LEN_MAX + 1, 70000, 0, 0);
	rx_check_dropped(0, DROP_RX_OVERSIZE);
	rx_put_chain(GUEST_LOW, FRAME_RECORD_LEN + FRAME_LEN_MAX + 1, 12, 4096, 0);
	rx_check_dropped(0, DROP_RX_OVERSIZE);
	rx_close();
}

/* Record alone, merged, or cut anywhere; frame in parts of every size; direct and indirect. */
static void
test_chains(void **state)
{
	const uint32_t lens[] = {14, 60, 64, 111, 112, 113, 124, 200, 256};

	(void)state;
	rx_open((struct ring_guest_conf){.size = 256});
	for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		for (uint32_t first = 1; first < 140; first++)
			for (uint32_t part = 2; part < 140; part += 1 + part / 16) {
				uint32_t total = rx_put_frame(GUEST_LOW, lens[i], first + part);

				rx_put_chain(GUEST_LOW, total, first, part, 0);
				rx_check_one(0, lens[i]);
				rx_put_chain(GUEST_LOW, total, first, part, GUEST_TABLES);
				rx_check_one(0, lens[i]);
			}
	rx_close();
}

static void
test_direct_then_indirect(void **state)
{
	uint32_t total;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 16});
	total = rx_put_frame(GUEST_LOW, 500, 1);
	ring_guest_desc(&rx.guest, 5, GUEST_LOW, 12, NEXT, 9);
	ring_guest_desc(&rx.guest, 9, GUEST_TABLES, 32, INDIRECT, 0);
	ring_guest_entry(&rx.guest, GUEST_TABLES, 0, GUEST_LOW + 12, 100, NEXT, 1);
	ring_guest_entry(&rx.guest, GUEST_TABLES, 1, GUEST_LOW + 112, total - 112, 0, 0);
	/* a packed ring has no such chains (virtio 1.2 §2.8.8) */
	if (ring_kind->kind == KIND_SPLIT)
		rx_check_one(5, 500);
	else
		rx_check_dropped(5, DROP_RX_BAD_CHAIN);
	rx_close();
}

/* Buffers of no length are allowed, wherever they are said to be. */
static void
test_empty_buffers(void **state)
{
	uint32_t total;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 16});
	total = rx_put_frame(GUEST_LOW, 500, 1);
	ring_guest_desc(&rx.guest, 5, GUEST_LOW, 12, NEXT, 6);
	ring_guest_desc(&rx.guest, 6, GUEST_NOWHERE, 0, NEXT, 7);
	ring_guest_desc(&rx.guest, 7, GUEST_LOW + 12, total - 12, 0, 0);
	rx_check_one(5, 500);
	ring_guest_desc(&rx.guest, 5, GUEST_NOWHERE, 0, NEXT, 6);
	ring_guest_desc(&rx.guest, 6, GUEST_LOW, 200, NEXT, 7);
	ring_guest_desc(&rx.guest, 7, GUEST_LOW + 200, total - 200, NEXT, 8);
	ring_guest_desc(&rx.guest, 8, GUEST_LOW, 0, 0, 0);
	rx_check_one(5, 500);
	rx_close();
}

/* The border between two adjacent regions anywhere in record, head and body. */
static void
test_crossing(void **state)
{
	(void)state;
	rx_open((struct ring_guest_conf){.size = 16});
	for (uint32_t before = 0; before <= 312; before++) {
		uint64_t at = GUEST_HIGH - before;

		rx_put_frame(at, 300, before);
		ring_guest_desc(&rx.guest, 0, at, 312, 0, 0);
		rx_check_one(0, 300);
		rx_put_chain(at, 312, 12, 150, 0);
		rx_check_one(0, 300);
	}
	/* an indirect table there, and entries cut in two */
	for (uint32_t before = 0; before <= 64; before++) {
		rx_put_frame(GUEST_LOW, 300, before);
		rx_put_chain(GUEST_LOW, 312, 12, 100, GUEST_HIGH - before);
		rx_check_one(0, 300);
	}
	rx_close();
}

static void
test_indices_wrap(void **state)
{
	struct ring *r = &rx.guest.ring;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 8, .base = 65500});
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t total = rx_put_frame(GUEST_LOW, 100, i);

		ring_guest_desc(&rx.guest, i % 5, GUEST_LOW, total, 0, 0);
		rx_check_one(i % 5, 100);
		assert_int_equal(r->avail, ring_guest_place(&rx.guest, rx.guest.avail));
		assert_int_equal(ring_used(r), r->avail);
	}
	if (ring_kind->kind == KIND_SPLIT)
		assert_int_equal(rx.guest.view.used->idx, (uint16_t)(65500 + 100));
	rx_close();
}

/* Chains of every length that the ring has room for, from every place in it. */
static void
test_chains_wrap(void **state)
{
	(void)state;
	rx_open((struct ring_guest_conf){.size = 16});
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t total = rx_put_frame(GUEST_LOW, 200, i);
		uint32_t n = 1 + i % rx.guest.view.size;

		assert_int_equal(rx_put_chain(GUEST_LOW, total, total - (n - 1) * 10, 10, 0), n);
		rx_check_one(0, 200);
	}
	rx_close();
}

static void
test_bursts(void **state)
{
	uint32_t total;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 256});
	total = rx_put_frame(GUEST_LOW, 300, 1);
	for (uint16_t i = 0; i < 150; i++)
		ring_guest_buffer(&rx.guest, i, GUEST_LOW, total, false);
	for (uint32_t left = 150; left > 0;) {
		uint32_t n = left < BATCH_MAX ? left : BATCH_MAX;

		assert_int_equal(rx_receive(), n);
		for (uint32_t i = 0; i < n; i++)
			rx_check_frame(i, 300);
		rx_release();
		assert_int_equal(ring_guest_n_used(&rx.guest), n);
		left -= n;
	}
	assert_int_equal(rx_receive(), 0);
	rx_close();
}

/* Chains that fill the ring to the last descriptor come once each, and only once. */
static void
test_full_ring(void **state)
{
	const uint16_t size = 64;
	uint32_t total, id, len;

	(void)state;
	rx_open((struct ring_guest_conf){.size = size});
	total = rx_put_frame(GUEST_LOW, 300, 1);
	for (uint32_t round = 0; round < 50; round++) {
		uint16_t n = 0, i = 0;

		/* chains of one, two and three */
		while (i < rx.guest.view.size) {
			uint16_t n_descs = 1 + (i + round) % 3, head = i;

			for (; n_descs > 1 && i + 1 < rx.guest.view.size; n_descs--, i++)
				ring_guest_desc(&rx.guest, i, GUEST_LOW + (i - head) * 20u, 20,
						NEXT, i + 1);
			ring_guest_desc(&rx.guest, i, GUEST_LOW + (i - head) * 20u,
					total - (i - head) * 20u, 0, 0);
			i++;
			ring_guest_offer(&rx.guest, head);
			n++;
		}
		assert_int_equal(rx_receive(), n);
		assert_int_equal(rx.batch.n, n);
		for (i = 0; i < n; i++)
			rx_check_frame(i, 300);
		rx_release();
		for (i = 0; i < n; i++) {
			uint16_t head = rx.guest.buffers[rx.guest.n_seen % rx.guest.view.size].id;

			assert_true(ring_guest_used(&rx.guest, &id, &len));
			assert_int_equal(id, head);
		}
		assert_int_equal(rx_receive(), 0);
	}
	rx_close();
}

/* No more than the batch may have. */
static void
test_batch_max(void **state)
{
	uint32_t total;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 256});
	total = rx_put_frame(GUEST_LOW, 100, 1);
	for (uint32_t max = 1; max <= BATCH_MAX; max++) {
		for (uint16_t i = 0; i <= max; i++)
			ring_guest_buffer(&rx.guest, i, GUEST_LOW, i % 4 == 3 ? 5 : total, false);
		batch_start(&rx.batch, 0, 0);
		rx.batch.max = max;
		assert_int_equal(
			rx.guest.view.ops->rx(&rx.guest.view, &rx.guest.ring, &rx.batch, &rx.stats),
			max);
		assert_int_equal(rx.batch.n, max - max / 4); /* the runts count as taken */
		assert_false(rx.batch.is_drained);
		rx_release();
		assert_int_equal(ring_guest_n_used(&rx.guest), max);
		assert_int_equal(rx_receive(), 1);
		assert_true(rx.batch.is_drained);
		rx_release();
		assert_int_equal(ring_guest_n_used(&rx.guest), 1);
	}
	rx_close();
}

/* Large frames come few at a time, in order, and none is lost. */
static void
test_batch_bytes(void **state)
{
	const uint32_t lens[] = {65535, 9000, 5000};

	(void)state;
	for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint32_t total, left = 100;

		rx_open((struct ring_guest_conf){.size = 128});
		total = rx_put_frame(GUEST_LOW, lens[i], 1);
		for (uint16_t k = 0; k < left; k++)
			ring_guest_buffer(&rx.guest, k, GUEST_LOW, total, false);
		while (left > 0) {
			uint32_t n = (BATCH_BYTES_MAX + lens[i] - 1) / lens[i];

			n = n < left ? n : left;
			n = n < BATCH_MAX ? n : BATCH_MAX;
			assert_int_equal(rx_receive(), n);
			assert_int_equal(rx.batch.n, n);
			assert_int_equal(rx.batch.is_drained, n == left);
			rx_check_frame(n - 1, lens[i]);
			rx_release();
			assert_int_equal(ring_guest_n_used(&rx.guest), n);
			left -= n;
		}
		rx_close();
	}
}

/* A batch that may have fewer bytes ends at the frame that fills them; it has at least one. */
static void
test_batch_fewer_bytes(void **state)
{
	uint32_t total;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 16});
	total = rx_put_frame(GUEST_LOW, 9000, 1);
	for (uint16_t i = 0; i < 5; i++)
		ring_guest_buffer(&rx.guest, i, GUEST_LOW, total, false);
	for (uint32_t n = 1; n <= 3; n += 2) {
		batch_start(&rx.batch, 0, 0);
		rx.batch.bytes_max = n * 9000 - 8999;
		assert_int_equal(
			rx.guest.view.ops->rx(&rx.guest.view, &rx.guest.ring, &rx.batch, &rx.stats),
			n);
		assert_false(rx.batch.is_drained);
		rx_release();
	}
	rx_close();
}

/* Of the n chains that are given back together, how many are written to the guest. */
static uint32_t
count_written(uint32_t n, struct guest_place first)
{
	const struct ring_view *v = &rx.guest.view;
	uint32_t written = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct guest_place place = ring_guest_step(&rx.guest, first, i);

		if (ring_kind->kind == KIND_PACKED)
			written += v->packed[place.at].len == 0;
		else
			written += v->used->ring[place.at & (v->size - 1)].len == 0;
	}
	return written;
}

/* In order, the last one's entry at the first one's place is all; otherwise each has its own. */
static void
test_release_in_order(void **state)
{
	const struct ring_view *v = &rx.guest.view;
	uint32_t total;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 64, .base = 65500});
	total = rx_put_frame(GUEST_LOW, 100, 1);
	for (uint32_t n = 1; n <= 60; n++) {
		struct guest_place first = rx.guest.seen;
		uint32_t id;

		if (ring_kind->kind == KIND_SPLIT)
			memset((void *)v->used->ring, 0xee, 8u * v->size);
		for (uint16_t i = 0; i < n; i++)
			ring_guest_buffer(&rx.guest, i, GUEST_LOW, total, false);
		assert_int_equal(rx_receive(), n);
		rx_release();
		assert_int_equal(count_written(n, first), ring_kind->is_in_order ? 1 : n);
		if (ring_kind->kind == KIND_SPLIT)
			id = v->used->ring[first.at & (v->size - 1)].id;
		else
			id = (uint16_t)(v->packed[first.at].id - ring_kind->id_base);
		assert_int_equal(id, ring_kind->is_in_order ? n - 1 : 0);
		assert_int_equal(ring_guest_n_used(&rx.guest), n);
	}
	rx_close();
}

/* Chains of so many pieces that a batch has no room for all: the rest stays in the ring. */
static void
test_pieces_run_out(void **state)
{
	uint32_t total, n, all = 0;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 1024});
	total = rx_put_frame(GUEST_LOW, 2500, 7);
	rx_put_chain(GUEST_LOW, total, 12, 10, GUEST_TABLES);
	for (uint16_t i = 0; i < 20; i++) {
		ring_guest_desc(&rx.guest, i, GUEST_TABLES, rx.guest.descs[0].len, INDIRECT, 0);
		ring_guest_offer(&rx.guest, i);
	}
	while ((n = rx_receive()) > 0) {
		assert_true(rx.batch.n_pieces <= BATCH_PIECES_MAX);
		for (uint32_t i = 0; i < n; i++)
			rx_check_frame(i, 2500);
		rx_release();
		assert_int_equal(ring_guest_n_used(&rx.guest), n);
		all += n;
	}
	assert_int_equal(all, 20);
	rx_close();
}

int
main(void)
{
	static const struct ring_case cases[] = {
		{"single", test_single, KIND_ANY},
		{"large", test_large, KIND_ANY},
		{"chains", test_chains, KIND_ANY},
		{"direct_then_indirect", test_direct_then_indirect, KIND_ANY},
		{"empty_buffers", test_empty_buffers, KIND_ANY},
		{"crossing", test_crossing, KIND_ANY},
		{"indices_wrap", test_indices_wrap, KIND_ANY},
		{"chains_wrap", test_chains_wrap, KIND_ANY},
		{"bursts", test_bursts, KIND_ANY},
		{"full_ring", test_full_ring, KIND_ANY},
		{"batch_max", test_batch_max, KIND_ANY},
		{"batch_bytes", test_batch_bytes, KIND_ANY},
		{"batch_fewer_bytes", test_batch_fewer_bytes, KIND_ANY},
		{"release_in_order", test_release_in_order, KIND_ANY},
		{"pieces_run_out", test_pieces_run_out, KIND_ANY},
	};

	return ring_kind_run("test_ring_rx", cases, sizeof(cases) / sizeof(cases[0]));
}

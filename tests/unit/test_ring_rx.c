/* SPDX-License-Identifier: BSD-3-Clause */
/* test_ring_rx.c: frames out of a guest's transmit ring: every layout, and every lie. */
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
#include "split.h"

enum {
	NEXT = VRING_DESC_F_NEXT,
	WRITE = VRING_DESC_F_WRITE,
	INDIRECT = VRING_DESC_F_INDIRECT
};

static struct ring_guest guest;
static struct batch batch;
static struct port_stats stats;
static uint8_t sent[FRAME_LEN_MAX + FRAME_RECORD_LEN + 1]; /* record and frame */

static void
open_guest(struct ring_guest_conf conf)
{
	memset(&stats, 0, sizeof(stats));
	ring_guest_open(&guest, conf);
}

static uint32_t
receive(void)
{
	batch_start(&batch, 0, 0);
	return split_rx(&guest.view, &guest.ring, &batch, &stats);
}

static uint64_t
dropped(enum drop_reason reason)
{
	return stats_read(&stats.drops[reason]);
}

/* Record of zeroes and a frame of len bytes at a guest address. */
static uint32_t
put_frame(uint64_t at, uint32_t len, uint32_t seed)
{
	memset(sent, 0, guest.view.record_len);
	ring_guest_pattern(sent + guest.view.record_len, len, seed);
	ring_guest_write(&guest, at, sent, guest.view.record_len + len);
	return guest.view.record_len + len;
}

/* Frame i of the batch is the one that put_frame() wrote. */
static void
check_frame(uint32_t i, uint32_t len)
{
	static uint8_t got[FRAME_LEN_MAX];
	const uint8_t zeroes[FRAME_RECORD_LEN] = {0};
	const struct frame *f = &batch.frames[i];

	assert_int_equal(f->len, len);
	assert_int_equal(f->head_len, len < FRAME_HEAD_MAX ? len : FRAME_HEAD_MAX);
	assert_ptr_equal(f->mbuf, NULL);
	frame_read(f, 0, got, len);
	assert_memory_equal(got, sent + guest.view.record_len, len);
	assert_memory_equal(f->head - FRAME_RECORD_LEN, zeroes, FRAME_RECORD_LEN);
}

/* The chain at head comes as one frame that says what put_frame() wrote, and is given back. */
static void
check_one(uint16_t head, uint32_t len)
{
	uint32_t id, used_len;

	ring_guest_offer(&guest, head);
	assert_int_equal(receive(), 1);
	assert_false(ring_guest_used(&guest, &id, &used_len)); /* not before release */
	check_frame(0, len);
	split_release(&guest.ring);
	assert_true(ring_guest_used(&guest, &id, &used_len));
	assert_int_equal(id, head);
	assert_int_equal(used_len, 0);
	assert_int_equal(ring_guest_n_used(&guest), 0);
}

/* The chain at head is dropped for that reason, and given back; the ring goes on. */
static void
check_dropped(uint16_t head, enum drop_reason reason)
{
	uint64_t before = dropped(reason), n = 0;

	ring_guest_offer(&guest, head);
	assert_int_equal(receive(), 0);
	assert_int_equal(dropped(reason), before + 1);
	for (int i = 0; i < DROP_REASONS; i++)
		n += dropped(i);
	assert_int_equal(stats_read(&stats.rx_frames), n);
	assert_int_equal(ring_guest_n_used(&guest), 1);
	assert_int_equal(ring_fault(&guest.ring), RING_FINE);
	assert_true(ring_take_touched(&guest.ring));
}

/* Describes total bytes from addr on as a chain of descriptors of at most part bytes each. */
static void
put_chain(uint64_t addr, uint32_t total, uint32_t first, uint32_t part, uint64_t table)
{
	uint32_t off = 0;
	uint16_t i = 0;

	while (off < total) {
		uint32_t len = i == 0 ? first : part;
		uint16_t flags;

		len = len < total - off ? len : total - off;
		flags = off + len < total ? NEXT : 0;
		if (table)
			ring_guest_entry(&guest, table, i, addr + off, len, flags, i + 1);
		else
			ring_guest_desc(&guest, i, addr + off, len, flags, i + 1);
		off += len;
		i++;
	}
	if (table)
		ring_guest_desc(&guest, 0, table, i * (uint32_t)sizeof(struct vring_desc), INDIRECT,
				0);
}

static void
test_single(void **state)
{
	(void)state;
	for (int is_legacy = 0; is_legacy < 2; is_legacy++) {
		open_guest((struct ring_guest_conf){.size = 64, .is_legacy = is_legacy});
		for (uint32_t len = FRAME_LEN_MIN; len <= 1514; len++) {
			uint32_t total = put_frame(GUEST_LOW + len % 64, len, len);

			ring_guest_desc(&guest, 3, GUEST_LOW + len % 64, total, 0, 0);
			check_one(3, len);
		}
		ring_guest_close(&guest);
	}
}

static void
test_large(void **state)
{
	const uint32_t lens[] = {9000, 65535, FRAME_LEN_MAX};

	(void)state;
	open_guest((struct ring_guest_conf){.size = 256});
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t total = put_frame(GUEST_LOW, lens[i], i);

		put_chain(GUEST_LOW, total, total, 0, 0);
		check_one(0, lens[i]);
		put_chain(GUEST_LOW, total, 12, 4096, 0);
		check_one(0, lens[i]);
		put_chain(GUEST_LOW, total, 12 + 66, 1448, GUEST_TABLES);
		check_one(0, lens[i]);
	}
	put_chain(GUEST_LOW, FRAME_RECORD_LEN + FRAME_LEN_MAX + 1, 70000, 0, 0);
	check_dropped(0, DROP_RX_OVERSIZE);
	put_chain(GUEST_LOW, FRAME_RECORD_LEN + FRAME_LEN_MAX + 1, 12, 4096, 0);
	check_dropped(0, DROP_RX_OVERSIZE);
	ring_guest_close(&guest);
}

/* Record alone, merged, or cut anywhere; frame in parts of every size; direct and indirect. */
static void
test_chains(void **state)
{
	const uint32_t lens[] = {14, 60, 64, 111, 112, 113, 124, 200, 256};

	(void)state;
	open_guest((struct ring_guest_conf){.size = 256});
	for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		for (uint32_t first = 1; first < 140; first++)
			for (uint32_t part = 2; part < 140; part += 1 + part / 16) {
				uint32_t total = put_frame(GUEST_LOW, lens[i], first + part);

				put_chain(GUEST_LOW, total, first, part, 0);
				check_one(0, lens[i]);
				put_chain(GUEST_LOW, total, first, part, GUEST_TABLES);
				check_one(0, lens[i]);
			}
	ring_guest_close(&guest);
}

static void
test_direct_then_indirect(void **state)
{
	uint32_t total;

	(void)state;
	open_guest((struct ring_guest_conf){.size = 16});
	total = put_frame(GUEST_LOW, 500, 1);
	ring_guest_desc(&guest, 5, GUEST_LOW, 12, NEXT, 9);
	ring_guest_desc(&guest, 9, GUEST_TABLES, 32, INDIRECT, 0);
	ring_guest_entry(&guest, GUEST_TABLES, 0, GUEST_LOW + 12, 100, NEXT, 1);
	ring_guest_entry(&guest, GUEST_TABLES, 1, GUEST_LOW + 112, total - 112, 0, 0);
	check_one(5, 500);
	/* buffers of no length are allowed */
	ring_guest_desc(&guest, 5, GUEST_LOW, 12, NEXT, 6);
	ring_guest_desc(&guest, 6, GUEST_NOWHERE, 0, NEXT, 7);
	ring_guest_desc(&guest, 7, GUEST_LOW + 12, total - 12, 0, 0);
	check_one(5, 500);
	ring_guest_close(&guest);
}

static void
test_indices_wrap(void **state)
{
	(void)state;
	open_guest((struct ring_guest_conf){.size = 8, .base = 65500});
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t total = put_frame(GUEST_LOW, 100, i);

		ring_guest_desc(&guest, i % 8, GUEST_LOW, total, 0, 0);
		check_one(i % 8, 100);
	}
	assert_int_equal(guest.view.used->idx, (uint16_t)(65500 + 100));
	ring_guest_close(&guest);
}

static void
test_bursts(void **state)
{
	uint32_t total;

	(void)state;
	open_guest((struct ring_guest_conf){.size = 256});
	total = put_frame(GUEST_LOW, 300, 1);
	for (uint16_t i = 0; i < 150; i++)
		ring_guest_buffer(&guest, i, GUEST_LOW, total, false);
	for (uint32_t left = 150; left > 0;) {
		uint32_t n = left < BATCH_MAX ? left : BATCH_MAX;

		assert_int_equal(receive(), n);
		for (uint32_t i = 0; i < n; i++)
			check_frame(i, 300);
		split_release(&guest.ring);
		assert_int_equal(ring_guest_n_used(&guest), n);
		left -= n;
	}
	assert_int_equal(receive(), 0);
	ring_guest_close(&guest);
}

/* Chains of so many pieces that a batch has no room for all: the rest stays in the ring. */
static void
test_pieces_run_out(void **state)
{
	uint32_t total, n, all = 0;

	(void)state;
	open_guest((struct ring_guest_conf){.size = 1024});
	total = put_frame(GUEST_LOW, 2500, 7);
	put_chain(GUEST_LOW, total, 12, 10, GUEST_TABLES);
	for (uint16_t i = 0; i < 20; i++)
		ring_guest_offer(&guest, 0);
	while ((n = receive()) > 0) {
		assert_true(batch.n_pieces <= BATCH_PIECES_MAX);
		for (uint32_t i = 0; i < n; i++)
			check_frame(i, 2500);
		split_release(&guest.ring);
		assert_int_equal(ring_guest_n_used(&guest), n);
		all += n;
	}
	assert_int_equal(all, 20);
	ring_guest_close(&guest);
}

static void
test_index_jumps(void **state)
{
	uint32_t total;

	(void)state;
	open_guest((struct ring_guest_conf){.size = 16, .base = 65530});
	total = put_frame(GUEST_LOW, 64, 1);
	for (uint16_t i = 0; i < 16; i++)
		ring_guest_buffer(&guest, i, GUEST_LOW, total, false);
	assert_int_equal(receive(), 16); /* as many as it has entries is right */
	split_release(&guest.ring);
	for (uint32_t jump = 17; jump <= 65535; jump = jump * 2 + 1) {
		guest.view.avail->idx = (uint16_t)(guest.avail + jump);
		assert_int_equal(receive(), 0);
		assert_int_equal(ring_fault(&guest.ring), RING_INDEX_JUMPED);
		atomic_store(&guest.ring.fault, RING_FINE);
	}
	ring_guest_close(&guest);
}

static void
test_bad_heads(void **state)
{
	const uint16_t heads[] = {16, 17, 255, 32768, 65535};

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		open_guest((struct ring_guest_conf){.size = 16});
		ring_guest_buffer(&guest, 0, GUEST_LOW, put_frame(GUEST_LOW, 64, 1), false);
		ring_guest_offer(&guest, heads[i]);
		assert_int_equal(receive(), 0);
		assert_int_equal(ring_fault(&guest.ring), RING_BAD_HEAD);
		assert_int_equal(ring_guest_n_used(&guest), 0);
		ring_guest_close(&guest);
	}
}

static void
test_bad_chains(void **state)
{
	(void)state;
	open_guest((struct ring_guest_conf){.size = 16});
	put_frame(GUEST_LOW, 200, 1);
	/* loops of one and of two */
	ring_guest_desc(&guest, 0, GUEST_LOW, 100, NEXT, 0);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_desc(&guest, 1, GUEST_LOW, 0, NEXT, 2);
	ring_guest_desc(&guest, 2, GUEST_LOW, 0, NEXT, 1);
	check_dropped(1, DROP_RX_BAD_CHAIN);
	/* on to a descriptor that is not there */
	ring_guest_desc(&guest, 0, GUEST_LOW, 100, NEXT, 16);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_desc(&guest, 0, GUEST_LOW, 100, NEXT, 65535);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	/* for us to write, in front and further on */
	ring_guest_desc(&guest, 0, GUEST_LOW, 100, WRITE, 0);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_desc(&guest, 0, GUEST_LOW, 12, NEXT, 1);
	ring_guest_desc(&guest, 1, GUEST_LOW + 12, 100, WRITE, 0);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	/* and after all of it a good one */
	ring_guest_desc(&guest, 0, GUEST_LOW, 212, 0, 0);
	check_one(0, 200);
	ring_guest_close(&guest);
}

static void
test_too_many_descriptors(void **state)
{
	uint32_t total;

	(void)state;
	open_guest((struct ring_guest_conf){.size = 1024});
	total = put_frame(GUEST_LOW, CHAIN_DESCS_MAX - FRAME_RECORD_LEN, 1);
	put_chain(GUEST_LOW, total, 1, 1, 0);
	check_one(0, CHAIN_DESCS_MAX - FRAME_RECORD_LEN);
	put_chain(GUEST_LOW, total + 1, 1, 1, 0);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_close(&guest);
}

static void
test_bad_lengths(void **state)
{
	(void)state;
	for (int is_legacy = 0; is_legacy < 2; is_legacy++) {
		uint32_t good = (is_legacy ? 10 : 12) + FRAME_LEN_MIN;

		open_guest((struct ring_guest_conf){.size = 64, .is_legacy = is_legacy});
		put_frame(GUEST_LOW, FRAME_LEN_MIN, 1);
		for (uint32_t len = 0; len < good; len++) {
			ring_guest_desc(&guest, 0, GUEST_LOW, len, 0, 0);
			check_dropped(0, DROP_RX_RUNT);
			put_chain(GUEST_LOW, len, 3, 5, GUEST_TABLES);
			if (len > 0)
				check_dropped(0, DROP_RX_RUNT);
		}
		ring_guest_desc(&guest, 0, GUEST_LOW, good, 0, 0);
		check_one(0, FRAME_LEN_MIN);
		ring_guest_close(&guest);
	}
}

static void
test_addresses(void **state)
{
	const uint64_t bad[] = {0,
				GUEST_NOWHERE,
				UINT64_MAX,
				UINT64_MAX - 50,
				1ull << 63,
				GUEST_ALONE + GUEST_ALONE_SIZE,
				GUEST_ALONE - 1,
				GUEST_HIGH + GUEST_DATA_SIZE - 100};
	uint32_t total;

	(void)state;
	open_guest((struct ring_guest_conf){.size = 16});
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ring_guest_desc(&guest, 0, bad[i], 112, 0, 0);
		check_dropped(0, DROP_RX_BAD_CHAIN);
		put_frame(GUEST_LOW, 100, 1);
		ring_guest_desc(&guest, 0, GUEST_LOW, 12, NEXT, 1);
		ring_guest_desc(&guest, 1, bad[i], 112, 0, 0);
		check_dropped(0, DROP_RX_BAD_CHAIN);
	}
	ring_guest_desc(&guest, 0, GUEST_LOW, UINT32_MAX, 0, 0);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	/* up to the last byte of a region that nothing follows, and one more */
	for (uint32_t len = FRAME_LEN_MIN; len < 300; len++) {
		uint64_t at = GUEST_ALONE + GUEST_ALONE_SIZE - FRAME_RECORD_LEN - len;

		total = put_frame(at, len, len);
		ring_guest_desc(&guest, 0, at, total, 0, 0);
		check_one(0, len);
		ring_guest_desc(&guest, 0, at, total + 1, 0, 0);
		check_dropped(0, DROP_RX_BAD_CHAIN);
	}
	ring_guest_close(&guest);
}

/* The border between two adjacent regions anywhere in record, head and body. */
static void
test_crossing(void **state)
{
	(void)state;
	open_guest((struct ring_guest_conf){.size = 16});
	for (uint32_t before = 0; before <= 312; before++) {
		uint64_t at = GUEST_HIGH - before;

		put_frame(at, 300, before);
		ring_guest_desc(&guest, 0, at, 312, 0, 0);
		check_one(0, 300);
		put_chain(at, 312, 12, 150, 0);
		check_one(0, 300);
	}
	/* an indirect table there, and entries cut in two */
	for (uint32_t before = 0; before <= 64; before++) {
		put_frame(GUEST_LOW, 300, before);
		put_chain(GUEST_LOW, 312, 12, 100, GUEST_HIGH - before);
		check_one(0, 300);
	}
	ring_guest_close(&guest);
}

static void
test_bad_tables(void **state)
{
	const uint32_t lens[] = {0, 1, 8, 15, 17, 24, 1025 * 16, 0xfffffff0};

	(void)state;
	open_guest((struct ring_guest_conf){.size = 16});
	put_frame(GUEST_LOW, 200, 1);
	ring_guest_entry(&guest, GUEST_TABLES, 0, GUEST_LOW, 212, 0, 0);
	for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		ring_guest_desc(&guest, 0, GUEST_TABLES, lens[i], INDIRECT, 0);
		check_dropped(0, DROP_RX_BAD_CHAIN);
	}
	ring_guest_desc(&guest, 0, GUEST_TABLES, 16, INDIRECT | NEXT, 1);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_desc(&guest, 0, GUEST_NOWHERE, 16, INDIRECT, 0);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_desc(&guest, 0, GUEST_ALONE + GUEST_ALONE_SIZE - 16, 32, INDIRECT, 0);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	/* nested; on to an entry that is not there; a loop */
	ring_guest_desc(&guest, 0, GUEST_TABLES, 32, INDIRECT, 0);
	ring_guest_entry(&guest, GUEST_TABLES, 0, GUEST_TABLES, 32, INDIRECT, 0);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_entry(&guest, GUEST_TABLES, 0, GUEST_LOW, 100, NEXT, 2);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_entry(&guest, GUEST_TABLES, 0, GUEST_LOW, 100, NEXT, 0);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_close(&guest);
	/* not negotiated */
	open_guest((struct ring_guest_conf){.size = 16, .no_indirect = true});
	put_frame(GUEST_LOW, 200, 1);
	put_chain(GUEST_LOW, 212, 12, 200, GUEST_TABLES);
	check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_close(&guest);
}

static void
test_records(void **state)
{
	struct virtio_net_hdr_mrg_rxbuf record = {0};

	(void)state;
	open_guest((struct ring_guest_conf){.size = 16});
	put_frame(GUEST_LOW, 200, 1);
	/* nothing was negotiated: what a record says is not passed on */
	record.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID;
	record.hdr.csum_start = 34;
	record.hdr.hdr_len = record.hdr.csum_offset = record.num_buffers = 0xffff;
	ring_guest_write(&guest, GUEST_LOW, &record, sizeof(record));
	ring_guest_desc(&guest, 0, GUEST_LOW, 212, 0, 0);
	check_one(0, 200);
	put_chain(GUEST_LOW, 212, 70, 60, 0);
	check_one(0, 200);
	put_chain(GUEST_LOW, 212, 12, 60, 0);
	check_one(0, 200);
	/* and what asks for segmentation is dropped */
	record.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	ring_guest_write(&guest, GUEST_LOW, &record, sizeof(record));
	ring_guest_desc(&guest, 0, GUEST_LOW, 212, 0, 0);
	check_dropped(0, DROP_RX_BAD_RECORD);
	put_chain(GUEST_LOW, 212, 70, 60, 0);
	check_dropped(0, DROP_RX_BAD_RECORD);
	ring_guest_close(&guest);
}

/* Bad ones between good ones: all are given back, in order. */
static void
test_mixed_burst(void **state)
{
	uint32_t id, len;

	(void)state;
	open_guest((struct ring_guest_conf){.size = 64});
	put_frame(GUEST_LOW, 100, 1);
	for (uint16_t i = 0; i < 30; i++)
		ring_guest_buffer(&guest, i, i % 3 == 1 ? GUEST_NOWHERE : GUEST_LOW,
				  i % 3 == 2 ? 20 : 112, false);
	assert_int_equal(receive(), 10);
	for (uint32_t i = 0; i < 10; i++)
		check_frame(i, 100);
	assert_int_equal(dropped(DROP_RX_BAD_CHAIN), 10);
	assert_int_equal(dropped(DROP_RX_RUNT), 10);
	split_release(&guest.ring);
	for (uint32_t i = 0; i < 30; i++) {
		assert_true(ring_guest_used(&guest, &id, &len));
		assert_int_equal(id, i);
	}
	ring_guest_close(&guest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_direct_then_indirect),
		cmocka_unit_test(test_indices_wrap),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_pieces_run_out),
		cmocka_unit_test(test_index_jumps),
		cmocka_unit_test(test_bad_heads),
		cmocka_unit_test(test_bad_chains),
		cmocka_unit_test(test_too_many_descriptors),
		cmocka_unit_test(test_bad_lengths),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_crossing),
		cmocka_unit_test(test_bad_tables),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_mixed_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

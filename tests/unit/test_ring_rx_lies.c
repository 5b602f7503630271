/* SPDX-License-Identifier: BSD-3-Clause */
/* test_ring_rx_lies.c: frames out of a guest's transmit ring: what must not get through. */
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
test_index_jumps(void **state)
{
	uint32_t total;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 16, .base = 65530});
	total = rx_put_frame(GUEST_LOW, 64, 1);
	for (uint16_t i = 0; i < 16; i++)
		ring_guest_buffer(&rx.guest, i, GUEST_LOW, total, false);
	assert_int_equal(rx_receive(), 16); /* as many as it has entries is right */
	rx_release();
	for (uint32_t jump = 17; jump <= 65535; jump = jump * 2 + 1) {
		rx.guest.view.avail->idx = (uint16_t)(rx.guest.avail.at + jump);
		assert_int_equal(rx_receive(), 0);
		assert_int_equal(ring_fault(&rx.guest.ring), RING_INDEX_JUMPED);
		atomic_store(&rx.guest.ring.fault, RING_FINE);
	}
	rx_close();
}

static void
test_bad_heads(void **state)
{
	const uint16_t heads[] = {16, 17, 255, 32768, 65535};

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		rx_open((struct ring_guest_conf){.size = 16});
		ring_guest_buffer(&rx.guest, 0, GUEST_LOW, rx_put_frame(GUEST_LOW, 64, 1), false);
		ring_guest_offer(&rx.guest, heads[i]);
		assert_int_equal(rx_receive(), 0);
		assert_int_equal(ring_fault(&rx.guest.ring), RING_BAD_HEAD);
		assert_int_equal(ring_guest_n_used(&rx.guest), 0);
		rx_close();
	}
}

/* A chain that has no end within the ring: what was taken before it is all that ever comes. */
static void
test_endless(void **state)
{
	const uint16_t sizes[] = {1, 2, 3, 64, 100, 1024};
	struct ring_guest *g = &rx.guest;

	(void)state;
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (uint16_t base = 0; base < sizes[i]; base += 1 + base) {
			memset(&rx.stats, 0, sizeof(rx.stats));
			ring_guest_open(g, (struct ring_guest_conf){.size = sizes[i],
								    .base = base,
								    .is_packed = true});
			ring_guest_desc(g, 0, GUEST_LOW, 100, NEXT, 0);
			ring_guest_offer(g, 0);
			assert_int_equal(rx_receive(), 0);
			assert_int_equal(ring_fault(&g->ring), RING_ENDLESS);
			assert_int_equal(rx.batch.n, 0);
			assert_int_equal(ring_guest_n_used(g), 0);
			rx_close();
		}
}

/* A chain that goes on over descriptors that were taken a moment ago. */
static void
test_overlapping(void **state)
{
	struct ring_guest *g = &rx.guest;
	uint32_t total, n_single;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 16});
	n_single = g->view.size - 3u;
	total = rx_put_frame(GUEST_LOW, 100, 1);
	for (uint16_t i = 0; i < n_single; i++)
		ring_guest_buffer(g, i, GUEST_LOW, total, false);
	for (uint32_t i = n_single; i < g->view.size; i++)
		g->view.packed[i] = (struct vring_packed_desc){
			GUEST_LOW, 20, 0, 1 << VRING_PACKED_DESC_F_AVAIL | NEXT};
	g->view.packed[0].flags |= NEXT;
	/* the first one is a chain of two now, and the last one would be of five */
	assert_int_equal(rx_receive(), n_single - 1);
	assert_int_equal(rx.batch.n, n_single - 1);
	assert_int_equal(ring_fault(&g->ring), RING_FINE);
	rx_release();
	assert_int_equal(g->ring.avail, 0x8000 | n_single);
	assert_int_equal(ring_used(&g->ring), 0x8000 | n_single);
	rx_close();
}

static void
test_bad_chains(void **state)
{
	(void)state;
	rx_open((struct ring_guest_conf){.size = 16});
	rx_put_frame(GUEST_LOW, 200, 1);
	/* for us to write, in front and further on */
	ring_guest_desc(&rx.guest, 0, GUEST_LOW, 100, WRITE, 0);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_desc(&rx.guest, 0, GUEST_LOW, 12, NEXT, 1);
	ring_guest_desc(&rx.guest, 1, GUEST_LOW + 12, 100, WRITE, 0);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	/* and after all of it a good one */
	ring_guest_desc(&rx.guest, 0, GUEST_LOW, 212, 0, 0);
	rx_check_one(0, 200);
	rx_close();
}

static void
test_bad_links(void **state)
{
	(void)state;
	rx_open((struct ring_guest_conf){.size = 16});
	rx_put_frame(GUEST_LOW, 200, 1);
	/* loops of one and of two */
	ring_guest_desc(&rx.guest, 0, GUEST_LOW, 100, NEXT, 0);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_desc(&rx.guest, 1, GUEST_LOW, 0, NEXT, 2);
	ring_guest_desc(&rx.guest, 2, GUEST_LOW, 0, NEXT, 1);
	rx_check_dropped(1, DROP_RX_BAD_CHAIN);
	/* on to a descriptor that is not there */
	ring_guest_desc(&rx.guest, 0, GUEST_LOW, 100, NEXT, 16);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_desc(&rx.guest, 0, GUEST_LOW, 100, NEXT, 65535);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	/* and after all of it a good one */
	ring_guest_desc(&rx.guest, 0, GUEST_LOW, 212, 0, 0);
	rx_check_one(0, 200);
	rx_close();
}

/* Chains longer than we read are dropped, and given back whole. */
static void
test_too_many_descriptors(void **state)
{
	uint32_t len = CHAIN_DESCS_MAX - FRAME_RECORD_LEN, total;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 1024});
	for (uint32_t n = CHAIN_DESCS_MAX; n <= rx.guest.view.size; n = n * 3 / 2) {
		total = rx_put_frame(GUEST_LOW, len, n);
		assert_int_equal(rx_put_chain(GUEST_LOW, n, 1, 1, 0), n);
		if (n == CHAIN_DESCS_MAX)
			rx_check_one(0, len);
		else
			rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	}
	assert_int_equal(rx_put_chain(GUEST_LOW, rx.guest.view.size, 1, 1, 0), rx.guest.view.size);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	/* and so of tables; in a split ring the one that names the table counts, too */
	len -= ring_kind->kind == KIND_SPLIT;
	total = rx_put_frame(GUEST_LOW, len, 1);
	rx_put_chain(GUEST_LOW, total, 1, 1, GUEST_TABLES);
	rx_check_one(0, len);
	rx_put_chain(GUEST_LOW, total + 1, 1, 1, GUEST_TABLES);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	rx_close();
}

static void
test_bad_lengths(void **state)
{
	(void)state;
	for (int is_legacy = 0; is_legacy < 2; is_legacy++) {
		uint32_t good = (is_legacy ? 10 : 12) + FRAME_LEN_MIN;

		rx_open((struct ring_guest_conf){.size = 64, .is_legacy = is_legacy});
		rx_put_frame(GUEST_LOW, FRAME_LEN_MIN, 1);
		for (uint32_t len = 0; len < good; len++) {
			ring_guest_desc(&rx.guest, 0, GUEST_LOW, len, 0, 0);
			rx_check_dropped(0, DROP_RX_RUNT);
			rx_put_chain(GUEST_LOW, len, 3, 5, GUEST_TABLES);
			if (len > 0)
				rx_check_dropped(0, DROP_RX_RUNT);
		}
		ring_guest_desc(&rx.guest, 0, GUEST_LOW, good, 0, 0);
		rx_check_one(0, FRAME_LEN_MIN);
		rx_close();
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
	rx_open((struct ring_guest_conf){.size = 16});
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ring_guest_desc(&rx.guest, 0, bad[i], 112, 0, 0);
		rx_check_dropped(0, DROP_RX_BAD_CHAIN);
		rx_put_frame(GUEST_LOW, 100, 1);
		ring_guest_desc(&rx.guest, 0, GUEST_LOW, 12, NEXT, 1);
		ring_guest_desc(&rx.guest, 1, bad[i], 112, 0, 0);
		rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	}
	ring_guest_desc(&rx.guest, 0, GUEST_LOW, UINT32_MAX, 0, 0);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	/* up to the last byte of a region that nothing follows, and one more */
	for (uint32_t len = FRAME_LEN_MIN; len < 300; len++) {
		uint64_t at = GUEST_ALONE + GUEST_ALONE_SIZE - FRAME_RECORD_LEN - len;

		total = rx_put_frame(at, len, len);
		ring_guest_desc(&rx.guest, 0, at, total, 0, 0);
		rx_check_one(0, len);
		ring_guest_desc(&rx.guest, 0, at, total + 1, 0, 0);
		rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	}
	rx_close();
}

static void
test_bad_tables(void **state)
{
	const uint32_t lens[] = {0, 1, 8, 15, 17, 24, 1025 * 16, 0xfffffff0, UINT32_MAX};

	(void)state;
	rx_open((struct ring_guest_conf){.size = 16});
	rx_put_frame(GUEST_LOW, 200, 1);
	ring_guest_entry(&rx.guest, GUEST_TABLES, 0, GUEST_LOW, 212, 0, 0);
	for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		ring_guest_desc(&rx.guest, 0, GUEST_TABLES, lens[i], INDIRECT, 0);
		rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	}
	ring_guest_desc(&rx.guest, 0, GUEST_TABLES, 16, INDIRECT | NEXT, 1);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_desc(&rx.guest, 0, GUEST_NOWHERE, 16, INDIRECT, 0);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_desc(&rx.guest, 0, GUEST_ALONE + GUEST_ALONE_SIZE - 16, 32, INDIRECT, 0);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	/* nested */
	ring_guest_desc(&rx.guest, 0, GUEST_TABLES, 32, INDIRECT, 0);
	ring_guest_entry(&rx.guest, GUEST_TABLES, 0, GUEST_TABLES, 32, INDIRECT, 0);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	rx_close();
	/* not negotiated */
	rx_open((struct ring_guest_conf){.size = 16, .no_indirect = true});
	rx_put_frame(GUEST_LOW, 200, 1);
	rx_put_chain(GUEST_LOW, 212, 12, 200, GUEST_TABLES);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	rx_close();
}

static void
test_bad_table_links(void **state)
{
	(void)state;
	rx_open((struct ring_guest_conf){.size = 16});
	rx_put_frame(GUEST_LOW, 200, 1);
	/* on to an entry that is not there; a loop */
	ring_guest_desc(&rx.guest, 0, GUEST_TABLES, 32, INDIRECT, 0);
	ring_guest_entry(&rx.guest, GUEST_TABLES, 0, GUEST_LOW, 100, NEXT, 2);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	ring_guest_entry(&rx.guest, GUEST_TABLES, 0, GUEST_LOW, 100, NEXT, 0);
	rx_check_dropped(0, DROP_RX_BAD_CHAIN);
	rx_close();
}

static void
test_records(void **state)
{
	struct virtio_net_hdr_mrg_rxbuf record = {0};

	(void)state;
	rx_open((struct ring_guest_conf){.size = 16});
	rx_put_frame(GUEST_LOW, 200, 1);
	/* nothing was negotiated: what a record says is not passed on */
	record.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID;
	record.hdr.csum_start = 34;
	record.hdr.hdr_len = record.hdr.csum_offset = record.num_buffers = 0xffff;
	ring_guest_write(&rx.guest, GUEST_LOW, &record, sizeof(record));
	ring_guest_desc(&rx.guest, 0, GUEST_LOW, 212, 0, 0);
	rx_check_one(0, 200);
	rx_put_chain(GUEST_LOW, 212, 70, 60, 0);
	rx_check_one(0, 200);
	rx_put_chain(GUEST_LOW, 212, 12, 60, 0);
	rx_check_one(0, 200);
	/* and what asks for segmentation is dropped */
	record.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	ring_guest_write(&rx.guest, GUEST_LOW, &record, sizeof(record));
	ring_guest_desc(&rx.guest, 0, GUEST_LOW, 212, 0, 0);
	rx_check_dropped(0, DROP_RX_BAD_RECORD);
	rx_put_chain(GUEST_LOW, 212, 70, 60, 0);
	rx_check_dropped(0, DROP_RX_BAD_RECORD);
	rx_close();
}

/* Bad ones between good ones: all are given back, in order. */
static void
test_mixed_burst(void **state)
{
	uint32_t id, len;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 64});
	rx_put_frame(GUEST_LOW, 100, 1);
	for (uint16_t i = 0; i < 30; i++)
		ring_guest_buffer(&rx.guest, i, i % 3 == 1 ? GUEST_NOWHERE : GUEST_LOW,
				  i % 3 == 2 ? 20 : 112, false);
	assert_int_equal(rx_receive(), 30);
	assert_int_equal(rx.batch.n, 10);
	for (uint32_t i = 0; i < 10; i++)
		rx_check_frame(i, 100);
	assert_int_equal(rx_dropped(DROP_RX_BAD_CHAIN), 10);
	assert_int_equal(rx_dropped(DROP_RX_RUNT), 10);
	rx_release();
	for (uint32_t i = 0; i < 30; i++) {
		assert_true(ring_guest_used(&rx.guest, &id, &len));
		assert_int_equal(id, i);
	}
	rx_close();
}

int
main(void)
{
	static const struct ring_case cases[] = {
		{"index_jumps", test_index_jumps, KIND_SPLIT},
		{"bad_heads", test_bad_heads, KIND_SPLIT},
		{"endless", test_endless, KIND_PACKED},
		{"overlapping", test_overlapping, KIND_PACKED},
		{"bad_chains", test_bad_chains, KIND_ANY},
		{"bad_links", test_bad_links, KIND_SPLIT},
		{"too_many_descriptors", test_too_many_descriptors, KIND_ANY},
		{"bad_lengths", test_bad_lengths, KIND_ANY},
		{"addresses", test_addresses, KIND_ANY},
		{"bad_tables", test_bad_tables, KIND_ANY},
		{"bad_table_links", test_bad_table_links, KIND_SPLIT},
		{"records", test_records, KIND_ANY},
		{"mixed_burst", test_mixed_burst, KIND_ANY},
	};

	return ring_kind_run("test_ring_rx_lies", cases, sizeof(cases) / sizeof(cases[0]));
}

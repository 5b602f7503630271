/* SPDX-License-Identifier: BSD-3-Clause */
/* test_offload.c: vswitch/offload.c and offload_finish.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "offload.h"
#include "offload_packet.h"

static struct batch *from, *to;
static struct packet packet, wanted;
static uint8_t seen[PACKET_MAX];

static const uint32_t head_lens[] = {54, 90, FRAME_HEAD_MAX};
static const uint32_t piece_lens[] = {PACKET_MAX, 1, 7, 1000, 4096};

static int
set_up(void **state)
{
	(void)state;
	from = calloc(1, sizeof(*from));
	to = calloc(1, sizeof(*to));
	return from && to ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	free(from);
	free(to);
	return 0;
}

/* A batch with the packet as its only frame, checked. */
static struct frame *
lend(uint32_t head_len, uint32_t piece_len)
{
	struct frame *f;

	batch_start(from, 1, 0);
	f = packet_lend(&packet, from, head_len, piece_len);
	assert_true(offload_check(f, OFFLOAD_ALL));
	batch_commit(from);
	return f;
}

static void
assert_frame_is(const struct frame *f, const struct packet *p)
{
	struct virtio_net_hdr_mrg_rxbuf record = frame_record(f);

	assert_int_equal(f->len, p->len);
	frame_read(f, 0, seen, f->len);
	assert_memory_equal(seen, p->bytes, p->len);
	assert_memory_equal(&record.hdr, &p->record, sizeof(p->record));
	assert_int_equal(record.num_buffers, 0);
}

/* All that a receiver gets of the batch from; accepted: what it takes. */
static void
assert_segments(uint32_t accepted)
{
	bool has_extensions = from->frames[0].offloads & OFFLOAD_EXTENSIONS;
	bool is_partial =
		accepted & OFFLOAD_CHECKSUM && (!has_extensions || accepted & OFFLOAD_EXTENSIONS);
	struct offload_work work;
	uint32_t n = 0;

	offload_begin(&work, from, 1, accepted);
	for (;;) {
		batch_start(to, 1, 0);
		if (!offload_next(&work, to))
			break;
		for (uint32_t i = 0; i < to->n; i++) {
			assert_true(packet_segment(&packet, n++, is_partial, &wanted));
			assert_frame_is(&to->frames[i], &wanted);
			assert_int_equal(to->frames[i].offloads, is_partial ? OFFLOAD_CHECKSUM : 0);
		}
	}
	assert_false(packet_segment(&packet, n, is_partial, &wanted));
}

static void
for_all_shapes(const struct packet_conf *conf, void (*act)(void))
{
	packet_make(&packet, conf);
	for (size_t h = 0; h < sizeof(head_lens) / sizeof(head_lens[0]); h++)
		for (size_t l = 0; l < sizeof(piece_lens) / sizeof(piece_lens[0]); l++)
			if (head_lens[h] >= packet.l4 + (packet.is_tcp ? 20 : 8)) {
				lend(head_lens[h], piece_lens[l]);
				act();
			}
}

static void
segment(void)
{
	assert_segments(0);
	assert_segments(OFFLOAD_VALID);
	assert_segments(OFFLOAD_CHECKSUM | OFFLOAD_EXTENSIONS);
	/* not of its kind */
	assert_segments(OFFLOAD_CHECKSUM | OFFLOAD_EXTENSIONS | OFFLOAD_USO6 | OFFLOAD_ECN);
}

static void
test_tso(void **state)
{
	static const uint16_t sizes[] = {64, 100, 536, 1447, 1448, 8948};
	static const uint32_t lens[] = {1, 535, 536, 537, 5000, 20000, 65000};

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (size_t l = 0; l < sizeof(lens) / sizeof(lens[0]); l++)
			for_all_shapes(&(struct packet_conf){.is_tcp = true,
							     .tcp_flags = 0x99,
							     .gso_size = sizes[s],
							     .payload_len = lens[l]},
				       segment);
}

static void
test_tso_headers(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3 * 4 * 4; i++)
		for (uint32_t is_ipv6 = 0; is_ipv6 < 2; is_ipv6++)
			for_all_shapes(&(struct packet_conf){.is_tcp = true,
							     .is_ipv6 = is_ipv6,
							     .n_tags = i % 3,
							     .n_extensions = i / 3 % 4,
							     .options_len = i / 12 * 12,
							     .tcp_flags = 0x19,
							     .gso_size = 1400,
							     .payload_len = 5001},
				       segment);
	/* options that are longer than a head */
	for_all_shapes(&(struct packet_conf){.is_tcp = true,
					     .is_ipv6 = true,
					     .n_tags = 2,
					     .options_len = 40,
					     .gso_size = 1000,
					     .payload_len = 2500},
		       segment);
}

/* A receiver that does not look behind extension headers gets nothing left to do. */
static void
segment_extensions(void)
{
	assert_int_equal(from->frames[0].offloads,
			 OFFLOAD_CHECKSUM | OFFLOAD_TSO6 | OFFLOAD_EXTENSIONS);
	assert_segments(OFFLOAD_ALL & ~OFFLOAD_EXTENSIONS);
	assert_segments(OFFLOAD_CHECKSUM);
}

static void
test_extensions(void **state)
{
	(void)state;
	for_all_shapes(&(struct packet_conf){.is_tcp = true,
					     .is_ipv6 = true,
					     .n_extensions = 2,
					     .gso_size = 1400,
					     .payload_len = 5001},
		       segment_extensions);
}

static void
segment_udp(void)
{
	assert_segments(0);
	assert_segments(OFFLOAD_CHECKSUM | OFFLOAD_EXTENSIONS | OFFLOAD_TSO);
}

static void
test_uso(void **state)
{
	(void)state;
	for (uint32_t is_ipv6 = 0; is_ipv6 < 2; is_ipv6++)
		for (uint32_t len = 1; len < 9000; len += 1111)
			for_all_shapes(&(struct packet_conf){.is_ipv6 = is_ipv6,
							     .n_tags = len % 3,
							     .gso_size = 1200,
							     .payload_len = len},
				       segment_udp);
}

/* The one frame that comes of the one in from. */
static const struct frame *
only(uint32_t accepted)
{
	static struct offload_work work;

	offload_begin(&work, from, 1, accepted);
	batch_start(to, 1, 0);
	assert_true(offload_next(&work, to));
	assert_int_equal(to->n, 1);
	assert_int_equal(work.left, 0);
	return &to->frames[0];
}

static void
finish(void)
{
	const struct frame *f;

	/* as it is, where the receiver does it */
	f = only(OFFLOAD_CHECKSUM);
	assert_frame_is(f, &packet);
	assert_int_equal(f->offloads, OFFLOAD_CHECKSUM);
	wanted = packet;
	packet_finish(&wanted);
	f = only(OFFLOAD_VALID);
	assert_frame_is(f, &wanted);
	assert_int_equal(f->offloads, 0);
}

static void
test_checksum(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2 * 2 * 3; i++)
		for (uint32_t len = 0; len < 300; len += 7)
			for_all_shapes(&(struct packet_conf){.is_tcp = i & 1,
							     .is_ipv6 = i & 2,
							     .n_tags = i / 4,
							     .payload_len = len},
				       finish);
}

/* A sum of 0 is sent as 0xffff. */
static void
test_checksum_zero(void **state)
{
	uint16_t checksum;

	(void)state;
	packet_make(&packet, &(struct packet_conf){.payload_len = 2});
	wanted = packet;
	packet_finish(&wanted);
	/* what makes the sum 0xffff, whose complement is 0 */
	memcpy(&checksum, wanted.bytes + packet.l4 + 6, 2);
	for (int i = 0; i < 2; i++) {
		uint32_t sum = (uint32_t)packet.bytes[packet.payload] << 8 |
			       packet.bytes[packet.payload + 1];

		sum += (uint32_t)wanted.bytes[packet.l4 + 6] << 8 | wanted.bytes[packet.l4 + 7];
		sum = (sum & 0xffff) + (sum >> 16);
		packet.bytes[packet.payload] = (uint8_t)(sum >> 8);
		packet.bytes[packet.payload + 1] = (uint8_t)sum;
		wanted = packet;
		packet_finish(&wanted);
	}
	memcpy(&checksum, wanted.bytes + packet.l4 + 6, 2);
	assert_int_equal(checksum, 0xffff);
	lend(FRAME_HEAD_MAX, 1);
	assert_frame_is(only(0), &wanted);
}

/* The place of the checksum may be anywhere behind the head, and across its end. */
static void
test_checksum_behind(void **state)
{
	(void)state;
	for (uint32_t start = 20; start < 180; start++) {
		struct virtio_net_hdr_mrg_rxbuf record;
		uint32_t sum = 0;
		const struct frame *f;

		packet_make(&packet, &(struct packet_conf){.payload_len = 333});
		packet.record.csum_start = (uint16_t)start;
		packet.record.csum_offset = 16;
		lend(FRAME_HEAD_MAX, 50);
		f = only(0);
		record = frame_record(f);
		assert_int_equal(record.hdr.flags, 0);
		assert_int_equal(f->len, packet.len);
		frame_read(f, 0, seen, f->len);
		for (uint32_t i = start; i < packet.len; i++)
			sum += (i - start) % 2 ? packet.bytes[i] : (uint32_t)packet.bytes[i] << 8;
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		packet.bytes[start + 16] = (uint8_t)(~sum >> 8);
		packet.bytes[start + 17] = (uint8_t)~sum;
		assert_memory_equal(seen, packet.bytes, packet.len);
	}
}

/* What the quick check takes, the other one takes, with the same result. */
static void
assert_quick_is_slow(struct frame *f, uint32_t allowed)
{
	struct virtio_net_hdr_mrg_rxbuf before = frame_record(f), quick;

	if (!offload_check_quickly(f, allowed)) {
		quick = frame_record(f);
		assert_memory_equal(&before, &quick, sizeof(before));
		return;
	}
	quick = frame_record(f);
	frame_set_record(f, before);
	assert_true(offload_check(f, allowed));
	assert_int_equal(f->offloads, OFFLOAD_CHECKSUM);
	before = frame_record(f);
	assert_memory_equal(&before, &quick, sizeof(before));
}

static void
test_quick(void **state)
{
	struct frame *f;

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		packet_make(&packet, &(struct packet_conf){.is_tcp = i, .payload_len = 40});
		batch_start(from, 1, 0);
		f = packet_lend(&packet, from, FRAME_HEAD_MAX, PACKET_MAX);
		assert_true(offload_check_quickly(f, OFFLOAD_ALL));
		for (uint32_t start = 0; start < 150; start++)
			for (uint32_t offset = 0; offset < 40; offset++) {
				packet.record.csum_start = (uint16_t)start;
				packet.record.csum_offset = (uint16_t)offset;
				packet.record.gso_size = packet.record.hdr_len = 77;
				batch_start(from, 1, 0);
				f = packet_lend(&packet, from, FRAME_HEAD_MAX, PACKET_MAX);
				assert_quick_is_slow(f, OFFLOAD_ALL);
				assert_quick_is_slow(f, OFFLOAD_TSO);
			}
	}
}

/* Is the packet with this record refused? */
static bool
refused(uint32_t allowed)
{
	struct frame *f;
	bool is_fine;

	batch_start(from, 1, 0);
	f = packet_lend(&packet, from, FRAME_HEAD_MAX, PACKET_MAX);
	is_fine = offload_check(f, allowed);
	assert_true(is_fine || f->offloads == 0);
	return !is_fine;
}

#define ASSERT_LIE(change)                                                                         \
	do {                                                                                       \
		packet_make(&packet, &conf);                                                       \
		assert_false(refused(OFFLOAD_ALL));                                                \
		change;                                                                            \
		assert_true(refused(OFFLOAD_ALL));                                                 \
	} while (0)

static void
test_lies(void **state)
{
	struct packet_conf conf = {.is_tcp = true, .gso_size = 1000, .payload_len = 4000};

	(void)state;
	ASSERT_LIE(packet.record.gso_size = 0);
	ASSERT_LIE(packet.record.gso_size = 3); /* 1334 segments */
	ASSERT_LIE(packet.record.flags = 0);
	ASSERT_LIE(packet.record.csum_start++);
	ASSERT_LIE(packet.record.csum_offset = 6);
	ASSERT_LIE(packet.record.gso_type = VIRTIO_NET_HDR_GSO_TCPV6);
	ASSERT_LIE(packet.record.gso_type = VIRTIO_NET_HDR_GSO_UDP);
	ASSERT_LIE(packet.record.gso_type = 5);
	ASSERT_LIE(packet.record.gso_type = 0x7f);
	ASSERT_LIE(packet.bytes[packet.l3 + 6] = 0x20);	 /* a fragment */
	ASSERT_LIE(packet.bytes[packet.l3 + 9] = 17);	 /* UDP */
	ASSERT_LIE(packet.bytes[packet.l3] = 0x4f);	 /* options of IP where TCP is */
	ASSERT_LIE(packet.bytes[packet.l3] = 0x44);	 /* a header too short */
	ASSERT_LIE(packet.bytes[packet.l3] = 0x65);	 /* version 6 */
	ASSERT_LIE(packet.bytes[packet.l4 + 12] = 0x40); /* a header too short */
	ASSERT_LIE(packet.bytes[13] = 0x06);		 /* ARP */
	ASSERT_LIE(packet.len = packet.payload);	 /* no payload */
	ASSERT_LIE(packet.len = packet.l4 + 10);	 /* ends in its header */
	conf.is_ipv6 = true;
	conf.n_extensions = 1;
	ASSERT_LIE(packet.bytes[packet.l3 + 6] = 44);	    /* a fragment */
	ASSERT_LIE(packet.bytes[packet.l3 + 40 + 1] = 255); /* an extension behind the head */
	conf = (struct packet_conf){.payload_len = 10};
	ASSERT_LIE(packet.record.csum_start = (uint16_t)(packet.len - 7));
	ASSERT_LIE(packet.record.csum_start = 13);
	ASSERT_LIE(packet.record.csum_start = 14; packet.record.csum_offset = 0); /* a tag's VLAN */
	ASSERT_LIE(packet.record.csum_offset = 65535);
}

/* What was not negotiated: segments are refused, a checksum is not looked at. */
static void
test_not_allowed(void **state)
{
	struct frame *f;

	(void)state;
	packet_make(&packet,
		    &(struct packet_conf){.is_tcp = true, .gso_size = 1000, .payload_len = 4000});
	assert_true(refused(0));
	assert_true(refused(OFFLOAD_CHECKSUM));
	assert_true(refused(OFFLOAD_TSO4));
	assert_true(refused(OFFLOAD_CHECKSUM | OFFLOAD_TSO6 | OFFLOAD_ECN | OFFLOAD_USO));
	assert_false(refused(OFFLOAD_CHECKSUM | OFFLOAD_TSO4));
	packet.record.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	assert_true(refused(OFFLOAD_CHECKSUM | OFFLOAD_TSO4));
	assert_false(refused(OFFLOAD_CHECKSUM | OFFLOAD_TSO4 | OFFLOAD_ECN));
	packet_make(&packet, &(struct packet_conf){.payload_len = 400});
	assert_false(refused(0));
	f = &from->frames[0];
	assert_int_equal(f->offloads, 0);
	assert_int_equal(frame_record(f).hdr.flags, 0);
	assert_int_equal(frame_record(f).hdr.csum_start, 0);
	/* nobody but a device may say so */
	packet.record.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	assert_false(refused(OFFLOAD_ALL & ~OFFLOAD_VALID));
	assert_int_equal(frame_record(&from->frames[0]).hdr.flags, 0);
}

/* The header's length is what we count, and the record moves with a tag. */
static void
test_record(void **state)
{
	struct virtio_net_hdr record;
	struct frame *f;

	(void)state;
	packet_make(&packet,
		    &(struct packet_conf){
			    .is_tcp = true, .n_tags = 1, .gso_size = 500, .payload_len = 999});
	packet.record.hdr_len = 1;
	f = lend(FRAME_HEAD_MAX, PACKET_MAX);
	assert_int_equal(frame_record(f).hdr.hdr_len, packet.payload);
	assert_int_equal(offload_wire_len(f), packet.payload + 500);
	assert_true(frame_untag(f));
	record = frame_record(f).hdr;
	assert_int_equal(record.csum_start, packet.l4 - FRAME_TAG_LEN);
	assert_int_equal(record.hdr_len, packet.payload - FRAME_TAG_LEN);
	assert_int_equal(offload_wire_len(f), packet.payload - FRAME_TAG_LEN + 500);
	frame_tag(f);
	packet.record.hdr_len = (uint16_t)packet.payload;
	assert_frame_is(f, &packet);
}

static void
test_valid(void **state)
{
	const struct frame *f;

	(void)state;
	packet_make(&packet, &(struct packet_conf){.payload_len = 400});
	packet.record = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_DATA_VALID};
	assert_int_equal(lend(FRAME_HEAD_MAX, 100)->offloads, OFFLOAD_VALID);
	f = only(OFFLOAD_ALL);
	assert_frame_is(f, &packet);
	packet.record.flags = 0;
	f = only(0);
	assert_frame_is(f, &packet);
	assert_int_equal(f->offloads, 0);
}

/* Frames that ask for nothing keep their place between those that do. */
static void
test_order(void **state)
{
	static struct packet plain;
	struct offload_work work;
	uint32_t n_plain = 0, n = 0, n_batches = 0;
	bool is_segment = false;

	(void)state;
	packet_make(&packet,
		    &(struct packet_conf){.is_tcp = true, .gso_size = 300, .payload_len = 6000});
	packet_make(&plain, &(struct packet_conf){.payload_len = 70});
	packet_finish(&plain);
	batch_start(from, 1, 0);
	for (uint32_t i = 0; i < 20; i++) {
		struct frame *f = packet_lend(i % 2 ? &packet : &plain, from, 80, 600);

		assert_true(offload_check(f, OFFLOAD_ALL));
		batch_commit(from);
	}
	offload_begin(&work, from, 0xfffff, 0);
	for (;;) {
		batch_start(to, 1, 0);
		if (!offload_next(&work, to))
			break;
		n_batches++;
		for (uint32_t i = 0; i < to->n; i++) {
			if (n == 20) {
				is_segment = false;
				n = 0;
			}
			if (!is_segment) {
				assert_frame_is(&to->frames[i], &plain);
				n_plain++;
				is_segment = true;
			} else {
				assert_true(packet_segment(&packet, n++, false, &wanted));
				assert_frame_is(&to->frames[i], &wanted);
			}
		}
	}
	assert_int_equal(n_plain, 10);
	assert_int_equal(n, 20);
	assert_true(n_batches > 3);
}

/* RFC 9260 appendix A; the value from the same CRC computed bit by bit. */
static void
test_sctp(void **state)
{
	uint32_t crc = UINT32_MAX, place, got;
	struct frame *f;

	(void)state;
	packet_make(&packet, &(struct packet_conf){.payload_len = 301});
	packet.bytes[packet.l3 + 9] = 132;
	place = packet.l4 + 8;
	packet.record.csum_offset = 8;
	batch_start(from, 1, 0);
	f = packet_lend(&packet, from, FRAME_HEAD_MAX, 13);
	assert_true(offload_check(f, OFFLOAD_ALL));
	assert_int_equal(f->offloads, 0);
	memset(packet.bytes + place, 0, 4);
	for (uint32_t i = packet.l4; i < packet.len; i++) {
		crc ^= packet.bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	frame_read(f, place, &got, 4);
	assert_int_equal(got, ~crc);
}

static void
test_text(void **state)
{
	char text[OFFLOAD_TEXT_MAX];

	(void)state;
	offload_text(0, text);
	assert_string_equal(text, "none");
	offload_text(OFFLOAD_ALL, text);
	assert_string_equal(text, "checksum tso4 tso6 ecn uso4 uso6");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tso, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tso_headers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_extensions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_uso, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_checksum, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_checksum_zero, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_checksum_behind, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_quick, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_allowed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_record, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_valid, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sctp, set_up, tear_down),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}

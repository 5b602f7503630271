/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_snoop.c: which hints snoop.c makes of which frames. Bodies lie in heap memory of just their
 * length, so that a sanitizer sees every byte read outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_hint.h"
#include "fdb.h"
#include "frame.h"
#include "groups.h"
#include "port.h"
#include "snoop.h"
#include "snoop_packet.h"
#include "switch.h"
#include "worker.h"

enum {
	PORT = 7,
	TCI = 0xe064, /* VLAN 100, with the highest priority */
	IS_IN = 1,
	IS_EX,
	TO_IN,
	TO_EX,
	ALLOW,
	BLOCK
};

static struct vswitch sw;
static struct worker *worker;
static struct port port = {.id = PORT};
static struct message msg;
static struct packet packet;

static int
set_up(void **state)
{
	(void)state;
	worker = aligned_alloc(64, sizeof(*worker));
	memset(worker, 0, sizeof(*worker));
	worker->batch = aligned_alloc(64, sizeof(struct batch));
	worker->sw = &sw;
	atomic_store(&sw.now_s, 1);
	fake_hints_forget();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	free(worker->batch);
	free(worker);
	return 0;
}

/* The packet as the only frame: head_len bytes in the head, the rest in pieces of piece_len. */
static void
lend(uint16_t tci, uint32_t head_len, uint32_t piece_len)
{
	struct batch *b = worker->batch;
	struct frame *f;

	batch_start(b, PORT, 0);
	f = batch_next(b);
	f->len = packet.len;
	f->head_len = (uint16_t)(head_len < packet.len ? head_len : packet.len);
	f->tci = tci;
	f->tpid = tci ? 0x8100 : 0;
	memcpy(f->head, packet.bytes, f->head_len);
	for (uint32_t off = f->head_len, part; off < packet.len; off += part) {
		uint8_t *piece;

		part = packet.len - off < piece_len ? packet.len - off : piece_len;
		piece = malloc(part);
		memcpy(piece, packet.bytes + off, part);
		batch_add_piece(b, f, piece, part);
	}
	batch_commit(b);
}

static void
take_back(void)
{
	for (uint32_t i = 0; i < worker->batch->n_pieces; i++)
		free((void *)(uintptr_t)worker->batch->pieces[i].addr);
}

static void
hear_split(uint16_t tci, uint32_t head_len, uint32_t piece_len)
{
	lend(tci, head_len, piece_len);
	worker->n_heard[PORT] = 0;
	fake_hints_forget();
	snoop_batch(worker, &port, 1);
	take_back();
}

static void
hear(void)
{
	hear_split(0, FRAME_HEAD_MAX, MESSAGE_MAX);
}

static void
hear_message(uint8_t type, const char *group, const char *dst)
{
	message_make(&msg, type, group);
	packet_make(&packet, dst, &msg);
	hear();
}

static void
assert_hint(uint32_t i, enum snoop_message message, uint64_t key)
{
	assert_true(i < fake_hints.n);
	assert_int_equal(fake_hints.hints[i].type, HINT_GROUP);
	assert_int_equal(fake_hints.hints[i].port, PORT);
	assert_int_equal(snoop_arg_message(fake_hints.hints[i].arg), message);
	assert_int_equal(fake_hints.hints[i].key, key);
}

static void
assert_only(enum snoop_message message, uint64_t key)
{
	assert_int_equal(fake_hints.n, 1);
	assert_hint(0, message, key);
}

static void
assert_nothing(void)
{
	assert_int_equal(fake_hints.n, 0);
	assert_int_equal(fake_hints.n_lost, 0);
}

static void
test_messages_about_one_group(void **state)
{
	(void)state;
	hear_message(0x12, "239.129.2.3", "239.129.2.3");
	assert_only(SNOOP_JOIN, 0x01005e010203);
	hear_message(0x16, "239.1.2.3", "239.1.2.3");
	assert_only(SNOOP_JOIN, 0x01005e010203);
	hear_message(0x17, "239.1.2.3", "224.0.0.2");
	assert_only(SNOOP_LEAVE, 0x01005e010203);
	hear_message(0x16, "224.0.0.251", "224.0.0.251");
	assert_only(SNOOP_JOIN, 0x01005e0000fb);
	hear_message(131, "ff02::1:ff00:1234", "ff02::1:ff00:1234");
	assert_only(SNOOP_JOIN, 0x3333ff001234);
	hear_message(132, "ff05::fb", "ff02::2");
	assert_only(SNOOP_LEAVE, 0x3333000000fb);
}

static void
test_what_nobody_can_join(void **state)
{
	(void)state;
	hear_message(0x16, "224.0.0.1", "224.0.0.1");
	assert_nothing();
	hear_message(0x16, "10.1.2.3", "239.1.2.3");
	assert_nothing();
	hear_message(0x16, "240.1.2.3", "239.1.2.3");
	assert_nothing();
	hear_message(131, "ff02::1", "ff02::1");
	assert_nothing();
	hear_message(131, "ff01::5", "ff02::5");
	assert_nothing();
	hear_message(131, "fe80::5", "ff02::5");
	assert_nothing();
}

static void
test_groups_that_share_an_address(void **state)
{
	static const char *const pairs[][2] = {
		{"224.1.2.3", "224.129.2.3"},	    {"225.1.2.3", "239.1.2.3"},
		{"ff02::fb", "ff05::fb"},	    {"ff02::2:0:0:fb", "ff02::fb"},
		{"ff15:0:100::1", "ff15:0:200::1"}, {"ff35:40:2001:db8::1", "ff35:40:2001:db9::1"}};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		uint8_t type = strchr(pairs[i][0], ':') ? 131 : 0x16;
		struct hint first;

		hear_message(type, pairs[i][0], pairs[i][0]);
		assert_int_equal(fake_hints.n, 1);
		first = fake_hints.hints[0];
		hear_message(type, pairs[i][1], pairs[i][1]);
		assert_only(SNOOP_JOIN, first.key);
		assert_int_not_equal(fake_hints.hints[0].arg, first.arg);
	}
}

/* Every kind of record, with sources and auxiliary data between them, however it is cut up. */
static void
test_records(void **state)
{
	static const uint32_t cuts[][2] = {
		{112, MESSAGE_MAX}, {14, 2}, {20, 7}, {60, 3}, {100, 20}};
	static const enum snoop_message messages[] = {SNOOP_JOIN, SNOOP_JOIN, SNOOP_JOIN,
						      SNOOP_JOIN, SNOOP_JOIN, SNOOP_LEAVE,
						      SNOOP_LEAVE};

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		const char *no = v6 ? "ff15::99" : "239.0.0.153";
		uint64_t base = v6 ? 0x333300000000 : 0x01005e000000;

		message_report(&msg, v6 ? 143 : 0x22);
		message_add(&msg, IS_EX, v6 ? "ff15::1" : "239.0.0.1", 0, 0);
		message_add(&msg, BLOCK, no, 3, 0);
		message_add(&msg, TO_EX, v6 ? "ff15::2" : "239.0.0.2", 3, 0);
		message_add(&msg, IS_IN, v6 ? "ff15::3" : "239.0.0.3", 1, 5);
		message_add(&msg, ALLOW, no, 0, 0);
		message_add(&msg, TO_IN, v6 ? "ff15::4" : "239.0.0.4", 2, 0);
		message_add(&msg, 0, no, 1, 1);
		message_add(&msg, 7, no, 1, 1);
		message_add(&msg, ALLOW, v6 ? "ff15::5" : "239.0.0.5", 1, 255);
		message_add(&msg, TO_IN, v6 ? "ff15::6" : "239.0.0.6", 0, 0);
		message_add(&msg, BLOCK, no, 0, 0);
		message_add(&msg, IS_IN, v6 ? "ff15::7" : "239.0.0.7", 0, 1);
		packet_make(&packet, v6 ? "ff02::16" : "224.0.0.22", &msg);
		for (size_t c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++) {
			hear_split(0, cuts[c][0], cuts[c][1]);
			assert_int_equal(fake_hints.n, 7);
			for (uint32_t i = 0; i < 7; i++)
				assert_hint(i, messages[i], base + i + 1);
		}
	}
}

static void
test_general_queries(void **state)
{
	(void)state;
	hear_message(0x11, "0.0.0.0", "224.0.0.1");
	assert_only(SNOOP_QUERY, 0x01005e000001);
	msg.len = 12;
	packet_make(&packet, "224.0.0.1", &msg);
	hear();
	assert_only(SNOOP_QUERY, 0x01005e000001);
	hear_message(130, "::", "ff02::1");
	assert_only(SNOOP_QUERY, 0x333300000001);
	msg.len = 28;
	packet_make(&packet, "ff02::1", &msg);
	hear_split(TCI, 14, 4);
	assert_only(SNOOP_QUERY, 0x0064333300000001);
}

/* A guest could make hosts answer after their groups have aged out. */
static void
test_queries_that_hosts_answer_late(void **state)
{
	(void)state;
	message_make(&msg, 0x11, "0.0.0.0");
	msg.len = 12;
	msg.bytes[1] = 0x7f;
	packet_make(&packet, "224.0.0.1", &msg);
	hear();
	assert_only(SNOOP_QUERY, 0x01005e000001);
	msg.bytes[1] = 0x80;
	packet_make(&packet, "224.0.0.1", &msg);
	hear();
	assert_nothing();
	msg.len = 8; /* RFC 2236 §2.2: 25.5 s at most */
	msg.bytes[1] = 0xff;
	packet_make(&packet, "224.0.0.1", &msg);
	hear();
	assert_only(SNOOP_QUERY, 0x01005e000001);
	message_make(&msg, 130, "::");
	msg.len = 28;
	msg.bytes[4] = 0x7f;
	packet_make(&packet, "ff02::1", &msg);
	hear();
	assert_only(SNOOP_QUERY, 0x333300000001);
	msg.bytes[4] = 0x80;
	packet_make(&packet, "ff02::1", &msg);
	hear();
	assert_nothing();
	msg.len = 24; /* RFC 2710 §3.4: 65.5 s at most */
	packet_make(&packet, "ff02::1", &msg);
	hear();
	assert_only(SNOOP_QUERY, 0x333300000001);
}

static void
test_queries_that_no_host_answers(void **state)
{
	(void)state;
	hear_message(0x11, "239.1.2.3", "239.1.2.3");
	assert_nothing();
	hear_message(0x11, "239.1.2.3", "224.0.0.1");
	assert_nothing();
	hear_message(0x11, "0.0.0.0", "224.0.0.1");
	packet.bytes[14 + 19] = 2; /* to another address than the MAC address says */
	packet_fix(&packet);
	hear();
	assert_nothing();
	hear_message(0x11, "0.0.0.0", "224.0.0.1");
	packet.bytes[5] = 9; /* a MAC address that nobody listens to */
	hear();
	assert_nothing();
	msg.len = 10; /* RFC 3376 §7.1: neither version */
	packet_make(&packet, "224.0.0.1", &msg);
	hear();
	assert_nothing();
	hear_message(0x11, "0.0.0.0", "224.0.0.1");
	packet.bytes[14 + 8] = 2; /* TTL */
	packet_fix(&packet);
	hear();
	assert_nothing();
	hear_message(130, "ff15::1", "ff02::1");
	assert_nothing();
	hear_message(130, "::", "ff02::1");
	packet.bytes[14 + 39] = 2;
	packet_fix(&packet);
	hear();
	assert_nothing();
	hear_message(130, "::", "ff02::1");
	packet.bytes[5] = 9;
	hear();
	assert_nothing();
	msg.len = 26;
	packet_make(&packet, "ff02::1", &msg);
	hear();
	assert_nothing();
	hear_message(130, "::", "ff02::1");
	memset(packet.bytes + 14 + 8, 0, 16); /* a source that is not link-local */
	packet_fix(&packet);
	hear();
	assert_nothing();
}

/* One byte of a good packet changed, its checksums made good again or not. */
struct spoiled {
	const char *group;
	uint16_t off;
	uint8_t value;
	bool is_fixed;
	bool is_heard;
};

static void
test_headers(void **state)
{
	static const struct spoiled cases[] = {
		{"239.1.2.3", 0, 0x03, true, false},		    /* not a group's MAC address */
		{"239.1.2.3", 12, 0x09, true, false},		    /* EtherType */
		{"239.1.2.3", 14, 0x36, true, false},		    /* version */
		{"239.1.2.3", 14, 0x44, true, false},		    /* header length */
		{"239.1.2.3", 14, 0x49, true, false},		    /* beyond the packet's length */
		{"239.1.2.3", 14 + 2, 1, true, false},		    /* total length */
		{"239.1.2.3", 14 + 3, 23, true, false},		    /* shorter than the header */
		{"239.1.2.3", 14 + 3, 31, true, false},		    /* than the message */
		{"239.1.2.3", 14 + 6, 0x20, true, false},	    /* more fragments */
		{"239.1.2.3", 14 + 7, 1, true, false},		    /* fragment offset */
		{"239.1.2.3", 14 + 6, 0x40, true, true},	    /* don't fragment */
		{"239.1.2.3", 14 + 8, 64, true, true},		    /* TTL of a report */
		{"239.1.2.3", 14 + 9, 17, true, false},		    /* protocol */
		{"239.1.2.3", 14 + 12, 11, false, false},	    /* header's checksum */
		{"239.1.2.3", PACKET_IPV4_AT, 0x15, true, false},   /* type */
		{"239.1.2.3", PACKET_IPV4_AT + 7, 4, false, false}, /* message's checksum */
		{"239.1.2.3", 5, 9, false, true}, /* another group's MAC address */
		{"ff15::1", 0, 0x31, true, false},
		{"ff15::1", 13, 0, true, false},
		{"ff15::1", 14, 0x50, true, false},
		{"ff15::1", 14 + 5, 33, true, false}, /* payload length */
		{"ff15::1", 14 + 5, 31, true, false},
		{"ff15::1", 14 + 5, 7, true, false},	/* shorter than the options */
		{"ff15::1", 14 + 6, 58, true, false},	/* no hop-by-hop options */
		{"ff15::1", 14 + 7, 2, true, false},	/* hop limit */
		{"ff15::1", 14 + 8, 0x20, true, false}, /* source */
		{"ff15::1", 54, 0, true, false},	/* next header of the options */
		{"ff15::1", 55, 4, true, false},	/* their length */
		{"ff15::1", 56, 4, true, false},	/* their type */
		{"ff15::1", 57, 1, true, false},
		{"ff15::1", 57, 255, true, false},
		{"ff15::1", 59, 1, true, false}, /* a router alert for another protocol */
		{"ff15::1", PACKET_IPV6_AT, 133, true, false},
		{"ff15::1", PACKET_IPV6_AT + 23, 3, false, false},
		{"ff15::1", 30, 1, false, false}, /* the pseudo-header's */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct spoiled *c = &cases[i];
		bool v6 = strchr(c->group, ':') != NULL;

		hear_message(v6 ? 131 : 0x16, c->group, c->group);
		assert_int_equal(fake_hints.n, 1);
		assert_int_not_equal(packet.bytes[c->off], c->value);
		packet.bytes[c->off] = c->value;
		if (c->is_fixed)
			packet_fix(&packet);
		hear();
		if (fake_hints.n != c->is_heard)
			fail_msg("%s, byte %u = %u: %u hints", c->group, c->off, c->value,
				 fake_hints.n);
	}
}

static void
test_options_before_the_alert(void **state)
{
	static const uint8_t options[] = {58, 1, 0, 1, 3, 9, 9, 9, 0, 0, 5, 2, 0, 0, 1, 0};
	uint8_t *ip = packet.bytes + 14;

	(void)state;
	hear_message(131, "ff15::1", "ff15::1");
	memmove(ip + 56, ip + 48, msg.len);
	memcpy(ip + 40, options, sizeof(options));
	ip[5] = (uint8_t)(ip[5] + 8);
	packet.len += 8;
	packet_fix(&packet);
	hear();
	assert_only(SNOOP_JOIN, 0x333300000001);
	memset(ip + 8, 0, 16); /* no source yet, RFC 3590 */
	packet_fix(&packet);
	hear();
	assert_only(SNOOP_JOIN, 0x333300000001);
}

static void
test_tagged(void **state)
{
	(void)state;
	hear_message(0x16, "239.1.2.3", "239.1.2.3");
	hear_split(TCI, FRAME_HEAD_MAX, MESSAGE_MAX);
	assert_only(SNOOP_JOIN, 0x006401005e010203);
}

static void
make_report(bool v6, uint32_t n)
{
	message_report(&msg, v6 ? 143 : 0x22);
	for (uint32_t i = 0; i < n; i++)
		message_add(&msg, TO_EX, v6 ? "ff15::1" : "239.1.2.3", 0, 0);
	packet_make(&packet, v6 ? "ff02::16" : "224.0.0.22", &msg);
}

static void
put_length(bool v6, uint32_t len)
{
	uint32_t off = v6 ? 14 + 4 : 14 + 2, ip_len = len - (v6 ? 14 + 40 : 14);

	packet.bytes[off] = (uint8_t)(ip_len >> 8);
	packet.bytes[off + 1] = (uint8_t)ip_len;
}

/* A frame that ends early says nothing; one whose IP header agrees, what is whole in it. */
static void
test_truncated_anywhere(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		uint32_t start = v6 ? PACKET_IPV6_AT : PACKET_IPV4_AT, record_len = v6 ? 20 : 8;

		make_report(v6, 5);
		for (uint32_t len = packet.len - 1; len >= FRAME_LEN_MIN; len--) {
			uint32_t n = len < start + 8 ? 0 : (len - start - 8) / record_len;

			packet.len = len;
			hear_split(0, 14, MESSAGE_MAX);
			assert_nothing();
			if (len < 14 + 40)
				continue;
			put_length(v6, len);
			packet_fix(&packet);
			hear_split(0, 14, MESSAGE_MAX);
			assert_int_equal(fake_hints.n, n);
			make_report(v6, 5);
		}
	}
}

static void
test_lengths_that_lie(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		uint8_t *record, *report = packet.bytes + (v6 ? PACKET_IPV6_AT : PACKET_IPV4_AT);

		make_report(v6, 2);
		memset(report + 6, 0xff, 2); /* number of records */
		packet_fix(&packet);
		hear_split(0, 14, MESSAGE_MAX);
		assert_int_equal(fake_hints.n, 2);
		make_report(v6, 2);
		record = report + 8 + (v6 ? 20 : 8);
		memset(record + 2, 0xff, 2); /* number of sources */
		packet_fix(&packet);
		hear_split(0, 14, MESSAGE_MAX);
		assert_int_equal(fake_hints.n, 1);
		make_report(v6, 2);
		record[1] = 1; /* auxiliary data */
		packet_fix(&packet);
		hear_split(0, 14, MESSAGE_MAX);
		assert_int_equal(fake_hints.n, 1);
	}
}

static void
test_long_reports(void **state)
{
	(void)state;
	make_report(false, GROUPS_PORT_MAX + 20);
	hear();
	assert_int_equal(fake_hints.n, GROUPS_PORT_MAX);
	assert_int_equal(fake_hints.n_lost, 0);
	message_report(&msg, 0x22);
	message_add(&msg, TO_EX, "239.1.2.3", (9216 - 24 - 8 - 8) / 4, 0);
	msg.bytes[7]++; /* one record more than there are bytes for in the longest packet */
	packet_make(&packet, "224.0.0.22", &msg);
	assert_int_equal(packet.len, 14 + 9216);
	hear();
	assert_int_equal(fake_hints.n, 1);
	make_report(true, 3);
	packet.len = 14 + 9216;
	put_length(true, packet.len);
	packet_fix(&packet);
	hear();
	assert_int_equal(fake_hints.n, 3);
	packet.len++;
	put_length(true, packet.len);
	packet_fix(&packet);
	hear();
	assert_nothing();
}

/* What a port may say in a second, and that others may then still speak. */
static void
test_a_flood_of_reports(void **state)
{
	static const struct port other = {.id = PORT + 1};
	uint32_t n = GROUPS_PORT_MAX - 8;

	(void)state;
	make_report(false, n);
	lend(0, FRAME_HEAD_MAX, MESSAGE_MAX);
	snoop_batch(worker, &port, 1);
	snoop_batch(worker, &port, 1);
	assert_int_equal(fake_hints.n, 2 * n);
	assert_int_equal(fake_hints.n_lost, 0);
	snoop_batch(worker, &port, 1);
	assert_int_equal(fake_hints.n, 2 * GROUPS_PORT_MAX);
	assert_int_equal(fake_hints.n_lost, 3 * n - 2 * GROUPS_PORT_MAX);
	fake_hints_forget();
	snoop_batch(worker, &port, 1);
	assert_int_equal(fake_hints.n, 0);
	assert_int_equal(fake_hints.n_lost, 1);
	snoop_batch(worker, &other, 1);
	assert_int_equal(fake_hints.n, n);
	assert_int_equal(fake_hints.hints[0].port, PORT + 1);
	atomic_store(&sw.now_s, 2);
	fake_hints_forget();
	snoop_batch(worker, &port, 1);
	assert_int_equal(fake_hints.n, n);
	assert_int_equal(fake_hints.n_lost, 0);
	take_back();
}

/* Good messages with some bytes changed: what is noted is a group's address in the frame's VLAN. */
static void
test_random_changes(void **state)
{
	uint32_t n_noted = 0;

	(void)state;
	srand(11);
	for (int round = 0; round < 20000; round++) {
		bool v6 = round & 1;

		make_report(v6, 1 + (uint32_t)rand() % 5);
		for (int n = rand() % 4; n > 0; n--)
			packet.bytes[12 + (uint32_t)rand() % (packet.len - 12)] = (uint8_t)rand();
		if (rand() % 8 == 0)
			packet.len = 14 + (uint32_t)rand() % (packet.len - 14);
		packet_fix(&packet);
		hear_split(TCI, 14 + (uint32_t)rand() % 40, 1 + (uint32_t)rand() % 60);
		n_noted += fake_hints.n;
		assert_true(fake_hints.n <= 5);
		for (uint32_t i = 0; i < fake_hints.n; i++) {
			uint64_t key = fake_hints.hints[i].key;

			assert_int_equal(key >> 48, 100);
			assert_true(v6 ? (key >> 32 & 0xffff) == 0x3333
				       : (key >> 23 & 0x1ffffff) == 0x01005e << 1);
		}
	}
	assert_true(n_noted > 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages_about_one_group, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_nobody_can_join, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_groups_that_share_an_address, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_general_queries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_queries_that_hosts_answer_late, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_queries_that_no_host_answers, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_headers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_options_before_the_alert, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tagged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_truncated_anywhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lengths_that_lie, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_reports, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_flood_of_reports, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_random_changes, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("snoop", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_snoop_lies.c: messages about groups that are wrong, cut off, or too many; see snoop.h. */
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
#include "snoop_rig.h"
#include "switch.h"
#include "worker.h"

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

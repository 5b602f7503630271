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
#include "snoop_rig.h"
#include "switch.h"
#include "worker.h"

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
	};

	return cmocka_run_group_tests_name("snoop", tests, NULL, NULL);
}

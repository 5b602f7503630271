/* SPDX-License-Identifier: BSD-3-Clause */
/* test_groups.c: who is in which group after what was heard, and for how long; see groups.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "groups.h"
#include "port.h"

enum {
	START_S = 1000,
	LAST_PORT = PORTS_MAX - 1
};

static struct groups *g;

static uint64_t
ipv4(uint64_t vlan, uint32_t group)
{
	return vlan << 48 | 0x01005e000000 | group;
}

static uint64_t
ipv6(uint64_t vlan, uint32_t group)
{
	return vlan << 48 | 0x333300000000 | group;
}

static int
set_up(void **state)
{
	(void)state;
	g = groups_create(42);
	return g ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	groups_destroy(g);
	return 0;
}

struct seen {
	uint64_t key;
	uint16_t port;
	uint32_t n, n_all;
};

static bool
see(uint64_t key, uint16_t port, void *arg)
{
	struct seen *seen = arg;

	seen->n_all++;
	seen->n += key == seen->key && port == seen->port;
	return true;
}

static struct seen
look(uint64_t key, uint16_t port)
{
	struct seen seen = {.key = key, .port = port};

	groups_walk(g, see, &seen);
	return seen;
}

static bool
has(uint64_t key, uint16_t port)
{
	return look(key, port).n > 0;
}

static uint32_t
count(void)
{
	return look(0, 0).n_all;
}

/* Every second from from_s to to_s, with a query each every_s (0: none). */
static void
pass(uint32_t from_s, uint32_t to_s, uint64_t query, uint32_t every_s)
{
	for (uint32_t now_s = from_s; now_s <= to_s; now_s++) {
		if (every_s && (now_s - from_s) % every_s == 0)
			groups_query(g, query, now_s);
		groups_age(g, now_s);
	}
}

static void
test_join_and_leave(void **state)
{
	uint32_t version = groups_version(g);

	(void)state;
	groups_join(g, ipv4(5, 1), 0, 3, START_S);
	groups_join(g, ipv4(5, 1), 0, LAST_PORT, START_S);
	groups_join(g, ipv4(0, 1), 0, 3, START_S);
	assert_true(has(ipv4(5, 1), 3) && has(ipv4(5, 1), LAST_PORT) && has(ipv4(0, 1), 3));
	assert_int_equal(count(), 3);
	assert_int_not_equal(groups_version(g), version);
	version = groups_version(g);
	groups_join(g, ipv4(5, 1), 0, 3, START_S + 1);
	groups_leave(g, ipv4(5, 2), 0, 3, true, START_S + 1);
	groups_leave(g, ipv4(5, 1), 0, 4, true, START_S + 1);
	assert_int_equal(count(), 3);
	assert_int_equal(groups_version(g), version);
	groups_leave(g, ipv4(5, 1), 0, 3, true, START_S + 1);
	assert_false(has(ipv4(5, 1), 3));
	assert_int_equal(count(), 2);
	assert_int_not_equal(groups_version(g), version);
}

static void
test_groups_that_share_an_address(void **state)
{
	(void)state;
	groups_join(g, ipv4(0, 1), 1, 3, START_S);
	groups_join(g, ipv4(0, 1), 2, 3, START_S);
	assert_int_equal(look(ipv4(0, 1), 3).n, 2);
	groups_leave(g, ipv4(0, 1), 1, 3, true, START_S);
	assert_true(has(ipv4(0, 1), 3));
	groups_leave(g, ipv4(0, 1), 2, 3, true, START_S);
	assert_int_equal(count(), 0);
}

static void
test_nothing_ages_without_a_querier(void **state)
{
	(void)state;
	groups_join(g, ipv4(0, 1), 0, 3, START_S);
	groups_leave(g, ipv4(0, 1), 0, 3, false, START_S);
	pass(START_S, START_S + 2000, 0, 0);
	assert_true(has(ipv4(0, 1), 3));
}

/* Also what joined long before the querier came has time to answer. */
static void
test_ageing_under_a_querier(void **state)
{
	uint32_t begin_s = START_S + 5000, version;

	(void)state;
	groups_join(g, ipv4(7, 1), 0, 3, START_S);
	groups_join(g, ipv4(7, 2), 0, 3, START_S);
	pass(begin_s, begin_s + 250, ipv4(7, 1), 125);
	groups_join(g, ipv4(7, 2), 0, 3, begin_s + 250);
	pass(begin_s + 250, begin_s + GROUPS_MEMBERSHIP_S, ipv4(7, 1), 125);
	assert_int_equal(count(), 2);
	version = groups_version(g);
	pass(begin_s + GROUPS_MEMBERSHIP_S + 1, begin_s + GROUPS_MEMBERSHIP_S + 1, 0, 0);
	assert_false(has(ipv4(7, 1), 3));
	assert_true(has(ipv4(7, 2), 3));
	assert_int_not_equal(groups_version(g), version);
	/* the querier goes: the other stays, whether a new one comes or not */
	pass(begin_s + 400, begin_s + 4000, 0, 0);
	pass(begin_s + 4000, begin_s + 4000 + GROUPS_MEMBERSHIP_S, ipv4(7, 1), 125);
	assert_true(has(ipv4(7, 2), 3));
	pass(begin_s + 4250, begin_s + 4001 + GROUPS_MEMBERSHIP_S, ipv4(7, 1), 125);
	assert_int_equal(count(), 0);
}

static void
test_one_query_alone_ages_nothing(void **state)
{
	(void)state;
	groups_join(g, ipv4(0, 1), 0, 3, START_S);
	pass(START_S + 1, START_S + 3000, ipv4(0, 1), GROUPS_QUERIER_S + 1);
	assert_true(has(ipv4(0, 1), 3));
}

static void
test_a_querier_asks_its_vlan_and_protocol(void **state)
{
	(void)state;
	groups_join(g, ipv4(7, 1), 0, 3, START_S);
	groups_join(g, ipv4(8, 1), 0, 3, START_S);
	groups_join(g, ipv6(7, 1), 0, 3, START_S);
	pass(START_S, START_S + 600, ipv4(7, 1), 125);
	assert_false(has(ipv4(7, 1), 3));
	assert_true(has(ipv4(8, 1), 3) && has(ipv6(7, 1), 3));
	pass(START_S + 600, START_S + 1200, ipv6(7, 1), 125);
	assert_true(has(ipv4(8, 1), 3));
	assert_int_equal(count(), 1);
}

/* An IGMPv2 host that hears another's report keeps its own back. */
static void
test_a_report_confirms_members_on_all_ports(void **state)
{
	(void)state;
	groups_join(g, ipv4(0, 1), 0, 3, START_S);
	groups_join(g, ipv4(0, 1), 0, 9, START_S);
	groups_join(g, ipv4(0, 1), 1, 3, START_S);
	for (uint32_t at_s = START_S; at_s < START_S + 1250; at_s += 125) {
		groups_join(g, ipv4(0, 1), 0, 9, at_s);
		pass(at_s, at_s + 124, ipv4(0, 1), 125);
	}
	assert_int_equal(look(ipv4(0, 1), 3).n, 1);
	assert_true(has(ipv4(0, 1), 9));
	assert_int_equal(count(), 2);
}

static void
test_a_leave_where_others_may_stay(void **state)
{
	uint32_t left_s = START_S + 10;

	(void)state;
	groups_join(g, ipv4(0, 1), 0, 3, START_S);
	groups_join(g, ipv4(0, 2), 0, 3, START_S);
	groups_query(g, ipv4(0, 9), START_S);
	groups_leave(g, ipv4(0, 1), 0, 3, false, left_s);
	groups_leave(g, ipv4(0, 2), 0, 3, false, left_s);
	pass(left_s, left_s + 3, 0, 0);
	groups_join(g, ipv4(0, 2), 0, 3, left_s + 3);
	groups_leave(g, ipv4(0, 1), 0, 3, false, left_s + 3); /* said twice: no more time */
	pass(left_s + 3, left_s + GROUPS_LEAVE_S, 0, 0);
	assert_int_equal(count(), 2);
	groups_age(g, left_s + GROUPS_LEAVE_S + 1);
	assert_false(has(ipv4(0, 1), 3));
	pass(left_s + GROUPS_LEAVE_S + 1, left_s + GROUPS_LEAVE_S + 20, 0, 0);
	assert_true(has(ipv4(0, 2), 3));
}

static void
test_the_oldest_makes_room(void **state)
{
	uint32_t now_s = START_S;

	(void)state;
	groups_join(g, ipv4(0, 1), 0, 4, now_s++);
	for (uint32_t i = 0; i < GROUPS_PORT_MAX; i++)
		groups_join(g, ipv4(0, i), 0, 3, now_s++);
	groups_join(g, ipv4(0, 0), 0, 3, now_s++); /* 1 is the oldest now */
	groups_join(g, ipv4(0, 2), 0, 4, now_s++); /* what others report does not count */
	groups_join(g, ipv4(0, 1000), 0, 3, now_s++);
	groups_join(g, ipv4(0, 1001), 0, 3, now_s++);
	assert_false(has(ipv4(0, 1), 3) || has(ipv4(0, 2), 3));
	assert_true(has(ipv4(0, 0), 3) && has(ipv4(0, 3), 3));
	assert_true(has(ipv4(0, 1000), 3) && has(ipv4(0, 1001), 3));
	assert_true(has(ipv4(0, 1), 4) && has(ipv4(0, 2), 4));
	assert_int_equal(count(), GROUPS_PORT_MAX + 2);
}

static void
test_a_port_is_forgotten(void **state)
{
	uint32_t version;

	(void)state;
	for (uint32_t i = 0; i < GROUPS_PORT_MAX; i++)
		groups_join(g, ipv4(0, i), 0, 3, START_S);
	groups_join(g, ipv4(0, 1), 0, 4, START_S);
	groups_forget_port(g, 3);
	assert_true(has(ipv4(0, 1), 4));
	assert_int_equal(count(), 1);
	version = groups_version(g);
	groups_forget_port(g, 3);
	assert_int_equal(groups_version(g), version);
	groups_join(g, ipv4(0, 1), 0, 3, START_S);
	assert_int_equal(count(), 2);
}

static bool
see_two(uint64_t key, uint16_t port, void *arg)
{
	(void)key;
	(void)port;
	return ++*(int *)arg < 2;
}

static void
test_a_walk_stops(void **state)
{
	int n = 0;

	(void)state;
	for (uint16_t port = 0; port < 5; port++)
		groups_join(g, ipv4(0, 1), 0, port, START_S);
	groups_walk(g, see_two, &n);
	assert_int_equal(n, 2);
}

/* Against a plain list of what was joined. */
static void
test_model(void **state)
{
	enum {
		GROUPS = 40,
		PORTS = 12
	};
	static bool joined[PORTS][GROUPS];
	uint32_t n = 0;

	(void)state;
	srand(5);
	for (int round = 0; round < 20000; round++) {
		uint16_t port = (uint16_t)(rand() % PORTS);
		uint32_t group = (uint32_t)(rand() % GROUPS), version = groups_version(g);
		bool *is = &joined[port][group], was = *is;

		if (rand() % 500 == 0) {
			groups_forget_port(g, port);
			for (uint32_t i = 0; i < GROUPS; i++) {
				n -= joined[port][i];
				joined[port][i] = false;
			}
		} else if (rand() % 2) {
			groups_join(g, ipv4(group % 3, group), group % 2, port, START_S);
			*is = true;
			n += !was;
			assert_int_equal(groups_version(g) != version, !was);
		} else {
			groups_leave(g, ipv4(group % 3, group), group % 2, port, true, START_S);
			*is = false;
			n -= was;
			assert_int_equal(groups_version(g) != version, was);
		}
		assert_int_equal(has(ipv4(group % 3, group), port), *is);
		assert_int_equal(count(), n);
	}
	assert_true(n > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_join_and_leave, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_groups_that_share_an_address, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_ages_without_a_querier, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_ageing_under_a_querier, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_query_alone_ages_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_querier_asks_its_vlan_and_protocol, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_report_confirms_members_on_all_ports, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_leave_where_others_may_stay, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_the_oldest_makes_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_port_is_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_walk_stops, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_model, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}

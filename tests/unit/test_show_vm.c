/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_show_vm.c: the stations of ports whose machines' MACs are known, as port.list and port.show
 * tell them, over a fake switch: told at once, or after the whole table was gone through in parts.
 */
#include "show_vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <json-c/json.h>

#include "control_client.h"
#include "control_state.h"
#include "fake_switch.h"

enum {
	VM1 = 0, /* ids of the ports that setup() has opened */
	IN = 1,
	OWN = 1, /* last byte of the machine's MAC; those of others are larger */
	STATIONS = 40000,
	PARTS = 4, /* that a table for so many is gone through in */
};

static const char own_mac[] = "02:00:00:00:00:01";
static const char private[] = "the memory of the machine is not shared, no frame can pass: start "
			      "it anew with <access mode='shared'/> in its <memoryBacking>";

static uint64_t
key(uint16_t vlan, uint8_t last)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, last};

	return fdb_key(vlan, mac);
}

static void
learn(uint16_t port, uint16_t vlan, uint8_t last)
{
	assert_int_equal(fdb_learn(fake.sw.fdb, key(vlan, last), port, 0), FDB_NEW);
}

/* A control with the ports of setup(), whose vm1 is of machine m; and a table of some parts. */
static int
setup_vm(void **state)
{
	int rc = setup(state);

	fake_resize_fdb(STATIONS);
	assert_int_equal(fdb_parts(fake.sw.fdb), PARTS);
	answers("port.set",
		"{\"name\":\"vm1\",\"vm\":{\"name\":\"m\",\"mac\":\"02:00:00:00:00:01\"}}",
		"{\"name\":\"vm1\"}");
	assert_int_equal(control->n_jobs, 0);
	return rc;
}

static const char *
text(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value)
							      : NULL;
}

/* vm1 in a reply of port.list. */
static struct json_object *
first_port(struct json_object *reply)
{
	struct json_object *result, *ports;

	if (!json_object_object_get_ex(reply, "result", &result))
		fail_msg("%s", json_object_to_json_string(reply));
	assert_true(json_object_object_get_ex(result, "ports", &ports));
	assert_int_equal(json_object_array_length(ports), 3);
	return json_object_array_get_idx(ports, 0);
}

/* Both methods tell this warning, and port.show these MACs (JSON); n_jobs: of both. */
static void
tells(const char *warning, const char *macs, uint64_t n_jobs)
{
	struct json_object *reply, *result;
	uint64_t n_before = control->n_jobs;

	reply = call("port.list", "{}");
	assert_string_equal(text(first_port(reply), "vm"), "m");
	assert_string_equal(text(first_port(reply), "warning"), warning);
	assert_null(text(first_port(reply), "macs_seen"));
	json_object_put(reply);
	reply = call("port.show", "{\"name\":\"vm1\"}");
	assert_true(json_object_object_get_ex(reply, "result", &result));
	assert_string_equal(text(result, "warning"), warning);
	assert_string_equal(text(result, "macs_seen"), macs);
	assert_non_null(text(result, "stations"));
	assert_non_null(text(result, "details"));
	json_object_put(reply);
	assert_int_equal(control->n_jobs - n_before, n_jobs);
}

/* Whoever sends as himself, or not at all, costs two look-ups, however many others there are. */
static void
test_at_once(void **state)
{
	(void)state;
	for (uint8_t i = 2; i < 100; i++)
		learn(IN, 0, i);
	tells("", "[ ]", 0);
	learn(VM1, 0, OWN);
	tells("", "[ \"02:00:00:00:00:01\" ]", 0);
}

/* Its MAC is somewhere else, or there are more: the table has to be gone through. */
static void
test_strangers(void **state)
{
	struct json_object *reply;

	(void)state;
	learn(IN, 0, OWN);
	tells("", "[ ]", 0);
	learn(VM1, 0, 9);
	tells("the guest sends from 02:00:00:00:00:09, its own MAC is 02:00:00:00:00:01",
	      "[ \"02:00:00:00:00:09\" ]", 2);
	learn(VM1, 7, 9); /* the same station */
	tells("the guest sends from 02:00:00:00:00:09, its own MAC is 02:00:00:00:00:01",
	      "[ \"02:00:00:00:00:09\" ]", 2);
	learn(VM1, 0, 10);
	reply = call("port.list", "{}");
	assert_non_null(strstr(text(first_port(reply), "warning"), " and others, its own MAC is "));
	json_object_put(reply);
}

/* A guest that tags its frames is no stranger. */
static void
test_own_in_vlans(void **state)
{
	(void)state;
	learn(VM1, 5, OWN);
	tells("", "[ \"02:00:00:00:00:01\" ]", 2);
	learn(VM1, 6, OWN);
	learn(VM1, 0, OWN);
	tells("", "[ \"02:00:00:00:00:01\" ]", 2);
}

static void
test_names_eight(void **state)
{
	struct json_object *reply, *result, *macs;

	(void)state;
	for (uint8_t i = OWN; i <= 20; i++)
		learn(VM1, 0, i);
	reply = call("port.show", "{\"name\":\"vm1\"}");
	assert_true(json_object_object_get_ex(reply, "result", &result));
	assert_true(json_object_object_get_ex(result, "macs_seen", &macs));
	assert_int_equal(json_object_array_length(macs), 8);
	assert_string_equal(text(result, "stations"), "20");
	json_object_put(reply);
}

/* No frame can pass: that matters more than who sent some before. */
static void
test_private_memory(void **state)
{
	(void)state;
	learn(VM1, 0, OWN);
	learn(VM1, 0, 2);
	answers("port.set", "{\"name\":\"vm1\",\"vm\":{\"memory\":\"private\"}}",
		"{\"name\":\"vm1\"}");
	assert_int_equal(fdb_remove(fake.sw.fdb, key(0, OWN)), 0);
	/* of port.list there is nothing to look for */
	tells(private, "[ \"02:00:00:00:00:02\" ]", 1);
}

/* A machine without a name is not shown; its MACs are. */
static void
test_mac_alone(void **state)
{
	struct json_object *reply, *result;

	(void)state;
	learn(VM1, 0, 2);
	answers("port.set", "{\"name\":\"vm1\",\"vm\":{\"name\":\"\"}}", "{\"name\":\"vm1\"}");
	reply = call("port.list", "{}");
	assert_null(text(first_port(reply), "vm"));
	assert_null(text(first_port(reply), "warning"));
	json_object_put(reply);
	assert_int_equal(control->n_jobs, 0);
	reply = call("port.show", "{\"name\":\"vm1\"}");
	assert_true(json_object_object_get_ex(reply, "result", &result));
	assert_null(text(result, "warning"));
	assert_string_equal(text(result, "macs_seen"), "[ \"02:00:00:00:00:02\" ]");
	json_object_put(reply);
}

static const char ask_list[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"port.list\"}\n";

/* A turn of the control's loop, which does a step of a job at most. */
static void
turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

/* Sends it and lets the control run until it has begun a job, of which it has done nothing. */
static void
ask(int fd, const char *request)
{
	uint64_t n_jobs = control->n_jobs;

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	for (int i = 0; i < 50 && control->n_jobs == n_jobs; i++)
		turn();
	assert_int_equal(control->n_jobs, n_jobs + 1);
}

static bool
is_at_work(void)
{
	for (const struct control_client *c = control->clients; c; c = c->next)
		if (c->job)
			return true;
	return false;
}

/* A part a turn, between which all others are served; what changes meanwhile does no harm. */
static void
test_in_parts(void **state)
{
	static const char del[] = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"port.del\","
				  "\"params\":{\"name\":\"vm1\"}}\n";
	int slow = client(), quick = client();
	struct json_object *reply;
	uint32_t n_turns = 0;

	(void)state;
	run();
	learn(VM1, 0, 2);
	ask(slow, ask_list);
	while (is_at_work()) {
		turn();
		n_turns++;
	}
	assert_int_equal(n_turns, PARTS);
	reply = receive(slow);
	assert_non_null(strstr(text(first_port(reply), "warning"), "02:00:00:00:00:02"));
	json_object_put(reply);

	/* it tells how it was when it was asked, but for the stations */
	ask(slow, ask_list);
	assert_int_equal(write(quick, del, strlen(del)), strlen(del));
	turn();
	assert_null(switch_port_find(&fake.sw, "vm1"));
	assert_true(is_at_work());
	reply = receive(slow);
	assert_string_equal(text(first_port(reply), "vm_mac"), own_mac);
	json_object_put(reply);
	close(slow);
	close(quick);
	run();
	assert_null(control->clients);
}

/* Who leaves, or wants no reply, takes nothing along. */
static void
test_nobody_listens(void **state)
{
	int fd = client();

	(void)state;
	learn(VM1, 0, 2);
	ask(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"port.list\"}\n");
	run();
	assert_false(is_at_work());
	ask(fd, ask_list);
	close(fd);
	turn();
	assert_true(is_at_work());
	run();
	assert_null(control->clients);
	answers("version", "{}", "{\"version\":\"1.2.3\",\"dpdk\":\"DPDK 0\"}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_at_once, setup_vm, teardown),
		cmocka_unit_test_setup_teardown(test_strangers, setup_vm, teardown),
		cmocka_unit_test_setup_teardown(test_own_in_vlans, setup_vm, teardown),
		cmocka_unit_test_setup_teardown(test_names_eight, setup_vm, teardown),
		cmocka_unit_test_setup_teardown(test_private_memory, setup_vm, teardown),
		cmocka_unit_test_setup_teardown(test_mac_alone, setup_vm, teardown),
		cmocka_unit_test_setup_teardown(test_in_parts, setup_vm, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_listens, setup_vm, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

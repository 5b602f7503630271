/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_control.c: every method of the control socket and its replies, over a fake switch. The
 * socket itself is in test_control_socket.c.
 */
#include "control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "control_client.h"
#include "control_state.h"
#include "fake_switch.h"

static void
refuses(const char *method, const char *params, int code, const char *message)
{
	struct json_object *reply = call(method, params), *error, *is;

	if (!json_object_object_get_ex(reply, "error", &error))
		fail_msg("%s", json_object_to_json_string(reply));
	json_object_object_get_ex(error, "code", &is);
	assert_int_equal(json_object_get_int(is), code);
	json_object_object_get_ex(error, "message", &is);
	assert_string_equal(json_object_get_string(is), message);
	json_object_put(reply);
}

static void
test_ports(void **state)
{
	(void)state;
	fake.counts = (struct port_counts){.rx_frames = 1,
					   .rx_bytes = 60,
					   .tx_frames = 3,
					   .tx_bytes = UINT64_MAX,
					   .rx_flooded = 4,
					   .tx_contended = 5,
					   .notified = 6};
	fake.counts.drops[DROP_RX_RUNT] = 2;
	fake.counts.drops[DROP_RX_NO_PORT] = 3;
	fake.counts.drops[DROP_TX_DOWN] = 10;
	fake.counts.drops[DROP_TX_NO_MBUF] = 20;
	port_set_reason(switch_port_find(&fake.sw, "vm1"), "no guest");
	answers("port.list", "{}",
		"{\"ports\":["
		"{\"name\":\"vm1\",\"type\":\"vhost-user\",\"id\":0,\"link\":\"down\",\"reason\":"
		"\"no "
		"guest\",\"mtu\":1500,\"offloads\":[\"checksum\",\"tso\",\"uso\"],\"queues\":2,"
		"\"workers\":[1],\"rx_frames\":1,\"rx_bytes\":60,"
		"\"tx_frames\":3,\"tx_bytes\":18446744073709551615,\"rx_drops\":5,\"tx_drops\":30,"
		"\"socket\":\"/vm1\",\"mode\":\"server\"},"
		"{\"name\":\"in\",\"type\":\"tap\",\"id\":1,\"link\":\"up\",\"reason\":\"\","
		"\"mtu\":1500,"
		"\"offloads\":[\"checksum\",\"tso\",\"uso\"],\"queues\":1,\"workers\":[1],\"rx_"
		"frames\":1,\"rx_bytes\":60,\"tx_frames\":3,"
		"\"tx_bytes\":18446744073709551615,\"rx_drops\":5,\"tx_drops\":30},"
		"{\"name\":\"vm2\",\"type\":\"vhost-user\",\"id\":null,\"link\":\"down\","
		"\"reason\":"
		"\"port vm2: open: "
		"refused\",\"mtu\":1500,\"offloads\":[\"checksum\",\"tso\",\"uso\"],\"queues\":1,"
		"\"workers\":[],\"rx_frames\":0,"
		"\"rx_bytes\":0,\"tx_frames\":0,\"tx_bytes\":0,\"rx_drops\":0,\"tx_drops\":0,"
		"\"socket\":\"/vm2\",\"mode\":\"server\"}]}");
	answers("port.show", "{\"name\":\"in\"}",
		"{\"name\":\"in\",\"type\":\"tap\",\"id\":1,\"link\":\"up\",\"reason\":\"\","
		"\"mtu\":1500,"
		"\"offloads\":[\"checksum\",\"tso\",\"uso\"],\"queues\":1,\"workers\":[1],\"rx_"
		"frames\":1,\"rx_bytes\":60,\"tx_frames\":3,"
		"\"tx_bytes\":18446744073709551615,\"rx_drops\":5,\"tx_drops\":30,"
		"\"drops\":{\"rx-runt\":2,\"rx-no-port\":3,\"tx-down\":10,\"tx-no-mbuf\":20},"
		"\"stations\":0,"
		"\"details\":{\"interface\":\"t0\",\"queues_on\":1,\"carrier\":true}}");
	refuses("port.show", "{\"name\":\"vm9\"}", -32000, "port vm9: there is no such port");
	refuses("port.show", "{}", -32602, "parameter name is missing or no text");
}

static void
test_add_and_del(void **state)
{
	struct json_object *reply;

	(void)state;
	answers("port.add", "{\"name\":\"vm3\",\"type\":\"vhost-user\",\"socket\":\"/vm3\"}",
		"{\"name\":\"vm3\"}");
	assert_string_equal(fake.journal, "add vm2; add vm3; ");
	assert_non_null(switch_port_find(&fake.sw, "vm3"));
	refuses("port.add", "{\"name\":\"vm3\",\"type\":\"vhost-user\",\"socket\":\"/vm3\"}",
		-32000, "port vm3: name: another port has this name");
	refuses("port.add", "{\"name\":\"vm4\",\"type\":\"tap\",\"mtu\":90000}", -32000,
		"port vm4: mtu: 90000 is not in 68..65535");
	refuses("port.add", "{\"name\":\"a\\u0000b\",\"type\":\"tap\"}", -32000,
		"a value contains a control character or line break, which no value may");
	refuses("port.add", "[]", -32602, "the keys of a port are missing");
	fake.fail_open = "vm4";
	refuses("port.add", "{\"name\":\"vm4\",\"type\":\"tap\"}", -32000,
		"port vm4: open: refused");
	reply = call("port.show", "{\"name\":\"vm4\"}");
	assert_true(json_object_object_get_ex(reply, "error", NULL));
	json_object_put(reply);
	fake.fail_open = NULL;
	answers("port.del", "{\"name\":\"vm3\"}", "{\"name\":\"vm3\"}");
	assert_null(switch_port_find(&fake.sw, "vm3"));
	refuses("port.del", "{\"name\":\"vm3\"}", -32000, "port vm3: there is no such port");
	refuses("port.del", "{}", -32602, "parameter name is missing or no text");
	refuses("port.del", "{\"port\":\"vm3\"}", -32602, "there is no parameter \"port\"");
	/* one that failed to open can be removed as well */
	fake.fail_open = "vm5";
	answers("port.del", "{\"name\":\"vm2\"}", "{\"name\":\"vm2\"}");
}

static void
test_set(void **state)
{
	const struct port *in = switch_port_find(&fake.sw, "in");

	(void)state;
	fake.journal[0] = 0;
	answers("port.set", "{\"name\":\"in\",\"mtu\":\"9000\",\"offloads\":{\"tso\":\"false\"}}",
		"{\"name\":\"in\"}");
	answers("port.set", "{\"name\":\"in\",\"offloads\":{\"uso\":false}}", "{\"name\":\"in\"}");
	assert_string_equal(fake.journal,
			    "mtu in 9000; offloads in 0xe3; add vm2; offloads in 0x83; add vm2; ");
	assert_ptr_equal(switch_port_find(&fake.sw, "in"), in);
	answers("port.set", "{\"name\":\"in\"}", "{\"name\":\"in\"}");
	answers("port.show", "{\"name\":\"in\"}",
		"{\"name\":\"in\",\"type\":\"tap\",\"id\":1,\"link\":\"up\",\"reason\":\"\","
		"\"mtu\":9000,\"offloads\":[\"checksum\"],\"queues\":1,\"workers\":[1],"
		"\"rx_frames\":0,\"rx_bytes\":0,\"tx_frames\":0,\"tx_bytes\":0,\"rx_drops\":0,"
		"\"tx_drops\":0,\"drops\":{},\"stations\":0,"
		"\"details\":{\"interface\":\"t0\",\"queues_on\":1,\"carrier\":true}}");
	/* what can't change while it runs */
	fake.journal[0] = 0;
	answers("port.set", "{\"name\":\"in\",\"ifname\":\"t1\"}", "{\"name\":\"in\"}");
	assert_string_equal(fake.journal, "del in; add in; add vm2; ");
	assert_int_equal(switch_port_find(&fake.sw, "in")->conf.mtu, 9000);
	/* what is refused changes nothing */
	fake.journal[0] = 0;
	refuses("port.set", "{\"name\":\"in\",\"mtu\":90000}", -32000,
		"port in: mtu: 90000 is not in 68..65535");
	refuses("port.set", "{\"name\":\"in\",\"socket\":\"/a\"}", -32000,
		"port in: socket: only a port of type vhost-user has one");
	refuses("port.set", "{\"name\":\"vm9\",\"mtu\":1500}", -32000,
		"port vm9: there is no such port");
	refuses("port.set", "{\"mtu\":1500}", -32000, "port: name is missing");
	refuses("port.set", "{\"name\":5,\"mtu\":1500}", -32000, "port 5: there is no such port");
	refuses("port.set", "[]", -32602, "the keys of a port are missing");
	assert_string_equal(fake.journal, "");
	fake.fail_mtu = true;
	refuses("port.set", "{\"name\":\"in\",\"mtu\":1400,\"offloads\":{\"tso\":true}}", -32000,
		"port in: mtu: refused");
	assert_string_equal(fake.journal, "mtu in 1400; ");
	/* one that is not open is tried with what it has now */
	fake.journal[0] = 0;
	fake.fail_open = NULL;
	answers("port.set", "{\"name\":\"vm2\",\"queues\":2}", "{\"name\":\"vm2\"}");
	assert_string_equal(fake.journal, "add vm2; ");
}

static void
test_restart(void **state)
{
	(void)state;
	answers("port.add", "{\"name\":\"up0\",\"type\":\"vf\",\"pf\":\"eth2\",\"vf\":0}",
		"{\"name\":\"up0\"}");
	answers("port.add",
		"{\"name\":\"up1\",\"type\":\"ethdev\",\"devargs\":\"net_null0\",\"vlans\":[7]}",
		"{\"name\":\"up1\"}");
	fake.journal[0] = 0;
	answers("port.restart", "{\"name\":\"up0\"}", "{\"name\":\"up0\"}");
	answers("port.restart", "{\"name\":\"up1\"}", "{\"name\":\"up1\"}");
	assert_string_equal(fake.journal, "restart up0; restart up1; ");
	fake.fail_restart = true;
	refuses("port.restart", "{\"name\":\"up0\"}", -32000, "port up0: restart: refused");
	assert_non_null(switch_port_find(&fake.sw, "up0"));
	fake.journal[0] = 0;
	refuses("port.restart", "{\"name\":\"vm1\"}", -32000,
		"port vm1: a vhost-user port has no device to restart");
	refuses("port.restart", "{\"name\":\"in\"}", -32000,
		"port in: a tap port has no device to restart");
	refuses("port.restart", "{\"name\":\"vm2\"}", -32000, "port vm2: open: refused");
	refuses("port.restart", "{\"name\":\"vm9\"}", -32000, "port vm9: there is no such port");
	refuses("port.restart", "{}", -32602, "parameter name is missing or no text");
	refuses("port.restart", "{\"port\":\"up0\"}", -32602, "there is no parameter \"port\"");
	assert_string_equal(fake.journal, "");
}

static void
test_fdb(void **state)
{
	static const uint8_t macs[3][6] = {
		{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, {2, 0, 0, 0, 0, 3}};

	(void)state;
	atomic_store(&fake.sw.now_s, 100);
	answers("fdb.list", "{}", "{\"entries\":[],\"n\":0,\"max\":64}");
	assert_int_equal(fdb_learn(fake.sw.fdb, fdb_key(5, macs[0]), 0, 93), FDB_NEW);
	answers("fdb.list", "{}",
		"{\"entries\":[{\"vlan\":5,\"mac\":\"02:00:00:00:00:01\",\"port\":\"vm1\",\"age_"
		"s\":7,"
		"\"static\":false}],\"n\":1,\"max\":64}");
	assert_int_equal(fdb_learn(fake.sw.fdb, fdb_key(0, macs[1]), 1, 100), FDB_NEW);
	answers("fdb.flush", "{\"port\":\"vm1\"}", "{\"flushed\":1}");
	answers("fdb.list", "{}",
		"{\"entries\":[{\"vlan\":0,\"mac\":\"02:00:00:00:00:02\",\"port\":\"in\",\"age_s\":"
		"0,"
		"\"static\":false}],\"n\":1,\"max\":64}");
	assert_int_equal(fdb_learn(fake.sw.fdb, fdb_key(0, macs[2]), 0, 100), FDB_NEW);
	answers("fdb.flush", "{}", "{\"flushed\":2}");
	refuses("fdb.flush", "{\"port\":\"vm9\"}", -32000, "port vm9: there is no such port");
	refuses("fdb.flush", "{\"port\":1}", -32602, "parameter port is missing or no text");
	refuses("fdb.flush", "{\"prot\":\"vm1\"}", -32602, "there is no parameter \"prot\"");
}

static void
test_stats(void **state)
{
	struct json_object *reply, *result, *reasons, *text;

	(void)state;
	fake.counts = (struct port_counts){.rx_frames = 1, .rx_bytes = 60};
	fake.counts.drops[DROP_TX_DOWN] = 10;
	fake.sw.n_hints_lost = 3;
	reply = call("stats", "{\"name\":\"in\"}");
	json_object_object_get_ex(reply, "result", &result);
	json_object_object_get_ex(result, "reasons", &reasons);
	assert_int_equal(json_object_object_length(reasons), DROP_REASONS);
	assert_true(json_object_object_get_ex(reasons, "tx-down", &text));
	assert_string_equal(json_object_get_string(text), drop_infos[DROP_TX_DOWN].meaning);
	json_object_object_del(result, "reasons");
	assert_string_equal(
		json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN),
		"{\"ports\":[{\"name\":\"in\",\"rx_frames\":1,\"rx_bytes\":60,\"tx_frames\":0,"
		"\"tx_bytes\":0,\"rx_flooded\":0,\"tx_contended\":0,\"notified\":0,"
		"\"drops\":{\"tx-down\":10}}],\"events_lost\":3}");
	json_object_put(reply);
	reply = call("stats", "{}");
	json_object_object_get_ex(reply, "result", &result);
	json_object_object_get_ex(result, "ports", &result);
	assert_int_equal(json_object_array_length(result), 3);
	json_object_put(reply);
	refuses("stats", "{\"name\":\"vm9\"}", -32000, "port vm9: there is no such port");
	refuses("stats", "{\"name\":1}", -32602, "the only parameter is name, a text");
}

static void
test_workers(void **state)
{
	struct worker *w = fake.sw.workers[0];

	(void)state;
	control_sample(control);
	stats_add(&w->busy_cycles, 300);
	stats_add(&w->idle_cycles, 700);
	stats_add(&w->n_frames, 3);
	stats_add(&w->n_batches, 2);
	stats_add(&w->n_rounds, 9);
	control_sample(control);
	/* a second without frames: cycles_per_frame stays, busy does not */
	stats_add(&w->idle_cycles, 1000);
	answers("worker.list", "{}",
		"{\"workers\":[{\"id\":0,\"cpu\":1,\"node\":0,\"idle\":\"sleep\",\"idle_max_us\":"
		"250,"
		"\"rounds\":9,\"sleeps\":0,\"busy_percent\":30,\"busy_cycles\":300,\"cycles_per_"
		"frame\":100,\"frames\":"
		"3,"
		"\"batches\":2,\"queues\":[{\"port\":\"vm1\",\"queue\":0},{\"port\":\"in\","
		"\"queue\":0}],"
		"\"mbufs_free\":0,\"mbufs\":0}]}");
	control_sample(control);
	atomic_store(&w->idle_max_us, 0);
	answers("worker.list", "{}",
		"{\"workers\":[{\"id\":0,\"cpu\":1,\"node\":0,\"idle\":\"poll\",\"idle_max_us\":0,"
		"\"rounds\":9,\"sleeps\":0,\"busy_percent\":0,\"busy_cycles\":300,\"cycles_per_"
		"frame\":100,\"frames\":"
		"3,"
		"\"batches\":2,\"queues\":[{\"port\":\"vm1\",\"queue\":0},{\"port\":\"in\","
		"\"queue\":0}],"
		"\"mbufs_free\":0,\"mbufs\":0}]}");
}

static void
test_status(void **state)
{
	struct json_object *reply, *result;
	char text[1024];

	(void)state;
	answers("version", "{}", "{\"version\":\"1.2.3\",\"dpdk\":\"DPDK 0\"}");
	reply = call("status", "{}");
	json_object_object_get_ex(reply, "result", &result);
	json_object_object_del(result, "uptime_s");
	snprintf(text, sizeof(text),
		 "{\"name\":\"vswitch\",\"version\":\"1.2.3\",\"dpdk\":\"DPDK 0\","
		 "\"cpu_level\":\"baseline\",\"pid\":%d,"
		 "\"workers\":1,\"mtu\":1500,\"ports\":3,\"ports_up\":1,\"ports_failed\":1,"
		 "\"stations\":0,"
		 "\"stations_max\":64,\"hugepages\":true,\"memory\":268435456,\"retired_pools\":0,"
		 "\"config\":\"%s\"}",
		 (int)getpid(), conf_path);
	assert_string_equal(
		json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN |
							       JSON_C_TO_STRING_NOSLASHESCAPE),
		text);
	json_object_put(reply);
}

static void
test_config(void **state)
{
	struct json_object *reply, *text;
	struct error e = {0};
	struct conf *conf;
	char params[512];

	(void)state;
	reply = call("config.show", "{}");
	json_object_object_get_ex(reply, "result", &text);
	json_object_object_get_ex(text, "text", &text);
	assert_int_equal(conf_load_text(json_object_get_string(text),
					(size_t)json_object_get_string_len(text), "shown",
					fake_kinds, &conf, &e),
			 0);
	assert_int_equal(conf->n_ports, 3);
	assert_string_equal(conf->ports[1].tap.ifname, "t0");
	conf_free(conf);
	json_object_put(reply);

	answers("config.check", "{\"text\":\"ports: [{name: a, type: tap}]\"}", "{\"ports\":1}");
	refuses("config.check", "{\"text\":\"ports: [{name: a}]\",\"name\":\"/x.yaml\"}", -32000,
		"/x.yaml:1: ports: a: type is missing");
	refuses("config.check", "{\"text\":\"ports: [{name: a, type: tap, lcores: [7]}]\"}", -32000,
		"text:1: port a: lcores: CPU 7 has no worker: add it to switch: workers");
	refuses("config.check", "{\"text\":\"ports: []\",\"name\":\"/x\\u009b2J\"}", -32602,
		"parameter name contains a control character or line break, which no name of a "
		"file may");
	refuses("config.apply", "{\"text\":\"a\",\"name\":\"/x\\u001b[2J\"}", -32602,
		"parameter name contains a control character or line break, which no name of a "
		"file may");
	refuses("config.check", "{}", -32602, "parameter text is missing or no text");
	refuses("config.check", "{\"file\":\"/etc/shadow\"}", -32602,
		"there is no parameter \"file\"");
	refuses("config.check", "{\"text\":\"\"}", -32000,
		"text:1: there is nothing in it; a switch without ports is written `ports: []`");
	assert_string_equal(fake.journal, "");

	refuses("config.apply", "{\"text\":\"ports: []\"}", -32000,
		"switch: control: can't change while running; restart vswitchd");
	snprintf(params, sizeof(params),
		 "{\"text\":\"switch: {control: %s}\\nports: [{name: vm1, type: vhost-user, "
		 "socket: /vm1, "
		 "queues: 2}]\"}",
		 socket_path);
	answers("config.apply", params, "{\"ports\":1}");
	assert_string_equal(fake.journal, "del in; ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add_and_del, setup, teardown),
		cmocka_unit_test_setup_teardown(test_set, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fdb, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_workers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status, setup, teardown),
		cmocka_unit_test_setup_teardown(test_config, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_control.c: the control socket over a fake switch: every method, and clients that mean harm.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <json-c/json.h>

#include "control_state.h"
#include "fake_switch.h"

static const struct conf_cpus cpus = {.last = 1};
static char directory[64], socket_path[96], conf_path[96];
static struct event_base *base;
static struct control *control;

static struct conf *
load(const char *ports)
{
	struct error e = {0};
	struct conf *conf;
	char text[1024];

	snprintf(text, sizeof(text), "switch: {control: %s}\n%s", socket_path, ports);
	if (conf_load_text(text, strlen(text), "t.yaml", fake_kinds, &conf, &e))
		fail_msg("refused: %s", e.text);
	return conf;
}

static struct control *
create(const char *ports, struct error *e)
{
	const struct control_info info = {.conf_path = conf_path,
					  .version = "1.2.3",
					  .dpdk = "DPDK 0",
					  .hugepages = true,
					  .memory = 256 << 20,
					  .cpus = cpus};

	return control_create(base, &fake.sw, load(ports), &info, e);
}

static int
setup(void **state)
{
	struct error e = {0};

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	fake_init();
	strcpy(directory, "/tmp/test_control.XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(socket_path, sizeof(socket_path), "%s/run/control.sock", directory);
	snprintf(conf_path, sizeof(conf_path), "%s/vswitch.yaml", directory);
	base = event_base_new();
	fake.fail_open = "vm2";
	control = create("ports:\n- {name: vm1, type: vhost-user, socket: /vm1, queues: 2}\n"
			 "- {name: in, type: tap, ifname: t0}\n"
			 "- {name: vm2, type: vhost-user, socket: /vm2}\n",
			 &e);
	assert_non_null(control);
	assert_int_equal(control_start(control, &e), 0);
	fake.journal[0] = 0;
	return 0;
}

static int
teardown(void **state)
{
	char path[96];

	(void)state;
	control_destroy(control);
	assert_int_equal(access(socket_path, F_OK), -1);
	event_base_free(base);
	fake_fini();
	unlink(conf_path);
	snprintf(path, sizeof(path), "%s/run", directory);
	rmdir(path);
	rmdir(directory);
	return 0;
}

static int
client(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, socket_path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Lets the control run until nothing happens any more. */
static void
run(void)
{
	for (int i = 0; i < 50; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Sends all, letting the control run meanwhile; false if it has ended the connection. */
static bool
send_all(int fd, const char *text, size_t len)
{
	for (int i = 0; len && i < 10000; i++) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	return len == 0;
}

/* The next reply; NULL if the connection ended. */
static struct json_object *
receive(int fd)
{
	static char line[8 << 20];
	size_t len = 0;

	for (int i = 0; i < 100000; i++) {
		ssize_t n = recv(fd, line + len, 1, 0); /* what is behind the line stays */

		if (n == 0)
			return NULL;
		if (n < 0) {
			if (errno != EAGAIN)
				return NULL;
			event_base_loop(base, EVLOOP_NONBLOCK);
			continue;
		}
		i = 0;
		if (line[len++] != '\n')
			continue;
		line[len] = 0;
		return json_tokener_parse(line);
	}
	fail_msg("no reply");
	return NULL;
}

static struct json_object *
call(const char *method, const char *params)
{
	struct json_object *reply;
	char text[4096];
	int fd = client();

	snprintf(text, sizeof(text),
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n", method,
		 params);
	assert_true(send_all(fd, text, strlen(text)));
	reply = receive(fd);
	assert_non_null(reply);
	close(fd);
	run();
	return reply;
}

/* The result is exactly this. */
static void
answers(const char *method, const char *params, const char *result)
{
	struct json_object *reply = call(method, params), *is;

	if (!json_object_object_get_ex(reply, "result", &is))
		fail_msg("%s", json_object_to_json_string(reply));
	assert_string_equal(json_object_to_json_string_ext(
				    is, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			    result);
	json_object_put(reply);
}

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
		"guest\",\"mtu\":1500,\"queues\":2,\"workers\":[1],\"rx_frames\":1,\"rx_bytes\":60,"
		"\"tx_frames\":3,\"tx_bytes\":18446744073709551615,\"rx_drops\":5,\"tx_drops\":30},"
		"{\"name\":\"in\",\"type\":\"tap\",\"id\":1,\"link\":\"up\",\"reason\":\"\","
		"\"mtu\":1500,"
		"\"queues\":1,\"workers\":[1],\"rx_frames\":1,\"rx_bytes\":60,\"tx_frames\":3,"
		"\"tx_bytes\":18446744073709551615,\"rx_drops\":5,\"tx_drops\":30},"
		"{\"name\":\"vm2\",\"type\":\"vhost-user\",\"id\":null,\"link\":\"down\","
		"\"reason\":"
		"\"port vm2: open: "
		"refused\",\"mtu\":1500,\"queues\":1,\"workers\":[],\"rx_frames\":0,"
		"\"rx_bytes\":0,\"tx_frames\":0,\"tx_bytes\":0,\"rx_drops\":0,\"tx_drops\":0}]}");
	answers("port.show", "{\"name\":\"in\"}",
		"{\"name\":\"in\",\"type\":\"tap\",\"id\":1,\"link\":\"up\",\"reason\":\"\","
		"\"mtu\":1500,"
		"\"queues\":1,\"workers\":[1],\"rx_frames\":1,\"rx_bytes\":60,\"tx_frames\":3,"
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
		 "{\"name\":\"vswitch\",\"version\":\"1.2.3\",\"dpdk\":\"DPDK 0\",\"pid\":%d,"
		 "\"workers\":1,\"ports\":3,\"ports_up\":1,\"ports_failed\":1,\"stations\":0,"
		 "\"stations_max\":64,\"hugepages\":true,\"memory\":268435456,\"config\":\"%s\"}",
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

static void
write_conf(const char *ports)
{
	FILE *file = fopen(conf_path, "w");

	assert_non_null(file);
	fprintf(file, "switch: {control: %s}\n%s", socket_path, ports);
	assert_int_equal(fclose(file), 0);
}

static void
test_reload(void **state)
{
	(void)state;
	control_reload(control); /* there is no file */
	assert_string_equal(fake.journal, "");
	write_conf("ports: [{name: in, type: tap, ifname: t0, mtu: 9}]");
	control_reload(control);
	assert_string_equal(fake.journal, "");
	write_conf("ports: [{name: in, type: tap, ifname: t0, mtu: 9000}]");
	control_reload(control);
	assert_string_equal(fake.journal, "del vm1; mtu in 9000; ");
	assert_int_equal(control->conf->n_ports, 1);
	assert_int_equal(control->failed.n, 0);
}

static void
test_socket(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char message[256], other[128];
	struct error e = {0};
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(stat(socket_path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0660);
	/* another daemon is there */
	assert_null(create("ports: []", &e));
	snprintf(message, sizeof(message), "switch: control: another vswitchd listens on %s",
		 socket_path);
	assert_string_equal(e.text, message);
	answers("version", "{}", "{\"version\":\"1.2.3\",\"dpdk\":\"DPDK 0\"}");
	control_destroy(control);
	assert_int_equal(access(socket_path, F_OK), -1);

	/* nobody listens there any more */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(address.sun_path, socket_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(access(socket_path, F_OK), 0);
	control = create("ports: []", &e);
	assert_non_null(control);
	answers("version", "{}", "{\"version\":\"1.2.3\",\"dpdk\":\"DPDK 0\"}");

	/* its name is somebody else's by now: that stays */
	snprintf(other, sizeof(other), "%s.old", socket_path);
	assert_int_equal(rename(socket_path, other), 0);
	fd = open(socket_path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	control_destroy(control);
	assert_int_equal(access(socket_path, F_OK), 0);
	unlink(other);

	/* not a socket */
	control = create("ports: []", &e);
	assert_null(control);
	snprintf(message, sizeof(message), "switch: control: %s exists and is not a socket",
		 socket_path);
	assert_string_equal(e.text, message);
	unlink(socket_path);
}

static void
test_lines(void **state)
{
	static const char two[] = "\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n"
				  "garbage\n"
				  "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"vers";
	static const char rest[] = "ion\"}\r\n";
	struct json_object *reply, *id;
	int fd = client();

	(void)state;
	assert_true(send_all(fd, two, strlen(two)));
	reply = receive(fd);
	json_object_object_get_ex(reply, "id", &id);
	assert_int_equal(json_object_get_int(id), 1);
	json_object_put(reply);
	reply = receive(fd);
	assert_true(json_object_object_get_ex(reply, "error", NULL));
	json_object_put(reply);
	run();
	assert_true(send_all(fd, rest, strlen(rest)));
	/* an end of sending is not an end of reading */
	shutdown(fd, SHUT_WR);
	reply = receive(fd);
	json_object_object_get_ex(reply, "id", &id);
	assert_int_equal(json_object_get_int(id), 2);
	assert_true(json_object_object_get_ex(reply, "result", NULL));
	json_object_put(reply);
	assert_null(receive(fd));
	close(fd);
	run();
	assert_int_equal(control->n_clients, 0);
}

static void
test_request_too_long(void **state)
{
	char *text = malloc(CONTROL_REQUEST_MAX + 100000);
	struct json_object *reply, *error;
	int fd = client();

	(void)state;
	memset(text, ' ', CONTROL_REQUEST_MAX + 100000);
	send_all(fd, text, CONTROL_REQUEST_MAX + 100000);
	reply = receive(fd);
	assert_true(json_object_object_get_ex(reply, "error", &error));
	json_object_object_get_ex(error, "message", &error);
	assert_string_equal(json_object_get_string(error), "a request of more than 1048576 bytes");
	json_object_put(reply);
	assert_null(receive(fd));
	close(fd);
	run();
	assert_int_equal(control->n_clients, 0);

	free(text);
}

/* The longest configuration that is allowed fits into a request, even if JSON doubles its bytes. */
static void
test_longest_configuration(void **state)
{
	static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"config.check\","
				   "\"params\":{\"text\":\"{}";
	char *text = malloc(CONTROL_REQUEST_MAX), *to = stpcpy(text, head);
	struct json_object *reply;
	int fd = client();

	(void)state;
	for (int i = 2; i < CONF_TEXT_MAX; i++)
		to = stpcpy(to, "\\n");
	to = stpcpy(to, "\"}}\n");
	assert_true(send_all(fd, text, (size_t)(to - text)));
	reply = receive(fd);
	assert_true(json_object_object_get_ex(reply, "result", NULL));
	json_object_put(reply);
	close(fd);
	free(text);
}

/* A client that asks and never reads is read from no more, and nobody else waits for it. */
static void
test_slow_reader(void **state)
{
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stats\"}\n";
	int fd = client(), n_sent = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		if (send(fd, ask, strlen(ask), MSG_NOSIGNAL) < 0) {
			assert_int_equal(errno, EAGAIN);
			event_base_loop(base, EVLOOP_NONBLOCK);
			if (send(fd, ask, strlen(ask), MSG_NOSIGNAL) < 0)
				break;
		}
		n_sent++;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	assert_true(n_sent > 0 && n_sent < 100000);
	answers("version", "{}", "{\"version\":\"1.2.3\",\"dpdk\":\"DPDK 0\"}");
	/* once it reads, it gets every answer */
	for (int i = 0; i < n_sent; i++) {
		struct json_object *reply = receive(fd);

		assert_non_null(reply);
		json_object_put(reply);
	}
	close(fd);
	run();
	assert_int_equal(control->n_clients, 0);
}

static void
test_too_many_clients(void **state)
{
	int fds[CONTROL_CLIENTS_MAX], one_more;
	struct json_object *reply;

	(void)state;
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fds[i] = client();
		run();
	}
	assert_int_equal(control->n_clients, CONTROL_CLIENTS_MAX);
	one_more = client();
	reply = receive(one_more);
	assert_true(json_object_object_get_ex(reply, "error", NULL));
	json_object_put(reply);
	assert_null(receive(one_more));
	close(one_more);
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
	run();
	assert_int_equal(control->n_clients, 0);
	answers("version", "{}", "{\"version\":\"1.2.3\",\"dpdk\":\"DPDK 0\"}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add_and_del, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fdb, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_workers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status, setup, teardown),
		cmocka_unit_test_setup_teardown(test_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_request_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_longest_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_clients, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_control_socket.c: the control socket itself over a fake switch: its file, its lines and
 * limits, clients that mean harm, and the reload of the configuration. The methods are in
 * test_control.c.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
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

#include "control_client.h"
#include "control_state.h"
#include "fake_switch.h"

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

enum {
	STATIONS = 17000, /* some steps, and more text than a client is written at once */
};

static void
learn_many(void)
{
	fake_resize_fdb(STATIONS);
	for (uint32_t i = 0; i < STATIONS; i++) {
		const uint8_t mac[6] = {2, 0, 0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

		assert_int_equal(fdb_learn(fake.sw.fdb, fdb_key(0, mac), 0, 0), FDB_NEW);
	}
	assert_in_range(fdb_parts(fake.sw.fdb), 2, 100);
}

static struct json_object *
member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	assert_true(json_object_object_get_ex(object, key, &value));
	return value;
}

static const char ask_list[] = "{\"jsonrpc\":\"2.0\",\"id\":\"l\",\"method\":\"fdb.list\"}\n";
static const char ask_flush[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"fdb.flush\"}\n";
static const char ask_version[] = "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"version\"}\n";

/* What takes long holds nobody up but who asked for it, and his replies keep their order. */
static void
test_long_jobs(void **state)
{
	int slow = client(), silent = client(), quick = client();
	struct json_object *reply;

	(void)state;
	learn_many();
	/* one who does not read its list: it waits, and nobody waits for it */
	assert_true(send_all(silent, ask_list, strlen(ask_list)));
	assert_true(send_all(slow, ask_list, strlen(ask_list)));
	assert_true(send_all(slow, ask_version, strlen(ask_version)));
	assert_true(send_all(slow, ask_flush, strlen(ask_flush)));
	assert_true(send_all(quick, ask_version, strlen(ask_version)));
	reply = receive(quick);
	assert_int_equal(json_object_get_int(member(reply, "id")), 8);
	json_object_put(reply);
	assert_int_equal(fdb_count(fake.sw.fdb), STATIONS);

	assert_int_equal(shutdown(slow, SHUT_WR), 0); /* still reads what it asked for */
	reply = receive(slow);
	assert_string_equal(json_object_get_string(member(reply, "id")), "l");
	assert_int_equal(json_object_array_length(member(member(reply, "result"), "entries")),
			 STATIONS);
	assert_int_equal(json_object_get_int(member(member(reply, "result"), "n")), STATIONS);
	json_object_put(reply);
	reply = receive(slow);
	assert_int_equal(json_object_get_int(member(reply, "id")), 8);
	json_object_put(reply);
	reply = receive(slow);
	assert_int_equal(json_object_get_int(member(reply, "id")), 7);
	assert_int_equal(json_object_get_int(member(member(reply, "result"), "flushed")), STATIONS);
	json_object_put(reply);
	assert_null(receive(slow)); /* and is let go then */
	assert_int_equal(fdb_count(fake.sw.fdb), 0);

	close(silent); /* in the middle of its reply */
	answers("version", "{}", "{\"version\":\"1.2.3\",\"dpdk\":\"DPDK 0\"}");
	close(slow);
	close(quick);
}

/* Nobody wants to hear the end of it: it is done all the same. */
static void
test_long_notification(void **state)
{
	static const char list[] = "{\"jsonrpc\":\"2.0\",\"method\":\"fdb.list\"}\n";
	static const char flush[] = "{\"jsonrpc\":\"2.0\",\"method\":\"fdb.flush\"}\n";
	struct json_object *reply;
	int fd = client();

	(void)state;
	learn_many();
	assert_true(send_all(fd, list, strlen(list)));
	assert_true(send_all(fd, flush, strlen(flush)));
	assert_true(send_all(fd, ask_version, strlen(ask_version)));
	reply = receive(fd);
	assert_int_equal(json_object_get_int(member(reply, "id")), 8);
	json_object_put(reply);
	assert_int_equal(fdb_count(fake.sw.fdb), 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_request_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_longest_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_jobs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_notification, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

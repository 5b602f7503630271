/* SPDX-License-Identifier: BSD-3-Clause */
/* control_client.c: see control_client.h. */
#include "control_client.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <json-c/json.h>

#include "fake_switch.h"

char socket_path[96], conf_path[96];
struct event_base *base;
struct control *control;

static const struct conf_cpus cpus = {.last = 1};
static char directory[64];

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

struct control *
create(const char *ports, struct error *e)
{
	const struct control_info info = {.conf_path = conf_path,
					  .version = "1.2.3",
					  .dpdk = "DPDK 0",
					  .cpu_level = "baseline",
					  .hugepages = true,
					  .memory = 256 << 20,
					  .cpus = cpus};

	return control_create(base, &fake.sw, load(ports), &info, e);
}

int
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

int
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

int
client(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, socket_path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void
run(void)
{
	for (int i = 0; i < 50; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

bool
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

struct json_object *
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

struct json_object *
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

void
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

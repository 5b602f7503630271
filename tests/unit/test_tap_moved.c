/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_tap_moved.c: an interface in another network namespace than ours: tap/watch.c and
 * vswitch/netlink.c. Needs root.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "error.h"
#include "netlink.h"
#include "netns.h"
#include "port.h"
#include "watch.h"

enum {
	WAIT_MS = 5000
};

static void
other_namespace(void **state)
{
	struct netlink_link link;
	struct error why;
	int32_t id, again;

	(void)state;
	assert_int_equal(netlink_namespace_id(netns_other, &id, &why), 0);
	assert_true(id >= 0);
	assert_int_equal(netlink_namespace_id(netns_other, &again, &why), 0);
	assert_int_equal(again, id);
	assert_int_equal(netlink_get_link(id, "lo", &link, &why), 0);
	assert_false(link.up);
	assert_int_equal(netlink_get_link(id, "none", &link, &why), -ENODEV);
	assert_true(netlink_namespace_id(STDIN_FILENO, &id, &why) < 0);
	assert_true(netlink_get_link(12345, "lo", &link, &why) < 0);
}

/* Without sees_all, what happens in other namespaces is not heard of. */
static void
messages_of_own_namespace(void **state)
{
	struct mnl_socket *own, *all;
	struct pollfd fd = {.events = POLLIN};
	struct error why;
	bool sees_all;
	int32_t id;

	(void)state;
	assert_int_equal(netlink_namespace_id(netns_other, &id, &why), 0);
	own = netlink_watch_open(NULL, &why);
	assert_non_null(own);
	all = netlink_watch_open(&sees_all, &why);
	assert_non_null(all);
	assert_int_equal(setns(netns_other, CLONE_NEWNET), 0);
	netns_run("ip tuntap add dum mode tap && ip link del dum");
	assert_int_equal(setns(netns_first, CLONE_NEWNET), 0);
	fd.fd = netlink_watch_fd(all);
	assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
	assert_false(netlink_watch_drain(own));
	netns_run("ip tuntap add dum mode tap && ip link del dum");
	fd.fd = netlink_watch_fd(own);
	assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
	assert_true(netlink_watch_drain(own));
	netlink_watch_close(own);
	netlink_watch_close(all);
}

/* Waits until the port is as expected, with a reason that holds the text. */
static void
assert_port_gets(struct port *port, bool up, const char *text)
{
	char reason[REASON_MAX];

	for (int ms = 0; ms < WAIT_MS; ms += 5) {
		port_get_reason(port, reason);
		if (port_is_up(port) == up && (text[0] ? strstr(reason, text) != NULL : !reason[0]))
			return;
		usleep(5000);
	}
	fail_msg("port is %s: '%s', expected %s: '%s'", port_is_up(port) ? "up" : "down", reason,
		 up ? "up" : "down", text);
}

static void
link_of_interface(void **state)
{
	struct port_conf conf = {.name = "inband", .type = "tap", .tap.ifname = "watched"};
	static const struct port_ops ops = {.type = "tap"};
	struct port *port;
	struct watch *watch;
	struct error e;
	char command[128];
	int fd;

	(void)state;
	fd = netns_tap_open("watched");
	netns_run("ip link set watched up");
	port = port_create(NULL, &ops, 0, &conf, &e);
	assert_non_null(port);
	watch = watch_start(port, fd, &e);
	assert_non_null(watch);
	assert_true(port_is_up(port)); /* at once */
	netns_run("ip link set watched down");
	assert_port_gets(port, false, "watched is down on the host");
	netns_run("ip link set watched up");
	assert_port_gets(port, true, "");
	/* followed to another namespace, where it arrives down, renamed there, and back */
	snprintf(command, sizeof(command), "ip link set watched netns /proc/%d/fd/%d", getpid(),
		 netns_other);
	netns_run(command);
	assert_port_gets(port, false, "watched is down on the host");
	assert_int_equal(setns(netns_other, CLONE_NEWNET), 0);
	netns_run("ip link set watched name moved && ip link set moved up");
	assert_port_gets(port, true, "");
	netns_run("ip link set moved down");
	assert_port_gets(port, false, "moved is down on the host");
	snprintf(command, sizeof(command), "ip link set moved netns /proc/%d/fd/%d", getpid(),
		 netns_first);
	netns_run(command);
	assert_int_equal(setns(netns_first, CLONE_NEWNET), 0);
	netns_run("ip link set moved up");
	assert_port_gets(port, true, "");
	netns_run("ip link del moved");
	assert_port_gets(port, false, "watched was deleted on the host");
	watch_stop(watch);
	watch_stop(NULL);
	close(fd);
	port_free(port);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_namespace),
		cmocka_unit_test(messages_of_own_namespace),
		cmocka_unit_test(link_of_interface),
	};
	const char *emulator = getenv("VSWITCH_EMULATOR");

	if (emulator) {
		printf("1..0 # SKIP %s does not pass RTM_GETNSID on\n", emulator);
		return 0;
	}
	if (netns_skip())
		return 0;
	return cmocka_run_group_tests(tests, netns_set_up, netns_tear_down);
}

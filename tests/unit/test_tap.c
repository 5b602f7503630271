/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_tap.c: what tap/ does with the kernel, in network namespaces of its own: vswitch/netlink.c,
 * watch.c, and the checks of device.c. Needs root; the driver net_tap is the functional tests'
 * part.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/if_tun.h>

#include "device.h"
#include "driver.h"
#include "error.h"
#include "netlink.h"
#include "offload.h"
#include "port.h"
#include "watch.h"

enum {
	WAIT_MS = 5000
};

static bool has_namespace; /* false: no right to make one */
static int first_ns = -1, other_ns = -1;

static int
namespace_open(void)
{
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* Two new namespaces; the process stays in the first. */
static int
group_set_up(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		return errno == EPERM ? 0 : -1;
	other_ns = namespace_open();
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	first_ns = namespace_open();
	has_namespace = first_ns >= 0 && other_ns >= 0;
	return has_namespace ? 0 : -1;
}

static int
group_tear_down(void **state)
{
	(void)state;
	close(first_ns);
	close(other_ns);
	return 0;
}

static void
need_namespace(void)
{
	if (has_namespace)
		return;
	print_message("skipped: no right to make network namespaces: run as root\n");
	skip();
}

static void
run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static struct port_address
address(int family, const char *text, uint8_t prefix_len)
{
	struct port_address a = {.family = family, .prefix_len = prefix_len};

	assert_int_equal(inet_pton(family, text, &a.in), 1);
	return a;
}

static void
links(void **state)
{
	struct netlink_link link;
	struct error why;

	(void)state;
	need_namespace();
	assert_int_equal(netlink_get_link(NETLINK_OWN_NAMESPACE, "none", &link, &why), -ENODEV);
	assert_string_equal(why.text, strerror(ENODEV));
	assert_int_equal(netlink_get_link(NETLINK_OWN_NAMESPACE, "lo", &link, &why), 0);
	assert_int_equal(link.index, if_nametoindex("lo"));
	assert_int_equal(link.mtu, 65536);
	assert_false(link.up);
	run("ip link set lo up");
	assert_int_equal(netlink_get_link(NETLINK_OWN_NAMESPACE, "lo", &link, &why), 0);
	assert_true(link.up);
}

static void
settings(void **state)
{
	struct netlink_link link;
	struct error why;

	(void)state;
	need_namespace();
	run("ip tuntap add dum mode tap");
	assert_int_equal(netlink_set_mtu("dum", 9000, &why), 0);
	assert_int_equal(netlink_get_link(NETLINK_OWN_NAMESPACE, "dum", &link, &why), 0);
	assert_int_equal(link.mtu, 9000);
	run("! ip link show dum | grep -q '[<,]UP[,>]'");
	assert_int_equal(netlink_set_up("dum", &why), 0);
	run("ip link show dum | grep -q '[<,]UP[,>]'");
	assert_int_equal(netlink_set_mtu("dum", 65536, &why), -EINVAL);
	assert_true(strlen(why.text) > 0);
	run("ip link del dum");
	assert_int_equal(netlink_set_mtu("dum", 1500, &why), -ENODEV);
	assert_int_equal(netlink_set_up("dum", &why), -ENODEV);
}

/* An interface with so many names that the message about it is longer than the usual 32 KiB. */
static void
long_message(void **state)
{
	struct netlink_link link;
	struct error why;

	(void)state;
	need_namespace();
	run("ip tuntap add dum mode tap");
	run("for i in $(seq 300); do"
	    " printf 'link property add dev dum altname %0127d\\n' $i; done | ip -batch -");
	assert_int_equal(netlink_get_link(NETLINK_OWN_NAMESPACE, "dum", &link, &why), 0);
	assert_int_equal(link.index, if_nametoindex("dum"));
	run("ip link del dum");
}

static void
addresses(void **state)
{
	struct port_address v4 = address(AF_INET, "10.77.0.254", 24);
	struct port_address v6 = address(AF_INET6, "fd77::fe", 64);
	struct port_address bad = address(AF_INET, "10.77.0.1", 33);
	struct error why;

	(void)state;
	need_namespace();
	run("ip tuntap add dum mode tap && ip link set dum up");
	assert_int_equal(netlink_add_address(if_nametoindex("dum"), &v4, &why), 0);
	assert_int_equal(netlink_add_address(if_nametoindex("dum"), &v6, &why), 0);
	run("ip addr show dev dum | grep -q 'inet 10.77.0.254/24 scope global dum'");
	run("ip addr show dev dum | grep -q 'inet6 fd77::fe/64 scope global nodad'");
	assert_int_equal(netlink_add_address(if_nametoindex("dum"), &v4, &why), -EEXIST);
	assert_int_equal(netlink_add_address(if_nametoindex("dum"), &bad, &why), -EINVAL);
	assert_true(strlen(why.text) > 0);
	assert_int_equal(netlink_add_address(99999, &v6, &why), -ENODEV);
	run("ip link del dum");
}

static void
other_namespace(void **state)
{
	struct netlink_link link;
	struct error why;
	int32_t id, again;

	(void)state;
	need_namespace();
	assert_int_equal(netlink_namespace_id(other_ns, &id, &why), 0);
	assert_true(id >= 0);
	assert_int_equal(netlink_namespace_id(other_ns, &again, &why), 0);
	assert_int_equal(again, id);
	assert_int_equal(netlink_get_link(id, "lo", &link, &why), 0);
	assert_false(link.up);
	assert_int_equal(netlink_get_link(id, "none", &link, &why), -ENODEV);
	assert_true(netlink_namespace_id(STDIN_FILENO, &id, &why) < 0);
	assert_true(netlink_get_link(12345, "lo", &link, &why) < 0);
}

static void
messages(void **state)
{
	struct mnl_socket *socket;
	struct pollfd fd = {.events = POLLIN};
	struct error why;
	bool sees_all;

	(void)state;
	need_namespace();
	socket = netlink_watch_open(&sees_all, &why);
	assert_non_null(socket);
	assert_true(sees_all);
	fd.fd = netlink_watch_fd(socket);
	assert_int_equal(poll(&fd, 1, 0), 0);
	for (int i = 0; i < 2; i++) {
		run(i ? "ip link del dum" : "ip tuntap add dum mode tap");
		assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
		assert_true(netlink_watch_drain(socket));
		assert_int_equal(poll(&fd, 1, 0), 0);
		assert_false(netlink_watch_drain(socket));
	}
	netlink_watch_close(socket);
	netlink_watch_close(NULL);
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
	need_namespace();
	assert_int_equal(netlink_namespace_id(other_ns, &id, &why), 0);
	own = netlink_watch_open(NULL, &why);
	assert_non_null(own);
	all = netlink_watch_open(&sees_all, &why);
	assert_non_null(all);
	assert_int_equal(setns(other_ns, CLONE_NEWNET), 0);
	run("ip tuntap add dum mode tap && ip link del dum");
	assert_int_equal(setns(first_ns, CLONE_NEWNET), 0);
	fd.fd = netlink_watch_fd(all);
	assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
	assert_false(netlink_watch_drain(own));
	run("ip tuntap add dum mode tap && ip link del dum");
	fd.fd = netlink_watch_fd(own);
	assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
	assert_true(netlink_watch_drain(own));
	netlink_watch_close(own);
	netlink_watch_close(all);
}

static int
tap_open(const char *ifname)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_TUN_EXCL)};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		print_message("skipped: /dev/net/tun: %s\n", strerror(errno));
		skip();
	}
	strncpy(ifr.ifr_name, ifname, IFNAMSIZ - 1);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}

static void
places(void **state)
{
	char ifname[IFNAMSIZ];
	int fd, ns_fd;

	(void)state;
	need_namespace();
	fd = tap_open("place");
	assert_int_equal(device_look(fd, ifname, &ns_fd), DEVICE_HERE);
	assert_string_equal(ifname, "place");
	assert_int_equal(ns_fd, -1);
	run("ip link set place name renamed");
	assert_int_equal(device_look(fd, ifname, NULL), DEVICE_HERE);
	assert_string_equal(ifname, "renamed");
	run("ip link del renamed");
	assert_int_equal(device_look(fd, ifname, &ns_fd), DEVICE_GONE);
	close(fd);
}

/* By a descriptor without a queue, as device.c keeps one. */
static void
offloads(void **state)
{
	struct ifreq ifr = {.ifr_name = "dum",
			    .ifr_flags =
				    (short)(IFF_TAP | IFF_MULTI_QUEUE | IFF_NO_PI | IFF_VNET_HDR)};
	struct tap_device dev = {.ifname = "dum"};
	uint32_t known;
	int queue;

	(void)state;
	need_namespace();
	close(tap_open("dum")); /* skips without /dev/net/tun */
	dev.fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	queue = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	assert_int_equal(ioctl(dev.fd, TUNSETIFF, &ifr), 0);
	assert_int_equal(ioctl(queue, TUNSETIFF, &ifr), 0);
	ifr = (struct ifreq){.ifr_flags = IFF_DETACH_QUEUE};
	assert_int_equal(ioctl(dev.fd, TUNSETQUEUE, &ifr), 0);
	known = device_set_offloads(&dev, OFFLOAD_ALL);
	assert_int_equal(known & ~OFFLOAD_USO, OFFLOAD_CHECKSUM | OFFLOAD_TSO);
	run("ethtool -k dum | grep -q '^tx-checksumming: on'");
	run("ethtool -k dum | grep -q 'tx-tcp-segmentation: on'");
	run("ethtool -k dum | grep -q 'tx-tcp6-segmentation: on'");
	run("ethtool -k dum | grep -q 'tx-tcp-ecn-segmentation: on'");
	run(known & OFFLOAD_USO ? "ethtool -k dum | grep -q 'tx-udp-segmentation: on'"
				: "! ethtool -k dum | grep -q 'tx-udp-segmentation: on'");
	assert_int_equal(device_set_offloads(&dev, OFFLOAD_CHECKSUM | OFFLOAD_TSO6),
			 OFFLOAD_CHECKSUM | OFFLOAD_TSO6);
	run("ethtool -k dum | grep -q 'tx-tcp-ecn-segmentation: off'");
	run("ethtool -k dum | grep -q 'tx-udp-segmentation: off'");
	run("ethtool -k dum | grep -q 'tx-tcp-segmentation: off'");
	run("ethtool -k dum | grep -q 'tx-tcp6-segmentation: on'");
	device_set_offloads(&dev, OFFLOAD_TSO); /* not without checksums */
	run("ethtool -k dum | grep -q '^tx-checksumming: off'");
	run("ethtool -k dum | grep -q 'tx-tcp6-segmentation: off'");
	run("ip link del dum");
	assert_int_equal(device_set_offloads(&dev, OFFLOAD_ALL), 0);
	close(queue);
	close(dev.fd);
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
	need_namespace();
	fd = tap_open("watched");
	run("ip link set watched up");
	port = port_create(NULL, &ops, 0, &conf, &e);
	assert_non_null(port);
	watch = watch_start(port, fd, &e);
	assert_non_null(watch);
	assert_true(port_is_up(port)); /* at once */
	run("ip link set watched down");
	assert_port_gets(port, false, "watched is down on the host");
	run("ip link set watched up");
	assert_port_gets(port, true, "");
	/* followed to another namespace, where it arrives down, renamed there, and back */
	snprintf(command, sizeof(command), "ip link set watched netns /proc/%d/fd/%d", getpid(),
		 other_ns);
	run(command);
	assert_port_gets(port, false, "watched is down on the host");
	assert_int_equal(setns(other_ns, CLONE_NEWNET), 0);
	run("ip link set watched name moved && ip link set moved up");
	assert_port_gets(port, true, "");
	run("ip link set moved down");
	assert_port_gets(port, false, "moved is down on the host");
	snprintf(command, sizeof(command), "ip link set moved netns /proc/%d/fd/%d", getpid(),
		 first_ns);
	run(command);
	assert_int_equal(setns(first_ns, CLONE_NEWNET), 0);
	run("ip link set moved up");
	assert_port_gets(port, true, "");
	run("ip link del moved");
	assert_port_gets(port, false, "watched was deleted on the host");
	watch_stop(watch);
	watch_stop(NULL);
	close(fd);
	port_free(port);
}

static void
names(void **state)
{
	static const char *const good[] = {"a", "vs-inband", "tap0.5", "A_b-c.d12345678"};
	static const char *const bad[] = {"",	   "a-name-of-16-byt", "a/b", "a:b", "a b",
					  "tap%d", "a,mac=fixed",      ".",   "..",  "\xc3\xa4"};
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(device_check_name("inband", good[i], &e), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(device_check_name("inband", bad[i], &e), -EINVAL);
		assert_non_null(strstr(e.text, "port inband: ifname: "));
	}
}

static void
signal_own(int signo)
{
	(void)signo;
}

/* All free real-time signals are taken, others' are left alone, and all is as before in the end. */
static void
signals(void **state)
{
	struct sigaction own = {.sa_handler = signal_own}, now;
	struct driver_signals taken;

	(void)state;
	assert_int_equal(sigaction(SIGRTMIN + 3, &own, NULL), 0);
	driver_take_signals(&taken);
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++) {
		assert_int_equal(sigaction(signo, NULL, &now), 0);
		assert_true(now.sa_handler != SIG_DFL);
		assert_int_equal(now.sa_handler == signal_own, signo == SIGRTMIN + 3);
	}
	driver_give_signals(&taken);
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++) {
		assert_int_equal(sigaction(signo, NULL, &now), 0);
		assert_true(now.sa_handler == (signo == SIGRTMIN + 3 ? signal_own : SIG_DFL));
	}
	own.sa_handler = SIG_DFL;
	assert_int_equal(sigaction(SIGRTMIN + 3, &own, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links),	   cmocka_unit_test(settings),
		cmocka_unit_test(addresses),	   cmocka_unit_test(long_message),
		cmocka_unit_test(messages),	   cmocka_unit_test(messages_of_own_namespace),
		cmocka_unit_test(places),	   cmocka_unit_test(link_of_interface),
		cmocka_unit_test(names),	   cmocka_unit_test(signals),
		cmocka_unit_test(other_namespace), cmocka_unit_test(offloads),
	};

	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}

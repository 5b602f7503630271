/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_tap.c: what tap/ does with the kernel, in a network namespace of its own: vswitch/netlink.c,
 * and the checks of device.c. Needs root; the driver net_tap is the functional tests' part, more
 * than one namespace test_tap_moved.c's.
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
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/if_tun.h>

#include "device.h"
#include "driver.h"
#include "error.h"
#include "netlink.h"
#include "netns.h"
#include "offload.h"
#include "port.h"

enum {
	WAIT_MS = 5000
};

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
	assert_int_equal(netlink_get_link(NETLINK_OWN_NAMESPACE, "none", &link, &why), -ENODEV);
	assert_string_equal(why.text, strerror(ENODEV));
	assert_int_equal(netlink_get_link(NETLINK_OWN_NAMESPACE, "lo", &link, &why), 0);
	assert_int_equal(link.index, if_nametoindex("lo"));
	assert_int_equal(link.mtu, 65536);
	assert_false(link.up);
	netns_run("ip link set lo up");
	assert_int_equal(netlink_get_link(NETLINK_OWN_NAMESPACE, "lo", &link, &why), 0);
	assert_true(link.up);
}

static void
settings(void **state)
{
	struct netlink_link link;
	struct error why;

	(void)state;
	netns_run("ip tuntap add dum mode tap");
	assert_int_equal(netlink_set_mtu("dum", 9000, &why), 0);
	assert_int_equal(netlink_get_link(NETLINK_OWN_NAMESPACE, "dum", &link, &why), 0);
	assert_int_equal(link.mtu, 9000);
	netns_run("! ip link show dum | grep -q '[<,]UP[,>]'");
	assert_int_equal(netlink_set_up("dum", &why), 0);
	netns_run("ip link show dum | grep -q '[<,]UP[,>]'");
	assert_int_equal(netlink_set_mtu("dum", 65536, &why), -EINVAL);
	assert_true(strlen(why.text) > 0);
	netns_run("ip link del dum");
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
	netns_run("ip tuntap add dum mode tap");
	netns_run("for i in $(seq 300); do"
		  " printf 'link property add dev dum altname %0127d\\n' $i; done | ip -batch -");
	assert_int_equal(netlink_get_link(NETLINK_OWN_NAMESPACE, "dum", &link, &why), 0);
	assert_int_equal(link.index, if_nametoindex("dum"));
	netns_run("ip link del dum");
}

static void
addresses(void **state)
{
	struct port_address v4 = address(AF_INET, "10.77.0.254", 24);
	struct port_address v6 = address(AF_INET6, "fd77::fe", 64);
	struct port_address bad = address(AF_INET, "10.77.0.1", 33);
	struct error why;

	(void)state;
	netns_run("ip tuntap add dum mode tap && ip link set dum up");
	assert_int_equal(netlink_add_address(if_nametoindex("dum"), &v4, &why), 0);
	assert_int_equal(netlink_add_address(if_nametoindex("dum"), &v6, &why), 0);
	netns_run("ip addr show dev dum | grep -q 'inet 10.77.0.254/24 scope global dum'");
	netns_run("ip addr show dev dum | grep -q 'inet6 fd77::fe/64 scope global nodad'");
	assert_int_equal(netlink_add_address(if_nametoindex("dum"), &v4, &why), -EEXIST);
	assert_int_equal(netlink_add_address(if_nametoindex("dum"), &bad, &why), -EINVAL);
	assert_true(strlen(why.text) > 0);
	assert_int_equal(netlink_add_address(99999, &v6, &why), -ENODEV);
	netns_run("ip link del dum");
}

static void
messages(void **state)
{
	struct mnl_socket *socket;
	struct pollfd fd = {.events = POLLIN};
	struct error why;
	bool sees_all;

	(void)state;
	socket = netlink_watch_open(&sees_all, &why);
	assert_non_null(socket);
	assert_true(sees_all);
	fd.fd = netlink_watch_fd(socket);
	assert_int_equal(poll(&fd, 1, 0), 0);
	for (int i = 0; i < 2; i++) {
		netns_run(i ? "ip link del dum" : "ip tuntap add dum mode tap");
		assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
		assert_true(netlink_watch_drain(socket));
		assert_int_equal(poll(&fd, 1, 0), 0);
		assert_false(netlink_watch_drain(socket));
	}
	netlink_watch_close(socket);
	netlink_watch_close(NULL);
}

static void
places(void **state)
{
	char ifname[IFNAMSIZ];
	int fd, ns_fd;

	(void)state;
	fd = netns_tap_open("place");
	assert_int_equal(device_look(fd, ifname, &ns_fd), DEVICE_HERE);
	assert_string_equal(ifname, "place");
	assert_int_equal(ns_fd, -1);
	netns_run("ip link set place name renamed");
	assert_int_equal(device_look(fd, ifname, NULL), DEVICE_HERE);
	assert_string_equal(ifname, "renamed");
	netns_run("ip link del renamed");
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
	close(netns_tap_open("dum"));
	dev.fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	queue = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	assert_int_equal(ioctl(dev.fd, TUNSETIFF, &ifr), 0);
	assert_int_equal(ioctl(queue, TUNSETIFF, &ifr), 0);
	ifr = (struct ifreq){.ifr_flags = IFF_DETACH_QUEUE};
	assert_int_equal(ioctl(dev.fd, TUNSETQUEUE, &ifr), 0);
	known = device_set_offloads(&dev, OFFLOAD_ALL);
	assert_int_equal(known & ~OFFLOAD_USO, OFFLOAD_CHECKSUM | OFFLOAD_TSO);
	netns_run("ethtool -k dum | grep -q '^tx-checksumming: on'");
	netns_run("ethtool -k dum | grep -q 'tx-tcp-segmentation: on'");
	netns_run("ethtool -k dum | grep -q 'tx-tcp6-segmentation: on'");
	netns_run("ethtool -k dum | grep -q 'tx-tcp-ecn-segmentation: on'");
	netns_run(known & OFFLOAD_USO ? "ethtool -k dum | grep -q 'tx-udp-segmentation: on'"
				      : "! ethtool -k dum | grep -q 'tx-udp-segmentation: on'");
	assert_int_equal(device_set_offloads(&dev, OFFLOAD_CHECKSUM | OFFLOAD_TSO6),
			 OFFLOAD_CHECKSUM | OFFLOAD_TSO6);
	netns_run("ethtool -k dum | grep -q 'tx-tcp-ecn-segmentation: off'");
	netns_run("ethtool -k dum | grep -q 'tx-udp-segmentation: off'");
	netns_run("ethtool -k dum | grep -q 'tx-tcp-segmentation: off'");
	netns_run("ethtool -k dum | grep -q 'tx-tcp6-segmentation: on'");
	device_set_offloads(&dev, OFFLOAD_TSO); /* not without checksums */
	netns_run("ethtool -k dum | grep -q '^tx-checksumming: off'");
	netns_run("ethtool -k dum | grep -q 'tx-tcp6-segmentation: off'");
	netns_run("ip link del dum");
	assert_int_equal(device_set_offloads(&dev, OFFLOAD_ALL), 0);
	close(queue);
	close(dev.fd);
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

/* As the kernel has it: of the last signal libasan of gcc 16 says so in any case. To libtsan's own
 * handlers is_own() sees through. */
static bool
is_free(int signo)
{
	struct {
		void (*handler)(int);
		unsigned long rest[3];
	} now;

	assert_int_equal(syscall(SYS_rt_sigaction, signo, NULL, &now, sizeof(now.rest[0])), 0);
	return now.handler == SIG_DFL;
}

static bool
is_own(int signo)
{
	struct sigaction now;

	assert_int_equal(sigaction(signo, NULL, &now), 0);
	return now.sa_handler == signal_own;
}

/* All free real-time signals are taken, others' are left alone, and all is as before in the end. */
static void
signals(void **state)
{
	struct sigaction own = {.sa_handler = signal_own};
	struct driver_signals taken;

	(void)state;
	assert_int_equal(sigaction(SIGRTMIN + 3, &own, NULL), 0);
	driver_take_signals(&taken);
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++) {
		assert_false(is_free(signo));
		assert_int_equal(is_own(signo), signo == SIGRTMIN + 3);
	}
	driver_give_signals(&taken);
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++) {
		assert_int_equal(is_free(signo), signo != SIGRTMIN + 3);
		assert_int_equal(is_own(signo), signo == SIGRTMIN + 3);
	}
	own.sa_handler = SIG_DFL;
	assert_int_equal(sigaction(SIGRTMIN + 3, &own, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links),     cmocka_unit_test(settings),
		cmocka_unit_test(addresses), cmocka_unit_test(long_message),
		cmocka_unit_test(messages),  cmocka_unit_test(places),
		cmocka_unit_test(names),     cmocka_unit_test(signals),
		cmocka_unit_test(offloads),
	};

	if (netns_skip())
		return 0;
	return cmocka_run_group_tests(tests, netns_set_up, netns_tear_down);
}

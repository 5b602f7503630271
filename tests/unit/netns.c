/* SPDX-License-Identifier: BSD-3-Clause */
/* netns.c: see netns.h. */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
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

int netns_first = -1, netns_other = -1;

bool
netns_skip(void)
{
	if (geteuid() != 0)
		puts("1..0 # SKIP no right to make network namespaces: run as root");
	else if (access("/dev/net/tun", R_OK | W_OK) != 0)
		printf("1..0 # SKIP /dev/net/tun: %s\n", strerror(errno));
	else
		return false;
	return true;
}

static int
new_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

int
netns_set_up(void **state)
{
	(void)state;
	netns_other = new_namespace();
	netns_first = new_namespace();
	return netns_first >= 0 && netns_other >= 0 ? 0 : -1;
}

int
netns_tear_down(void **state)
{
	(void)state;
	close(netns_first);
	close(netns_other);
	return 0;
}

void
netns_run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

int
netns_tap_open(const char *ifname)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_TUN_EXCL)};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	assert_true(fd >= 0);
	strncpy(ifr.ifr_name, ifname, IFNAMSIZ - 1);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}

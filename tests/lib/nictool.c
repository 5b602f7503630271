/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nictool.c: what tests need in a guest and busybox has not. Linked statically: there are no
 * libraries.
 *
 *   nictool pairs IFNAME N
 *       The NIC uses N of its queue pairs from now on (ethtool -L IFNAME combined N).
 *   nictool rings IFNAME N
 *       Its rings have N entries from now on (ethtool -G IFNAME rx N tx N).
 *   nictool offload IFNAME tx|rx|sg|tso|gso|gro on|off
 *       ethtool -K IFNAME ...
 *   nictool send ADDRESS PORT FLOWS
 *       UDP from FLOWS sockets in turn, without end: the number of the flow and, of each flow, of
 *       the datagram, both 32 bits in network order.
 *   nictool flood ADDRESS PORT RATE
 *       UDP, so many a second, until SIGTERM; then says how many they were.
 *   nictool gap PORT
 *       Receives UDP until SIGTERM; then says how long it was at most without: microseconds.
 *   nictool echo PORT
 *       Sends back what comes, without end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	FLOWS_MAX = 1000,
	PAUSE_US = 2000, /* after a datagram of each flow */
	FLOOD_LEN = 200, /* bytes of a datagram */
	FLOOD_BURST_MAX = 128,
};

static volatile sig_atomic_t is_over;

static int
set_pairs(const char *ifname, const char *n)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq request = {.ifr_data = (void *)&channels};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || strlen(ifname) >= sizeof(request.ifr_name))
		return EXIT_FAILURE;
	strcpy(request.ifr_name, ifname);
	if (ioctl(fd, SIOCETHTOOL, &request) != 0) {
		perror("nictool: ETHTOOL_GCHANNELS");
		return EXIT_FAILURE;
	}
	channels.cmd = ETHTOOL_SCHANNELS;
	channels.combined_count = (uint32_t)strtoul(n, NULL, 10);
	if (ioctl(fd, SIOCETHTOOL, &request) != 0) {
		perror("nictool: ETHTOOL_SCHANNELS");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static int
set_rings(const char *ifname, const char *n)
{
	struct ethtool_ringparam rings = {.cmd = ETHTOOL_GRINGPARAM};
	struct ifreq request = {.ifr_data = (void *)&rings};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || strlen(ifname) >= sizeof(request.ifr_name))
		return EXIT_FAILURE;
	strcpy(request.ifr_name, ifname);
	if (ioctl(fd, SIOCETHTOOL, &request) != 0) {
		perror("nictool: ETHTOOL_GRINGPARAM");
		return EXIT_FAILURE;
	}
	rings.cmd = ETHTOOL_SRINGPARAM;
	rings.rx_pending = rings.tx_pending = (uint32_t)strtoul(n, NULL, 10);
	if (ioctl(fd, SIOCETHTOOL, &request) != 0) {
		perror("nictool: ETHTOOL_SRINGPARAM");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static int
set_offload(const char *ifname, const char *name, const char *value)
{
	static const struct {
		const char *name;
		uint32_t cmd;
	} offloads[] = {
		{"tx", ETHTOOL_STXCSUM}, {"rx", ETHTOOL_SRXCSUM}, {"sg", ETHTOOL_SSG},
		{"tso", ETHTOOL_STSO},	 {"gso", ETHTOOL_SGSO},	  {"gro", ETHTOOL_SGRO},
	};
	struct ethtool_value set = {.data = strcmp(value, "on") == 0};
	struct ifreq request = {.ifr_data = (void *)&set};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || strlen(ifname) >= sizeof(request.ifr_name))
		return EXIT_FAILURE;
	strcpy(request.ifr_name, ifname);
	for (size_t i = 0; i < sizeof(offloads) / sizeof(offloads[0]); i++)
		if (strcmp(offloads[i].name, name) == 0)
			set.cmd = offloads[i].cmd;
	if (!set.cmd || ioctl(fd, SIOCETHTOOL, &request) != 0) {
		perror("nictool: offload");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static int
send_flows(const char *address, const char *port, const char *n)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	unsigned long n_flows = strtoul(n, NULL, 10);
	int fds[FLOWS_MAX];

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || n_flows > FLOWS_MAX)
		return EXIT_FAILURE;
	for (unsigned long i = 0; i < n_flows; i++) {
		fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (fds[i] < 0 || connect(fds[i], (const struct sockaddr *)&to, sizeof(to)) != 0) {
			perror("nictool: connect");
			return EXIT_FAILURE;
		}
	}
	for (uint32_t number = 0;; number++) {
		for (uint32_t flow = 0; flow < n_flows; flow++) {
			uint32_t data[] = {htonl(flow), htonl(number)};

			/* what can't be sent now is a gap in the numbers */
			(void)!send(fds[flow], data, sizeof(data), 0);
		}
		usleep(PAUSE_US);
	}
}

static void
end(int number)
{
	(void)number;
	is_over = 1;
}

/* Unlike signal(), interrupts what waits. */
static void
end_on_sigterm(void)
{
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = end}, NULL);
}

/* Microseconds. */
static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* What could not be sent in time is sent later, in larger bursts: the mean is as asked. */
static int
flood(const char *address, const char *port, const char *per_second)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	static char data[FLOOD_LEN];
	struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
	uint64_t rate = strtoull(per_second, NULL, 10), start, sent = 0;
	useconds_t rest_us = rate > 0 && rate < 2000 ? (useconds_t)(1000000 / rate) : 500;
	struct mmsghdr burst[FLOOD_BURST_MAX];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || rate == 0 || fd < 0 ||
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
		perror("nictool: flood");
		return EXIT_FAILURE;
	}
	memset(burst, 0, sizeof(burst));
	for (int i = 0; i < FLOOD_BURST_MAX; i++)
		burst[i].msg_hdr = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	end_on_sigterm();
	start = now();
	while (!is_over) {
		uint64_t due = (now() - start) * rate / 1000000 - sent;
		int n = 0;

		if (due > 0)
			n = sendmmsg(fd, burst,
				     due < FLOOD_BURST_MAX ? (unsigned int)due : FLOOD_BURST_MAX,
				     0);
		if (n > 0) /* else nobody takes them, which is said to us from time to time */
			sent += (uint64_t)n;
		if (due < FLOOD_BURST_MAX)
			usleep(rest_us);
	}
	printf("%llu\n", (unsigned long long)sent);
	return EXIT_SUCCESS;
}

/* A socket bound to a UDP port, or -1. */
static int
bind_port(const char *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	perror("nictool: bind");
	return -1;
}

static int
gap(const char *port)
{
	int fd = bind_port(port);
	uint64_t last = now(), longest = 0;

	if (fd < 0)
		return EXIT_FAILURE;
	end_on_sigterm();
	while (!is_over) {
		char data[1];
		uint64_t t;

		(void)!recv(fd, data, sizeof(data), 0);
		t = now();
		longest = t - last > longest ? t - last : longest;
		last = t;
	}
	printf("%llu\n", (unsigned long long)longest);
	return EXIT_SUCCESS;
}

static int
echo(const char *port)
{
	int fd = bind_port(port);
	char data[2048];

	if (fd < 0)
		return EXIT_FAILURE;
	for (;;) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &len);

		if (n >= 0) /* what can't be sent now nobody waits for */
			(void)!sendto(fd, data, (size_t)n, 0, (const struct sockaddr *)&from, len);
	}
}

int
main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "pairs"))
		return set_pairs(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "rings"))
		return set_rings(argv[2], argv[3]);
	if (argc == 5 && !strcmp(argv[1], "offload"))
		return set_offload(argv[2], argv[3], argv[4]);
	if (argc == 5 && !strcmp(argv[1], "send"))
		return send_flows(argv[2], argv[3], argv[4]);
	if (argc == 3 && !strcmp(argv[1], "gap"))
		return gap(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "echo"))
		return echo(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "flood"))
		return flood(argv[2], argv[3], argv[4]);
	fprintf(stderr, "usage: nictool pairs IFNAME N | rings IFNAME N | "
			"offload IFNAME NAME on|off | send ADDRESS PORT FLOWS | "
			"flood ADDRESS PORT RATE | gap PORT | echo PORT\n");
	return 2;
}

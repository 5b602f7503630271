/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nictool.c: what tests need in a guest and busybox has not. Linked statically: there are no
 * libraries.
 *
 *   nictool pairs IFNAME N
 *       The NIC uses N of its queue pairs from now on (ethtool -L IFNAME combined N).
 *   nictool offload IFNAME tx|rx|sg|tso|gso|gro on|off
 *       ethtool -K IFNAME ...
 *   nictool send ADDRESS PORT FLOWS
 *       UDP from FLOWS sockets in turn, without end: the number of the flow and, of each flow, of
 *       the datagram, both 32 bits in network order.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FLOWS_MAX = 1000,
	PAUSE_US = 2000, /* after a datagram of each flow */
};

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

int
main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "pairs"))
		return set_pairs(argv[2], argv[3]);
	if (argc == 5 && !strcmp(argv[1], "offload"))
		return set_offload(argv[2], argv[3], argv[4]);
	if (argc == 5 && !strcmp(argv[1], "send"))
		return send_flows(argv[2], argv[3], argv[4]);
	fprintf(stderr, "usage: nictool pairs IFNAME N | offload IFNAME NAME on|off | "
			"send ADDRESS PORT FLOWS\n");
	return 2;
}

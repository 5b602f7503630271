/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gen.c: perf_gen, two guests in one thread, with a switch between them.
 *
 * It connects both, then reads one command per line and answers each with one line of JSON:
 *
 *	teach     every station sends a frame, so that the switch knows it
 *	window    sends as fast as it goes for ms milliseconds and counts what arrives
 *	verify    sends frames frames and compares each byte of what arrives
 *	quit
 *
 * with any of KEY=VALUE: size= macs= layout=single|two|indirect both=0|1 ms= frames= limit=.
 */
#include "measure.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

enum {
	GEN_CONNECT_MS = 10000
};

/* KEY=VALUE. False if there is no such key, or the value is out of range. */
static bool
command_set(struct command *c, const char *word)
{
	char key[16];
	unsigned long value;

	if (strcmp(word, "layout=single") == 0) {
		c->traffic.layout = RING_SINGLE;
		return true;
	}
	if (strcmp(word, "layout=two") == 0) {
		c->traffic.layout = RING_TWO;
		return true;
	}
	if (strcmp(word, "layout=indirect") == 0) {
		c->traffic.layout = RING_INDIRECT;
		return true;
	}
	if (sscanf(word, "%15[a-z]=%lu", key, &value) != 2)
		return false;
	if (strcmp(key, "size") == 0 && value >= TRAFFIC_LEN_MIN && value <= TRAFFIC_LEN_MAX)
		c->traffic.len = (uint32_t)value;
	else if (strcmp(key, "macs") == 0 && value >= 1 && value <= TRAFFIC_MACS_MAX)
		c->traffic.macs = (uint32_t)value;
	else if (strcmp(key, "limit") == 0 && value <= UINT16_MAX)
		c->traffic.limit = (uint32_t)value;
	else if (strcmp(key, "both") == 0 && value <= 1)
		c->both_ways = value;
	else if (strcmp(key, "ms") == 0 && value >= 1 && value <= 60000)
		c->ms = (uint32_t)value;
	else if (strcmp(key, "frames") == 0 && value >= 1)
		c->frames = value;
	else
		return false;
	return true;
}

/* Carries out one line. False: quit. */
static bool
gen_command(struct gen *gen, char *line)
{
	struct command c = {.traffic = {.len = 64, .macs = 1}, .ms = 40, .frames = 10000};
	char *left, *word = strtok_r(line, " \n", &left);

	if (word == NULL || strcmp(word, "quit") == 0)
		return false;
	snprintf(c.verb, sizeof(c.verb), "%s", word);
	while ((word = strtok_r(NULL, " \n", &left)) != NULL)
		if (!command_set(&c, word)) {
			printf("{\"error\": \"%s: no such key, or out of range\"}\n", word);
			return true;
		}
	if (strcmp(c.verb, "teach") == 0) {
		measure_teach(gen, &c);
	} else if (strcmp(c.verb, "window") == 0) {
		measure_window(gen, &c);
	} else if (strcmp(c.verb, "verify") == 0) {
		c.traffic.is_verified = true;
		if (c.traffic.limit == 0)
			c.traffic.limit = MEASURE_LIMIT;
		measure_verify(gen, &c);
	} else {
		printf("{\"error\": \"%s: no such command\"}\n", c.verb);
	}
	return true;
}

/* Both connected: says what was agreed. */
static int
gen_start(struct gen *gen)
{
	for (uint32_t i = 0; i < 2; i++)
		guest_init(&gen->guests[i], (uint8_t)(i + 1), &gen->guests[1 - i]);
	for (uint32_t i = 0; i < 2; i++)
		if (gen->confs[i].is_server && guest_listen(&gen->guests[i], &gen->confs[i]) < 0)
			goto fail;
	for (uint32_t i = 0; i < 2; i++)
		if (guest_start(&gen->guests[i], &gen->confs[i], GEN_CONNECT_MS) < 0)
			goto fail;
	if (gen->switch_cpu >= 0)
		gen->probe = probe_create((uint16_t)gen->switch_cpu);
	printf("{\"features\": %" PRIu64 ", \"hugepages\": %s, \"clock_hz\": %.0f, "
	       "\"probe\": %s}\n",
	       gen->guests[0].fe.features, gen->guests[0].fe.has_hugepages ? "true" : "false",
	       clock_hz, gen->probe != NULL ? "true" : "false");
	return 0;
fail:
	for (uint32_t i = 0; i < 2; i++)
		if (gen->guests[i].fe.error[0] != 0)
			printf("{\"error\": \"guest %u: %s\"}\n", i + 1, gen->guests[i].fe.error);
	return -1;
}

static void
usage(void)
{
	fprintf(stderr, "usage: perf_gen [OPTIONS] SOCKET SOCKET   (commands on stdin, see gen.c)\n"
			"  --server          listen on the sockets, the switch connects\n"
			"  --ring-size N     descriptors (1024)\n"
			"  --rx-len N        bytes of a receive buffer (2048)\n"
			"  --frame-max N     bytes of the longest frame (1518)\n"
			"  --packed          packed rings, or fail\n"
			"  --event-idx       EVENT_IDX, or fail\n"
			"  --no-mergeable    no mergeable receive buffers\n"
			"  --no-hugepages    guest memory in ordinary pages\n"
			"  --cpu N           run there\n"
			"  --switch-cpu N    where the switch polls: probe how far that is\n"
			"  --switch-pid N    the switch: find out if it always had its CPU\n");
}

static bool
parse_number(const char *text, unsigned long min, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	return errno == 0 && end != text && *end == 0 && *value >= min && *value <= max;
}

/* False: usage. */
static bool
parse_options(struct gen *gen, int argc, char **argv)
{
	static const struct option options[] = {
		{"server", no_argument, NULL, 's'},
		{"ring-size", required_argument, NULL, 'r'},
		{"rx-len", required_argument, NULL, 'l'},
		{"frame-max", required_argument, NULL, 'f'},
		{"packed", no_argument, NULL, 'p'},
		{"event-idx", no_argument, NULL, 'e'},
		{"no-mergeable", no_argument, NULL, 'm'},
		{"no-hugepages", no_argument, NULL, 'n'},
		{"cpu", required_argument, NULL, 'c'},
		{"switch-cpu", required_argument, NULL, 'd'},
		{"switch-pid", required_argument, NULL, 'i'},
		{0},
	};
	struct guest_conf conf = {
		.features = 1ull << VIRTIO_NET_F_MRG_RXBUF | 1ull << VIRTIO_RING_F_INDIRECT_DESC |
			    1ull << FRONTEND_F_PROTOCOL,
		.required = 1ull << VIRTIO_F_VERSION_1,
		.ring_size = 1024,
		.rx_len = 2048,
		.frame_max = 1518,
		.want_hugepages = true,
	};
	unsigned long n;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		n = 0;
		if (option == 's')
			conf.is_server = true;
		else if (option == 'p')
			conf.required |= 1ull << VIRTIO_F_RING_PACKED;
		else if (option == 'e')
			conf.required |= 1ull << VIRTIO_RING_F_EVENT_IDX;
		else if (option == 'm')
			conf.features &= ~(1ull << VIRTIO_NET_F_MRG_RXBUF);
		else if (option == 'n')
			conf.want_hugepages = false;
		else if (option == 'r' && parse_number(optarg, 64, RING_SIZE_MAX, &n) &&
			 (n & (n - 1)) == 0)
			conf.ring_size = (uint16_t)n;
		else if (option == 'l' && parse_number(optarg, 128, 1 << 20, &n))
			conf.rx_len = (uint32_t)n;
		else if (option == 'f' && parse_number(optarg, 64, TRAFFIC_LEN_MAX, &n))
			conf.frame_max = (uint32_t)n;
		else if (option == 'c' && parse_number(optarg, 0, CPU_SETSIZE - 1, &n))
			gen->cpu = (int)n;
		else if (option == 'd' && parse_number(optarg, 0, CPU_SETSIZE - 1, &n))
			gen->switch_cpu = (int)n;
		else if (option == 'i' && parse_number(optarg, 1, INT32_MAX, &n))
			gen->switch_pid = (pid_t)n;
		else
			return false;
	}
	if (argc - optind != 2)
		return false;
	for (int i = 0; i < 2; i++) {
		gen->confs[i] = conf;
		gen->confs[i].socket = argv[optind + i];
	}
	return true;
}

int
main(int argc, char **argv)
{
	struct gen gen = {.cpu = -1, .switch_cpu = -1};
	char line[256];
	int rc;

	if (!parse_options(&gen, argc, argv)) {
		usage();
		return 2;
	}
	if (gen.cpu >= 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((size_t)gen.cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0) {
			fprintf(stderr, "perf_gen: CPU %d: %s\n", gen.cpu, strerror(errno));
			return 1;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	clock_start();
	rc = gen_start(&gen);
	while (rc == 0 && fgets(line, sizeof(line), stdin) != NULL && gen_command(&gen, line))
		;
	probe_destroy(gen.probe);
	guest_close(&gen.guests[0]);
	guest_close(&gen.guests[1]);
	return rc == 0 ? 0 : 1;
}

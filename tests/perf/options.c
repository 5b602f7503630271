/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.c: reading the command line (options.h).
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "frame.h"
#include "ring.h"

enum {
	OPTIONS_RING_MIN = 64,
	OPTIONS_RX_LEN_MIN = 128,
	OPTIONS_RX_LEN_MAX = 1 << 20,
};

static const struct {
	char letter;
	const char *name, *value, *help;
} table[] = {
	{'s', "server", NULL, "listen on the sockets, the switch connects"},
	{'r', "ring-size", "N", "descriptors (1024)"},
	{'l', "rx-len", "N", "bytes of a receive buffer (2048)"},
	{'f', "frame-max", "N", "bytes of the longest frame (1518)"},
	{'p', "packed", NULL, "packed rings, or fail"},
	{'o', "in-order", NULL, "IN_ORDER, or fail"},
	{'e', "event-idx", NULL, "EVENT_IDX, or fail"},
	{'k', "csum", NULL, "checksums are left to others, or fail"},
	{'t', "tso", NULL, "the same, and segments of TCP over IPv4, or fail"},
	{'q', "plain-receivers", NULL, "but every second guest neither leaves nor takes any"},
	{'m', "no-mergeable", NULL, "no mergeable receive buffers"},
	{'n', "no-hugepages", NULL, "guest memory in ordinary pages"},
	{'c', "cpu", "N", "run there"},
	{'d', "switch-cpu", "N", "where the switch polls: probe how far that is"},
	{'i', "switch-pid", "N", "the switch: find out if it always had its CPU"},
};

enum {
	N_TABLE = sizeof(table) / sizeof(table[0]),
};

static void
usage(const struct options_kind *kind)
{
	fprintf(stderr, "usage: %s [OPTIONS] %s   (commands on stdin, see command.h)\n",
		kind->program, kind->names);
	for (uint32_t i = 0; i < N_TABLE; i++)
		if (strchr(kind->letters, table[i].letter) != NULL)
			fprintf(stderr, "  --%s%*s%s\n", table[i].name,
				(int)strlen(table[i].name) - 18, table[i].value != NULL ? " N" : "",
				table[i].help);
}

static bool
parse_number(const char *text, unsigned long min, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	return errno == 0 && end != text && *end == 0 && *value >= min && *value <= max;
}

/* False: the value is out of range. */
static bool
set_number(struct options *o, int letter, const char *text)
{
	unsigned long n = 0;
	bool is_good;

	if (letter == 'r') {
		is_good = parse_number(text, OPTIONS_RING_MIN, RING_SIZE_MAX, &n) &&
			  (n & (n - 1)) == 0;
		o->ring_size = (uint16_t)n;
	} else if (letter == 'l') {
		is_good = parse_number(text, OPTIONS_RX_LEN_MIN, OPTIONS_RX_LEN_MAX, &n);
		o->rx_len = (uint32_t)n;
	} else if (letter == 'f') {
		is_good = parse_number(text, FRAME_LEN_MIN, FRAME_LEN_MAX, &n);
		o->frame_max = (uint32_t)n;
	} else if (letter == 'i') {
		is_good = parse_number(text, 1, INT32_MAX, &n);
		o->switch_pid = (pid_t)n;
	} else {
		is_good = parse_number(text, 0, CPU_SETSIZE - 1, &n);
		*(letter == 'c' ? &o->cpu : &o->switch_cpu) = (int)n;
	}
	return is_good;
}

static void
set_flag(struct options *o, int letter)
{
	o->is_server |= letter == 's';
	o->is_packed |= letter == 'p';
	o->is_in_order |= letter == 'o';
	o->has_event_idx |= letter == 'e';
	o->has_sum |= letter == 'k' || letter == 't';
	o->has_tso |= letter == 't';
	o->has_plain_receivers |= letter == 'q';
	o->is_mergeable &= letter != 'm';
	o->has_hugepages &= letter != 'n';
}

bool
options_parse(struct options *o, const struct options_kind *kind, int argc, char **argv)
{
	struct option longs[N_TABLE + 1] = {0};
	int letter;

	*o = (struct options){
		.is_mergeable = true,
		.has_hugepages = true,
		.ring_size = 1024,
		.rx_len = 2048,
		.frame_max = 1518,
		.cpu = -1,
		.switch_cpu = -1,
	};
	for (uint32_t i = 0, n = 0; i < N_TABLE; i++)
		if (strchr(kind->letters, table[i].letter) != NULL)
			longs[n++] = (struct option){table[i].name,
						     table[i].value != NULL ? required_argument
									    : no_argument,
						     NULL, table[i].letter};
	while ((letter = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (letter == '?')
			goto fail;
		if (optarg == NULL)
			set_flag(o, letter);
		else if (!set_number(o, letter, optarg)) {
			fprintf(stderr, "%s: %s: out of range\n", kind->program, optarg);
			goto fail;
		}
	}
	o->names = argv + optind;
	o->n_names = (uint32_t)(argc - optind);
	if (o->n_names < 2 || o->n_names > kind->names_max) {
		fprintf(stderr, "%s: %u guests, it takes 2 to %u\n", kind->program, o->n_names,
			kind->names_max);
		goto fail;
	}
	return true;
fail:
	usage(kind);
	return false;
}

int
options_settle(const struct options *o, const struct options_kind *kind)
{
	cpu_set_t set;

	if (o->cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET((size_t)o->cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0) {
			fprintf(stderr, "%s: CPU %d: %s\n", kind->program, o->cpu, strerror(errno));
			return -errno;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	clock_start();
	return 0;
}

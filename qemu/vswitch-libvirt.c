/* SPDX-License-Identifier: BSD-3-Clause */
/* vswitch-libvirt.c: between libvirt and the switch: follows the domains, and is libvirt's hook. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "client.h"
#include "follow.h"
#include "hook.h"
#include "path.h"
#include "ports.h"

#define URI_DEFAULT "qemu:///system"

enum {
	EXIT_USAGE = 2,
	WAIT_S = 10, /* for each answer of vswitchd: whoever starts a domain waits as long */
};

static void
print_usage(FILE *out)
{
	fputs("usage: vswitch-libvirt [OPTIONS]\n"
	      "       vswitch-libvirt [OPTIONS] --hook NAME OPERATION SUB-OPERATION [EXTRA]\n"
	      "\n"
	      "Follows libvirt's domains and keeps the ports of the switch as they need them; "
	      "with\n"
	      "--hook, does what libvirt's hook for QEMU has to, once.\n"
	      "\n"
	      "  -c, --connect URI    of libvirt (default " URI_DEFAULT ")\n"
	      "  -s, --socket SOCKET  of vswitchd (default " CLIENT_SOCKET_DEFAULT ")\n"
	      "  -d, --dir DIR        add ports for sockets in DIR only; may be given several "
	      "times\n"
	      "                       (default /run/vswitch, /run/vswitch/qemu, "
	      "/run/vswitch-qemu)\n"
	      "  -g, --group GROUP    of the sockets that the switch makes for domains (default: "
	      "kvm)\n"
	      "  -h, --help           print this\n",
	      out);
}

static bool
add_dir(struct ports_rules *rules, char *dir)
{
	if (dir[0] != '/' || rules->n_dirs == PORTS_DIRS_MAX) {
		fprintf(stderr, "vswitch-libvirt: --dir %s: up to %d absolute paths are taken\n",
			dir, PORTS_DIRS_MAX);
		return false;
	}
	path_squeeze(dir);
	rules->dirs[rules->n_dirs++] = dir;
	return true;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"connect", required_argument, NULL, 'c'},
		{"socket", required_argument, NULL, 's'},
		{"dir", required_argument, NULL, 'd'},
		{"group", required_argument, NULL, 'g'},
		{"hook", no_argument, NULL, 'H'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct client client = {.socket = CLIENT_SOCKET_DEFAULT, .wait_s = WAIT_S};
	struct ports_rules rules = {0};
	const char *uri = URI_DEFAULT;
	bool is_hook = false;
	int c;

	while ((c = getopt_long(argc, argv, "+c:s:d:g:h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			uri = optarg;
			break;
		case 's':
			client.socket = optarg;
			break;
		case 'd':
			if (!add_dir(&rules, optarg))
				return EXIT_USAGE;
			break;
		case 'g':
			rules.group = optarg;
			break;
		case 'H':
			is_hook = true;
			break;
		case 'h':
			print_usage(stdout);
			return EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
		if (is_hook)
			break; /* the rest are no options, even where a domain is named so */
	}
	if (!rules.n_dirs)
		ports_default_dirs(&rules);
	if (is_hook)
		return hook_run(&client, &rules, argc - optind, argv + optind);
	if (optind < argc) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	return follow_run(&client, &rules, uri);
}

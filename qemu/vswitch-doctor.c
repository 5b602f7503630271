/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vswitch-doctor.c: `vswitchctl doctor`: looks whether this machine is ready for the switch and its
 * guests, and says what to change. Changes nothing.
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define CONFIG_DEFAULT "/etc/vswitch/vswitch.yaml"
#define URI_DEFAULT    "qemu:///system"
#define USER_DEFAULT   "libvirt-qemu"

enum {
	EXIT_ERRORS = 1,
	EXIT_USAGE = 2,
	WAIT_S = 10,
	CONFIG_MAX = 400 << 10, /* bytes */
};

static void
print_usage(FILE *out)
{
	fputs("usage: vswitchctl [-s SOCKET] [--json] doctor [--domain NAME] [--connect URI]\n"
	      "                                              [--config FILE] [--user USER]\n"
	      "\n"
	      "Looks whether this machine is ready for the switch and its guests, and says what "
	      "to\n"
	      "change. Changes nothing.\n"
	      "\n"
	      "      --domain NAME   look at this domain of libvirt's only\n"
	      "      --connect URI   of libvirt (default " URI_DEFAULT ")\n"
	      "      --config FILE   of vswitchd, if it does not run (default " CONFIG_DEFAULT ")\n"
	      "      --user USER     that QEMU runs as (default " USER_DEFAULT ")\n"
	      "\n"
	      "Exit code: 0 no errors (warnings are none), 1 errors, 2 wrong usage.\n",
	      out);
}

/* From the running daemon: its configuration and ports. */
static bool
doctor_ask(struct doctor *d)
{
	struct json_object *result = client_call(&d->client, "config.show", NULL), *text;
	char why[SETUP_WHY_MAX];
	bool is_right = false;

	if (json_object_object_get_ex(result, "text", &text))
		is_right =
			setup_parse(json_object_get_string(text),
				    (size_t)json_object_get_string_len(text), &d->setup, why) == 0;
	json_object_put(result);
	return is_right && ports_list(&d->client, &d->ports) == 0;
}

static void
doctor_read(struct doctor *d)
{
	FILE *file = fopen(d->config, "re");
	char *text = file ? malloc(CONFIG_MAX) : NULL, why[SETUP_WHY_MAX];
	struct finding *finding;

	if (!text) {
		finding = finding_add(&d->findings, FINDING_WARNING, "config",
				      "%s can't be read: %s", d->config, strerror(errno));
		finding_todo(finding, "write it: vswitch.yaml(5)");
	} else if (setup_parse(text, fread(text, 1, CONFIG_MAX, file), &d->setup, why)) {
		finding = finding_add(&d->findings, FINDING_ERROR, "config", "%s: %s", d->config,
				      why);
		finding_todo(finding, "vswitchd --check -c %s says more", d->config);
	} else {
		finding_add(&d->findings, FINDING_OK, "config", "%s is looked at: %u ports",
			    d->config, d->setup.n_ports);
		d->is_set_up = true;
	}
	free(text);
	if (file)
		fclose(file);
}

static void
doctor_find_user(struct doctor *d, const char *name)
{
	const struct passwd *user = getpwnam(name);

	snprintf(d->user.name, sizeof(d->user.name), "%s", name);
	d->user.n_groups = DOCTOR_GROUPS_MAX;
	if (!user)
		return;
	d->user.uid = user->pw_uid;
	d->user.is_known = getgrouplist(name, user->pw_gid, d->user.groups, &d->user.n_groups) >= 0;
}

static void
doctor_run(struct doctor *d)
{
	if (doctor_ask(d)) {
		finding_add(&d->findings, FINDING_OK, "vswitchd", "it runs, with %u ports",
			    d->ports.n);
		d->is_running = d->is_set_up = true;
	} else {
		struct finding *finding =
			finding_add(&d->findings, FINDING_WARNING, "vswitchd", "%s", d->client.why);

		d->is_barred = access(d->client.socket, W_OK) != 0 && errno == EACCES;
		finding_todo(finding, d->is_barred ? "run it as root: without that, some of what "
						     "follows may not be so"
						   : "start vswitchd when all else is right");
		doctor_read(d);
	}
	if (d->is_set_up) {
		doctor_find_workers(d);
		doctor_check_hugepages(d);
		doctor_check_sharing(d);
		doctor_check_iommu(d);
		doctor_check_vfio(d);
		doctor_check_cpus(d);
		doctor_check_numa(d);
		doctor_check_sockets(d);
	}
	doctor_check_domains(d);
}

int
main(int argc, char **argv)
{
	enum {
		OPT_JSON = 256,
		OPT_DOMAIN,
		OPT_CONNECT,
		OPT_CONFIG,
		OPT_USER,
		OPT_ROOT,
	};
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, OPT_JSON},
		{"domain", required_argument, NULL, OPT_DOMAIN},
		{"connect", required_argument, NULL, OPT_CONNECT},
		{"config", required_argument, NULL, OPT_CONFIG},
		{"user", required_argument, NULL, OPT_USER},
		{"root", required_argument, NULL, OPT_ROOT}, /* for tests: see doctor.h */
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct doctor d = {.root = "",
			   .client = {.socket = CLIENT_SOCKET_DEFAULT, .wait_s = WAIT_S},
			   .config = CONFIG_DEFAULT,
			   .uri = URI_DEFAULT};
	const char *user = USER_DEFAULT;
	bool json = false, has_errors;
	int c;

	while ((c = getopt_long(argc, argv, "s:h", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			d.client.socket = optarg;
			break;
		case OPT_JSON:
			json = true;
			break;
		case OPT_DOMAIN:
			d.domain = optarg;
			break;
		case OPT_CONNECT:
			d.uri = optarg;
			break;
		case OPT_CONFIG:
			d.config = optarg;
			break;
		case OPT_USER:
			user = optarg;
			break;
		case OPT_ROOT:
			d.root = optarg;
			break;
		case 'h':
			print_usage(stdout);
			return EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	doctor_find_user(&d, user);
	doctor_run(&d);
	finding_print(&d.findings, json);
	has_errors = finding_count(&d.findings, FINDING_ERROR) > 0;
	finding_free(&d.findings);
	ports_free(&d.ports);
	setup_free(&d.setup);
	return has_errors || fflush(stdout) ? EXIT_ERRORS : EXIT_SUCCESS;
}

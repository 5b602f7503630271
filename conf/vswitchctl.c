/* SPDX-License-Identifier: BSD-3-Clause */
/* vswitchctl.c: the operator's tool: a command line into one call over the control socket. */
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

#define DOCTOR_NAME "vswitch-doctor"

enum {
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
	WAIT_S = 30,		  /* for the daemon */
	FILE_LEN_MAX = 400 << 10, /* bytes; the daemon takes as many */
};

struct command {
	const char *group; /* first word, or NULL */
	const char *name;
	const char *args; /* for people */
	const char *help;
	int n_min, n_max; /* arguments */
	const char *method;
	/* Makes the parameters of the call (NULL: none); false after a sentence on stderr. */
	bool (*params)(int argc, char **argv, struct json_object **params);
	void (*print)(struct json_object *result);
};

/* An argument is the parameter of that name. */
static bool
params_name(int argc, char **argv, struct json_object **params)
{
	if (argc) {
		*params = json_object_new_object();
		json_object_object_add(*params, "name", json_object_new_string(argv[0]));
	}
	return true;
}

static bool
params_port(int argc, char **argv, struct json_object **params)
{
	if (argc) {
		*params = json_object_new_object();
		json_object_object_add(*params, "port", json_object_new_string(argv[0]));
	}
	return true;
}

/* The keys of a port that are lists. */
static bool
params_is_list(const char *key)
{
	static const char *const lists[] = {"lcores", "address", "vlans"};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (strcmp(key, lists[i]) == 0)
			return true;
	return false;
}

/* a,b,c */
static struct json_object *
params_list(const char *text)
{
	struct json_object *list = json_object_new_array();

	while (*text) {
		size_t len = strcspn(text, ",");

		json_object_array_add(list, json_object_new_string_len(text, (int)len));
		text += len + (text[len] == ',');
	}
	return list;
}

/* Adds KEY=VALUE, or KEY.KEY=VALUE for a key of a mapping. */
static bool
params_add_key(struct json_object *params, const char *word)
{
	const char *equals = strchr(word, '=');
	struct json_object *inner;
	char key[64], *own = key, *dot;

	if (!equals || equals == word || (size_t)(equals - word) >= sizeof(key)) {
		fprintf(stderr, "vswitchctl: \"%s\" is not KEY=VALUE\n", word);
		return false;
	}
	memcpy(key, word, (size_t)(equals - word));
	key[equals - word] = 0;
	dot = strchr(key, '.');
	if (dot) {
		*dot = 0;
		own = dot + 1;
		if (!json_object_object_get_ex(params, key, &inner)) {
			inner = json_object_new_object();
			json_object_object_add(params, key, inner);
		}
		params = inner;
	}
	if (!json_object_is_type(params, json_type_object) ||
	    json_object_object_get_ex(params, own, NULL)) {
		fprintf(stderr, "vswitchctl: %.*s is there twice\n", (int)(equals - word), word);
		return false;
	}
	json_object_object_add(params, own,
			       params_is_list(own) ? params_list(equals + 1)
						   : json_object_new_string(equals + 1));
	return true;
}

/* NAME KEY=VALUE...: the daemon knows the keys and what may be in them. */
static bool
params_keys(int argc, char **argv, struct json_object **params)
{
	*params = json_object_new_object();
	json_object_object_add(*params, "name", json_object_new_string(argv[0]));
	for (int i = 1; i < argc; i++)
		if (!params_add_key(*params, argv[i]))
			return false;
	return true;
}

/* Is all text in it UTF-8, which JSON has to be? */
static bool
params_are_utf8(struct json_object *params)
{
	struct json_tokener *tokener = json_tokener_new();
	enum json_tokener_error code;

	json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8);
	json_object_put(json_tokener_parse_ex(tokener, json_object_to_json_string(params), -1));
	code = json_tokener_get_error(tokener);
	json_tokener_free(tokener);
	return code == json_tokener_success;
}

/* What is in a file (-: standard input), NULL after a sentence on stderr. */
static char *
params_read(const char *path, size_t *len)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *text = malloc(FILE_LEN_MAX + 1);
	bool right = false;

	*len = file && text ? fread(text, 1, FILE_LEN_MAX + 1, file) : 0;
	if (!file || !text || ferror(file))
		fprintf(stderr, "vswitchctl: %s: can't be read: %s\n", path, strerror(errno));
	else if (*len > FILE_LEN_MAX)
		fprintf(stderr,
			"vswitchctl: %s: has more than %d bytes, which no configuration has\n",
			path, FILE_LEN_MAX);
	else
		right = true;
	if (file && file != stdin)
		fclose(file);
	if (right)
		return text;
	free(text);
	return NULL;
}

/* The file as text, and its name for messages: the daemon judges it. */
static bool
params_file(int argc, char **argv, struct json_object **params)
{
	size_t len;
	char *text = params_read(argv[0], &len), *path;

	(void)argc;
	if (!text)
		return false;
	path = strcmp(argv[0], "-") == 0 ? NULL : realpath(argv[0], NULL);
	*params = json_object_new_object();
	json_object_object_add(*params, "text", json_object_new_string_len(text, (int)len));
	json_object_object_add(*params, "name",
			       json_object_new_string(path ? path : "standard input"));
	free(text);
	free(path);
	if (params_are_utf8(*params))
		return true;
	fprintf(stderr, "vswitchctl: %s: is not UTF-8 text\n", argv[0]);
	return false;
}

static const struct command commands[] = {
	{NULL, "status", "", "what runs, and how it is", 0, 0, "status", NULL, client_print_status},
	{"port", "list", "", "all ports", 0, 0, "port.list", NULL, client_print_ports},
	{"port", "show", "NAME", "all about a port", 1, 1, "port.show", params_name,
	 client_print_port},
	{"port", "add", "NAME KEY=VALUE...", "add a port, until the configuration is loaded again",
	 1, INT_MAX, "port.add", params_keys, client_print_nothing},
	{"port", "set", "NAME KEY=VALUE...", "change keys of a port, likewise", 2, INT_MAX,
	 "port.set", params_keys, client_print_nothing},
	{"port", "del", "NAME", "remove a port", 1, 1, "port.del", params_name,
	 client_print_nothing},
	{"port", "restart", "NAME", "stop the device of an uplink and start it anew", 1, 1,
	 "port.restart", params_name, client_print_nothing},
	{"fdb", "list", "", "which station is behind which port", 0, 0, "fdb.list", NULL,
	 client_print_fdb},
	{"fdb", "flush", "[PORT]", "forget the learned stations (of a port)", 0, 1, "fdb.flush",
	 params_port, client_print_flushed},
	{NULL, "stats", "[NAME]", "counters (of a port), and why frames were dropped", 0, 1,
	 "stats", params_name, client_print_stats},
	{"worker", "list", "", "the CPUs that poll, and how busy they are", 0, 0, "worker.list",
	 NULL, client_print_workers},
	{"config", "show", "", "the configuration in force", 0, 0, "config.show", NULL,
	 client_print_config},
	{"config", "check", "FILE", "is this file right?", 1, 1, "config.check", params_file,
	 client_print_checked},
	{"config", "apply", "FILE", "make the switch what the file says, or change nothing", 1, 1,
	 "config.apply", params_file, client_print_nothing},
	{NULL, "version", "", "the version of the daemon", 0, 0, "version", NULL,
	 client_print_version},
};

enum {
	N_COMMANDS = sizeof(commands) / sizeof(commands[0])
};

/*
 * `vswitchctl doctor`: a program of its own, beside this one or where it was installed, since it
 * also talks to libvirt. Returns the exit code if it can't be started.
 */
static int
run_doctor(char **argv)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof(DOCTOR_NAME));

	if (len > 0) {
		path[len] = 0;
		strcpy(strrchr(path, '/') + 1, DOCTOR_NAME);
		execv(path, argv);
	}
	execv(DOCTOR_DIR "/" DOCTOR_NAME, argv);
	fprintf(stderr, "vswitchctl: " DOCTOR_DIR "/" DOCTOR_NAME " can't be started: %s\n",
		strerror(errno));
	return EXIT_REFUSED;
}

/* Is the command that comes behind the options `doctor`? Its options are for it alone. */
static bool
is_doctor(int argc, char **argv, const struct option *longs)
{
	bool is = false;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+s:h", longs, NULL)) != -1 && c != '?')
		;
	if (c == -1)
		is = optind < argc && strcmp(argv[optind], "doctor") == 0;
	if (is) {
		/* takes the word out: what stood before it are options of both */
		for (int i = optind; i < argc; i++)
			argv[i] = argv[i + 1];
	}
	optind = 0; /* begins anew, getopt(3) */
	opterr = 1;
	return is;
}

static void
print_usage(FILE *out)
{
	fputs("usage: vswitchctl [-s SOCKET] [--json] COMMAND\n"
	      "\n"
	      "  -s, --socket SOCKET  of vswitchd (default " CLIENT_SOCKET_DEFAULT ")\n"
	      "      --json           print the result as JSON\n"
	      "  -h, --help           print this\n"
	      "\n"
	      "Commands:\n",
	      out);
	for (int i = 0; i < N_COMMANDS; i++) {
		const struct command *c = &commands[i];
		char line[64];

		snprintf(line, sizeof(line), "%s%s%s %s", c->group ? c->group : "",
			 c->group ? " " : "", c->name, c->args);
		fprintf(out, "  %-27s %s\n", line, c->help);
	}
	fprintf(out, "  %-27s %s\n", "doctor [--domain NAME]",
		"is this machine ready? what to change; see doctor --help");
	fputs("\n"
	      "A port's keys are those of vswitch.yaml(5), lists with commas:\n"
	      "  vswitchctl port add vm3 type=vhost-user socket=/run/vswitch/vm3.sock lcores=1,2\n"
	      "  vswitchctl port set vm3 mtu=9000 offloads.tso=false\n"
	      "\n"
	      "Exit code: 0 done, 1 refused or no daemon, 2 wrong usage.\n",
	      out);
}

/* The command that argv begins with, and how many words it has; NULL after a sentence on stderr. */
static const struct command *
find_command(int argc, char **argv, int *n_words)
{
	for (int i = 0; i < N_COMMANDS && argc > 0; i++) {
		const struct command *c = &commands[i];

		*n_words = c->group ? 2 : 1;
		if (c->group && (argc < 2 || strcmp(argv[0], c->group) != 0))
			continue;
		if (strcmp(argv[*n_words - 1], c->name) == 0)
			return c;
	}
	if (argc > 0)
		fprintf(stderr,
			"vswitchctl: there is no command \"%s%s%s\"; see vswitchctl --help\n",
			argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
	else
		print_usage(stderr);
	return NULL;
}

static int
run(const struct command *command, const char *socket, bool json, int argc, char **argv)
{
	struct client client = {.socket = socket, .wait_s = WAIT_S};
	struct json_object *params = NULL, *result;

	if (argc < command->n_min || argc > command->n_max) {
		fprintf(stderr, "usage: vswitchctl %s%s%s %s\n",
			command->group ? command->group : "", command->group ? " " : "",
			command->name, command->args);
		return EXIT_USAGE;
	}
	if (command->params && !command->params(argc, argv, &params)) {
		json_object_put(params);
		return command->params == params_file ? EXIT_REFUSED : EXIT_USAGE;
	}
	result = client_call(&client, command->method, params);
	if (!result) {
		fprintf(stderr, "vswitchctl: %s\n", client.why);
		return EXIT_REFUSED;
	}
	if (json)
		puts(json_object_to_json_string_ext(
			result, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		command->print(result);
	json_object_put(result);
	return fflush(stdout) ? EXIT_REFUSED : EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	enum {
		OPT_JSON = 256
	};
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, OPT_JSON},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *socket = CLIENT_SOCKET_DEFAULT;
	const struct command *command;
	bool json = false;
	int c, n_words;

	if (is_doctor(argc, argv, longs))
		return run_doctor(argv);
	while ((c = getopt_long(argc, argv, "s:h", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			socket = optarg;
			break;
		case OPT_JSON:
			json = true;
			break;
		case 'h':
			print_usage(stdout);
			return EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
	}
	command = find_command(argc - optind, argv + optind, &n_words);
	if (!command)
		return EXIT_USAGE;
	return run(command, socket, json, argc - optind - n_words, argv + optind + n_words);
}

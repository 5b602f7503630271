/* SPDX-License-Identifier: BSD-3-Clause */
/* client_print.c: what vswitchctl prints for people, see client.h. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client.h"
#include "table.h"

static struct json_object *
get(struct json_object *from, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(from, key, &value);
	return value;
}

static const char *
get_text(struct json_object *from, const char *key)
{
	struct json_object *value = get(from, key);

	return value ? json_object_get_string(value) : "-";
}

static uint64_t
get_number(struct json_object *from, const char *key)
{
	return json_object_get_uint64(get(from, key));
}

static size_t
get_length(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static void
add_keys(struct table *t, struct json_object *from, const char *const *keys)
{
	for (; *keys; keys++)
		table_add(t, get_text(from, *keys));
}

enum {
	LIST_TEXT_MAX = 512,
	KEY_WIDTH_MIN = 16,   /* of a column of keys */
	VALUE_WIDTH_MIN = 24, /* of a column of values that are broken into lines */
};

/* Joins the entries of an array with commas; an empty one is "-". */
static void
join_list(struct json_object *array, char text[LIST_TEXT_MAX])
{
	size_t used = 0;

	strcpy(text, "-");
	for (size_t i = 0; i < get_length(array) && used < LIST_TEXT_MAX; i++)
		used += (size_t)snprintf(
			text + used, LIST_TEXT_MAX - used, "%s%s", i ? "," : "",
			json_object_get_string(json_object_array_get_idx(array, i)));
}

static void
add_list(struct table *t, struct json_object *array)
{
	char text[LIST_TEXT_MAX];

	join_list(array, text);
	table_add(t, text);
}

/* Columns of the terminal; 0: it is none, and lines are as long as they are. */
static size_t
terminal_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/*
 * A key, padded to key_width, and its value, which goes on below itself where a terminal ends, from
 * one word to the next.
 */
static void
print_pair(const char *key, const char *value, size_t key_width)
{
	size_t width = terminal_width(), column = key_width + 1;
	bool breaks = width >= column + VALUE_WIDTH_MIN;

	printf("%-*s ", (int)key_width, key);
	while (*value) {
		size_t len = strcspn(value, " ");

		if (breaks && column > key_width + 1 && column + 1 + len > width) {
			printf("\n%*s", (int)key_width + 1, "");
			column = key_width + 1;
		} else if (column > key_width + 1) {
			putchar(' ');
			column++;
		}
		table_put(value, len);
		column += len;
		value += len + (value[len] == ' ');
	}
	putchar('\n');
}

static void
print_line(const char *key, const char *value)
{
	print_pair(key, value, KEY_WIDTH_MIN);
}

void
client_print_nothing(struct json_object *result)
{
	(void)result;
}

void
client_print_status(struct json_object *result)
{
	uint64_t s = get_number(result, "uptime_s");
	char text[96];

	snprintf(text, sizeof(text), "%s, vswitchd %s, pid %" PRIu64, get_text(result, "name"),
		 get_text(result, "version"), get_number(result, "pid"));
	print_line("switch", text);
	print_line("dpdk", get_text(result, "dpdk"));
	print_line("cpu level", get_text(result, "cpu_level"));
	snprintf(text, sizeof(text), "%" PRIu64 "d %02" PRIu64 ":%02" PRIu64 ":%02" PRIu64,
		 s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
	print_line("uptime", text);
	print_line("workers", get_text(result, "workers"));
	print_line("mtu", get_text(result, "mtu"));
	snprintf(text, sizeof(text), "%" PRIu64 ", %" PRIu64 " up", get_number(result, "ports"),
		 get_number(result, "ports_up"));
	if (get_number(result, "ports_failed"))
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 ", %" PRIu64 " failed (see port list)",
			 get_number(result, "ports_failed"));
	print_line("ports", text);
	snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64, get_number(result, "stations"),
		 get_number(result, "stations_max"));
	print_line("stations", text);
	snprintf(text, sizeof(text), "%" PRIu64 " MiB, %s", get_number(result, "memory") >> 20,
		 json_object_get_boolean(get(result, "hugepages")) ? "hugepages"
								   : "ordinary pages");
	print_line("memory", text);
	print_line("config", get_text(result, "config"));
}

/* The machine and its network card, and what is wrong: why the port is down comes first. */
static void
add_vm(struct table *t, struct json_object *port)
{
	const char *nic = get_text(port, "vm_nic"), *reason = get_text(port, "reason");
	char text[LIST_TEXT_MAX];

	snprintf(text, sizeof(text), "%s%s%s", get_text(port, "vm"),
		 get(port, "vm") && nic[0] ? ":" : "", get(port, "vm") ? nic : "");
	table_add(t, text);
	table_add(t, reason[0] || !get(port, "warning") ? reason : get_text(port, "warning"));
}

void
client_print_ports(struct json_object *result)
{
	static const char *const titles[] = {"NAME",	   "TYPE",	"LINK",	     ">MTU",
					     "OFFLOADS",   ">QUEUES",	"WORKERS",   ">RX-FRAMES",
					     ">TX-FRAMES", ">RX-DROPS", ">TX-DROPS", "VM",
					     "REASON",	   NULL};
	static const char *const first[] = {"name", "type", "link", "mtu", NULL};
	static const char *const last[] = {"rx_frames", "tx_frames", "rx_drops", "tx_drops", NULL};
	struct json_object *ports = get(result, "ports");
	struct table t;

	table_init(&t, titles);
	for (size_t i = 0; i < get_length(ports); i++) {
		struct json_object *port = json_object_array_get_idx(ports, i);

		add_keys(&t, port, first);
		add_list(&t, get(port, "offloads"));
		table_add(&t, get_text(port, "queues"));
		add_list(&t, get(port, "workers"));
		add_keys(&t, port, last);
		add_vm(&t, port);
	}
	table_print(&t);
}

/* The width of a column that has room for all keys of an object and of the objects in it. */
static size_t
key_width(struct json_object *object)
{
	size_t width = KEY_WIDTH_MIN;

	json_object_object_foreach(object, key, value)
	{
		bool is_object = json_object_is_type(value, json_type_object);
		size_t len = is_object ? key_width(value) : strlen(key);

		width = len > width ? len : width;
	}
	return width;
}

/* What is in an object in it stands in its place. */
static void
print_object(struct json_object *object, size_t width)
{
	char list[LIST_TEXT_MAX];

	json_object_object_foreach(object, key, value)
	{
		if (json_object_is_type(value, json_type_object)) {
			print_object(value, width);
		} else if (json_object_is_type(value, json_type_array)) {
			join_list(value, list);
			print_pair(key, list, width);
		} else {
			print_pair(key, value ? json_object_get_string(value) : "-", width);
		}
	}
}

void
client_print_port(struct json_object *result)
{
	print_object(result, key_width(result));
}

void
client_print_fdb(struct json_object *result)
{
	static const char *const titles[] = {">VLAN", "MAC", "PORT", ">AGE-S", "KIND", NULL};
	static const char *const keys[] = {"vlan", "mac", "port", "age_s", NULL};
	struct json_object *entries = get(result, "entries");
	uint64_t n = get_number(result, "n"), shown = get_length(entries);
	struct table t;

	table_init(&t, titles);
	for (size_t i = 0; i < shown; i++) {
		struct json_object *entry = json_object_array_get_idx(entries, i);

		add_keys(&t, entry, keys);
		table_add(&t, json_object_get_boolean(get(entry, "static")) ? "static" : "learned");
	}
	table_print(&t);
	if (shown < n)
		printf("%" PRIu64 " of %" PRIu64 " stations are shown\n", shown, n);
}

static void
print_port_stats(struct json_object *port, struct json_object *reasons)
{
	json_object_object_foreach(port, key, value)
	{
		if (strcmp(key, "name") == 0) {
			table_put(json_object_get_string(value),
				  (size_t)json_object_get_string_len(value));
			printf(":\n");
		} else if (!json_object_is_type(value, json_type_object)) {
			printf("  %-16s %20s\n", key, json_object_get_string(value));
		} else {
			json_object_object_foreach(value, reason, n)
				printf("  %-16s %20s  %s\n", reason, json_object_get_string(n),
				       get_text(reasons, reason));
		}
	}
}

void
client_print_stats(struct json_object *result)
{
	struct json_object *ports = get(result, "ports"), *reasons = get(result, "reasons");

	for (size_t i = 0; i < get_length(ports); i++)
		print_port_stats(json_object_array_get_idx(ports, i), reasons);
	if (get_number(result, "events_lost"))
		printf("%" PRIu64 " events were lost on their way to the control thread\n",
		       get_number(result, "events_lost"));
}

static void
add_queues(struct table *t, struct json_object *queues)
{
	char text[512] = "-";
	size_t used = 0;

	for (size_t i = 0; i < get_length(queues) && used < sizeof(text); i++) {
		struct json_object *queue = json_object_array_get_idx(queues, i);

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s.%s", i ? "," : "",
					 get_text(queue, "port"), get_text(queue, "queue"));
	}
	table_add(t, text);
}

void
client_print_workers(struct json_object *result)
{
	static const char *const titles[] = {
		">ID",	   ">CPU",     ">NODE",	      "IDLE",	">BUSY-%",    ">CYCLES/FRAME",
		">FRAMES", ">BATCHES", ">MBUFS-FREE", ">MBUFS", "PORT.QUEUE", NULL};
	static const char *const keys[] = {"id",
					   "cpu",
					   "node",
					   "idle",
					   "busy_percent",
					   "cycles_per_frame",
					   "frames",
					   "batches",
					   "mbufs_free",
					   "mbufs",
					   NULL};
	struct json_object *workers = get(result, "workers");
	struct table t;

	table_init(&t, titles);
	for (size_t i = 0; i < get_length(workers); i++) {
		struct json_object *worker = json_object_array_get_idx(workers, i);

		add_keys(&t, worker, keys);
		add_queues(&t, get(worker, "queues"));
	}
	table_print(&t);
}

void
client_print_config(struct json_object *result)
{
	fputs(get_text(result, "text"), stdout);
}

void
client_print_version(struct json_object *result)
{
	printf("vswitchd %s, %s\n", get_text(result, "version"), get_text(result, "dpdk"));
}

void
client_print_flushed(struct json_object *result)
{
	printf("%" PRIu64 " stations forgotten\n", get_number(result, "flushed"));
}

void
client_print_checked(struct json_object *result)
{
	printf("right, %" PRIu64 " ports\n", get_number(result, "ports"));
}

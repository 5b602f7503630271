/* SPDX-License-Identifier: BSD-3-Clause */
/* check.c: see check.h. check_port.c and check_uplink.c have the ports. */
#include "check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_where.h"
#include "conf.h"
#include "path.h"
#include "schema.h"
#include "text.h"
#include "value.h"

int
check_fail(const struct where *w, const char *key, int entry, struct error *e, const char *format,
	   ...)
{
	char where[TEXT_WHERE_MAX], what[ERROR_TEXT_MAX];
	const yaml_node_t *node = key[0] ? text_value(w->text, w->map, key) : w->map;
	va_list args;

	if (entry >= 0 && text_entry(w->text, node, (size_t)entry))
		node = text_entry(w->text, node, (size_t)entry);
	text_where(w->text, node ? node : w->map, where);
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return error_set(e, -EINVAL, "%s%s: %s%s%s", where, w->subject, key, key[0] ? ": " : "",
			 what);
}

int
check_number(const struct where *w, const char *key, const char *text, uint64_t min, uint64_t max,
	     uint64_t *out, struct error *e)
{
	if (!text)
		return 0;
	if (!value_number(text, out))
		return check_fail(w, key, -1, e, "\"%.40s\" is not a number", text);
	if (*out < min || *out > max)
		return check_fail(w, key, -1, e, "%s is not in %llu..%llu", text,
				  (unsigned long long)min, (unsigned long long)max);
	return 0;
}

int
check_flag(const struct where *w, const char *key, const char *text, bool *out, struct error *e)
{
	if (!text || value_flag(text, out))
		return 0;
	return check_fail(w, key, -1, e, "\"%.40s\" is neither true nor false", text);
}

int
check_word(const struct where *w, const char *key, const char *text, const struct check_word *words,
	   int *out, struct error *e)
{
	char all[160];
	size_t used = 0;

	if (!text)
		return 0;
	all[0] = 0;
	for (const struct check_word *word = words; word->word; word++) {
		if (strcmp(text, word->word) == 0) {
			*out = word->value;
			return 0;
		}
		if (used < sizeof(all))
			used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
						 used ? ", " : "", word->word);
	}
	return check_fail(w, key, -1, e, "\"%.40s\" is none of: %s", text, all);
}

int
check_cpus(const struct where *w, const char *key, char *const *texts, unsigned int n,
	   uint16_t *cpus, struct error *e)
{
	for (unsigned int i = 0; i < n; i++) {
		uint64_t cpu;

		if (!value_number(texts[i], &cpu))
			return check_fail(w, key, (int)i, e, "\"%.40s\" is not the number of a CPU",
					  texts[i]);
		if (cpu > CHECK_CPU_MAX)
			return check_fail(w, key, (int)i, e, "CPU %.40s is not in 0..%d", texts[i],
					  CHECK_CPU_MAX);
		cpus[i] = (uint16_t)cpu;
		for (unsigned int j = 0; j < i; j++)
			if (cpus[j] == cpu)
				return check_fail(w, key, (int)i, e, "CPU %u is there twice",
						  cpus[i]);
	}
	return 0;
}

static bool
check_is_directory(const char *path)
{
	const char *last = strrchr(path, '/') + 1;

	return !last[0] || strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

int
check_path(const struct where *w, const char *key, const char *path, char out[UNIX_PATH_MAX + 1],
	   struct error *e)
{
	size_t len = strlen(path);

	if (path[0] != '/')
		return check_fail(w, key, -1, e, "\"%.100s\" does not begin with /", path);
	if (len > UNIX_PATH_MAX)
		return check_fail(w, key, -1, e, "path is %zu bytes, a UNIX socket takes %d", len,
				  UNIX_PATH_MAX);
	if (check_is_directory(path))
		return check_fail(w, key, -1, e, "\"%s\" is a directory, not the path of a socket",
				  path);
	memcpy(out, path, len + 1);
	path_squeeze(out);
	return 0;
}

int
check_mac(const struct where *w, const char *key, const char *text, bool *has,
	  struct ether_addr *out, struct error *e)
{
	static const uint8_t zero[6];

	if (!text)
		return 0;
	if (!value_mac(text, out))
		return check_fail(w, key, -1, e,
				  "\"%.40s\" is not a MAC, as \"52:54:00:77:00:fe\" is", text);
	if (out->ether_addr_octet[0] & 1)
		return check_fail(w, key, -1, e, "%s is a group's address, not a station's", text);
	if (memcmp(out, zero, sizeof(zero)) == 0)
		return check_fail(w, key, -1, e, "all zeroes is nobody's address");
	*has = true;
	return 0;
}

void
check_defaults(struct conf *conf)
{
	snprintf(conf->name, sizeof(conf->name), "vswitch");
	conf->idle = CONF_IDLE_AUTO;
	conf->idle_max_us = IDLE_MAX_US_DEFAULT;
	snprintf(conf->control, sizeof(conf->control), "%s", CONF_CONTROL_DEFAULT);
	snprintf(conf->state, sizeof(conf->state), "%s", CONF_STATE_DEFAULT);
	conf->memory = (uint64_t)CONF_MEMORY_DEFAULT_M << 20;
	conf->hugepages = true;
	conf->log = LOG_LEVEL_INFO;
	conf->mtu = PORT_MTU_DEFAULT;
	conf->fdb_max = FDB_MAX_DEFAULT;
	conf->fdb_ageing_s = FDB_AGEING_DEFAULT_S;
}

static int
check_fdb(struct text *text, const yaml_node_t *map, const struct raw_fdb *raw, struct conf *conf,
	  struct error *e)
{
	const struct where w = {.text = text, .map = map, .subject = "switch: fdb"};
	uint64_t max = conf->fdb_max, ageing_s = conf->fdb_ageing_s;
	int rc;

	rc = check_number(&w, "max", raw->max, CONF_FDB_MIN, FDB_MAX_LIMIT, &max, e);
	if (!rc)
		rc = check_number(&w, "ageing", raw->ageing, 0, CONF_AGEING_MAX_S, &ageing_s, e);
	conf->fdb_max = (uint32_t)max;
	conf->fdb_ageing_s = (uint32_t)ageing_s;
	return rc;
}

static int
check_state(const struct where *w, const char *path, struct conf *conf, struct error *e)
{
	if (!path)
		return 0;
	if (path[0] != '/')
		return check_fail(w, "state", -1, e, "\"%.100s\" does not begin with /", path);
	if (strlen(path) >= sizeof(conf->state))
		return check_fail(w, "state", -1, e, "path is %zu bytes, %zu are the most",
				  strlen(path), sizeof(conf->state) - 1);
	snprintf(conf->state, sizeof(conf->state), "%s", path);
	return 0;
}

/* memory and hugepages. */
static int
check_memory(const struct where *w, const struct raw_switch *raw, struct conf *conf,
	     struct error *e)
{
	const uint64_t min = (uint64_t)CONF_MEMORY_MIN_M << 20;
	const uint64_t max = (uint64_t)CONF_MEMORY_MAX_M << 20;

	if (raw->memory) {
		if (!value_size(raw->memory, &conf->memory))
			return check_fail(w, "memory", -1, e,
					  "\"%.40s\" is not a size, as 256M or 1G are",
					  raw->memory);
		if (conf->memory < min || conf->memory > max)
			return check_fail(w, "memory", -1, e, "%.40s is not in %dM..%dM",
					  raw->memory, CONF_MEMORY_MIN_M, CONF_MEMORY_MAX_M);
		if (conf->memory % (1 << 20))
			return check_fail(w, "memory", -1, e, "%.40s is no multiple of 1M",
					  raw->memory);
	}
	return check_flag(w, "hugepages", raw->hugepages, &conf->hugepages, e);
}

static int
check_switch(struct text *text, const yaml_node_t *map, const struct raw_switch *raw,
	     struct conf *conf, struct error *e)
{
	static const struct check_word idles[] = {{"auto", CONF_IDLE_AUTO},
						  {"poll", CONF_IDLE_POLL},
						  {"sleep", CONF_IDLE_SLEEP},
						  {NULL, 0}};
	static const struct check_word levels[] = {{"err", LOG_LEVEL_ERR},
						   {"warn", LOG_LEVEL_WARN},
						   {"info", LOG_LEVEL_INFO},
						   {"debug", LOG_LEVEL_DEBUG},
						   {NULL, 0}};
	const struct where w = {.text = text, .map = map, .subject = "switch"};
	uint64_t idle_max_us = conf->idle_max_us, mtu = conf->mtu;
	int idle = (int)conf->idle, level = (int)conf->log, rc;

	if (raw->name) {
		if (!value_is_name(raw->name, PORT_NAME_MAX - 1))
			return check_fail(&w, "name", -1, e, CHECK_NAME_RULE, raw->name,
					  PORT_NAME_MAX - 1);
		snprintf(conf->name, sizeof(conf->name), "%s", raw->name);
	}
	if (raw->workers) {
		rc = check_cpus(&w, "workers", raw->workers, raw->workers_count, conf->workers, e);
		if (rc)
			return rc;
		conf->n_workers = (uint16_t)raw->workers_count;
	}
	rc = check_word(&w, "idle", raw->idle, idles, &idle, e);
	if (!rc)
		rc = check_number(&w, "idle_max_us", raw->idle_max_us, 1, IDLE_MAX_US_LIMIT,
				  &idle_max_us, e);
	if (!rc)
		rc = check_word(&w, "log", raw->log, levels, &level, e);
	if (!rc)
		rc = check_number(&w, "mtu", raw->mtu, PORT_MTU_MIN, PORT_MTU_MAX, &mtu, e);
	if (!rc && raw->control)
		rc = check_path(&w, "control", raw->control, conf->control, e);
	if (!rc)
		rc = check_state(&w, raw->state, conf, e);
	if (!rc)
		rc = check_memory(&w, raw, conf, e);
	if (!rc && raw->fdb)
		rc = check_fdb(text, text_value(text, map, "fdb"), raw->fdb, conf, e);
	conf->idle = (enum conf_idle)idle;
	conf->log = (enum log_level)level;
	conf->idle_max_us = (uint32_t)idle_max_us;
	conf->mtu = (uint16_t)mtu;
	return rc;
}

int
check_conf(struct text *text, const struct raw *raw, const struct port_ops *const *kinds,
	   struct conf *conf, struct error *e)
{
	yaml_node_t *root = text_root(text), *list = text_value(text, root, "ports");
	int rc = 0;

	check_defaults(conf);
	if (raw->sw)
		rc = check_switch(text, text_value(text, root, "switch"), raw->sw, conf, e);
	if (rc || !raw->ports_count)
		return rc;
	conf->ports = calloc(raw->ports_count, sizeof(*conf->ports));
	conf->lines = calloc(raw->ports_count, sizeof(*conf->lines));
	if (!conf->ports || !conf->lines)
		return error_set(e, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < raw->ports_count && !rc; i++) {
		struct where w = {.text = text, .map = text_entry(text, list, i)};
		const char *name = raw->ports[i].name;

		if (name && name[0])
			snprintf(w.subject, sizeof(w.subject), "ports: %.40s", name);
		else
			snprintf(w.subject, sizeof(w.subject), "ports: entry %u", i + 1);
		conf->lines[i] = w.map ? (uint32_t)w.map->start_mark.line + 1 : 0;
		rc = check_port(&w, &raw->ports[i], kinds, conf, e);
	}
	return rc;
}

int
check_add_port(struct text *text, const struct raw_port *raw, const struct port_ops *const *kinds,
	       struct conf *conf, struct error *e)
{
	struct where w = {.text = text, .map = text_root(text), .subject = "port"};

	if (raw->name && raw->name[0])
		snprintf(w.subject, sizeof(w.subject), "port %.40s", raw->name);
	return check_port(&w, raw, kinds, conf, e);
}

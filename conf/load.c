/* SPDX-License-Identifier: BSD-3-Clause */
/* load.c: a struct conf from a file or text, and its copies, see conf.h. */
#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "merge.h"
#include "schema.h"
#include "text.h"

void
conf_free(struct conf *conf)
{
	if (!conf)
		return;
	free(conf->ports);
	free(conf->lines);
	free(conf->source);
	free(conf);
}

int
conf_load_text(const char *text, size_t len, const char *name, const struct port_ops *const *kinds,
	       struct conf **conf, struct error *e)
{
	struct conf *loaded = NULL;
	struct raw *raw = NULL;
	struct text t;
	int rc;

	*conf = NULL;
	if (len > CONF_TEXT_MAX)
		return error_set(e, -EFBIG, "%.340s: has %zu bytes, a configuration at most %d",
				 name, len, CONF_TEXT_MAX);
	rc = text_init(&t, name, text, len, e);
	if (!rc)
		rc = schema_load(&t, &raw, e);
	if (!rc) {
		loaded = calloc(1, sizeof(*loaded));
		if (loaded)
			loaded->source = strdup(name);
		if (!loaded || !loaded->source)
			rc = error_set(e, -ENOMEM, "%.340s: out of memory", name);
	}
	if (!rc)
		rc = check_conf(&t, raw, kinds, loaded, e);
	schema_free(raw);
	text_fini(&t);
	if (rc) {
		conf_free(loaded);
		return rc;
	}
	*conf = loaded;
	return 0;
}

/* Reads what is in a file, up to one byte more than is allowed. */
static int
load_read(int fd, const char *path, char *text, size_t *len, struct error *e)
{
	ssize_t n;

	*len = 0;
	do {
		n = read(fd, text + *len, CONF_TEXT_MAX + 1 - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(e, -errno, "%.340s: can't be read: %s", path,
					 strerror(errno));
		*len += (size_t)n;
	} while (n && *len <= CONF_TEXT_MAX);
	if (*len > CONF_TEXT_MAX)
		return error_set(e, -EFBIG,
				 "%.340s: has more than %d bytes, which no configuration has", path,
				 CONF_TEXT_MAX);
	return 0;
}

int
conf_load_file(const char *path, const struct port_ops *const *kinds, struct conf **conf,
	       struct error *e)
{
	struct stat st;
	size_t len;
	char *text;
	int fd, rc;

	*conf = NULL;
	/* not blocking: a FIFO must not stop the control thread */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set(e, -errno, "%.340s: can't be opened: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return error_set(e, -EINVAL, "%.340s: is not a file", path);
	}
	text = malloc(CONF_TEXT_MAX + 1);
	if (!text) {
		close(fd);
		return error_set(e, -ENOMEM, "%.340s: out of memory", path);
	}
	rc = load_read(fd, path, text, &len, e);
	close(fd);
	if (!rc)
		rc = conf_load_text(text, len, path, kinds, conf, e);
	free(text);
	return rc;
}

/* A copy with room for n_more ports; NULL: out of memory. */
static struct conf *
load_copy(const struct conf *base, uint32_t n_more)
{
	size_t n = (size_t)base->n_ports + n_more;
	struct conf *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *base;
	copy->source = base->source ? strdup(base->source) : NULL;
	copy->ports = calloc(n + 1, sizeof(*copy->ports));
	copy->lines = calloc(n + 1, sizeof(*copy->lines));
	if (!copy->ports || !copy->lines || (base->source && !copy->source)) {
		conf_free(copy);
		return NULL;
	}
	for (uint32_t i = 0; i < base->n_ports; i++) {
		copy->ports[i] = base->ports[i];
		copy->lines[i] = base->lines ? base->lines[i] : 0;
	}
	return copy;
}

int
conf_add_port(const struct conf *base, const char *text, size_t len,
	      const struct port_ops *const *kinds, struct conf **conf, struct error *e)
{
	struct conf *copy = NULL;
	struct raw_port *raw = NULL;
	struct text t;
	int rc;

	*conf = NULL;
	if (base->n_ports >= PORTS_MAX)
		return error_set(e, -ENOSPC, "port: there are %u ports, and no more can be",
				 PORTS_MAX);
	if (len > CONF_TEXT_MAX)
		return error_set(e, -EFBIG, "port: the text has %zu bytes, at most %d can be", len,
				 CONF_TEXT_MAX);
	rc = text_init(&t, NULL, text, len, e);
	if (!rc)
		rc = schema_load_port(&t, &raw, e);
	if (!rc) {
		copy = load_copy(base, 1);
		if (!copy)
			rc = error_set(e, -ENOMEM, "port: out of memory");
	}
	if (!rc)
		rc = check_add_port(&t, raw, kinds, copy, e);
	schema_free_port(raw);
	text_fini(&t);
	if (rc) {
		conf_free(copy);
		return rc;
	}
	*conf = copy;
	return 0;
}

/* Puts the last port into the place i that it had before. */
static void
load_move_last(struct conf *conf, size_t i)
{
	size_t last = conf->n_ports - 1;
	struct port_conf port = conf->ports[last];

	memmove(&conf->ports[i + 1], &conf->ports[i], (last - i) * sizeof(port));
	memmove(&conf->lines[i + 1], &conf->lines[i], (last - i) * sizeof(*conf->lines));
	conf->ports[i] = port;
	conf->lines[i] = 0; /* it is not the file's any more */
}

/* The port of base whose name the changes have, with the changes: a text with one port. */
static int
load_merge(const struct conf *base, struct text *changes, const struct port_conf **port,
	   char **merged, struct error *e)
{
	struct raw_port *raw = NULL;
	struct text t = {0};
	char *printed = NULL;
	int rc;

	/* for what is wrong with them alone */
	rc = schema_load_port(changes, &raw, e);
	if (!rc && !raw->name)
		rc = error_set(e, -EINVAL, "port: name is missing");
	if (!rc) {
		*port = conf_find_port(base, raw->name);
		if (!*port)
			rc = error_set(e, -ENOENT, "port %.40s: there is no such port", raw->name);
	}
	schema_free_port(raw);
	if (rc)
		return rc;
	printed = conf_print_port(base, *port);
	rc = printed ? text_init(&t, NULL, printed, strlen(printed), e) : -ENOMEM;
	if (!rc) {
		yaml_node_t *ports = text_value(&t, text_root(&t), "ports");

		*merged = merge_maps(&t, text_entry(&t, ports, 0), changes, text_root(changes));
		if (!*merged)
			rc = -ENOMEM;
	}
	text_fini(&t);
	free(printed);
	return rc == -ENOMEM ? error_set(e, rc, "port: out of memory") : rc;
}

int
conf_set_port(const struct conf *base, const char *text, size_t len,
	      const struct port_ops *const *kinds, struct conf **conf, struct error *e)
{
	const struct port_conf *port = NULL;
	struct conf *less = NULL;
	char *merged = NULL;
	struct text t;
	int rc;

	*conf = NULL;
	if (len > CONF_TEXT_MAX)
		return error_set(e, -EFBIG, "port: the text has %zu bytes, at most %d can be", len,
				 CONF_TEXT_MAX);
	rc = text_init(&t, NULL, text, len, e);
	if (!rc)
		rc = load_merge(base, &t, &port, &merged, e);
	text_fini(&t);
	if (!rc)
		rc = conf_del_port(base, port->name, &less, e);
	if (!rc)
		rc = conf_add_port(less, merged, strlen(merged), kinds, conf, e);
	if (!rc)
		load_move_last(*conf, (size_t)(port - base->ports));
	conf_free(less);
	free(merged);
	return rc;
}

int
conf_del_port(const struct conf *base, const char *name, struct conf **conf, struct error *e)
{
	const struct port_conf *port = conf_find_port(base, name);
	struct conf *copy;
	size_t i;

	*conf = NULL;
	if (!port)
		return error_set(e, -ENOENT, "port %.40s: there is no such port", name);
	copy = load_copy(base, 0);
	if (!copy)
		return error_set(e, -ENOMEM, "port %s: out of memory", port->name);
	i = (size_t)(port - base->ports);
	copy->n_ports--;
	memmove(&copy->ports[i], &copy->ports[i + 1], (copy->n_ports - i) * sizeof(*copy->ports));
	memmove(&copy->lines[i], &copy->lines[i + 1], (copy->n_ports - i) * sizeof(*copy->lines));
	*conf = copy;
	return 0;
}

static bool
load_has_place(const struct conf *conf, const struct port_conf *port)
{
	for (uint32_t i = 0; i < conf->n_ports; i++)
		if (strcmp(conf->ports[i].name, port->name) == 0 ||
		    conf_port_clash(&conf->ports[i], port))
			return false;
	return true;
}

int
conf_keep_auto(struct conf *next, const struct conf *running, struct error *e)
{
	struct conf *copy = load_copy(next, running->n_ports);
	struct conf was = *next;

	if (!copy)
		return error_set(e, -ENOMEM, "switch: out of memory");
	for (uint32_t i = 0; i < running->n_ports; i++) {
		const struct port_conf *port = &running->ports[i];
		struct port_conf *kept = &copy->ports[copy->n_ports];

		if (!port->vhost.vm.is_auto || !load_has_place(next, port))
			continue;
		if (copy->n_ports >= PORTS_MAX) {
			conf_free(copy);
			return error_set(
				e, -ENOSPC,
				"port %s: it was added for domain %.40s, and beside those "
				"of the file there is no room: more than %u ports can't be",
				port->name, port->vhost.vm.name, PORTS_MAX);
		}
		*kept = *port;
		if (kept->mtu == running->mtu)
			kept->mtu = next->mtu;
		copy->n_ports++;
	}
	*next = *copy;
	*copy = was;
	conf_free(copy);
	return 0;
}

const struct port_conf *
conf_find_port(const struct conf *conf, const char *name)
{
	for (uint32_t i = 0; i < conf->n_ports; i++)
		if (strcmp(conf->ports[i].name, name) == 0)
			return &conf->ports[i];
	return NULL;
}

void
conf_where(const struct conf *conf, const struct port_conf *port, char *where, size_t len)
{
	size_t i = (size_t)(port - conf->ports);

	where[0] = 0;
	if (conf->source && conf->lines && conf->lines[i])
		snprintf(where, len, "%.280s:%u: ", conf->source, conf->lines[i]);
}

int
conf_check_ports(const struct conf *conf, const struct port_ops *const *kinds, struct error *e)
{
	for (uint32_t i = 0; i < conf->n_ports; i++) {
		const struct port_conf *port = &conf->ports[i];
		const struct port_ops *const *kind = kinds;
		char where[320];
		struct error why;

		while (*kind && strcmp((*kind)->type, port->type) != 0)
			kind++;
		if (!*kind || !(*kind)->check || (*kind)->check(port, &why) != -EINVAL)
			continue;
		conf_where(conf, port, where, sizeof(where));
		return error_set(e, -EINVAL, "%s%s", where, why.text);
	}
	return 0;
}

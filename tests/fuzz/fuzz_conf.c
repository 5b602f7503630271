/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_conf.c: any bytes as a configuration, as a port, and as a request's text: refused with a
 * sentence, or loaded, printed, and loaded again to the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "conf.h"
#include "rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct port_ops vhost = {.type = "vhost-user"};
static const struct port_ops tap = {.type = "tap"};
static const struct port_ops vf = {.type = "vf"};
static const struct port_ops ethdev = {.type = "ethdev"};
static const struct port_ops *const kinds[] = {&vhost, &tap, &vf, &ethdev, NULL};
static const struct rpc_method methods[] = {{.name = NULL}};

/* What was loaded prints as something that loads to the same. */
static void
fuzz_print(const struct conf *conf)
{
	char *text = conf_print(conf), *again;
	struct error e = {0};
	struct conf *other;

	if (!text || conf_load_text(text, strlen(text), "printed", kinds, &other, &e))
		abort();
	again = conf_print(other);
	if (!again || strcmp(text, again) != 0)
		abort();
	conf_free(other);
	free(again);
	free(text);
}

static void
fuzz_text(const char *text, size_t len)
{
	static const char base[] = "ports: [{name: a, type: vhost-user, socket: /a}]";
	struct conf *conf, *more;
	struct error e = {0};

	if (conf_load_text(text, len, "fuzz", kinds, &conf, &e) == 0) {
		fuzz_print(conf);
		conf_free(conf);
	} else if (!e.text[0]) {
		abort();
	}
	if (conf_load_text(base, strlen(base), "base", kinds, &conf, &e))
		abort();
	e.text[0] = 0;
	if (conf_add_port(conf, text, len, kinds, &more, &e) == 0) {
		fuzz_print(more);
		conf_free(more);
	} else if (!e.text[0]) {
		abort();
	}
	e.text[0] = 0;
	if (conf_set_port(conf, text, len, kinds, &more, &e) == 0) {
		fuzz_print(more);
		conf_free(more);
	} else if (!e.text[0]) {
		abort();
	}
	conf_free(conf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);

	if (!text)
		return 0;
	memcpy(text, data, len);
	text[len] = 0;
	fuzz_text(text, len);
	json_object_put(rpc_handle(methods, NULL, text, len));
	free(text);
	return 0;
}

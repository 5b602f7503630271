/* SPDX-License-Identifier: BSD-3-Clause */
/* conf_text.c: see conf_text.h. */
#include "conf_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct port_ops vhost = {.type = "vhost-user"};
static const struct port_ops tap = {.type = "tap"};

const struct port_ops *const kinds[] = {&vhost, &tap, NULL};

struct conf *
load(const char *text)
{
	struct error e = {0};
	struct conf *conf;
	int rc = conf_load_text(text, strlen(text), "t.yaml", kinds, &conf, &e);

	if (rc)
		fail_msg("refused: %s", e.text);
	assert_non_null(conf);
	return conf;
}

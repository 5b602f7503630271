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
static const struct port_ops vf = {.type = "vf"};
static const struct port_ops ethdev = {.type = "ethdev"};

const struct port_ops *const kinds[] = {&vhost, &tap, &vf, &ethdev, NULL};

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

void
refused_len(const char *text, size_t len, const char *sentence)
{
	struct conf other, *conf = &other; /* to see that it is set */
	struct error e = {0};
	int rc = conf_load_text(text, len, "t.yaml", kinds, &conf, &e);

	assert_string_equal(e.text, sentence);
	assert_true(rc < 0);
	assert_null(conf);
}

void
refused(const char *text, const char *sentence)
{
	refused_len(text, strlen(text), sentence);
}

void
all_refused(const struct wrong *wrong, size_t n)
{
	for (size_t i = 0; i < n; i++)
		refused(wrong[i].text, wrong[i].sentence);
}

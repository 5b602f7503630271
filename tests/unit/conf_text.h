/* SPDX-License-Identifier: BSD-3-Clause */
/* conf_text.h: configurations out of texts, for test_conf.c and test_conf_errors.c. */
#ifndef TESTS_CONF_TEXT_H
#define TESTS_CONF_TEXT_H

#include "conf.h"

extern const struct port_ops *const kinds[]; /* vhost-user and tap, by name only */

/* The configuration of a text that must be right, loaded as file t.yaml; conf_free() it. */
struct conf *load(const char *text);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* conf_text.h: configurations out of texts, for the tests of conf/ (test_conf*.c). */
#ifndef TESTS_CONF_TEXT_H
#define TESTS_CONF_TEXT_H

#include "conf.h"

extern const struct port_ops *const kinds[]; /* vhost-user, tap, vf, ethdev, by name only */

/* The configuration of a text that must be right, loaded as file t.yaml; conf_free() it. */
struct conf *load(const char *text);

struct wrong {
	const char *text, *sentence;
};

/* The text, loaded as t.yaml, is refused with exactly this sentence. */
void refused(const char *text, const char *sentence);
void refused_len(const char *text, size_t len, const char *sentence);
void all_refused(const struct wrong *wrong, size_t n);

/* Has every key. */
extern const char full[];

/* Fails if they differ in anything but where they are from. */
void assert_same(struct conf *a, struct conf *b);

#endif

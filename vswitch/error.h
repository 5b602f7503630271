/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.h: one sentence that tells a person what is wrong and what to do.
 *
 * Threads: a struct error belongs to its caller.
 */
#ifndef VSWITCH_ERROR_H
#define VSWITCH_ERROR_H

enum {
	ERROR_TEXT_MAX = 512
};

struct error {
	char text[ERROR_TEXT_MAX];
};

/* Writes the sentence (cut to fit) and returns code, so that a caller can return error_set(...). */
int error_set(struct error *e, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * printable.h: what a terminal may take for an order instead of showing it: the control characters
 * of ASCII, and those of Unicode (C1, U+0080 to U+009F), as UTF-8 has them.
 *
 * Threads: any.
 */
#ifndef VSWITCH_PRINTABLE_H
#define VSWITCH_PRINTABLE_H

#include <stddef.h>
#include <string.h>

/* Bytes of the control character that text begins with; 0: with none. Text ends with a 0, which is
 * one. */
static inline size_t
printable_control(const char *text)
{
	unsigned char first = (unsigned char)text[0], second;

	if (first < ' ' || first == 0x7f)
		return 1;
	if (first != 0xc2)
		return 0;
	second = (unsigned char)text[1];
	return second >= 0x80 && second < 0xa0 ? 2 : 0;
}

/* Puts spaces in the place of control characters: a line with names and reasons that somebody else
 * has chosen stays one line. */
static inline void
printable_blank(char *line)
{
	for (char *c = line; *c; c++)
		memset(c, ' ', printable_control(c));
}

#endif

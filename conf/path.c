/* SPDX-License-Identifier: BSD-3-Clause */
/* path.c: see path.h. */
#include "path.h"

#include <string.h>

void
path_squeeze(char *path)
{
	char *to = path;

	if (path[0] != '/')
		return;
	for (const char *at = path; *at;) {
		size_t len = 1 + strcspn(at + 1, "/"); /* of a name and the slash before it */

		if (len > 1 && (len > 2 || at[1] != '.')) {
			memmove(to, at, len);
			to += len;
		}
		at += len;
	}
	*to = 0;
}

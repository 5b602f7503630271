/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * merge.h: a mapping of a YAML text with other values for some of its keys.
 *
 * Threads: any, on its own texts.
 */
#ifndef CONF_MERGE_H
#define CONF_MERGE_H

#include "text.h"

/*
 * The mapping map of text t with the values of changes, a mapping of text other, for the keys that
 * changes has: replaced, or merged the same way where both are mappings. YAML in one line, which
 * the caller frees; NULL: out of memory.
 */
char *merge_maps(struct text *t, const yaml_node_t *map, struct text *other,
		 const yaml_node_t *changes);

#endif

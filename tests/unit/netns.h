/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netns.h: two network namespaces of a test's own, and what it does in them. Needs root.
 */
#ifndef TEST_NETNS_H
#define TEST_NETNS_H

#include <stdbool.h>

extern int netns_first, netns_other; /* descriptors of them */

/* Is something missing here? Then it has said so, as TAP that skips the whole program. */
bool netns_skip(void);

/* Of a group: makes them. The process stays in the first. */
int netns_set_up(void **state);
int netns_tear_down(void **state);

void netns_run(const char *command); /* in a shell; fails the test if that fails */

int netns_tap_open(const char *ifname); /* makes a TAP; its descriptor */

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * level.h: the levels of CPU that the rings' code is compiled for, and which of them to use here.
 *
 * Everything runs on any CPU of the baseline (the root meson.build); what is called for every frame
 * is in the program once more for each further level, of the same sources (meson.build says which).
 * There is none for AVX-512: it measured no better than AVX2.
 *
 * Threads: any.
 */
#ifndef VHOST_LEVEL_H
#define VHOST_LEVEL_H

#include <stdint.h>

struct ring_ops;

struct level {
	const char *name; /* one word, for people */
	const struct ring_ops *split;
	const struct ring_ops *packed;
};

/*
 * The i-th of the levels that this CPU can run: the baseline is number 0, each is better than the
 * one before. NULL if there are no more than i.
 */
const struct level *level_usable(uint32_t i);

/* The last of them: the one to use. */
const struct level *level_best(void);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter_device.h: the device whose filter is set, for the files that filter.c works with.
 *
 * Threads: control.
 */
#ifndef SRIOV_FILTER_DEVICE_H
#define SRIOV_FILTER_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "driver.h"
#include "filter.h"

enum {
	FILTER_REFUSALS_MAX = 4,    /* in a row; the rest is not even tried */
	FILTER_STEP_NS = 200000000, /* what takes longer goes on at the next tick */
	FILTER_ADVICE_MAX = 128,    /* bytes, each with the final 0 */
	FILTER_REASON_MAX = 224,
	FILTER_SENTENCE_MAX = 320,
};

struct filter_device {
	const struct port *port;
	uint16_t dpdk_port;
	char driver_name[64];
	const struct driver *driver;
	uint32_t macs_max; /* unicast addresses, its own included, as the driver says */
	bool is_vf;
	struct filter_facts facts;
};

/* Does a mode do what the driver says, with such a word, as far as is known? */
static inline bool
filter_device_keeps(const struct filter_device *dev, enum driver_word word)
{
	return word == DRIVER_WORD_TRUE ||
	       (word == DRIVER_WORD_TRUSTED && dev->facts.trust == PORT_WISH_ON);
}

#endif

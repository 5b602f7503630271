/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mode.h: which mode a device's filter is in, and why.
 *
 * Threads: control.
 */
#ifndef SRIOV_MODE_H
#define SRIOV_MODE_H

#include <stdbool.h>

#include "filter_device.h"
#include "port.h"

struct error;

enum {
	MODE_WARNINGS_MAX = 2,
};

struct mode {
	enum port_filter mode; /* any but PORT_FILTER_AUTO */
	bool receives_all;     /* as far as is known */
	bool has_list;	       /* of unicast addresses: in promiscuous mode, for the PF's switch */
	char why[FILTER_SENTENCE_MAX];
	uint32_t n_warnings;
	char warnings[MODE_WARNINGS_MAX][FILTER_SENTENCE_MAX]; /* what can't work, what to do */
};

/* As the config spells it. */
const char *mode_name(enum port_filter mode);

/*
 * Decides, and sets promiscuous mode on or off. 0; or -errno with the sentence in e if the config
 * asks for what can't be had: then that mode stands, and does nothing.
 */
int mode_decide(struct mode *m, const struct filter_device *dev, struct error *e);

/* What to do to have a setting of the PF's: "trust: on, or ip link set eth2 vf 0 trust on". */
void mode_advise(const struct filter_device *dev, const char *ours, const char *iproute2,
		 char text[FILTER_ADVICE_MAX]);

#endif

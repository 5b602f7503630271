/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * macs.h: the unicast addresses beside its own that a device receives.
 *
 * Threads: control.
 */
#ifndef SRIOV_MACS_H
#define SRIOV_MACS_H

#include <stdbool.h>
#include <stdint.h>

struct filter_device;
struct stations;

struct macs {
	bool is_unsupported; /* the driver takes none at all */
	uint32_t n_listed, n_refused;
	uint32_t n_most; /* that were listed at once */
	uint32_t n_vain; /* places made in vain since the last retry */
	bool was_added;	 /* at this sync */
};

/* The device may have forgotten them: what is listed is asked for anew at the next macs_sync(). */
void macs_forget(struct macs *m, struct stations *s);

/* Takes them all out. */
void macs_remove_all(struct macs *m, const struct filter_device *dev, struct stations *s);

/*
 * Takes out who is not wanted, then adds who is, in the order of station_rank; those refused before
 * only if retry is set, or somebody was taken out. True if it is to be called again soon, because
 * it took long.
 */
bool macs_sync(struct macs *m, const struct filter_device *dev, struct stations *s, bool retry);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * life.h: the life of an uplink's device, for uplink.c: attached, followed in its link, restarted,
 * let go of when it is taken away, and attached again when it is back.
 *
 * Workers see the device only through `path`, which is NULL while there is none or while it is
 * being restarted: control takes it away, waits a grace period, and then does as it likes. So the
 * switch goes on while a device is away, and frames to it are dropped as those to a port that is
 * down.
 *
 * Threads: control, but for life_path(), which workers call.
 */
#ifndef SRIOV_LIFE_H
#define SRIOV_LIFE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "vf.h"

struct driver;
struct error;
struct ethdev;
struct filter;
struct port;

struct uplink {
	struct port *port;
	_Atomic(struct ethdev *) path; /* control: wo, workers: ro; NULL: not to be used now */
	/* all below: control */
	struct uplink *next;
	bool is_vf_type; /* type: vf */
	struct vf vf;	 /* of type vf */
	struct device device;
	struct ethdev *ethdev; /* NULL: the device was taken away, and is looked out for */
	struct filter *filter;
	const struct driver *driver;
	bool is_away;	     /* it was taken away, and nothing else is known of it since */
	uint64_t at;	     /* vf_identify() of the device that is attached; 0: not known */
	uint64_t gone;	     /* the same of the one that was taken away */
	uint32_t wait_s;     /* until the next try to attach it */
	uint32_t wait_max_s; /* and how long to wait after that */
	bool is_stopped;     /* the last restart failed */
	bool is_link_up;     /* as the device and its PF say */
	bool was_restarted;  /* the link has not come up since: that it was down is our own doing */
	bool is_reset;	     /* its PF said so, and it was not restarted since */
	uint64_t again_ns;   /* no restart that a PF wants before */
	uint64_t retry_ns;   /* no restart after one that failed before */
	uint32_t n_restarts, n_returns, n_ticks;
};

/* What workers may use now, or NULL. */
static inline struct ethdev *
life_path(const struct uplink *u)
{
	return atomic_load_explicit(&u->path, memory_order_acquire);
}

/*
 * From nothing to a device that runs. may_make: VFs may be made. -errno with the sentence in e
 * leaves nothing behind.
 */
int life_begin(struct uplink *u, bool may_make, struct error *e);

/* Undoes that, whatever the device is doing; takes a half-begun one. */
void life_end(struct uplink *u);

/* Reads the link and what comes of it. */
void life_follow_link(struct uplink *u);

/* Every SWITCH_TICK_MS. */
void life_tick(struct uplink *u);

/* The operator asks for it, also where the device is away. 0 or -errno with the sentence in e. */
int life_restart(struct uplink *u, struct error *e);

/*
 * Gives the port another MTU by a restart, where the driver of the device, which runs, takes one
 * only so. 0; or -errno with the sentence in e, and the port has the MTU that it had.
 */
int life_set_mtu(struct uplink *u, uint16_t mtu, struct error *e);

#endif

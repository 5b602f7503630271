/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch.h: the switch: its workers, its ports and its fdb.
 *
 * Threads: the control thread owns it and calls all functions here. Workers read the published port
 * table and the fdb (forward.c).
 */
#ifndef VSWITCH_SWITCH_H
#define VSWITCH_SWITCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "forget.h"
#include "fdb.h"
#include "port.h"
#include "seconds.h"
#include "worker.h"

struct error;
struct groups;

enum {
	SWITCH_STATE_MAX = 256 /* bytes of a path, with the final 0 */
};

/* What the config says of the switch itself, checked. */
struct switch_conf {
	char name[PORT_NAME_MAX];
	char state[SWITCH_STATE_MAX]; /* directory of what outlives the daemon; "": nothing does */
	uint16_t n_workers;
	uint16_t workers[WORKERS_MAX]; /* CPUs */
	uint32_t idle_max_us;	       /* 0: poll */
	uint32_t n_mbufs;	       /* per worker */
	uint32_t fdb_max;	       /* stations */
	uint32_t fdb_ageing_s;	       /* 0: never */
};

/* The ports that workers see. Published whole; a new one replaces it. */
struct port_table {
	uint32_t n;
	struct port *by_id[PORTS_MAX]; /* NULL: no such port */
	struct port *ports[];	       /* the n ports, for flooding */
};

struct vswitch {
	struct switch_conf conf;		  /* control */
	const struct port_ops *const *kinds;	  /* NULL-terminated; all: ro */
	struct fdb *fdb;			  /* see fdb.h */
	void *fdb_mem;				  /* control */
	struct groups *groups;			  /* control; see groups.h */
	_Atomic(const struct port_table *) table; /* control: wo, workers: ro */
	_Atomic uint32_t now_s;			  /* control: wo, workers: ro; see seconds.h */
	struct seconds seconds;			  /* control */
	uint64_t started_ns;			  /* control; CLOCK_MONOTONIC */
	uint32_t age_part;			  /* control: next part of the fdb to age */
	struct forget forget;			  /* control; see forget.h */
	uint64_t n_hints_lost; /* control: hints that found their ring full (hint.h) */
	uint32_t n_workers;
	struct worker *workers[WORKERS_MAX];
	struct stall *stall;

	/* control: what takes long has done a step; NULL: nobody waits for it. See service.h */
	void (*on_progress)(void *arg);
	void *progress_arg;
};

/* Control: to be called between the steps of what is made of many that may each take a while. */
static inline void
switch_progress(const struct vswitch *sw)
{
	if (sw->on_progress)
		sw->on_progress(sw->progress_arg);
}

/*
 * Makes the switch and starts its workers. EAL, rcu and events are up. kinds: the kinds of port
 * there are. NULL with the sentence in e.
 */
struct vswitch *switch_create(const struct switch_conf *conf, const struct port_ops *const *kinds,
			      struct error *e);

/* Closes all ports, ends the workers, frees all. Takes NULL. */
void switch_destroy(struct vswitch *sw);

/* What can change without a restart: idle_max_us, fdb_ageing_s. 0, or -ENOTSUP for the rest. */
int switch_reconfigure(struct vswitch *sw, const struct switch_conf *conf, struct error *e);

/* Can this port be added (name and kind known and free, lcores are workers, kind's own check)? */
int switch_port_check(struct vswitch *sw, const struct port_conf *conf, struct error *e);

/*
 * Opens a port and lets the workers see it; no worker stops. 0 or -errno with the sentence in e:
 * -EEXIST (name), -EINVAL, -ENOSPC (PORTS_MAX), or as the kind's open says.
 */
int switch_port_add(struct vswitch *sw, const struct port_conf *conf, struct error *e);

/* Takes a port from the workers, forgets its stations, closes it. 0 or -ENOENT. */
int switch_port_del(struct vswitch *sw, const char *name, struct error *e);

/* The configurations that the ports have are in force: nothing goes back to those before. */
void switch_settle(struct vswitch *sw);

/* A port that is in force no more, and was deleted or could not be opened, is not to come back. */
void switch_port_forget(struct vswitch *sw, const struct port_conf *conf);

/* NULL if there is none. */
struct port *switch_port_find(struct vswitch *sw, const char *name);

/* Ports in the order of their ids: each() returns false to stop. */
void switch_port_walk(struct vswitch *sw, bool (*each)(struct port *port, void *arg), void *arg);

/* Sum of a port's counters over all workers, since it was added. */
void switch_port_counts(struct vswitch *sw, const struct port *port, struct port_counts *counts);

/* Every SWITCH_TICK_MS: the clock, one step of ageing, the events. */
enum {
	SWITCH_TICK_MS = 100
};
void switch_tick(struct vswitch *sw);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stall.h: a worker that a peer makes wait in the kernel is freed, and that peer's port goes off.
 *
 * Workers wake guests by eventfds that their QEMUs have, too. Whoever has one can take its
 * O_NONBLOCK away and fill its counter, at any time: then the next write to it waits for ever. So a
 * thread looks all the time whether each worker makes rounds. Of one that does not, the kernel says
 * whether it waits in write(2) to an eventfd: a signal ends that, and the port that the worker was
 * at is guilty (HINT_PORT). Who only runs slowly, or is not given its CPU, is not meant.
 *
 * Threads: stall_start, stall_stop: control; the others: any.
 */
#ifndef VSWITCH_STALL_H
#define VSWITCH_STALL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct error;
struct stall;
struct vswitch;

enum {
	STALL_SIGNAL = SIGURG, /* the only one beside SIGBUS that a worker does not block */
};

/* Looks after sw's workers, which run. NULL with the sentence in e. */
struct stall *stall_start(struct vswitch *sw, struct error *e);

/* Before the workers end. Takes NULL. */
void stall_stop(struct stall *s);

/* Is it one, and not something else whose writes could wait? Any descriptor may be asked. */
bool stall_is_eventfd(int fd);

/* Has a worker waited for the peer of this port, since stall_forgive()? */
bool stall_is_by(uint16_t port);
void stall_forgive(uint16_t port);

#endif

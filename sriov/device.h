/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device.h: a DPDK device that comes and goes at run time: found by its bus, probed, watched for
 * events, and removed.
 *
 * Events come on EAL's interrupt thread, which only notes them: a device can't be closed from its
 * own callback. The control thread takes them at its next tick.
 *
 * Threads: control, but for what the callbacks do.
 */
#ifndef SRIOV_DEVICE_H
#define SRIOV_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "port.h"

struct error;
struct rte_device;

/* What happened to a device: bits. */
enum {
	DEVICE_EVENT_LINK = 1 << 0,   /* RTE_ETH_EVENT_INTR_LSC */
	DEVICE_EVENT_RESET = 1 << 1,  /* RTE_ETH_EVENT_INTR_RESET: its PF was reset */
	DEVICE_EVENT_REMOVE = 1 << 2, /* it is about to be taken away: to be let go of at once */
};

struct device {
	struct rte_device *handle; /* of DPDK; NULL: not probed */
	bool is_heard;		   /* events are listened to */
	char name[64];		   /* on its bus */
	uint16_t dpdk_port;	   /* while it is probed */
	_Atomic uint32_t events;   /* callbacks: or, control: exchange */
};

/* -EEXIST with the sentence in e: the device of that name on its bus is probed already; else 0. */
int device_check(const char *name, const char *port_name, struct error *e);

/*
 * Probes the device that devargs name, and listens to its events. 0, or -errno with the sentence in
 * e and nothing left: -ENODEV, it is not there; -EEXIST, another port has it.
 */
int device_probe(struct device *dev, const char *port_name, const char *devargs, struct error *e);

/* No more events; call it before the ethdev is closed. Takes one that is not listened to. */
void device_ignore(struct device *dev);

/*
 * Takes the device off its bus; the ethdev has been closed. Takes one that is not probed. False: it
 * is still held by this process.
 */
bool device_remove(struct device *dev, const char *port_name);

/* The events since the last call. */
uint32_t device_events(struct device *dev);

#endif

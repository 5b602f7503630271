/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * service.h: what vswitchd says to the service manager that started it, by sd_notify(3): that it is
 * ready, reads its configuration again, ends; how its ports are; and that it is alive, as long as
 * the control thread runs, or gets from port to port of a new configuration, and each worker makes
 * rounds. Without a service manager all of it does nothing.
 *
 * Threads: the control thread.
 */
#ifndef VSWITCH_SERVICE_H
#define VSWITCH_SERVICE_H

struct error;
struct event_base;
struct service;
struct vswitch;

/* Before the event loop; NULL with the sentence in e. sw stays until service_destroy(). */
struct service *service_create(struct event_base *base, struct vswitch *sw, struct error *e);

/* Ready: for the first time, or after service_reloading(). */
void service_ready(struct service *s);

/* The configuration is read again from now on. */
void service_reloading(struct service *s);

/* It ends from now on; s may be NULL: half started. */
void service_destroy(struct service *s);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * details.h: details of a vhost-user port for `port show`.
 *
 * Threads: the control thread's.
 */
#ifndef VHOST_DETAILS_H
#define VHOST_DETAILS_H

struct port;
struct report;

void details_report(struct port *port, struct report *report);

#endif

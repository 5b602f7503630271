/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.h: the control socket: JSON-RPC 2.0, one object a line, on a UNIX stream socket.
 *
 * It keeps the configuration that is in force, and changes the switch by conf_apply() only.
 *
 * Threads: the control thread, on whose event base all of it runs. The process ignores SIGPIPE.
 */
#ifndef CONF_CONTROL_H
#define CONF_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"

struct control;
struct event_base;

/* What only main knows. Strings must live as long as the control. */
struct control_info {
	const char *conf_path; /* of the file, for reload and messages */
	const char *version;   /* of vswitchd */
	const char *dpdk;      /* rte_version() */
	const char *cpu_level; /* of the code that vhost-user ports run, level_best() */
	bool hugepages;	       /* in use */
	uint64_t memory;       /* bytes of packet memory in use */
	struct conf_cpus cpus; /* as conf_cpus_read() found them */
};

/*
 * Binds conf->control with mode 0660, after removing a socket that nobody listens on, and takes
 * conf over (also when it fails). Answers as soon as base runs. NULL with the sentence in e, among
 * others when another vswitchd listens there.
 */
struct control *control_create(struct event_base *base, struct vswitch *sw, struct conf *conf,
			       const struct control_info *info, struct error *e);

/*
 * Opens the ports of the configuration: call once, after control_create() and before base runs.
 * 0; -errno with the sentence in e if the configuration is wrong. See conf_apply().
 */
int control_start(struct control *control, struct error *e);

/* Loads the file again and applies it (SIGHUP). Logs what went wrong; the switch then is as before.
 */
void control_reload(struct control *control);

/* Ends all connections and removes the socket. Ports stay as they are. Takes NULL. */
void control_destroy(struct control *control);

#endif

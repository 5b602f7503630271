/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.h: the other side of the control socket, for vswitchctl and the programs of qemu/, and
 * what vswitchctl prints for people.
 *
 * Threads: these programs have one.
 */
#ifndef CONF_CLIENT_H
#define CONF_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;

#define CLIENT_SOCKET_DEFAULT "/run/vswitch/vswitchd.sock"

enum {
	CLIENT_WHY_MAX = 512,
};

/* Where to call. */
struct client {
	const char *socket;
	int wait_s;		  /* for the daemon to go on, seconds */
	char why[CLIENT_WHY_MAX]; /* the sentence of the last call that failed */
	bool is_mute; /* that one failed since nobody answered: the next would as well */
};

/*
 * Calls a method and waits for the reply. params (taken over) may be NULL. The result is the
 * caller's; NULL with the sentence in why.
 */
struct json_object *client_call(struct client *client, const char *method,
				struct json_object *params);

/* client_print.c: results as tables and lines. */
void client_print_status(struct json_object *result);
void client_print_ports(struct json_object *result);
void client_print_port(struct json_object *result);
void client_print_fdb(struct json_object *result);
void client_print_stats(struct json_object *result);
void client_print_workers(struct json_object *result);
void client_print_config(struct json_object *result);
void client_print_version(struct json_object *result);
void client_print_flushed(struct json_object *result);
void client_print_checked(struct json_object *result);
void client_print_nothing(struct json_object *result);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.h: vswitchctl's side of the control socket, and what it prints for people.
 *
 * Threads: vswitchctl has one.
 */
#ifndef CONF_CLIENT_H
#define CONF_CLIENT_H

struct json_object;

/*
 * Calls a method over the socket of that path and waits for the reply. params (taken over) may be
 * NULL. The result is the caller's; NULL after a sentence on stderr.
 */
struct json_object *client_call(const char *path, const char *method, struct json_object *params);

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

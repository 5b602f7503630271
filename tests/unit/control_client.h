/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_client.h: a control socket over a fake switch (fake_switch.h), and a client's side of it,
 * for test_control.c and test_control_socket.c.
 *
 * Both sides share one thread: whatever waits for the control runs its event base meanwhile.
 */
#ifndef TESTS_CONTROL_CLIENT_H
#define TESTS_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "control.h"

struct event_base;
struct json_object;

extern char socket_path[96], conf_path[96];
extern struct event_base *base;
extern struct control *control;

/* As control_create(), with these ports; NULL with the sentence in e. */
struct control *create(const char *ports, struct error *e);

/* Of each test: a control with ports vm1, in and vm2, of which vm2 failed to open. */
int setup(void **state);
int teardown(void **state);

/* A new connection, which does not block. */
int client(void);

/* Lets the control run until nothing happens any more. */
void run(void);

/* Sends all, letting the control run meanwhile; false if it has ended the connection. */
bool send_all(int fd, const char *text, size_t len);

/* The next reply; NULL if the connection ended. */
struct json_object *receive(int fd);

/* The reply to one request on a connection of its own. */
struct json_object *call(const char *method, const char *params);

/* The result is exactly this. */
void answers(const char *method, const char *params, const char *result);

#endif

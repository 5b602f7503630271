/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.h: makes a struct conf of the raw strings of a file, or says what is wrong with them.
 *
 * All that can be judged without looking at the machine is judged here.
 *
 * Threads: any.
 */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

struct conf;
struct error;
struct port_ops;
struct raw;
struct raw_port;
struct text;

/* Fills a zeroed conf, ports and lines allocated; what is there on failure is conf_free()'s. */
int check_conf(struct text *text, const struct raw *raw, const struct port_ops *const *kinds,
	       struct conf *conf, struct error *e);

/* Appends the port to conf, whose arrays have room for it. The root of text is the port. */
int check_add_port(struct text *text, const struct raw_port *raw,
		   const struct port_ops *const *kinds, struct conf *conf, struct error *e);

/* The defaults of all that a file can leave out, in a zeroed conf. */
void check_defaults(struct conf *conf);

#endif

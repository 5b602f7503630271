/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check_where.h: between check.c, check_port.c and check_uplink.c: values of one mapping, and where
 * they stand.
 *
 * All return 0, or -EINVAL with the sentence in e. A text of NULL is an absent key, which leaves
 * *out as it is.
 */
#ifndef CONF_CHECK_WHERE_H
#define CONF_CHECK_WHERE_H

#include <net/ethernet.h>
#include <stdbool.h>
#include <stdint.h>

#include "port.h"
#include "text.h"

struct conf;
struct error;
struct raw_port;

enum {
	CHECK_CPU_MAX = 1023, /* CPU_SETSIZE - 1 */
};

#define CHECK_NAME_RULE                                                                            \
	"\"%.40s\" is no name: 1 to %d of A-Z a-z 0-9 _ . -, not beginning with . or -"

struct where {
	struct text *text;
	const yaml_node_t *map;
	char subject[64]; /* `switch`, `ports: vm1` */
};

struct check_word {
	const char *word;
	int value;
};

/* The sentence for key (empty: the mapping itself), and its entry if that is not -1. */
int check_fail(const struct where *w, const char *key, int entry, struct error *e,
	       const char *format, ...) __attribute__((format(printf, 5, 6)));

int check_number(const struct where *w, const char *key, const char *text, uint64_t min,
		 uint64_t max, uint64_t *out, struct error *e);

/* true or false. */
int check_flag(const struct where *w, const char *key, const char *text, bool *out,
	       struct error *e);

/* words ends with NULL. */
int check_word(const struct where *w, const char *key, const char *text,
	       const struct check_word *words, int *out, struct error *e);

int check_cpus(const struct where *w, const char *key, char *const *texts, unsigned int n,
	       uint16_t *cpus, struct error *e);

/* Of a socket: squeezed, see path.h. */
int check_path(const struct where *w, const char *key, const char *path,
	       char out[UNIX_PATH_MAX + 1], struct error *e);

/* The address of a station. */
int check_mac(const struct where *w, const char *key, const char *text, bool *has,
	      struct ether_addr *out, struct error *e);

/* check_uplink.c: the keys that kinds of uplink have, in a zeroed port with those that all have. */
int check_uplink_vf(const struct where *w, const struct raw_port *raw, struct port_conf *port,
		    struct error *e);
int check_uplink_ethdev(const struct where *w, const struct raw_port *raw, struct port_conf *port,
			struct error *e);

/* check_port.c: appends the port to conf if it is right, also beside those that are there already.
 */
int check_port(const struct where *w, const struct raw_port *raw,
	       const struct port_ops *const *kinds, struct conf *conf, struct error *e);

#endif

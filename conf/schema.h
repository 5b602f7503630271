/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema.h: the keys of a configuration, as libcyaml reads them.
 *
 * libcyaml sees to the structure: which keys there are, that none is there twice, what is a list
 * and what a mapping. All values are taken as strings: its own reading of numbers ("90x" is 90,
 * "010" is 8, "-1" is 2^64-1) and of booleans (all but "false" is true) is too generous. check.c
 * reads them.
 *
 * Threads: any.
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

struct error;
struct text;

struct raw_fdb {
	char *max;
	char *ageing;
};

struct raw_offloads {
	char *checksum;
	char *tso;
	char *uso;
};

struct raw_vm {
	char *name;
	char *nic;
	char *mac;
	char *memory;
	char *is_auto;
};

struct raw_switch {
	char *name;
	char **workers;
	unsigned int workers_count;
	char *idle;
	char *idle_max_us;
	char *control;
	char *state;
	char *memory;
	char *hugepages;
	char *log;
	char *mtu;
	struct raw_fdb *fdb;
};

struct raw_port {
	/* any kind */
	char *name;
	char *type;
	char **lcores;
	unsigned int lcores_count;
	char *queues;
	char *mtu;
	char *max_macs;
	struct raw_offloads *offloads;
	/* vhost-user */
	char *socket;
	char *mode;
	char *datapath;
	char *viommu;
	char *features;
	char *owner;
	char *group;
	char *permissions;
	struct raw_vm *vm;
	char *selinux;
	/* tap */
	char *ifname;
	char *backend;
	char *mac; /* vf as well */
	char **address;
	unsigned int address_count;
	/* vf and ethdev */
	char *filter;
	char **vlans;
	unsigned int vlans_count;
	/* vf */
	char *pf;
	char *vf;
	char *num_vfs;
	char *pci;
	char *vlan;
	char *trust;
	char *spoofcheck;
	char *link_state;
	char *min_rate;
	char *max_rate;
	/* ethdev */
	char *devargs;
};

/* A file. A pointer is NULL where the key is absent. */
struct raw {
	struct raw_switch *sw;
	struct raw_port *ports;
	unsigned int ports_count;
};

/* The keys that not all kinds of port have. */
struct schema_own_key {
	const char *key;
	const char *types[2]; /* port_ops.type; the second may be NULL */
};

extern const struct schema_own_key schema_own_keys[]; /* ends with key NULL */

/*
 * Loads a text that text_init() has taken in, as a file or as one port. 0 or -errno with the
 * sentence in e. Free with schema_free() or schema_free_port(), which take NULL.
 */
int schema_load(struct text *text, struct raw **raw, struct error *e);
int schema_load_port(struct text *text, struct raw_port **raw, struct error *e);
void schema_free(struct raw *raw);
void schema_free_port(struct raw_port *raw);

#endif

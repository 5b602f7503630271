/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conf.h: the configuration: loaded from YAML, checked, printed, and applied to a switch.
 *
 * A struct conf is the desired state, as it was asked for. Defaults that depend on the machine stay
 * open in it (n_workers 0, idle auto) until conf_switch() fills them in.
 *
 * Errors are one sentence with file, line and key:
 * `/etc/vswitch/vswitch.yaml:12: ports: vm1: mtu: 90000 is not in 68..65535`.
 *
 * Threads: the control thread.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "log.h"
#include "port.h"
#include "switch.h"
#include "worker.h"

#define CONF_FILE_DEFAULT    "/etc/vswitch/vswitch.yaml"
#define CONF_CONTROL_DEFAULT "/run/vswitch/vswitchd.sock"
#define CONF_STATE_DEFAULT   "/var/lib/vswitch"

enum {
	CONF_TEXT_MAX = 400 << 10, /* bytes of a file: as JSON they fit into one request */
	CONF_MEMORY_MIN_M = 64,	   /* MiB of packet memory */
	CONF_MEMORY_DEFAULT_M = 256,
	CONF_MEMORY_MAX_M = 1 << 20,
	CONF_MACS_VHOST_DEFAULT = 4096,
	CONF_FDB_MIN = 64,	     /* stations */
	CONF_VFS_MAX = 256,	     /* that a PF may be asked to have */
	CONF_AGEING_MAX_S = 1000000, /* IEEE 802.1Q §8.8.3; its minimum of 10 is not asked */
};

enum conf_idle {
	CONF_IDLE_AUTO, /* poll if the CPUs of all workers are isolated, else sleep */
	CONF_IDLE_POLL,
	CONF_IDLE_SLEEP,
};

struct conf {
	char name[PORT_NAME_MAX];
	uint16_t n_workers;	       /* 0: by the machine, see conf_switch() */
	uint16_t workers[WORKERS_MAX]; /* CPUs */
	enum conf_idle idle;
	uint32_t idle_max_us;
	char control[UNIX_PATH_MAX + 1]; /* path of the control socket */
	char state[SWITCH_STATE_MAX];	 /* directory of what outlives the daemon */
	uint64_t memory;		 /* bytes */
	bool hugepages;
	enum log_level log;
	uint16_t mtu;	       /* of ports that have none of their own */
	uint32_t fdb_max;      /* stations */
	uint32_t fdb_ageing_s; /* 0: never */
	uint32_t n_ports;
	struct port_conf *ports; /* in the order of the file; NULL if there is none */

	/* where it is from, for messages; not part of what is asked for */
	char *source;	 /* name of the file, or NULL */
	uint32_t *lines; /* line of each port in it; 0: none */
};

/* What the defaults depend on. */
struct conf_cpus {
	uint16_t n_isolated;
	uint16_t isolated[WORKERS_MAX]; /* /sys/devices/system/cpu/isolated */
	uint16_t last;			/* last CPU that this process may run on */
};

/* A configured port that is not open, and the sentence that says why. */
struct conf_failed_port {
	char name[PORT_NAME_MAX];
	char reason[ERROR_TEXT_MAX];
};

struct conf_failed {
	uint32_t n;
	struct conf_failed_port *ports; /* free() */
};

/*
 * Loads and checks a file all through but for what needs the machine. kinds: the kinds of port
 * there are, NULL-terminated (only .type is used). 0, or -errno with the sentence in e, and *conf
 * NULL. The caller frees *conf by conf_free().
 */
int conf_load_file(const char *path, const struct port_ops *const *kinds, struct conf **conf,
		   struct error *e);

/* The same for len bytes of text, which errors call name. */
int conf_load_text(const char *text, size_t len, const char *name,
		   const struct port_ops *const *kinds, struct conf **conf, struct error *e);

/*
 * A copy of base with one more port, which text (len bytes of YAML or JSON, one mapping with the
 * keys of a port) describes. Errors carry no file and line: `port vm1: mtu: 90000 is not
 * in 68..65535`.
 */
int conf_add_port(const struct conf *base, const char *text, size_t len,
		  const struct port_ops *const *kinds, struct conf **conf, struct error *e);

/* A copy of base without the port name; -ENOENT if it has none. */
int conf_del_port(const struct conf *base, const char *name, struct conf **conf, struct error *e);

/*
 * A copy of base in which a port has other values for some keys: text (len bytes of YAML or JSON)
 * is one mapping with the port's name and these keys. Of a mapping, as offloads, only the keys that
 * it names change. -ENOENT if base has no such port; else errors are those of conf_add_port().
 */
int conf_set_port(const struct conf *base, const char *text, size_t len,
		  const struct port_ops *const *kinds, struct conf **conf, struct error *e);

/*
 * Puts into next, a file's, what is no file's business: the ports of running that were added for a
 * machine and go with it (vm: auto), but for those whose name, socket or device next gives to a
 * port of its own. An MTU that was the switch's is that of next. 0 or -errno.
 */
int conf_keep_auto(struct conf *next, const struct conf *running, struct error *e);

/*
 * What the kinds of port find wrong with it on any machine: -EINVAL with the sentence in e. What
 * only this machine lacks now (a directory, a right) is no fault of the configuration.
 */
int conf_check_ports(const struct conf *conf, const struct port_ops *const *kinds, struct error *e);

/* Takes NULL. */
void conf_free(struct conf *conf);

/* Do both ask for the same port? */
bool conf_same_port(const struct port_conf *a, const struct port_conf *b);

/*
 * The key by which both ask for what only one port can have: a socket, interface, VF or device;
 * NULL if there is none. Names of ports are not looked at.
 */
const char *conf_port_clash(const struct port_conf *a, const struct port_conf *b);

/* The port of that name, or NULL. */
const struct port_conf *conf_find_port(const struct conf *conf, const char *name);

/* Writes `FILE:LINE: ` of one of conf's own ports, or nothing if it came from no file. */
void conf_where(const struct conf *conf, const struct port_conf *port, char *where, size_t len);

/* YAML that loads back to the same struct conf; the caller frees it. NULL: out of memory. */
char *conf_print(const struct conf *conf);

/*
 * The same with nothing but one port of conf, without the keys whose defaults depend on others: so
 * that they follow when those change.
 */
char *conf_print_port(const struct conf *conf, const struct port_conf *port);

/* Reads what conf_switch() needs; before EAL narrows the affinity. 0 or -errno. */
int conf_cpus_read(struct conf_cpus *cpus, struct error *e);

/*
 * What the switch is to be on this machine: workers default to the isolated CPUs, else to the last
 * CPU. Leaves n_mbufs 0 for the caller to set. 0, or -EINVAL if a port's lcores are not among them.
 */
int conf_switch(const struct conf *conf, const struct conf_cpus *cpus, struct switch_conf *out,
		struct error *e);

/*
 * Makes the switch what next asks for, where old (NULL: nothing yet) is what it was asked before.
 * A port whose kind can change all that differs while it runs, is changed; others are made anew.
 * Checks all, then changes all; what can't be changed while running or fails in the middle is
 * refused with the sentence in e, and the switch is again as it was. -errno then.
 *
 * failed (in: of old; out: of what is now) are the configured ports that are not open. Where old is
 * NULL, a port that fails for a reason of the machine is logged and listed there, and the others
 * run; -EINVAL is only returned for a configuration that can't work on any machine. A port that was
 * in failed before, and is asked for without a change, is tried again and may fail again.
 */
int conf_apply(struct vswitch *sw, const struct conf_cpus *cpus, const struct conf *old,
	       const struct conf *next, struct conf_failed *failed, struct error *e);

#endif

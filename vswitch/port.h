/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.h: what a port is, and what a kind of port (vhost/, tap/, sriov/) provides.
 *
 * rx is always into the switch and tx always out of it.
 *
 * Threads: the control thread makes, opens, closes and frees ports. Workers call rx, release, tx
 * and notify on ports that they found in a poll list or in the port table (switch.h), which stay
 * valid until the worker's next quiescent state. A receive queue has one worker at a time.
 */
#ifndef VSWITCH_PORT_H
#define VSWITCH_PORT_H

#include <netinet/in.h>
#include <net/ethernet.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "stats.h"

struct batch;
struct error;
struct port;
struct vswitch;
struct worker;

enum {
	PORT_NAME_MAX = 32,   /* bytes, with the final 0 */
	PORTS_MAX = 1024,     /* ids are below; as many as FDB_PORTS_MAX */
	PORT_QUEUES_MAX = 16, /* receive queues (queue pairs of a guest) */
	PORT_LCORES_MAX = 128,
	PORT_ADDRESSES_MAX = 16,
	PORT_MTU_MIN = 68, /* RFC 791 */
	PORT_MTU_MAX = 65535,
	PORT_MTU_DEFAULT = 1500,
	UNIX_PATH_MAX = 107,	/* bytes of a UNIX socket's path, without the final 0 (unix(7)) */
	PORT_LABEL_MAX = 256,	/* bytes of an SELinux label, with the final 0 */
	PORT_DEVARGS_MAX = 256, /* bytes, with the final 0 */
	PORT_PCI_MAX = 16,	/* bytes of a PCI address as 0000:01:10.0, with the final 0 */
	PORT_VLANS_MAX = 64,	/* VLANs that an uplink always lets in */
	PORT_VM_NAME_MAX = 256, /* bytes, with the final 0 */
	PORT_VM_NIC_MAX = 64,	/* bytes, with the final 0 */
	REASON_MAX = 256,
};

/* Alone: it makes the type of its enum unsigned, and with gcc 13 those of all others in it. */
enum {
	PORT_MACS_UNLIMITED = UINT32_MAX - 1
};

/* Which frames an uplink's device is asked to receive. */
enum port_filter {
	PORT_FILTER_AUTO,	 /* as the driver and the PF's trust allow */
	PORT_FILTER_PROMISCUOUS, /* all */
	PORT_FILTER_MAC_LIST,	 /* for the stations behind the other ports */
	PORT_FILTER_OWN,	 /* for the device's own address, broadcast and groups */
};

/* What moves the frames of a TAP. */
enum port_backend {
	PORT_BACKEND_TUN,	/* we, by a system call for each frame, which may be a long one */
	PORT_BACKEND_NET_TAP,	/* DPDK's driver, by a system call for each frame */
	PORT_BACKEND_VHOST_NET, /* the kernel's vhost-net, by a virtio ring for each queue */
	PORT_BACKENDS,		/* number of backends */
};
extern const char *const port_backend_names[PORT_BACKENDS]; /* as the config spells them */

/* What the config wants of a setting of the PF's. */
enum port_wish {
	PORT_WISH_NONE, /* as it is */
	PORT_WISH_OFF,
	PORT_WISH_ON,
};

/* Link of a VF, as its PF shows it to it (IFLA_VF_LINK_STATE). */
enum port_link_state {
	PORT_LINK_STATE_NONE, /* as it is */
	PORT_LINK_STATE_AUTO,
	PORT_LINK_STATE_ENABLE,
	PORT_LINK_STATE_DISABLE,
};

enum {
	PORT_VLAN_NONE = -1, /* as it is */
	PORT_RATE_NONE = -1, /* as it is */
};

/* What the config wants of a VF through its PF. */
struct port_vf_wish {
	bool has_mac;
	struct ether_addr mac;
	int32_t vlan; /* 0..4094, 0: no port VLAN; or PORT_VLAN_NONE */
	enum port_wish trust, spoofcheck;
	enum port_link_state link_state;
	int64_t min_rate, max_rate; /* Mbit/s, 0: no limit; or PORT_RATE_NONE */
};

/* What is known of the memory of the machine behind a port. */
enum port_vm_memory {
	PORT_VM_MEMORY_UNKNOWN,
	PORT_VM_MEMORY_SHARED,
	PORT_VM_MEMORY_PRIVATE, /* which the switch can't read */
};

/* What who manages the virtual machines says of the one behind the port: shown, and no more. */
struct port_vm {
	char name[PORT_VM_NAME_MAX]; /* or empty */
	char nic[PORT_VM_NIC_MAX];   /* which of its network cards, or empty */
	bool has_mac;
	struct ether_addr mac; /* of that card */
	enum port_vm_memory memory;
	bool is_auto; /* added for the machine, and to be removed with it */
};

/* One prefix of an interface. */
struct port_address {
	int family; /* AF_INET or AF_INET6 */
	union {
		struct in_addr in;
		struct in6_addr in6;
	};
	uint8_t prefix_len;
};

/* What the config says of a port, checked. Strings end with 0 and may be empty where noted. */
struct port_conf {
	char name[PORT_NAME_MAX];
	char type[16]; /* port_ops.type */
	uint16_t mtu;
	uint16_t queues;
	uint16_t n_lcores;		  /* 0: the switch spreads the queues over its workers */
	uint16_t lcores[PORT_LCORES_MAX]; /* CPUs, each the CPU of a worker */
	uint32_t max_macs;		  /* stations that may be learned on the port */
	uint32_t offloads;		  /* that the port may use: enum offload */

	struct {
		char socket[UNIX_PATH_MAX + 1];
		bool is_client;	      /* mode: client: we connect, QEMU listens */
		bool is_library;      /* datapath: library: librte_vhost's own bursts */
		bool has_viommu;      /* viommu: the guest may have one; only with is_library */
		bool is_pinned;	      /* features: pin */
		char owner[64];	      /* user, or empty: as it is */
		char group[64];	      /* group, or empty: as it is */
		uint32_t permissions; /* 0660 */
		struct port_vm vm;
		char selinux[PORT_LABEL_MAX]; /* label of the socket, or empty: the policy's */
	} vhost;

	struct {
		char ifname[16];
		enum port_backend backend;
		bool has_mac;
		struct ether_addr mac;
		uint16_t n_addresses;
		struct port_address addresses[PORT_ADDRESSES_MAX];
	} tap;

	/* of both kinds of uplink, vf and ethdev */
	struct {
		enum port_filter filter;
		uint16_t n_vlans;
		uint16_t vlans[PORT_VLANS_MAX]; /* 1..4094, let in beside those that are in use */
	} uplink;

	/* either pf and vf, or pci */
	struct {
		char pf[PORT_PCI_MAX]; /* interface or PCI address of the PF, or empty */
		uint16_t vf;	       /* number of the VF, from 0 */
		uint16_t num_vfs;      /* VFs that the PF is to have; 0: as it is */
		char pci[PORT_PCI_MAX];
		struct port_vf_wish wish;
	} vf;

	struct {
		char devargs[PORT_DEVARGS_MAX]; /* as rte_dev_probe() takes it */
	} ethdev;
};

/* Receives a port's details for `port show`; values are copied. */
struct report {
	void (*text)(struct report *report, const char *key, const char *value);
	void (*number)(struct report *report, const char *key, uint64_t value);
	void (*flag)(struct report *report, const char *key, bool value);
};

struct port_ops {
	const char *type; /* as the config spells it: "vhost-user", "tap" */
	const char *peer; /* what is at the other end, for messages: "guest", "host" */

	/*
	 * The wire is behind it, which may give our own frames back: what comes in with the address
	 * of a station that another port just heard moves nobody, and is dropped if it is for all.
	 */
	bool is_uplink;

	/*
	 * Control. Can this configuration work here at all? Looks, changes nothing.
	 * 0 or -errno with the sentence in e. May be NULL.
	 */
	int (*check)(const struct port_conf *conf, struct error *e);

	/*
	 * Control. Makes the port ready for rx and tx, which may begin as soon as it returns 0.
	 * -errno with the sentence in e leaves nothing behind.
	 */
	int (*open)(struct port *port, struct error *e);

	/* Control. No worker sees the port any more. Undoes open; takes a half-opened port. */
	void (*close)(struct port *port);

	/* Control. Applies an MTU that differs from port_mtu(); 0 or -errno. NULL: not at run
	 * time. */
	int (*set_mtu)(struct port *port, uint16_t mtu, struct error *e);

	/*
	 * Control. Lets the port use these offloads (enum offload), others not: what is sent to it
	 * is finished from now on, what it offers its peer is what the peer sees when it asks next.
	 * NULL: they don't depend on the configuration.
	 */
	void (*set_offloads)(struct port *port, uint32_t offloads);

	/*
	 * Control. The features that the port offers now stay the most that it offers, whatever a
	 * later version could do; or not any more. 0 or -errno. NULL: not at run time.
	 */
	int (*set_pinned)(struct port *port, bool is_pinned, struct error *e);

	/*
	 * Control. The configuration of the port is in force: none before it comes back. May be
	 * NULL.
	 */
	void (*settle)(struct port *port);

	/*
	 * Control. No port of that name is configured any more: what outlives a port, for the next
	 * vswitchd, goes. It was closed, or could not be opened. May be NULL.
	 */
	void (*forget)(struct vswitch *sw, const struct port_conf *conf);

	/*
	 * Worker. Takes at most batch->max frames of a receive queue (a device that gives only
	 * multiples of some number: that rounded up) and lends them to the empty, started batch.
	 * All are at least FRAME_LEN_MIN long, with at least that in the head; what is not, is
	 * dropped and counted in stats here. Returns how many it took, dropped ones included. If
	 * there were any, it has set batch->is_drained, and one release() follows.
	 */
	uint32_t (*rx)(struct port *port, uint16_t queue, struct batch *batch,
		       struct port_stats *stats);

	/* Worker. Gives all that the last rx took back to their queue. */
	void (*release)(struct port *port, uint16_t queue, struct batch *batch);

	/*
	 * Worker. Sends the frames of set: copies them, or takes a reference to their mbuf, before
	 * it returns. They ask for no other offloads than port->offloads has, or had when the view
	 * that they are sent by was published. Returns the set that found room; the others it has
	 * counted in stats by reason, or keeps copies that it counts when they go. Never changes
	 * the batch.
	 */
	uint64_t (*tx)(struct port *port, struct batch *batch, uint64_t set, struct worker *worker,
		       struct port_stats *stats);

	/* Worker, once a round for each port it called release or tx of. Wakes the peer if it asks.
	 */
	void (*notify)(struct port *port, struct worker *worker, struct port_stats *stats);

	/* Control. Details of this kind; may be NULL. */
	void (*show)(struct port *port, struct report *report);

	/* Control, at a HINT_PORT: says what a worker saw and can't say itself; may be NULL. */
	void (*attend)(struct port *port);

	/* Control, every SWITCH_TICK_MS; may be NULL. */
	void (*tick)(struct port *port);

	/*
	 * Control. Stops the device and starts it anew, with all its settings. 0, or -errno with
	 * the sentence in e. NULL: there is nothing to restart.
	 */
	int (*restart)(struct port *port, struct error *e);
};

struct port {
	const struct port_ops *ops;
	struct vswitch *sw; /* control; the switch that it is a port of */
	uint16_t id;
	struct port_conf conf;	   /* control: wo before the port is published, then ro for all */
	_Atomic uint16_t mtu;	   /* control: wo, others: ro; conf.mtu until it is changed */
	_Atomic uint32_t offloads; /* kind: wo, others: ro. What its receiver takes: enum offload */
	void *priv;		   /* of the kind */
	_Atomic bool link_up;	 /* kind: wo, others: ro. Nothing is sent to a port that is down */
	struct port_counts base; /* control: what the counters of this id were when it was opened */
	uint16_t workers[PORT_QUEUES_MAX]; /* control: id of the worker of each receive queue */

	/* why the port is down, or empty; written by any thread but workers, under the lock */
	struct port_reason *reason;
};

/* Says why a port is down (or, with an empty format "", that all is well), logs a change. */
void port_set_reason(struct port *port, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Copies the reason; empty if there is none. */
void port_get_reason(const struct port *port, char text[REASON_MAX]);

/* Sets link_up, logs a change, and tells the control thread. Any thread but workers. */
void port_set_link(struct port *port, bool up);

static inline bool
port_is_up(const struct port *port)
{
	return atomic_load_explicit(&port->link_up, memory_order_acquire);
}

static inline uint16_t
port_mtu(const struct port *port)
{
	return atomic_load_explicit(&port->mtu, memory_order_relaxed);
}

/*
 * Kind: from now on the receiver takes these. Those that it does not take any more are to be taken
 * back before a grace period, after which it may be told so.
 */
static inline void
port_set_offloads(struct port *port, uint32_t offloads)
{
	/* release: who sees it sees what was published before */
	atomic_store_explicit(&port->offloads, offloads, memory_order_release);
}

/* Longest frame (bytes without FCS, tag not counted) that the port's MTU allows. */
static inline uint32_t
port_frame_max(const struct port *port)
{
	return port_mtu(port) + (uint32_t)ETHER_HDR_LEN;
}

/* port.c, for switch.c: allocates a port of that kind with its conf; NULL and e if out of memory.
 */
struct port *port_create(struct vswitch *sw, const struct port_ops *ops, uint16_t id,
			 const struct port_conf *conf, struct error *e);
void port_free(struct port *port); /* takes NULL */

#endif

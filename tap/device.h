/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device.h: a TAP interface of the host's.
 *
 * We make the interface ourselves and keep a file descriptor without a queue on it: the kernel then
 * tells exactly what is wrong, and the descriptor finds the interface wherever the host has renamed
 * or moved it to. Its queues are attached by us (queue.h) or by a driver of DPDK's (driver.h).
 * Nothing is persistent: with the last descriptor, at the latest with the process, the interface is
 * gone.
 *
 * Threads: control, but for device_look(), which any may call.
 */
#ifndef TAP_DEVICE_H
#define TAP_DEVICE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

struct error;
struct port;
struct port_conf;
struct report;

struct tap_device {
	int fd;		       /* ours, detached: carries no frames; -1: none */
	char ifname[IFNAMSIZ]; /* as it was made */
};

/* How a port names its interface: letters, digits and "_.-", at most 15. 0 or -EINVAL. */
int device_check_name(const char *port_name, const char *ifname, struct error *e);

/* Can interfaces be made here at all? 0 or -errno. Changes nothing. */
int device_check_machine(const struct port_conf *conf, struct error *e);

/*
 * Makes the interface of a tap port, without queues. queue_flags: those of IFF_NO_PI and
 * IFF_VNET_HDR that its queues are attached with. 0, or -errno with the sentence and nothing left.
 */
int device_create(struct tap_device *dev, const struct port *port, short queue_flags,
		  struct error *e);

/*
 * Attaches a queue: a descriptor that never waits, and closed is detached. It must be here
 * (device_look()) under its own name. -errno with the sentence.
 */
int device_attach(const struct tap_device *dev, const char *port_name, short queue_flags,
		  struct error *e);

/* The MAC that a port's interface is to have: the configured one, or one of its name. */
struct rte_ether_addr device_mac(const struct tap_device *dev, const struct port_conf *conf);

/*
 * Set the MAC, the MTU, or the interface up, where no driver does. It must be here (device_look())
 * under its own name. 0, or -errno with the sentence.
 */
int device_set_mac(const struct tap_device *dev, const char *port_name, struct rte_ether_addr mac,
		   struct error *e);
int device_set_mtu(const struct tap_device *dev, const char *port_name, uint16_t mtu,
		   struct error *e);
int device_set_up(const struct tap_device *dev, const char *port_name, struct error *e);

/*
 * What the host may leave undone in what it sends (enum offload), from now on. Returns what of that
 * this kernel knows; it takes the same.
 */
uint32_t device_set_offloads(const struct tap_device *dev, uint32_t offloads);

/* Its MAC as it is now. */
void device_show_mac(const struct tap_device *dev, struct report *report);

/* Removes it. Takes a half-made or an empty one (fd -1). */
void device_destroy(struct tap_device *dev);

enum device_place {
	DEVICE_HERE,	  /* in the network namespace of the calling thread */
	DEVICE_ELSEWHERE, /* the host has moved it */
	DEVICE_GONE,	  /* the host has deleted it */
};

/*
 * Where is the interface of this descriptor, and how is it called now? Elsewhere: *ns_fd (if ns_fd
 * is not NULL) gets a descriptor of the namespace for the caller to close, or -1.
 */
enum device_place device_look(int fd, char ifname[IFNAMSIZ], int *ns_fd);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device.h: a TAP interface and the DPDK device on it.
 *
 * We make the interface ourselves and keep a file descriptor without a queue on it: the kernel then
 * tells exactly what is wrong, and the descriptor finds the interface wherever the host has renamed
 * or moved it to. The backend's driver, net_tap or net_virtio_user, attaches its queues to it.
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

struct error;
struct port;
struct port_conf;

enum {
	DEVICE_RING_LEN =
		1024, /* descriptors of vhost-net's rings, one for each direction and queue */
};

struct tap_device {
	int fd;		       /* ours, detached: carries no frames; -1: none */
	char ifname[IFNAMSIZ]; /* as it was made */
	char vdev[32];	       /* the DPDK device's name; empty: none */
	uint16_t dpdk_port;
	bool is_probed;
};

/* How a port names its interface: letters, digits and "_.-", at most 15. 0 or -EINVAL. */
int device_check_name(const char *port_name, const char *ifname, struct error *e);

/* Can a tap port's interface be made here at all, with its backend? 0 or -errno. Changes nothing.
 */
int device_check_machine(const struct port_conf *conf, struct error *e);

/* Makes interface and DPDK device of a tap port. 0, or -errno with the sentence and nothing left.
 */
int device_create(struct tap_device *dev, const struct port *port, struct error *e);

/*
 * For vhost-net, whose driver does neither: sets the MTU of the interface, or sets it up. It must
 * be here (device_look()) under its own name. 0, or -errno with the sentence.
 */
int device_set_mtu(const struct tap_device *dev, const char *port_name, uint16_t mtu,
		   struct error *e);
int device_set_up(const struct tap_device *dev, const char *port_name, struct error *e);

/*
 * What the host may leave undone in what it sends (enum offload), from now on. A kernel that
 * refuses goes on as before. For vhost-net, when its queues run: the driver sets it, too.
 */
void device_set_offloads(const struct tap_device *dev, uint32_t offloads);

/* Removes both; the DPDK device has been stopped. Takes a half-made or an empty one (fd -1). */
void device_destroy(struct tap_device *dev);

/*
 * net_tap has the kernel send a signal for each received frame, and reads only after one came.
 * Where it finds no free real-time signal it polls instead, which is what a worker wants: no
 * interrupted control thread, and no SIGIO, which would end the process when more signals wait than
 * RLIMIT_SIGPENDING allows. While the queues of a device are made, all free ones are taken.
 */
struct device_signals {
	uint64_t taken; /* bit n: SIGRTMIN + n */
};
void device_take_signals(struct device_signals *signals);
void device_give_signals(const struct device_signals *signals);

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

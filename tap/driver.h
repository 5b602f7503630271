/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * driver.h: a device of DPDK's on a TAP interface, for the backends net_tap and vhost-net. Its
 * driver attaches the queues; vswitch/ethdev.h moves the frames.
 *
 * Threads: control.
 */
#ifndef TAP_DRIVER_H
#define TAP_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct ethdev;
struct port;
struct port_conf;
struct tap_device;

struct tap_driver {
	struct ethdev *ethdev; /* NULL: none */
	char vdev[32];	       /* the DPDK device's name */
	uint16_t dpdk_port;
	bool is_probed;
};

/* The flags of queues that a port's driver attaches, for device_create(). */
short driver_queue_flags(const struct port_conf *conf);

/* Can a port have its queues, and its backend be used here? 0 or -errno. Changes nothing. */
int driver_check(const struct port_conf *conf, struct error *e);

/*
 * Makes the DPDK device on a port's interface and starts it, with the interface up and the port's
 * MTU. 0, or -errno with the sentence; driver_close() follows either way.
 */
int driver_open(struct tap_driver *driver, const struct tap_device *dev, const struct port *port,
		struct error *e);

/* Stops and removes it. Takes a half-made or an empty one. */
void driver_close(struct tap_driver *driver);

/* Another MTU, which is the interface's, too. 0, or -errno with the sentence. */
int driver_set_mtu(const struct tap_driver *driver, const struct tap_device *dev,
		   const struct port *port, uint16_t mtu, struct error *e);

/*
 * net_tap has the kernel send a signal for each received frame, and reads only after one came.
 * Where it finds no free real-time signal it polls instead, which is what a worker wants: no
 * interrupted control thread, and no SIGIO, which would end the process when more signals wait than
 * RLIMIT_SIGPENDING allows. While the queues of a device are made, all free ones are taken.
 */
struct driver_signals {
	uint64_t taken; /* bit n: SIGRTMIN + n */
};
void driver_take_signals(struct driver_signals *signals);
void driver_give_signals(const struct driver_signals *signals);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * show_vm.h: what is known of the virtual machine behind a vhost-user port, beside what the switch
 * sees of it.
 *
 * Threads: the control thread.
 */
#ifndef CONF_SHOW_VM_H
#define CONF_SHOW_VM_H

#include <stdint.h>

struct json_object;
struct port;
struct port_conf;
struct vswitch;

struct show_vm_port;

/* The stations of all ports, where a configured port has a MAC to compare them with. */
struct show_vm {
	struct show_vm_port *ports; /* by id; NULL: nothing to compare */
};

/* Looks through the table of stations if one of n ports has such a MAC. */
void show_vm_init(struct show_vm *seen, const struct vswitch *sw, const struct port_conf *ports,
		  uint32_t n);
void show_vm_fini(struct show_vm *seen);

/*
 * Adds to the object of a port, if a machine is known: vm, what is known of it, and warning, a
 * sentence that may be empty. port: NULL if it is not open.
 */
void show_vm_add(const struct show_vm *seen, const struct port_conf *conf, const struct port *port,
		 struct json_object *object);

/* Adds macs_seen, a list of stations, if the port has a MAC to compare them with. */
void show_vm_add_macs(const struct show_vm *seen, const struct port_conf *conf,
		      const struct port *port, struct json_object *object);

#endif

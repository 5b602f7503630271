/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * show_vm.h: what is known of the virtual machine behind a vhost-user port, beside what the switch
 * sees of it.
 *
 * Threads: the control thread.
 */
#ifndef CONF_SHOW_VM_H
#define CONF_SHOW_VM_H

#include <stdbool.h>

struct json_object;
struct port;
struct port_conf;
struct vswitch;

struct show_vm; /* the ports of a reply whose stations have to be looked for */

/*
 * Adds to the object of a port, if a machine is known: vm, what is known of it, and warning, a
 * sentence that may be empty; with_macs, and if the machine's MAC is known, macs_seen too, those of
 * the port's stations. port: NULL if it is not open.
 *
 * Of a port that has no station but the machine's MAC, in no VLAN, two look-ups tell all. Of others
 * the object lacks stations and a warning of them: they are noted in *seen (NULL at first, and as
 * long as there are none) for show_vm_step(), which needs the object as long as it is not done.
 */
void show_vm_add(struct show_vm **seen, const struct vswitch *sw, const struct port_conf *conf,
		 const struct port *port, bool with_macs, struct json_object *object);

/*
 * Goes through the next part of the table of stations, of less than a millisecond. True: it was the
 * last one, and the objects are whole.
 */
bool show_vm_step(struct show_vm *seen, const struct vswitch *sw);

void show_vm_free(struct show_vm *seen); /* takes NULL */

#endif

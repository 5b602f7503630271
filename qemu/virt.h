/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virt.h: the few calls of libvirt that vswitch-doctor needs. The library is loaded when it is
 * asked for: a machine without libvirt has a doctor all the same.
 *
 * Threads: one.
 */
#ifndef QEMU_VIRT_H
#define QEMU_VIRT_H

#include <stdbool.h>
#include <stddef.h>

enum {
	VIRT_WHY_MAX = 512,
};

struct virt;

/* NULL with a sentence in why. */
struct virt *virt_open(const char *uri, char why[VIRT_WHY_MAX]);
void virt_close(struct virt *virt); /* takes NULL */

/* Version of QEMU: major * 1000000 + minor * 1000 + release; 0: nobody knows. */
unsigned long virt_qemu(struct virt *virt);

/* Calls each for the XML of the domain of that name, or of all; false if there is none, or why. */
bool virt_each(struct virt *virt, const char *name,
	       void (*each)(const char *xml, bool is_running, void *context), void *context,
	       char why[VIRT_WHY_MAX]);

#endif

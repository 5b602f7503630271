/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hook.h: what is to be done when libvirt calls its hook for QEMU domains
 * (https://libvirt.org/hooks.html): the ports of a domain are there before it starts, and go after
 * it has ended.
 *
 * Must not call libvirt, which waits for it.
 */
#ifndef QEMU_HOOK_H
#define QEMU_HOOK_H

struct client;
struct ports_rules;

/*
 * argv: NAME OPERATION SUB-OPERATION EXTRA; the domain's XML is on stdin. Returns the exit code:
 * not 0, after a sentence on stderr, only to refuse a start; libvirt would kill a running domain.
 */
int hook_run(struct client *client, const struct ports_rules *rules, int argc, char **argv);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ports.h: the vhost-user ports of the switch, and those that a domain needs.
 *
 * A port belongs to a NIC when they have the same socket. The port's `vm` says so to people. Ports
 * that were added here have `vm: {auto: true}`; only these are ever changed in another key than
 * `vm`, or removed.
 *
 * Threads: one.
 */
#ifndef QEMU_PORTS_H
#define QEMU_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "domain.h"

enum {
	PORTS_NAME_MAX = 32, /* bytes, with the final 0 */
	PORTS_DIRS_MAX = 8,
};

/* What the operator said. */
struct ports_rules {
	uint32_t n_dirs;
	const char *dirs[PORTS_DIRS_MAX]; /* in which ports are added for the sockets of domains */
	const char *group; /* of sockets that the switch makes for domains; NULL: kvm */
};

struct ports_port {
	char name[PORTS_NAME_MAX];
	char socket[DOMAIN_SOCKET_MAX];
	bool is_client;
	uint32_t queues, mtu;
	char vm[DOMAIN_NAME_MAX];
	char nic[DOMAIN_WORD_MAX];
	char mac[DOMAIN_MAC_MAX];
	char memory[DOMAIN_WORD_MAX];
	bool is_auto;
	char warning[CLIENT_WHY_MAX];
	char reason[CLIENT_WHY_MAX]; /* why it is down, or empty */
};

struct ports {
	uint32_t n;
	struct ports_port *all;
};

/* Asks the switch. 0, or -errno with the sentence in client->why. ports_free() in both cases. */
int ports_list(struct client *client, struct ports *ports);
void ports_free(struct ports *ports);

const struct ports_port *ports_find(const struct ports *ports, const char *socket);

/* Is the NIC's socket in one of the directories? */
bool ports_is_ours(const struct ports_rules *rules, const struct domain_nic *nic);

/* Directories that are looked into if the operator names none. */
void ports_default_dirs(struct ports_rules *rules);

/* Is it another domain's: added for it, or noted as its NIC's? Whose XML names its socket gets
 * nothing.
 */
bool ports_is_anothers(const struct ports_port *port, const struct domain *domain);

/*
 * Why QEMU and this port can't come together, or an empty text.
 */
void ports_mismatch(const struct ports_port *port, const struct domain_nic *nic,
		    char why[CLIENT_WHY_MAX]);

/* Is there anything for ports_ensure() to do? */
bool ports_are_right(const struct ports *ports, const struct ports_rules *rules,
		     const struct domain *domain);

/*
 * Adds the ports that the domain lacks and notes in all of its ports whose they are. Goes on to the
 * next NIC after a failure, if the switch answers; -errno with the sentence of the last one in
 * client->why.
 */
int ports_ensure(struct client *client, const struct ports *ports, const struct ports_rules *rules,
		 const struct domain *domain);

/* The VM behind the port has left it: removes it if it was added here, else forgets the VM. */
int ports_leave(struct client *client, const struct ports_port *port);

/* The same for all ports of a domain that has ended. */
int ports_release(struct client *client, const struct ports *ports, const struct domain *domain);

#endif

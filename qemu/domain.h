/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * domain.h: what matters here of a libvirt domain, from its XML.
 *
 * Threads: any.
 */
#ifndef QEMU_DOMAIN_H
#define QEMU_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DOMAIN_NAME_MAX = 256, /* bytes with the final 0, as all of these */
	DOMAIN_WORD_MAX = 64,
	DOMAIN_SOCKET_MAX = 108, /* of a UNIX socket's path, unix(7) */
	DOMAIN_MAC_MAX = 18,
	DOMAIN_CPUS_MAX = 1024,
	DOMAIN_WHY_MAX = 512,
};

/* An <interface type='vhostuser'>. Texts are empty where the XML does not say. */
struct domain_nic {
	char alias[DOMAIN_WORD_MAX]; /* net0: a domain that is not running may have none */
	uint32_t number;	     /* that libvirt will give it then */
	char mac[DOMAIN_MAC_MAX];    /* in lower case */
	char socket[DOMAIN_SOCKET_MAX];
	bool listens;	 /* mode='server': QEMU makes the socket */
	bool reconnects; /* <reconnect enabled='yes'/> */
	uint32_t queues; /* 1 if nothing is said */
	uint32_t mtu;	 /* <mtu/>, or host_mtu of a <qemu:override>; 0: nothing is said */
};

struct domain {
	char name[DOMAIN_NAME_MAX];
	bool is_emulated;   /* type='qemu': without KVM */
	bool is_shared;	    /* all its memory */
	bool has_hugepages; /* asked for */
	uint64_t page_kib;  /* of these; 0: the default size */
	uint64_t memory_kib;
	uint32_t n_vcpus;
	bool pins[DOMAIN_CPUS_MAX]; /* CPUs of the host that it is pinned to, or a thread of it */
	bool has_owner;		    /* the next two are known: a label of the model dac */
	uint32_t uid, gid;	    /* of QEMU */
	uint32_t n_nics;
	struct domain_nic *nics;
};

/*
 * Reads len bytes of XML. 0, or -errno with a sentence in why. domain_free() in both cases.
 */
int domain_parse(const char *xml, size_t len, struct domain *domain, char why[DOMAIN_WHY_MAX]);
void domain_free(struct domain *domain);

/* The name that a NIC goes by: its alias, or, before it has one, what libvirt will call it. */
void domain_nic_name(const struct domain_nic *nic, char name[DOMAIN_WORD_MAX]);

/* Has the domain a NIC with this socket? */
bool domain_has_socket(const struct domain *domain, const char *socket);

#endif

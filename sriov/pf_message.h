/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pf_message.h: the rtnetlink messages about a PF and its VFs, as linux/if_link.h has them; pf.c
 * sends and judges them.
 *
 * Threads: any; nothing is shared.
 */
#ifndef SRIOV_PF_MESSAGE_H
#define SRIOV_PF_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "pf.h"

struct netlink_request;
struct nlmsghdr;

/* What a PF is told of a VF, one a message, in this order. */
enum pf_key {
	PF_KEY_MAC,
	PF_KEY_VLAN,
	PF_KEY_SPOOFCHECK,
	PF_KEY_LINK_STATE,
	PF_KEY_TRUST,
	PF_KEY_RATE, /* both rates; the last, as it may have to wait for the PF's link */
	PF_KEYS
};

/* What an answer says of the interface and of one of its VFs. */
struct pf_answer {
	uint16_t number; /* of the VF, set by the caller */
	struct pf_link link;
	struct pf_vf vf;
	uint32_t n_vfs;
	bool has_list; /* the driver tells of its VFs at all */
	bool has_vf;   /* and of this one */
	bool is_cut;   /* the list has more than the 64 KiB that an attribute's length can say */
};

/* Asks for an interface, with its VFs or without. */
struct nlmsghdr *pf_message_get(struct netlink_request *request, const char *pf, bool with_vfs);

/* Sets one setting of a VF to what it is in vf. */
struct nlmsghdr *pf_message_set(struct netlink_request *request, const char *pf, uint16_t number,
				enum pf_key key, const struct pf_vf *vf);

/*
 * Reads a message of the answer into a struct pf_answer, as netlink_ask() wants it: MNL_CB_OK, or
 * MNL_CB_ERROR with errno EBADMSG where what it says of the VF is too short or impossible.
 */
int pf_message_read(const struct nlmsghdr *message, void *answer);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_pf.h: a PF of our own. A test that is linked with --wrap=netlink_ask,--wrap=log_line,
 * --wrap=usleep has it instead of the kernel: it keeps the requests, does with them what a PF's
 * driver would, and answers as the kernel does, or worse.
 *
 * Threads: the test's only one.
 */
#ifndef UNIT_FAKE_PF_H
#define UNIT_FAKE_PF_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/if_link.h>

#include "netlink.h"

struct nlattr;
struct nlmsghdr;
struct pf_vf;

enum {
	FAKE_PF_VFS_MAX = 1000,
	FAKE_PF_ANSWER_MAX = 512 * 1024,
	FAKE_PF_REQUESTS_MAX = 64,
	FAKE_PF_LOG_MAX = 1024,
};

/* What the fake PF has of a VF, as the kernel hands it on. */
struct fake_pf_vf {
	uint8_t mac[6];
	uint32_t vlan, qos;
	uint16_t proto; /* network byte order */
	uint32_t spoofcheck, link_state, min_rate, max_rate, trust;
};

struct fake_pf {
	uint32_t n_vfs;
	struct fake_pf_vf vfs[FAKE_PF_VFS_MAX];
	bool has_stats;		     /* of a kernel that does not leave the counters of VFs out */
	bool is_silent;		     /* its driver tells nothing of VFs */
	int32_t silent_vf;	     /* nothing of this one; or -1 */
	int refuse[IFLA_VF_MAX + 1]; /* errno of the driver for that setting */
	uint32_t n_busy;	     /* that many settings are refused at first */
	int busy_error;
	int get_error;
	bool has_carrier;
	/* changes an answer before it is read */
	void (*spoil)(struct nlmsghdr *nlh);

	uint32_t n_requests, n_sleeps;
	struct netlink_request requests[FAKE_PF_REQUESTS_MAX];
	char log[FAKE_PF_LOG_MAX];
};

extern struct fake_pf fake_pf;

/* For cmocka: a PF eth2 with four VFs, the first without an address. */
int fake_pf_set_up(void **state);

/* pf_read() of its VF of that number. */
int fake_pf_read(uint16_t number, struct pf_vf *vf);

/* As the kernel answers RTM_GETLINK, into FAKE_PF_ANSWER_MAX bytes. */
struct nlmsghdr *fake_pf_put_answer(void *room, bool with_vfs);

/* What must be in a message: its list of VFs, an attribute of a nest, the only one of a nest. */
struct nlattr *fake_pf_find_list(const struct nlmsghdr *nlh);
struct nlattr *fake_pf_find(const struct nlattr *nest, uint16_t type);
const struct nlattr *fake_pf_only_child(const struct nlattr *nest, uint16_t type); /* 0: any */

#endif

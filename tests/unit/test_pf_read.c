/* SPDX-License-Identifier: BSD-3-Clause */
/* test_pf_read.c: what is read of a PF and its VFs, from answers as they should be and others. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "error.h"
#include "fake_pf.h"
#include "pf.h"

static void
link_alone(void **state)
{
	struct pf_link link;
	struct error why;

	(void)state;
	assert_int_equal(pf_read("eth2", 0, &link, NULL, &why), 0);
	assert_int_equal(link.index, 7);
	assert_true(link.is_up);
	assert_true(link.is_running);
	fake_pf.has_carrier = false;
	assert_int_equal(pf_read("eth2", 0, &link, NULL, &why), 0);
	assert_true(link.is_up);
	assert_false(link.is_running);
	assert_int_equal(pf_read("eth3", 0, &link, NULL, &why), -ENODEV);
	assert_int_equal(link.index, 0);
}

static void
all_of_a_vf(void **state)
{
	const struct fake_pf_vf said = {.mac = {2, 3, 4, 5, 6, 7},
					.vlan = 100,
					.qos = 3,
					.proto = htons(ETH_P_8021AD),
					.spoofcheck = 0,
					.link_state = IFLA_VF_LINK_STATE_DISABLE,
					.min_rate = 10,
					.max_rate = UINT32_MAX,
					.trust = 1};
	struct pf_vf vf;

	(void)state;
	fake_pf.vfs[2] = said;
	assert_int_equal(fake_pf_read(2, &vf), 0);
	assert_true(vf.has_mac);
	assert_memory_equal(&vf.mac, said.mac, 6);
	assert_int_equal(vf.vlan, 100);
	assert_int_equal(vf.vlan_qos, 3);
	assert_int_equal(vf.vlan_proto, ETH_P_8021AD);
	assert_int_equal(vf.spoofcheck, PORT_WISH_OFF);
	assert_int_equal(vf.link_state, PORT_LINK_STATE_DISABLE);
	assert_int_equal(vf.min_rate, 10);
	assert_int_equal(vf.max_rate, UINT32_MAX);
	assert_int_equal(vf.trust, PORT_WISH_ON);
}

static void
what_the_driver_does_not_know(void **state)
{
	struct pf_vf vf;

	(void)state;
	fake_pf.vfs[0].spoofcheck = fake_pf.vfs[0].trust = UINT32_MAX;
	fake_pf.vfs[0].link_state = 77;
	assert_int_equal(fake_pf_read(0, &vf), 0);
	assert_false(vf.has_mac);
	assert_int_equal(vf.vlan, 0);
	assert_int_equal(vf.spoofcheck, PORT_WISH_NONE);
	assert_int_equal(vf.trust, PORT_WISH_NONE);
	assert_int_equal(vf.link_state, PORT_LINK_STATE_NONE);
	assert_int_equal(vf.min_rate, 0);
}

static void
no_vf(void **state)
{
	struct pf_link link;
	struct pf_vf vf;
	struct error why;

	(void)state;
	assert_int_equal(pf_read("eth2", 4, &link, &vf, &why), -ENOENT);
	assert_string_equal(why.text, "eth2 has 4 VFs, numbered from 0");
	assert_int_equal(link.index, 7);
	fake_pf.silent_vf = 1;
	assert_int_equal(pf_read("eth2", 1, &link, &vf, &why), -EAGAIN);
	assert_int_equal(fake_pf_read(2, &vf), 0);
	fake_pf.n_vfs = 0;
	assert_int_equal(fake_pf_read(0, &vf), -ENOENT);
	fake_pf.is_silent = true;
	assert_int_equal(pf_read("eth2", 0, &link, &vf, &why), -EOPNOTSUPP);
	assert_string_equal(why.text, "the driver of eth2 says nothing of VFs");
}

/* All VFs that have room in a list are found in it, and no other is taken for one. */
static void
many_vfs(void **state)
{
	static const uint32_t numbers[] = {64, 200, 256, 257, 300, 400, 1000, FAKE_PF_VFS_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		for (int has_stats = 0; has_stats < 2; has_stats++) {
			uint32_t n_found = 0;

			fake_pf.n_vfs = numbers[i];
			fake_pf.has_stats = has_stats;
			for (uint16_t vf = 0; vf < fake_pf.n_vfs; vf++) {
				struct pf_vf is;
				int err = fake_pf_read(vf, &is);

				fake_pf.n_requests = 0;
				assert_true(err == 0 || err == -EOVERFLOW);
				n_found += err == 0;
				if (err == 0)
					assert_memory_equal(&is.mac, fake_pf.vfs[vf].mac, 6);
			}
			if (fake_pf.n_vfs <= 200)
				assert_int_equal(n_found, fake_pf.n_vfs);
			if (fake_pf.n_vfs >= 400)
				assert_true(n_found < fake_pf.n_vfs);
		}
	}
}

/* --- answers that are not as they should be */

static struct {
	uint32_t len;	 /* of the message */
	uint32_t offset; /* of 16 bits in it */
	uint16_t value;
	uint16_t type; /* of an attribute of a VF */
} spoilt;

static void
spoil_len(struct nlmsghdr *nlh)
{
	nlh->nlmsg_len = spoilt.len;
}

static void
spoil_bytes(struct nlmsghdr *nlh)
{
	memcpy((char *)nlh + spoilt.offset, &spoilt.value, sizeof(spoilt.value));
}

/* Four bytes less in an attribute of VF 0; what was its end becomes an attribute of no kind. */
static void
spoil_short(struct nlmsghdr *nlh)
{
	struct nlattr *attr =
		fake_pf_find(fake_pf_find(fake_pf_find_list(nlh), IFLA_VF_INFO), spoilt.type);
	struct nlattr *rest;

	attr->nla_len = (uint16_t)(attr->nla_len - 4);
	rest = (struct nlattr *)((char *)attr + MNL_ALIGN(attr->nla_len));
	*rest = (struct nlattr){.nla_len = sizeof(*rest), .nla_type = 999};
}

/* What no kernel says yet, in front, behind, of any length. */
static void
spoil_unknown(struct nlmsghdr *nlh)
{
	static const char bytes[64] = {1, 2, 3};
	struct nlattr *list, *info;

	nlh->nlmsg_len = MNL_ALIGN(NLMSG_HDRLEN + sizeof(struct ifinfomsg));
	mnl_attr_put_u32(nlh, IFLA_NUM_VF, 1);
	mnl_attr_put(nlh, 900, 0, NULL);
	list = mnl_attr_nest_start(nlh, IFLA_VFINFO_LIST);
	mnl_attr_put(nlh, 9, 13, bytes);
	info = mnl_attr_nest_start(nlh, IFLA_VF_INFO);
	mnl_attr_put(nlh, 33, 64, bytes);
	mnl_attr_put(nlh, 0, 1, bytes);
	mnl_attr_nest_end(nlh, info); /* a VF without an address is none */
	info = mnl_attr_nest_start(nlh, IFLA_VF_INFO);
	for (uint16_t len = 0; len < 9; len++)
		mnl_attr_put(nlh, (uint16_t)(40 + len * 300), len, bytes);
	/* longer than known: it has grown */
	mnl_attr_put(nlh, IFLA_VF_TRUST, 12, (const uint32_t[]){0, 1, 77});
	mnl_attr_put(nlh, IFLA_VF_MAC, 64, (const uint32_t[16]){0, 0x02020202, 0x02020202});
	mnl_attr_put(nlh, 34, 7, bytes);
	mnl_attr_nest_end(nlh, info);
	mnl_attr_nest_end(nlh, list);
}

static void
spoil_type(struct nlmsghdr *nlh)
{
	nlh->nlmsg_type = RTM_DELLINK;
}

static void
truncated(void **state)
{
	void *room = malloc(FAKE_PF_ANSWER_MAX);
	uint32_t full, n_found = 0;

	(void)state;
	assert_non_null(room);
	full = fake_pf_put_answer(room, true)->nlmsg_len;
	free(room);
	fake_pf.spoil = spoil_len;
	for (spoilt.len = NLMSG_HDRLEN; spoilt.len <= full; spoilt.len++) {
		struct pf_vf vf;
		int err = fake_pf_read(1, &vf);

		fake_pf.n_requests = 0;
		/* what is cut off is missing, and nothing is made up for it */
		assert_true(err == 0 || err == -EOPNOTSUPP);
		if (err == 0) {
			assert_memory_equal(&vf.mac, fake_pf.vfs[1].mac, 6);
			assert_int_equal(vf.spoofcheck, PORT_WISH_ON);
			n_found++;
		}
	}
	assert_in_range(n_found, 1, 100);
}

/* Each 16 bits of an answer, all lengths and types among them, with values at the edges. */
static void
wrong_bytes(void **state)
{
	static const uint16_t values[] = {0, 1, 3, 4, 5, 40, 0x7fff, 0x8000, 0xfffc, 0xffff};
	void *room = malloc(FAKE_PF_ANSWER_MAX);
	uint32_t full, n_bad = 0;

	(void)state;
	assert_non_null(room);
	fake_pf.n_vfs = 2;
	full = fake_pf_put_answer(room, true)->nlmsg_len;
	free(room);
	fake_pf.spoil = spoil_bytes;
	for (spoilt.offset = NLMSG_HDRLEN; spoilt.offset + 2 <= full; spoilt.offset += 2) {
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			struct pf_vf vf;
			int err;

			spoilt.value = values[i];
			err = fake_pf_read(1, &vf);
			fake_pf.n_requests = 0;
			assert_true(err == 0 || err == -EBADMSG || err == -EOPNOTSUPP ||
				    err == -ENOENT || err == -EAGAIN);
			assert_in_range(vf.vlan + 1, 0, 4096);
			n_bad += err == -EBADMSG;
		}
	}
	assert_true(n_bad > 0);
}

static void
short_attributes(void **state)
{
	static const uint16_t types[] = {IFLA_VF_MAC,	     IFLA_VF_RATE,  IFLA_VF_SPOOFCHK,
					 IFLA_VF_LINK_STATE, IFLA_VF_TRUST, IFLA_VF_VLAN_LIST};
	struct pf_vf vf;

	(void)state;
	fake_pf.spoil = spoil_short;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		spoilt.type = types[i];
		assert_int_equal(fake_pf_read(0, &vf), -EBADMSG);
	}
	spoilt.type = IFLA_VF_TX_RATE; /* not read */
	assert_int_equal(fake_pf_read(0, &vf), 0);
}

static void
impossible_vlan(void **state)
{
	struct pf_vf vf;

	(void)state;
	fake_pf.vfs[0].vlan = 4095;
	assert_int_equal(fake_pf_read(0, &vf), 0);
	fake_pf.vfs[0].vlan = 4096;
	assert_int_equal(fake_pf_read(0, &vf), -EBADMSG);
	fake_pf.vfs[0].vlan = UINT32_MAX;
	assert_int_equal(fake_pf_read(0, &vf), -EBADMSG);
	assert_int_equal(fake_pf_read(1, &vf), 0);
}

static void
unknown_attributes(void **state)
{
	static const uint8_t twos[6] = {2, 2, 2, 2, 2, 2};
	struct pf_vf vf;

	(void)state;
	fake_pf.spoil = spoil_unknown;
	assert_int_equal(fake_pf_read(0, &vf), 0);
	assert_memory_equal(&vf.mac, twos, 6);
	assert_int_equal(vf.trust, PORT_WISH_ON);
	/* and what is not said at all */
	assert_int_equal(vf.vlan, PORT_VLAN_NONE);
	assert_int_equal(vf.spoofcheck, PORT_WISH_NONE);
	assert_int_equal(vf.link_state, PORT_LINK_STATE_NONE);
	assert_int_equal(vf.min_rate, PORT_RATE_NONE);
	assert_int_equal(vf.max_rate, PORT_RATE_NONE);
	fake_pf.spoil = spoil_type;
	assert_int_equal(fake_pf_read(0, &vf), -EOPNOTSUPP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(link_alone, fake_pf_set_up),
		cmocka_unit_test_setup(all_of_a_vf, fake_pf_set_up),
		cmocka_unit_test_setup(what_the_driver_does_not_know, fake_pf_set_up),
		cmocka_unit_test_setup(no_vf, fake_pf_set_up),
		cmocka_unit_test_setup(many_vfs, fake_pf_set_up),
		cmocka_unit_test_setup(truncated, fake_pf_set_up),
		cmocka_unit_test_setup(wrong_bytes, fake_pf_set_up),
		cmocka_unit_test_setup(short_attributes, fake_pf_set_up),
		cmocka_unit_test_setup(impossible_vlan, fake_pf_set_up),
		cmocka_unit_test_setup(unknown_attributes, fake_pf_set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

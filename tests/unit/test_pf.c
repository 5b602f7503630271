/* SPDX-License-Identifier: BSD-3-Clause */
/* test_pf.c: what a PF is told of a VF, what it refuses, and how that is set back and shown. */
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

static const struct port_vf_wish no_wish = {
	.vlan = PORT_VLAN_NONE,
	.min_rate = PORT_RATE_NONE,
	.max_rate = PORT_RATE_NONE,
};

static int
try_set(const struct port_vf_wish *wish, struct pf_undo *undo, struct error *e)
{
	struct pf_vf is;

	assert_int_equal(fake_pf_read(1, &is), 0);
	fake_pf.n_requests = 0;
	return pf_set("up0", "eth2", 1, wish, &is, undo, e);
}

/* All that a message says: what is around the one attribute, and the attribute. */
static void
assert_request(uint32_t i, const void *attr, size_t attr_len)
{
	struct {
		struct nlmsghdr nlh;
		struct ifinfomsg info;
		struct nlattr name;
		char ifname[8];
		struct nlattr list, vf;
	} head = {
		.nlh = {.nlmsg_len = (uint32_t)(sizeof(head) + attr_len),
			.nlmsg_type = RTM_SETLINK},
		.name = {sizeof(struct nlattr) + sizeof("eth2"), IFLA_IFNAME},
		.ifname = "eth2",
		.list = {(uint16_t)(2 * sizeof(struct nlattr) + attr_len),
			 IFLA_VFINFO_LIST | NLA_F_NESTED},
		.vf = {(uint16_t)(sizeof(struct nlattr) + attr_len), IFLA_VF_INFO | NLA_F_NESTED},
	};

	assert_true(i < fake_pf.n_requests);
	assert_memory_equal(&fake_pf.requests[i], &head, sizeof(head));
	assert_memory_equal(fake_pf.requests[i].bytes + sizeof(head), attr, attr_len);
}

static void
requests(void **state)
{
	const struct port_vf_wish wish = {
		.has_mac = true,
		.mac = {{0x52, 0x54, 0, 1, 2, 3}},
		.vlan = 100,
		.trust = PORT_WISH_ON,
		.spoofcheck = PORT_WISH_OFF,
		.link_state = PORT_LINK_STATE_ENABLE,
		.min_rate = 5,
		.max_rate = 1000,
	};
	const struct {
		struct nlattr attr;
		struct ifla_vf_mac mac;
	} mac = {{40, IFLA_VF_MAC}, {1, {0x52, 0x54, 0, 1, 2, 3}}};
	struct {
		struct nlattr list, attr;
		struct ifla_vf_vlan_info vlan;
	} vlan;
	const struct {
		struct nlattr attr;
		struct ifla_vf_rate rate;
	} rate = {{16, IFLA_VF_RATE}, {1, 5, 1000}};
	const struct {
		struct nlattr attr;
		struct ifla_vf_spoofchk setting;
	} spoofcheck = {{12, IFLA_VF_SPOOFCHK}, {1, 0}},
	  link_state = {{12, IFLA_VF_LINK_STATE}, {1, IFLA_VF_LINK_STATE_ENABLE}},
	  trust = {{12, IFLA_VF_TRUST}, {1, 1}};
	struct pf_undo undo = {0};
	struct error e;

	(void)state;
	memset(&vlan, 0, sizeof(vlan));
	vlan.list = (struct nlattr){24, IFLA_VF_VLAN_LIST | NLA_F_NESTED};
	vlan.attr = (struct nlattr){20, IFLA_VF_VLAN_INFO};
	vlan.vlan.vf = 1;
	vlan.vlan.vlan = 100;
	vlan.vlan.vlan_proto = htons(ETH_P_8021Q);

	assert_int_equal(try_set(&wish, &undo, &e), 0);
	assert_int_equal(fake_pf.n_requests, 6);
	assert_request(0, &mac, sizeof(mac));
	assert_request(1, &vlan, sizeof(vlan));
	assert_request(2, &spoofcheck, sizeof(spoofcheck));
	assert_request(3, &link_state, sizeof(link_state));
	assert_request(4, &trust, sizeof(trust));
	assert_request(5, &rate, sizeof(rate));

	/* what is so already is not asked for again */
	undo.keys = 0;
	assert_int_equal(try_set(&wish, &undo, &e), 0);
	assert_int_equal(fake_pf.n_requests, 0);
	assert_int_equal(undo.keys, 0);
}

static void
nothing_wished(void **state)
{
	struct pf_undo undo = {0};
	struct error e;

	(void)state;
	assert_int_equal(try_set(&no_wish, &undo, &e), 0);
	assert_int_equal(fake_pf.n_requests, 0);
	pf_restore("up0", "eth2", 1, &undo);
	assert_int_equal(fake_pf.n_requests, 0);
}

static void
one_rate(void **state)
{
	struct port_vf_wish wish = no_wish;
	struct pf_undo undo = {0};
	struct error e;

	(void)state;
	fake_pf.vfs[1].min_rate = 20;
	wish.max_rate = 300;
	assert_int_equal(try_set(&wish, &undo, &e), 0);
	assert_int_equal(fake_pf.vfs[1].min_rate, 20);
	assert_int_equal(fake_pf.vfs[1].max_rate, 300);
	wish = no_wish;
	wish.min_rate = 0;
	assert_int_equal(try_set(&wish, &undo, &e), 0);
	assert_int_equal(fake_pf.vfs[1].min_rate, 0);
	assert_int_equal(fake_pf.vfs[1].max_rate, 300);
}

static void
vlan_priority(void **state)
{
	struct port_vf_wish wish = no_wish;
	struct pf_undo undo = {0};
	struct error e;

	(void)state;
	fake_pf.vfs[1].vlan = 100;
	fake_pf.vfs[1].qos = 5;
	wish.vlan = 100; /* is so, with a priority that nobody asked to change */
	assert_int_equal(try_set(&wish, &undo, &e), 0);
	assert_int_equal(fake_pf.n_requests, 0);
	wish.vlan = 200;
	assert_int_equal(try_set(&wish, &undo, &e), 0);
	assert_int_equal(fake_pf.vfs[1].vlan, 200);
	assert_int_equal(fake_pf.vfs[1].qos, 0);
	pf_restore("up0", "eth2", 1, &undo);
	assert_int_equal(fake_pf.vfs[1].vlan, 100);
	assert_int_equal(fake_pf.vfs[1].qos, 5);
	/* the same number of another kind is another VLAN */
	fake_pf.vfs[1].proto = htons(ETH_P_8021AD);
	wish.vlan = 100;
	assert_int_equal(try_set(&wish, &undo, &e), 0);
	assert_int_equal(fake_pf.vfs[1].proto, htons(ETH_P_8021Q));
	pf_restore("up0", "eth2", 1, &undo);
	assert_int_equal(fake_pf.vfs[1].proto, htons(ETH_P_8021AD));
	assert_string_equal(fake_pf.log, "");
}

static void
refusals(void **state)
{
	static const struct {
		uint16_t type;
		int code;
		const char *sentence;
	} cases[] = {
		{IFLA_VF_TRUST, EOPNOTSUPP,
		 "port up0: trust: the driver of eth2 has no such setting of its VFs: leave the key"
		 " out"},
		{IFLA_VF_MAC, EPERM,
		 "port up0: mac: not permitted for VF 1 of eth2: vswitchd needs CAP_NET_ADMIN, and"
		 " eth2 must be what manages its card"},
		{IFLA_VF_MAC, EINVAL,
		 "port up0: mac: eth2 refuses 52:54:00:01:02:03 for its VF 1: Invalid argument; the"
		 " kernel's log may say more"},
		{IFLA_VF_VLAN_LIST, EPROTONOSUPPORT,
		 "port up0: vlan: eth2 refuses 100 for its VF 1: Protocol not supported; the"
		 " kernel's log may say more"},
		{IFLA_VF_RATE, EINVAL,
		 "port up0: max_rate: eth2 refuses 0 to 1000 Mbit/s (0: no limit) for its VF 1: "
		 "Invalid"
		 " argument; many drivers have no min_rate, and none takes more than its link's "
		 "speed"},
		{IFLA_VF_LINK_STATE, EIO,
		 "port up0: link_state: eth2 refuses disable for its VF 1: Input/output error; the"
		 " kernel's log may say more"},
		{IFLA_VF_SPOOFCHK, EIO,
		 "port up0: spoofcheck: eth2 refuses off for its VF 1: Input/output error; the"
		 " kernel's log may say more"},
		{IFLA_VF_SPOOFCHK, EBUSY,
		 "port up0: spoofcheck: VF 1 of eth2 is still being reset: try again later"},
	};
	const struct port_vf_wish wish = {
		.has_mac = true,
		.mac = {{0x52, 0x54, 0, 1, 2, 3}},
		.vlan = 100,
		.trust = PORT_WISH_ON,
		.spoofcheck = PORT_WISH_OFF,
		.link_state = PORT_LINK_STATE_DISABLE,
		.min_rate = PORT_RATE_NONE,
		.max_rate = 1000,
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_pf_vf before;
		struct pf_undo undo = {0};
		struct error e;

		fake_pf_set_up(state);
		before = fake_pf.vfs[1];
		fake_pf.refuse[cases[i].type] = cases[i].code;
		assert_int_equal(try_set(&wish, &undo, &e), -cases[i].code);
		assert_string_equal(e.text, cases[i].sentence);
		/* what was set before it is set back, and that alone */
		fake_pf.refuse[cases[i].type] = EOWNERDEAD;
		pf_restore("up0", "eth2", 1, &undo);
		assert_memory_equal(&fake_pf.vfs[1], &before, sizeof(before));
		assert_string_equal(fake_pf.log, "");
	}
}

static void
rate_names(void **state)
{
	struct port_vf_wish wish = no_wish;
	struct pf_undo undo = {0};
	struct error e;

	(void)state;
	fake_pf.refuse[IFLA_VF_RATE] = EOPNOTSUPP;
	wish.min_rate = 10;
	assert_int_equal(try_set(&wish, &undo, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "port up0: min_rate: "));
	wish.max_rate = 100;
	assert_int_equal(try_set(&wish, &undo, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "port up0: min_rate and max_rate: "));
}

/* All but the rate is set, which is when the link is up, and all is set back together. */
static void
rate_without_link(void **state)
{
	struct port_vf_wish wish = no_wish;
	struct fake_pf_vf before = fake_pf.vfs[1];
	struct pf_undo undo = {0};
	struct error e;

	(void)state;
	wish.max_rate = 100;
	wish.trust = PORT_WISH_ON;
	wish.vlan = 5;
	fake_pf.has_carrier = false;
	fake_pf.refuse[IFLA_VF_RATE] = EINVAL;
	assert_int_equal(try_set(&wish, &undo, &e), -ENETDOWN);
	assert_string_equal(e.text, "port up0: max_rate: eth2 takes no rate while its link is down:"
				    " plug its cable in, or leave the key out");
	assert_int_equal(fake_pf.vfs[1].trust, 1);
	assert_int_equal(fake_pf.vfs[1].vlan, 5);
	fake_pf.has_carrier = true;
	fake_pf.refuse[IFLA_VF_RATE] = 0;
	assert_int_equal(try_set(&wish, &undo, &e), 0);
	assert_int_equal(fake_pf.n_requests, 1);
	assert_int_equal(fake_pf.vfs[1].max_rate, 100);
	pf_restore("up0", "eth2", 1, &undo);
	assert_memory_equal(&fake_pf.vfs[1], &before, sizeof(before));
}

static void
interface_gone(void **state)
{
	struct port_vf_wish wish = no_wish;
	struct pf_undo undo = {0};
	struct pf_vf is;
	struct error e;

	(void)state;
	assert_int_equal(fake_pf_read(1, &is), 0);
	wish.trust = PORT_WISH_ON;
	assert_int_equal(pf_set("up0", "eth3", 1, &wish, &is, &undo, &e), -ENODEV);
	assert_string_equal(e.text, "port up0: trust: interface eth3 is gone: make its VFs anew");
}

static void
busy(void **state)
{
	struct port_vf_wish wish = no_wish;
	struct pf_undo undo = {0};
	struct error e;

	(void)state;
	wish.trust = PORT_WISH_ON;
	fake_pf.n_busy = 2;
	fake_pf.busy_error = EAGAIN; /* as i40e says it; ice says EBUSY */
	assert_int_equal(try_set(&wish, &undo, &e), 0);
	assert_int_equal(fake_pf.vfs[1].trust, 1);
	assert_int_equal(fake_pf.n_requests, 3);
	assert_int_equal(fake_pf.n_sleeps, 2);
	wish.trust = PORT_WISH_OFF;
	fake_pf.n_busy = UINT32_MAX;
	assert_int_equal(try_set(&wish, &undo, &e), -EAGAIN);
	assert_in_range(fake_pf.n_sleeps, 3, 10);
}

/* --- setting back */

static void
restored(void **state)
{
	const struct port_vf_wish wish = {
		.has_mac = true,
		.mac = {{0x52, 0x54, 0, 1, 2, 3}},
		.vlan = 100,
		.trust = PORT_WISH_ON,
		.spoofcheck = PORT_WISH_OFF,
		.link_state = PORT_LINK_STATE_ENABLE,
		.min_rate = 5,
		.max_rate = 1000,
	};
	static const uint16_t backwards[] = {IFLA_VF_RATE,	 IFLA_VF_TRUST,
					     IFLA_VF_LINK_STATE, IFLA_VF_SPOOFCHK,
					     IFLA_VF_VLAN_LIST,	 IFLA_VF_MAC};
	struct fake_pf_vf before;
	struct pf_undo undo = {0};
	struct error e;

	(void)state;
	memset(fake_pf.vfs[1].mac, 0, 6); /* none: it goes back to that too */
	before = fake_pf.vfs[1];
	assert_int_equal(try_set(&wish, &undo, &e), 0);
	fake_pf.n_requests = 0;
	pf_restore("up0", "eth2", 1, &undo);
	assert_memory_equal(&fake_pf.vfs[1], &before, sizeof(before));
	assert_int_equal(fake_pf.n_requests, 7);
	for (uint32_t i = 0; i < 6; i++) {
		const struct nlmsghdr *nlh = (const void *)&fake_pf.requests[i + 1];
		const struct nlattr *info = fake_pf_find(fake_pf_find_list(nlh), IFLA_VF_INFO);

		assert_int_equal(mnl_attr_get_type(fake_pf_only_child(info, 0)), backwards[i]);
	}
	assert_string_equal(fake_pf.log, "");
	/* once is enough */
	fake_pf.n_requests = 0;
	pf_restore("up0", "eth2", 1, &undo);
	assert_int_equal(fake_pf.n_requests, 0);
}

static void
restore_refused(void **state)
{
	struct port_vf_wish wish = no_wish;
	struct pf_undo undo = {0};
	struct error e;

	(void)state;
	wish.has_mac = true;
	wish.mac.ether_addr_octet[0] = 6;
	wish.trust = PORT_WISH_ON;
	memset(fake_pf.vfs[1].mac, 0, 6);
	assert_int_equal(try_set(&wish, &undo, &e), 0);
	fake_pf.refuse[IFLA_VF_MAC] = EINVAL;
	fake_pf.refuse[IFLA_VF_TRUST] = EIO;
	pf_restore("up0", "eth2", 1, &undo);
	assert_string_equal(fake_pf.log,
			    "4 port up0: trust: eth2 refuses off for its VF 1: Input/output error;"
			    " the kernel's log may say more (at setting it back)\n"
			    "6 port up0: VF 1 of eth2 keeps its address: port up0: mac: eth2"
			    " refuses 00:00:00:00:00:00 for its VF 1: Invalid argument; the"
			    " kernel's log may say more\n");
}

static void
restore_unknown(void **state)
{
	struct port_vf_wish wish = no_wish;
	struct pf_undo undo = {0};
	struct error e;

	(void)state;
	fake_pf.vfs[1].trust = UINT32_MAX;
	wish.trust = PORT_WISH_ON;
	assert_int_equal(try_set(&wish, &undo, &e), 0);
	pf_restore("up0", "eth2", 1, &undo);
	assert_int_equal(fake_pf.vfs[1].trust, 1);
	assert_string_equal(fake_pf.log,
			    "6 port up0: trust of VF 1 of eth2 stays: its driver has not"
			    " said what it was\n");
}

/* VFs that were removed, or made anew, are left alone. */
static void
restore_gone(void **state)
{
	struct port_vf_wish wish = no_wish;
	struct pf_undo undo = {0}, same;
	struct fake_pf_vf before = fake_pf.vfs[1];
	struct error e;

	(void)state;
	wish.trust = PORT_WISH_ON;
	assert_int_equal(try_set(&wish, &undo, &e), 0);
	same = undo;
	fake_pf.n_requests = 0;
	fake_pf.n_vfs = 0;
	pf_restore("up0", "eth2", 1, &same);
	assert_int_equal(fake_pf.n_requests, 1);
	same = undo;
	fake_pf.n_requests = 0;
	fake_pf.get_error = ENODEV;
	pf_restore("up0", "eth2", 1, &same);
	assert_int_equal(fake_pf.n_requests, 1);
	same = undo;
	fake_pf.get_error = 0;
	fake_pf.n_requests = 0;
	fake_pf.n_vfs = 4;
	fake_pf.vfs[1] = before;
	pf_restore("up0", "eth2", 1, &same);
	assert_int_equal(fake_pf.n_requests, 1);
	assert_string_equal(fake_pf.log, "");
	/* and one that its driver says nothing of, as in a reset, is set back all the same */
	fake_pf.vfs[1].trust = 1;
	fake_pf.silent_vf = 1;
	pf_restore("up0", "eth2", 1, &undo);
	assert_int_equal(fake_pf.vfs[1].trust, 0);
}

/* --- showing */

struct shown {
	struct report report;
	char text[1024];
};

static void
shown_text(struct report *report, const char *key, const char *value)
{
	char *text = ((struct shown *)report)->text;
	size_t len = strlen(text);

	snprintf(text + len, sizeof(((struct shown *)report)->text) - len, "%s=%s ", key, value);
}

static void
shown_number(struct report *report, const char *key, uint64_t value)
{
	char number[32];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)value);
	shown_text(report, key, number);
}

static void
shown(void **state)
{
	const struct port_vf_wish wish = {
		.has_mac = true,
		.mac = {{0x52, 0x54, 0, 1, 2, 0xfe}},
		.vlan = 0,
		.trust = PORT_WISH_ON,
		.spoofcheck = PORT_WISH_OFF,
		.link_state = PORT_LINK_STATE_ENABLE,
		.min_rate = 0,
		.max_rate = 1000,
	};
	struct shown shows = {.report = {.text = shown_text, .number = shown_number}};
	struct pf_vf is;

	(void)state;
	fake_pf.vfs[1].vlan = 7;
	fake_pf.vfs[1].max_rate = UINT32_MAX;
	assert_int_equal(fake_pf_read(1, &is), 0);
	pf_show(&is, &wish, &shows.report);
	assert_string_equal(shows.text,
			    "pf_mac=02:00:00:00:00:01 pf_vlan=7 pf_trust=off pf_spoofcheck=on"
			    " pf_link_state=auto pf_min_rate=0 pf_max_rate=4294967295"
			    " asked_mac=52:54:00:01:02:fe asked_vlan=0 asked_trust=on"
			    " asked_spoofcheck=off asked_link_state=enable asked_min_rate=0"
			    " asked_max_rate=1000 ");
	shows.text[0] = '\0';
	fake_pf.vfs[0].trust = fake_pf.vfs[0].spoofcheck = UINT32_MAX;
	assert_int_equal(fake_pf_read(0, &is), 0);
	pf_show(&is, &no_wish, &shows.report);
	assert_string_equal(shows.text, "pf_mac=none pf_vlan=0 pf_link_state=auto pf_min_rate=0"
					" pf_max_rate=0 ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(requests, fake_pf_set_up),
		cmocka_unit_test_setup(nothing_wished, fake_pf_set_up),
		cmocka_unit_test_setup(one_rate, fake_pf_set_up),
		cmocka_unit_test_setup(vlan_priority, fake_pf_set_up),
		cmocka_unit_test_setup(refusals, fake_pf_set_up),
		cmocka_unit_test_setup(rate_names, fake_pf_set_up),
		cmocka_unit_test_setup(rate_without_link, fake_pf_set_up),
		cmocka_unit_test_setup(interface_gone, fake_pf_set_up),
		cmocka_unit_test_setup(busy, fake_pf_set_up),
		cmocka_unit_test_setup(restored, fake_pf_set_up),
		cmocka_unit_test_setup(restore_refused, fake_pf_set_up),
		cmocka_unit_test_setup(restore_unknown, fake_pf_set_up),
		cmocka_unit_test_setup(restore_gone, fake_pf_set_up),
		cmocka_unit_test_setup(shown, fake_pf_set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

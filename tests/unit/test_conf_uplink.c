/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_conf_uplink.c: the keys of the uplinks, vf and ethdev, wrong in every way; see conf.h. What
 * is right is in test_conf.c.
 */
#include "conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conf_text.h"

#define VM	     "ports:\n- name: vm1\n  type: vhost-user\n  socket: /a\n"
#define TAP	     "ports:\n- name: in\n  type: tap\n  ifname: t0\n"
#define VF(keys)     "ports:\n- name: up\n  type: vf\n" keys
#define ETHDEV(keys) "ports:\n- name: up\n  type: ethdev\n" keys
#define PF_AND_VF    "  pf: eth2\n  vf: 3\n"

static void
test_which_vf(void **state)
{
	static const struct wrong wrong[] = {
		{VF(""), "t.yaml:2: ports: up: which VF it is, is missing: give pf and vf, or pci"},
		{VF("  num_vfs: 4\n"),
		 "t.yaml:2: ports: up: which VF it is, is missing: give pf and vf, or pci"},
		{VF("  pf: eth2\n"),
		 "t.yaml:2: ports: up: vf is missing: the number of the VF of pf, from 0"},
		{VF("  vf: 0\n"),
		 "t.yaml:2: ports: up: pf is missing: the interface or PCI address "
		 "of the PF that vf is a number of"},
		{VF(PF_AND_VF "  pci: 01:10.0\n"),
		 "t.yaml:6: ports: up: pci: there is pf as well: which VF it is, say by pf and "
		 "vf, or by pci"},
		{VF("  vf: 0\n  pci: 01:10.0\n"),
		 "t.yaml:5: ports: up: pci: there is vf as well: which VF it is, say by pf and "
		 "vf, or by pci"},
		{VF("  pci: 01:10.0\n  num_vfs: 4\n"),
		 "t.yaml:5: ports: up: num_vfs: only goes with pf and vf: there is pci, which is "
		 "of a VF that is there already"},
		{VF(PF_AND_VF "  num_vfs: 0\n"),
		 "t.yaml:6: ports: up: num_vfs: 0 is not in 1..256"},
		{VF(PF_AND_VF "  num_vfs: 257\n"),
		 "t.yaml:6: ports: up: num_vfs: 257 is not in 1..256"},
		{VF(PF_AND_VF "  num_vfs: 3\n"),
		 "t.yaml:5: ports: up: vf: with num_vfs 3, 3 is not in 0..2"},
		{VF("  pf: eth2\n  vf: -1\n"), "t.yaml:5: ports: up: vf: \"-1\" is not a number"},
		{VF("  pf: eth2\n  vf: 65535\n"),
		 "t.yaml:5: ports: up: vf: 65535 is not in 0..65534"},
		{VF("  pf: sixteen-bytes-xx\n  vf: 0\n"),
		 "t.yaml:4: ports: up: pf: \"sixteen-bytes-xx\" is neither the name of an "
		 "interface nor a PCI address, as eth2 and \"0000:01:00.0\" are"},
		{VF("  pf: ''\n  vf: 0\n"),
		 "t.yaml:4: ports: up: pf: \"\" is neither the name of an interface nor a PCI "
		 "address, as eth2 and \"0000:01:00.0\" are"},
		{VF("  pf: ../eth2\n  vf: 0\n"),
		 "t.yaml:4: ports: up: pf: \"../eth2\" is neither the name of an interface nor a "
		 "PCI address, as eth2 and \"0000:01:00.0\" are"},
		{VF("  pf: 0000:01:00\n  vf: 0\n"),
		 "t.yaml:4: ports: up: pf: \"0000:01:00\" is not a PCI address, as "
		 "\"0000:01:10.0\" is"},
	};

	(void)state;
	all_refused(wrong, sizeof(wrong) / sizeof(wrong[0]));
}

static void
test_pci(void **state)
{
	static const char *const wrong[] = {
		"",
		"01:10",
		"01:10.8",
		"01:20.0",
		"1:10.0",
		"01:1.0",
		"01:10.00",
		"01:10.",
		":10.0",
		"01.10:0",
		"000:01:10.0",
		":01:10.0",
		"0000:01:10:0",
		"0000:0g:10.0",
		"0000-01:10.0",
		"0000:01:10.0 ",
		"0000::10.0",
		"0:0000:01:10.0",
		"0x00:01:10.0",
		"eth2",
		"+000:01:10.0",
		"10000000:01:10.0",
		"100000000:01:10.0",
	};
	static const char *const right[][2] = {
		{"01:10.0", "0000:01:10.0"},
		{"0000:FF:1F.7", "0000:ff:1f.7"},
		{"10000:e1:00.0", "10000:e1:00.0"},
		{"00010000:e1:00.0", "10000:e1:00.0"},
		{"fffffff:01:10.0", "fffffff:01:10.0"},
	};
	char text[128], sentence[256];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), VF("  pci: \"%s\"\n"), wrong[i]);
		snprintf(sentence, sizeof(sentence),
			 "t.yaml:4: ports: up: pci: \"%s\" is not a PCI address, as "
			 "\"0000:01:10.0\" is",
			 wrong[i]);
		refused(text, sentence);
	}
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct conf *conf;

		snprintf(text, sizeof(text), VF("  pci: \"%s\"\n"), right[i][0]);
		conf = load(text);
		assert_string_equal(conf->ports[0].vf.pci, right[i][1]);
		conf_free(conf);
	}
}

static void
test_keys(void **state)
{
	static const struct wrong wrong[] = {
		{VF(PF_AND_VF "  mac: 52:54:00\n"),
		 "t.yaml:6: ports: up: mac: \"52:54:00\" is not a MAC, as \"52:54:00:77:00:fe\" "
		 "is"},
		{VF(PF_AND_VF "  mac: 01:00:5e:00:00:01\n"),
		 "t.yaml:6: ports: up: mac: 01:00:5e:00:00:01 is a group's address, not a "
		 "station's"},
		{VF(PF_AND_VF "  mac: 00:00:00:00:00:00\n"),
		 "t.yaml:6: ports: up: mac: all zeroes is nobody's address"},
		{VF(PF_AND_VF "  vlan: 4095\n"),
		 "t.yaml:6: ports: up: vlan: 4095 is not in 0..4094"},
		{VF(PF_AND_VF "  vlan: none\n"),
		 "t.yaml:6: ports: up: vlan: \"none\" is not a number"},
		{VF(PF_AND_VF "  trust: maybe\n"),
		 "t.yaml:6: ports: up: trust: \"maybe\" is neither on nor off"},
		{VF(PF_AND_VF "  spoofcheck: \n"),
		 "t.yaml:6: ports: up: spoofcheck: \"\" is neither on nor off"},
		{VF(PF_AND_VF "  link_state: up\n"),
		 "t.yaml:6: ports: up: link_state: \"up\" is none of: auto, enable, disable"},
		{VF(PF_AND_VF "  min_rate: 4294967296\n"),
		 "t.yaml:6: ports: up: min_rate: 4294967296 is not in 0..4294967295"},
		{VF(PF_AND_VF "  max_rate: 1G\n"),
		 "t.yaml:6: ports: up: max_rate: \"1G\" is not a number"},
		{VF(PF_AND_VF "  max_rate: 10\n  min_rate: 11\n"),
		 "t.yaml:7: ports: up: min_rate: 11 is more than max_rate, which is 10"},
		{VF(PF_AND_VF "  filter: none\n"),
		 "t.yaml:6: ports: up: filter: \"none\" is none of: auto, promiscuous, mac-list, "
		 "own"},
		{VF(PF_AND_VF "  vlans: 10\n"),
		 "t.yaml:6: ports: up: vlans: a list is expected here, as in [1, 2]"},
		{VF(PF_AND_VF "  vlans:\n  - 1\n  - 0\n"),
		 "t.yaml:8: ports: up: vlans: \"0\" is not a VLAN, which is a number in 1..4094"},
		{VF(PF_AND_VF "  vlans: [4095]\n"),
		 "t.yaml:6: ports: up: vlans: \"4095\" is not a VLAN, which is a number in "
		 "1..4094"},
		{VF(PF_AND_VF "  vlans: [all]\n"),
		 "t.yaml:6: ports: up: vlans: \"all\" is not a VLAN, which is a number in "
		 "1..4094"},
		{VF(PF_AND_VF "  vlans: [7, 8, 7]\n"),
		 "t.yaml:6: ports: up: vlans: VLAN 7 is there twice"},
		{VF(PF_AND_VF "  devargs: net_null0\n"),
		 "t.yaml:6: ports: up: devargs: only a port of type ethdev has one"},
		{VF(PF_AND_VF "  socket: /a\n"),
		 "t.yaml:6: ports: up: socket: only a port of type vhost-user has one"},
		{VF(PF_AND_VF "  ifname: t0\n"),
		 "t.yaml:6: ports: up: ifname: only a port of type tap has one"},
		{ETHDEV(""), "t.yaml:2: ports: up: devargs is missing"},
		{ETHDEV("  devargs:\n"),
		 "t.yaml:4: ports: up: devargs: is empty: it names a device for DPDK, as "
		 "\"net_af_packet0,iface=eth2\" does"},
		{ETHDEV("  devargs: net_null0 , copy=1\n"),
		 "t.yaml:4: ports: up: devargs: \"net_null0 , copy=1\" has a space or another "
		 "character that no device's name or argument has"},
		{ETHDEV("  devargs: net_\xc3\xa4\n"),
		 "t.yaml:4: ports: up: devargs: \"net_\xc3\xa4\" has a space or another "
		 "character that no device's name or argument has"},
		{ETHDEV("  devargs: \"a\\tb\"\n"),
		 "t.yaml:4: a value contains a control character or line break, which no value "
		 "may"},
		{ETHDEV("  devargs: net_null0\n  filter: all\n"),
		 "t.yaml:5: ports: up: filter: \"all\" is none of: auto, promiscuous, mac-list, "
		 "own"},
		{ETHDEV("  devargs: net_null0\n  vlans: [0]\n"),
		 "t.yaml:5: ports: up: vlans: \"0\" is not a VLAN, which is a number in 1..4094"},
		{ETHDEV("  devargs: net_null0\n  mac: 52:54:00:77:00:01\n"),
		 "t.yaml:5: ports: up: mac: only a port of type tap or vf has one"},
	};
	static const char *const of_vf[] = {"pf",	"vf",	   "num_vfs",	 "pci",
					    "vlan",	"trust",   "spoofcheck", "link_state",
					    "min_rate", "max_rate"};
	char text[128], sentence[128];

	(void)state;
	all_refused(wrong, sizeof(wrong) / sizeof(wrong[0]));
	for (size_t i = 0; i < sizeof(of_vf) / sizeof(of_vf[0]); i++) {
		snprintf(text, sizeof(text), ETHDEV("  devargs: x\n  %s: 1\n"), of_vf[i]);
		snprintf(sentence, sizeof(sentence),
			 "t.yaml:5: ports: up: %s: only a port of type vf has one", of_vf[i]);
		refused(text, sentence);
	}
	refused(TAP "  filter: own\n",
		"t.yaml:5: ports: in: filter: only a port of type vf or ethdev has one");
	refused(VM "  vlans: []\n",
		"t.yaml:5: ports: vm1: vlans: only a port of type vf or ethdev has one");
	/* no lowest rate is above a highest one that is no limit */
	conf_free(load(VF(PF_AND_VF "  max_rate: 0\n  min_rate: 11\n")));
	conf_free(load(VF(PF_AND_VF "  max_rate: 11\n  min_rate: 11\n")));
}

/* A PCI device is written in one way, any other as it came. */
static void
test_devargs(void **state)
{
	static const char *const texts[][2] = {
		{"01:1A.0", "0000:01:1a.0"},
		{"0000:0A:10.0,representor=[0-3]", "0000:0a:10.0,representor=[0-3]"},
		{"pci:0000:01:10.0,x=1", "0000:01:10.0,x=1"},
		{"pci:01:10.9", "pci:01:10.9"},
		{"bus=pci,addr=01:10.0", "bus=pci,addr=01:10.0"},
		{"net_pcap0,rx_pcap=/01:10.0", "net_pcap0,rx_pcap=/01:10.0"},
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct conf *conf;

		snprintf(text, sizeof(text), ETHDEV("  devargs: \"%s\"\n"), texts[i][0]);
		conf = load(text);
		assert_string_equal(conf->ports[0].ethdev.devargs, texts[i][1]);
		conf_free(conf);
	}
}

/* The longest of what has a length is taken, one more is not. */
static void
test_lengths(void **state)
{
	char text[512], devargs[257] = "";
	size_t len;

	(void)state;
	memset(devargs, 'x', 256);
	snprintf(text, sizeof(text), ETHDEV("  devargs: %s\n"), devargs);
	refused(text, "t.yaml:4: ports: up: devargs: has 256 bytes, at most 255 can be");
	snprintf(text, sizeof(text), ETHDEV("  devargs: %s\n"), devargs + 1);
	conf_free(load(text));

	len = (size_t)snprintf(text, sizeof(text), VF(PF_AND_VF "  vlans: [1"));
	for (int i = 2; i <= 64; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ", %d", i);
	snprintf(text + len, sizeof(text) - len, "]\n");
	conf_free(load(text));
	snprintf(text + len, sizeof(text) - len, ", 65]\n");
	refused(text, "t.yaml:6: ports: up: vlans: there are more than 64 entries");

	conf_free(load(VF("  pf: fifteen-bytes-x\n  vf: 0\n")));
}

static void
test_beside(void **state)
{
#define OTHER(type, keys) "- name: other\n  type: " type "\n" keys
	static const struct wrong wrong[] = {
		{VF(PF_AND_VF) OTHER("vf", PF_AND_VF),
		 "t.yaml:9: ports: other: vf: port up has the same VF of the same PF"},
		{VF("  pf: 01:00.0\n  vf: 1\n") OTHER("vf", "  pf: \"0000:01:00.0\"\n  vf: 1\n"),
		 "t.yaml:9: ports: other: vf: port up has the same VF of the same PF"},
		{VF("  pci: 01:1a.0\n") OTHER("vf", "  pci: \"0000:01:1A.0\"\n"),
		 "t.yaml:7: ports: other: pci: port up has device 0000:01:1a.0"},
		{VF("  pci: 01:1a.0\n") OTHER("ethdev", "  devargs: \"0000:01:1a.0,x=1\"\n"),
		 "t.yaml:7: ports: other: devargs: port up has device 0000:01:1a.0"},
		{VF("  pci: 01:1a.0\n") OTHER("ethdev", "  devargs: \"pci:01:1A.0,x=1\"\n"),
		 "t.yaml:7: ports: other: devargs: port up has device 0000:01:1a.0"},
		{ETHDEV("  devargs: net_null0,copy=1\n") OTHER("ethdev", "  devargs: net_null0\n"),
		 "t.yaml:7: ports: other: devargs: port up has device net_null0"},
		{VF(PF_AND_VF "  num_vfs: 4\n") OTHER("vf", "  pf: eth2\n  vf: 0\n  num_vfs: 8\n"),
		 "t.yaml:11: ports: other: num_vfs: port up wants eth2 to have 4"},
		{VF(PF_AND_VF "  mac: 52:54:00:00:00:01\n")
			 OTHER("vf", "  pci: 01:10.0\n  mac: 52:54:00:00:00:01\n"),
		 "t.yaml:10: ports: other: mac: port up has this address"},
	};

	(void)state;
	all_refused(wrong, sizeof(wrong) / sizeof(wrong[0]));
	conf_free(load(VF(PF_AND_VF "  num_vfs: 4\n")
			       OTHER("vf", "  pf: eth3\n  vf: 3\n  num_vfs: 8\n")));
	conf_free(load(VF(PF_AND_VF "  num_vfs: 4\n") OTHER("vf", "  pf: eth2\n  vf: 0\n")));
	conf_free(load(TAP "  mac: 52:54:00:00:00:01\n" OTHER(
		"vf", "  pci: 01:10.0\n  mac: 52:54:00:00:00:01\n")));
	conf_free(load(ETHDEV("  devargs: net_null0\n") OTHER("ethdev", "  devargs: net_null1\n")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which_vf), cmocka_unit_test(test_pci),
		cmocka_unit_test(test_keys),	 cmocka_unit_test(test_devargs),
		cmocka_unit_test(test_lengths),	 cmocka_unit_test(test_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

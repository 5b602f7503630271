/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_vfs.c: sriov/vfs.c: finding VFs in sysfs, and why one can't be there; and what sysfs.c and
 * nic.c make of what they read.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_sysfs.h"
#include "nic.h"
#include "sysfs.h"
#include "vfs.h"

#define PF_PATH "devices/pci0000:00/" FAKE_PF

int __real_sysfs_write(const char *path, const char *text);

static struct error e;

/* vfs_find() and vfs_check() both give code. */
static void
expect_code(const struct port_conf *conf, int code)
{
	struct vfs_undo undo;
	struct vfs_vf vf;

	assert_int_equal(vfs_find(conf, &vf, &undo, &e), code);
	assert_string_equal(fake_sysfs.journal, "");
	assert_false(undo.is_counted);
	assert_int_equal(vfs_check(conf, &e), code);
}

static void
find_by_interface(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 1, 0);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	fake_vfs(2, "igbvf");
	fake_interface(FAKE_VF1, "eth4", false);
	fake_attribute("devices/pci0000:00/" FAKE_VF1 "/numa_node", "1\n");
	assert_int_equal(vfs_check(&conf, &e), 0);
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	assert_string_equal(vf.pci, FAKE_VF1);
	assert_string_equal(vf.pf_pci, FAKE_PF);
	assert_string_equal(vf.pf_ifname, FAKE_PF_IF);
	assert_int_equal(vf.number, 1);
	assert_int_equal(vf.vendor, 0x8086);
	assert_int_equal(vf.device, 0x10ca);
	assert_int_equal(vf.node, 1);
	assert_true(vf.is_vf);
	assert_string_equal(vf.driver, "igbvf");
	assert_false(undo.is_counted);
	vfs_undo("up0", &undo);
	assert_string_equal(fake_sysfs.journal, "");
}

static void
find_by_address_of_pf(void **state)
{
	struct port_conf conf = fake_conf("0000:01:00.0", 0, 0);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	fake_vfs(1, NULL);
	fake_interface(FAKE_PF, "eth1", false); /* stands for a VF */
	fake_attribute(PF_PATH "/net/eth1/phys_port_name", "pf0vf0\n");
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	assert_string_equal(vf.pci, FAKE_VF0);
	assert_string_equal(vf.pf_ifname, FAKE_PF_IF);
	assert_string_equal(vf.driver, "");
	assert_int_equal(vf.node, -1);
}

static void
find_by_pci(void **state)
{
	struct port_conf conf = fake_conf_pci(FAKE_VF1);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	fake_vfs(3, NULL);
	assert_int_equal(vfs_check(&conf, &e), 0);
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	assert_int_equal(vf.number, 1);
	assert_string_equal(vf.pf_pci, FAKE_PF);
	assert_string_equal(vf.pf_ifname, FAKE_PF_IF);
}

/* virtio's interface is on a device below the PCI device. */
static void
find_virtio(void **state)
{
	struct port_conf conf = fake_conf("eth7", 0, 0);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	fake_vfs(1, NULL);
	fake_attribute(PF_PATH "/virtio3/net/eth7/flags", "0x1003\n");
	fake_link("class/net/eth7", PF_PATH "/virtio3/net/eth7");
	fake_link(PF_PATH "/virtio3/net/eth7/device", PF_PATH "/virtio3");
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	assert_string_equal(vf.pci, FAKE_VF0);
	assert_string_equal(vf.pf_ifname, "eth7");
	assert_true(nic_interface(FAKE_PF, NULL, vf.pf_ifname));
	assert_string_equal(vf.pf_ifname, FAKE_PF_IF);
}

/* In a guest there is no physfn: the PCI ID tells. */
static void
find_in_guest(void **state)
{
	struct port_conf conf = fake_conf_pci("0000:00:05.0");
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	fake_device("0000:00:05.0", "0x1889\n", "0x020000\n", NULL);
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	assert_true(vf.is_vf);
	assert_string_equal(vf.pf_pci, "");
	assert_string_equal(vf.pf_ifname, "");
	fake_attribute("devices/pci0000:00/0000:00:05.0/device", "0x1533\n");
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	assert_false(vf.is_vf);
	assert_true(nic_is_known_vf(0x1425, 0x5801));
	assert_false(nic_is_known_vf(0x1425, 0x5401));
	assert_false(nic_is_known_vf(0x1af4, 0x1041));
}

static void
malformed_addresses(void **state)
{
	static const char *const bad[] = {"01:10.0",
					  "000:01:10.0",
					  "0000:01:10",
					  "0000:01:10.8",
					  "0000:01:20.0",
					  "0000:01:1g.0",
					  "0000:01:10.0x",
					  "0000:1:10.0",
					  "0000:01:10:0",
					  "0000 01:10.0",
					  ":",
					  "0000:01:10.-1"};
	char pci[PORT_PCI_MAX];
	struct port_conf conf;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		conf = fake_conf_pci(bad[i]);
		expect_code(&conf, -EINVAL);
		fake_expect(&e, "pci: ", bad[i], "is no PCI address", "as 0000:01:10.0", NULL);
	}
	conf = fake_conf("0000:01:00.9", 0, 0);
	expect_code(&conf, -EINVAL);
	fake_expect(&e, "pf: 0000:01:00.9 is no PCI address", NULL);
	assert_true(nic_parse("0000:AB:1F.7", pci));
	assert_string_equal(pci, "0000:ab:1f.7");
	assert_true(nic_parse("1234567:ab:1f.7", pci));
	assert_false(nic_parse("12345678:ab:1f.7", pci));
}

static void
no_interface(void **state)
{
	struct port_conf conf = fake_conf("eth9", 0, 0);

	(void)state;
	expect_code(&conf, -ENODEV);
	fake_expect(&e, "no interface eth9 in the network namespace", "ip link", NULL);
	conf = fake_conf("../..", 0, 0);
	expect_code(&conf, -EINVAL);
	fake_expect(&e, "../.. is no name of an interface", NULL);
}

static void
interface_without_device(void **state)
{
	struct port_conf conf = fake_conf("br0", 0, 0);

	(void)state;
	fake_attribute("class/net/br0/flags", "0x1003\n");
	expect_code(&conf, -ENOTSUP);
	fake_expect(&e, "br0 is on no PCI device", NULL);
	conf = fake_conf("usb0", 0, 0);
	fake_attribute("devices/pci0000:00/0000:00:14.0/usb1/1-1/net/usb0/flags", "0x1003\n");
	fake_link("class/net/usb0", "devices/pci0000:00/0000:00:14.0/usb1/1-1/net/usb0");
	fake_link("devices/pci0000:00/0000:00:14.0/usb1/1-1/net/usb0/device",
		  "devices/pci0000:00/0000:00:14.0/usb1/1-1");
	expect_code(&conf, -ENOTSUP);
}

static void
no_pf(void **state)
{
	struct port_conf conf = fake_conf("0000:09:00.0", 0, 0);

	(void)state;
	expect_code(&conf, -ENODEV);
	fake_expect(&e, "pf: there is no PCI device 0000:09:00.0", "lspci", NULL);
}

static void
pf_is_vf(void **state)
{
	struct port_conf conf = fake_conf(FAKE_VF0, 0, 0);

	(void)state;
	fake_vfs(1, NULL);
	expect_code(&conf, -ENOTSUP);
	fake_expect(&e, FAKE_VF0 " is a VF itself", "pci: \"" FAKE_VF0 "\"", FAKE_PF, NULL);
}

static void
no_pci(void **state)
{
	struct port_conf conf = fake_conf_pci("0000:01:10.6");

	(void)state;
	expect_code(&conf, -ENODEV);
	fake_expect(&e, "pci: there is no PCI device 0000:01:10.6", "pf, vf and num_vfs", NULL);
}

static void
no_sriov(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);

	(void)state;
	fake_remove(PF_PATH "/sriov_totalvfs");
	expect_code(&conf, -ENOTSUP);
	fake_expect(&e, FAKE_PF_IF " (" FAKE_PF ") has no SR-IOV", "firmware", NULL);
}

static void
sriov_off(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);

	(void)state;
	fake_attribute(PF_PATH "/sriov_totalvfs", "0\n");
	expect_code(&conf, -ENOTSUP);
	fake_expect(&e, "may have 0 VFs", "firmware", NULL);
}

static void
too_many(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 8);

	(void)state;
	expect_code(&conf, -ERANGE);
	fake_expect(&e, "num_vfs: ", "7 VFs at most, not 8", NULL);
}

static void
none_there(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 2, 0);

	(void)state;
	expect_code(&conf, -ENODEV);
	fake_expect(&e, "has no VFs: set num_vfs", "echo 3 > ", FAKE_PF "/sriov_numvfs", NULL);
}

static void
number_is_kept(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 4);

	(void)state;
	fake_vfs(2, NULL);
	expect_code(&conf, -EBUSY);
	fake_expect(&e, "num_vfs: ", "has 2 VFs already (0 to 1) where 4 are wanted", "echo 0 > ",
		    NULL);
	conf = fake_conf(FAKE_PF_IF, 2, 0);
	expect_code(&conf, -ENODEV);
	fake_expect(&e, "vf: ", "has 2 VFs already (0 to 1) where 3 are wanted", NULL);
	conf = fake_conf(FAKE_PF_IF, 1, 2); /* more than enough is fine */
	expect_code(&conf, 0);
	conf = fake_conf(FAKE_PF_IF, 0, 1);
	expect_code(&conf, 0);
}

static void
vf_beyond_num_vfs(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 4, 4);

	(void)state;
	expect_code(&conf, -EINVAL);
	fake_expect(&e, "with num_vfs 4 the VFs are 0 to 3, there is no 4", NULL);
}

static void
lost_vf(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 0);

	(void)state;
	fake_vfs(2, NULL);
	fake_remove(PF_PATH "/virtfn0");
	expect_code(&conf, -ENODEV);
	fake_expect(&e, "has no VF 0 now", NULL);
}

/* What attributes say is believed only as far as it makes sense. */
static void
attributes_that_lie(void **state)
{
	static const char *const bad[] = {
		"",	   "\n",    "x\n", "-1\n", "0x", "2 2\n", "99999999999999999999",
		"65536\n", "2\n3\n"};
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);
	char text[200], path[SYSFS_PATH_MAX], small[4];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake_attribute(PF_PATH "/sriov_totalvfs", bad[i]);
		expect_code(&conf, -EBADMSG);
		fake_expect(&e, "can't read", "sriov_totalvfs", NULL);
	}
	memset(text, '7', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	fake_attribute(PF_PATH "/sriov_totalvfs", text);
	expect_code(&conf, -EBADMSG);
	nic_path(path, FAKE_PF, "vendor");
	assert_int_equal(sysfs_read(path, small, sizeof(small)), -EBADMSG);
	assert_string_equal(small, "");
	fake_attribute(PF_PATH "/vendor", "0x\033086\n");
	assert_int_equal(sysfs_read(path, text, sizeof(text)), -EBADMSG);
	memset(text, 'd', sizeof(text) - 1);
	fake_link(PF_PATH "/driver", text);
	nic_driver(FAKE_PF, text);
	assert_string_equal(text, "?");
	memset(text, 'p', sizeof(text) - 1);
	sysfs_path(path, "%s%s", text, text);
	assert_string_equal(path, "");
}

static void
real_writes(void **state)
{
	char path[SYSFS_PATH_MAX];

	(void)state;
	nic_path(path, FAKE_PF, "driver_override");
	assert_int_equal(__real_sysfs_write(path, "vfio-pci"), 0);
	assert_string_equal(fake_text(PF_PATH "/driver_override"), "vfio-pci");
	assert_int_equal(__real_sysfs_write("/dev/full", "1"), -ENOSPC);
	nic_path(path, FAKE_PF, "not_there");
	assert_int_equal(__real_sysfs_write(path, "1"), -ENOENT);
}

static struct CMUnitTest
on_tree(const char *name, CMUnitTestFunction function)
{
	return (struct CMUnitTest){name, function, fake_sysfs_set_up, fake_sysfs_tear_down, NULL};
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		on_tree("find_by_interface", find_by_interface),
		on_tree("find_by_address_of_pf", find_by_address_of_pf),
		on_tree("find_by_pci", find_by_pci),
		on_tree("find_virtio", find_virtio),
		on_tree("find_in_guest", find_in_guest),
		on_tree("malformed_addresses", malformed_addresses),
		on_tree("no_interface", no_interface),
		on_tree("interface_without_device", interface_without_device),
		on_tree("no_pf", no_pf),
		on_tree("pf_is_vf", pf_is_vf),
		on_tree("no_pci", no_pci),
		on_tree("no_sriov", no_sriov),
		on_tree("sriov_off", sriov_off),
		on_tree("too_many", too_many),
		on_tree("none_there", none_there),
		on_tree("number_is_kept", number_is_kept),
		on_tree("vf_beyond_num_vfs", vf_beyond_num_vfs),
		on_tree("lost_vf", lost_vf),
		on_tree("attributes_that_lie", attributes_that_lie),
		on_tree("real_writes", real_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_vfs.c: sriov/vfs.c and numvfs.c: finding VFs in sysfs, making and removing them; and what
 * sysfs.c and nic.c make of what they read.
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
#define VF_PATH "devices/pci0000:00/" FAKE_VF0

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
	assert_true(vfs_is_there(FAKE_VF1));
	assert_false(vfs_is_there("0000:01:10.6"));
	assert_false(vfs_is_there(""));
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

static void
makes_and_removes(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 1, 2);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	assert_int_equal(vfs_check(&conf, &e), 0);
	assert_string_equal(fake_sysfs.journal, "");
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	assert_string_equal(fake_sysfs.journal, "sriov_drivers_autoprobe=0; sriov_numvfs=2; "
						"sriov_drivers_autoprobe=1; ");
	assert_string_equal(vf.pci, FAKE_VF1);
	assert_true(undo.is_counted);
	fake_sysfs.journal[0] = 0;
	vfs_undo("up0", &undo);
	assert_string_equal(fake_sysfs.journal, "sriov_numvfs=0; ");
	assert_false(undo.is_counted);
	vfs_undo("up0", &undo);
	assert_string_equal(fake_sysfs.journal, "sriov_numvfs=0; ");
	assert_string_equal(fake_sysfs.warning, "");
}

static void
autoprobe_that_is_off(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 1);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	fake_attribute(PF_PATH "/sriov_drivers_autoprobe", "0\n");
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	assert_string_equal(fake_sysfs.journal, "sriov_numvfs=1; ");
	vfs_undo("up0", &undo);
	assert_string_equal(fake_text(PF_PATH "/sriov_drivers_autoprobe"), "0");
}

static void
kernel_refuses(void **state)
{
	static const struct {
		int code;
		const char *said, *meaning;
	} cases[] = {
		{ENOMEM, "Cannot allocate memory", "pci=realloc"},
		{ENOSPC, "No space left on device", "ask for fewer"},
		{EBUSY, "Device or resource busy", "try again"},
		{EAGAIN, "Resource temporarily unavailable", "being reset"},
		{ENOENT, "No such file or directory", "load the driver"},
		{EINVAL, "Invalid argument", "ask for fewer"},
		{EPERM, "Operation not permitted", "as root"},
		{ERANGE, "Numerical result out of range", "ask for fewer"},
		{EOPNOTSUPP, "Operation not supported", "present mode"},
		{EIO, "Input/output error", "firmware refused"},
		{ENXIO, "No such device or address", "sriov_numvfs"},
		{EROFS, "read-only", "container"},
		{EACCES, "no right to write", "CAP_DAC_OVERRIDE"},
	};
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	fake_sysfs.fail_path = "/sriov_numvfs";
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_sysfs.fail_code = -cases[i].code;
		assert_int_equal(vfs_find(&conf, &vf, &undo, &e), -cases[i].code);
		fake_expect(&e, FAKE_PF "/sriov_numvfs", cases[i].said, cases[i].meaning, NULL);
		assert_string_equal(fake_text(PF_PATH "/sriov_drivers_autoprobe"), "1");
		assert_false(undo.is_counted);
	}
	fake_sysfs.fail_path = "/sriov_drivers_autoprobe";
	fake_sysfs.journal[0] = 0;
	fake_sysfs.fail_code = -EPERM;
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), -EPERM);
	fake_expect(&e, "no right to write", "sriov_drivers_autoprobe", "as root", NULL);
	assert_string_equal(fake_sysfs.journal, "");
}

static void
fewer_than_asked(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 4);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	fake_sysfs.n_fewer = 3;
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), -EIO);
	fake_expect(&e, "made 1 VFs instead of 4", "ip link set", NULL);
	assert_string_equal(fake_text(PF_PATH "/sriov_numvfs"), "0");
}

/* The kernel holds a lock that even reading sriov_numvfs would wait for. */
static void
being_removed(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	fake_vfs(2, "vfio-pci");
	fake_remove(PF_PATH "/virtfn0");
	fake_remove(PF_PATH "/virtfn1");
	fake_remove("devices/pci0000:00/" FAKE_VF0 "/physfn");
	fake_remove(PF_PATH "/sriov_numvfs");
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), -EBUSY);
	fake_expect(&e, "are just being removed", NULL);
	fake_remove("bus/pci/devices/" FAKE_VF0);
	fake_remove("bus/pci/devices/" FAKE_VF1);
	fake_attribute(PF_PATH "/sriov_numvfs", "2\n");
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), -EBUSY);
	fake_expect(&e, "somebody else is just making or removing", NULL);
	assert_string_equal(fake_sysfs.journal, "");
}

/* A function of the card's where VFs would be is none of them. */
static void
another_function(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	fake_device("0000:01:10.4", "0x10c9\n", "0x020000\n", "igb");
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	vfs_undo("up0", &undo);
	assert_string_equal(fake_text(PF_PATH "/sriov_numvfs"), "0");
}

static void
shared_by_ports(void **state)
{
	struct port_conf confs[3] = {fake_conf(FAKE_PF_IF, 0, 3), fake_conf(FAKE_PF, 1, 3),
				     fake_conf_pci("0000:01:10.4")};
	struct vfs_undo undo[3];
	struct vfs_vf vf;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(vfs_find(&confs[i], &vf, &undo[i], &e), 0);
	assert_int_equal(vf.number, 2);
	fake_sysfs.journal[0] = 0;
	vfs_undo("up0", &undo[0]);
	vfs_undo("up0", &undo[2]);
	assert_string_equal(fake_sysfs.journal, "");
	vfs_undo("up0", &undo[1]);
	assert_string_equal(fake_sysfs.journal, "sriov_numvfs=0; ");
}

/* A VF that was there before stays; so does what was made, as long as somebody uses one. */
static void
vf_in_use_stays(void **state)
{
	static const struct {
		const char *driver;
		int interface; /* 0: none, 1: down, 2: up */
		const char *why;
	} cases[] = {
		{"vfio-pci", 0, FAKE_VF1 " is bound to a driver for programs and guests"},
		{"uio_pci_generic", 0, "is bound to a driver for programs and guests"},
		{"igbvf", 2, "has an interface that is up"},
		{"igbvf", 0, "has a driver but no interface in this network namespace"},
		{"igbvf", 1, NULL},
	};
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_sysfs_tear_down(NULL);
		fake_sysfs_set_up(NULL);
		assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
		fake_driver(FAKE_VF1, cases[i].driver);
		if (cases[i].interface)
			fake_interface(FAKE_VF1, "eth5", cases[i].interface == 2);
		vfs_undo("up0", &undo);
		assert_string_equal(fake_text(PF_PATH "/sriov_numvfs"), cases[i].why ? "2" : "0");
		if (cases[i].why)
			assert_non_null(strstr(fake_sysfs.warning, cases[i].why));
		else
			assert_string_equal(fake_sysfs.warning, "");
	}
}

static void
number_changed_by_others(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	fake_vfs(4, NULL);
	vfs_undo("up0", &undo);
	assert_string_equal(fake_text(PF_PATH "/sriov_numvfs"), "4");
	assert_non_null(strstr(fake_sysfs.warning, "changed their number from 2 to 4"));
}

static void
removing_fails(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	fake_sysfs.fail_path = "/sriov_numvfs";
	fake_sysfs.fail_code = -EPERM;
	vfs_undo("up0", &undo);
	assert_non_null(strstr(fake_sysfs.warning, "Operation not permitted"));
}

/* The host has taken the VFs away, and made others: these are not ours to remove. */
static void
removed_by_others(void **state)
{
	struct port_conf first = fake_conf(FAKE_PF_IF, 0, 2), second = fake_conf(FAKE_PF_IF, 1, 2);
	struct vfs_undo undo[3];
	struct vfs_vf vf;

	(void)state;
	assert_int_equal(vfs_find(&first, &vf, &undo[0], &e), 0);
	assert_int_equal(vfs_find(&second, &vf, &undo[1], &e), 0);
	fake_sysfs.journal[0] = 0;
	fake_remove(VF_PATH "/physfn"); /* being removed */
	vfs_undo("up0", &undo[0]);
	fake_vfs(0, NULL);
	fake_vfs(2, NULL);
	vfs_undo("up1", &undo[1]);
	assert_string_equal(fake_sysfs.journal, "");
	assert_int_equal(vfs_find(&first, &vf, &undo[2], &e), 0);
	assert_false(undo[2].is_counted);
	vfs_undo("up0", &undo[2]);
	assert_string_equal(fake_sysfs.journal, "");
}

static void
forgotten(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);
	struct vfs_undo undo;
	struct vfs_vf vf;

	(void)state;
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	fake_sysfs.journal[0] = 0;
	vfs_forget("up0", &undo);
	vfs_forget("up0", &undo);
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	vfs_undo("up0", &undo);
	assert_string_equal(fake_sysfs.journal, "");
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
		on_tree("makes_and_removes", makes_and_removes),
		on_tree("autoprobe_that_is_off", autoprobe_that_is_off),
		on_tree("kernel_refuses", kernel_refuses),
		on_tree("fewer_than_asked", fewer_than_asked),
		on_tree("being_removed", being_removed),
		on_tree("another_function", another_function),
		on_tree("shared_by_ports", shared_by_ports),
		on_tree("vf_in_use_stays", vf_in_use_stays),
		on_tree("number_changed_by_others", number_changed_by_others),
		on_tree("removing_fails", removing_fails),
		on_tree("removed_by_others", removed_by_others),
		on_tree("forgotten", forgotten),
		on_tree("attributes_that_lie", attributes_that_lie),
		on_tree("real_writes", real_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

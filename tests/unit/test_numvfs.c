/* SPDX-License-Identifier: BSD-3-Clause */
/* test_numvfs.c: sriov/numvfs.c through vfs_find() and vfs_undo(): VFs made, shared, and removed.
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
#include "vfs.h"

#define PF_PATH "devices/pci0000:00/" FAKE_PF
#define VF_PATH "devices/pci0000:00/" FAKE_VF0

static struct error e;

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

static struct CMUnitTest
on_tree(const char *name, CMUnitTestFunction function)
{
	return (struct CMUnitTest){name, function, fake_sysfs_set_up, fake_sysfs_tear_down, NULL};
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_vfs_bind.c: sriov/bind.c: a VF bound to vfio-pci, refused with a reason, and given back. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_sysfs.h"
#include "vfs.h"

#define PF_PATH "devices/pci0000:00/" FAKE_PF
#define VF_PATH "devices/pci0000:00/" FAKE_VF0
#define NIC	"0000:02:00.0"

static struct error e;
static struct vfs_vf vf;
static struct vfs_undo undo;

/* Finds the VF of that address and binds it; returns what vfs_bind() does. */
static int
bind_pci(const char *pci)
{
	struct port_conf conf = fake_conf_pci(pci);

	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	return vfs_bind("up0", &vf, &undo, &e);
}

/* Both the check and binding say so, with code, and nothing is changed. */
static void
expect_refused(const char *pci, int code)
{
	struct port_conf conf = fake_conf_pci(pci);

	assert_int_equal(vfs_check(&conf, &e), code);
	assert_int_equal(bind_pci(pci), code);
	assert_string_equal(fake_sysfs.journal, "");
	assert_false(undo.is_bound);
}

static void
there_and_back(void **state)
{
	(void)state;
	fake_vfs(1, "igbvf");
	fake_interface(FAKE_VF0, "eth4", false);
	assert_int_equal(bind_pci(FAKE_VF0), 0);
	assert_string_equal(fake_sysfs.journal, "driver_override=vfio-pci; unbind=" FAKE_VF0
						"; drivers_probe=" FAKE_VF0 "; ");
	assert_string_equal(fake_driver_of(FAKE_VF0), "vfio-pci");
	fake_sysfs.journal[0] = 0;
	vfs_undo("up0", &undo);
	assert_string_equal(fake_sysfs.journal,
			    "driver_override=\n; unbind=" FAKE_VF0 "; bind=" FAKE_VF0 "; ");
	assert_string_equal(fake_driver_of(FAKE_VF0), "igbvf");
	vfs_undo("up0", &undo);
	assert_string_equal(fake_sysfs.warning, "");
}

static void
no_driver_before(void **state)
{
	(void)state;
	fake_vfs(1, NULL);
	assert_int_equal(bind_pci(FAKE_VF0), 0);
	assert_string_equal(fake_driver_of(FAKE_VF0), "vfio-pci");
	fake_sysfs.journal[0] = 0;
	vfs_undo("up0", &undo);
	assert_string_equal(fake_sysfs.journal, "driver_override=\n; unbind=" FAKE_VF0 "; ");
	assert_string_equal(fake_driver_of(FAKE_VF0), "");
}

static void
override_before(void **state)
{
	(void)state;
	fake_vfs(1, NULL);
	fake_attribute(VF_PATH "/driver_override", "pci-stub\n");
	assert_int_equal(bind_pci(FAKE_VF0), 0);
	vfs_undo("up0", &undo);
	assert_string_equal(fake_text(VF_PATH "/driver_override"), "pci-stub");
}

/* VFs that we made and bound are free again when they are removed. */
static void
made_and_bound(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);

	(void)state;
	assert_int_equal(vfs_find(&conf, &vf, &undo, &e), 0);
	assert_int_equal(vfs_bind("up0", &vf, &undo, &e), 0);
	vfs_undo("up0", &undo);
	assert_string_equal(fake_text(PF_PATH "/sriov_numvfs"), "0");
	assert_string_equal(fake_sysfs.warning, "");
}

static void
bound_already(void **state)
{
	static const char *const drivers[] = {"vfio-pci", "uio_pci_generic", "igb_uio"};

	(void)state;
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		fake_vfs(1, drivers[i]);
		assert_int_equal(bind_pci(FAKE_VF0), 0);
		assert_false(undo.is_bound);
		vfs_undo("up0", &undo);
		assert_string_equal(fake_driver_of(FAKE_VF0), drivers[i]);
	}
	assert_string_equal(fake_sysfs.journal, "");
}

static void
gone_meanwhile(void **state)
{
	(void)state;
	fake_vfs(1, NULL);
	assert_int_equal(bind_pci(FAKE_VF0), 0);
	fake_sysfs.journal[0] = 0;
	fake_vfs(0, NULL);
	vfs_undo("up0", &undo);
	assert_string_equal(fake_sysfs.journal, "");
	assert_string_equal(fake_sysfs.warning, "");
}

static void
no_vfio_pci(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);

	(void)state;
	fake_remove("bus/pci/drivers/vfio-pci/bind");
	fake_remove("bus/pci/drivers/vfio-pci/unbind");
	fake_remove("bus/pci/drivers/vfio-pci");
	assert_int_equal(vfs_check(&conf, &e), -ENOENT); /* also of VFs that are to be made */
	fake_vfs(1, NULL);
	expect_refused(FAKE_VF0, -ENOENT);
	fake_expect(&e, "vfio-pci is not loaded", "`modprobe vfio-pci`", NULL);
}

static void
no_iommu(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);

	(void)state;
	fake_remove(PF_PATH "/iommu_group");
	assert_int_equal(vfs_check(&conf, &e), -EOPNOTSUPP);
	fake_vfs(1, NULL);
	fake_remove(VF_PATH "/iommu_group");
	expect_refused(FAKE_VF0, -EOPNOTSUPP);
	fake_expect(&e, "there is no IOMMU for " FAKE_VF0, "intel_iommu=on", "amd_iommu=on",
		    "iommu=pt", "VT-d", NULL);
}

static void
unsafe_without_iommu(void **state)
{
	struct port_conf conf = fake_conf(FAKE_PF_IF, 0, 2);

	(void)state;
	fake_attribute("module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
	fake_remove(PF_PATH "/iommu_group");
	assert_int_equal(vfs_check(&conf, &e), 0);
	fake_vfs(1, NULL);
	fake_remove("vfio/01:10.0");
	fake_attribute("vfio/noiommu-01:10.0", "");
	assert_int_equal(bind_pci(FAKE_VF0), 0);
	vfs_undo("up0", &undo);
}

static void
shared_group(void **state)
{
	(void)state;
	fake_vfs(1, NULL);
	fake_device("0000:01:00.7", "0x10c9\n", "0x020000\n", "igb");
	fake_device("0000:00:1c.0", "0x10c9\n", "0x060400\n", "shpchp");
	fake_device("0000:00:1d.0", "0x10c9\n", "0x060000\n", NULL);
	fake_device("0000:00:1e.0", "0x10c9\n", "0x020000\n", "mlx5_vfio_pci");
	fake_group("0000:01:00.7", "01:10.0");
	fake_group("0000:00:1c.0", "01:10.0");
	fake_group("0000:00:1d.0", "01:10.0");
	fake_group("0000:00:1e.0", "01:10.0");
	expect_refused(FAKE_VF0, -EBUSY);
	fake_expect(&e, "shares its IOMMU group", "have drivers: 0000:01:00.7 (igb): ", NULL);
	fake_driver("0000:01:00.7", NULL);
	assert_int_equal(bind_pci(FAKE_VF0), 0);
	vfs_undo("up0", &undo);
}

static void
crowded_group(void **state)
{
	char pci[PORT_PCI_MAX];

	(void)state;
	fake_vfs(1, NULL);
	for (int i = 0; i < 24; i++) {
		snprintf(pci, sizeof(pci), "0000:03:%02x.0", i);
		fake_device(pci, "0x10c9\n", "0x020000\n", "igb");
		fake_group(pci, "01:10.0");
	}
	expect_refused(FAKE_VF0, -EBUSY);
	fake_expect(&e, "0000:03:00.0 (igb), 0000:03:01.0 (igb), ", NULL);
}

static void
interface_is_up(void **state)
{
	(void)state;
	fake_vfs(1, "igbvf");
	fake_interface(FAKE_VF0, "eth4", true);
	expect_refused(FAKE_VF0, -EBUSY);
	fake_expect(&e, "interface eth4 of the VF " FAKE_VF0 " is up", "ip link set eth4 down",
		    NULL);
}

static void
interface_elsewhere(void **state)
{
	(void)state;
	fake_vfs(1, "igbvf");
	expect_refused(FAKE_VF0, -EBUSY);
	fake_expect(&e, "bound to igbvf and has no interface in this network namespace",
		    "container", "drivers/igbvf/unbind", NULL);
}

static void
nic_of_the_host(void **state)
{
	(void)state;
	fake_device(NIC, "0x1533\n", "0x020000\n", "igb");
	fake_interface(NIC, "eth8", true);
	expect_refused(NIC, -EBUSY);
	fake_expect(&e, "is no VF but a NIC of the host whose interface eth8 is up",
		    "ip link set eth8 down", NULL);
	fake_interface(NIC, "eth8", false);
	assert_int_equal(bind_pci(NIC), 0);
	assert_string_equal(fake_driver_of(NIC), "vfio-pci");
	vfs_undo("up0", &undo);
	assert_string_equal(fake_driver_of(NIC), "igb");
}

static void
pf_with_vfs(void **state)
{
	(void)state;
	fake_vfs(1, NULL);
	fake_interface(FAKE_PF, FAKE_PF_IF, false);
	expect_refused(FAKE_PF, -EBUSY);
	fake_expect(&e, "is a PF that has VFs", NULL);
}

static void
no_network_device(void **state)
{
	(void)state;
	fake_device(NIC, "0x1533\n", "0x010601\n", "ahci");
	expect_refused(NIC, -ENOTSUP);
	fake_expect(&e, "is no network device", NULL);
}

static void
mellanox(void **state)
{
	(void)state;
	fake_vfs(1, "mlx5_core");
	fake_attribute(VF_PATH "/vendor", "0x15b3\n");
	fake_interface(FAKE_VF0, "eth4", true);
	assert_int_equal(bind_pci(FAKE_VF0), 0);
	assert_string_equal(fake_sysfs.journal, "");
	assert_false(undo.is_bound);

	fake_driver(FAKE_VF0, NULL); /* made without drivers */
	assert_int_equal(bind_pci(FAKE_VF0), 0);
	assert_string_equal(fake_sysfs.journal, "drivers_probe=" FAKE_VF0 "; ");
	assert_string_equal(fake_driver_of(FAKE_VF0), "mlx5_core");
	vfs_undo("up0", &undo);
	assert_string_equal(fake_driver_of(FAKE_VF0), "");

	fake_sysfs.journal[0] = 0;
	fake_driver(FAKE_VF0, "vfio-pci");
	expect_refused(FAKE_VF0, -EBUSY);
	fake_expect(&e, "bound to vfio-pci", "mlx5_core", NULL);
}

/* Also of what goes wrong half-way nothing is left. */
static void
driver_refuses(void **state)
{
	(void)state;
	fake_vfs(1, "igbvf");
	fake_interface(FAKE_VF0, "eth4", false);
	fake_sysfs.is_refusing = true;
	assert_int_equal(bind_pci(FAKE_VF0), -EIO);
	fake_expect(&e, "vfio-pci did not take " FAKE_VF0, "dmesg", NULL);
	assert_string_equal(fake_driver_of(FAKE_VF0), "igbvf");
	assert_string_equal(fake_text(VF_PATH "/driver_override"), "(null)");
	assert_false(undo.is_bound);
}

static void
group_in_use(void **state)
{
	char path[128];
	int fd;

	(void)state;
	fake_vfs(1, "vfio-pci");
	fake_sysfs.open_code = -EBUSY;
	assert_int_equal(bind_pci(FAKE_VF0), -EBUSY);
	fake_expect(&e, "another process", FAKE_VF0, "/vfio/01:10.0", "fuser -v", NULL);
	snprintf(path, sizeof(path), "%s/vfio/01:10.0", fake_sysfs.root);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(bind_pci(FAKE_VF0), 0); /* we are that process */
	close(fd);
}

static void
group_not_to_be_opened(void **state)
{
	static const struct {
		int code;
		const char *part;
	} cases[] = {{-EACCES, "run vswitchd as root"},
		     {-ENOENT, "is missing: in a container"},
		     {-ENODEV, "No such device"}};

	(void)state;
	fake_vfs(1, "igbvf");
	fake_interface(FAKE_VF0, "eth4", false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_sysfs.open_code = cases[i].code;
		assert_int_equal(bind_pci(FAKE_VF0), cases[i].code);
		fake_expect(&e, cases[i].part, "/vfio/01:10.0", NULL);
		assert_string_equal(fake_driver_of(FAKE_VF0), "igbvf");
	}
}

static void
write_refused(void **state)
{
	static const char *const paths[] = {"/driver_override", "/unbind", "/drivers_probe"};

	(void)state;
	fake_vfs(1, "igbvf");
	fake_interface(FAKE_VF0, "eth4", false);
	fake_sysfs.fail_code = -EACCES;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		fake_sysfs.fail_path = paths[i];
		assert_int_equal(bind_pci(FAKE_VF0), -EACCES);
		fake_expect(&e, "no right to write", paths[i], "CAP_DAC_OVERRIDE", NULL);
		assert_string_equal(fake_driver_of(FAKE_VF0), "igbvf");
		assert_string_equal(fake_text(VF_PATH "/driver_override"), "(null)");
	}
}

static void
not_given_back(void **state)
{
	(void)state;
	fake_vfs(1, "igbvf");
	fake_interface(FAKE_VF0, "eth4", false);
	assert_int_equal(bind_pci(FAKE_VF0), 0);
	fake_sysfs.fail_path = "/bind";
	fake_sysfs.fail_code = -ENODEV;
	vfs_undo("up0", &undo);
	assert_non_null(strstr(fake_sysfs.warning, FAKE_VF0 " is not given back to its driver"));
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
		on_tree("there_and_back", there_and_back),
		on_tree("no_driver_before", no_driver_before),
		on_tree("override_before", override_before),
		on_tree("made_and_bound", made_and_bound),
		on_tree("bound_already", bound_already),
		on_tree("gone_meanwhile", gone_meanwhile),
		on_tree("no_vfio_pci", no_vfio_pci),
		on_tree("no_iommu", no_iommu),
		on_tree("unsafe_without_iommu", unsafe_without_iommu),
		on_tree("shared_group", shared_group),
		on_tree("crowded_group", crowded_group),
		on_tree("interface_is_up", interface_is_up),
		on_tree("interface_elsewhere", interface_elsewhere),
		on_tree("nic_of_the_host", nic_of_the_host),
		on_tree("pf_with_vfs", pf_with_vfs),
		on_tree("no_network_device", no_network_device),
		on_tree("mellanox", mellanox),
		on_tree("driver_refuses", driver_refuses),
		on_tree("group_in_use", group_in_use),
		on_tree("group_not_to_be_opened", group_not_to_be_opened),
		on_tree("write_refused", write_refused),
		on_tree("not_given_back", not_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_vf.c: a VF whose PF is renamed, or taken from the network namespace, while it is in use. */
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "error.h"
#include "fake_pf.h"
#include "sysfs.h"
#include "vf.h"

enum {
	PF_INDEX = 7, /* of fake_pf.c */
};

static const char pf_pci[] = "0000:01:00.0";
static struct port_conf conf = {
	.name = "up0",
	.vf = {.wish = {.vlan = PORT_VLAN_NONE,
			.trust = PORT_WISH_ON,
			.min_rate = PORT_RATE_NONE,
			.max_rate = PORT_RATE_NONE}},
};
static struct vf vf;
static const char *name_now; /* of the PF; NULL: it has no interface here */

char *__wrap_if_indextoname(unsigned int index, char *name);

char *
__wrap_if_indextoname(unsigned int index, char *name)
{
	assert_int_equal(index, PF_INDEX);
	if (!name_now)
		return NULL;
	return strcpy(name, name_now);
}

/* VF 1 of eth2, which is trusted now, and was not before. */
static int
set_up(void **state)
{
	struct error e;

	fake_pf_set_up(state);
	memset(&vf, 0, sizeof(vf));
	strcpy(vf.found.pf_ifname, "eth2");
	strcpy(vf.found.pf_pci, pf_pci);
	vf.found.number = 1;
	vf.found.is_vf = vf.has_pf = true;
	name_now = "eth2";
	if (pf_read("eth2", 1, &vf.pf, &vf.is, &e) != 0)
		return -1;
	return pf_set("up0", "eth2", 1, &conf.vf.wish, &vf.is, &vf.pf_undo, &e);
}

/* As if the VF had been found when the PF, which is eth2 now, had this name. */
static void
be_renamed_from(const char *name)
{
	strcpy(vf.found.pf_ifname, name);
}

static void
renamed_and_released(void **state)
{
	(void)state;
	be_renamed_from("ens1");
	assert_int_equal(fake_pf.vfs[1].trust, 1);
	vf_release(&vf, &conf);
	assert_int_equal(fake_pf.vfs[1].trust, 0);
}

static void
renamed_and_asked(void **state)
{
	(void)state;
	be_renamed_from("ens1");
	fake_pf.vfs[1].spoofcheck = 0;
	assert_true(vf_refresh(&vf, &conf, true));
	assert_int_equal(vf.is.spoofcheck, PORT_WISH_OFF);
	assert_string_equal(vf.found.pf_ifname, "eth2");
	assert_string_equal(fake_pf.log, "6 port up0: the PF ens1 is called eth2 now\n");
}

/* The PF's device is there, but nobody can tell it anything. */
static void
taken_to_another_namespace(void **state)
{
	char root[] = "/tmp/vswitch-test-vf-XXXXXX", dir[SYSFS_PATH_MAX];
	const char *root_before = sysfs_root;

	(void)state;
	assert_non_null(mkdtemp(root));
	sysfs_root = root;
	be_renamed_from("ens1");
	name_now = NULL;
	for (int i = 0; i < 3; i++) {
		static const char *const parts[] = {"bus", "bus/pci", "bus/pci/devices"};

		snprintf(dir, sizeof(dir), "%s/%s", root, parts[i]);
		assert_int_equal(mkdir(dir, 0700), 0);
	}
	sysfs_path(dir, "bus/pci/devices/%s", pf_pci);
	assert_int_equal(mkdir(dir, 0700), 0);
	vf_release(&vf, &conf);
	assert_int_equal(rmdir(dir), 0);
	assert_string_equal(fake_pf.log,
			    "4 port up0: the settings of VF 1 are not set back: its PF "
			    "0000:01:00.0 has no interface in this network namespace any more\n");
	for (int i = 2; i >= 0; i--) {
		*strrchr(dir, '/') = 0;
		assert_int_equal(rmdir(dir), 0);
	}
	rmdir(root);
	sysfs_root = root_before;
}

/* Its device is gone, too, and with it all that was set. */
static void
gone(void **state)
{
	(void)state;
	be_renamed_from("ens1");
	strcpy(vf.found.pf_pci, "ffff:01:00.0");
	name_now = NULL;
	vf_release(&vf, &conf);
	assert_string_equal(fake_pf.log, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(renamed_and_released, set_up),
		cmocka_unit_test_setup(renamed_and_asked, set_up),
		cmocka_unit_test_setup(taken_to_another_namespace, set_up),
		cmocka_unit_test_setup(gone, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

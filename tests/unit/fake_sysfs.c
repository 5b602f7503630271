/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_sysfs.c: see fake_sysfs.h. The linker wraps sysfs_write, sysfs_try_open and log_line. */
#include "fake_sysfs.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bind.h"
#include "log.h"
#include "sysfs.h"

enum {
	PATH_LEN = 512,
	VF_OFFSET = 128, /* as of an 82576 */
	VF_STRIDE = 2,
};

struct fake_sysfs fake_sysfs;

int __wrap_sysfs_write(const char *path, const char *text);
int __wrap_sysfs_try_open(const char *path);
int __real_sysfs_try_open(const char *path);
void __wrap_log_line(enum log_level level, const char *format, ...);

static void
absolute(char out[PATH_LEN], const char *path)
{
	assert_true(snprintf(out, PATH_LEN, "%s/%s", fake_sysfs.root, path) < PATH_LEN);
}

static void
make_parents(const char *path)
{
	char part[PATH_LEN];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		assert_true(mkdir(part, 0777) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void
fake_attribute(const char *path, const char *text)
{
	char full[PATH_LEN];

	absolute(full, path);
	make_parents(full);
	write_file(full, text);
}

void
fake_link(const char *path, const char *target)
{
	char full[PATH_LEN], to[PATH_LEN];

	absolute(full, path);
	absolute(to, target);
	make_parents(full);
	unlink(full);
	assert_int_equal(symlink(to, full), 0);
}

void
fake_remove(const char *path)
{
	char full[PATH_LEN];

	absolute(full, path);
	remove(full);
}

const char *
fake_text(const char *path)
{
	static char text[256];
	char full[PATH_LEN];

	absolute(full, path);
	assert_int_equal(sysfs_read(full, text, sizeof(text)), 0);
	return text;
}

/* A path, in one of a few buffers that take turns. */
static const char *path_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *
path_of(const char *format, ...)
{
	static char paths[8][PATH_LEN];
	static unsigned int next;
	char *path = paths[next++ % 8];
	va_list args;

	va_start(args, format);
	assert_true(vsnprintf(path, PATH_LEN, format, args) < PATH_LEN);
	va_end(args);
	return path;
}

/* The path below the tree of something of a device's; "": of its directory. */
static const char *
of_device(const char *pci, const char *what)
{
	return path_of("devices/pci0000:00/%s%s%s", pci, what[0] ? "/" : "", what);
}

void
fake_group(const char *pci, const char *group)
{
	fake_link(path_of("kernel/iommu_groups/%s/devices/%s", group, pci), of_device(pci, ""));
	fake_link(of_device(pci, "iommu_group"), path_of("kernel/iommu_groups/%s", group));
	fake_attribute(path_of("vfio/%s", group), "");
}

void
fake_driver(const char *pci, const char *driver)
{
	fake_remove(of_device(pci, "driver"));
	if (!driver)
		return;
	fake_attribute(path_of("bus/pci/drivers/%s/bind", driver), "");
	fake_attribute(path_of("bus/pci/drivers/%s/unbind", driver), "");
	fake_link(of_device(pci, "driver"), path_of("bus/pci/drivers/%s", driver));
}

const char *
fake_driver_of(const char *pci)
{
	static char driver[SYSFS_NAME_MAX];
	char path[PATH_LEN];

	absolute(path, of_device(pci, "driver"));
	sysfs_read_link(path, driver, sizeof(driver));
	return driver;
}

void
fake_device(const char *pci, const char *device_id, const char *class, const char *driver)
{
	fake_attribute(of_device(pci, "vendor"), "0x8086\n");
	fake_attribute(of_device(pci, "device"), device_id);
	fake_attribute(of_device(pci, "class"), class);
	fake_attribute(of_device(pci, "numa_node"), "-1\n");
	fake_attribute(of_device(pci, "driver_override"), "(null)\n");
	fake_group(pci, pci + strlen("0000:"));
	fake_driver(pci, driver);
	fake_link(path_of("bus/pci/devices/%s", pci), of_device(pci, ""));
}

void
fake_interface(const char *pci, const char *ifname, bool is_up)
{
	const char *path = path_of("devices/pci0000:00/%s/net/%s", pci, ifname);

	fake_attribute(path_of("%s/flags", path), is_up ? "0x1003\n" : "0x1002\n");
	fake_link(path_of("%s/device", path), of_device(pci, ""));
	fake_link(path_of("class/net/%s", ifname), path);
}

static void
vf_pci(uint16_t number, char pci[PORT_PCI_MAX])
{
	unsigned int id = 0x0100 + VF_OFFSET + VF_STRIDE * (unsigned int)number;

	snprintf(pci, PORT_PCI_MAX, "0000:%02x:%02x.%x", id >> 8 & 0xff, id >> 3 & 0x1f, id & 7);
}

void
fake_vfs(uint16_t n, const char *driver)
{
	char pci[PORT_PCI_MAX];

	for (uint16_t i = 0; i < n || i < 8; i++) {
		vf_pci(i, pci);
		fake_remove(of_device(FAKE_PF, path_of("virtfn%u", i)));
		fake_remove(path_of("bus/pci/devices/%s", pci));
		if (i >= n)
			continue;
		fake_device(pci, "0x10ca\n", "0x020000\n", driver);
		fake_link(of_device(FAKE_PF, path_of("virtfn%u", i)), of_device(pci, ""));
		fake_link(of_device(pci, "physfn"), of_device(FAKE_PF, ""));
	}
	fake_attribute(of_device(FAKE_PF, "sriov_numvfs"), path_of("%u\n", n));
}

int
fake_sysfs_set_up(void **state)
{
	static char vfio[PATH_LEN];

	(void)state;
	fake_sysfs = (struct fake_sysfs){.root = "/tmp/vswitch-sysfs-XXXXXX"};
	if (!mkdtemp(fake_sysfs.root))
		return -1;
	sysfs_root = fake_sysfs.root;
	absolute(vfio, "vfio");
	bind_vfio = vfio;
	fake_attribute("bus/pci/drivers_probe", "");
	fake_attribute("bus/pci/drivers/vfio-pci/bind", "");
	fake_attribute("bus/pci/drivers/vfio-pci/unbind", "");
	fake_device(FAKE_PF, "0x10c9\n", "0x020000\n", "igb");
	fake_interface(FAKE_PF, FAKE_PF_IF, true);
	fake_attribute(of_device(FAKE_PF, "sriov_totalvfs"), "7\n");
	fake_attribute(of_device(FAKE_PF, "sriov_drivers_autoprobe"), "1\n");
	fake_attribute(of_device(FAKE_PF, "sriov_offset"), "128\n");
	fake_attribute(of_device(FAKE_PF, "sriov_stride"), "2\n");
	fake_attribute(of_device(FAKE_PF, "sriov_vf_device"), "10ca\n");
	fake_attribute(of_device(FAKE_PF, "sriov_numvfs"), "0\n");
	return 0;
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int
fake_sysfs_tear_down(void **state)
{
	(void)state;
	return nftw(fake_sysfs.root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* What the kernel does at drivers_probe: driver_override says which driver, else its ID does. */
static void
probe(const char *pci)
{
	const char *override = path_of("%s", fake_text(of_device(pci, "driver_override")));

	if (strcmp(override, "(null)") == 0)
		fake_driver(pci, strcmp(fake_text(of_device(pci, "vendor")), "0x15b3") == 0
					 ? "mlx5_core"
					 : "igbvf");
	else if (!fake_sysfs.is_refusing)
		fake_driver(pci, override);
}

static bool
has_end(const char *path, const char *end)
{
	size_t len = strlen(path), end_len = strlen(end);

	return len >= end_len && strcmp(path + len - end_len, end) == 0;
}

int
__wrap_sysfs_write(const char *path, const char *text)
{
	size_t used = strlen(fake_sysfs.journal);

	if (access(path, F_OK) != 0)
		return -ENOENT;
	if (fake_sysfs.fail_path && has_end(path, fake_sysfs.fail_path))
		return fake_sysfs.fail_code;
	snprintf(fake_sysfs.journal + used, sizeof(fake_sysfs.journal) - used, "%s=%s; ",
		 strrchr(path, '/') + 1, text);
	write_file(path, strcmp(text, "\n") == 0 ? "(null)\n" : text);
	if (has_end(path, "/sriov_numvfs")) {
		uint16_t n = (uint16_t)atoi(text);

		fake_vfs(n > fake_sysfs.n_fewer ? (uint16_t)(n - fake_sysfs.n_fewer) : 0, NULL);
	} else if (has_end(path, "/drivers_probe")) {
		probe(text);
	} else if (has_end(path, "/unbind")) {
		fake_driver(text, NULL);
	} else if (has_end(path, "/bind")) {
		char directory[PATH_LEN];

		snprintf(directory, sizeof(directory), "%s", path);
		*strrchr(directory, '/') = 0;
		fake_driver(text, strrchr(directory, '/') + 1);
	}
	return 0;
}

int
__wrap_sysfs_try_open(const char *path)
{
	return fake_sysfs.open_code ? fake_sysfs.open_code : __real_sysfs_try_open(path);
}

void
__wrap_log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	if (level != LOG_LEVEL_WARN)
		return;
	va_start(args, format);
	vsnprintf(fake_sysfs.warning, sizeof(fake_sysfs.warning), format, args);
	va_end(args);
}

struct port_conf
fake_conf(const char *pf, uint16_t vf, uint16_t num_vfs)
{
	struct port_conf conf = {.name = "up0", .type = "vf"};

	snprintf(conf.vf.pf, sizeof(conf.vf.pf), "%s", pf);
	conf.vf.vf = vf;
	conf.vf.num_vfs = num_vfs;
	return conf;
}

struct port_conf
fake_conf_pci(const char *pci)
{
	struct port_conf conf = {.name = "up0", .type = "vf"};

	snprintf(conf.vf.pci, sizeof(conf.vf.pci), "%s", pci);
	return conf;
}

void
fake_expect(const struct error *e, ...)
{
	const char *part;
	va_list args;

	va_start(args, e);
	assert_int_equal(strncmp(e->text, "port up0: ", strlen("port up0: ")), 0);
	while ((part = va_arg(args, const char *)) != NULL)
		if (!strstr(e->text, part))
			fail_msg("no \"%s\" in: %s", part, e->text);
	va_end(args);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* directory.c: see directory.h. */
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "log.h"
#include "port.h"

enum {
	MODE_OURS = 0755,
	MODE_QEMUS = 0770, /* QEMU makes and removes sockets in it */
};

static const char *
directory_of(const struct port_conf *conf, char path[UNIX_PATH_MAX + 1])
{
	memcpy(path, conf->vhost.socket, UNIX_PATH_MAX + 1);
	return dirname(path);
}

int
directory_check(const struct port_conf *conf, struct error *e)
{
	char path[UNIX_PATH_MAX + 1], above_path[UNIX_PATH_MAX + 1];
	const char *dir = directory_of(conf, path), *above;
	struct stat st;

	strcpy(above_path, dir);
	for (above = above_path; stat(above, &st) != 0; above = dirname(above_path))
		if (errno != ENOENT || strcmp(above, "/") == 0)
			return error_set(e, -errno,
					 "port %s: socket: can't use directory %s: %s: create it "
					 "(mkdir -p %s) and let vswitchd write there",
					 conf->name, dir, strerror(errno), dir);
	if (!S_ISDIR(st.st_mode))
		return error_set(e, -ENOTDIR, "port %s: socket: %s is not a directory", conf->name,
				 above);
	if (faccessat(AT_FDCWD, above, W_OK | X_OK, AT_EACCESS) == 0)
		return 0;
	if (strcmp(above, dir) != 0)
		return error_set(e, -errno,
				 "port %s: socket: no right to make directory %s in %s: %s: create "
				 "it and let vswitchd write there, or change the socket's path",
				 conf->name, dir, above, strerror(errno));
	return error_set(e, -errno,
			 "port %s: socket: no right to make a socket in %s: %s: change the "
			 "directory's rights or the socket's path",
			 conf->name, dir, strerror(errno));
}

/* Of a directory that we have just made: by descriptor, so that nothing put in its place gets them.
 */
static int
set_rights(const char *dir, uid_t uid, gid_t gid, mode_t mode)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), err = 0;

	if (fd < 0 || fchown(fd, uid, gid) != 0 || fchmod(fd, mode) != 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* All of it or nothing: the next one who looks would take half of it for what is to be so. */
static int
make_one(const char *dir, uid_t uid, gid_t gid, mode_t mode)
{
	int err;

	if (mkdir(dir, 0700) != 0)
		return errno == EEXIST ? 0 : -errno;
	err = set_rights(dir, uid, gid, mode);
	if (err)
		rmdir(dir);
	return err;
}

int
directory_make(const struct port_conf *conf, uid_t uid, gid_t gid, struct error *e)
{
	char path[UNIX_PATH_MAX + 1];
	const char *dir = directory_of(conf, path);
	struct stat st;
	int err = 0;

	if (stat(dir, &st) == 0)
		return 0;
	for (char *slash = strchr(path + 1, '/'); slash && !err; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		err = make_one(path, (uid_t)-1, (gid_t)-1, MODE_OURS);
		*slash = '/';
	}
	if (!err)
		err = make_one(dir, uid, gid, conf->vhost.is_client ? MODE_QEMUS : MODE_OURS);
	if (err)
		return error_set(e, err,
				 "port %s: socket: can't make directory %s: %s: create it with the "
				 "rights that it should have",
				 conf->name, dir, strerror(-err));
	log_info("port %s: socket: made directory %s", conf->name, dir);
	return 0;
}

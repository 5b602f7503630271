/* SPDX-License-Identifier: BSD-3-Clause */
/* socket.c: see socket.h. */
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "directory.h"
#include "error.h"
#include "label.h"
#include "port.h"

void
socket_place(const char *path, char place[SOCKET_PLACE_MAX])
{
	char dir[UNIX_PATH_MAX + 1];
	size_t len = strlen(path), used;

	/* the longest part of its directory that exists */
	do {
		while (len > 0 && path[--len] != '/')
			;
		snprintf(dir, sizeof(dir), "%.*s", (int)len, path);
	} while (!realpath(len ? dir : "/", place) && len > 0);
	used = len ? strlen(place) : 0;
	if (used == 1)
		used = 0; /* of "/" nothing is left before the next slash */
	for (const char *at = path + len; *at;) {
		size_t name = 1 + strcspn(at + 1, "/"); /* and the slash before it */

		if (name == 3 && at[1] == '.' && at[2] == '.') {
			while (used > 0 && place[--used] != '/')
				;
		} else if (name > 1 && (name > 2 || at[1] != '.')) {
			memcpy(place + used, at, name);
			used += name;
		}
		at += name;
	}
	place[used] = 0;
}

/* A user's or group's number, by name or as digits. False if there is none. */
static bool
find_id(const char *name, bool is_group, unsigned int *id)
{
	const struct passwd *user = is_group ? NULL : getpwnam(name);
	const struct group *group = is_group ? getgrnam(name) : NULL;
	unsigned long number;
	char *end;

	if (user || group) {
		*id = user ? user->pw_uid : group->gr_gid;
		return true;
	}
	number = strtoul(name, &end, 10);
	*id = (unsigned int)number;
	return *name >= '0' && *name <= '9' && *end == 0 && number < UINT_MAX;
}

/* (uid_t)-1 and (gid_t)-1: as it is. */
static int
find_owner(const struct port_conf *conf, uid_t *uid, gid_t *gid, struct error *e)
{
	*uid = (uid_t)-1;
	*gid = (gid_t)-1;
	if (conf->vhost.owner[0] && !find_id(conf->vhost.owner, false, uid))
		return error_set(e, -EINVAL, "port %s: owner: there is no user %s", conf->name,
				 conf->vhost.owner);
	if (conf->vhost.group[0] && !find_id(conf->vhost.group, true, gid))
		return error_set(e, -EINVAL, "port %s: group: there is no group %s", conf->name,
				 conf->vhost.group);
	return 0;
}

/* A socket may be there, dead or alive; anything else may not. */
static int
check_place(const struct port_conf *conf, bool *is_there, struct error *e)
{
	const char *path = conf->vhost.socket;
	struct stat st;

	*is_there = lstat(path, &st) == 0;
	if (!*is_there && errno != ENOENT)
		return error_set(e, -errno, "port %s: socket: can't look at %s: %s", conf->name,
				 path, strerror(errno));
	if (*is_there && !S_ISSOCK(st.st_mode))
		return error_set(e, -EEXIST,
				 "port %s: socket: %s exists and is not a socket: it stays, choose "
				 "another path",
				 conf->name, path);
	return 0;
}

int
socket_check(const struct port_conf *conf, struct error *e)
{
	size_t len = strnlen(conf->vhost.socket, sizeof(conf->vhost.socket));
	bool is_there;
	uid_t uid;
	gid_t gid;
	int err;

	if (len == 0)
		return error_set(e, -EINVAL, "port %s: socket: is missing", conf->name);
	if (len > UNIX_PATH_MAX)
		return error_set(e, -ENAMETOOLONG,
				 "port %s: socket: path is longer than the %d bytes that a UNIX "
				 "socket takes",
				 conf->name, UNIX_PATH_MAX);
	err = find_owner(conf, &uid, &gid, e);
	if (err || conf->vhost.is_client)
		return err;
	err = directory_check(conf, e);
	if (!err)
		err = check_place(conf, &is_there, e);
	return err;
}

/* 0: nobody listens; -errno and e otherwise. */
static int
check_dead(const struct port_conf *conf, struct error *e)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd, err;

	memcpy(un.sun_path, conf->vhost.socket, sizeof(conf->vhost.socket));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(e, -errno, "port %s: can't make a socket: %s", conf->name,
				 strerror(errno));
	err = connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0 ? 0 : errno;
	close(fd);
	if (err == ECONNREFUSED || err == ENOENT)
		return 0;
	if (err == 0 || err == EAGAIN || err == EPROTOTYPE)
		return error_set(
			e, -EADDRINUSE,
			"port %s: socket: another process listens on %s: end it, or choose "
			"another path",
			conf->name, un.sun_path);
	return error_set(e, -err, "port %s: socket: can't find out who owns %s: %s", conf->name,
			 un.sun_path, strerror(err));
}

int
socket_prepare(const struct port_conf *conf, struct error *e)
{
	bool is_there;
	uid_t uid;
	gid_t gid;
	int err;

	err = socket_check(conf, e);
	if (!err)
		err = find_owner(conf, &uid, &gid, e);
	if (!err && conf->vhost.is_client)
		return conf->vhost.owner[0] || conf->vhost.group[0]
			       ? directory_make(conf, uid, gid, e)
			       : 0;
	if (!err)
		err = directory_make(conf, (uid_t)-1, (gid_t)-1, e);
	if (!err)
		err = check_place(conf, &is_there, e);
	if (err || !is_there)
		return err;
	err = check_dead(conf, e);
	if (err)
		return err;
	if (unlink(conf->vhost.socket) != 0 && errno != ENOENT)
		return error_set(e, -errno, "port %s: socket: can't remove the stale %s: %s",
				 conf->name, conf->vhost.socket, strerror(errno));
	return 0;
}

int
socket_begin(const struct port_conf *conf, mode_t *before, struct error *e)
{
	int err = conf->vhost.selinux[0] ? label_set("", conf->vhost.selinux) : 0;

	if (err == -ENOTSUP)
		return error_set(e, err,
				 "port %s: selinux: there is no SELinux in this kernel, or it is "
				 "off: leave the key out",
				 conf->name);
	if (err)
		return error_set(e, err, "port %s: selinux: can't give the socket the label %s: %s",
				 conf->name, conf->vhost.selinux,
				 err == -EINVAL ? "the policy does not know it" : strerror(-err));
	*before = umask(0177);
	return 0;
}

void
socket_end(const struct port_conf *conf, mode_t before)
{
	umask(before);
	if (conf->vhost.selinux[0])
		label_set("", NULL);
}

/* By descriptor, so that nothing put in the socket's place meanwhile gets the rights. */
int
socket_set_rights(const struct port_conf *conf, struct error *e)
{
	char name[32];
	struct stat st;
	uid_t uid;
	gid_t gid;
	int fd, err;

	err = find_owner(conf, &uid, &gid, e);
	if (err)
		return err;
	fd = open(conf->vhost.socket, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode))
		err = error_set(e, -EIO, "port %s: socket: %s is gone as soon as it was made",
				conf->name, conf->vhost.socket);
	else if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) != 0)
		err = error_set(e, -errno, "port %s: socket: can't give %s to %s:%s: %s",
				conf->name, conf->vhost.socket, conf->vhost.owner,
				conf->vhost.group, strerror(errno));
	else if (chmod(name, conf->vhost.permissions & 0777) != 0)
		err = error_set(e, -errno, "port %s: socket: can't set permissions %04o of %s: %s",
				conf->name, conf->vhost.permissions, conf->vhost.socket,
				strerror(errno));
	if (fd >= 0)
		close(fd);
	return err;
}

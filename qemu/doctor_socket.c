/* SPDX-License-Identifier: BSD-3-Clause */
/* doctor_socket.c: may QEMU open the sockets of the ports? */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "doctor.h"

enum {
	MAY_READ = 4,
	MAY_WRITE = 2,
	MAY_SEARCH = 1,
};

/* By the permissions alone; QEMU has no capabilities. */
static bool
socket_may(const struct doctor_user *user, const struct stat *st, unsigned int what)
{
	if (user->uid == st->st_uid)
		return (st->st_mode >> 6 & what) == what;
	for (int i = 0; i < user->n_groups; i++)
		if (user->groups[i] == st->st_gid)
			return (st->st_mode >> 3 & what) == what;
	return (st->st_mode & what) == what;
}

/* Writes the first directory on the way to path that the user can't search, or that is not there.
 * Ends where we can't look ourselves. */
static bool
socket_is_barred(const struct doctor_user *user, const char *path, char barrier[DOCTOR_PATH_MAX])
{
	const char *slash = path;
	struct stat st;

	while ((slash = strchr(slash + 1, '/'))) {
		snprintf(barrier, DOCTOR_PATH_MAX, "%.*s", (int)(slash - path), path);
		if (stat(barrier, &st) != 0)
			return errno != EACCES;
		if (user->is_known && !socket_may(user, &st, MAY_SEARCH))
			return true;
	}
	return false;
}

/* The switch listens: QEMU has to write to the socket. False after a finding. */
static bool
socket_check_server(struct doctor *d, const struct setup_port *port)
{
	struct finding *finding;
	struct stat st;

	if (stat(port->socket, &st) != 0) {
		if (!d->is_running || errno == EACCES)
			return true;
		finding = finding_add(&d->findings, FINDING_ERROR, "socket",
				      "port %s: there is no %s", port->name, port->socket);
		finding_todo(finding, "vswitchctl port show %s says why", port->name);
		return false;
	}
	if (!d->user.is_known || socket_may(&d->user, &st, MAY_WRITE))
		return true;
	finding = finding_add(&d->findings, FINDING_ERROR, "socket",
			      "port %s: %s can't write to %s (mode %04o)", port->name, d->user.name,
			      port->socket, st.st_mode & 07777);
	finding_todo(finding, "give the port `group: kvm` and `permissions: \"0660\"`");
	return false;
}

static bool
socket_is_in(const char *socket, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(socket, dir, len) == 0 && socket[len] == '/' &&
	       !strchr(socket + len + 1, '/');
}

/* Does the switch make sockets in the directory, which must stay its own then? */
static bool
socket_is_ours(const struct doctor *d, const char *dir)
{
	for (uint32_t i = 0; i < d->setup.n_ports; i++)
		if (!d->setup.ports[i].is_client && socket_is_in(d->setup.ports[i].socket, dir))
			return true;
	return socket_is_in(d->client.socket, dir);
}

/* QEMU listens: it has to make the socket. */
static bool
socket_check_client(struct doctor *d, const struct setup_port *port)
{
	char dir[DOCTOR_PATH_MAX];
	struct finding *finding;
	struct stat st;

	snprintf(dir, sizeof(dir), "%s", port->socket);
	dirname(dir);
	if (stat(dir, &st) != 0 || !d->user.is_known ||
	    socket_may(&d->user, &st, MAY_WRITE | MAY_SEARCH))
		return true;
	finding = finding_add(&d->findings, FINDING_ERROR, "socket", "port %s: %s can't make %s",
			      port->name, d->user.name, port->socket);
	/* whose directory it is can put its own in the place of every socket there */
	if (socket_is_ours(d, dir))
		finding_todo(finding,
			     "take one of QEMU's own for it: install -d -o %s -g kvm %s/qemu",
			     d->user.name, dir);
	else
		finding_todo(finding, "install -d -o %s -g kvm %s", d->user.name, dir);
	return false;
}

static bool
socket_check(struct doctor *d, const struct setup_port *port)
{
	char barrier[DOCTOR_PATH_MAX];
	struct finding *finding;
	struct stat st;

	if (socket_is_barred(&d->user, port->socket, barrier)) {
		bool is_there = stat(barrier, &st) == 0;

		finding = finding_add(&d->findings, FINDING_ERROR, "socket", "port %s: %s %s",
				      port->name, barrier,
				      is_there ? "can't be searched by QEMU" : "does not exist");
		if (is_there)
			finding_todo(finding, "chmod g+x,o+x %s", barrier);
		else if (port->is_client && d->user.is_known)
			finding_todo(finding, "install -d -o %s -g kvm %s", d->user.name, barrier);
		else
			finding_todo(finding, "install -d -m 755 %s", barrier);
		return false;
	}
	return port->is_client ? socket_check_client(d, port) : socket_check_server(d, port);
}

void
doctor_check_sockets(struct doctor *d)
{
	bool is_right = true;
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->setup.n_ports; i++) {
		if (!d->setup.ports[i].socket[0])
			continue;
		n++;
		is_right &= socket_check(d, &d->setup.ports[i]);
	}
	if (!d->user.is_known)
		finding_add(
			&d->findings, FINDING_OK, "socket",
			"there is no user %s: whether QEMU may open the sockets was not looked at",
			d->user.name);
	else if (is_right)
		finding_add(&d->findings, FINDING_OK, "socket", "%u sockets, and %s may use them",
			    n, d->user.name);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* record.c: see record.h. */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

static const char format[] = "pinned 0x%" PRIx64 "\nguest %d %" PRIu64 " 0x%" PRIx64 "\n";

/* As format has it, and nothing behind it. */
static bool
parse(FILE *file, struct record *r)
{
	int pid;
	char c;

	if (fscanf(file, "pinned 0x%16" SCNx64 " guest %10d %20" SCNu64 " 0x%16" SCNx64 "%*[\n]",
		   &r->pinned, &pid, &r->guest.start, &r->guest.features) != 4 ||
	    pid < 0 || fscanf(file, "%c", &c) == 1)
		return false;
	r->guest.pid = pid;
	return true;
}

/* Follows no link, and waits for nobody who may write to a FIFO. NULL: errno. */
static FILE *
open_file(const char *path, int flags, const char *mode)
{
	int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	FILE *file = fd < 0 ? NULL : fdopen(fd, mode);

	if (fd >= 0 && !file)
		close(fd);
	return file;
}

int
record_read(const char *dir, const char *port, struct record *r, struct error *e)
{
	char path[PATH_MAX];
	FILE *file;
	bool is_right;

	memset(r, 0, sizeof(*r));
	if (!dir[0])
		return 0;
	snprintf(path, sizeof(path), "%s/%s.features", dir, port);
	file = open_file(path, O_RDONLY, "r");
	if (!file && errno == ENOENT)
		return 0;
	if (!file)
		return error_set(e, -errno, "port %s: features: can't read %s: %s", port, path,
				 strerror(errno));
	is_right = parse(file, r);
	fclose(file);
	if (is_right)
		return 0;
	memset(r, 0, sizeof(*r));
	return error_set(e, -EINVAL,
			 "port %s: features: %s is not what vswitchd writes: remove it, and the "
			 "port begins anew",
			 port, path);
}

/* 0 or -errno. */
static int
write_new(const char *path, const struct record *r)
{
	FILE *file;
	bool is_good;

	unlink(path); /* of a vswitchd that was killed */
	file = open_file(path, O_WRONLY | O_CREAT | O_EXCL, "w");
	if (!file)
		return -errno;
	is_good = fprintf(file, format, r->pinned, (int)r->guest.pid, r->guest.start,
			  r->guest.features) > 0 &&
		  fflush(file) == 0 && (!r->pinned || fsync(fileno(file)) == 0);
	if (fclose(file) == 0 && is_good)
		return 0;
	return errno ? -errno : -EIO;
}

int
record_write(const char *dir, const char *port, const struct record *r, struct error *e)
{
	char path[PATH_MAX], path_new[PATH_MAX];
	int err = 0;

	if (!dir[0])
		return 0;
	snprintf(path, sizeof(path), "%s/%s.features", dir, port);
	snprintf(path_new, sizeof(path_new), "%s/%s.features.new", dir, port);
	if (!r->pinned && !r->guest.pid) {
		if (unlink(path) != 0 && errno != ENOENT)
			err = -errno;
	} else {
		mkdir(dir, 0700); /* whether it is there now is seen below */
		err = write_new(path_new, r);
		if (!err && rename(path_new, path) != 0)
			err = -errno;
	}
	if (err)
		return error_set(e, err,
				 "port %s: features: can't write %s: %s: make the directory that "
				 "switch: state names, and let vswitchd write there",
				 port, path, strerror(-err));
	return 0;
}

/* Field 22 of proc(5)'s stat; the second, the name in parentheses, may have any bytes. */
uint64_t
record_start_of(pid_t pid)
{
	char path[32], line[1024], *rest;
	uint64_t start = 0;
	FILE *file;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = pid > 0 ? fopen(path, "re") : NULL;
	if (!file)
		return 0;
	len = fread(line, 1, sizeof(line) - 1, file);
	fclose(file);
	line[len] = 0;
	rest = strrchr(line, ')');
	if (!rest || sscanf(rest,
			    ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
			    "%*d %*d %*d %" SCNu64,
			    &start) != 1)
		return 0;
	return start;
}

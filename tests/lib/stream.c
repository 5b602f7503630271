/* SPDX-License-Identifier: BSD-3-Clause */
/* stream.c: see stream.h. */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A descriptor that does not block, or -1. */
static int
stream_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	int fd;

	if (stat(path, &st) == 0 && S_ISCHR(st.st_mode))
		return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) ||
			fcntl(fd, F_SETFL, O_NONBLOCK))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int
stream_open(struct stream *s, const char *path, uint32_t room)
{
	*s = (struct stream){
		.fd = stream_connect(path), .room = room, .in = malloc(room), .out = malloc(room)};
	return s->fd >= 0 && s->in && s->out ? 0 : -1;
}

bool
stream_read(struct stream *s)
{
	ssize_t n;

	if (s->fd < 0 || s->in_len == s->room)
		return false;
	n = read(s->fd, s->in + s->in_len, s->room - s->in_len);
	if (n > 0) {
		s->in_len += (uint32_t)n;
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(s->fd);
		s->fd = -1;
	}
	return false;
}

void
stream_used(struct stream *s, uint32_t n_bytes)
{
	s->in_len -= n_bytes;
	memmove(s->in, s->in + n_bytes, s->in_len);
}

bool
stream_write(struct stream *s)
{
	ssize_t n = 0;

	if (s->out_len > s->out_off && s->fd >= 0) {
		n = write(s->fd, s->out + s->out_off, s->out_len - s->out_off);
		if (n > 0)
			s->out_off += (uint32_t)n;
	}
	if (s->fd < 0 || s->out_off == s->out_len) {
		memmove(s->out, s->out + s->out_len, s->part_len);
		s->out_off = s->out_len = 0;
	}
	return n > 0;
}

void
stream_close(struct stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->in);
	free(s->out);
	*s = (struct stream){.fd = -1};
}

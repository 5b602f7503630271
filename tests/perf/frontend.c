/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frontend.c: the messages of a vhost-user front-end, and the guest's memory (frontend.h).
 */
#include "frontend.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vhost_types.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct message_head {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* bytes of payload that follow */
};

/* Payload of SET_MEM_TABLE. */
struct memory_table {
	uint32_t n_regions;
	uint32_t padding;
	struct {
		uint64_t gpa;
		uint64_t size;
		uint64_t user_addr;
		uint64_t offset;
	} regions[FRONTEND_REGIONS_MAX];
};

static int __attribute__((format(printf, 3, 4)))
fail(struct frontend *fe, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fe->error, sizeof(fe->error), format, args);
	va_end(args);
	return code;
}

void
frontend_init(struct frontend *fe)
{
	memset(fe, 0, sizeof(*fe));
	fe->fd = -1;
	fe->listen_fd = -1;
	fe->memory_fd = -1;
}

void
frontend_close(struct frontend *fe)
{
	if (fe->fd >= 0)
		close(fe->fd);
	if (fe->listen_fd >= 0) {
		close(fe->listen_fd);
		unlink(fe->path);
	}
	for (uint32_t i = 0; i < fe->n_regions; i++)
		munmap(fe->regions[i].addr, fe->regions[i].size);
	if (fe->memory_fd >= 0)
		close(fe->memory_fd);
	frontend_init(fe);
}

static int
set_address(struct frontend *fe, const char *path, struct sockaddr_un *to)
{
	size_t len = strlen(path);

	*to = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len >= sizeof(to->sun_path))
		return fail(fe, -ENAMETOOLONG, "%s: path is %zu bytes, a UNIX socket takes %zu",
			    path, len, sizeof(to->sun_path) - 1);
	memcpy(to->sun_path, path, len + 1);
	return 0;
}

/* A switch that does not answer is a failure, not a reason to wait for ever. */
static void
set_timeouts(int fd)
{
	struct timeval t = {.tv_sec = FRONTEND_TIMEOUT_MS / 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

int
frontend_connect(struct frontend *fe, const char *path, uint32_t timeout_ms)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
	struct sockaddr_un to;
	int rc = set_address(fe, path, &to);

	if (rc < 0)
		return rc;
	for (uint32_t waited_ms = 0;; waited_ms += 20) {
		fe->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fe->fd < 0)
			return fail(fe, -errno, "%s: no socket: %s", path, strerror(errno));
		set_timeouts(fe->fd);
		if (connect(fe->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
			return 0;
		rc = -errno;
		close(fe->fd);
		fe->fd = -1;
		if (waited_ms >= timeout_ms)
			return fail(fe, rc, "%s: nobody answers: %s", path, strerror(-rc));
		nanosleep(&pause, NULL);
	}
}

int
frontend_listen(struct frontend *fe, const char *path)
{
	struct sockaddr_un to;
	int rc = set_address(fe, path, &to);

	if (rc < 0)
		return rc;
	fe->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fe->listen_fd < 0)
		return fail(fe, -errno, "%s: no socket: %s", path, strerror(errno));
	unlink(path);
	memcpy(fe->path, to.sun_path, sizeof(fe->path));
	if (bind(fe->listen_fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    listen(fe->listen_fd, 1) < 0)
		return fail(fe, -errno, "%s: can't listen: %s", path, strerror(errno));
	return 0;
}

int
frontend_accept(struct frontend *fe, uint32_t timeout_ms)
{
	struct pollfd p = {.fd = fe->listen_fd, .events = POLLIN};
	int n = poll(&p, 1, (int)timeout_ms);

	if (n == 0)
		return fail(fe, -ETIMEDOUT, "%s: nobody connected in %u ms", fe->path, timeout_ms);
	if (n > 0)
		fe->fd = accept4(fe->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (n < 0 || fe->fd < 0)
		return fail(fe, -errno, "%s: can't accept: %s", fe->path, strerror(errno));
	set_timeouts(fe->fd);
	return 0;
}

static int
map_file(struct frontend *fe, uint64_t size, bool hugepages)
{
	int fd = memfd_create("guest", MFD_CLOEXEC | (hugepages ? MFD_HUGETLB : 0));
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0)
		rc = -errno;
	for (uint32_t i = 0; rc == 0 && i < fe->n_regions; i++) {
		struct frontend_region *r = &fe->regions[i];
		void *addr = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
				  fd, (off_t)r->offset);

		if (addr == MAP_FAILED)
			rc = -errno;
		else
			r->addr = addr;
	}
	if (rc < 0) {
		for (uint32_t i = 0; i < fe->n_regions; i++) {
			if (fe->regions[i].addr != NULL)
				munmap(fe->regions[i].addr, fe->regions[i].size);
			fe->regions[i].addr = NULL;
		}
		close(fd);
		return rc;
	}
	fe->memory_fd = fd;
	fe->has_hugepages = hugepages;
	return 0;
}

int
frontend_map(struct frontend *fe, const uint64_t *gpas, const uint64_t *sizes, uint32_t n,
	     bool want_hugepages)
{
	uint64_t size = 0;
	int rc = -ENOMEM;

	if (n == 0 || n > FRONTEND_REGIONS_MAX)
		return fail(fe, -EINVAL, "memory: %u regions, the protocol takes 1 to %d", n,
			    FRONTEND_REGIONS_MAX);
	for (uint32_t i = 0; i < n; i++) {
		fe->regions[i] =
			(struct frontend_region){.gpa = gpas[i], .size = sizes[i], .offset = size};
		size += sizes[i];
	}
	fe->n_regions = n;
	if (want_hugepages)
		rc = map_file(fe, size, true);
	if (rc < 0)
		rc = map_file(fe, size, false);
	if (rc < 0) {
		fe->n_regions = 0;
		return fail(fe, rc, "memory: no %" PRIu64 " bytes: %s", size, strerror(-rc));
	}
	return 0;
}

uint64_t
frontend_alloc(struct frontend *fe, uint32_t region, uint64_t size, uint64_t align)
{
	struct frontend_region *r = &fe->regions[region];
	uint64_t at = (r->used + align - 1) / align * align;

	if (region >= fe->n_regions || at > r->size || size > r->size - at)
		return UINT64_MAX;
	r->used = at + size;
	return r->gpa + at;
}

void *
frontend_at(const struct frontend *fe, uint64_t gpa, uint64_t len)
{
	for (uint32_t i = 0; i < fe->n_regions; i++) {
		const struct frontend_region *r = &fe->regions[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->size && len <= r->size - (gpa - r->gpa))
			return r->addr + (gpa - r->gpa);
	}
	return NULL;
}

int
frontend_send(struct frontend *fe, uint32_t request, uint32_t flags, const void *payload,
	      uint32_t size, const int *fds, uint32_t n_fds)
{
	struct message_head head = {request, flags | FRONTEND_VERSION, size};
	struct iovec parts[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)payload, size}};
	char control[CMSG_SPACE(FRONTEND_FDS_MAX * sizeof(int))] = {0};
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = size > 0 ? 2 : 1};
	ssize_t n;

	if (size > FRONTEND_PAYLOAD_MAX || n_fds > FRONTEND_FDS_MAX)
		return fail(fe, -EINVAL, "request %u: %u bytes with %u fds are too many", request,
			    size, n_fds);
	if (n_fds > 0) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	n = sendmsg(fe->fd, &m, MSG_NOSIGNAL);
	if (n < 0)
		return fail(fe, -errno, "request %u: not sent: %s", request, strerror(errno));
	if ((size_t)n != sizeof(head) + size)
		return fail(fe, -EIO, "request %u: %zd bytes of %zu sent", request, n,
			    sizeof(head) + size);
	return 0;
}

static int
receive_all(struct frontend *fe, uint32_t request, void *to, size_t size)
{
	ssize_t n = recv(fe->fd, to, size, MSG_WAITALL);

	if (n < 0 && errno == EAGAIN)
		return fail(fe, -ETIMEDOUT, "request %u: no answer in %d ms", request,
			    FRONTEND_TIMEOUT_MS);
	if (n < 0)
		return fail(fe, -errno, "request %u: no answer: %s", request, strerror(errno));
	if ((size_t)n != size)
		return fail(fe, -ECONNRESET, "request %u: the switch closed the connection",
			    request);
	return 0;
}

int
frontend_receive(struct frontend *fe, uint32_t request, void *payload, uint32_t size)
{
	struct message_head head;
	int rc = receive_all(fe, request, &head, sizeof(head));

	if (rc < 0)
		return rc;
	if (head.request != request || !(head.flags & FRONTEND_REPLY) || head.size != size)
		return fail(fe, -EPROTO,
			    "request %u: the answer is request %u, flags %#x, %u bytes, not %u",
			    request, head.request, head.flags, head.size, size);
	return receive_all(fe, request, payload, size);
}

int
frontend_set(struct frontend *fe, uint32_t request, const void *payload, uint32_t size,
	     const int *fds, uint32_t n_fds)
{
	bool ack = fe->protocol_features >> FRONTEND_PROTOCOL_REPLY_ACK & 1;
	uint64_t result = 0;
	int rc;

	rc = frontend_send(fe, request, ack ? FRONTEND_NEED_REPLY : 0, payload, size, fds, n_fds);
	if (rc == 0 && ack)
		rc = frontend_receive(fe, request, &result, sizeof(result));
	if (rc == 0 && result != 0)
		return fail(fe, -EREMOTEIO, "request %u: the switch refused it", request);
	return rc;
}

int
frontend_get(struct frontend *fe, uint32_t request, uint64_t *value)
{
	int rc = frontend_send(fe, request, 0, NULL, 0, NULL, 0);

	return rc < 0 ? rc : frontend_receive(fe, request, value, sizeof(*value));
}

int
frontend_negotiate(struct frontend *fe, uint64_t wanted, uint64_t required, uint64_t protocol)
{
	int rc = frontend_get(fe, FRONTEND_GET_FEATURES, &fe->offered);

	if (rc < 0)
		return rc;
	if (required & ~fe->offered)
		return fail(fe, -ENOTSUP, "features %#" PRIx64 " are not offered, only %#" PRIx64,
			    required & ~fe->offered, fe->offered);
	fe->features = (wanted | required) & fe->offered;
	if (frontend_has(fe, FRONTEND_F_PROTOCOL)) {
		rc = frontend_get(fe, FRONTEND_GET_PROTOCOL_FEATURES, &fe->protocol_offered);
		if (rc < 0)
			return rc;
		protocol &= fe->protocol_offered;
		rc = frontend_send(fe, FRONTEND_SET_PROTOCOL_FEATURES, 0, &protocol,
				   sizeof(protocol), NULL, 0);
		if (rc < 0)
			return rc;
		fe->protocol_features = protocol;
	}
	rc = frontend_set(fe, FRONTEND_SET_OWNER, NULL, 0, NULL, 0);
	if (rc < 0)
		return rc;
	return frontend_set(fe, FRONTEND_SET_FEATURES, &fe->features, sizeof(fe->features), NULL,
			    0);
}

int
frontend_share_memory(struct frontend *fe)
{
	struct memory_table table = {.n_regions = fe->n_regions};
	int fds[FRONTEND_REGIONS_MAX];
	uint32_t size = offsetof(struct memory_table, regions);

	for (uint32_t i = 0; i < fe->n_regions; i++) {
		const struct frontend_region *r = &fe->regions[i];

		table.regions[i].gpa = r->gpa;
		table.regions[i].size = r->size;
		table.regions[i].user_addr = (uint64_t)(uintptr_t)r->addr;
		table.regions[i].offset = r->offset;
		fds[i] = fe->memory_fd;
		size += sizeof(table.regions[0]);
	}
	return frontend_set(fe, FRONTEND_SET_MEM_TABLE, &table, size, fds, fe->n_regions);
}

/* SET_VRING_ADDR wants the front-end's own addresses, not the guest's. */
static uint64_t
user_address(const struct frontend *fe, uint64_t gpa)
{
	return (uint64_t)(uintptr_t)frontend_at(fe, gpa, 1);
}

int
frontend_start_ring(struct frontend *fe, const struct frontend_ring *ring)
{
	struct vhost_vring_state num = {ring->index, ring->size};
	struct vhost_vring_state base = {ring->index, ring->base};
	struct vhost_vring_addr addr = {
		.index = ring->index,
		.desc_user_addr = user_address(fe, ring->desc),
		.avail_user_addr = user_address(fe, ring->avail),
		.used_user_addr = user_address(fe, ring->used),
	};
	uint64_t index = ring->index;
	int rc;

	rc = frontend_set(fe, FRONTEND_SET_VRING_NUM, &num, sizeof(num), NULL, 0);
	if (rc == 0)
		rc = frontend_set(fe, FRONTEND_SET_VRING_BASE, &base, sizeof(base), NULL, 0);
	if (rc == 0)
		rc = frontend_set(fe, FRONTEND_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	if (rc == 0)
		rc = frontend_set(fe, FRONTEND_SET_VRING_KICK, &index, sizeof(index), &ring->kick,
				  1);
	if (rc == 0)
		rc = frontend_set(fe, FRONTEND_SET_VRING_CALL, &index, sizeof(index), &ring->call,
				  1);
	if (rc == 0 && frontend_has(fe, FRONTEND_F_PROTOCOL))
		rc = frontend_enable_ring(fe, ring->index, true);
	return rc;
}

int
frontend_enable_ring(struct frontend *fe, uint16_t index, bool on)
{
	struct vhost_vring_state state = {index, on};

	return frontend_set(fe, FRONTEND_SET_VRING_ENABLE, &state, sizeof(state), NULL, 0);
}

int
frontend_stop_ring(struct frontend *fe, uint16_t index, uint32_t *base)
{
	struct vhost_vring_state state = {index, 0};
	int rc;

	rc = frontend_send(fe, FRONTEND_GET_VRING_BASE, 0, &state, sizeof(state), NULL, 0);
	if (rc == 0)
		rc = frontend_receive(fe, FRONTEND_GET_VRING_BASE, &state, sizeof(state));
	if (rc == 0)
		*base = state.num;
	return rc;
}

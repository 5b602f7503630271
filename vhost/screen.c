/* SPDX-License-Identifier: BSD-3-Clause */
/* screen.c: see screen.h. */
#include "screen.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "backing.h"
#include "compat.h"
#include "guard.h"
#include "log.h"
#include "session.h"
#include "stall.h"

enum {
	RING_INDEX_MASK = 0xff, /* in messages that come with a descriptor */
	RING_LEN_MAX = 4096,	/* descriptors; QEMU has 1024 at most */
};

/* Warns of what is refused; a peer can cause it as often as it likes. */
static void __attribute__((format(printf, 2, 3)))
warn_refused(const struct session *s, const char *format, ...)
{
	static struct log_limit limit = {.burst = 5, .interval_s = 60}; /* event thread's */
	char what[REASON_MAX];
	uint32_t suppressed;
	va_list args;

	if (!log_allowed(&limit, &suppressed))
		return;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	log_warn("port %s: %s", s->port->conf.name, what);
}

static bool
can_map(int fd, uint64_t len)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

	return at != MAP_FAILED && munmap(at, len) == 0;
}

/*
 * Can guest memory be as the message says? Behind the end of a file there is nothing to be touched;
 * see guard.h, and backing.h for what it may lie on. Whatever else the library would find wrong is
 * found here: it looks with the old memory unmapped, and then lets the workers of its own bursts go
 * on with that.
 */
static bool
is_memory_fit(const struct session *s, const struct vhost_message *message)
{
	uint32_t n = message->payload.memory.n;

	if (n > GUARD_LOG || compat_fd(message, n) >= 0) {
		warn_refused(s,
			     "guest memory has more regions or files than there can be: refused");
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint64_t size = message->payload.memory.regions[i].size;
		uint64_t end = message->payload.memory.regions[i].offset + size;
		int fd = compat_fd(message, i);
		const char *unfit = fd >= 0 ? backing_unfit(fd, s->peer) : NULL;

		if (unfit)
			warn_refused(s,
				     "guest memory lies on %s, which can keep the switch waiting "
				     "for it: refused: give the guest a memory-backend-memfd, or "
				     "a mem-path on a tmpfs, a hugetlbfs or a disk of this host",
				     unfit);
		else if (fd >= 0 && (end < size || !guard_file_fits(fd, end)))
			warn_refused(s, "guest memory is longer than the file that QEMU passes for "
					"it: refused");
		else if (fd < 0 || size == 0 || !can_map(fd, end))
			warn_refused(s, "guest memory can't be mapped: refused");
		else
			continue;
		return false;
	}
	return true;
}

/* munmap() takes only whole huge pages, and what the library unmaps is the log's size. */
static bool
is_part_of_page(int fd, uint64_t size)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (uint32_t)fs.f_type == HUGETLBFS_MAGIC &&
	       size % (uint64_t)fs.f_bsize != 0;
}

/*
 * The library maps the log from the offset on and then adds the offset once more: it would say that
 * the log lies behind what is mapped. QEMU's is always 0. With an offset that no size goes with the
 * library refuses, and closes the files that came along: what we refuse it leaves open.
 */
static void
check_log(const struct session *s, struct vhost_message *message)
{
	int fd = compat_fd(message, 0);
	const char *unfit = fd >= 0 ? backing_unfit(fd, s->peer) : NULL;

	if (unfit)
		warn_refused(s,
			     "the log of dirty pages lies on %s, which can keep the switch "
			     "waiting for it: the migration is refused",
			     unfit);
	else if (message->payload.log.offset != 0)
		warn_refused(s, "the log of dirty pages begins within its file, which can't be "
				"used: the migration is refused");
	else if (fd >= 0 && !guard_file_fits(fd, message->payload.log.size))
		warn_refused(s, "the log of dirty pages is longer than its file: the migration is "
				"refused");
	else if (fd >= 0 && is_part_of_page(fd, message->payload.log.size))
		warn_refused(s, "the log of dirty pages lies in huge pages, and is no multiple of "
				"their size: the migration is refused");
	else
		return;
	message->payload.log.offset = UINT64_MAX;
}

/* Workers ask QEMU for translations through it: one that does not listen must not make them wait.
 */
static void
make_nonblocking(int fd)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/*
 * Who asks and does not read what we answer would have the event thread wait for it, again with
 * each message, whatever becomes of that one: the connection ends here. A socket is writable as
 * long as three quarters of its room are free, some 70 answers; QEMU waits for each.
 */
static bool
has_room_for_answers(const struct session *s)
{
	struct pollfd room = {.fd = s->fd, .events = POLLOUT};

	if (s->fd < 0 || poll(&room, 1, 0) != 0)
		return true;
	warn_refused(s, "QEMU does not read the answers to its messages: disconnected");
	shutdown(s->fd, SHUT_RDWR);
	return false;
}

/*
 * Messages that belong to what the port offers. The library does others as well, and believes what
 * they say: SET_INFLIGHT_FD writes where the peer wants it, GET_INFLIGHT_FD takes as much memory as
 * the peer wants.
 */
static bool
is_offered(const struct session *s, uint32_t request)
{
	switch (request) {
	case REQUEST_GET_FEATURES:
	case REQUEST_SET_FEATURES:
	case REQUEST_SET_OWNER:
	case REQUEST_RESET_OWNER:
	case REQUEST_SET_MEM_TABLE:
	case REQUEST_SET_LOG_BASE:
	case REQUEST_SET_VRING_NUM:
	case REQUEST_SET_VRING_ADDR:
	case REQUEST_SET_VRING_BASE:
	case REQUEST_GET_VRING_BASE:
	case REQUEST_SET_VRING_KICK:
	case REQUEST_SET_VRING_CALL:
	case REQUEST_SET_VRING_ERR:
	case REQUEST_GET_PROTOCOL_FEATURES:
	case REQUEST_SET_PROTOCOL_FEATURES:
	case REQUEST_GET_QUEUE_NUM:
	case REQUEST_SET_VRING_ENABLE:
	case REQUEST_NET_SET_MTU:
	case REQUEST_POSTCOPY_ADVISE:
	case REQUEST_POSTCOPY_LISTEN:
	case REQUEST_POSTCOPY_END:
	case REQUEST_SET_STATUS:
	case REQUEST_GET_STATUS:
		return true;
	case REQUEST_SEND_RARP:
		return !s->port->conf.vhost.is_library;
	case REQUEST_SET_BACKEND_REQ_FD:
	case REQUEST_IOTLB_MSG:
		return s->port->conf.vhost.has_viommu;
	default:
		return false;
	}
}

/* For each ring that is spoken of the library takes packet memory, the more the longer it is, until
 * the connection ends. */
static bool
is_ring_fit(const struct session *s, const struct vhost_message *message)
{
	uint32_t index = message->payload.ring.index, n_rings = 2u * s->port->conf.queues;

	switch (message->request) {
	case REQUEST_SET_VRING_KICK:
	case REQUEST_SET_VRING_CALL:
	case REQUEST_SET_VRING_ERR:
		index &= RING_INDEX_MASK;
		break;
	case REQUEST_SET_VRING_NUM:
	case REQUEST_SET_VRING_ADDR:
	case REQUEST_SET_VRING_BASE:
	case REQUEST_GET_VRING_BASE:
	case REQUEST_SET_VRING_ENABLE:
		break;
	default:
		return true;
	}
	if (index >= n_rings)
		warn_refused(s, "QEMU speaks of ring %u, where the port has %u: disconnected",
			     index, n_rings);
	else if (message->request == REQUEST_SET_VRING_NUM &&
		 message->payload.ring.num > RING_LEN_MAX)
		warn_refused(s, "ring %u has %u descriptors, more than %d: disconnected", index,
			     message->payload.ring.num, RING_LEN_MAX);
	else
		return true;
	return false;
}

/*
 * What wakes guest and switch is written to by workers, and closed by the library, neither of which
 * must wait for whoever made it. QEMU's eventfds do not block anyhow.
 */
static bool
is_wakeup_fit(const struct session *s, const struct vhost_message *message)
{
	int fd = compat_fd(message, 0);

	if ((message->request != REQUEST_SET_VRING_KICK &&
	     message->request != REQUEST_SET_VRING_CALL &&
	     message->request != REQUEST_SET_VRING_ERR) ||
	    fd < 0)
		return true;
	if (stall_is_eventfd(fd)) {
		make_nonblocking(fd);
		return true;
	}
	warn_refused(s, "QEMU passes something else than an eventfd to wake a ring by: refused");
	return false;
}

/* The library forgets the descriptor of a former one. */
static bool
is_first_advice(struct session *s, uint32_t request)
{
	bool is_first = request != REQUEST_POSTCOPY_ADVISE || !s->has_advised;

	s->has_advised = (s->has_advised || request == REQUEST_POSTCOPY_ADVISE) &&
			 request != REQUEST_POSTCOPY_END;
	if (!is_first)
		warn_refused(s, "QEMU begins a post-copy migration twice: refused");
	return is_first;
}

bool
screen_message(struct session *s, struct vhost_message *message)
{
	if (!has_room_for_answers(s))
		return false;
	if (!is_offered(s, message->request)) {
		warn_refused(s,
			     "QEMU sends message %u, which belongs to nothing that was offered: "
			     "refused",
			     message->request);
		return false;
	}
	if (!is_ring_fit(s, message)) {
		shutdown(s->fd, SHUT_RDWR);
		return false;
	}
	if (!is_wakeup_fit(s, message) || !is_first_advice(s, message->request) ||
	    (message->request == REQUEST_SET_MEM_TABLE && !is_memory_fit(s, message)))
		return false;
	if (message->request == REQUEST_SET_BACKEND_REQ_FD)
		make_nonblocking(compat_fd(message, 0));
	if (message->request == REQUEST_SET_LOG_BASE)
		check_log(s, message);
	return true;
}

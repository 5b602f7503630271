/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * message.c: what is done before and after each vhost-user message, see message.h. When the library
 * calls these two, and what is locked then, is said in session.c.
 */
#include "message.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include <rte_vhost.h>

#include "attach.h"
#include "backing.h"
#include "compat.h"
#include "contract.h"
#include "feature.h"
#include "guard.h"
#include "library.h"
#include "log.h"
#include "registry.h"
#include "session.h"

enum {
	RING_INDEX_MASK = 0xff, /* in messages that come with a descriptor */
	RING_LEN_MAX = 4096,	/* descriptors; QEMU has 1024 at most */
};

/*
 * Messages that change nothing a worker uses. All others detach: a new one of a later library is
 * taken for harmful until somebody has read what it does.
 */
static bool
is_harmless(uint32_t request)
{
	switch (request) {
	case REQUEST_GET_FEATURES:
	case REQUEST_SET_OWNER:
	case REQUEST_SET_VRING_ERR:
	case REQUEST_GET_PROTOCOL_FEATURES:
	case REQUEST_GET_QUEUE_NUM:
	case REQUEST_SEND_RARP:
	case REQUEST_NET_SET_MTU:
	case REQUEST_SET_BACKEND_REQ_FD:
	case REQUEST_SET_STATUS:
	case REQUEST_GET_STATUS:
		return true;
	default:
		return false;
	}
}

/* The guest sets a ring up anew: what it lied about before is forgiven. */
static void
forgive(struct session *s, const struct vhost_message *message)
{
	uint32_t number = message->payload.ring.index & 0xff; /* all of the ring messages */

	if (number >= 2u * s->port->conf.queues)
		return;
	atomic_store_explicit(number % 2 ? &s->rx[number / 2].fault : &s->tx[number / 2].fault,
			      RING_FINE, memory_order_relaxed);
}

/* The library frees what a ring needs to be used, and may not say that it is off. */
static void
forget_ring(struct session *s, const struct vhost_message *message)
{
	if (s->port->conf.vhost.has_viommu && message->payload.ring.index < SESSION_RINGS_MAX)
		s->ready &= ~(1u << message->payload.ring.index);
}

/*
 * With LOG_ALL the library's own bursts would write through the log that it has unmapped: it finds
 * features that it does not know, and refuses them.
 */
static void
check_features(struct session *s, struct vhost_message *message)
{
	if (s->is_log_stale && message->payload.u64 >> VHOST_F_LOG_ALL & 1)
		message->payload.u64 = UINT64_MAX;
	if (contract_accepts(s, s->wanted))
		return;
	message->payload.u64 = UINT64_MAX;
	session_judge(s);
}

/* What the port may use at this moment; the library accepts all that the port can do. */
static enum rte_vhost_msg_result
answer_features(struct session *s, struct vhost_message *message)
{
	uint64_t offered;

	pthread_mutex_lock(&s->lock);
	offered = s->offered = contract_offer(s);
	pthread_mutex_unlock(&s->lock);
	return (enum rte_vhost_msg_result)compat_answer(message, offered);
}

/* Takes what the library does not know out of the features that the guest has chosen. */
static void
note_features(struct session *s, struct vhost_message *message)
{
	if (s->port->conf.vhost.is_library)
		return; /* not offered: the library refuses it */
	s->uso = message->payload.u64 & FEATURE_USO;
	message->payload.u64 &= ~FEATURE_USO;
}

static void
before_message(struct session *s, struct vhost_message *message)
{
	if (s->is_in_message && !s->has_failed) {
		s->has_failed = true; /* the last one: there was no post_msg_handle */
		session_judge(s);
	}
	s->is_in_message = true;
	s->request = message->request;
	attach_undo(s);
	switch (message->request) {
	case REQUEST_SET_FEATURES:
		s->wanted = message->payload.u64;
		note_features(s, message);
		check_features(s, message);
		break;
	case REQUEST_SET_MEM_TABLE:
		/* the old memory is unmapped now; if the message fails there is none. The
		 * library has the locks of its rings: no burst goes on. */
		library_hide(s);
		guard_set_memory(s->port->id, -1);
		s->has_memory = s->is_memory_known = false;
		break;
	case REQUEST_POSTCOPY_LISTEN:
		/* from now on who touches the guest's memory waits for QEMU: until all of it is
		 * here that is nobody of ours */
		s->is_postcopy = true;
		/* no waiting here: a burst that has begun still finds the old memory */
		library_hide(s);
		session_judge(s);
		break;
	case REQUEST_RESET_OWNER:
		/* the library forgets rings and memory and does not say so; it unmaps the log, but
		 * not its own note of where it was */
		library_detach(s); /* no lock of the library is held in this message */
		guard_forget(s->port->id);
		s->ready = s->told = s->left = 0;
		s->has_memory = s->is_memory_known = false;
		s->is_log_stale = s->is_log_stale || s->has_log;
		s->has_log = false;
		break;
	case REQUEST_GET_VRING_BASE:
		forget_ring(s, message);
		forgive(s, message);
		break;
	case REQUEST_SET_VRING_NUM:
	case REQUEST_SET_VRING_ADDR:
	case REQUEST_SET_VRING_BASE:
	case REQUEST_SET_VRING_KICK:
		forgive(s, message);
		break;
	default:
		break;
	}
}

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
	static const char eventfd[] = "anon_inode:[eventfd]";
	char path[32], name[sizeof(eventfd)] = "";
	int fd = compat_fd(message, 0);

	if ((message->request != REQUEST_SET_VRING_KICK &&
	     message->request != REQUEST_SET_VRING_CALL &&
	     message->request != REQUEST_SET_VRING_ERR) ||
	    fd < 0)
		return true;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, name, sizeof(name)) == sizeof(eventfd) - 1 &&
	    memcmp(name, eventfd, sizeof(eventfd) - 1) == 0) {
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

/* False: it is not for the library to see. */
static bool
is_fit(struct session *s, const struct vhost_message *message)
{
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
	return is_wakeup_fit(s, message) && is_first_advice(s, message->request) &&
	       (message->request != REQUEST_SET_MEM_TABLE || is_memory_fit(s, message));
}

static enum rte_vhost_msg_result
pre_message(int vid, void *context)
{
	struct session *s = registry_of(vid);
	struct vhost_message *message = context;

	if (!s)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	if (!has_room_for_answers(s) || !is_fit(s, message))
		return (enum rte_vhost_msg_result)compat_refuse(message);
	if (message->request == REQUEST_GET_QUEUE_NUM)
		return (enum rte_vhost_msg_result)compat_answer_queue_num(message,
									  s->port->conf.queues);
	if (message->request == REQUEST_GET_FEATURES)
		return answer_features(s, message);
	guard_current(s->port->id);
	s->is_translating = message->request == REQUEST_IOTLB_MSG && s->port->conf.vhost.has_viommu;
	if (s->is_translating) /* the library's own locks protect its rings */
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	if (message->request == REQUEST_SET_BACKEND_REQ_FD)
		make_nonblocking(compat_fd(message, 0));
	if (message->request == REQUEST_SET_LOG_BASE)
		check_log(s, message);
	if (is_harmless(message->request))
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	pthread_mutex_lock(&s->lock);
	before_message(s, message);
	pthread_mutex_unlock(&s->lock);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/* A place that is what we answered needs no recovering: nobody was beside the ring in between. */
static void
note_place(struct session *s, const struct vhost_message *message, uint32_t number)
{
	uint32_t bit = 1u << number;
	uint16_t place = (uint16_t)message->payload.ring.num;

	if (message->request == REQUEST_GET_VRING_BASE) {
		s->left |= bit;
		s->left_at[number] = place;
	} else if (!(s->left & bit) || s->left_at[number] != place) {
		s->told |= bit;
	} else {
		s->told &= ~bit;
	}
}

/* Of a port that is being closed only until session_close() has seen the last worker go. */
static bool
may_watch(const struct session *s)
{
	return !s->is_closing || s->is_hidden;
}

static void
watch_log(const struct session *s)
{
	uint64_t base = 0, size = 0;

	if (may_watch(s) && rte_vhost_get_log_base(s->vid, &base, &size) == 0)
		guard_set(s->port->id, GUARD_LOG, (const void *)(uintptr_t)base, size,
			  (uint64_t)sysconf(_SC_PAGESIZE));
}

static bool
can_attach_library(struct session *s)
{
	return s->is_running && !s->is_closing && s->port->conf.vhost.is_library &&
	       attach_is_possible(s);
}

static void
after_message(struct session *s, const struct vhost_message *message)
{
	uint32_t number = message->payload.ring.index & 0xff;
	bool is_new = s->has_failed;

	s->is_in_message = s->has_failed = false;
	if (message->request == REQUEST_SET_MEM_TABLE) {
		is_new = s->has_memory = true; /* it may be shared now, or not any more */
		if (may_watch(s))
			guard_set_memory(s->port->id, s->vid);
		if (can_attach_library(s))
			library_show(s);
	}
	if (message->request == REQUEST_SET_FEATURES)
		contract_note(s, s->wanted);
	if (message->request == REQUEST_SET_LOG_BASE) {
		s->has_log = true;
		s->is_log_stale = false;
		watch_log(s);
	}
	if ((message->request == REQUEST_SET_VRING_BASE ||
	     message->request == REQUEST_GET_VRING_BASE) &&
	    number < SESSION_RINGS_MAX)
		note_place(s, message, number);
	/* said again in a moment by vring_state_changed, but it must not be attached until then */
	if (message->request == REQUEST_SET_VRING_ENABLE && message->payload.ring.num == 0 &&
	    number < SESSION_RINGS_MAX)
		s->ready &= ~(1u << number);
	if (message->request == REQUEST_POSTCOPY_END) {
		is_new = true;
		s->is_postcopy = false;
		if (can_attach_library(s))
			library_attach(s); /* no lock of the library is held in this message */
	}
	if (s->is_running && !s->port->conf.vhost.is_library)
		attach_guest(s);
	if (s->is_running && is_new)
		session_judge(s);
}

/* A guest that was promised a longer MTU than the port has would lose its long frames. */
static enum rte_vhost_msg_result
check_mtu(struct session *s, uint64_t mtu)
{
	static struct log_limit limit = {.burst = 5, .interval_s = 60}; /* event thread's */
	uint32_t suppressed;

	if (mtu <= port_mtu(s->port)) {
		pthread_mutex_lock(&s->lock);
		s->promised_mtu = (uint16_t)mtu;
		pthread_mutex_unlock(&s->lock);
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	}
	if (log_allowed(&limit, &suppressed))
		log_warn("port %s: QEMU wants an MTU of %" PRIu64 " (host_mtu), the port's is %u: "
			 "raise mtu or lower host_mtu",
			 s->port->conf.name, mtu, port_mtu(s->port));
	return RTE_VHOST_MSG_RESULT_ERR;
}

/* The library only sets a flag, for its own bursts; on a port that uses them it was not offered. */
static enum rte_vhost_msg_result
ask_announcement(struct session *s, const struct vhost_message *message)
{
	if (message->size != sizeof(message->payload.u64))
		return RTE_VHOST_MSG_RESULT_ERR;
	announce_ask(&s->announce, &message->payload.u64);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result
post_message(int vid, void *context)
{
	struct session *s = registry_of(vid);
	const struct vhost_message *message = context;

	if (!s)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	if (message->request == REQUEST_NET_SET_MTU)
		return check_mtu(s, message->payload.u64);
	if (message->request == REQUEST_SEND_RARP)
		return ask_announcement(s, message);
	if (is_harmless(message->request) || s->is_translating)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	pthread_mutex_lock(&s->lock);
	after_message(s, message);
	pthread_mutex_unlock(&s->lock);
	/* whether the library knew the message is for it to judge */
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

const struct rte_vhost_user_extern_ops message_ops = {
	.pre_msg_handle = pre_message,
	.post_msg_handle = post_message,
};

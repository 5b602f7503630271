/* SPDX-License-Identifier: BSD-3-Clause */
/* queue.c: a queue of a TAP interface, see queue.h. */
#include "queue.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_malloc.h>

#include "device.h"
#include "error.h"
#include "frame.h"
#include "offload.h"
#include "port.h"
#include "stats.h"
#include "switch.h"

enum {
	LINE = 64, /* bytes; each body begins with a cache line */
	/* what is cut off by it was too long */
	BODY_MAX = FRAME_LEN_MAX - FRAME_HEAD_MAX + 1,
	/* as many bytes as a batch takes before its last frame, and that */
	BODIES_LEN = BATCH_BYTES_MAX + BATCH_MAX * LINE + BODY_MAX,
	IOVECS_MAX = FRAME_PIECES_MAX + 16, /* head, body, and what finishing a frame adds */
};

short
queue_flags(void)
{
	return IFF_NO_PI | IFF_VNET_HDR;
}

int
queue_prepare(const struct tap_device *dev, const char *port_name, struct error *e)
{
	int len = FRAME_RECORD_LEN;

	if (ioctl(dev->fd, TUNSETVNETHDRSZ, &len) == 0)
		return 0;
	return error_set(e, -errno,
			 "port %s: the kernel knows no offload records on the interface %s: %s",
			 port_name, dev->ifname, strerror(errno));
}

int
queue_open(struct queue *q, const struct tap_device *dev, const struct port *port, uint16_t i,
	   struct error *e)
{
	const struct worker *worker = port->sw->workers[port->workers[i]];

	*q = (struct queue){.fd = device_attach(dev, port->conf.name, queue_flags(), e)};
	if (q->fd < 0) {
		int err = q->fd;

		q->fd = -1;
		return err;
	}
	q->bodies = rte_malloc_socket("tap", BODIES_LEN, LINE, worker->node);
	if (q->bodies)
		return 0;
	queue_close(q);
	return error_set(e, -ENOMEM, "port %s: no packet memory left: raise switch: memory",
			 port->conf.name);
}

void
queue_close(struct queue *q)
{
	if (q->fd >= 0)
		close(q->fd);
	rte_free(q->bodies);
	*q = (struct queue){.fd = -1};
}

/* The frame of len bytes lies in its head and in body. Why it can't be lent, or DROP_REASONS. */
static enum drop_reason
lend(struct batch *b, struct frame *f, const uint8_t *body, uint32_t len)
{
	struct virtio_net_hdr_mrg_rxbuf record = frame_record(f);

	if (unlikely(len < FRAME_LEN_MIN))
		return DROP_RX_RUNT;
	if (unlikely(len > FRAME_LEN_MAX))
		return DROP_RX_OVERSIZE;
	f->len = len;
	f->head_len = (uint16_t)RTE_MIN(len, (uint32_t)FRAME_HEAD_MAX);
	if (len > f->head_len)
		batch_add_piece(b, f, body, len - f->head_len);
	/* whatever the host was allowed when it made the frame, a moment ago */
	if (record.hdr.flags | record.hdr.gso_type && unlikely(!offload_check(f, OFFLOAD_ALL)))
		return DROP_RX_BAD_RECORD;
	batch_commit(b);
	return DROP_REASONS;
}

/*
 * Each frame's record and head are read to where they belong, and its body behind that of the one
 * before: so as much memory is used, and kept in the caches, as there are bytes.
 */
uint32_t
queue_rx(struct queue *q, struct batch *b, struct port_stats *stats)
{
	uint8_t *body = q->bodies;
	uint32_t n = 0;

	while (n < b->max && b->n_bytes < b->bytes_max && batch_room(b, 1)) {
		struct frame *f = batch_next(b);
		struct iovec to[] = {
			{f->head - FRAME_RECORD_LEN, FRAME_RECORD_LEN + FRAME_HEAD_MAX},
			{body, BODY_MAX},
		};
		ssize_t len = readv(q->fd, to, RTE_DIM(to));
		enum drop_reason reason;

		if (len <
		    FRAME_RECORD_LEN) { /* none there; or the interface is gone, see watch.c */
			b->is_drained = true;
			break;
		}
		n++;
		reason = lend(b, f, body, (uint32_t)len - FRAME_RECORD_LEN);
		if (unlikely(reason != DROP_REASONS))
			stats_rx_drop(stats, reason, 1);
		else if (f->n_pieces)
			body += RTE_ALIGN_CEIL(f->body->len, LINE);
	}
	return n;
}

/* Why the kernel did not take a frame. */
static enum drop_reason
why_not(int err)
{
	switch (err) {
	case EIO:    /* set down */
	case EBADFD: /* deleted */
		return DROP_TX_DOWN;
	case EINVAL:
		return DROP_TX_OFFLOAD;
	default: /* EAGAIN, ENOMEM, ENOBUFS */
		return DROP_TX_NO_ROOM;
	}
}

/* Record, head and body in one go. Why the frame was not sent, or DROP_REASONS. */
static enum drop_reason
send_frame(int fd, const struct frame *f)
{
	struct iovec from[IOVECS_MAX]; /* not initialised: large, and little of it is used */
	int n = 1;

	if (unlikely(f->n_pieces >= IOVECS_MAX))
		return DROP_TX_OVERSIZE;
	from[0] =
		(struct iovec){f->head - FRAME_RECORD_LEN, FRAME_RECORD_LEN + (size_t)f->head_len};
	for (uint32_t i = 0; i < f->n_pieces; i++)
		from[n++] = (struct iovec){(void *)(uintptr_t)f->body[i].addr, f->body[i].len};
	return likely(writev(fd, from, n) >= 0) ? DROP_REASONS : why_not(errno);
}

uint64_t
queue_tx(const struct queue *q, const struct batch *b, uint64_t set, struct port_stats *stats)
{
	uint64_t sent = 0;

	set_foreach (i, set) {
		enum drop_reason reason = send_frame(q->fd, &b->frames[i]);

		if (likely(reason == DROP_REASONS))
			sent |= 1ull << i;
		else
			stats_drop(stats, reason, 1);
	}
	return sent;
}

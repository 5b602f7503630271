/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * library.h: `datapath: library`: frames through librte_vhost's own bursts, two copies and mbufs.
 *
 * For guests that need what our rings don't do, and the yardstick that those are
 * measured against. The library's locks protect its rings from messages: no message handler waits
 * for a grace period, because a worker may be spinning on the lock that the handler's caller holds.
 *
 * Threads: library_attach, _show, _update and _detach: the vhost thread, under the session's lock;
 * library_hide: whoever has that lock; _rx, _release and _tx: workers, as port.h says.
 */
#ifndef VHOST_LIBRARY_H
#define VHOST_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

struct batch;
struct error;
struct port_stats;
struct session;
struct worker;

/* Control. Packet memory for what is received. 0 or -errno with the sentence in e. */
int library_open(struct session *s, struct error *e);
void library_close(struct session *s); /* takes one that was not opened */

/* The guest is running, and the caller (new_device) holds no lock of the library. */
void library_attach(struct session *s);

/* After library_hide(), of a guest that was attached. The caller may hold locks of the library. */
void library_show(struct session *s);

/* Says which rings are on. The caller may hold locks of the library. */
void library_update(struct session *s);

/* Takes the guest's number from the workers, and does not wait: a burst that has begun goes on. */
void library_hide(struct session *s);

/*
 * No worker uses the guest's number any more when it returns: the library does not protect it and
 * frees the device next. If one may, it waits a grace period, so that the caller must hold no lock
 * of the library: destroy_device has none (session.c).
 */
void library_detach(struct session *s);

uint32_t library_rx(struct session *s, uint16_t queue, struct batch *b, struct port_stats *stats);
void library_release(struct batch *b);
uint64_t library_tx(struct session *s, const struct batch *b, uint64_t set, struct worker *worker,
		    struct port_stats *stats);

#endif

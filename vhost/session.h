/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.h: what there is between one vhost-user port and its guest: the protocol's state, and the
 * view of the guest's rings that workers use.
 *
 * Threads: librte_vhost calls back from its event thread and from the control thread (opening and
 * closing a port, and connecting in client mode). What they share with the control thread is under
 * the session's lock. Nobody holds that lock across a call that may wait for a callback
 * (rte_vhost_driver_start, _unregister).
 */
#ifndef VHOST_SESSION_H
#define VHOST_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "announce.h"
#include "client.h"
#include "log.h"
#include "memory.h"
#include "port.h"
#include "record.h"
#include "ring.h"
#include "socket.h"

struct backlog;
struct rte_mempool;
struct rte_vhost_device_ops;

enum {
	SESSION_RINGS_MAX = 2 * PORT_QUEUES_MAX
};

/*
 * A guest as workers see it. The vhost thread makes it, publishes it and, when no worker sees it
 * any more, frees it; nobody writes it in between.
 */
struct session_view {
	uint16_t n_tx;			      /* send rings that are on */
	uint16_t tx_queues[PORT_QUEUES_MAX];  /* which */
	struct ring_view rx[PORT_QUEUES_MAX]; /* the guest's transmit rings; size 0: off */
	struct ring_view tx[PORT_QUEUES_MAX]; /* the guest's receive rings */
	struct memory memory;
	struct dirty_log log; /* size 0: none */
};

struct session {
	struct port *port;
	char place[SOCKET_PLACE_MAX];		   /* of its socket; of the registry */
	_Atomic(const struct session_view *) view; /* vhost thread: wo, workers: ro; direct path */

	/* datapath: library (library.c); vhost thread: wo, workers: ro */
	_Atomic int library_vid;		   /* -1: no guest */
	_Atomic uint32_t library_ready;		   /* bit per ring, numbered as the library does */
	_Atomic bool library_segments;		   /* the guest may send frames to be divided */
	struct rte_mempool *pool;		   /* control: wo before workers see the port */
	struct backlog *backlogs[PORT_QUEUES_MAX]; /* likewise; NULL but with viommu */
	bool is_translating; /* vhost thread: the message is one of translations */

	struct announce announce;   /* direct path */
	struct client client;	    /* mode client */
	bool has_save_failed;	    /* control: of the record */
	bool is_pin_new;	    /* control: the record has one that may be taken back */
	uint64_t saved_ns;	    /* control: when it was written last; 0: not so far */
	_Atomic bool is_record_new; /* it is to be; under the lock: set; control: taken back */
	_Atomic uint32_t offloads;  /* control: wo; that the port may use: enum offload */

	/* beside the views; see ring.h */
	struct ring rx[PORT_QUEUES_MAX];
	struct ring tx[PORT_QUEUES_MAX];

	/*
	 * mode client: the control thread's while it connects. The library shows a new connection
	 * to its event thread before it puts it into its own list: if it has ended by then, it must
	 * not be taken out before (destroy_connection). Recursive: the control thread may have to
	 * end it itself. Nothing else is waited for under it; it comes before the lock.
	 */
	pthread_mutex_t connecting;

	pthread_mutex_t lock; /* of all below */
	int vid;	      /* librte_vhost's number of the connection; -1: not connected */
	int fd;		      /* of the connection, the library's; -1: not known */
	pid_t peer;	      /* process at the other end; 0: not known */
	uint32_t ready;	      /* rings that the guest has set up and enabled, bit per ring */
	uint32_t told;	      /* of which QEMU said another place than we, likewise */
	uint32_t left;	      /* of which we said the place when QEMU asked, likewise */
	uint16_t left_at[SESSION_RINGS_MAX]; /* the place that we said */
	bool has_advised;		     /* post-copy migration: it has begun */
	bool is_postcopy;		     /* it goes on: its memory may block who touches it */
	bool is_closing;       /* the port is being closed: nothing is attached any more */
	bool is_hidden;	       /* library: a worker may use a number that was taken from it */
	bool is_running;       /* between new_device and destroy_device */
	bool has_run;	       /* it was, since client.c has asked */
	bool is_in_message;    /* a message that may change rings is being handled, or has failed */
	bool has_failed;       /* the one before it did */
	int unsound;	       /* number of a ring that can't be what the guest says it is, or -1 */
	bool has_memory;       /* the library has the guest's memory mapped */
	bool has_log;	       /* it has the log of dirty pages mapped */
	bool is_log_stale;     /* it has unmapped the log, and takes it for there all the same */
	bool is_memory_known;  /* is_private was asked since the memory came */
	bool is_private;       /* guest memory is not shared with us: nothing can work */
	uint32_t n_regions;    /* of guest memory */
	uint16_t promised_mtu; /* that QEMU said with host_mtu; 0: nothing */
	uint64_t features;     /* negotiated, as of the last attach */
	uint64_t uso;	       /* those of them that the library does not know, FEATURE_USO */
	/* contract.h */
	struct record record; /* as it is in its file, or is to be; pinned: set by control */
	uint64_t pinned;      /* what is offered at most; 0: not pinned. Set by control */
	bool was_stopped;     /* QEMU has stopped the guest's device, and not started it again */
	uint32_t request;     /* the message before_message() was called for last */
	uint64_t peer_start;  /* when the process at the other end was started; 0: not known */
	uint64_t kept;	      /* features that it had agreed on with a vswitchd before us */
	uint64_t offered;     /* to it; 0: it has not asked */
	uint64_t wanted;      /* by the message that is being handled */
	uint64_t lacking;     /* for which the last process was refused; 0: it was not */
	pid_t refused;	      /* that process */
	struct log_limit refusals;
	uint64_t n_connections, n_attaches; /* since the port was opened */
};

/* Allocates a session; NULL if out of memory. */
struct session *session_create(struct port *port);
/*
 * Takes the guest from the workers for good. To be called before rte_vhost_driver_unregister(),
 * which calls back with the library's global mutex held: nobody may wait for a grace period then,
 * because a worker may be spinning on a queue's access_lock whose holder (SET_FEATURES) waits for
 * that mutex.
 */
void session_close(struct session *s);

void session_destroy(struct session *s); /* takes NULL; no guest is attached any more */

/* Under the lock: do workers see the guest? */
bool session_is_attached(const struct session *s);

/* Under the lock: says why the port is down, or that all is well, and sets its link. */
void session_judge(struct session *s);

/* Control: looks whether a worker has found a ring that lies. */
void session_attend(struct session *s);

/* What librte_vhost calls, for rte_vhost_driver_callback_register(). */
extern const struct rte_vhost_device_ops session_device_ops;

#endif

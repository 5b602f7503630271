/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_state.h: what control.c (the socket) and the methods share.
 *
 * Threads: the control thread.
 */
#ifndef CONF_CONTROL_STATE_H
#define CONF_CONTROL_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "conf.h"
#include "control.h"
#include "rpc.h"

struct bufferevent;
struct evbuffer;
struct event;
struct evconnlistener;
struct json_object;
struct show_vm;
struct vswitch;

enum {
	CONTROL_REQUEST_MAX = 1 << 20, /* bytes of one request */
	CONTROL_REPLIES_MAX = 1 << 20, /* bytes that wait for a client before it is read again */
	CONTROL_CLIENTS_MAX = 128,
	CONTROL_IDLE_S = 60,	      /* a client that sends nothing for so long is dropped */
	CONTROL_SLOW_S = 10,	      /* and one that reads nothing while replies wait */
	CONTROL_FDB_LIST_MAX = 65536, /* entries of one fdb.list */
};

/*
 * What is left to do of a request that would take long: in steps of about a millisecond, between
 * which the control thread does all the rest. The client's next request is read when it is done.
 */
struct control_job {
	/* Does a step; true: it was the last one. What it writes to out is the reply, or some of
	 * it: then there is no result. */
	bool (*step)(struct control_job *job, struct evbuffer *out);
	struct control *control;
	struct json_object *reply;  /* without the result; NULL: nobody wants one */
	struct json_object *result; /* after the last step, or NULL */
	uint64_t serial;	    /* the oldest is served first */
	uint32_t part;		    /* of the fdb, where it goes on */
	uint32_t n;		    /* stations so far */
	uint64_t ports[PORTS_MAX / 64];
	bool has_port;	      /* only those of ports */
	struct show_vm *seen; /* of the ports in result; NULL: not such a job */
};

struct control_client {
	struct control_client *next;
	struct control *control;
	struct bufferevent *stream;
	struct control_job *job; /* NULL: none is under way */
	struct ucred peer;
	bool ends; /* is dropped when it has read what waits for it */
};

/* What a worker did in the last second. */
struct control_sample {
	uint64_t busy_cycles, idle_cycles, n_frames; /* its counters at the end of it */
	uint32_t busy_percent;
	uint64_t cycles_per_frame; /* of the last second in which frames came */
};

struct control {
	struct event_base *base; /* main's */
	struct vswitch *sw;	 /* main's */
	struct control_info info;
	struct conf *conf; /* in force */
	struct conf_failed failed;

	struct evconnlistener *listener;
	struct event *each_second;
	dev_t socket_dev; /* of the socket that we made */
	ino_t socket_ino;
	uint32_t n_clients;
	struct control_client *clients;
	struct control_client *caller; /* whose request is being answered; NULL: none */
	struct event *work;	       /* does the next step of a job */
	uint64_t n_jobs;	       /* so far */
	struct control_sample samples[WORKERS_MAX];
};

extern const struct rpc_method control_methods[];

/* Brings samples up to date; called every second. */
void control_sample(struct control *control);

/* Makes next (taken over) the configuration in force. 0 or -errno with the sentence in e. */
int control_apply(struct control *control, struct conf *next, struct error *e);

/* The same for what a file says, beside which ports stay that are no file's: conf_keep_auto(). */
int control_replace(struct control *control, struct conf *next, struct error *e);

/* Why a port that is configured is not open, or an empty text. */
const char *control_failed_reason(const struct control *control, const char *name);

/*
 * Gives the caller a job with that step, which the method may fill; it then returns RPC_LATER. NULL
 * if out of memory.
 */
struct control_job *control_begin(struct control *control,
				  bool (*step)(struct control_job *job, struct evbuffer *out));

/* methods.c: says in the log who changed what. */
void methods_log(const struct control *control, const char *what, const char *on);

/* methods_fdb.c: jobs on the fdb. */
int fdb_list(void *context, struct json_object *params, struct json_object **result,
	     struct error *e);
int fdb_forget(void *context, struct json_object *params, struct json_object **result,
	       struct error *e);

/* methods_show.c: the methods that change nothing. */
int show_status(void *context, struct json_object *params, struct json_object **result,
		struct error *e);
int show_ports(void *context, struct json_object *params, struct json_object **result,
	       struct error *e);
int show_port(void *context, struct json_object *params, struct json_object **result,
	      struct error *e);
int show_stats(void *context, struct json_object *params, struct json_object **result,
	       struct error *e);
int show_workers(void *context, struct json_object *params, struct json_object **result,
		 struct error *e);
int show_config(void *context, struct json_object *params, struct json_object **result,
		struct error *e);
int show_version(void *context, struct json_object *params, struct json_object **result,
		 struct error *e);

#endif

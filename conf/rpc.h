/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rpc.h: JSON-RPC 2.0 (https://www.jsonrpc.org/specification): one request in, one reply out.
 *
 * Batches are refused: they would let one line ask for any amount of work.
 *
 * Threads: any; the methods say who may call them.
 */
#ifndef CONF_RPC_H
#define CONF_RPC_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct json_object;

enum {
	RPC_PARAMS_MAX = 2
};

enum {
	RPC_PARSE = -32700, /* not JSON */
	RPC_INVALID_REQUEST = -32600,
	RPC_NO_METHOD = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_REFUSED = -32000, /* understood, but can't be done; the message says why */
	RPC_LATER = 1,	      /* no error: there is no result yet */
	RPC_DEPTH_MAX = 16,   /* objects and arrays in each other */
};

struct rpc_method {
	const char *name;
	bool takes_any; /* parameters are judged by call; else others than these are refused */
	const char *params[RPC_PARAMS_MAX + 1]; /* ends with NULL */
	/*
	 * params is an object or NULL. Returns 0 with *result (the caller's), or one of the codes
	 * above with the sentence in e. RPC_LATER: the caller of rpc_handle() gets a reply without
	 * a result, which the context knows to put into it.
	 */
	int (*call)(void *context, struct json_object *params, struct json_object **result,
		    struct error *e);
};

/*
 * Answers one request: len bytes of text with a 0 behind them. methods ends with name NULL. The
 * reply is the caller's; NULL if there is none (a notification), or no memory for one.
 */
struct json_object *rpc_handle(const struct rpc_method *methods, void *context, const char *text,
			       size_t len);

/* A reply that says what is wrong, to a request without an id that could be read. */
struct json_object *rpc_error(int code, const char *message);

/* params[key] as text; NULL if it is absent or no string. */
const char *rpc_text(struct json_object *params, const char *key);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc.c: see rpc.h. */
#include "rpc.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

static struct json_object *
rpc_reply(struct json_object *id)
{
	struct json_object *reply = json_object_new_object();

	if (!reply)
		return NULL;
	json_object_object_add(reply, "jsonrpc", json_object_new_string("2.0"));
	json_object_object_add(reply, "id", json_object_get(id));
	return reply;
}

static struct json_object *
rpc_reply_error(struct json_object *id, int code, const char *message)
{
	struct json_object *reply = rpc_reply(id), *error = json_object_new_object();

	if (!reply || !error) {
		json_object_put(reply);
		json_object_put(error);
		return NULL;
	}
	json_object_object_add(error, "code", json_object_new_int(code));
	json_object_object_add(error, "message", json_object_new_string(message));
	json_object_object_add(reply, "error", error);
	return reply;
}

struct json_object *
rpc_error(int code, const char *message)
{
	return rpc_reply_error(NULL, code, message);
}

const char *
rpc_text(struct json_object *params, const char *key)
{
	struct json_object *value;

	if (!params || !json_object_object_get_ex(params, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

/*
 * json-c 0.18, when it is strict, takes every byte above 0x7f for a control character, and a later
 * one may: they read a text with such bytes less strictly.
 */
static int
parse_flags(const char *text, size_t len)
{
	int flags = JSON_TOKENER_VALIDATE_UTF8;
	bool is_ascii = true;

	for (size_t i = 0; i < len; i++)
		is_ascii = is_ascii && (unsigned char)text[i] < 0x80;
	if (is_ascii || json_c_version_num() < 18 << 8)
		flags |= JSON_TOKENER_STRICT;
	return flags;
}

/* The JSON value that is all of text; NULL with the sentence in e. *is_value: null is one, too. */
static struct json_object *
rpc_parse(const char *text, size_t len, bool *is_value, struct error *e)
{
	struct json_tokener *tokener = json_tokener_new_ex(RPC_DEPTH_MAX);
	struct json_object *value;
	enum json_tokener_error code;
	size_t end;

	*is_value = false;
	if (!tokener || len >= INT32_MAX) {
		error_set(e, RPC_PARSE, "out of memory");
		json_tokener_free(tokener);
		return NULL;
	}
	json_tokener_set_flags(tokener, parse_flags(text, len));
	/* with the final 0, which ends a number */
	value = json_tokener_parse_ex(tokener, text, (int)len + 1);
	code = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	while (end < len && strchr(" \t\r", text[end]) && text[end])
		end++;
	if (code == json_tokener_success && end >= len) {
		*is_value = true;
		return value;
	}
	json_object_put(value);
	if (code == json_tokener_success || code == json_tokener_continue)
		error_set(e, RPC_PARSE, "the request is not JSON: it ends in the wrong place");
	else
		error_set(e, RPC_PARSE, "the request is not JSON: %s at byte %zu",
			  json_tokener_error_desc(code), end);
	return NULL;
}

/* What is wrong with a request, or NULL. */
static const char *
rpc_judge(struct json_object *request, struct json_object **id, bool *has_id)
{
	struct json_object *params;
	const char *version;

	*id = NULL;
	*has_id = true;
	if (json_object_is_type(request, json_type_array))
		return "batches are not supported: send one request a line";
	if (!json_object_is_type(request, json_type_object))
		return "a request is an object";
	*has_id = json_object_object_get_ex(request, "id", id);
	if (*id && !json_object_is_type(*id, json_type_string) &&
	    !json_object_is_type(*id, json_type_int) &&
	    !json_object_is_type(*id, json_type_double)) {
		*id = NULL;
		return "id is neither a text nor a number";
	}
	version = rpc_text(request, "jsonrpc");
	if (!version || strcmp(version, "2.0") != 0)
		return "jsonrpc is not \"2.0\"";
	if (!rpc_text(request, "method"))
		return "method is missing or no text";
	if (json_object_object_get_ex(request, "params", &params) && params &&
	    !json_object_is_type(params, json_type_object) &&
	    !(json_object_is_type(params, json_type_array) &&
	      json_object_array_length(params) == 0))
		return "params is not an object: parameters go by name";
	return NULL;
}

/* A parameter with a typing error must not be taken for one that was left out. */
static int
rpc_check_params(const struct rpc_method *method, struct json_object *params, struct error *e)
{
	if (!params || method->takes_any)
		return 0;
	json_object_object_foreach(params, key, value)
	{
		const char *const *known = method->params;

		(void)value;
		while (*known && strcmp(*known, key) != 0)
			known++;
		if (!*known)
			return error_set(e, RPC_INVALID_PARAMS, "there is no parameter \"%.40s\"",
					 key);
	}
	return 0;
}

static struct json_object *
rpc_call(const struct rpc_method *methods, void *context, struct json_object *request,
	 struct json_object *id)
{
	struct json_object *params = NULL, *result = NULL, *reply;
	const char *name = rpc_text(request, "method");
	struct error e = {0};
	int code;

	json_object_object_get_ex(request, "params", &params);
	if (!json_object_is_type(params, json_type_object))
		params = NULL;
	while (methods->name && strcmp(methods->name, name) != 0)
		methods++;
	if (!methods->name)
		code = error_set(&e, RPC_NO_METHOD, "there is no method \"%.80s\"", name);
	else if (!(code = rpc_check_params(methods, params, &e)))
		code = methods->call(context, params, &result, &e);
	if (code == RPC_LATER)
		return rpc_reply(id);
	if (code)
		return rpc_reply_error(id, code, e.text);
	reply = rpc_reply(id);
	if (reply)
		json_object_object_add(reply, "result", result);
	else
		json_object_put(result);
	return reply;
}

struct json_object *
rpc_handle(const struct rpc_method *methods, void *context, const char *text, size_t len)
{
	struct json_object *request, *reply, *id;
	struct error e = {0};
	const char *wrong;
	bool is_value, has_id;

	request = rpc_parse(text, len, &is_value, &e);
	if (!is_value)
		return rpc_error(RPC_PARSE, e.text);
	wrong = rpc_judge(request, &id, &has_id);
	if (wrong)
		reply = rpc_reply_error(id, RPC_INVALID_REQUEST, wrong);
	else
		reply = rpc_call(methods, context, request, id);
	if (!wrong && !has_id) {
		json_object_put(reply);
		reply = NULL;
	}
	json_object_put(request);
	return reply;
}

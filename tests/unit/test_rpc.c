/* SPDX-License-Identifier: BSD-3-Clause */
/* test_rpc.c: what JSON-RPC 2.0 asks of one request and its reply, see rpc.h. */
#include "rpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "error.h"

static int n_calls;

static int
echo(void *context, struct json_object *params, struct json_object **result, struct error *e)
{
	assert_ptr_equal(context, &n_calls);
	n_calls++;
	if (!params)
		return error_set(e, RPC_INVALID_PARAMS, "no params");
	*result = json_object_get(params);
	return 0;
}

static int
refuse(void *context, struct json_object *params, struct json_object **result, struct error *e)
{
	(void)context;
	(void)params;
	(void)result;
	return error_set(e, RPC_REFUSED, "port \"x\": refused");
}

static const struct rpc_method methods[] = {
	{.name = "echo", .takes_any = true, .call = echo},
	{.name = "refuse", .params = {"why"}, .call = refuse},
	{.name = NULL},
};

static void
answered_len(const char *text, size_t len, const char *reply)
{
	struct json_object *object = rpc_handle(methods, &n_calls, text, len);

	if (!reply) {
		assert_null(object);
		return;
	}
	assert_non_null(object);
	assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN), reply);
	json_object_put(object);
}

static void
answered(const char *text, const char *reply)
{
	answered_len(text, strlen(text), reply);
}

#define ERROR(id, code, message)                                                                   \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" message   \
	"\"}}"

static void
test_results(void **state)
{
	(void)state;
	n_calls = 0;
	answered("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"a\":[1]}}",
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":[1]}}");
	answered(" {\"params\":{},\"method\":\"echo\",\"id\":\"x\",\"jsonrpc\":\"2.0\"} \r",
		 "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{}}");
	answered("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"a\":\"\xc3\xa4\"}"
		 "}",
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"\xc3\xa4\"}}");
	answered("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"echo\",\"params\":{}}",
		 "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}");
	assert_int_equal(n_calls, 4);
	/* a notification is done, but not answered, whatever comes of it */
	answered("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{}}", NULL);
	assert_int_equal(n_calls, 5);
	answered("{\"jsonrpc\":\"2.0\",\"method\":\"nothing\"}", NULL);
}

static void
test_refusals(void **state)
{
	(void)state;
	answered("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"refuse\"}",
		 ERROR("7", "-32000", "port \\\"x\\\": refused"));
	answered("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"refuse\",\"params\":{\"wyh\":1}}",
		 ERROR("7", "-32602", "there is no parameter \\\"wyh\\\""));
	answered("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"echo\"}",
		 ERROR("7", "-32602", "no params"));
	answered("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"echo\",\"params\":[]}",
		 ERROR("7", "-32602", "no params"));
	answered("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"nothing\"}",
		 ERROR("7", "-32601", "there is no method \\\"nothing\\\""));
}

static void
test_invalid_requests(void **state)
{
	(void)state;
	n_calls = 0;
	answered("[]",
		 ERROR("null", "-32600", "batches are not supported: send one request a line"));
	answered("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}]",
		 ERROR("null", "-32600", "batches are not supported: send one request a line"));
	answered("1", ERROR("null", "-32600", "a request is an object"));
	answered("null", ERROR("null", "-32600", "a request is an object"));
	answered("\"x\"", ERROR("null", "-32600", "a request is an object"));
	answered("{}", ERROR("null", "-32600", "jsonrpc is not \\\"2.0\\\""));
	answered("{\"id\":1,\"method\":\"echo\"}",
		 ERROR("1", "-32600", "jsonrpc is not \\\"2.0\\\""));
	answered("{\"jsonrpc\":2.0,\"id\":1,\"method\":\"echo\"}",
		 ERROR("1", "-32600", "jsonrpc is not \\\"2.0\\\""));
	answered("{\"jsonrpc\":\"2.0\",\"id\":1}",
		 ERROR("1", "-32600", "method is missing or no text"));
	answered("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":null}",
		 ERROR("1", "-32600", "method is missing or no text"));
	answered("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"echo\"}",
		 ERROR("null", "-32600", "id is neither a text nor a number"));
	answered("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[1]}",
		 ERROR("1", "-32600", "params is not an object: parameters go by name"));
	answered("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":\"a\"}",
		 ERROR("1", "-32600", "params is not an object: parameters go by name"));
	assert_int_equal(n_calls, 0);
}

/* The reply says that it is not JSON. */
static void
not_json(const char *text, size_t len)
{
	static const char begin[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"
				    "\"message\":\"the request is not JSON: ";
	struct json_object *reply = rpc_handle(methods, &n_calls, text, len);
	const char *said = json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN);

	if (strncmp(said, begin, strlen(begin)) != 0)
		fail_msg("%s: %s", text, said);
	json_object_put(reply);
}

static void
test_not_json(void **state)
{
	static const char *const texts[] = {
		"",	" ",	    "{",
		"}",	"{\"a\":}", "{\"a\":1,}",
		"nul",	"{} {}",    "{}x",
		"\"x",	"[1,]",	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}",
		"\x01", "// x"};
	char deep[4096];

	(void)state;
	n_calls = 0;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		not_json(texts[i], strlen(texts[i]));
	not_json("{}\0{}", 5);
	not_json("{\"jsonrpc\":\"2.0\",\0\"id\":1}", 25);
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = 0;
	not_json(deep, sizeof(deep) - 1);
	assert_int_equal(n_calls, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_invalid_requests),
		cmocka_unit_test(test_not_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

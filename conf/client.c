/* SPDX-License-Identifier: BSD-3-Clause */
/* client.c: one call over the control socket, see client.h. */
#include "client.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	CLIENT_REPLY_MAX = 64 << 20, /* bytes */
};

static void client_fail(struct client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void
client_fail(struct client *client, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(client->why, sizeof(client->why), format, args);
	va_end(args);
}

static int
client_connect(struct client *client)
{
	const struct timeval wait = {.tv_sec = client->wait_s};
	const char *path = client->socket;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *hint = "";
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		client_fail(client, "%.300s: path is %zu bytes, a UNIX socket takes %zu", path,
			    strlen(path), sizeof(address.sun_path) - 1);
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0 &&
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (errno == ENOENT || errno == ECONNREFUSED)
		hint = " (is vswitchd running?)";
	else if (errno == EACCES || errno == EPERM)
		hint = " (only root and the socket's group may)";
	client_fail(client, "can't connect to %s: %s%s", path, strerror(errno), hint);
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool
client_write(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

/* The line that comes, without its end; NULL with errno (0: the connection ended). */
static char *
client_read_line(int fd)
{
	size_t len = 0, room = 0;
	char *line = NULL, *end = NULL;

	while (!end) {
		ssize_t n;

		if (room - len < 2) {
			char *more;

			room = room ? room * 2 : 65536;
			more = room <= CLIENT_REPLY_MAX ? realloc(line, room) : NULL;
			if (!more) {
				free(line);
				errno = ENOMEM;
				return NULL;
			}
			line = more;
		}
		n = recv(fd, line + len, room - len - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(line);
			errno = n ? errno : 0;
			return NULL;
		}
		end = memchr(line + len, '\n', (size_t)n);
		len += (size_t)n;
	}
	*end = 0;
	return line;
}

/* The result in a reply, which the caller gets; NULL with the reason in why. */
static struct json_object *
client_result(struct client *client, const char *line)
{
	struct json_object *reply = json_tokener_parse(line), *result = NULL, *error, *message;

	if (json_object_object_get_ex(reply, "error", &error) &&
	    json_object_object_get_ex(error, "message", &message))
		client_fail(client, "%s", json_object_get_string(message));
	else if (json_object_object_get_ex(reply, "result", &result) && result)
		json_object_get(result);
	else
		client_fail(client, "what came is no reply of vswitchd");
	json_object_put(reply);
	return result;
}

struct json_object *
client_call(struct client *client, const char *method, struct json_object *params)
{
	struct json_object *request = json_object_new_object(), *result = NULL;
	int fd = client_connect(client);
	const char *text;
	char *line = NULL;

	client->is_mute = true;
	json_object_object_add(request, "jsonrpc", json_object_new_string("2.0"));
	json_object_object_add(request, "id", json_object_new_int(1));
	json_object_object_add(request, "method", json_object_new_string(method));
	if (params)
		json_object_object_add(request, "params", params);
	if (fd < 0)
		goto out;
	text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
	/* a daemon that ends the connection may have said why before */
	if (client_write(fd, text, strlen(text)))
		client_write(fd, "\n", 1);
	line = client_read_line(fd);
	client->is_mute = !line;
	if (line)
		result = client_result(client, line);
	else if (errno == EAGAIN)
		client_fail(client, "%s: no answer for %d seconds", client->socket, client->wait_s);
	else
		client_fail(client, "%s: the connection ended without an answer%s%s",
			    client->socket, errno ? ": " : "", errno ? strerror(errno) : "");

out:
	if (fd >= 0)
		close(fd);
	free(line);
	json_object_put(request);
	return result;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.c: the control socket and its clients, and the configuration in force; see control.h.
 *
 * Who may open the socket may change the switch: its mode and owner decide. The peer's credentials
 * are for the log. A client can make us wait for nothing: its requests are bounded, are read only
 * while little waits to be written to it, and it is dropped when it reads nothing for a while.
 */
#include "control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <json-c/json.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_state.h"
#include "error.h"
#include "log.h"
#include "show_vm.h"

static void
control_free_job(struct control_job *job)
{
	if (!job)
		return;
	json_object_put(job->reply);
	json_object_put(job->result);
	show_vm_free(job->seen);
	free(job);
}

static void
control_drop(struct control_client *client)
{
	struct control *control = client->control;
	struct control_client **link = &control->clients;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	control->n_clients--;
	bufferevent_free(client->stream);
	control_free_job(client->job);
	free(client);
}

/* Writes a reply (taken over; NULL is none) and its newline. */
static void
control_send(struct control_client *client, struct json_object *reply)
{
	struct evbuffer *out = bufferevent_get_output(client->stream);
	const char *text;
	size_t len;

	if (!reply)
		return;
	text = json_object_to_json_string_length(
		reply, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	if (text) {
		evbuffer_add(out, text, len);
		evbuffer_add(out, "\n", 1);
	}
	json_object_put(reply);
}

struct control_job *
control_begin(struct control *control, bool (*step)(struct control_job *job, struct evbuffer *out))
{
	static const struct timeval soon = {0};
	struct control_job *job = calloc(1, sizeof(*job));

	if (!job || event_add(control->work, &soon) != 0) {
		free(job);
		return NULL;
	}
	job->step = step;
	job->control = control;
	job->serial = control->n_jobs++;
	control->caller->job = job;
	return job;
}

/* Answers the requests that are there, as far as none takes long; true if the client is to be
 * dropped once it has read. */
static bool
control_answer(struct control_client *client)
{
	struct evbuffer *in = bufferevent_get_input(client->stream);
	struct evbuffer *out = bufferevent_get_output(client->stream);
	struct control *control = client->control;
	struct json_object *reply;
	size_t len;
	char *line;

	while (!client->job && evbuffer_get_length(out) < CONTROL_REPLIES_MAX) {
		line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
		if (!line)
			return evbuffer_get_length(in) >= CONTROL_REQUEST_MAX;
		if (len) {
			control->caller = client;
			reply = rpc_handle(control_methods, control, line, len);
			/* CONTROL_SLOW_S counts from now, not from before what took its time */
			event_base_update_cache_time(control->base);
			if (client->job)
				client->job->reply = reply;
			else
				control_send(client, reply);
			control->caller = NULL;
		}
		free(line);
	}
	return false;
}

/* Reads on only while little waits to be written. */
static void
control_serve(struct control_client *client)
{
	bool too_long = control_answer(client);
	size_t waits = evbuffer_get_length(bufferevent_get_output(client->stream));

	if (too_long) {
		char text[80];

		snprintf(text, sizeof(text), "a request of more than %d bytes",
			 CONTROL_REQUEST_MAX);
		control_send(client, rpc_error(RPC_INVALID_REQUEST, text));
		bufferevent_disable(client->stream, EV_READ);
		/* what was said is the last word: control_on_event() ends it when it was read */
		evbuffer_drain(bufferevent_get_input(client->stream), SIZE_MAX);
		client->ends = true;
	} else if (client->job || waits >= CONTROL_REPLIES_MAX) {
		bufferevent_disable(client->stream, EV_READ);
	} else {
		bufferevent_enable(client->stream, EV_READ);
	}
}

/* Its reply is complete; what it asked for meanwhile is next. */
static void
control_end_job(struct control_client *client)
{
	struct control_job *job = client->job;
	struct json_object *reply = job->reply;

	if (reply && job->result) {
		json_object_object_add(reply, "result", job->result);
		job->reply = job->result = NULL;
		control_send(client, reply);
	}
	control_free_job(job);
	client->job = NULL;
	if (!client->ends)
		control_serve(client);
	else if (evbuffer_get_length(bufferevent_get_output(client->stream)) == 0)
		control_drop(client);
}

/* The client with the oldest job of those that read their replies; NULL: there is none. */
static struct control_client *
control_next_job(struct control *control)
{
	struct control_client *next = NULL;

	for (struct control_client *c = control->clients; c; c = c->next)
		if (c->job &&
		    evbuffer_get_length(bufferevent_get_output(c->stream)) < CONTROL_REPLIES_MAX &&
		    (!next || c->job->serial < next->job->serial))
			next = c;
	return next;
}

/* A timer: whatever else waits comes between two steps. */
static void
control_go_on(struct control *control)
{
	static const struct timeval soon = {0};

	if (control_next_job(control))
		event_add(control->work, &soon);
}

static void
control_on_work(evutil_socket_t fd, short what, void *context)
{
	struct control *control = context;
	struct control_client *client = control_next_job(control);

	(void)fd;
	(void)what;
	if (client && client->job->step(client->job, bufferevent_get_output(client->stream)))
		control_end_job(client);
	control_go_on(control);
}

static void
control_on_read(struct bufferevent *stream, void *context)
{
	(void)stream;
	control_serve(context);
}

/* All replies have been read. */
static void
control_on_written(struct bufferevent *stream, void *context)
{
	struct control_client *client = context;

	(void)stream;
	if (client->job)
		control_go_on(client->control);
	else if (client->ends)
		control_drop(client);
	else
		control_serve(client);
}

static void
control_on_event(struct bufferevent *stream, short what, void *context)
{
	struct control_client *client = context;

	/* a peer that has only ended its side still reads what waits for it */
	if ((what & BEV_EVENT_EOF) &&
	    (client->job || evbuffer_get_length(bufferevent_get_output(stream)))) {
		bufferevent_disable(stream, EV_READ);
		client->ends = true;
		return;
	}
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		control_drop(client);
}

static void
control_on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		  int address_len, void *context)
{
	static const struct timeval idle = {.tv_sec = CONTROL_IDLE_S};
	static const struct timeval slow = {.tv_sec = CONTROL_SLOW_S};
	static const char full[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,"
				   "\"message\":\"too many clients are connected\"}}\n";
	struct control *control = context;
	struct control_client *client;
	socklen_t len = sizeof(client->peer);

	(void)listener;
	(void)address;
	(void)address_len;
	if (control->n_clients >= CONTROL_CLIENTS_MAX) {
		send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		return;
	}
	client = calloc(1, sizeof(*client));
	if (!client || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &client->peer, &len)) {
		free(client);
		close(fd);
		return;
	}
	client->stream = bufferevent_socket_new(control->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client->stream) {
		free(client);
		close(fd);
		return;
	}
	client->control = control;
	client->next = control->clients;
	control->clients = client;
	control->n_clients++;
	bufferevent_setcb(client->stream, control_on_read, control_on_written, control_on_event,
			  client);
	bufferevent_set_timeouts(client->stream, &idle, &slow);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

/* Out of file descriptors, most likely: asked again in a second instead of all the time. */
static void
control_on_accept_error(struct evconnlistener *listener, void *context)
{
	(void)context;
	log_warn("control: no client can connect: %s", strerror(errno));
	evconnlistener_disable(listener);
}

static void
control_on_second(evutil_socket_t fd, short what, void *context)
{
	struct control *control = context;

	(void)fd;
	(void)what;
	control_sample(control);
	evconnlistener_enable(control->listener);
}

/* Removes a socket that nobody listens on any more. 0, or -errno with the sentence in e. */
static int
control_remove_stale(const struct sockaddr_un *address, struct error *e)
{
	const char *path = address->sun_path;
	struct stat st;
	int fd, rc;

	if (lstat(path, &st))
		return errno == ENOENT ? 0
				       : error_set(e, -errno, "switch: control: %s: %s", path,
						   strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return error_set(e, -EEXIST, "switch: control: %s exists and is not a socket",
				 path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(e, -errno, "switch: control: no socket: %s", strerror(errno));
	rc = connect(fd, (const struct sockaddr *)address, sizeof(*address)) ? errno : 0;
	close(fd);
	if (rc == 0 || rc == EAGAIN)
		return error_set(e, -EADDRINUSE, "switch: control: another vswitchd listens on %s",
				 path);
	if (rc != ECONNREFUSED)
		return error_set(e, -rc,
				 "switch: control: %s: can't be asked whether it is in use: %s",
				 path, strerror(rc));
	if (unlink(path) && errno != ENOENT)
		return error_set(e, -errno, "switch: control: stale socket %s can't be removed: %s",
				 path, strerror(errno));
	log_info("control: removed %s, which nobody listened on", path);
	return 0;
}

/* The directory of the socket, if only that is missing. */
static int
control_make_directory(const char *path, struct error *e)
{
	char copy[UNIX_PATH_MAX + 1];
	const char *directory;

	snprintf(copy, sizeof(copy), "%s", path);
	directory = dirname(copy);
	if (mkdir(directory, 0755) == 0) {
		log_info("control: made directory %s", directory);
		return 0;
	}
	if (errno == EEXIST)
		return 0;
	return error_set(e, -errno, "switch: control: directory %s can't be made: %s", directory,
			 strerror(errno));
}

/* The listening socket of the path, or -errno. */
static int
control_bind(struct control *control, const char *path, struct error *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	mode_t mask;
	int fd, rc;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	rc = control_make_directory(path, e);
	if (!rc)
		rc = control_remove_stale(&address, e);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(e, -errno, "switch: control: no socket: %s", strerror(errno));
	mask = umask(0117); /* 0660 from its first moment */
	rc = bind(fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	umask(mask);
	if (!rc && (listen(fd, CONTROL_CLIENTS_MAX) || lstat(path, &st)))
		rc = -errno;
	if (rc) {
		close(fd);
		return error_set(e, rc, "switch: control: %s can't be made: %s", path,
				 strerror(-rc));
	}
	control->socket_dev = st.st_dev;
	control->socket_ino = st.st_ino;
	return fd;
}

/* Only the socket that we made: its name may be another daemon's by now. */
static void
control_remove_socket(const struct control *control)
{
	const char *path = control->conf->control;
	struct stat st;

	if (control->socket_ino && lstat(path, &st) == 0 && st.st_dev == control->socket_dev &&
	    st.st_ino == control->socket_ino)
		unlink(path);
}

struct control *
control_create(struct event_base *base, struct vswitch *sw, struct conf *conf,
	       const struct control_info *info, struct error *e)
{
	static const struct timeval second = {.tv_sec = 1};
	struct control *control = calloc(1, sizeof(*control));
	int fd;

	if (!control) {
		conf_free(conf);
		error_set(e, -ENOMEM, "switch: control: out of memory");
		return NULL;
	}
	control->base = base;
	control->sw = sw;
	control->conf = conf;
	control->info = *info;
	fd = control_bind(control, conf->control, e);
	if (fd < 0)
		goto fail;
	control->listener =
		evconnlistener_new(base, control_on_accept, control,
				   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!control->listener) {
		close(fd);
		error_set(e, -ENOMEM, "switch: control: out of memory");
		goto fail;
	}
	evconnlistener_set_error_cb(control->listener, control_on_accept_error);
	control->work = event_new(base, -1, 0, control_on_work, control);
	control->each_second = event_new(base, -1, EV_PERSIST, control_on_second, control);
	if (!control->work || !control->each_second || event_add(control->each_second, &second)) {
		error_set(e, -ENOMEM, "switch: control: out of memory");
		goto fail;
	}
	control_sample(control);
	return control;

fail:
	control_destroy(control);
	return NULL;
}

void
control_destroy(struct control *control)
{
	if (!control)
		return;
	while (control->clients)
		control_drop(control->clients);
	if (control->each_second)
		event_free(control->each_second);
	if (control->work)
		event_free(control->work);
	if (control->listener)
		evconnlistener_free(control->listener);
	control_remove_socket(control);
	conf_free(control->conf);
	free(control->failed.ports);
	free(control);
}

int
control_start(struct control *control, struct error *e)
{
	return conf_apply(control->sw, &control->info.cpus, NULL, control->conf, &control->failed,
			  e);
}

int
control_apply(struct control *control, struct conf *next, struct error *e)
{
	int rc = conf_apply(control->sw, &control->info.cpus, control->conf, next, &control->failed,
			    e);

	if (rc) {
		conf_free(next);
		return rc;
	}
	conf_free(control->conf);
	control->conf = next;
	return 0;
}

int
control_replace(struct control *control, struct conf *next, struct error *e)
{
	int rc = conf_keep_auto(next, control->conf, e);

	if (rc) {
		conf_free(next);
		return rc;
	}
	return control_apply(control, next, e);
}

void
control_reload(struct control *control)
{
	struct conf *next;
	struct error e = {0};
	int rc = conf_load_file(control->info.conf_path, control->sw->kinds, &next, &e);

	if (!rc)
		rc = control_replace(control, next, &e);
	if (rc)
		log_err("reload: nothing was changed: %s", e.text);
	else
		log_info("reload: %s is in force, %u ports", control->info.conf_path,
			 control->conf->n_ports);
}

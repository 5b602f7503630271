/* SPDX-License-Identifier: BSD-3-Clause */
/* driver.c: see driver.h. */
#include "driver.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_vhost.h>

#include "compat.h"
#include "error.h"
#include "feature.h"
#include "offload.h"
#include "session.h"
#include "socket.h"
#include "wake.h"

static const uint64_t protocol_features_offered =
	1ull << VHOST_USER_PROTOCOL_F_MQ | 1ull << VHOST_USER_PROTOCOL_F_LOG_SHMFD |
	1ull << VHOST_USER_PROTOCOL_F_RARP | 1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK |
	1ull << VHOST_USER_PROTOCOL_F_NET_MTU | 1ull << VHOST_USER_PROTOCOL_F_STATUS |
	1ull << VHOST_USER_PROTOCOL_F_PAGEFAULT;

/*
 * rte_vhost_driver_set_features() would take the port for something else than a network device: no
 * bursts, and not ready until the guest has enabled every queue pair that it was given, where a
 * guest starts with one. So what we never offer is taken away from what the library offers;
 * message.c leaves out what the port's configuration has switched off.
 */
static int
offer_features(const struct port_conf *conf)
{
	const char *path = conf->vhost.socket;
	uint64_t all, ours = feature_offered(OFFLOAD_ALL, conf);
	uint64_t protocol = protocol_features_offered;

	/* the library's announcement ends with what its mbuf held before: bytes of other frames */
	if (conf->vhost.is_library)
		protocol &= ~(1ull << VHOST_USER_PROTOCOL_F_RARP);
	if (conf->vhost.has_viommu)
		protocol |= 1ull << PROTOCOL_BACKEND_REQ;
	if (rte_vhost_driver_get_features(path, &all) != 0 ||
	    rte_vhost_driver_disable_features(path, all & ~ours) != 0 ||
	    rte_vhost_driver_set_protocol_features(path, protocol) != 0)
		return -1;
	return compat_set_max_queue_pairs(path, conf->queues);
}

static int
listen_for_guest(const struct port_conf *conf, struct error *e)
{
	const char *path = conf->vhost.socket;
	mode_t before;
	int err;

	err = socket_begin(conf, &before, e);
	if (err)
		return err;
	err = rte_vhost_driver_start(path);
	socket_end(conf, before);
	if (err)
		return error_set(e, -EIO,
				 "port %s: socket: can't listen on %s: librte_vhost's log says why",
				 conf->name, path);
	err = socket_set_rights(conf, e);
	if (!err)
		wake_library();
	return err;
}

/* See session.h: `connecting` is held across a call of the library's that waits for no callback. */
static int
connect_to_guest(struct session *s, struct error *e)
{
	const struct port_conf *conf = &s->port->conf;
	int err;

	pthread_mutex_lock(&s->connecting);
	err = rte_vhost_driver_start(conf->vhost.socket);
	pthread_mutex_unlock(&s->connecting);
	if (err)
		return error_set(e, -ENOTCONN, "port %s: socket: nobody listens on %s", conf->name,
				 conf->vhost.socket);
	return 0;
}

int
driver_start(struct session *s, struct error *e)
{
	const struct port_conf *conf = &s->port->conf;
	const char *path = conf->vhost.socket;
	uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS;
	int err;

	if (conf->vhost.is_client) /* when to try again is for client.c to say */
		flags |= RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT;
	if (conf->vhost.has_viommu)
		flags |= RTE_VHOST_USER_IOMMU_SUPPORT;
	wake_init();
	if (rte_vhost_driver_register(path, flags) != 0)
		return error_set(e, -EIO,
				 "port %s: socket: librte_vhost does not take %s: its log says why",
				 conf->name, path);
	if (offer_features(conf) != 0 ||
	    rte_vhost_driver_callback_register(path, &session_device_ops) != 0)
		err = error_set(e, -EIO, "port %s: librte_vhost does not take the port's features",
				conf->name);
	else
		err = conf->vhost.is_client ? connect_to_guest(s, e) : listen_for_guest(conf, e);
	if (err) {
		if (!conf->vhost.is_client) /* a guest may have come already */
			session_close(s);
		driver_stop(s);
	}
	return err;
}

void
driver_stop(struct session *s)
{
	rte_vhost_driver_unregister(s->port->conf.vhost.socket);
}

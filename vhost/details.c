/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * details.c: see details.h. Asks librte_vhost nothing: the guest may go at any moment, and the
 * library's answers with it. All is what the session noted down.
 */
#include "details.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "feature.h"
#include "offload.h"
#include "session.h"

enum {
	TEXT_MAX = 512
};

/* Names as virtio 1.2 §5.1.3 and §6 have them. */
static const struct {
	uint8_t bit;
	const char *name;
} feature_names[] = {
	{VIRTIO_NET_F_CSUM, "CSUM"},
	{VIRTIO_NET_F_GUEST_CSUM, "GUEST_CSUM"},
	{VIRTIO_NET_F_GUEST_TSO4, "GUEST_TSO4"},
	{VIRTIO_NET_F_GUEST_TSO6, "GUEST_TSO6"},
	{VIRTIO_NET_F_GUEST_ECN, "GUEST_ECN"},
	{VIRTIO_NET_F_HOST_TSO4, "HOST_TSO4"},
	{VIRTIO_NET_F_HOST_TSO6, "HOST_TSO6"},
	{VIRTIO_NET_F_HOST_ECN, "HOST_ECN"},
	{FEATURE_GUEST_USO4, "GUEST_USO4"},
	{FEATURE_GUEST_USO6, "GUEST_USO6"},
	{FEATURE_HOST_USO, "HOST_USO"},
	{VIRTIO_NET_F_MTU, "MTU"},
	{VIRTIO_NET_F_MAC, "MAC"},
	{VIRTIO_NET_F_MRG_RXBUF, "MRG_RXBUF"},
	{VIRTIO_NET_F_STATUS, "STATUS"},
	{VIRTIO_NET_F_CTRL_VQ, "CTRL_VQ"},
	{VIRTIO_NET_F_CTRL_RX, "CTRL_RX"},
	{VIRTIO_NET_F_GUEST_ANNOUNCE, "GUEST_ANNOUNCE"},
	{VIRTIO_NET_F_MQ, "MQ"},
	{26, "LOG_ALL"}, /* VHOST_F_LOG_ALL: a live migration goes on */
	{VIRTIO_F_ANY_LAYOUT, "ANY_LAYOUT"},
	{VIRTIO_RING_F_INDIRECT_DESC, "INDIRECT_DESC"},
	{VIRTIO_RING_F_EVENT_IDX, "EVENT_IDX"},
	{30, "PROTOCOL_FEATURES"}, /* VHOST_USER_F_PROTOCOL_FEATURES */
	{VIRTIO_F_VERSION_1, "VERSION_1"},
	{VIRTIO_F_ACCESS_PLATFORM, "ACCESS_PLATFORM"},
	{VIRTIO_F_RING_PACKED, "RING_PACKED"},
	{VIRTIO_F_IN_ORDER, "IN_ORDER"},
};

static void
report_features(uint64_t features, struct report *report)
{
	char text[TEXT_MAX];
	size_t len;

	len = (size_t)snprintf(text, sizeof(text), "0x%" PRIx64, features);
	for (size_t i = 0; i < sizeof(feature_names) / sizeof(feature_names[0]); i++)
		if (features >> feature_names[i].bit & 1 && len < sizeof(text))
			len += (size_t)snprintf(text + len, sizeof(text) - len, " %s",
						feature_names[i].name);
	report->text(report, "features", text);
}

/* "0:256 1:256": each queue pair that is on, with the size of its rings. */
static void
report_rings(const struct session_view *view, struct report *report)
{
	char rx[TEXT_MAX] = "", tx[TEXT_MAX] = "";
	size_t rx_len = 0, tx_len = 0;

	for (uint32_t q = 0; q < PORT_QUEUES_MAX; q++) {
		if (view->rx[q].size)
			rx_len += (size_t)snprintf(rx + rx_len, sizeof(rx) - rx_len, "%s%u:%u",
						   rx_len ? " " : "", q, view->rx[q].size);
		if (view->tx[q].size)
			tx_len += (size_t)snprintf(tx + tx_len, sizeof(tx) - tx_len, "%s%u:%u",
						   tx_len ? " " : "", q, view->tx[q].size);
	}
	report->text(report, "rx_rings", rx);
	report->text(report, "tx_rings", tx);
}

static void
report_client(const struct client *c, bool is_connected, struct report *report)
{
	char text[TEXT_MAX];

	if (c->watch_error)
		snprintf(text, sizeof(text), "once a second: inotify: %s",
			 strerror(c->watch_error));
	report->text(report, "reconnects", c->watch_error ? text : "inotify");
	if (is_connected)
		report->text(report, "connected_by", client_cause_text(c->connected_by));
}

static uint32_t
count_pairs(uint32_t ready)
{
	/* both bits of a pair */
	return (uint32_t)__builtin_popcount(ready & ready >> 1 & 0x55555555);
}

void
details_report(struct port *port, struct report *report)
{
	struct session *s = port->priv;
	const struct session_view *view;

	report->text(report, "socket", port->conf.vhost.socket);
	report->text(report, "mode", port->conf.vhost.is_client ? "client" : "server");
	report->text(report, "datapath", port->conf.vhost.is_library ? "library" : "direct");
	offload_report(report, "offloads_allowed",
		       atomic_load_explicit(&s->offloads, memory_order_relaxed));
	/* the lock also keeps the view: who takes it away has it */
	pthread_mutex_lock(&s->lock);
	view = atomic_load_explicit(&s->view, memory_order_relaxed);
	report->flag(report, "connected", s->vid >= 0);
	report->number(report, "connections", s->n_connections);
	if (s->peer)
		report->number(report, "peer_pid", (uint64_t)s->peer);
	if (s->is_running) {
		report->text(report, "ring_layout",
			     s->features >> VIRTIO_F_RING_PACKED & 1 ? "packed" : "split");
		report_features(s->features, report);
		offload_report(report, "offloads_from_guest", feature_from_guest(s->features));
		offload_report(report, "offloads_to_guest",
			       atomic_load_explicit(&port->offloads, memory_order_relaxed));
		report->number(report, "queue_pairs_on", count_pairs(s->ready));
		report->number(report, "memory_regions", s->n_regions);
	}
	if (port->conf.vhost.is_client)
		report_client(&s->client, s->vid >= 0, report);
	report->flag(report, "attached", session_is_attached(s));
	report->number(report, "attaches", s->n_attaches);
	if (view)
		report_rings(view, report);
	pthread_mutex_unlock(&s->lock);
}

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

#include "contract.h"
#include "feature.h"
#include "offload.h"
#include "session.h"

enum {
	TEXT_MAX = 512
};

static void
report_features(struct report *report, const char *key, uint64_t features)
{
	char names[FEATURE_TEXT_MAX], text[FEATURE_TEXT_MAX + 24];

	feature_text(features, names);
	snprintf(text, sizeof(text), "0x%" PRIx64 "%s%s", features, names[0] ? " " : "", names);
	report->text(report, key, text);
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
	report_features(report, "features_offered", contract_offer(s));
	report->flag(report, "features_pinned", s->pinned != 0);
	if (s->kept)
		report_features(report, "features_kept", s->kept);
	if (s->is_running) {
		report->text(report, "ring_layout",
			     s->features >> VIRTIO_F_RING_PACKED & 1 ? "packed" : "split");
		report_features(report, "features", s->features);
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

/* SPDX-License-Identifier: BSD-3-Clause */
/* feature.c: see feature.h. */
#include "feature.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdio.h>

#include <rte_vhost.h>

#include "offload.h"
#include "port.h"

/*
 * Offered on every port. IN_ORDER is what our rings do anyhow. ANY_LAYOUT, CTRL_VQ and CTRL_RX cost
 * us nothing: QEMU keeps the control queue.
 */
static const uint64_t features_always =
	1ull << VIRTIO_NET_F_MRG_RXBUF | 1ull << VIRTIO_NET_F_MTU | 1ull << VIRTIO_NET_F_CTRL_VQ |
	1ull << VIRTIO_NET_F_CTRL_RX | 1ull << VIRTIO_NET_F_GUEST_ANNOUNCE |
	1ull << VIRTIO_NET_F_MQ | 1ull << VIRTIO_F_ANY_LAYOUT | 1ull << VIRTIO_F_VERSION_1 |
	1ull << VIRTIO_F_RING_PACKED | 1ull << VIRTIO_F_IN_ORDER |
	1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_RING_F_EVENT_IDX |
	1ull << VHOST_F_LOG_ALL | 1ull << VHOST_USER_F_PROTOCOL_FEATURES;

/* Each with the checksum that all others need (virtio 1.2 §5.1.3.1). */
static const struct {
	uint32_t bit;
	uint32_t from_guest, to_guest; /* enum offload */
} meanings[] = {
	{VIRTIO_NET_F_CSUM, OFFLOAD_CHECKSUM | OFFLOAD_EXTENSIONS, 0},
	{VIRTIO_NET_F_HOST_TSO4, OFFLOAD_TSO4, 0},
	{VIRTIO_NET_F_HOST_TSO6, OFFLOAD_TSO6, 0},
	{VIRTIO_NET_F_HOST_ECN, OFFLOAD_ECN, 0},
	{FEATURE_HOST_USO, OFFLOAD_USO, 0},
	{VIRTIO_NET_F_GUEST_CSUM, 0, OFFLOAD_CHECKSUM | OFFLOAD_VALID | OFFLOAD_EXTENSIONS},
	{VIRTIO_NET_F_GUEST_TSO4, 0, OFFLOAD_TSO4},
	{VIRTIO_NET_F_GUEST_TSO6, 0, OFFLOAD_TSO6},
	{VIRTIO_NET_F_GUEST_ECN, 0, OFFLOAD_ECN},
	{FEATURE_GUEST_USO4, 0, OFFLOAD_USO4},
	{FEATURE_GUEST_USO6, 0, OFFLOAD_USO6},
};

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

enum {
	N_MEANINGS = sizeof(meanings) / sizeof(meanings[0])
};

void
feature_text(uint64_t features, char text[FEATURE_TEXT_MAX])
{
	size_t len = 0;

	text[0] = 0;
	for (uint32_t bit = 0; bit < 64 && len < FEATURE_TEXT_MAX; bit++) {
		const char *name = NULL;
		char number[16];

		if (!(features >> bit & 1))
			continue;
		snprintf(number, sizeof(number), "bit %u", bit);
		for (size_t i = 0; i < sizeof(feature_names) / sizeof(feature_names[0]); i++)
			if (feature_names[i].bit == bit)
				name = feature_names[i].name;
		len += (size_t)snprintf(text + len, FEATURE_TEXT_MAX - len, "%s%s", len ? " " : "",
					name ? name : number);
	}
}

uint64_t
feature_offered(uint32_t offloads, const struct port_conf *conf)
{
	uint64_t features = features_always;

	if (conf->vhost.has_viommu) {
		features |= 1ull << VIRTIO_F_ACCESS_PLATFORM;
		/* of a packed ring the library loses each frame that it has no translation for
		 * (virtio_dev_tx_single_packed()) */
		features &= ~(1ull << VIRTIO_F_RING_PACKED);
	}
	if (!(offloads & OFFLOAD_CHECKSUM))
		return features;
	offloads &= OFFLOAD_CHECKSUM | OFFLOAD_SEGMENTS;
	for (int i = 0; i < N_MEANINGS; i++)
		if ((meanings[i].from_guest | meanings[i].to_guest) & offloads)
			features |= 1ull << meanings[i].bit;
	return conf->vhost.is_library ? features & ~FEATURE_USO : features;
}

uint32_t
feature_from_guest(uint64_t features)
{
	uint32_t offloads = 0;

	for (int i = 0; i < N_MEANINGS; i++)
		if (features >> meanings[i].bit & 1)
			offloads |= meanings[i].from_guest;
	return offloads & OFFLOAD_CHECKSUM ? offloads : 0;
}

uint32_t
feature_to_guest(uint64_t features)
{
	uint32_t offloads = 0;

	for (int i = 0; i < N_MEANINGS; i++)
		if (features >> meanings[i].bit & 1)
			offloads |= meanings[i].to_guest;
	return offloads & OFFLOAD_CHECKSUM ? offloads : 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feature.h: the virtio features that guests are offered, and what they mean for offloads.
 *
 * Threads: any.
 */
#ifndef VHOST_FEATURE_H
#define VHOST_FEATURE_H

#include <stdint.h>

struct port_conf;

/* Bits that the headers of Linux 6.1 don't have; virtio 1.3 §5.1.3. */
enum {
	FEATURE_GUEST_USO4 = 54,
	FEATURE_GUEST_USO6 = 55,
	FEATURE_HOST_USO = 56,
};

/* Segmentation of UDP: librte_vhost does not know it, so that we negotiate it beside the library.
 */
#define FEATURE_USO                                                                                \
	(1ull << FEATURE_GUEST_USO4 | 1ull << FEATURE_GUEST_USO6 | 1ull << FEATURE_HOST_USO)

enum {
	FEATURE_TEXT_MAX = 512
};

/* Writes the names of features, as virtio 1.2 §5.1.3 and §6 have them: "CSUM MQ", "bit 41". */
void feature_text(uint64_t features, char text[FEATURE_TEXT_MAX]);

/* What a port may offer that may use these offloads (enum offload). */
uint64_t feature_offered(uint32_t offloads, const struct port_conf *conf);

/* The offloads that a guest with these features may ask for. */
uint32_t feature_from_guest(uint64_t features);

/* The offloads that it takes. */
uint32_t feature_to_guest(uint64_t features);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* announce.c: see announce.h. */
#include "announce.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <string.h>

#include "frame.h"

enum {
	ANNOUNCE_LEN = 60, /* bytes: the shortest frame, without FCS */
};

/* Beside a MAC: one of zeroes was asked for, too. */
static const uint64_t asked_bit = 1ull << 48;

/* RFC 903 for Ethernet and IPv4. */
struct rarp {
	struct ether_header ether;
	struct arphdr arp;
	uint8_t sender_mac[ETH_ALEN], sender_ip[4];
	uint8_t target_mac[ETH_ALEN], target_ip[4];
} __attribute__((packed));

void
announce_ask(struct announce *a, const void *mac)
{
	uint64_t asked = 0;

	memcpy(&asked, mac, ETH_ALEN);
	atomic_store_explicit(&a->asked, asked | asked_bit, memory_order_relaxed);
}

void
announce_forget(struct announce *a)
{
	atomic_store_explicit(&a->asked, 0, memory_order_relaxed);
}

/* "Who am I?", to all: what QEMU sends for guests that it serves itself (net/announce.c). */
bool
announce_take(struct announce *a, struct batch *b)
{
	uint64_t mac = atomic_exchange_explicit(&a->asked, 0, memory_order_relaxed);
	struct rarp rarp = {
		.ether.ether_type = htons(ETHERTYPE_REVARP),
		.arp = {.ar_hrd = htons(ARPHRD_ETHER),
			.ar_pro = htons(ETHERTYPE_IP),
			.ar_hln = ETH_ALEN,
			.ar_pln = sizeof(rarp.sender_ip),
			.ar_op = htons(ARPOP_RREQUEST)},
	};
	struct frame *f;

	if (!mac) /* forgotten in between */
		return false;
	memset(rarp.ether.ether_dhost, 0xff, ETH_ALEN);
	memcpy(rarp.ether.ether_shost, &mac, ETH_ALEN);
	memcpy(rarp.sender_mac, &mac, ETH_ALEN);
	memcpy(rarp.target_mac, &mac, ETH_ALEN);
	f = batch_next(b);
	f->len = f->head_len = ANNOUNCE_LEN;
	memset(f->head, 0, ANNOUNCE_LEN);
	memcpy(f->head, &rarp, sizeof(rarp));
	batch_commit(b);
	a->is_lent = true;
	return true;
}

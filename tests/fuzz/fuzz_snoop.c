/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_snoop.c: any frame, or any message in a good frame, with a head and pieces of any length, in
 * heap memory of just that length: what is noted is bounded and well-formed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "groups.h"
#include "hint.h"
#include "port.h"
#include "snoop.h"
#include "snoop_packet.h"
#include "switch.h"
#include "worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
	OPTIONS_LEN = 4, /* bytes of the input before the frame or message */
	TCI = 0xe064,
};

static struct vswitch sw;
static struct batch batch;
static struct worker worker = {.sw = &sw, .batch = &batch};
static const struct port port = {.id = 7};
static struct message message;
static struct packet packet;
static uint32_t n_hints;

/* Instead of hint.c's. */
void
hint_post_key(enum hint_type type, uint16_t id, uint32_t arg, uint64_t key)
{
	uint64_t mac = key & 0xffffffffffffull;

	if (type != HINT_GROUP || id != port.id || snoop_arg_message(arg) > SNOOP_QUERY ||
	    key >> 48 != (TCI & 0xfff) || (mac >> 32 != 0x3333 && mac >> 23 != 0x01005e << 1) ||
	    ++n_hints > GROUPS_PORT_MAX)
		abort();
}

void
hint_count_lost(void)
{
	abort(); /* one frame can't use up what a port may say */
}

static void
make_packet(uint8_t how, const uint8_t *data, uint32_t len)
{
	if (how & 2) {
		message.is_ipv6 = how & 1;
		message.len = len;
		memcpy(message.bytes, data, len);
		packet_make(&packet, how & 1 ? "ff02::1" : "224.0.0.1", &message);
		return;
	}
	packet.len = len;
	memcpy(packet.bytes, data, len);
	if (how & 1)
		packet_fix(&packet);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint32_t head_len, piece_len;
	struct frame *f;

	if (len < OPTIONS_LEN + FRAME_LEN_MIN || len > MESSAGE_MAX / 2)
		return 0;
	make_packet(data[0], data + OPTIONS_LEN, (uint32_t)len - OPTIONS_LEN);
	head_len = FRAME_LEN_MIN + data[1] % (FRAME_HEAD_MAX - FRAME_LEN_MIN);
	if (head_len > packet.len)
		head_len = packet.len;
	piece_len = packet.len / BATCH_PIECES_MAX + 1 + data[2] * (data[3] + 1u);
	batch_start(&batch, port.id, 0);
	f = batch_next(&batch);
	f->len = packet.len;
	f->head_len = (uint16_t)head_len;
	f->tci = TCI;
	memcpy(f->head, packet.bytes, head_len);
	for (uint32_t off = head_len, part; off < packet.len; off += part) {
		uint8_t *piece;

		part = packet.len - off < piece_len ? packet.len - off : piece_len;
		piece = malloc(part);
		if (!piece)
			abort();
		memcpy(piece, packet.bytes + off, part);
		batch_add_piece(&batch, f, piece, part);
	}
	batch_commit(&batch);
	n_hints = 0;
	worker.n_heard[port.id] = 0;
	snoop_batch(&worker, &port, 1);
	for (uint32_t i = 0; i < batch.n_pieces; i++)
		free((void *)(uintptr_t)batch.pieces[i].addr);
	return 0;
}

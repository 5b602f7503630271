/* SPDX-License-Identifier: BSD-3-Clause */
/* snoop_rig.c: see snoop_rig.h. */
#include "snoop_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_hint.h"
#include "fdb.h"
#include "frame.h"
#include "groups.h"
#include "port.h"
#include "snoop.h"
#include "snoop_packet.h"
#include "switch.h"
#include "worker.h"

struct vswitch sw;
struct worker *worker;
struct port port = {.id = PORT};
struct message msg;
struct packet packet;

int
set_up(void **state)
{
	(void)state;
	worker = aligned_alloc(64, sizeof(*worker));
	memset(worker, 0, sizeof(*worker));
	worker->batch = aligned_alloc(64, sizeof(struct batch));
	worker->sw = &sw;
	atomic_store(&sw.now_s, 1);
	fake_hints_forget();
	return 0;
}

int
tear_down(void **state)
{
	(void)state;
	free(worker->batch);
	free(worker);
	return 0;
}

/* The packet as the only frame: head_len bytes in the head, the rest in pieces of piece_len. */
void
lend(uint16_t tci, uint32_t head_len, uint32_t piece_len)
{
	struct batch *b = worker->batch;
	struct frame *f;

	batch_start(b, PORT, 0);
	f = batch_next(b);
	f->len = packet.len;
	f->head_len = (uint16_t)(head_len < packet.len ? head_len : packet.len);
	f->tci = tci;
	f->tpid = tci ? 0x8100 : 0;
	memcpy(f->head, packet.bytes, f->head_len);
	for (uint32_t off = f->head_len, part; off < packet.len; off += part) {
		uint8_t *piece;

		part = packet.len - off < piece_len ? packet.len - off : piece_len;
		piece = malloc(part);
		memcpy(piece, packet.bytes + off, part);
		batch_add_piece(b, f, piece, part);
	}
	batch_commit(b);
}

void
take_back(void)
{
	for (uint32_t i = 0; i < worker->batch->n_pieces; i++)
		free((void *)(uintptr_t)worker->batch->pieces[i].addr);
}

void
hear_split(uint16_t tci, uint32_t head_len, uint32_t piece_len)
{
	lend(tci, head_len, piece_len);
	worker->n_heard[PORT] = 0;
	fake_hints_forget();
	snoop_batch(worker, &port, 1);
	take_back();
}

void
hear(void)
{
	hear_split(0, FRAME_HEAD_MAX, MESSAGE_MAX);
}

void
hear_message(uint8_t type, const char *group, const char *dst)
{
	message_make(&msg, type, group);
	packet_make(&packet, dst, &msg);
	hear();
}

void
assert_hint(uint32_t i, enum snoop_message message, uint64_t key)
{
	assert_true(i < fake_hints.n);
	assert_int_equal(fake_hints.hints[i].type, HINT_GROUP);
	assert_int_equal(fake_hints.hints[i].port, PORT);
	assert_int_equal(snoop_arg_message(fake_hints.hints[i].arg), message);
	assert_int_equal(fake_hints.hints[i].key, key);
}

void
assert_only(enum snoop_message message, uint64_t key)
{
	assert_int_equal(fake_hints.n, 1);
	assert_hint(0, message, key);
}

void
assert_nothing(void)
{
	assert_int_equal(fake_hints.n, 0);
	assert_int_equal(fake_hints.n_lost, 0);
}

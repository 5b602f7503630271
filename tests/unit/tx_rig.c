/* SPDX-License-Identifier: BSD-3-Clause */
/* tx_rig.c: see tx_rig.h. */
#include "tx_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ring_kind.h"

struct tx_rig tx;

static struct batch batch_before;
static uint8_t bodies[BATCH_MAX][FRAME_LEN_MAX];

void
tx_open(struct ring_guest_conf conf)
{
	memset(&tx.stats, 0, sizeof(tx.stats));
	batch_start(&tx.batch, 0, 0);
	ring_guest_open(&tx.guest, ring_kind_conf(conf));
}

void
tx_close(void)
{
	ring_guest_close(&tx.guest);
}

void
tx_add_frame(uint32_t len, uint32_t part)
{
	struct frame *f = batch_next(&tx.batch);
	uint8_t *body = bodies[tx.batch.n];
	uint32_t off = len < FRAME_HEAD_MAX ? len : FRAME_HEAD_MAX;

	ring_guest_pattern(body, len, len);
	memcpy(f->head, body, off);
	f->head_len = (uint16_t)off;
	f->len = len;
	for (; off < len; off += part)
		batch_add_piece(&tx.batch, f, body + off, len - off < part ? len - off : part);
	batch_commit(&tx.batch);
}

uint64_t
tx_send(uint64_t set)
{
	uint64_t done;

	memcpy(&batch_before, &tx.batch, sizeof(batch_before));
	done = tx.guest.view.ops->tx(&tx.guest.view, &tx.guest.ring, &tx.batch, set, &tx.stats);
	assert_memory_equal(&batch_before, &tx.batch,
			    sizeof(batch_before)); /* tx never changes it */
	return done;
}

uint64_t
tx_dropped(enum drop_reason reason)
{
	return stats_read(&tx.stats.drops[reason]);
}

uint32_t
tx_check_from(uint32_t len, uint64_t addr, uint32_t room, uint32_t first, uint32_t n_slots)
{
	static uint8_t got[FRAME_RECORD_LEN + FRAME_LEN_MAX], body[FRAME_LEN_MAX];
	uint32_t need = tx.guest.view.record_len + len, sum = 0, n = 0, id, used_len;
	uint16_t n_buffers = 1;

	while (sum < need) {
		assert_true(ring_guest_used(&tx.guest, &id, &used_len));
		assert_int_equal(used_len, need - sum < room ? need - sum : room);
		ring_guest_read(&tx.guest, addr + (uint64_t)((first + n) % n_slots) * room,
				got + sum, used_len);
		sum += used_len;
		n++;
	}
	if (tx.guest.view.record_len == FRAME_RECORD_LEN)
		memcpy(&n_buffers, got + 10, sizeof(n_buffers));
	assert_int_equal(n_buffers, n);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(got[i], 0);
	ring_guest_pattern(body, len, len);
	assert_memory_equal(got + tx.guest.view.record_len, body, len);
	return n;
}

uint32_t
tx_check(uint32_t len, uint64_t addr, uint32_t room)
{
	return tx_check_from(len, addr, room, 0, UINT32_MAX);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* rx_rig.c: see rx_rig.h. */
#include "rx_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ring_kind.h"

struct rx_rig rx;

void
rx_open(struct ring_guest_conf conf)
{
	memset(&rx.stats, 0, sizeof(rx.stats));
	ring_guest_open(&rx.guest, ring_kind_conf(conf));
}

void
rx_close(void)
{
	ring_guest_close(&rx.guest);
}

uint32_t
rx_receive(void)
{
	batch_start(&rx.batch, 0, 0);
	return rx.guest.view.ops->rx(&rx.guest.view, &rx.guest.ring, &rx.batch, &rx.stats);
}

void
rx_release(void)
{
	rx.guest.view.ops->release(&rx.guest.ring);
}

uint64_t
rx_dropped(enum drop_reason reason)
{
	return stats_read(&rx.stats.drops[reason]);
}

uint32_t
rx_put_frame(uint64_t at, uint32_t len, uint32_t seed)
{
	uint32_t record_len = rx.guest.view.record_len;

	memset(rx.sent, 0, record_len);
	ring_guest_pattern(rx.sent + record_len, len, seed);
	ring_guest_write(&rx.guest, at, rx.sent, record_len + len);
	return record_len + len;
}

uint16_t
rx_put_chain(uint64_t addr, uint32_t total, uint32_t first, uint32_t part, uint64_t table)
{
	uint32_t off = 0;
	uint16_t i = 0;

	while (off < total) {
		uint32_t len = i == 0 ? first : part;
		uint16_t flags;

		len = len < total - off ? len : total - off;
		flags = off + len < total ? VRING_DESC_F_NEXT : 0;
		if (table)
			ring_guest_entry(&rx.guest, table, i, addr + off, len, flags, i + 1);
		else
			ring_guest_desc(&rx.guest, i, addr + off, len, flags, i + 1);
		off += len;
		i++;
	}
	if (!table)
		return i;
	ring_guest_desc(&rx.guest, 0, table, i * (uint32_t)sizeof(struct vring_desc),
			VRING_DESC_F_INDIRECT, 0);
	return 1;
}

void
rx_check_frame(uint32_t i, uint32_t len)
{
	static uint8_t got[FRAME_LEN_MAX];
	const uint8_t zeroes[FRAME_RECORD_LEN] = {0};
	const struct frame *f = &rx.batch.frames[i];

	assert_int_equal(f->len, len);
	assert_int_equal(f->head_len, len < FRAME_HEAD_MAX ? len : FRAME_HEAD_MAX);
	assert_ptr_equal(f->mbuf, NULL);
	frame_read(f, 0, got, len);
	assert_memory_equal(got, rx.sent + rx.guest.view.record_len, len);
	assert_memory_equal(f->head - FRAME_RECORD_LEN, zeroes, FRAME_RECORD_LEN);
}

void
rx_check_one(uint16_t head, uint32_t len)
{
	uint32_t id, used_len;

	ring_guest_offer(&rx.guest, head);
	assert_int_equal(rx_receive(), 1);
	assert_int_equal(rx.batch.n, 1);
	assert_false(ring_guest_used(&rx.guest, &id, &used_len)); /* not before release */
	rx_check_frame(0, len);
	rx_release();
	assert_true(ring_guest_used(&rx.guest, &id, &used_len));
	assert_int_equal(id, head);
	assert_int_equal(used_len, 0);
	assert_int_equal(ring_guest_n_used(&rx.guest), 0);
}

void
rx_check_dropped(uint16_t head, enum drop_reason reason)
{
	uint64_t before = rx_dropped(reason), n = 0;

	ring_guest_offer(&rx.guest, head);
	assert_int_equal(rx_receive(), 1);
	assert_int_equal(rx.batch.n, 0);
	rx_release();
	assert_int_equal(rx_dropped(reason), before + 1);
	for (int i = 0; i < DROP_REASONS; i++)
		n += rx_dropped(i);
	assert_int_equal(stats_read(&rx.stats.rx_frames), n);
	assert_int_equal(ring_guest_n_used(&rx.guest), 1);
	assert_int_equal(ring_fault(&rx.guest.ring), RING_FINE);
	assert_true(ring_take_touched(&rx.guest.ring));
}

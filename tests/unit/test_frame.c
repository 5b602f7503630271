/* SPDX-License-Identifier: BSD-3-Clause */
/* test_frame.c: batches, tags, reading over head and body, and sets of frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame.h"

enum {
	ADDRESSES = 12, /* bytes of both MAC addresses */
	PROPERTY_RUNS = 60,
	PROPERTY_LEN_MAX = 300,
};

static struct batch *batch; /* too large for the stack */
static uint64_t rng;

static int
make_batch(void **state)
{
	(void)state;
	batch = aligned_alloc(64, sizeof(*batch));
	if (!batch)
		return -1;
	memset(batch, 0xa5, sizeof(*batch)); /* nothing may rely on zeroes */
	batch_start(batch, 3, 1);
	return 0;
}

static int
free_batch(void **state)
{
	(void)state;
	free(batch);
	return 0;
}

static uint32_t
any_below(uint32_t n)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((rng >> 32) * n >> 32);
}

/* A frame of len bytes 1, 2, 3, ... in its head, with the EtherType and what follows it given. */
static struct frame *
make_frame(uint16_t len, uint16_t type, uint16_t tci, uint16_t inner)
{
	struct frame *f = batch_next(batch);
	uint16_t i;

	for (i = 0; i < len; i++)
		f->head[i] = (uint8_t)(i + 1);
	for (i = ADDRESSES; i < len && i < ADDRESSES + 6; i++) {
		uint16_t words[] = {type, tci, inner};
		uint16_t at = i - ADDRESSES;

		f->head[i] = (uint8_t)(words[at / 2] >> (at % 2 ? 0 : 8));
	}
	f->len = len;
	f->head_len = len;
	return f;
}

static void
batch_starts_empty(void **state)
{
	(void)state;
	assert_int_equal(batch->in_port, 3);
	assert_int_equal(batch->in_queue, 1);
	assert_int_equal(batch->n, 0);
	assert_int_equal(batch->n_pieces, 0);
	assert_true(batch_room(batch, 0));
	assert_true(batch_room(batch, BATCH_PIECES_MAX));
	assert_false(batch_room(batch, BATCH_PIECES_MAX + 1));
}

static void
next_frame_is_blank(void **state)
{
	static const uint8_t zeroes[FRAME_RECORD_LEN];
	struct frame *f = batch_next(batch), *again;
	struct virtio_net_hdr_mrg_rxbuf record = {.hdr.gso_size = 1448, .num_buffers = 3};

	(void)state;
	assert_ptr_equal(f->head, batch->heads[0].bytes);
	assert_memory_equal(f->head - FRAME_RECORD_LEN, zeroes, FRAME_RECORD_LEN);
	assert_int_equal(f->len + f->head_len + f->n_pieces + f->tpid + f->tci, 0);
	assert_null(f->mbuf);
	/* what was not committed is written again */
	frame_set_record(f, record);
	f->len = 99;
	batch_add_piece(batch, f, zeroes, 5);
	again = batch_next(batch);
	assert_ptr_equal(again, f);
	assert_memory_equal(f->head - FRAME_RECORD_LEN, zeroes, FRAME_RECORD_LEN);
	assert_int_equal(f->len, 0);
	assert_int_equal(f->n_pieces, 0);
	assert_int_equal(batch->n + batch->n_pieces, 0);
}

static void
batch_holds_its_frames(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < BATCH_MAX; i++) {
		struct frame *f;

		assert_true(batch_room(batch, 0));
		f = batch_next(batch);
		assert_ptr_equal(f, &batch->frames[i]);
		assert_ptr_equal(f->head, batch->heads[i].bytes);
		memset(f->head, (int)i, FRAME_HEAD_MAX);
		f->len = i;
		batch_commit(batch);
	}
	assert_false(batch_room(batch, 0));
	assert_int_equal(batch->n, BATCH_MAX);
	for (uint32_t i = 0; i < BATCH_MAX; i++) {
		assert_int_equal(batch->frames[i].len, i);
		assert_int_equal(batch->heads[i].bytes[0], i);
		assert_int_equal(batch->heads[i].bytes[FRAME_HEAD_MAX - 1], i);
	}
	batch_start(batch, 4, 0);
	assert_true(batch_room(batch, BATCH_PIECES_MAX));
}

/* Pieces of one frame lie side by side, and behind those of the frames before it. */
static void
batch_holds_its_pieces(void **state)
{
	static const uint8_t byte;
	uint32_t left = BATCH_PIECES_MAX, n = 0;

	(void)state;
	for (uint32_t i = 0; batch_room(batch, 17); i++) {
		struct frame *f = batch_next(batch);

		assert_ptr_equal(f->body, &batch->pieces[i * 17]);
		for (uint32_t j = 0; j < 17; j++)
			batch_add_piece(batch, f, &byte, ++n);
		assert_int_equal(f->n_pieces, 17);
		batch_commit(batch);
		left -= 17;
	}
	assert_in_range(left, 0, 16);
	assert_int_equal(batch->n_pieces, BATCH_PIECES_MAX - left);
	assert_true(batch_room(batch, left));
	assert_false(batch_room(batch, left + 1));
	n = 0;
	for (uint32_t i = 0; i < batch->n; i++)
		for (uint32_t j = 0; j < batch->frames[i].n_pieces; j++) {
			assert_int_equal(batch->frames[i].body[j].len, ++n);
			assert_ptr_equal(batch->frames[i].body[j].addr, &byte);
		}
}

static void
untagged_stays(void **state)
{
	static const uint16_t types[] = {0x0800, 0x86dd, 0x0806, 0x0026, 0x9100, 0x8101, 0x0081};

	(void)state;
	for (uint32_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct frame *f = make_frame(60, types[i], 7, 0x0800), was = *f;
		struct frame_head bytes = batch->heads[0];

		assert_true(frame_untag(f));
		assert_memory_equal(f, &was, sizeof(was));
		assert_memory_equal(&batch->heads[0], &bytes, sizeof(bytes));
	}
}

/* Tag out and in again gives the same bytes, the same record, for each TPID, TCI and length. */
static void
tag_goes_out_and_in(void **state)
{
	static const uint16_t tpids[] = {0x8100, 0x88a8}, tcis[] = {0, 1, 0x0fff, 0xe064, 0xffff};
	struct virtio_net_hdr_mrg_rxbuf record = {.hdr = {1, 3, 54, 1448, 34, 16},
						  .num_buffers = 9};

	(void)state;
	for (uint16_t i = 0; i < 2 * 5; i++)
		for (uint16_t len = FRAME_LEN_MIN + FRAME_TAG_LEN; len <= FRAME_HEAD_MAX; len++) {
			struct frame *f = make_frame(len, tpids[i / 5], tcis[i % 5], 0x0800);
			struct virtio_net_hdr_mrg_rxbuf got;
			uint8_t was[FRAME_HEAD_MAX];

			f->len += 1000; /* and a body */
			frame_set_record(f, record);
			memcpy(was, f->head, len);

			assert_true(frame_untag(f));
			assert_int_equal(f->tpid, tpids[i / 5]);
			assert_int_equal(f->tci, tcis[i % 5]);
			assert_int_equal(f->head_len, len - FRAME_TAG_LEN);
			assert_int_equal(f->len, len + 1000u - FRAME_TAG_LEN);
			assert_memory_equal(f->head, was, ADDRESSES);
			assert_memory_equal(f->head + ADDRESSES, was + ADDRESSES + FRAME_TAG_LEN,
					    len - ADDRESSES - FRAME_TAG_LEN);
			got = frame_record(f);
			assert_memory_equal(&got, &record, sizeof(record));

			frame_tag(f);
			assert_ptr_equal(f->head, batch->heads[0].bytes);
			assert_int_equal(f->head_len, len);
			assert_int_equal(f->len, len + 1000u);
			assert_memory_equal(f->head, was, len);
			got = frame_record(f);
			assert_memory_equal(&got, &record, sizeof(record));
		}
}

/* Of two tags (802.1ad) the outer one is taken out; the inner one is payload. */
static void
outer_tag_only(void **state)
{
	struct frame *f = make_frame(64, 0x88a8, 0x2005, 0x8100);

	(void)state;
	assert_true(frame_untag(f));
	assert_int_equal(f->tpid, 0x88a8);
	assert_int_equal(f->tci, 0x2005);
	assert_int_equal(f->head[ADDRESSES], 0x81);
	assert_int_equal(f->head[ADDRESSES + 1], 0x00);
	assert_int_equal(f->len, 60);
}

/* A frame that came without a tag has room for one, in front of everything. */
static void
untagged_can_be_tagged(void **state)
{
	static const uint8_t tag[] = {0x81, 0x00, 0x60, 0x2a};
	struct virtio_net_hdr_mrg_rxbuf record = {.num_buffers = 1}, got;
	struct frame *f = make_frame(FRAME_HEAD_MAX, 0x0800, 1, 2);
	uint8_t was[FRAME_HEAD_MAX];

	(void)state;
	frame_set_record(f, record);
	memcpy(was, f->head, sizeof(was));
	f->tpid = 0x8100;
	f->tci = 0x602a;
	frame_tag(f);
	assert_int_equal(f->len, FRAME_HEAD_MAX + FRAME_TAG_LEN);
	assert_int_equal(f->head_len, FRAME_HEAD_MAX + FRAME_TAG_LEN);
	assert_memory_equal(f->head, was, ADDRESSES);
	assert_memory_equal(f->head + ADDRESSES, tag, sizeof(tag));
	assert_memory_equal(f->head + ADDRESSES + FRAME_TAG_LEN, was + ADDRESSES,
			    FRAME_HEAD_MAX - ADDRESSES);
	got = frame_record(f);
	assert_memory_equal(&got, &record, sizeof(record));
	/* record and addresses moved into the room of this frame's own head */
	assert_ptr_equal(f->head - FRAME_RECORD_LEN, batch->heads[0].room);
}

/* A frame that ends within its tag, or right after it, before the type. */
static void
cut_tag_is_refused(void **state)
{
	(void)state;
	for (uint16_t len = FRAME_LEN_MIN; len < FRAME_LEN_MIN + FRAME_TAG_LEN; len++) {
		struct frame *f = make_frame(len, 0x8100, 5, 0x0800), was = *f;
		struct frame_head bytes = batch->heads[0];

		assert_false(frame_untag(f));
		assert_memory_equal(f, &was, sizeof(was));
		assert_memory_equal(&batch->heads[0], &bytes, sizeof(bytes));
	}
	/* one byte more is enough, and the shortest frame that is not tagged is a frame */
	assert_true(frame_untag(make_frame(FRAME_LEN_MIN + FRAME_TAG_LEN, 0x8100, 5, 0x0800)));
	assert_true(frame_untag(make_frame(FRAME_LEN_MIN, 0x0800, 5, 0)));
}

/* frame_read() from every offset, for every length, over heads and pieces of any size. */
static void
reads_at_every_offset(void **state)
{
	uint8_t bytes[PROPERTY_LEN_MAX], got[PROPERTY_LEN_MAX + 1];

	(void)state;
	rng = 2023;
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)any_below(256);
	for (uint32_t run = 0; run < PROPERTY_RUNS; run++) {
		uint32_t len = FRAME_LEN_MIN + any_below(PROPERTY_LEN_MAX - FRAME_LEN_MIN), off;
		uint32_t max = len < FRAME_HEAD_MAX ? len : FRAME_HEAD_MAX;
		struct frame *f = batch_next(batch);

		f->len = len;
		f->head_len =
			(uint16_t)(run % 4 ? FRAME_LEN_MIN + any_below(max - FRAME_LEN_MIN + 1)
					   : max);
		memcpy(f->head, bytes, f->head_len);
		for (off = f->head_len; off < len; off += f->body[f->n_pieces - 1].len) {
			uint32_t piece = 1 + any_below(run % 3 ? 40 : 3);

			batch_add_piece(batch, f, bytes + off,
					piece < len - off ? piece : len - off);
		}
		for (off = 0; off <= len; off++)
			for (uint32_t n = 0; n <= len - off; n += n < 20 ? 1 : 13) {
				memset(got, 0xee, sizeof(got));
				frame_read(f, off, got, n);
				assert_memory_equal(got, bytes + off, n);
				assert_int_equal(got[n], 0xee); /* and not a byte more */
			}
		frame_read(f, 0, got, len);
		assert_memory_equal(got, bytes, len);
		batch_start(batch, 3, 1);
	}
}

/* Offsets count from the frame as it is now: without the tag that was taken out. */
static void
reads_after_untag(void **state)
{
	static const uint8_t body[] = {101, 102, 103, 104};
	struct frame *f = make_frame(40, 0x8100, 5, 0x0800);
	uint8_t got[8];

	(void)state;
	batch_add_piece(batch, f, body, sizeof(body));
	f->len += sizeof(body);
	assert_true(frame_untag(f));
	frame_read(f, 34, got, 6);
	assert_int_equal(got[0], 39);
	assert_int_equal(got[1], 40);
	assert_memory_equal(got + 2, body, 4);
}

static void
sets_are_sets(void **state)
{
	static const uint64_t sets[] = {0, 1, 1ull << 63, 0x8000000000000001ull, 0xf0f0, ~0ull};

	(void)state;
	assert_true(set_first(0) == 0);
	assert_true(set_first(1) == 1);
	assert_true(set_first(63) == ~0ull >> 1);
	assert_true(set_first(64) == ~0ull);
	for (uint32_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		uint64_t seen = 0, set = sets[i];
		uint32_t n = 0;

		set_foreach (j, sets[i]) {
			assert_true(j < 64);
			assert_true(n == 0 || seen >> j == 0); /* in rising order, each once */
			seen |= 1ull << j;
			n++;
		}
		assert_true(seen == sets[i]);
		assert_int_equal(n, set_count(sets[i]));
		/* the set may change while it is walked, and walks may be left and nested */
		n = 0;
		set_foreach (j, set) {
			set = 0;
			set_foreach (k, sets[i]) {
				if (k > j)
					break;
				n += k == j;
			}
		}
		assert_int_equal(n, set_count(sets[i]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(batch_starts_empty, make_batch, free_batch),
		cmocka_unit_test_setup_teardown(next_frame_is_blank, make_batch, free_batch),
		cmocka_unit_test_setup_teardown(batch_holds_its_frames, make_batch, free_batch),
		cmocka_unit_test_setup_teardown(batch_holds_its_pieces, make_batch, free_batch),
		cmocka_unit_test_setup_teardown(untagged_stays, make_batch, free_batch),
		cmocka_unit_test_setup_teardown(tag_goes_out_and_in, make_batch, free_batch),
		cmocka_unit_test_setup_teardown(outer_tag_only, make_batch, free_batch),
		cmocka_unit_test_setup_teardown(untagged_can_be_tagged, make_batch, free_batch),
		cmocka_unit_test_setup_teardown(cut_tag_is_refused, make_batch, free_batch),
		cmocka_unit_test_setup_teardown(reads_at_every_offset, make_batch, free_batch),
		cmocka_unit_test_setup_teardown(reads_after_untag, make_batch, free_batch),
		cmocka_unit_test(sets_are_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dirty.c: a live migration is told of every page that we write, and of no other. What was
 * written is seen by comparing all of the guest's memory with what it was before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dirty.h"
#include "ring_guest.h"
#include "ring_kind.h"
#include "rx_rig.h"
#include "tx_rig.h"

enum {
	N_PAGES = (GUEST_ALONE + GUEST_ALONE_SIZE) / DIRTY_PAGE,
	LOG_SIZE = (N_PAGES + 7) / 8,
	NEXT = VRING_DESC_F_NEXT,
	WRITE = VRING_DESC_F_WRITE,
	ROOM = 1500, /* bytes of a buffer: no multiple of a page */
};

static struct dirty_log dirty_log;
static uint8_t *before[MEMORY_REGIONS_MAX];
static bool may_mark[N_PAGES]; /* pages that are ours to write */

/* From here on what is written is to be marked, in a log of so many bytes of heap memory. */
static void
begin(struct ring_guest *g, uint64_t log_size)
{
	dirty_log = (struct dirty_log){.bits = calloc(1, log_size), .size = log_size};
	assert_non_null(dirty_log.bits);
	memset(may_mark, 0, sizeof(may_mark));
	g->view.log = &dirty_log;
	for (uint32_t i = 0; i < g->memory.n; i++) {
		before[i] = malloc(g->memory.regions[i].size);
		assert_non_null(before[i]);
		memcpy(before[i], g->memory.regions[i].host, g->memory.regions[i].size);
	}
}

static void
allow(uint64_t guest, uint64_t len)
{
	for (uint64_t page = guest / DIRTY_PAGE; page * DIRTY_PAGE < guest + len; page++)
		may_mark[page] = true;
}

/* The part of the ring where buffers are given back. */
static void
allow_used(const struct ring_guest *g)
{
	if (ring_kind->kind == KIND_PACKED)
		allow(GUEST_DESC, sizeof(g->view.packed[0]) * g->view.size);
	else
		allow(GUEST_DEVICE, sizeof(*g->view.used) + 8u * g->view.size + 2);
}

static bool
is_marked(uint64_t page)
{
	return page / 8 < dirty_log.size && dirty_log.bits[page / 8] >> page % 8 & 1;
}

/* Returns how many pages were changed. */
static uint32_t
end(struct ring_guest *g)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->memory.n; i++) {
		const struct memory_region *r = &g->memory.regions[i];

		for (uint64_t off = 0; off < r->size; off += DIRTY_PAGE) {
			uint64_t page = (r->guest + off) / DIRTY_PAGE;
			uint64_t len = r->size - off < DIRTY_PAGE ? r->size - off : DIRTY_PAGE;

			if (memcmp(r->host + off, before[i] + off, len) == 0)
				continue;
			n++;
			assert_true(may_mark[page]);
			assert_true(is_marked(page) || page / 8 >= dirty_log.size);
		}
		free(before[i]);
	}
	for (uint64_t page = 0; page < N_PAGES; page++)
		assert_true(may_mark[page] || !is_marked(page));
	for (uint64_t page = N_PAGES; page < 8 * dirty_log.size; page++)
		assert_false(is_marked(page));
	free(dirty_log.bits);
	g->view.log = NULL;
	return n;
}

static void
test_mark(void **state)
{
	const uint32_t offs[] = {0, 1, 4095, 4096, 8191, 32767, 32768, 40000};
	const uint32_t lens[] = {0, 1, 2, 4095, 4096, 4097, 32768, 32769, 100000};
	static uint8_t space[1 << 20];
	struct memory m = {0};

	(void)state;
	assert_int_equal(memory_add(&m, 5 * DIRTY_PAGE, sizeof(space) / 2, space), 0);
	assert_int_equal(
		memory_add(&m, 1000 * DIRTY_PAGE, sizeof(space) / 2, space + sizeof(space) / 2), 0);
	for (uint32_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++)
		for (uint32_t k = 0; k < sizeof(lens) / sizeof(lens[0]); k++)
			for (uint32_t is_second = 0; is_second < 2; is_second++) {
				uint64_t first = is_second ? 1000 : 5;
				uint8_t bits[160] = {0};
				struct dirty_log log = {.bits = bits, .size = sizeof(bits)};

				dirty_mark(&log, &m,
					   space + is_second * sizeof(space) / 2 + offs[i],
					   lens[k]);
				for (uint32_t page = 0; page < 8 * sizeof(bits); page++) {
					uint64_t begins = (page - first) * DIRTY_PAGE;
					bool expected = lens[k] > 0 && page >= first &&
							begins + DIRTY_PAGE > offs[i] &&
							begins < offs[i] + lens[k];

					assert_int_equal(bits[page / 8] >> page % 8 & 1, expected);
				}
			}
}

/* What is not the guest's is in no page of it; a bit that is set already stays. */
static void
test_mark_outside(void **state)
{
	uint8_t space[64], bits[4] = {0x81, 0, 0, 0};
	struct dirty_log log = {.bits = bits, .size = sizeof(bits)};
	struct memory m = {0};

	(void)state;
	assert_int_equal(memory_add(&m, 2 * DIRTY_PAGE, sizeof(space) - 2, space + 1), 0);
	dirty_mark(&log, &m, space, 1);
	dirty_mark(&log, &m, space + 63, 1);
	assert_int_equal(bits[0], 0x81);
	dirty_mark(&log, &m, space + 62, 1);
	assert_int_equal(bits[0], 0x85);
	/* far beyond the log */
	m.regions[0].guest = UINT64_MAX - 1000;
	dirty_mark(&log, &m, space + 1, 62);
	assert_memory_equal(bits, "\x85\0\0\0", 4);
}

static void
test_attach(void **state)
{
	struct ring_guest_conf conf = {.size = 1024, .has_event_idx = true};

	(void)state;
	ring_guest_open(&tx.guest, ring_kind_conf(conf));
	memset(tx.guest.view.used, 0, 2); /* the flags, of both kinds */
	memset(tx.guest.view.device, 0, sizeof(*tx.guest.view.device));
	if (ring_kind->kind == KIND_SPLIT)
		memset(&tx.guest.view.used->ring[1024], 0, sizeof(uint16_t));
	begin(&tx.guest, LOG_SIZE);
	/* a split ring's event lies behind its entries */
	allow(GUEST_DEVICE, 2);
	if (ring_kind->kind == KIND_SPLIT)
		allow(GUEST_DEVICE + 4 + 8 * 1024, 2);
	ring_attach(&tx.guest.ring, &tx.guest.view, tx.guest.ring.avail, tx.guest.ring.avail);
	assert_int_equal(end(&tx.guest), ring_kind->kind == KIND_SPLIT ? 2 : 1);
	ring_guest_close(&tx.guest);
}

/* Frames into buffers of ROOM bytes from addr on, each in n_descs parts. */
static void
send_and_check(uint64_t addr, uint32_t n_descs, bool is_mergeable, uint64_t log_size)
{
	struct ring_guest_conf conf = {.size = 512, .base = 65500, .is_mergeable = is_mergeable};
	struct ring_guest *g = &tx.guest;
	uint32_t id, len, part = ROOM / n_descs, n = 0, sum = 0, total = 0;

	tx_open(conf);
	for (uint16_t i = 0; i < 100; i++) {
		uint16_t head = (uint16_t)(i * n_descs);

		for (uint16_t k = 0; k + 1u < n_descs; k++)
			ring_guest_desc(g, head + k, addr + i * (uint32_t)ROOM + k * part, part,
					NEXT | WRITE, head + k + 1);
		ring_guest_desc(g, (uint16_t)(head + n_descs - 1),
				addr + i * (uint32_t)ROOM + (n_descs - 1) * part,
				ROOM - (n_descs - 1) * part, WRITE, 0);
		ring_guest_offer(g, head);
	}
	for (uint32_t i = 0; i < 30; i++) {
		uint32_t frame_len = is_mergeable ? 60 + i * 150 : 60 + i * 47;

		tx_add_frame(frame_len, 1000);
		total += frame_len + FRAME_RECORD_LEN;
	}
	begin(g, log_size);
	assert_int_equal(tx_send(set_first(30)), set_first(30));
	while (ring_guest_used(g, &id, &len)) {
		allow(addr + n++ * ROOM, len);
		sum += len;
	}
	assert_int_equal(sum, total);
	allow_used(g);
	assert_true(end(g) > 5);
	tx_close();
}

static void
test_tx(void **state)
{
	(void)state;
	for (uint32_t n_descs = 1; n_descs <= 3; n_descs++)
		for (int is_mergeable = 0; is_mergeable < 2; is_mergeable++)
			for (uint64_t off = 0; off < 4096; off += 333) {
				send_and_check(GUEST_LOW + off, n_descs, is_mergeable, LOG_SIZE);
				/* over the border of two regions */
				send_and_check(GUEST_HIGH - off, n_descs, is_mergeable, LOG_SIZE);
			}
}

/* Nothing is written behind the end of a log that does not reach as far as the memory. */
static void
test_short_log(void **state)
{
	const uint64_t sizes[] = {1, GUEST_DEVICE / DIRTY_PAGE / 8, GUEST_LOW / DIRTY_PAGE / 8 + 1,
				  GUEST_HIGH / DIRTY_PAGE / 8, GUEST_HIGH / DIRTY_PAGE / 8 + 1};

	(void)state;
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		send_and_check(GUEST_LOW, 1, true, sizes[i]);
		send_and_check(GUEST_HIGH - 20000, 3, true, sizes[i]);
	}
}

/* Of what a guest sends only that it is given back. */
static void
test_rx(void **state)
{
	struct ring_guest *g = &rx.guest;
	uint32_t total;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 1024, .base = 65000});
	total = rx_put_frame(GUEST_HIGH - 500, 1000, 1);
	for (uint32_t round = 0; round < 100; round++) {
		for (uint16_t i = 0; i < 60; i++) {
			ring_guest_desc(g, i * 2, GUEST_HIGH - 500, 12, NEXT, i * 2 + 1);
			ring_guest_desc(g, i * 2 + 1, GUEST_HIGH - 488, total - 12, 0, 0);
			ring_guest_offer(g, i * 2);
		}
		begin(g, LOG_SIZE);
		assert_int_equal(rx_receive(), 60);
		assert_int_equal(rx.batch.n, 60);
		allow_used(g);
		rx_release();
		/* one page, or two; an index lies in another */
		assert_in_range(end(g), 1, 3);
		assert_int_equal(ring_guest_n_used(g), 60);
	}
	rx_close();
}

/* Pages of the ring in which no buffer was given back are not marked. */
static void
test_release_marks_no_more(void **state)
{
	struct ring_guest *g = &rx.guest;
	uint32_t total;

	(void)state;
	rx_open((struct ring_guest_conf){.size = 1024});
	total = rx_put_frame(GUEST_LOW, 100, 1);
	ring_guest_buffer(g, 0, GUEST_LOW, total, false);
	begin(g, LOG_SIZE);
	assert_int_equal(rx_receive(), 1);
	rx_release();
	allow(ring_kind->kind == KIND_PACKED ? GUEST_DESC : GUEST_DEVICE, 1);
	assert_int_equal(end(g), 1);
	rx_close();
}

int
main(void)
{
	static const struct ring_case cases[] = {
		{"mark", test_mark, KIND_ANY},
		{"mark_outside", test_mark_outside, KIND_ANY},
		{"attach", test_attach, KIND_ANY},
		{"tx", test_tx, KIND_ANY},
		{"short_log", test_short_log, KIND_ANY},
		{"rx", test_rx, KIND_ANY},
		{"release_marks_no_more", test_release_marks_no_more, KIND_ANY},
	};

	return ring_kind_run("dirty", cases, sizeof(cases) / sizeof(cases[0]));
}

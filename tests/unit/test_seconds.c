/* SPDX-License-Identifier: BSD-3-Clause */
/* test_seconds.c: the clock of stations' ages, and what is left of stations after a stall. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fdb.h"
#include "seconds.h"

enum {
	TICK_MS = 100,
	AGEING_S = 300,
	STATIONS = 64,
};

static const uint64_t ms = 1000000, start_ns = 12345678901234;

static void
ticks(void **state)
{
	struct seconds s;

	(void)state;
	seconds_start(&s, start_ns);
	for (uint64_t t = 0; t < 100000; t += TICK_MS)
		assert_int_equal(seconds_tick(&s, start_ns + t * ms), t / 1000);
}

static void
stall_is_one_second(void **state)
{
	struct seconds s;
	uint64_t at_ns = start_ns + 5500 * ms;

	(void)state;
	seconds_start(&s, start_ns);
	for (uint64_t t = 0; t <= 5500; t += TICK_MS)
		seconds_tick(&s, start_ns + t * ms);
	at_ns += 1000000 * ms;
	assert_int_equal(seconds_tick(&s, at_ns), 6);
	assert_int_equal(seconds_tick(&s, at_ns), 6);
	assert_int_equal(seconds_tick(&s, at_ns + 500 * ms), 7);
}

static void
no_grace_period(void)
{
}

/* A station that is heard all the time is there after a stall; one that is silent goes in time. */
static void
stall_ages_nobody(void **state)
{
	void *mem = aligned_alloc(64, fdb_size(STATIONS));
	uint64_t at_ns = start_ns;
	uint32_t now_s = 0;
	struct seconds s;
	struct fdb *fdb;

	(void)state;
	memset(mem, 0, fdb_size(STATIONS));
	fdb = fdb_create(mem, STATIONS, 3, no_grace_period);
	seconds_start(&s, start_ns);
	fdb_learn(fdb, 1, 1, now_s);
	fdb_learn(fdb, 2, 1, now_s);
	for (uint32_t i = 0; i < 5; i++) {
		at_ns += 1000000 *
			 ms; /* workers go on hearing it, at the second that stands still */
		fdb_learn(fdb, 1, 1, now_s);
		now_s = seconds_tick(&s, at_ns);
		assert_int_equal(fdb_age(fdb, now_s, AGEING_S, 0, 1), 0);
	}
	for (uint32_t t = 0; t <= AGEING_S * 1000; t += TICK_MS) {
		at_ns += TICK_MS * ms;
		now_s = seconds_tick(&s, at_ns);
		fdb_learn(fdb, 1, 1, now_s);
		fdb_age(fdb, now_s, AGEING_S, 0, 1);
	}
	assert_int_equal(fdb_find(fdb, 1), 1);
	assert_int_equal(fdb_find(fdb, 2), FDB_NO_PORT);
	free(fdb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ticks),
		cmocka_unit_test(stall_is_one_second),
		cmocka_unit_test(stall_ages_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

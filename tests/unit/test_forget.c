/* SPDX-License-Identifier: BSD-3-Clause */
/* test_forget.c: the stations of deleted ports go in portions, and nobody gets their ids before. */
#include "forget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	STATIONS = 40000, /* some portions */
	PORTS = 5,
	LAST = FDB_PORTS_MAX - 1, /* an id */
};

static struct fdb *fdb;

static void
synchronize(void)
{
}

static uint64_t
key_of(uint32_t i)
{
	const uint8_t mac[6] = {
		2, 0, (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

	return fdb_key(0, mac);
}

/* Ports 0 to 3 and the last one have a fifth of the stations each, port 1 a static one, too. */
static int
set_up(void **state)
{
	size_t size = fdb_size(STATIONS + 1);

	(void)state;
	fdb = aligned_alloc(64, size);
	memset(fdb, 0, size);
	fdb = fdb_create(fdb, STATIONS + 1, 1, synchronize);
	for (uint32_t i = 0; i < STATIONS; i++) {
		uint32_t port = i % PORTS;

		assert_int_equal(
			fdb_learn(fdb, key_of(i), (uint16_t)(port == PORTS - 1 ? LAST : port), 0),
			FDB_NEW);
	}
	assert_int_equal(fdb_add_static(fdb, key_of(STATIONS), 1, 0), 0);
	assert_in_range(fdb_parts(fdb), 2, 100);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	free(fdb);
	return 0;
}

static void
goes_in_portions(void **state)
{
	struct forget f = {0};
	uint32_t left, n_steps = 0;

	(void)state;
	assert_false(forget_has(&f, 1));
	forget_step(&f, fdb); /* there is nothing to do */
	assert_int_equal(fdb_count(fdb), STATIONS + 1);
	forget_port(&f, fdb, 4); /* has none */
	assert_false(forget_has(&f, 4));
	forget_port(&f, fdb, 1);
	forget_port(&f, fdb, LAST);
	while (forget_has(&f, 1)) {
		assert_true(forget_has(&f, LAST));
		left = fdb_count(fdb);
		forget_step(&f, fdb);
		assert_in_range(left - fdb_count(fdb), 1, STATIONS / fdb_parts(fdb));
		n_steps++;
	}
	assert_int_equal(n_steps, fdb_parts(fdb));
	assert_false(forget_has(&f, LAST));
	assert_int_equal(fdb_port_count(fdb, 1), 0);
	assert_int_equal(fdb_port_count(fdb, LAST), 0);
	assert_int_equal(fdb_count(fdb), STATIONS / PORTS * 3);
}

/* What a pass has come past already of a port that is deleted meanwhile, the next one takes. */
static void
comes_during_a_pass(void **state)
{
	struct forget f = {0};

	(void)state;
	forget_port(&f, fdb, 0);
	forget_step(&f, fdb);
	forget_port(&f, fdb, 2);
	while (forget_has(&f, 0))
		forget_step(&f, fdb);
	assert_int_equal(fdb_port_count(fdb, 0), 0);
	assert_true(forget_has(&f, 2));
	assert_int_equal(fdb_port_count(fdb, 2), STATIONS / PORTS);
	while (forget_has(&f, 2))
		forget_step(&f, fdb);
	assert_int_equal(fdb_port_count(fdb, 2), 0);
}

static void
goes_at_once(void **state)
{
	struct forget f = {0};

	(void)state;
	forget_all(&f, fdb);
	forget_port(&f, fdb, 0);
	forget_step(&f, fdb);
	forget_port(&f, fdb, 3);
	forget_all(&f, fdb);
	assert_false(forget_has(&f, 0));
	assert_false(forget_has(&f, 3));
	assert_int_equal(fdb_port_count(fdb, 0), 0);
	assert_int_equal(fdb_port_count(fdb, 3), 0);
	assert_int_equal(fdb_count(fdb), STATIONS / PORTS * 3 + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(goes_in_portions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(comes_during_a_pass, set_up, tear_down),
		cmocka_unit_test_setup_teardown(goes_at_once, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_fdb_model.c: random operations on the forwarding database and on a naive model of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fdb.h"
#include "fdb_slots.h"

enum {
	MODEL_STATIONS = 96,
	MODEL_MAX = 64,
	MODEL_PORTS = 6,
	MODEL_STEPS = 20000,
	MODEL_SEEDS = 12,
};

static uint64_t rng;

static uint64_t
any(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng * 0x2545f4914f6cdd1dull; /* xorshift64* (Vigna, 2016) */
}

static uint32_t
any_below(uint32_t n)
{
	return (uint32_t)((any() >> 32) * n >> 32);
}

static void
no_readers(void)
{
}

/* The model: an array. */
struct station {
	bool known, is_static;
	uint16_t port;
	uint32_t seen_s;
};

struct model {
	struct station stations[MODEL_STATIONS];
	uint64_t keys[MODEL_STATIONS];
	uint32_t limits[MODEL_PORTS];
	uint32_t now_s;
	struct fdb *fdb;
};

static uint32_t
model_count(const struct model *m, uint16_t port)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < MODEL_STATIONS; i++)
		n += m->stations[i].known && (port == FDB_NO_PORT || m->stations[i].port == port);
	return n;
}

static uint32_t
model_age(const struct model *m, const struct station *s)
{
	int32_t age = (int32_t)(m->now_s - s->seen_s);

	return age > 0 ? (uint32_t)age : 0;
}

static enum fdb_learned
model_learn(struct model *m, struct station *s, uint16_t port, uint32_t now_s)
{
	enum fdb_learned learned = s->known ? FDB_MOVED : FDB_NEW;

	if (s->known && s->port == port) {
		if ((int32_t)(now_s - s->seen_s) > 0)
			s->seen_s = now_s;
		return FDB_KNOWN;
	}
	if (s->known && s->is_static)
		return FDB_STATIC;
	if (model_count(m, port) >= m->limits[port])
		return FDB_PORT_FULL;
	if (!s->known && model_count(m, FDB_NO_PORT) >= MODEL_MAX)
		return FDB_FULL;
	*s = (struct station){.known = true, .port = port, .seen_s = now_s};
	return learned;
}

static uint32_t
model_flush(struct model *m, uint16_t port, bool with_static)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < MODEL_STATIONS; i++) {
		struct station *s = &m->stations[i];

		if (!s->known || (s->is_static && !with_static) ||
		    (port != FDB_NO_PORT && s->port != port))
			continue;
		s->known = false;
		n++;
	}
	return n;
}

static uint32_t
model_ageing(struct model *m, uint32_t ageing_s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < MODEL_STATIONS; i++) {
		struct station *s = &m->stations[i];

		if (!s->known || s->is_static || ageing_s == 0 || model_age(m, s) <= ageing_s)
			continue;
		s->known = false;
		n++;
	}
	return n;
}

static int
model_add_static(struct model *m, struct station *s, uint16_t port)
{
	if (!s->known && model_count(m, FDB_NO_PORT) >= MODEL_MAX)
		return -ENOSPC;
	*s = (struct station){.known = true, .is_static = true, .port = port, .seen_s = m->now_s};
	return 0;
}

struct walk {
	const struct model *m;
	uint32_t n;
	bool shown[MODEL_STATIONS];
};

static bool
model_compare_entry(const struct fdb_entry *entry, void *arg)
{
	struct walk *w = arg;
	uint64_t key = fdb_key(entry->vlan, entry->mac);
	const struct station *s;
	uint32_t i;

	for (i = 0; w->m->keys[i] != key; i++)
		assert_true(i < MODEL_STATIONS - 1);
	assert_false(w->shown[i]);
	w->shown[i] = true;
	w->n++;
	s = &w->m->stations[i];
	assert_true(s->known);
	assert_int_equal(entry->port, s->port);
	assert_int_equal(entry->is_static, s->is_static);
	assert_int_equal(entry->age_s, model_age(w->m, s));
	return true;
}

/* Slots that are not empty: nothing is left behind by what was removed. */
static uint32_t
model_used_slots(const struct model *m)
{
	const struct slot *slots = m->fdb->lines->slots;
	uint32_t n = 0;

	for (uint64_t i = 0; i < (m->fdb->line_mask + 1) * LINE_SLOTS; i++)
		n += slots[i].key != KEY_NONE || slots[i].value != VALUE_NONE;
	return n;
}

static void
model_compare(const struct model *m)
{
	struct walk w = {.m = m};

	fdb_walk(m->fdb, m->now_s, model_compare_entry, &w);
	assert_int_equal(w.n, model_count(m, FDB_NO_PORT));
	assert_int_equal(w.n, fdb_count(m->fdb));
	assert_int_equal(w.n, model_used_slots(m));
	for (uint16_t port = 0; port < MODEL_PORTS; port++)
		assert_int_equal(fdb_port_count(m->fdb, port), model_count(m, port));
	for (uint32_t i = 0; i < MODEL_STATIONS; i++)
		assert_int_equal(fdb_find(m->fdb, m->keys[i]),
				 m->stations[i].known ? m->stations[i].port : FDB_NO_PORT);
}

static struct fdb *
model_make(uint64_t seed)
{
	void *mem = aligned_alloc(64, fdb_size(MODEL_MAX));

	assert_non_null(mem);
	memset(mem, 0, fdb_size(MODEL_MAX));
	return fdb_create(mem, MODEL_MAX, seed, no_readers);
}

static void
model_step(struct model *m)
{
	uint32_t i = any_below(MODEL_STATIONS), what = any_below(1000), parts, n, at_s;
	uint16_t port = (uint16_t)any_below(MODEL_PORTS);
	bool with_static = any_below(4) == 0;
	struct station *s = &m->stations[i];

	if (what < 800) {
		at_s = m->now_s - any_below(2); /* a worker may be a moment late */
		assert_int_equal(fdb_learn(m->fdb, m->keys[i], port, at_s),
				 model_learn(m, s, port, at_s));
	} else if (what < 850) {
		m->now_s += any_below(20);
	} else if (what < 880) {
		n = any_below(40);
		fdb_set_port_limit(m->fdb, port, n);
		m->limits[port] = n;
	} else if (what < 900) {
		assert_int_equal(fdb_add_static(m->fdb, m->keys[i], port, m->now_s),
				 model_add_static(m, s, port));
	} else if (what < 950) {
		assert_int_equal(fdb_remove(m->fdb, m->keys[i]), s->known ? 0 : -ENOENT);
		s->known = false;
	} else if (what < 990) {
		parts = 1 + any_below(100);
		at_s = any_below(200);
		n = 0;
		for (uint32_t part = 0; part < parts; part++)
			n += fdb_age(m->fdb, m->now_s, at_s, part, parts);
		assert_int_equal(n, model_ageing(m, at_s));
	} else {
		port = any_below(4) ? port : FDB_NO_PORT;
		assert_int_equal(fdb_flush(m->fdb, port, with_static),
				 model_flush(m, port, with_static));
	}
}

/* Random operations; the table and the model say the same, whatever the seed. */
static void
equals_model(void **state)
{
	static const uint32_t starts_s[] = {0, 1000000, UINT32_MAX - 50}; /* the last one wraps */

	(void)state;
	for (uint32_t seed = 0; seed < MODEL_SEEDS; seed++) {
		struct model m = {.fdb = model_make(seed), .now_s = starts_s[seed % 3]};

		rng = 4711 + seed;
		for (uint32_t i = 0; i < MODEL_STATIONS; i++)
			m.keys[i] = any() >> 4;
		m.keys[0] = 0; /* nobody's address, but a guest may send it */
		m.keys[1] = KEY_GONE;
		for (uint32_t i = 0; i < MODEL_PORTS; i++)
			m.limits[i] = UINT32_MAX;
		for (uint32_t i = 0; i < MODEL_STEPS; i++) {
			model_step(&m);
			if (i % 16 == 0)
				model_compare(&m);
		}
		model_compare(&m);
		free(m.fdb);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(equals_model)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

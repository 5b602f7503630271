/* SPDX-License-Identifier: BSD-3-Clause */
/* test_forward.c: what forward.c decides, with ports that only write down what they are given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_hint.h"
#include "fdb.h"
#include "forward.h"
#include "frame.h"
#include "port.h"
#include "snoop.h"
#include "snoop_packet.h"
#include "switch.h"
#include "worker.h"
#include "worker_rig.h"

/* What one port was given in one batch. */
struct taken {
	uint64_t set;
	uint32_t n_calls;
	uint64_t room; /* frames that find room */
	uint32_t len[BATCH_MAX];
	uint8_t head[BATCH_MAX][32];
};

static struct taken taken[N_PORTS];

static uint64_t
take(struct port *port, struct batch *batch, uint64_t set, struct worker *worker,
     struct port_stats *stats)
{
	struct taken *t = &taken[port->id];

	assert_ptr_equal(worker, &rig->worker);
	t->n_calls++;
	stats_drop(stats, DROP_TX_NO_ROOM, set_count(set & ~t->room));
	set &= t->room;
	t->set |= set;
	set_foreach (i, set) {
		t->len[i] = batch->frames[i].len;
		memcpy(t->head[i], batch->frames[i].head, sizeof(t->head[i]));
	}
	return set;
}

static const struct port_ops ops = {.type = "fake", .tx = take};

static int
set_up(void **state)
{
	(void)state;
	worker_rig_open(&ops);
	memset(taken, 0, sizeof(taken));
	for (uint32_t i = 0; i < N_PORTS; i++)
		taken[i].room = ~0ull;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	worker_rig_close();
	return 0;
}

static void
start(uint16_t in)
{
	for (int i = 0; i < N_PORTS; i++) {
		taken[i].set = 0;
		taken[i].n_calls = 0;
	}
	batch_start(rig->worker.batch, in, 0);
}

/* Stations are 02:00:00:00:00:n; 0xff is broadcast. vlan < 0: untagged. */
static void
add_frame(uint8_t dst, uint8_t src, int vlan, uint32_t len)
{
	struct batch *b = rig->worker.batch;
	struct frame *f = batch_next(b);
	uint8_t *at = f->head;

	memset(at, 0, FRAME_HEAD_MAX);
	at[0] = at[6] = 2;
	at[5] = dst;
	at[11] = src;
	if (dst == 0xff)
		memset(at, 0xff, 6);
	at[12] = 0x08;
	if (vlan >= 0) {
		at[12] = 0x81;
		at[14] = (uint8_t)(vlan >> 8);
		at[15] = (uint8_t)vlan;
		at[16] = 0x08;
	}
	f->len = len;
	f->head_len = (uint16_t)(len < FRAME_HEAD_MAX ? len : FRAME_HEAD_MAX);
	batch_commit(b);
}

static void
go(uint16_t in)
{
	forward_batch(&rig->worker, &rig->ports[in]);
}

static uint64_t
drops(uint16_t port, enum drop_reason reason)
{
	return stats_read(&rig->worker.stats[port].drops[reason]);
}

static void
send_one(uint16_t in, uint8_t dst, uint8_t src, int vlan)
{
	start(in);
	add_frame(dst, src, vlan, 60);
	go(in);
}

static void
assert_sets(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	assert_int_equal(taken[0].set, a);
	assert_int_equal(taken[1].set, b);
	assert_int_equal(taken[2].set, c);
	assert_int_equal(taken[3].set, d);
}

static void
test_unknown_floods_and_known_does_not(void **state)
{
	(void)state;
	send_one(0, 2, 1, -1);
	assert_sets(0, 1, 1, 1);
	send_one(1, 1, 2, -1);
	assert_sets(1, 0, 0, 0);
	send_one(0, 2, 1, -1);
	assert_sets(0, 1, 0, 0);
	assert_int_equal(stats_read(&rig->worker.stats[0].rx_frames), 2);
	assert_int_equal(stats_read(&rig->worker.stats[0].rx_flooded), 1);
	assert_int_equal(stats_read(&rig->worker.stats[1].tx_frames), 2);
	assert_int_equal(stats_read(&rig->worker.stats[1].tx_bytes), 120);
}

static void
test_broadcast_and_unicast_keep_their_order(void **state)
{
	(void)state;
	send_one(1, 0xff, 2, -1);
	start(0);
	add_frame(2, 1, -1, 60);
	add_frame(0xff, 1, -1, 61);
	add_frame(2, 1, -1, 62);
	go(0);
	assert_sets(0, 7, 2, 2);
	assert_int_equal(taken[1].n_calls, 1);
}

static void
test_a_full_batch_to_many_ports(void **state)
{
	(void)state;
	for (uint8_t p = 1; p < N_PORTS; p++)
		send_one(p, 0xff, (uint8_t)(10 + p), -1);
	start(0);
	for (uint32_t i = 0; i < BATCH_MAX; i++)
		add_frame((uint8_t)(11 + i % 3), 1, -1, 60 + i);
	go(0);
	assert_int_equal(taken[1].set | taken[2].set | taken[3].set, ~0ull);
	assert_int_equal(taken[1].set & taken[2].set, 0);
	assert_int_equal(taken[2].set & taken[3].set, 0);
	set_foreach (i, taken[2].set) {
		assert_int_equal(i % 3, 1);
		assert_int_equal(taken[2].len[i], 60 + i);
		assert_int_equal(taken[2].head[i][5], 12);
	}
}

static void
test_same_port_is_dropped(void **state)
{
	(void)state;
	send_one(0, 0xff, 1, -1);
	send_one(0, 0xff, 2, -1);
	send_one(0, 1, 2, -1);
	assert_sets(0, 0, 0, 0);
	assert_int_equal(drops(0, DROP_RX_SAME_PORT), 1);
}

static void
test_a_station_moves(void **state)
{
	(void)state;
	send_one(0, 0xff, 1, -1);
	send_one(3, 0xff, 1, -1);
	send_one(1, 1, 2, -1);
	assert_sets(0, 0, 0, 1);
}

/* Once a second, the switch's first one too. */
static void
test_a_full_table_is_told(void **state)
{
	(void)state;
	fake_hints_forget();
	fdb_set_port_limit(rig->sw.fdb, 0, 1);
	for (uint32_t now_s = 0; now_s < 3; now_s++) {
		atomic_store(&rig->sw.now_s, now_s);
		for (uint8_t station = 1; station < 5; station++)
			send_one(0, 0xff, station, -1);
		assert_int_equal(fake_hints.n, now_s + 1);
		assert_int_equal(fake_hints.hints[now_s].type, HINT_FDB_FULL);
		assert_int_equal(fake_hints.hints[now_s].port, 0);
		assert_int_equal(fake_hints.hints[now_s].arg, FDB_PORT_FULL);
	}
}

static void
test_vlans_learn_apart_and_tags_stay(void **state)
{
	static const uint8_t tag[] = {0x81, 0x00, 0x00, 0x05, 0x08, 0x00};

	(void)state;
	send_one(0, 0xff, 1, 5);
	send_one(1, 1, 2, 5);
	assert_sets(1, 0, 0, 0);
	assert_int_equal(taken[0].len[0], 60);
	assert_memory_equal(taken[0].head[0] + 12, tag, sizeof(tag));
	send_one(1, 1, 2, 6);
	assert_sets(1, 0, 1, 1);
	send_one(1, 1, 2, -1);
	assert_sets(1, 0, 1, 1);
}

static void
test_what_must_not_be_forwarded(void **state)
{
	uint8_t *at;

	(void)state;
	start(0);
	add_frame(2, 1, -1, 60);
	at = rig->worker.batch->frames[0].head;
	at[6] |= 1; /* a group as the source */
	add_frame(2, 0, -1, 60);
	at = rig->worker.batch->frames[1].head;
	at[6] = 0; /* all zeroes */
	add_frame(2, 1, -1, 60);
	at = rig->worker.batch->frames[2].head;
	memcpy(at, "\x01\x80\xc2\x00\x00\x0e", 6); /* LLDP */
	add_frame(2, 1, -1, 1515);
	add_frame(2, 1, 7, 1519);
	add_frame(2, 1, 7, 17); /* ends within its tag */
	go(0);
	assert_sets(0, 0, 0, 0);
	assert_int_equal(drops(0, DROP_RX_BAD_SOURCE), 2);
	assert_int_equal(drops(0, DROP_RX_LINK_LOCAL), 1);
	assert_int_equal(drops(0, DROP_RX_OVERSIZE), 2);
	assert_int_equal(drops(0, DROP_RX_RUNT), 1);
	assert_int_equal(stats_read(&rig->worker.stats[0].rx_frames), 6);
	assert_int_equal(fdb_count(rig->sw.fdb), 0);
}

static void
test_the_largest_frames_pass(void **state)
{
	(void)state;
	start(0);
	add_frame(2, 1, -1, 1514);
	add_frame(2, 1, 7, 1518);
	go(0);
	assert_sets(0, 3, 3, 3);
}

static void
test_a_smaller_mtu_at_the_receiver(void **state)
{
	(void)state;
	atomic_store(&rig->ports[2].mtu, 100);
	start(0);
	add_frame(2, 1, -1, 114);
	add_frame(2, 1, -1, 115);
	add_frame(2, 1, 9, 118);
	go(0);
	assert_sets(0, 7, 5, 7);
	assert_int_equal(drops(2, DROP_TX_OVERSIZE), 1);
}

static void
test_ports_that_are_down(void **state)
{
	(void)state;
	send_one(1, 0xff, 2, -1);
	atomic_store(&rig->ports[1].link_up, false);
	send_one(0, 2, 1, -1);
	assert_sets(0, 0, 0, 0);
	assert_int_equal(drops(1, DROP_TX_DOWN), 1);
	start(0);
	add_frame(0xff, 1, -1, 60);
	add_frame(2, 1, -1, 60);
	go(0);
	assert_sets(0, 0, 1, 1);
	assert_int_equal(drops(1, DROP_TX_DOWN), 2);
	atomic_store(&rig->ports[2].link_up, false);
	atomic_store(&rig->ports[3].link_up, false);
	send_one(0, 0xff, 1, -1);
	assert_int_equal(drops(0, DROP_RX_NO_PORT), 1);
}

static void
test_a_full_receiver_harms_no_other(void **state)
{
	(void)state;
	taken[2].room = 0;
	send_one(0, 0xff, 1, -1);
	assert_sets(0, 1, 0, 1);
	assert_int_equal(drops(2, DROP_TX_NO_ROOM), 1);
	assert_int_equal(stats_read(&rig->worker.stats[2].tx_frames), 0);
}

/* A report among other frames, tagged, is heard in its VLAN and leaves as it came. */
static void
test_reports_are_heard_and_flooded(void **state)
{
	static struct message report;
	static struct packet packet;
	struct frame *f;

	(void)state;
	fake_hints_forget();
	message_make(&report, 0x16, "239.1.2.3");
	packet_make(&packet, "239.1.2.3", &report);
	send_one(1, 0xff, 2, 5);
	start(0);
	add_frame(0xff, 1, -1, 60);
	add_frame(2, 1, 5, 60);
	add_frame(0, 1, 5, packet.len + 4);
	f = &rig->worker.batch->frames[2];
	memcpy(f->head, packet.bytes, 6);
	memcpy(f->head + 16, packet.bytes + 12, packet.len - 12);
	add_frame(3, 1, -1, 60);
	go(0);
	assert_sets(0, 15, 13, 13);
	assert_memory_equal(taken[2].head[2], packet.bytes, 6);
	assert_memory_equal(taken[2].head[2] + 12, "\x81\x00\x00\x05", 4);
	assert_int_equal(fake_hints.n, 1);
	assert_int_equal(fake_hints.hints[0].type, HINT_GROUP);
	assert_int_equal(fake_hints.hints[0].port, 0);
	assert_int_equal(snoop_arg_message(fake_hints.hints[0].arg), SNOOP_JOIN);
	assert_int_equal(fake_hints.hints[0].key, 0x000501005e010203);
}

static const struct port_ops uplink_ops = {.type = "wire", .is_uplink = true, .tx = take};

/* Some NICs give a VF its own broadcasts back. */
static void
test_an_echo_moves_nobody(void **state)
{
	(void)state;
	rig->ports[3].ops = &uplink_ops;
	send_one(0, 0xff, 1, -1);
	start(3);
	add_frame(0xff, 1, -1, 60); /* the echo */
	add_frame(0xff, 1, -1, 60);
	add_frame(0xff, 9, -1, 60); /* somebody else */
	go(3);
	assert_sets(4, 4, 4, 0);
	assert_int_equal(drops(3, DROP_RX_REFLECTED), 2);
	send_one(3, 1, 9, -1);
	assert_sets(1, 0, 0, 0);
}

/* A guest that takes the gateway's address upon itself does not cut the others off from it. */
static void
test_a_stolen_address_stops_no_unicast(void **state)
{
	(void)state;
	rig->ports[3].ops = &uplink_ops;
	send_one(1, 0xff, 2, -1);
	send_one(0, 0xff, 1, -1); /* 1 is the gateway's */
	send_one(3, 2, 1, -1);
	assert_sets(0, 1, 0, 0);
	send_one(3, 7, 1, -1); /* nobody knows 7: it may be an echo */
	assert_sets(0, 0, 0, 0);
	assert_int_equal(drops(3, DROP_RX_REFLECTED), 1);
}

static void
test_who_moved_to_the_wire_is_learned_there(void **state)
{
	(void)state;
	rig->ports[3].ops = &uplink_ops;
	send_one(0, 0xff, 1, -1);
	send_one(2, 0xff, 2, -1);
	/* the guest is gone: at once */
	atomic_store(&rig->ports[0].link_up, false);
	send_one(3, 0xff, 1, -1);
	assert_sets(0, 1, 1, 0);
	send_one(1, 1, 5, -1);
	assert_sets(0, 0, 0, 1);
	/* its port is up, but it was not heard there for a while */
	atomic_store(&rig->sw.now_s, 2);
	send_one(3, 0xff, 2, -1);
	assert_sets(0, 1, 1, 0);
	assert_int_equal(drops(3, DROP_RX_REFLECTED), 0);
}

/* A broadcast from one wire to another that both give back would go round for ever. */
static void
test_an_echo_of_another_wire_is_dropped(void **state)
{
	(void)state;
	rig->ports[2].ops = rig->ports[3].ops = &uplink_ops;
	send_one(3, 0xff, 1, -1);
	assert_sets(1, 1, 1, 0);
	send_one(2, 0xff, 1, -1);
	assert_sets(0, 0, 0, 0);
	assert_int_equal(drops(2, DROP_RX_REFLECTED), 1);
	send_one(0, 1, 5, -1);
	assert_sets(0, 0, 0, 1);
	/* who really moved there is learned there */
	atomic_store(&rig->sw.now_s, 2);
	send_one(2, 0xff, 1, -1);
	send_one(0, 1, 5, -1);
	assert_sets(0, 0, 1, 0);
}

static void
test_from_the_wire_to_a_guest_is_at_once(void **state)
{
	(void)state;
	rig->ports[3].ops = &uplink_ops;
	send_one(3, 0xff, 1, -1);
	send_one(0, 0xff, 1, -1);
	send_one(1, 1, 5, -1);
	assert_sets(1, 0, 0, 0);
	assert_int_equal(drops(3, DROP_RX_REFLECTED), 0);
}

static void
test_a_port_just_deleted_is_unknown(void **state)
{
	(void)state;
	send_one(3, 0xff, 9, -1);
	rig->table->by_id[3] = NULL;
	rig->table->n = 3;
	send_one(0, 9, 1, -1);
	assert_sets(0, 1, 1, 0);
}

static void
test_every_frame_is_accounted_for(void **state)
{
	uint64_t in = 0, out = 0, dropped = 0, flooded = 0;

	(void)state;
	srand(7);
	for (int round = 0; round < 500; round++) {
		uint16_t port = (uint16_t)(rand() % N_PORTS);

		start(port);
		for (int n = rand() % BATCH_MAX; n >= 0; n--)
			add_frame((uint8_t)(rand() % 12 ? 1 + rand() % 8 : 0xff),
				  (uint8_t)(1 + port * 2 + rand() % 2), rand() % 4 ? -1 : 3,
				  (uint32_t)(60 + rand() % 1500));
		go(port);
	}
	for (uint16_t p = 0; p < N_PORTS; p++) {
		struct port_counts c = {0};

		stats_sum(&c, &rig->worker.stats[p]);
		in += c.rx_frames;
		out += c.tx_frames;
		flooded += c.rx_flooded;
		for (int r = 0; r < DROP_REASONS; r++)
			dropped += c.drops[r];
	}
	/* a flooded frame leaves N_PORTS - 1 times, any other once or as a drop */
	assert_int_equal(in + flooded * (N_PORTS - 2), out + dropped);
	assert_true(flooded > 0 && dropped > 0 && out > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_unknown_floods_and_known_does_not, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_broadcast_and_unicast_keep_their_order, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_full_batch_to_many_ports, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_same_port_is_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_station_moves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_full_table_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_vlans_learn_apart_and_tags_stay, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_what_must_not_be_forwarded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_largest_frames_pass, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_smaller_mtu_at_the_receiver, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_ports_that_are_down, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_full_receiver_harms_no_other, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_reports_are_heard_and_flooded, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_an_echo_moves_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_stolen_address_stops_no_unicast, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_who_moved_to_the_wire_is_learned_there, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_an_echo_of_another_wire_is_dropped, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_from_the_wire_to_a_guest_is_at_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_port_just_deleted_is_unknown, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_every_frame_is_accounted_for, set_up,
						tear_down),
	};

	return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}

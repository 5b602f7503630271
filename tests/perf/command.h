/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.h: one line of what the programs that play guests are told on stdin:
 *
 *	teach     every station sends a frame, so that the switch knows it
 *	window    sends for ms milliseconds and counts what arrives
 *	latency   the same, and measures how long each frame takes
 *	verify    sends frames frames and compares each byte of what arrives
 *	quit
 *
 * with any of KEY=VALUE:
 *
 *	size=60..65535|imix   bytes of a frame without FCS
 *	macs=                 stations of each guest; which one sends is drawn for each frame
 *	pattern=pairs         guest 2i sends to guest 2i+1, station k to station k
 *	        mesh          each guest sends to any station of any other
 *	        flood         guest 0 sends broadcasts
 *	both=0|1              pairs: in both directions
 *	layout=               of what guests send: single: header and frame in one descriptor; two:
 *	                      one each; indirect: these in a table; chain: the frame in pieces, in a
 *	                      table
 *	offload=none          or what frames leave to be done: csum, the checksum of UDP; tso, TCP
 *	        csum|tso      that is to be cut into segments, too; never of what teach sends
 *	rate=                 million frames a second of all senders together; 0: all that can be
 *	hostile=none          or what the last guest does, while its peer keeps quiet: storm
 *	        storm|pulse   (broadcasts), pulse (the same for some milliseconds, then nothing as
 *	        runt          long), runt (chains of one byte); or while its peer sends to it:
 *	        stall         stall (keeps receive buffers), interrupt (wants one for whatever
 *	        interrupt     comes)
 *	ms=                   of a window
 *	frames=               of verify
 *	limit=                most frames of a guest that are on their way; 0: no limit
 *
 * Threads: any.
 */
#ifndef PERF_COMMAND_H
#define PERF_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"
#include "ring.h"

enum command_pattern {
	COMMAND_PAIRS,
	COMMAND_MESH,
	COMMAND_FLOOD,
	COMMAND_TEACH, /* what teach sends: as in pairs, an odd number of guests in a ring */
};

enum command_hostile {
	COMMAND_NONE,
	COMMAND_STALL,
	COMMAND_STORM,
	COMMAND_RUNT,
	COMMAND_PULSE,
	COMMAND_INTERRUPT,
};

struct command {
	char verb[16];
	uint32_t len;  /* bytes of a frame, without virtio header and FCS; of a mixture's longest */
	bool is_mixed; /* IMIX: frame_mix_len() says the length of each */
	uint32_t macs;
	enum command_pattern pattern;
	bool both_ways;
	enum ring_layout layout;
	enum frame_kind kind;
	double mpps;
	enum command_hostile hostile;
	uint32_t ms;
	uint64_t frames;
	uint32_t limit;

	/* set by the verb */
	bool is_verified; /* each byte is written and compared */
	bool is_stamped;  /* the time when it was due is where the number is otherwise */
	uint32_t burst;	  /* most frames that a guest sends at once */
};

/*
 * Reads a line, which it spoils. False with a sentence, which names what is wrong; an empty line
 * is the verb "quit".
 */
bool command_read(struct command *c, char *line, char *error, size_t error_size);

#endif

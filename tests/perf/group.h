/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * group.h: the guests of one switch, all of one kind, played by one thread; and the rounds in which
 * each of them receives and sends.
 *
 * A kind of guests is a struct group_kind and a program: perf_gen (gen.c) has rings of its own,
 * perf_pmd (pmd.c) the driver of DPDK, perf_tap (tap.c) TAP interfaces. What they are told, how
 * they are measured and what they answer is the same.
 *
 * Threads: a group belongs to one thread.
 */
#ifndef PERF_GROUP_H
#define PERF_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "command.h"
#include "pace.h"
#include "probe.h"
#include "role.h"

enum {
	GROUP_BURST_MAX = 64, /* frames that a guest sends at once */
	GROUP_BURST_PACED = 32,
	GROUP_PULSE_MS = 5, /* of a hostile guest's pulse, and of the pause after it */

	/* Time without a frame after which */
	GROUP_QUIET_MS = 5,    /* nothing more will come, if nothing is missing; */
	GROUP_LOST_MS = 50,    /* what is missing is lost; */
	GROUP_STALL_MS = 2000, /* the switch will not give back what was sent */
};

struct group;

struct group_kind {
	/* Makes the guests ready for a command that their roles are prepared for; nothing is in
	 * flight. Sets the group's n_segments if it is not 1. 0 or -errno. */
	int (*prepare)(struct group *group, const struct command *c);

	/* Guests first and, if n is 2, the next one receive what there is. Returns how much moved.
	 */
	uint32_t (*receive)(struct group *group, const struct command *c, uint32_t first,
			    uint32_t n);

	/* Guest i sends at most n_max frames. Stamps are the times at which they were due by the
	 * group's pace. Returns how many. */
	uint32_t (*send)(struct group *group, const struct command *c, uint32_t i, uint32_t n_max);

	/* Has the switch given back all that the guests sent? NULL: not known. */
	bool (*is_quiet)(const struct group *group);

	/* Does what hostile guests did not: takes what they have received. */
	void (*calm)(struct group *group);

	/* Buffers that came back though the switch had them not. NULL: not known. */
	uint64_t (*n_bad_used)(const struct group *group);

	/* verify: bad frames so far, and the first one's fault or "", which is forgotten then. NULL
	 * for both: it can't verify, nor be hostile, nor calm down. */
	uint64_t (*n_bad)(const struct group *group);
	const char *(*fault)(struct group *group);
};

struct group {
	const struct group_kind *kind;
	uint32_t n_guests;
	struct role *roles[FRAME_GUESTS_MAX]; /* each lies in its guest */
	uint32_t n_buffers, buffer_len;	      /* for receiving, of each guest; bytes */

	struct probe *probe; /* NULL: none */
	int switch_cpu;	     /* -1: not known */
	pid_t switch_pid;    /* 0: not known */

	/* of the command */
	uint32_t n_counted;  /* guests whose figures count: not the hostile one and its peer */
	uint32_t fanout;     /* copies of a frame that arrive if none is lost */
	uint32_t n_segments; /* pieces that each frame arrives in, each of them counted as received
			      */
	uint32_t in_flight;  /* most frames of a guest on their way; 0: no limit */
	uint64_t forgiven[FRAME_GUESTS_MAX]; /* frames of each that count as on their way no more */
	uint64_t sent_before[FRAME_GUESTS_MAX], received_before[FRAME_GUESTS_MAX];
	struct hist hist;

	/* moving */
	struct pace pace; /* of all senders together, but hostile ones */
	uint32_t turn;	  /* of rounds */
	uint32_t first;	  /* guest of the pair that is first in the next one */
};

/* Watches the switch, as told on the command line: -1 and 0, not known. */
void group_watch(struct group *group, int switch_cpu, pid_t switch_pid);

/*
 * Makes roles and guests ready. False with a sentence if that can't be. What was sent before has
 * arrived or is lost.
 */
bool group_prepare(struct group *group, const struct command *c, char *error, size_t error_size);

/*
 * One round: all guests receive, and senders send, budget frames together at most. Returns how much
 * moved. n_sent: how many of the budget.
 */
uint32_t group_round(struct group *group, const struct command *c, uint32_t budget,
		     uint32_t *n_sent);

/* What is on its way is lost: others may be sent in its stead. */
void group_forgive(struct group *group);

/*
 * Frames sent since group_prepare() that have not arrived, each copy of a broadcast; without those
 * of hostile guests and their peers.
 */
uint64_t group_missing(const struct group *group);

/*
 * Rounds without sending until all is back from the switch and nothing more arrives. False if not
 * all that was sent is given back.
 */
bool group_drain(struct group *group, const struct command *c);

/* Reads commands from stdin and carries them out, until there are no more. */
void group_serve(struct group *group);

#endif

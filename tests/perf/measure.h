/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * measure.h: what a group of guests does at each command; each function answers on stdout with one
 * line of JSON, {"error": SENTENCE} if it could not be done. Lists have a number for each guest.
 *
 * What answers say:
 *	seconds                 that were measured
 *	sent, received          frames (teach: of all guests together)
 *	mpps                    million frames received a second, by all guests that count; one
 *				that arrives in segments counts once here, but its segments in
 *				received and lost
 *	rate                    the same of frames sent
 *	lost                    frames that did not arrive; of a broadcast, each copy counts
 *	unsent                  with a rate: that were due and found no room in time
 *	foreign                 frames that were not for the guest that received them
 *	reordered               that came after one that was sent later: of many stations, in mesh,
 *				flood and latency
 *	generator_idle          part of the time in which guests had nothing to do
 *	gap_us                  the longest time between two looks at all rings
 *	stolen                  part of the time that guests and switch waited for their CPUs, and
 *				that the host had these, in steps of 10 ms
 *	probe_ns                distance of their CPUs before and after, -1: not known
 *	bad_used                buffers that came back though the switch had them not
 *	p50_ns .. max_ns, mean_ns, n    of n frames: from when each was due to its arrival
 *	segments                verify: pieces that each frame arrives in
 *	bad, fault, given_back  verify: frames that are not as they were sent, and how the first
 *				differs; is all that was sent given back?
 *
 * With a rate, windows begin when all is quiet, and frames count wherever in the window they were
 * sent: what is not received is lost. Without, rings are full when a window begins; what was
 * received then counts, and what was lost in the few milliseconds before is in "lost", too.
 * Of hostile guests and their peers, only sent and received are said.
 *
 * Threads: the one that has the group.
 */
#ifndef PERF_MEASURE_H
#define PERF_MEASURE_H

#include "group.h"

/* Every station sends a frame, so that the switch knows where it is. */
void measure_teach(struct group *group, struct command *c);

/* Sends for c->ms milliseconds, as fast as it goes or at c->mpps, and counts what arrives. */
void measure_window(struct group *group, struct command *c);

/* The same, and measures how long frames take. */
void measure_latency(struct group *group, struct command *c);

/* Accounts for each of c->frames frames: received once, in order, as it was sent; or lost. */
void measure_verify(struct group *group, struct command *c);

#endif

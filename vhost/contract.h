/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * contract.h: the features that a port and its guest have agreed on, also from one vswitchd to the
 * next.
 *
 * A guest that runs goes on with its features, whoever serves it: QEMU connects to a new vswitchd,
 * asks what that offers, and hangs up if something is missing. So a port remembers (record.h) what
 * the process at the other end has agreed on, and when that process is back after a restart it is
 * offered this beside what the configuration says. What can't be offered any more is refused before
 * QEMU does, in a sentence that names it. A guest that was stopped before its process hung up needs
 * nothing: it is forgotten.
 *
 * What is pinned is written down before it is promised, and stays in the record until the port is
 * not pinned by a configuration that has come to be in force (contract_settle()): one that is
 * refused leaves the record as it was.
 *
 * Threads: as said; `locked` is under the session's lock.
 */
#ifndef VHOST_CONTRACT_H
#define VHOST_CONTRACT_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct session;

/* Control, before anybody connects: reads the record, pins. 0 or -errno with the sentence in e. */
int contract_open(struct session *s, struct error *e);

/* Control: the features offered now stay the most that is offered; or not any more. Likewise. */
int contract_set_pinned(struct session *s, bool is_pinned, struct error *e);

/* Control: the configuration of the port is in force. What goes wrong is logged. */
void contract_settle(struct session *s);

/* Control, nobody is connected any more: takes back what was never settled, writes the rest. */
void contract_close(struct session *s);

/* Control: there is no such port any more, nor its record. What goes wrong is logged. */
void contract_erase(const char *dir, const char *port);

/* Locked: s->peer is there. False, with s->lacking set, if its guest can't be served any more. */
bool contract_meet(struct session *s);

/* Locked: what the process that is connected is to be offered. */
uint64_t contract_offer(const struct session *s);

/* Locked: it wants these. False, with s->lacking set, if it was not offered them. */
bool contract_accepts(struct session *s, uint64_t features);

/* Locked: it has them now. */
void contract_note(struct session *s, uint64_t features);

/* Locked: it hangs up, and its guest was stopped before. */
void contract_forget(struct session *s);

/*
 * Control: writes what has changed, but a second after the last time at the soonest, because a
 * guest can change it as often as it likes, and a disk takes its time; is_last: in any case. What
 * goes wrong is logged.
 */
void contract_save(struct session *s, bool is_last);

/* Locked: why the process with s->lacking was refused: "its guest uses ..., which ...". */
void contract_explain(const struct session *s, char *text, uint32_t len);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* contract.c: see contract.h. */
#include "contract.h"

#include <errno.h>
#include <linux/vhost_types.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "error.h"
#include "feature.h"
#include "hint.h"
#include "log.h"
#include "offload.h"
#include "session.h"
#include "switch.h"

enum {
	SAVE_NS = 1000000000,
};

/* A migration goes on: that is no property of the guest. */
static const uint64_t passing = 1ull << VHOST_F_LOG_ALL;

/* All that such a port can do in this vswitchd, whatever is switched off. */
static uint64_t
can_do(const struct session *s)
{
	return feature_offered(OFFLOAD_ALL, &s->port->conf);
}

static int
write_record(struct session *s, const struct record *r, struct error *e)
{
	return record_write(s->port->sw->conf.state, s->port->conf.name, r, e);
}

static struct record
copy_record(struct session *s)
{
	struct record r;

	pthread_mutex_lock(&s->lock);
	r = s->record;
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void
set_record_pinned(struct session *s, uint64_t pinned)
{
	pthread_mutex_lock(&s->lock);
	s->record.pinned = pinned;
	pthread_mutex_unlock(&s->lock);
}

/* Why these features are not there, and what to do about it. */
static const char *
advice(const struct session *s, uint64_t features)
{
	uint64_t missing = features & ~can_do(s);
	struct port_conf other = s->port->conf;

	if (!missing && s->pinned && features & ~s->pinned)
		return "`features: pin` keeps out";
	if (!missing)
		return "offloads switches off";
	other.vhost.has_viommu = !other.vhost.has_viommu;
	if (!(missing & ~feature_offered(OFFLOAD_ALL, &other)))
		return "`viommu` decides on: set it back";
	other = s->port->conf;
	other.vhost.is_library = other.vhost.has_viommu = false;
	if (s->port->conf.vhost.is_library && !(missing & ~feature_offered(OFFLOAD_ALL, &other)))
		return "`datapath: library` does not have: set datapath to direct";
	return "this version of vswitchd does not have: go back to the one before it";
}

/* Notes what the port can do now as what it is pinned with. */
static int
pin(struct session *s, struct error *e)
{
	struct record r = copy_record(s);
	int err;

	r.pinned = can_do(s);
	err = write_record(s, &r, e);
	if (err)
		return err;
	set_record_pinned(s, r.pinned);
	s->is_pin_new = true;
	return 0;
}

int
contract_set_pinned(struct session *s, bool is_pinned, struct error *e)
{
	uint64_t lost = is_pinned ? s->record.pinned & ~can_do(s) : 0;
	int err;

	if (lost) {
		char names[FEATURE_TEXT_MAX];

		feature_text(lost, names);
		return error_set(e, -ENOTSUP,
				 "port %s: features: pinned with %s, which %s, or give the pin up "
				 "with `features: auto`",
				 s->port->conf.name, names, advice(s, lost));
	}
	if (is_pinned && !s->record.pinned && (err = pin(s, e)) != 0)
		return err;
	pthread_mutex_lock(&s->lock);
	s->pinned = is_pinned ? s->record.pinned : 0;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

int
contract_open(struct session *s, struct error *e)
{
	const struct port_conf *conf = &s->port->conf;
	int err = record_read(s->port->sw->conf.state, conf->name, &s->record, e);

	if (err && conf->vhost.is_pinned)
		return err;
	if (err)
		log_warn("%s", e->text);
	return contract_set_pinned(s, conf->vhost.is_pinned, e);
}

void
contract_settle(struct session *s)
{
	struct record r;
	struct error e;

	s->is_pin_new = false;
	if (s->record.pinned == s->pinned)
		return;
	set_record_pinned(s, s->pinned);
	r = copy_record(s);
	if (write_record(s, &r, &e) != 0)
		log_warn("%s: the file still has the pin that was given up", e.text);
}

void
contract_close(struct session *s)
{
	if (s->is_pin_new) {
		set_record_pinned(s, 0);
		atomic_store_explicit(&s->is_record_new, true, memory_order_relaxed);
	}
	contract_save(s, true);
}

void
contract_erase(const char *dir, const char *port)
{
	static const struct record nothing;
	struct error e;

	if (record_write(dir, port, &nothing, &e) != 0)
		log_warn("%s", e.text);
}

/* It will come again and again: that is said once, and not much more often of one that asks for
 * something else each time. */
static void
refuse(struct session *s, uint64_t lacking)
{
	char text[REASON_MAX];
	uint32_t suppressed;

	if (s->lacking == lacking && s->refused == s->peer)
		return;
	s->lacking = lacking;
	s->refused = s->peer;
	if (!log_allowed(&s->refusals, &suppressed))
		return;
	contract_explain(s, text, sizeof(text));
	log_err("port %s: QEMU (pid %d) is refused: %s", s->port->conf.name, (int)s->peer, text);
}

bool
contract_meet(struct session *s)
{
	const struct record_guest *guest = &s->record.guest;

	s->kept = s->offered = 0;
	s->peer_start = record_start_of(s->peer);
	if (s->peer != s->refused)
		s->lacking = 0;
	if (!s->peer || guest->pid != s->peer || guest->start != s->peer_start)
		return true;
	s->kept = guest->features;
	if (!(s->kept & ~can_do(s)))
		return true;
	refuse(s, s->kept & ~can_do(s));
	return false;
}

uint64_t
contract_offer(const struct session *s)
{
	uint32_t offloads = atomic_load_explicit(&s->offloads, memory_order_relaxed);
	uint64_t features = feature_offered(offloads, &s->port->conf);

	if (s->pinned)
		features &= s->pinned;
	return features | s->kept;
}

bool
contract_accepts(struct session *s, uint64_t features)
{
	uint64_t lacking = features & ~(s->offered ? s->offered : contract_offer(s));

	if (!lacking)
		return true;
	refuse(s, lacking);
	return false;
}

void
contract_note(struct session *s, uint64_t features)
{
	struct record_guest now = {s->peer, s->peer_start, features & ~passing};
	struct record_guest *was = &s->record.guest;

	s->lacking = 0;
	if (!now.pid || !now.start)
		return;
	if (was->pid == now.pid && was->start == now.start && was->features == now.features)
		return;
	*was = now;
	atomic_store_explicit(&s->is_record_new, true, memory_order_relaxed);
	hint_post(HINT_PORT, s->port->id, 0);
}

void
contract_forget(struct session *s)
{
	if (!s->record.guest.pid)
		return;
	s->record.guest = (struct record_guest){0};
	atomic_store_explicit(&s->is_record_new, true, memory_order_relaxed);
	hint_post(HINT_PORT, s->port->id, 0);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

void
contract_save(struct session *s, bool is_last)
{
	struct record r;
	struct error e;

	if (!atomic_load_explicit(&s->is_record_new, memory_order_relaxed) ||
	    (!is_last && s->saved_ns && now_ns() - s->saved_ns < SAVE_NS))
		return;
	pthread_mutex_lock(&s->lock);
	r = s->record;
	atomic_store_explicit(&s->is_record_new, false, memory_order_relaxed);
	pthread_mutex_unlock(&s->lock);
	s->saved_ns = now_ns();
	if (write_record(s, &r, &e) == 0) {
		s->has_save_failed = false;
	} else if (!s->has_save_failed) {
		s->has_save_failed = true;
		log_warn("%s", e.text);
	}
}

void
contract_explain(const struct session *s, char *text, uint32_t len)
{
	char names[FEATURE_TEXT_MAX];

	feature_text(s->lacking, names);
	snprintf(text, len, "its guest uses %s, which %s, or start the guest's QEMU anew", names,
		 advice(s, s->lacking));
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* pf.c: a VF as its PF has it, and as it is wished, see pf.h. */
#include "pf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/if_ether.h>

#include "error.h"
#include "log.h"
#include "netlink.h"
#include "pf_message.h"

enum {
	/*
	 * Some drivers reset the VF at each setting, as i40e and ice do, and refuse the next one
	 * until that is over, after having waited for it themselves some time.
	 */
	BUSY_TRIES = 5,
	BUSY_WAIT_US = 100000,
	VALUE_MAX = 64,
};

/* The VF that a message is about, for its sentences too. */
struct target {
	const char *port_name, *pf;
	uint16_t number;
};

static const char *const wish_names[] = {
	[PORT_WISH_OFF] = "off",
	[PORT_WISH_ON] = "on",
};
static const char *const link_state_names[] = {
	[PORT_LINK_STATE_AUTO] = "auto",
	[PORT_LINK_STATE_ENABLE] = "enable",
	[PORT_LINK_STATE_DISABLE] = "disable",
};
static const char *const key_names[PF_KEYS] = {
	[PF_KEY_MAC] = "mac",
	[PF_KEY_VLAN] = "vlan",
	[PF_KEY_RATE] = "min_rate and max_rate",
	[PF_KEY_SPOOFCHECK] = "spoofcheck",
	[PF_KEY_LINK_STATE] = "link_state",
	[PF_KEY_TRUST] = "trust",
};

static void
mac_text(const struct ether_addr *mac, char text[VALUE_MAX])
{
	const uint8_t *b = mac->ether_addr_octet;

	snprintf(text, VALUE_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
		 b[5]);
}

static void
value_text(enum pf_key key, const struct pf_vf *vf, char text[VALUE_MAX])
{
	switch (key) {
	case PF_KEY_MAC:
		mac_text(&vf->mac, text);
		break;
	case PF_KEY_VLAN:
		snprintf(text, VALUE_MAX, "%d", vf->vlan);
		break;
	case PF_KEY_RATE:
		snprintf(text, VALUE_MAX, "%lld to %lld Mbit/s (0: no limit)",
			 (long long)vf->min_rate, (long long)vf->max_rate);
		break;
	case PF_KEY_SPOOFCHECK:
		snprintf(text, VALUE_MAX, "%s", wish_names[vf->spoofcheck]);
		break;
	case PF_KEY_LINK_STATE:
		snprintf(text, VALUE_MAX, "%s", link_state_names[vf->link_state]);
		break;
	case PF_KEY_TRUST:
		snprintf(text, VALUE_MAX, "%s", wish_names[vf->trust]);
		break;
	case PF_KEYS:
		break;
	}
}

/* --- reading */

static int
judge(const struct pf_answer *answer, const char *pf, struct error *why)
{
	if (!answer->has_list)
		return error_set(why, -EOPNOTSUPP, "the driver of %s says nothing of VFs", pf);
	if (answer->has_vf)
		return 0;
	if (answer->number >= answer->n_vfs)
		return error_set(why, -ENOENT, "%s has %u VFs, numbered from 0", pf, answer->n_vfs);
	if (answer->is_cut)
		return error_set(why, -EOVERFLOW,
				 "%s has %u VFs, more than the kernel can list: take one of a lower"
				 " number",
				 pf, answer->n_vfs);
	return error_set(why, -EAGAIN, "the driver of %s says nothing of VF %u now", pf,
			 answer->number);
}

int
pf_read(const char *pf, uint16_t number, struct pf_link *link, struct pf_vf *vf, struct error *why)
{
	struct netlink_request request;
	struct pf_answer answer = {.number = number};
	int err = netlink_ask(pf_message_get(&request, pf, vf != NULL), pf_message_read, &answer,
			      why);

	*link = answer.link;
	if (!vf)
		return err;
	*vf = answer.vf;
	return err ? err : judge(&answer, pf, why);
}

/* --- setting */

static bool
differs(enum pf_key key, const struct pf_vf *a, const struct pf_vf *b)
{
	switch (key) {
	case PF_KEY_MAC:
		return memcmp(&a->mac, &b->mac, sizeof(a->mac)) != 0;
	case PF_KEY_VLAN:
		return a->vlan != b->vlan || a->vlan_qos != b->vlan_qos ||
		       a->vlan_proto != b->vlan_proto;
	case PF_KEY_RATE:
		return a->min_rate != b->min_rate || a->max_rate != b->max_rate;
	case PF_KEY_SPOOFCHECK:
		return a->spoofcheck != b->spoofcheck;
	case PF_KEY_LINK_STATE:
		return a->link_state != b->link_state;
	case PF_KEY_TRUST:
		return a->trust != b->trust;
	case PF_KEYS:
		break;
	}
	return false;
}

/* Can it be set back to that? Not to what the PF didn't say. */
static bool
is_said(enum pf_key key, const struct pf_vf *vf)
{
	switch (key) {
	case PF_KEY_VLAN:
		return vf->vlan != PORT_VLAN_NONE;
	case PF_KEY_RATE:
		return vf->min_rate != PORT_RATE_NONE && vf->max_rate != PORT_RATE_NONE;
	case PF_KEY_SPOOFCHECK:
		return vf->spoofcheck != PORT_WISH_NONE;
	case PF_KEY_LINK_STATE:
		return vf->link_state != PORT_LINK_STATE_NONE;
	case PF_KEY_TRUST:
		return vf->trust != PORT_WISH_NONE;
	default:
		return true;
	}
}

/* The VF as it is to be: as it is, but for what is wished. */
static struct pf_vf
fulfil(const struct port_vf_wish *wish, const struct pf_vf *is)
{
	struct pf_vf vf = *is;

	if (wish->has_mac)
		vf.mac = wish->mac;
	/* a VLAN that is there keeps its priority */
	if (wish->vlan != PORT_VLAN_NONE &&
	    (wish->vlan != is->vlan || is->vlan_proto != ETH_P_8021Q)) {
		vf.vlan = wish->vlan;
		vf.vlan_qos = 0;
		vf.vlan_proto = ETH_P_8021Q;
	}
	if (wish->min_rate != PORT_RATE_NONE)
		vf.min_rate = wish->min_rate;
	if (wish->max_rate != PORT_RATE_NONE)
		vf.max_rate = wish->max_rate;
	if (wish->spoofcheck != PORT_WISH_NONE)
		vf.spoofcheck = wish->spoofcheck;
	if (wish->link_state != PORT_LINK_STATE_NONE)
		vf.link_state = wish->link_state;
	if (wish->trust != PORT_WISH_NONE)
		vf.trust = wish->trust;
	return vf;
}

/*
 * The sentence for the setting of that name that the kernel, or the PF's driver, refused with err
 * and its words.
 */
static int
refuse(const struct target *t, enum pf_key key, const char *name, const struct pf_vf *vf, int err,
       const char *words, struct error *e)
{
	char value[VALUE_MAX] = "";

	value_text(key, vf, value);
	switch (err) {
	case -EOPNOTSUPP:
		return error_set(e, err,
				 "port %s: %s: the driver of %s has no such setting of its VFs:"
				 " leave the key out",
				 t->port_name, name, t->pf);
	case -EPERM:
		return error_set(e, err,
				 "port %s: %s: not permitted for VF %u of %s: vswitchd needs"
				 " CAP_NET_ADMIN, and %s must be what manages its card",
				 t->port_name, name, t->number, t->pf, t->pf);
	case -ENODEV:
		return error_set(e, err, "port %s: %s: interface %s is gone: make its VFs anew",
				 t->port_name, name, t->pf);
	case -EAGAIN:
	case -EBUSY:
		return error_set(e, err,
				 "port %s: %s: VF %u of %s is still being reset: try again later",
				 t->port_name, name, t->number, t->pf);
	case -ENETDOWN:
		return error_set(e, err,
				 "port %s: %s: %s takes no rate while its link is down: plug its"
				 " cable in, or leave the key out",
				 t->port_name, name, t->pf);
	default:
		return error_set(e, err, "port %s: %s: %s refuses %s for its VF %u: %s; %s",
				 t->port_name, name, t->pf, value, t->number, words,
				 key == PF_KEY_RATE ? "many drivers have no min_rate, and none"
						      " takes more than its link's speed"
						    : "the kernel's log may say more");
	}
}

static bool
is_link_down(const char *pf)
{
	struct pf_link link;
	struct error why;

	return pf_read(pf, 0, &link, NULL, &why) == 0 && !link.is_running;
}

/* Sets one setting to what it is in vf; 0 or -errno with the sentence in e. */
static int
set(const struct target *t, enum pf_key key, const char *name, const struct pf_vf *vf,
    struct error *e)
{
	struct netlink_request request;
	struct error why;
	int err = -EAGAIN;

	for (int i = 0; i < BUSY_TRIES && (err == -EAGAIN || err == -EBUSY); i++) {
		if (i > 0)
			usleep(BUSY_WAIT_US);
		err = netlink_ask(pf_message_set(&request, t->pf, t->number, key, vf), NULL, NULL,
				  &why);
	}
	if (err == -EINVAL && key == PF_KEY_RATE && is_link_down(t->pf))
		err = -ENETDOWN;
	return err ? refuse(t, key, name, vf, err, why.text, e) : 0;
}

/* As the config calls it. */
static const char *
wished_name(enum pf_key key, const struct port_vf_wish *wish)
{
	if (key != PF_KEY_RATE)
		return key_names[key];
	return wish->max_rate == PORT_RATE_NONE	  ? "min_rate"
	       : wish->min_rate == PORT_RATE_NONE ? "max_rate"
						  : key_names[key];
}

int
pf_set(const char *port_name, const char *pf, uint16_t number, const struct port_vf_wish *wish,
       const struct pf_vf *is, struct pf_undo *undo, struct error *e)
{
	const struct target target = {port_name, pf, number};
	struct pf_vf wanted = fulfil(wish, is);

	if (undo->keys == 0)
		undo->before = *is;
	for (enum pf_key key = 0; key < PF_KEYS; key++) {
		int err;

		if (!differs(key, &wanted, is))
			continue;
		err = set(&target, key, wished_name(key, wish), &wanted, e);
		if (err)
			return err;
		undo->keys |= 1U << key;
	}
	return 0;
}

static void
set_back(const struct target *t, enum pf_key key, const struct pf_vf *before)
{
	struct error e;

	if (!is_said(key, before)) {
		log_info("port %s: %s of VF %u of %s stays: its driver has not said what it was",
			 t->port_name, key_names[key], t->number, t->pf);
		return;
	}
	if (set(t, key, key_names[key], before, &e) == 0)
		return;
	/* some drivers let nobody take an address away */
	if (key == PF_KEY_MAC && !before->has_mac)
		log_info("port %s: VF %u of %s keeps its address: %s", t->port_name, t->number,
			 t->pf, e.text);
	else
		log_warn("%s (at setting it back)", e.text);
}

int
pf_restore(const char *port_name, const char *pf, uint16_t number, struct pf_undo *undo)
{
	const struct target target = {port_name, pf, number};
	struct pf_link link;
	struct pf_vf now;
	struct error why;
	int err = undo->keys ? pf_read(pf, number, &link, &now, &why) : 0;

	for (int i = PF_KEYS - 1; i >= 0 && err != -ENODEV && err != -ENOENT; i--) {
		enum pf_key key = (enum pf_key)i;

		if (undo->keys & 1U << key && (err || differs(key, &undo->before, &now)))
			set_back(&target, key, &undo->before);
	}
	*undo = (struct pf_undo){0};
	return err == -ENODEV || err == -ENOENT ? err : 0;
}

/* --- showing */

static void
show_text(struct report *report, const char *prefix, const char *key, const char *value)
{
	char name[VALUE_MAX];

	snprintf(name, sizeof(name), "%s_%s", prefix, key);
	if (value)
		report->text(report, name, value);
}

static void
show_number(struct report *report, const char *prefix, const char *key, int64_t value)
{
	char name[VALUE_MAX];

	snprintf(name, sizeof(name), "%s_%s", prefix, key);
	if (value >= 0) /* PORT_..._NONE is not */
		report->number(report, name, (uint64_t)value);
}

/* All that is known of it but the address; the names of what is not known are NULL. */
static void
show_settings(struct report *report, const char *prefix, const struct port_vf_wish *vf)
{
	show_number(report, prefix, "vlan", vf->vlan);
	show_text(report, prefix, "trust", wish_names[vf->trust]);
	show_text(report, prefix, "spoofcheck", wish_names[vf->spoofcheck]);
	show_text(report, prefix, "link_state", link_state_names[vf->link_state]);
	show_number(report, prefix, "min_rate", vf->min_rate);
	show_number(report, prefix, "max_rate", vf->max_rate);
}

void
pf_show(const struct pf_vf *is, const struct port_vf_wish *wish, struct report *report)
{
	const struct port_vf_wish said = {
		.vlan = is->vlan,
		.trust = is->trust,
		.spoofcheck = is->spoofcheck,
		.link_state = is->link_state,
		.min_rate = is->min_rate,
		.max_rate = is->max_rate,
	};
	char text[VALUE_MAX];

	mac_text(&is->mac, text);
	show_text(report, "pf", "mac", is->has_mac ? text : "none");
	show_settings(report, "pf", &said);
	mac_text(&wish->mac, text);
	show_text(report, "asked", "mac", wish->has_mac ? text : NULL);
	show_settings(report, "asked", wish);
}

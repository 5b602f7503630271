/* SPDX-License-Identifier: BSD-3-Clause */
/* vf.c: see vf.h. */
#include "vf.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "error.h"
#include "filter.h"
#include "log.h"
#include "netlink.h"
#include "nic.h"
#include "sysfs.h"

enum {
	READ_TRIES = 20,
	READ_WAIT_US = 50000,
};

/* Does the config want anything of the PF? */
static bool
wishes(const struct port_vf_wish *wish)
{
	return wish->has_mac || wish->vlan != PORT_VLAN_NONE || wish->trust != PORT_WISH_NONE ||
	       wish->spoofcheck != PORT_WISH_NONE || wish->link_state != PORT_LINK_STATE_NONE ||
	       wish->min_rate != PORT_RATE_NONE || wish->max_rate != PORT_RATE_NONE;
}

/* An interface that is renamed keeps its number. */
static void
follow_name(struct vf *vf, const struct port_conf *conf)
{
	char *known = vf->found.pf_ifname, name[IF_NAMESIZE];

	if (!vf->has_pf || !if_indextoname(vf->pf.index, name) || strcmp(name, known) == 0)
		return;
	log_info("port %s: the PF %s is called %s now", conf->name, known, name);
	snprintf(known, sizeof(vf->found.pf_ifname), "%s", name);
}

/* What it says replaces what it said before; if it does not answer, that stands. */
static int
read_pf(struct vf *vf, struct error *why)
{
	struct pf_link pf;
	struct pf_vf is;
	int err = pf_read(vf->found.pf_ifname, vf->found.number, &pf, &is, why);

	if (err)
		return err;
	vf->has_pf = true;
	vf->pf = pf;
	vf->is = is;
	return 0;
}

/*
 * A VF that was just made is being reset, and its PF has nothing to say of it for a moment. Some
 * PFs, as virtio's, never have: that is enough where nothing is wished of them.
 */
static int
read_pf_patiently(struct vf *vf, const struct port_conf *conf, struct error *e)
{
	bool is_needed = wishes(&conf->vf.wish);
	struct error why;
	int err = read_pf(vf, &why);

	for (int i = 0; i < READ_TRIES && (err == -EAGAIN || (err == -EOPNOTSUPP && is_needed));
	     i++) {
		usleep(READ_WAIT_US);
		err = read_pf(vf, &why);
	}
	if (err && err != -EOPNOTSUPP)
		return error_set(e, err, "port %s: the PF %s does not tell of its VF %u: %s",
				 conf->name, vf->found.pf_ifname, vf->found.number, why.text);
	return 0;
}

/*
 * Tells the PF what is wished. Some refuse rates while they have no carrier, as for seconds after
 * VFs were made: that is caught up with as soon as they have.
 */
static int
set_pf(struct vf *vf, const struct port_conf *conf, struct error *e)
{
	int err = pf_set(conf->name, vf->found.pf_ifname, vf->found.number, &conf->vf.wish, &vf->is,
			 &vf->pf_undo, e);

	if (err == -ENETDOWN && !vf->is_pending)
		log_warn("%s: it is tried again when the PF has a carrier", e->text);
	vf->is_pending = err == -ENETDOWN;
	return vf->is_pending ? 0 : err;
}

/* The PF's side: what it says, and what it is told. Without one, nothing may be wanted of it. */
static int
prepare_pf(struct vf *vf, const struct port_conf *conf, struct error *e)
{
	struct error why;
	int err;

	if (!vf->found.pf_ifname[0]) {
		if (!wishes(&conf->vf.wish))
			return 0;
		return error_set(e, -ENODEV,
				 "port %s: mac, vlan, trust, spoofcheck, link_state and rates are "
				 "set through the PF of %s, which has no interface %s: leave them "
				 "out, and set them where the PF is",
				 conf->name, vf->found.pci,
				 vf->found.pf_pci[0] ? "in the network namespace of vswitchd"
						     : "on this machine");
	}
	vf->watch = netlink_watch_open(NULL, &why);
	if (!vf->watch)
		log_warn("port %s: changes of the PF %s are not seen: %s", conf->name,
			 vf->found.pf_ifname, why.text);
	err = read_pf_patiently(vf, conf, e);
	if (err == 0)
		err = set_pf(vf, conf, e);
	return err || !vf->has_pf ? err : read_pf_patiently(vf, conf, e);
}

int
vf_prepare(struct vf *vf, const struct port_conf *conf, bool may_make, struct error *e)
{
	struct port_conf as_it_is = *conf;
	int err;

	*vf = (struct vf){0};
	if (!may_make)
		as_it_is.vf.num_vfs = 0;
	err = vfs_find(&as_it_is, &vf->found, &vf->undo, e);
	if (err == 0) /* before another port's VF is set up anew */
		err = device_check(vf->found.pci, conf->name, e);
	if (err == 0)
		err = prepare_pf(vf, conf, e);
	if (err == 0)
		err = vfs_bind(conf->name, &vf->found, &vf->undo, e);
	if (err) {
		vf_release(vf, conf);
		return err;
	}
	return 0;
}

void
vf_release(struct vf *vf, const struct port_conf *conf)
{
	int err;

	netlink_watch_close(vf->watch);
	follow_name(vf, conf);
	/* the PF first: the host's driver takes the address that it finds */
	err = pf_restore(conf->name, vf->found.pf_ifname, vf->found.number, &vf->pf_undo);
	if (err == -ENODEV && nic_is_there(vf->found.pf_pci))
		log_warn("port %s: the settings of VF %u are not set back: its PF %s has no "
			 "interface in this network namespace any more",
			 conf->name, vf->found.number, vf->found.pf_pci);
	vfs_undo(conf->name, &vf->undo);
	*vf = (struct vf){0};
}

void
vf_forget(struct vf *vf, const struct port_conf *conf)
{
	netlink_watch_close(vf->watch);
	vfs_forget(conf->name, &vf->undo);
	*vf = (struct vf){0};
}

bool
vf_refresh(struct vf *vf, const struct port_conf *conf, bool is_due)
{
	const struct pf_vf is = vf->is;
	const struct pf_link pf = vf->pf;
	bool had_pf = vf->has_pf, is_told = vf->watch && netlink_watch_drain(vf->watch);
	struct error e;

	if (!vf->found.pf_ifname[0] || (!is_told && !is_due))
		return false;
	follow_name(vf, conf);
	if (read_pf(vf, &e) != 0)
		return false;
	if (vf->is_pending && vf->pf.is_running && set_pf(vf, conf, &e) != 0)
		log_warn("%s", e.text);
	return !had_pf || is.trust != vf->is.trust || is.spoofcheck != vf->is.spoofcheck ||
	       is.vlan != vf->is.vlan || is.has_mac != vf->is.has_mac ||
	       memcmp(&is.mac, &vf->is.mac, sizeof(is.mac)) != 0 || pf.is_up != vf->pf.is_up;
}

/* The inode of its entry in sysfs: no other entry gets the same again. */
uint64_t
vf_identify(const char *pci)
{
	char path[SYSFS_PATH_MAX];
	struct stat st;

	sysfs_path(path, "bus/pci/devices/%s", pci);
	return lstat(path, &st) == 0 ? st.st_ino : 0;
}

void
vf_facts(const struct vf *vf, struct filter_facts *facts)
{
	facts->is_vf = vf->found.is_vf;
	if (!vf->has_pf)
		return;
	facts->trust = vf->is.trust;
	facts->spoofcheck = vf->is.spoofcheck;
	facts->is_pf_mac = vf->is.has_mac;
	facts->number = vf->found.number;
	snprintf(facts->pf_ifname, sizeof(facts->pf_ifname), "%s", vf->found.pf_ifname);
}

void
vf_show(const struct vf *vf, const struct port_conf *conf, struct report *report)
{
	report->text(report, "pci", vf->found.pci);
	if (vf->found.pf_pci[0]) {
		report->text(report, "pf_pci", vf->found.pf_pci);
		report->number(report, "vf", vf->found.number);
	}
	if (!vf->found.pf_ifname[0]) {
		report->text(report, "pf",
			     "not on this machine, or not in the network namespace of vswitchd");
		return;
	}
	report->text(report, "pf", vf->found.pf_ifname);
	if (!vf->has_pf) {
		report->text(report, "pf_says", "nothing: its driver has no settings of its VFs");
		return;
	}
	report->text(report, "pf_link",
		     !vf->pf.is_up	 ? "down"
		     : vf->pf.is_running ? "up"
					 : "no carrier");
	pf_show(&vf->is, &conf->vf.wish, report);
}

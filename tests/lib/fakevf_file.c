/* SPDX-License-Identifier: BSD-3-Clause */
/* fakevf_file.c: how the PF of fakevf.h decides, from a file; its events; its journal. */
#include "fakevf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_dev.h>

enum {
	LOOK_EACH_NS = 2000000,
};

struct word {
	const char *word;
	uint32_t value;
};

static const struct word answers[] = {
	{"honour", FAKEVF_HONOUR}, {"ignore", FAKEVF_IGNORE}, {"reject", FAKEVF_REJECT},
	{"notsup", FAKEVF_NOTSUP}, {"shared", FAKEVF_SHARED}, {NULL, 0},
};
static const struct word revivals[] = {
	{"nothing", FAKEVF_REVIVED},
	{"start", FAKEVF_REVIVED_BY_START},
	{"reset", FAKEVF_REVIVED_BY_RESET},
	{NULL, 0},
};
static const struct word links[] = {{"down", 0}, {"up", 1}, {NULL, 0}};

/* A key is a text where it has a size, else one of words, or a number. */
static const struct key {
	const char *key;
	size_t offset;
	size_t size;
	const struct word *words;
} keys[] = {
	{"device", offsetof(struct fakevf_conf, device), sizeof(fakevf.conf.device), NULL},
	{"driver", offsetof(struct fakevf_conf, driver), sizeof(fakevf.conf.driver), NULL},
	{"serial", offsetof(struct fakevf_conf, serial), 0, NULL},
	{"macs", offsetof(struct fakevf_conf, macs), 0, NULL},
	{"slots", offsetof(struct fakevf_conf, slots), 0, NULL},
	{"admin_mac", offsetof(struct fakevf_conf, admin_mac), 0, NULL},
	{"promiscuous", offsetof(struct fakevf_conf, promiscuous), 0, answers},
	{"allmulticast", offsetof(struct fakevf_conf, allmulticast), 0, answers},
	{"mc_list", offsetof(struct fakevf_conf, mc_list), 0, answers},
	{"vlan_filter", offsetof(struct fakevf_conf, vlan_filter), 0, answers},
	{"strip", offsetof(struct fakevf_conf, strip), 0, NULL},
	{"reflect", offsetof(struct fakevf_conf, reflect), 0, NULL},
	{"spoofcheck", offsetof(struct fakevf_conf, spoofcheck), 0, NULL},
	{"link", offsetof(struct fakevf_conf, link), 0, links},
	{"passes", offsetof(struct fakevf_conf, passes), 0, NULL},
	{"revival", offsetof(struct fakevf_conf, revival), 0, revivals},
	{"lsc", offsetof(struct fakevf_conf, lsc), 0, NULL},
	{"rmv", offsetof(struct fakevf_conf, rmv), 0, NULL},
	{"reset", offsetof(struct fakevf_conf, reset), 0, answers},
	{"reset_ms", offsetof(struct fakevf_conf, reset_ms), 0, NULL},
	{"start", offsetof(struct fakevf_conf, start), 0, answers},
	{"txqs", offsetof(struct fakevf_conf, txqs), 0, NULL},
	{"mtu_errno", offsetof(struct fakevf_conf, mtu_errno), 0, NULL},
	{"present", offsetof(struct fakevf_conf, present), 0, NULL},
	{"node", offsetof(struct fakevf_conf, node), 0, NULL},
	{"event", offsetof(struct fakevf_conf, event), sizeof(fakevf.conf.event), NULL},
	{NULL, 0, 0, NULL},
};

static int journal_fd = -1;

void
fakevf_say(const char *format, ...)
{
	char line[4096];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(line) - 1)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	if (write(journal_fd, line, (size_t)len) != len)
		abort(); /* a test that would go on without it proves nothing */
}

/* The test is wrong, not the program under test. */
static void
refuse(const char *what, const char *line)
{
	fprintf(stderr, "fakevf: %s: %s\n", what, line);
	abort();
}

static uint32_t
value_of(const struct key *key, const char *value, const char *line)
{
	char *end;
	unsigned long number;

	for (const struct word *w = key->words; w && w->word; w++)
		if (strcmp(w->word, value) == 0)
			return w->value;
	number = strtoul(value, &end, 10);
	if (key->words || *end || end == value)
		refuse("no such value", line);
	return (uint32_t)number;
}

static void
read_line(struct fakevf_conf *conf, char *line)
{
	char *value = strchr(line, '=');
	const struct key *key = keys;

	if (!value)
		refuse("not KEY=VALUE", line);
	*value++ = 0;
	while (key->key && strcmp(key->key, line) != 0)
		key++;
	if (!key->key)
		refuse("no such key", line);
	if (key->size)
		snprintf((char *)conf + key->offset, key->size, "%s", value);
	else
		*(uint32_t *)((char *)conf + key->offset) = value_of(key, value, line);
}

/* Of the defaults: a trusted VF of a good PF. */
static void
read_file(const char *path, struct fakevf_conf *conf)
{
	char line[256];
	FILE *file = fopen(path, "re");

	if (!file)
		refuse("can't be read", path);
	*conf = (struct fakevf_conf){.driver = "net_iavf",
				     .macs = FAKEVF_ADDRS_MAX,
				     .slots = FAKEVF_ADDRS_MAX,
				     .link = 1,
				     .passes = 1,
				     .present = 1};
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		read_line(conf, line);
	}
	fclose(file);
	if (conf->macs == 0 || conf->macs > FAKEVF_ADDRS_MAX)
		refuse("macs is out of range", path);
}

/* What the PF does by itself when it decides anew. */
static void
take(const struct fakevf_conf *conf)
{
	pthread_mutex_lock(&fakevf.lock);
	fakevf.conf = *conf;
	if (conf->revival != FAKEVF_REVIVED &&
	    (!conf->link || !conf->passes || strcmp(conf->event, "reset") == 0))
		fakevf.is_dead = true;
	if (!fakevf.uses_lsc || strcmp(conf->event, "lsc") == 0)
		fakevf.is_link_up = conf->link;
	pthread_mutex_unlock(&fakevf.lock);
	fakevf_say("serial %u", conf->serial);
}

/*
 * These belong to drivers: there are no public prototypes. A program that has not opened the device
 * is told nothing.
 */
static void
raise_ethdev(enum rte_eth_event_type type)
{
	struct rte_eth_dev *(*find)(const char *) = fakevf_next("rte_eth_dev_allocated");
	int (*process)(struct rte_eth_dev *, enum rte_eth_event_type, void *) =
		fakevf_next("rte_eth_dev_callback_process");
	struct rte_eth_dev *dev = find(fakevf.device);

	if (dev)
		process(dev, type, NULL);
}

static void
raise_event(const struct fakevf_conf *conf)
{
	void (*eal)(const char *, enum rte_dev_event_type) =
		fakevf_next("rte_dev_event_callback_process");

	if (!conf->event[0])
		return;
	if (strcmp(conf->event, "lsc") == 0)
		raise_ethdev(RTE_ETH_EVENT_INTR_LSC);
	else if (strcmp(conf->event, "reset") == 0)
		raise_ethdev(RTE_ETH_EVENT_INTR_RESET);
	else if (strcmp(conf->event, "rmv") == 0)
		raise_ethdev(RTE_ETH_EVENT_INTR_RMV);
	else if (strcmp(conf->event, "remove") == 0)
		eal(fakevf.device, RTE_DEV_EVENT_REMOVE);
	else
		refuse("no such event", conf->event);
	fakevf_say("event %u", conf->serial);
}

static void *
watch(void *arg)
{
	const struct timespec each = {.tv_nsec = LOOK_EACH_NS};
	uint32_t serial = fakevf.conf.serial;
	const char *path = arg;
	struct stat old = {0}, now;
	struct fakevf_conf conf;

	/* tests put a new file in place of the old: it is another one, and whole */
	for (;; nanosleep(&each, NULL)) {
		if (stat(path, &now) != 0 ||
		    (now.st_ino == old.st_ino && now.st_size == old.st_size &&
		     now.st_mtim.tv_sec == old.st_mtim.tv_sec &&
		     now.st_mtim.tv_nsec == old.st_mtim.tv_nsec))
			continue;
		old = now;
		read_file(path, &conf);
		if (conf.serial == serial)
			continue;
		serial = conf.serial;
		take(&conf);
		raise_event(&conf);
	}
	return NULL;
}

void
fakevf_watch(void)
{
	char *path = getenv("FAKEVF"), journal[4096];
	struct fakevf_conf conf;
	pthread_t thread;

	if (!path)
		refuse("not in the environment", "FAKEVF");
	snprintf(journal, sizeof(journal), "%s.journal", path);
	journal_fd = open(journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (journal_fd < 0)
		refuse("can't be written", journal);
	read_file(path, &conf);
	memcpy(fakevf.device, conf.device, sizeof(fakevf.device));
	take(&conf);
	if (pthread_create(&thread, NULL, watch, path) != 0)
		refuse("no thread", path);
	pthread_detach(thread);
}

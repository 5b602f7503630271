/* SPDX-License-Identifier: BSD-3-Clause */
/* hook.c: see hook.h. */
#include "hook.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "domain.h"
#include "ports.h"
#include "printable.h"

enum {
	XML_MAX = 16 << 20, /* bytes */
	SAID_MAX = 2048,    /* bytes of a line */
	TRIES = 2,	    /* vswitch-libvirt may add the same port at the same time */
};

static void
hook_say(const char *name, const char *what)
{
	char line[SAID_MAX];

	snprintf(line, sizeof(line), "vswitch: domain %s: %s", name, what);
	printable_blank(line);
	fprintf(stderr, "%s\n", line);
}

/* All of stdin, also where nobody asks for it: libvirt writes it. NULL: no memory, or too much. */
static char *
hook_read(size_t *len)
{
	char *text = NULL;
	size_t room = 0;

	for (*len = 0; *len < XML_MAX;) {
		size_t n;

		if (*len == room) {
			char *more = realloc(text, room += 65536);

			if (!more)
				break;
			text = more;
		}
		n = fread(text + *len, 1, room - *len, stdin);
		if (n == 0)
			return text;
		*len += n;
	}
	free(text);
	return NULL;
}

/* Is there anything here that is ours to do? Other domains must not depend on the switch. */
static bool
hook_is_concerned(const struct ports_rules *rules, const struct domain *domain)
{
	for (uint32_t i = 0; i < domain->n_nics; i++)
		if (ports_is_ours(rules, &domain->nics[i]))
			return true;
	return false;
}

static int
hook_ensure(struct client *client, const struct ports_rules *rules, const struct domain *domain)
{
	int rc = -EIO;

	client->is_mute = false;
	for (int i = 0; i < TRIES && rc && !client->is_mute; i++) {
		struct ports ports;

		rc = ports_list(client, &ports);
		if (!rc)
			rc = ports_ensure(client, &ports, rules, domain);
		ports_free(&ports);
	}
	return rc;
}

static int
hook_release(struct client *client, const struct domain *domain)
{
	struct ports ports;
	int rc = ports_list(client, &ports);

	if (!rc)
		rc = ports_release(client, &ports, domain);
	ports_free(&ports);
	return rc;
}

int
hook_run(struct client *client, const struct ports_rules *rules, int argc, char **argv)
{
	char why[DOMAIN_WHY_MAX] = "out of memory";
	const char *name, *operation;
	bool starts, refuses;
	struct domain domain = {0};
	size_t len = 0;
	char *xml;
	int rc;

	if (argc < 3) {
		fprintf(stderr,
			"usage: vswitch-libvirt --hook NAME OPERATION SUB-OPERATION [EXTRA] "
			"<DOMAIN.xml\n");
		return 2;
	}
	name = argv[0];
	operation = argv[1];
	xml = hook_read(&len);
	refuses = strcmp(operation, "prepare") == 0;
	starts = refuses || strcmp(operation, "reconnect") == 0 || strcmp(operation, "attach") == 0;
	if (!starts && strcmp(operation, "release") != 0) {
		free(xml);
		return 0;
	}
	rc = xml ? domain_parse(xml, len, &domain, why) : -ENOMEM;
	free(xml);
	if (rc) {
		hook_say(name, why);
	} else if (hook_is_concerned(rules, &domain)) {
		rc = starts ? hook_ensure(client, rules, &domain) : hook_release(client, &domain);
		if (rc)
			hook_say(name, client->why);
	}
	domain_free(&domain);
	return rc && refuses ? 1 : 0;
}

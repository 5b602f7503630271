/* SPDX-License-Identifier: BSD-3-Clause */
/* virt.c: see virt.h. */
#include "virt.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

/* What the headers declare, by the same names and types. */
struct virt {
	void *library;
	virConnectPtr connection;
	__typeof__(&virConnectOpenReadOnly) open;
	__typeof__(&virConnectClose) close;
	__typeof__(&virConnectGetVersion) version;
	__typeof__(&virConnectListAllDomains) list;
	__typeof__(&virDomainLookupByName) look_up;
	__typeof__(&virDomainGetXMLDesc) xml;
	__typeof__(&virDomainIsActive) is_active;
	__typeof__(&virDomainFree) free;
	__typeof__(&virGetLastErrorMessage) error;
	__typeof__(&virSetErrorFunc) set_error;
};

static void
virt_no_print(void *context, virErrorPtr error)
{
	(void)context;
	(void)error;
}

/* A function by its name; what dlsym(3) returns is no function pointer for the compiler. */
static bool
virt_find(struct virt *virt, const char *name, void *function)
{
	void *symbol = dlsym(virt->library, name);

	memcpy(function, &symbol, sizeof(symbol));
	return symbol != NULL;
}

static bool
virt_load(struct virt *virt)
{
	virt->library = dlopen("libvirt.so.0", RTLD_NOW);
	return virt->library && virt_find(virt, "virConnectOpenReadOnly", &virt->open) &&
	       virt_find(virt, "virConnectClose", &virt->close) &&
	       virt_find(virt, "virConnectGetVersion", &virt->version) &&
	       virt_find(virt, "virConnectListAllDomains", &virt->list) &&
	       virt_find(virt, "virDomainLookupByName", &virt->look_up) &&
	       virt_find(virt, "virDomainGetXMLDesc", &virt->xml) &&
	       virt_find(virt, "virDomainIsActive", &virt->is_active) &&
	       virt_find(virt, "virDomainFree", &virt->free) &&
	       virt_find(virt, "virGetLastErrorMessage", &virt->error) &&
	       virt_find(virt, "virSetErrorFunc", &virt->set_error);
}

struct virt *
virt_open(const char *uri, char why[VIRT_WHY_MAX])
{
	struct virt *virt = calloc(1, sizeof(*virt));

	if (!virt || !virt_load(virt)) {
		snprintf(why, VIRT_WHY_MAX, "libvirt is not installed");
	} else {
		virt->set_error(NULL, virt_no_print);
		virt->connection = virt->open(uri);
		if (virt->connection)
			return virt;
		snprintf(why, VIRT_WHY_MAX, "libvirt can't be reached: %s", virt->error());
	}
	virt_close(virt);
	return NULL;
}

void
virt_close(struct virt *virt)
{
	if (!virt)
		return;
	if (virt->connection)
		virt->close(virt->connection);
	/* the library stays: it has threads and handlers of its own */
	free(virt);
}

unsigned long
virt_qemu(struct virt *virt)
{
	unsigned long version = 0;

	return virt->version(virt->connection, &version) == 0 ? version : 0;
}

/* Takes the domain over. */
static void
virt_one(struct virt *virt, virDomainPtr domain,
	 void (*each)(const char *xml, bool is_running, void *context), void *context)
{
	char *xml = virt->xml(domain, 0);

	if (xml)
		each(xml, virt->is_active(domain) == 1, context);
	free(xml);
	virt->free(domain);
}

bool
virt_each(struct virt *virt, const char *name,
	  void (*each)(const char *xml, bool is_running, void *context), void *context,
	  char why[VIRT_WHY_MAX])
{
	virDomainPtr *all = NULL, one;
	int n = 0;

	if (name) {
		one = virt->look_up(virt->connection, name);
		if (one)
			virt_one(virt, one, each, context);
		else
			snprintf(why, VIRT_WHY_MAX, "%s", virt->error());
		return one;
	}
	n = virt->list(virt->connection, &all, 0);
	if (n < 0)
		snprintf(why, VIRT_WHY_MAX, "%s", virt->error());
	for (int i = 0; i < n; i++)
		virt_one(virt, all[i], each, context);
	free(all);
	return n >= 0;
}

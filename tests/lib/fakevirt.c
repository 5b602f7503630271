/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fakevirt.c: a libvirt that does not say what a domain is, as one does that is just being
 * restarted: is loaded before libvirt. While the file $FAKEVIRT_MUTE is there.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libvirt/libvirt.h>

char *
virDomainGetXMLDesc(virDomainPtr domain, unsigned int flags)
{
	const char *mute = getenv("FAKEVIRT_MUTE");
	__typeof__(&virDomainGetXMLDesc) next;
	void *symbol = dlsym(RTLD_NEXT, "virDomainGetXMLDesc");

	if (!symbol || (mute && access(mute, F_OK) == 0))
		return NULL;
	memcpy(&next, &symbol, sizeof(symbol));
	return next(domain, flags);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor.h: what the checks of vswitch-doctor share.
 *
 * Threads: one.
 */
#ifndef QEMU_DOCTOR_H
#define QEMU_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "client.h"
#include "domain.h"
#include "finding.h"
#include "ports.h"
#include "setup.h"

enum {
	DOCTOR_PATH_MAX = 512,
	DOCTOR_LIST_MAX = 1024,
	DOCTOR_GROUPS_MAX = 64,
};

/* Whom QEMU runs as. */
struct doctor_user {
	bool is_known;
	char name[SETUP_WORD_MAX];
	uid_t uid;
	int n_groups;
	gid_t groups[DOCTOR_GROUPS_MAX];
};

struct doctor {
	const char *root; /* before /sys, /proc, /dev and /etc/libvirt: empty, but in tests */
	struct client client;
	const char *config; /* file */
	const char *uri;    /* of libvirt */
	const char *domain; /* the only one to look at, or NULL */
	bool is_running;    /* the daemon, and so setup and ports are its */
	bool is_barred;	    /* we may not ask the daemon, whether it runs or not */
	bool is_set_up;	    /* setup is known */
	struct setup setup;
	struct ports ports;
	struct doctor_user user;
	struct findings findings;
};

/* May the text stand in a command that somebody copies into a shell? Who named a domain may not be
 * who does that. */
bool doctor_is_plain(const char *text);

/* doctor_files.c: reading what the kernel shows. Paths are formats and begin with a slash. */

/* The first line of a file, without its end; false, with an empty line, if there is none. */
bool doctor_line(const struct doctor *d, char line[DOCTOR_LIST_MAX], const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The number in a file; otherwise if there is none. */
int64_t doctor_number(const struct doctor *d, int64_t otherwise, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Does a line of the file that is no comment contain the text? */
bool doctor_has_text(const struct doctor *d, const char *path, const char *text);

bool doctor_exists(const struct doctor *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The entries of a directory that sscanf(3) finds a number in by that pattern. */
uint32_t doctor_numbers(const struct doctor *d, const char *dir, const char *pattern,
			uint32_t *numbers, uint32_t max);

/* Is the CPU in the list of a file, as 0-3,6? */
bool doctor_has_cpu(const struct doctor *d, uint32_t cpu, const char *path);

/* Where the kernel shows the device of an uplink, which is a PCI address or an interface. */
void doctor_device(const char *device, char dir[DOCTOR_PATH_MAX]);

/* The NUMA node of a CPU, 0 where there are none. */
uint32_t doctor_node(const struct doctor *d, uint32_t cpu);

/* Fills setup.workers where the configuration leaves them to the machine. */
void doctor_find_workers(struct doctor *d);

/* doctor_memory.c */
void doctor_check_hugepages(struct doctor *d);
void doctor_check_sharing(struct doctor *d);

/* doctor_cpu.c */
void doctor_check_cpus(struct doctor *d);
void doctor_check_numa(struct doctor *d);

/* doctor_device.c */
void doctor_check_iommu(struct doctor *d);
void doctor_check_vfio(struct doctor *d);

/* doctor_socket.c */
void doctor_check_sockets(struct doctor *d);

/* doctor_domain.c */
void doctor_check_domains(struct doctor *d);

#endif

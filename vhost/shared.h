/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shared.h: is a guest's memory really shared with us?
 *
 * Without `share=on` QEMU maps the file of its memory privately: the protocol goes well, and we see
 * zeroes for ever. Only the maps of the process at the other end tell.
 *
 * Threads: any but workers; reads /proc.
 */
#ifndef VHOST_SHARED_H
#define VHOST_SHARED_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Our connected socket with that path (the path is ours if we listen, theirs if we connected): a
 * descriptor that stays librte_vhost's; -1 if it can't be found.
 */
int shared_find_connection(const char *path, bool is_client);

/* The process at the other end of a connection; 0 if it can't be found. */
pid_t shared_find_peer(int fd);

/*
 * Does process pid map the file behind fd, and only privately? false if that can't be found out.
 */
bool shared_is_private(pid_t pid, int fd);

#endif

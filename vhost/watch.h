/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.h: which directory to watch by inotify for a file that is to come.
 *
 * Threads: any.
 */
#ifndef VHOST_WATCH_H
#define VHOST_WATCH_H

#include "port.h"

/*
 * Watches the directory where something has to happen for path (absolute) to come into being or to
 * change: its own, or the nearest one above that is there; of a symbolic link, that of its target.
 * name: of what has to happen it to there. Returns the watch, which is the same for all files of
 * one directory; or -1 with errno in *error.
 */
int watch_add(int inotify_fd, const char *path, char name[UNIX_PATH_MAX + 1], int *error);

#endif

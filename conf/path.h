/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * path.h: paths of sockets, which are compared by their letters.
 *
 * Threads: any.
 */
#ifndef CONF_PATH_H
#define CONF_PATH_H

/*
 * Takes out of an absolute path what means nothing in it: the second slash of `//`, and `/.`. What
 * `..` and links mean is only known where the files are. Another path stays as it is.
 */
void path_squeeze(char *path);

#endif

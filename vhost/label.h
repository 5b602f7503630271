/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * label.h: the SELinux label of files that this thread makes.
 *
 * What libselinux's setfscreatecon() does is one write to a file of the kernel's: that is done
 * here, so that a socket has its label from birth, and no library is needed.
 *
 * Threads: any; the label is the calling thread's.
 */
#ifndef VHOST_LABEL_H
#define VHOST_LABEL_H

/*
 * Files made from now on have this label; NULL: again what the policy says. root: "" but in tests,
 * where the kernel's files lie in another directory. 0; -ENOTSUP: there is no SELinux here; or the
 * kernel's -errno: -EINVAL is a label that its policy does not know.
 */
int label_set(const char *root, const char *label);

#endif

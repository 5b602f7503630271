/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * recover.h: where a packed ring is, when a switch before us was killed, or ended, beside it.
 *
 * Of a split ring the guest's memory says so. Of a packed one the device alone knows, and QEMU asks
 * it when it stops: if there is nobody left to ask, QEMU (10.0, hw/virtio) tells the next one the
 * place that it knew before. Worse, it takes what the guest sends meanwhile from there on, to drop
 * it. But the descriptors tell: the driver offers them in order, and those that were not given back
 * are to be seen. Not so where chains lie in the ring or, with IN_ORDER, for a whole burst: there
 * only one descriptor of several is written.
 *
 * Threads: the vhost thread, while no worker sees the ring. The guest may offer buffers meanwhile.
 */
#ifndef VHOST_RECOVER_H
#define VHOST_RECOVER_H

#include <stdint.h>

struct ring_view;

/*
 * The place of a sound packed ring, or base, which QEMU said, if the ring does not tell. Where
 * descriptors behind it were given back already, in a burst that was not ended or by QEMU, those
 * before them are, too, all with nothing in them, and the place is behind them all.
 */
uint16_t recover_place(const struct ring_view *v, uint16_t base);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * recover.h: where a packed ring is, when a switch before us was killed, or ended, beside it.
 *
 * Of a split ring the guest's memory says so. Of a packed one the device alone knows, and QEMU asks
 * it when it stops: if there is nobody left to ask, QEMU (10.0, hw/virtio) tells the next one the
 * place that it knew before. Worse, it takes what the guest sends meanwhile from there on, to drop
 * it. But the descriptors tell: the driver offers them in order, and those that were not given back
 * are to be seen. Not so with IN_ORDER, for a whole burst, or where chains lie in the ring: there
 * only one descriptor of several is written.
 *
 * That there are chains INDIRECT_DESC does not rule out: Linux makes one when it finds no memory
 * for a table, DPDK's driver of a frame of 8 pieces or more. A longer one is known by its NEXT
 * flags, one of two that was given back only by its second descriptor, which looks as if nobody had
 * come to it. Of several such, or of one right before the place that QEMU said, QEMU is believed.
 * If it was not asked, the guest's driver must be reset then. One such in the middle of a lap does
 * not hide the place, but looks like a burst that was cut off: what came back behind it is emptied,
 * too.
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
 * before them are, too, all with nothing in them, and the place is behind them all. Not to be
 * called for a place that was asked of us and that nobody has been beside since.
 */
uint16_t recover_place(const struct ring_view *v, uint16_t base);

#endif

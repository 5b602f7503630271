# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: everything but the device."""
from dataclasses import dataclass

from dut import Wiring

FRAME_MAX = 1518  # bytes of the longest frame, unless longer ones are asked for
RINGS = ('split', 'packed', 'in-order')
LAYOUTS = ('single', 'two', 'indirect', 'chain')  # perf_gen's
COLUMNS = {  # how a value of the field is written that has the columns of a table
    'size': lambda v: v if v == 'imix' else '64 KiB' if v == 65535 else f'{v} B',
    'ring': lambda v: {'in-order': 'packed, in-order'}.get(v, v),
    'macs': lambda v: f'{v:,} a side, {2 * v:,} in all',
    'ports': lambda v: f'{v} ports',
    'load': lambda v: f'{v} % load',
    'hostile': lambda v: {'none': 'well-behaved'}.get(v, v),
}


@dataclass(frozen=True)
class Case:
    suite: str
    ring: str = 'split'
    layout: str = 'single'
    size: object = 64  # bytes without FCS, or 'imix'
    both: bool = False
    macs: int = 1  # stations of each guest
    ports: int = 2
    pattern: str = 'pairs'  # who sends to whom: perf_gen's
    load: int = 0  # percent of the device's full rate; 0: as fast as it goes
    hostile: str = 'none'  # what the last guest does
    stations: int = 0  # of all guests, which the device has to be able to know; 0: few
    silent: int = 0  # guests that send nothing and must receive nothing: is anything flooded?

    @property
    def frame_max(self):
        return FRAME_MAX if self.size == 'imix' else max(FRAME_MAX, self.size)

    @property
    def wiring(self):
        return Wiring(self.ports, self.frame_max, self.stations, self.silent)

    def title(self, column):
        """Of a table: all but the suite, what has the columns, and what everybody expects."""
        words = []
        if column != 'ring':
            words.append({'in-order': 'packed ring, in-order'}.get(self.ring, f'{self.ring} ring'))
        words.append({'single': 'one descriptor', 'two': 'two descriptors',
                      'indirect': 'indirect', 'chain': 'in pieces'}[self.layout])
        if column != 'size':
            words.append(COLUMNS['size'](self.size))
        words.append('both ways' if self.both else 'one way')
        if column != 'macs' and self.macs > 1:
            words.append(f'{self.macs:,} stations a side, {2 * self.macs:,} in all')
        if column != 'ports' and self.ports > 2:
            words.append(f'{self.ports} ports')
        if self.ports > 2 or column == 'ports':
            words.append({'pairs': 'in pairs', 'mesh': 'any to any',
                          'flood': 'one floods all'}[self.pattern])
        return ', '.join(words)

    def traffic(self):
        """Keys of perf_gen's commands that say what is sent; defaults are left out."""
        keys = {'size': self.size, 'layout': self.layout, 'macs': self.macs}
        if self.pattern != 'pairs':
            keys['pattern'] = self.pattern
        return keys

    def load_keys(self):
        """The same for those that say how."""
        keys = {'both': self.both}
        if self.hostile != 'none':
            keys['hostile'] = self.hostile
        return keys

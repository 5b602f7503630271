# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: everything but the device."""
from dataclasses import dataclass

from dut import Wiring
from generator import Link

FRAME_MAX = 1518  # bytes of the longest frame, unless longer ones are asked for
SEGMENT_MAX = 1514  # of a segment's frame
TSO_SIZE = 64294  # of one that becomes 44 segments: the most that a Linux guest sends at once
RINGS = ('split', 'packed', 'in-order')
LAYOUTS = ('single', 'two', 'indirect', 'chain')  # perf_gen's
OFFLOADS = ('none', 'csum', 'tso')  # perf_gen's
COLUMNS = {  # how a value of the field is written that has the columns of a table
    'size': lambda v: v if v == 'imix' else f'{v} B',
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
    offload: str = 'none'  # what guests leave to be done: perf_gen's
    takes: bool = True  # the receiver takes frames as they were left; else the device has the work

    @property
    def frame_max(self):
        """Of what the device takes: what is to be cut into segments is longer than its MTU, and
        that is 1500, since Open vSwitch takes it for the length of segments.
        """
        return SEGMENT_MAX if self.offload == 'tso' else self.sent_max

    @property
    def sent_max(self):
        return FRAME_MAX if self.size == 'imix' else max(FRAME_MAX, self.size)

    @property
    def wiring(self):
        return Wiring(self.ports, self.frame_max, self.stations, self.silent,
                      self.offload != 'none')

    @property
    def link(self):
        return Link(self.ring, self.offload, self.takes, self.sent_max)

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
        if self.offload != 'none':
            words.append({'csum': 'checksum', 'tso': 'checksum and segments'}[self.offload] +
                         (' left to the receiver' if self.takes else ' made by the switch'))
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
        if self.offload != 'none':
            keys['offload'] = self.offload
        if self.pattern != 'pairs':
            keys['pattern'] = self.pattern
        return keys

    def load_keys(self):
        """The same for those that say how."""
        keys = {'both': self.both}
        if self.hostile != 'none':
            keys['hostile'] = self.hostile
        return keys

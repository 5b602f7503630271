# SPDX-License-Identifier: BSD-3-Clause
"""The suites: which cases each has, how one is measured, and what its tables show."""
import itertools
from dataclasses import dataclass, replace

import measure
from case import FRAME_MAX, RINGS, TSO_SIZE, Case

SIZES = [64, 512, 1518]
MACS = [1, 100, 10000, 100000, 500000]
PORTS = [2, 8, 32, 64]
LOADS = [10, 50, 90]
HOSTILE = ['none', 'stall', 'storm', 'pulse', 'runt', 'interrupt']
JUMBO = [9000, 65535]
SPLIT = {'ring': ['split'], 'offload': ['none']}  # unless others are chosen


@dataclass(frozen=True)
class Metric:
    """One figure of a turn. The first of a suite is the one that ratios and plots are of."""
    key: str  # of what measure.py returns
    label: str
    unit: str


MPPS = Metric('mpps', 'Mpps', 'Mpps')
GBITS = Metric('gbits', 'Gbit/s', 'Gbit/s')
CYCLES = Metric('cycles', 'its own cycles a frame', 'TSC cycles')
COUNTED = [Metric('cpu_cycles', 'CPU cycles a frame', 'cycles'),
           Metric('instructions', 'instructions a frame', 'instructions'),
           Metric('cache_misses', 'cache misses a frame', 'misses')]
RATE = [MPPS, CYCLES, *COUNTED]


@dataclass(frozen=True)
class Suite:
    about: str
    take: object  # measure.full_rate and the like
    metrics: list
    column: str  # the field of a case that has the columns
    rounds: int
    fields: object  # field of Case: a list of values to choose from, or its value; or such dicts
    base: object = None  # of the column: others are compared with it

    @property
    def parts(self):
        return [self.fields] if isinstance(self.fields, dict) else list(self.fields)

    def with_rounds(self, rounds):
        return replace(self, rounds=rounds)

    def accepts(self, key):
        """Can other values be chosen for this field?"""
        return any(isinstance(part.get(key), list) for part in self.parts)

    def cases(self, name, chosen):
        """Of all values of all fields; chosen: field to values, instead of the suite's own."""
        return [c for part in self.parts for c in self.cases_of(part, name, chosen)]

    @staticmethod
    def cases_of(part, name, chosen):
        fields = {key: value if isinstance(value, list) else [value]
                  for key, value in part.items()}
        for key, values in chosen.items():
            if values and isinstance(part.get(key), list):
                fields[key] = values
        if name == 'macs':
            fields['stations'] = [2 * max(fields['macs'])]
            fields['silent'] = [1]
        cases = [Case(name, **dict(zip(fields, values)))
                 for values in itertools.product(*fields.values())]
        return [c for c in cases if is_possible(c)]


def is_possible(case):
    if case.offload == 'tso' and (case.size == 'imix' or case.size < FRAME_MAX):
        return False  # there is nothing to be cut
    return case.ports > 2 or (case.pattern == 'pairs' and case.suite != 'isolation')


SUITES = {
    'throughput': Suite('frames a second, one way, by ring, layout and size',
                        measure.full_rate, RATE, 'size', 6,
                        {'ring': list(RINGS), 'layout': ['single', 'two', 'indirect'],
                         'offload': ['none'], 'size': SIZES}),
    'imix': Suite('frames a second of a mixture of 60, 590 and 1514 bytes, 7 : 4 : 1',
                  measure.full_rate, RATE, 'ring', 8,
                  {'ring': list(RINGS), 'offload': ['none'], 'size': 'imix'}),
    'large': Suite('plain UDP of 9000 and 65535 bytes, as with an MTU of that size: nobody leaves '
                   'segments to anybody',
                   measure.full_rate, [GBITS, MPPS, *RATE[1:]], 'size', 6,
                   {'ring': ['split', 'packed'], 'layout': ['single', 'chain'], 'size': JUMBO}),
    'offload': Suite('what guests leave to others: the checksum of UDP, by layout and size; '
                     'TCP of 44 segments at a time, at an MTU of 1500; and a receiver that takes '
                     'neither, so that the switch does it',
                     measure.full_rate, [MPPS, GBITS, *RATE[1:]], 'size', 6,
                     ({'ring': ['split'], 'layout': ['single', 'two', 'indirect'],
                       'offload': 'csum', 'size': SIZES},
                      {'ring': ['split'], 'layout': 'single', 'offload': 'csum', 'takes': False,
                       'size': SIZES},
                      {'ring': ['split'], 'layout': 'chain', 'offload': 'tso', 'size': TSO_SIZE},
                      {'ring': ['split'], 'layout': 'chain', 'offload': 'tso', 'takes': False,
                       'size': TSO_SIZE})),
    'both': Suite('frames a second of both directions together',
                  measure.full_rate, RATE, 'size', 8,
                  {'ring': ['split', 'packed'], 'offload': ['none'], 'size': SIZES,
                   'both': True}),
    'macs': Suite('frames a second by number of stations behind each of two guests; a third guest '
                  'hears nothing of it',
                  measure.full_rate, RATE, 'macs', 4, {**SPLIT, 'macs': MACS}, base=1),
    'ports': Suite('frames a second by number of ports: in pairs, any to any, and flooded to all',
                   measure.full_rate, RATE, 'ports', 4,
                   {**SPLIT, 'pattern': ['pairs', 'mesh', 'flood'], 'ports': PORTS}),
    'latency': Suite('time from guest to guest by part of the full rate',
                     measure.latency,
                     [Metric('p50_us', 'p50 µs', 'µs'), Metric('p99_us', 'p99 µs', 'µs'),
                      Metric('p999_us', 'p99.9 µs', 'µs'), Metric('mpps', 'Mpps', 'Mpps'),
                      Metric('lost_ppm', 'lost, of a million', 'ppm')],
                     'load', 6, {**SPLIT, 'size': [64, 1518], 'load': LOADS}),
    'noloss': Suite('highest rate without loss, by binary search (RFC 2544 §26.1)',
                    measure.no_loss, [Metric('mpps', 'Mpps without loss', 'Mpps'),
                                      Metric('part', 'of its full rate', '')],
                    'size', 4, {**SPLIT, 'size': SIZES}),
    'isolation': Suite('what a pair of guests keeps of its share beside a guest that misbehaves',
                       measure.isolation, [Metric('mpps', 'Mpps of the pair', 'Mpps')],
                       'hostile', 6, {**SPLIT, 'ports': [4, 64], 'hostile': HOSTILE},
                       base='none'),
}

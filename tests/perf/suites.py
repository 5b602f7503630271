# SPDX-License-Identifier: BSD-3-Clause
"""The suites: which cases each has, how one is measured, and what its tables show."""
import itertools
from dataclasses import dataclass, replace

import measure
from case import RINGS, Case

SIZES = [64, 512, 1518]
MACS = [1, 100, 10000, 100000, 500000]
PORTS = [2, 8, 32, 64]
LOADS = [10, 50, 90]
HOSTILE = ['none', 'stall', 'storm', 'runt']
JUMBO = [9000, 65535]


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
    fields: dict  # field of Case: its values, or its value
    base: object = None  # of the column: others are compared with it

    def with_rounds(self, rounds):
        return replace(self, rounds=rounds)

    def cases(self, name, chosen):
        """Of all values of all fields; chosen: field to values, instead of the suite's own."""
        fields = {key: value if isinstance(value, list) else [value]
                  for key, value in self.fields.items()}
        for key, values in chosen.items():
            if values and len(fields.get(key, [])) > 1:
                fields[key] = values
        if name == 'macs':
            fields['stations'] = [2 * max(fields['macs'])]
            fields['silent'] = [1]
        cases = [Case(name, **dict(zip(fields, values)))
                 for values in itertools.product(*fields.values())]
        return [c for c in cases if c.pattern != 'flood' or c.ports > 2]


SUITES = {
    'throughput': Suite('frames a second, one way, by ring, layout and size',
                        measure.full_rate, RATE, 'size', 6,
                        {'ring': list(RINGS), 'layout': ['single', 'two', 'indirect'],
                         'size': SIZES}),
    'imix': Suite('frames a second of a mixture of 60, 590 and 1514 bytes, 7 : 4 : 1',
                  measure.full_rate, RATE, 'ring', 8, {'ring': list(RINGS), 'size': 'imix'}),
    'large': Suite('frames of 9000 bytes, and the 64 KiB of a guest with segmentation offload',
                   measure.full_rate, [GBITS, MPPS, *RATE[1:]], 'size', 6,
                   {'ring': ['split', 'packed'], 'layout': ['single', 'chain'],
                    'size': JUMBO}),
    'both': Suite('frames a second of both directions together',
                  measure.full_rate, RATE, 'size', 8,
                  {'ring': ['split', 'packed'], 'size': SIZES, 'both': True}),
    'macs': Suite('frames a second by number of stations behind each of two guests, a third one '
                  'hears nothing',
                  measure.full_rate, RATE, 'macs', 4, {'macs': MACS}, base=1),
    'ports': Suite('frames a second by number of ports: in pairs, and flooded to all',
                   measure.full_rate, RATE, 'ports', 4,
                   {'pattern': ['pairs', 'flood'], 'ports': PORTS}),
    'latency': Suite('time from guest to guest by part of the full rate',
                     measure.latency,
                     [Metric('p50_us', 'p50 µs', 'µs'), Metric('p99_us', 'p99 µs', 'µs'),
                      Metric('p999_us', 'p99.9 µs', 'µs'), Metric('mpps', 'Mpps', 'Mpps'),
                      Metric('lost_ppm', 'lost, of a million', 'ppm')],
                     'load', 6, {'size': [64, 1518], 'load': LOADS}),
    'noloss': Suite('highest rate without loss, by binary search (RFC 2544 §26.1)',
                    measure.no_loss, [Metric('mpps', 'Mpps without loss', 'Mpps'),
                                      Metric('part', 'of its full rate', '')],
                    'size', 4, {'size': SIZES}),
    'isolation': Suite('what a pair of guests keeps of its share beside a guest that misbehaves',
                       measure.isolation, [Metric('mpps', 'Mpps of the pair', 'Mpps')],
                       'hostile', 8, {'ports': 4, 'hostile': HOSTILE}, base='none'),
}

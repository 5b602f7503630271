# SPDX-License-Identifier: BSD-3-Clause
"""No figures: do frames of every ring and layout arrive, in order and as they were sent, and does
each suite get an answer from each device? Nothing here depends on how fast the machine is.
"""
import sys
import time
from dataclasses import replace

from case import LAYOUTS, RINGS, SEGMENT_MAX, TSO_SIZE, Case
from counters import Counters
from devices import DUTS
from dut import DutError, Wiring
from generator import GeneratorError, Link, NotOffered, Setup
from measure import SLOW, Asker, Limits, Turn
from session import connect, memory_mb
from suites import SUITES

SIZES = (60, 64, 512, 1514)
FRAMES = 5000
SECONDS = 60  # after which no further suite is begun
STATIONS = 100
MEMORY_MB = 1400  # of hugepages, at most, for a device and its guests
LARGE_FRAMES = 2000
LARGE_LIMIT = 100  # of 9000 bytes: no receive ring overflows
TSO_FRAMES = 300
SKIPPED = 77  # exit code: nothing could be tested here
LIMITS = Limits(probe_ns=1e9, window_ms=30, windows=1, latency_ms=30, trial_ms=20,
                looks=1, trials=1)
SMALL = {'macs': [1, 1000], 'ports': [2, 4], 'size': [64, 1518], 'load': [50]}
SMOKE_DUTS = ('direct', 'library', 'testpmd', 'ovs', 'bridge')
UNUSUAL = Setup(ring_size=64, event_idx=True, mergeable=False)
UNALTERED = ('direct', 'library', 'testpmd', 'ovs')  # they hand frames on as they came


class Tally:
    """Counts of checks, and one line for each."""
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, name, fault):
        """fault: what is wrong, or an empty string."""
        if fault:
            self.failed += 1
            print(f'FAIL {name}: {fault}', flush=True)
        else:
            self.passed += 1
            print(f'ok   {name}', flush=True)

    def skip(self, name, reason):
        self.skipped += 1
        print(f'skip {name}: {reason}', flush=True)

    def sum(self):
        return f'{self.passed} passed, {self.failed} failed, {self.skipped} skipped'


def fault_of(answer, n_frames):
    """What verify's answer says against the device, or an empty string."""
    if answer['bad']:
        return f'{answer["bad"]} frames are not as they were sent: {answer["fault"]}'
    sent = [n * answer['segments'] for n in answer['sent']]
    swapped = [n for i in range(0, len(sent), 2) for n in sent[i:i + 2][::-1]]
    if answer['received'] != swapped:
        return f'the guests sent {answer["sent"]} frames and received {answer["received"]}'
    if sum(answer['sent']) < n_frames:
        return f'only {sum(answer["sent"])} of {n_frames} frames could be sent'
    if not answer['given_back']:
        return 'it does not give back what was sent'
    return ''


def verify(generator, tally, name, frames=FRAMES, limit=0, both=True, **keys):
    generator.ask('teach', **keys)
    answer = generator.ask('verify', both=both, frames=frames, limit=limit, **keys)
    tally.check(name, fault_of(answer, frames))


class Smoke:
    def __init__(self, place, generator_cpu, chosen, tally, until):
        self.place = place
        self.generator_cpu = generator_cpu
        self.chosen = chosen  # names of suites
        self.tally = tally
        self.counters = Counters()
        self.until = until

    def run(self, kind):
        """One device, alone: frames first, then each suite for a moment."""
        self.with_dut(kind, Wiring(), self.verify_all, True)
        self.with_dut(kind, Wiring(frame_max=9000), self.verify_large, False)
        if kind.name in UNALTERED:
            wiring = Wiring(frame_max=SEGMENT_MAX, has_offloads=True)
            self.with_dut(kind, wiring, self.verify_offloads, False)
        cases = [c for name in self.chosen for c in self.cases_of(name)]
        if not kind.is_ours:  # of others, whether the suite can be measured is enough
            cases = list({c.suite: c for c in reversed(cases) if kind.unfit(c) is None}.values())
        for wiring in dict.fromkeys(c.wiring for c in cases):
            if time.monotonic() > self.until:
                self.tally.skip(f'{kind.name} {wiring.ports} ports, suites', 'no time is left')
                continue
            fitting = [c for c in cases if c.wiring == wiring and kind.unfit(c) is None]
            if fitting:
                self.with_dut(kind, wiring, lambda dut, its=fitting: self.take_all(dut, its),
                              False)

    @staticmethod
    def cases_of(name):
        """Some of each suite: plain rings, few stations and ports."""
        few = dict(SMALL, size=[9000]) if name == 'large' else SMALL
        cases = SUITES[name].cases(name, few)
        return [replace(c, stations=0) for c in cases if c.ring != 'in-order' and
                (c.layout == 'single' or c.offload == 'tso')]

    def with_dut(self, kind, wiring, do, is_counted):
        name = f'{kind.name} {wiring.ports} ports, frames up to {wiring.frame_max} B'
        sent_max = TSO_SIZE if wiring.has_offloads else wiring.frame_max
        needed_mb = memory_mb(kind, wiring, Link(sent_max=sent_max))
        if needed_mb > MEMORY_MB:
            self.tally.skip(name, f'needs {needed_mb} MB of memory')
            return
        dut = kind(self.place, wiring)
        try:
            dut.start()
            do(dut)
            self.tally.check(f'{name}: lives', '' if dut.is_alive() else dut.tail())
        except (DutError, GeneratorError) as e:
            self.tally.check(name, str(e))
        finally:
            code = dut.stop()
        if is_counted:
            self.tally.check(f'{name}: ends on SIGTERM',
                             '' if code in dut.end_codes else f'code {code}, None: was killed')

    def each_link(self, dut, links, do, setup=Setup()):
        for link in links:
            try:
                generator = connect(self.place, dut, link, self.generator_cpu, setup)
            except NotOffered as e:
                self.tally.skip(f'{dut.name} {link}', str(e))
                continue
            try:
                do(generator, link)
            finally:
                generator.stop()

    def verify_all(self, dut):
        def do(generator, link):
            for layout in LAYOUTS:
                for size in SIZES:
                    verify(generator, self.tally, f'{dut.name} {link} {layout} {size} B',
                           size=size, layout=layout, macs=STATIONS)

        if dut.name in UNALTERED:
            self.each_link(dut, [Link(ring) for ring in RINGS], do)
        if dut.is_ours:
            self.each_link(dut, [Link(ring) for ring in RINGS], self.verify_unusual, UNUSUAL)
            self.each_link(dut, [Link()], self.take_pmd, Setup('pmd'))

    def verify_unusual(self, generator, link):
        """Rings that are full at once, one buffer for each frame, kicks by EVENT_IDX."""
        verify(generator, self.tally, f'{generator.name} {link} of {UNUSUAL.ring_size}, EVENT_IDX, '
               'not mergeable', limit=UNUSUAL.ring_size, size=1514, layout='indirect')

    def take_pmd(self, generator, link):
        """The driver of DPDK as guests: they compare nothing, but count."""
        generator.ask('teach')
        w = generator.ask('window', rate=0.01, ms=50)
        is_good = w['received'][1] == w['sent'][0] > 0 and not w['lost'] + w['foreign']
        self.tally.check(f'{generator.name} {link}, guests with the driver of DPDK',
                         '' if is_good else f'sent {w["sent"]}, received {w["received"]}')

    def verify_large(self, dut):
        def do(generator, link):
            for layout in LAYOUTS:
                verify(generator, self.tally, f'{dut.name} {link} {layout} 9000 B',
                       LARGE_FRAMES, LARGE_LIMIT, size=9000, layout=layout)

        if dut.name in UNALTERED:
            self.each_link(dut, [Link(ring, sent_max=9000) for ring in ('split', 'packed')], do)

    def verify_offloads(self, dut):
        """What is left to the receiver arrives as it was left, else the switch has finished it."""
        def do(generator, link):
            is_cut = link.offload == 'tso'
            for layout in ('chain',) if is_cut else ('single', 'indirect'):
                for size in (3000, TSO_SIZE) if is_cut else (64, 1514):
                    verify(generator, self.tally, f'{dut.name} {link} {layout} {size} B',
                           TSO_FRAMES if is_cut else FRAMES, both=link.takes, size=size,
                           layout=layout, offload=link.offload)

        cases = [Case('', offload=offload, takes=takes, size=TSO_SIZE if offload == 'tso' else 64)
                 for offload in ('csum', 'tso') for takes in (True, False)]
        self.each_link(dut, [c.link for c in cases if dut.unfit(c) is None], do)

    def take_all(self, dut, cases):
        def do(generator, link):
            for case in [c for c in cases if c.link == link]:
                suite = SUITES[case.suite]
                turn = Turn(case, 0, dut.name)
                asker = Asker(generator, turn, LIMITS, lambda verb, answer: None)
                asker.teach()
                suite.take(turn, asker, dut, self.counters)
                value = turn.every.get(suite.metrics[0].key, -1)
                least = 0 if case.suite == 'noloss' else 1e-9  # who is disturbed may lose some
                where = getattr(case, suite.column)
                fault = '' if value >= least else f'no frames: {turn.every}'
                if dut.is_ours:
                    fault = fault or '; '.join(f for f in turn.faults + turn.notes if f != SLOW)
                self.tally.check(f'{dut.name} {case.suite} {case.ports} ports {link} '
                                 f'{suite.column} {where}', fault)

        self.each_link(dut, dict.fromkeys(c.link for c in cases), do)


def smoke(place, generator_cpu, names, chosen):
    """Of the devices with these names. Returns the exit code."""
    tally, until = Tally(), time.monotonic() + SECONDS
    for name in names:
        reason = DUTS[name].missing(place)
        if reason is None:
            Smoke(place, generator_cpu, chosen, tally, until).run(DUTS[name])
        elif DUTS[name].is_ours:
            tally.check(name, reason)
        else:
            tally.skip(name, reason)
    print(tally.sum())
    sys.stdout.flush()
    return 1 if tally.failed or not tally.passed else 0

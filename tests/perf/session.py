# SPDX-License-Identifier: BSD-3-Clause
"""All devices side by side, each with its guests, and whose turn it is.

Only the device whose turn it is runs; the others are stopped meanwhile (SIGSTOP). The order rotates
from round to round, so that a ratio of two of them compares what happened within a second or two.
"""
import contextlib
import json
import sys
import time

from dut import DutError
from generator import (Generator, GeneratorError, NotOffered, PmdGenerator, Setup,
                       TapGenerator)
from measure import Asker, Turn

SETTLE_S = 10
FAULTS_MAX = 3  # turns of a device that may fail before it is left out


def raw_guests(build, dut, cpu, **options):
    return Generator(build / 'tests/perf/perf_gen', dut, cpu, **options)


GUESTS = {'raw': raw_guests, 'pmd': PmdGenerator, 'tap': TapGenerator}


def connect(place, dut, link, cpu, setup=Setup()):
    """Guests for a device that runs; if it is not vhost-user, those that it needs."""
    with dut.inside():
        generator = GUESTS[dut.guests or setup.kind](
            place.build, dut, cpu, hugepages=place.hugepages, **link.options(),
            **setup.options(link.sent_max))
    try:
        check_pages(place, dut, generator)
        settle(generator)
    except BaseException:
        generator.stop()
        raise
    return generator


def check_pages(place, dut, generator):
    """Guests in ordinary pages are slower, and whoever asked for hugepages has to know."""
    if place.hugepages and dut.guests != 'tap' and not generator.agreed['hugepages']:
        raise GeneratorError(f'{dut.name}: the guests found no hugepages any more')


def settle(generator):
    """Returns when frames pass: some devices take new guests into account a while later."""
    until = time.monotonic() + SETTLE_S
    while True:
        taught = generator.ask('teach', size=64)
        if taught['received'] >= taught['sent']:
            return
        if time.monotonic() > until:
            raise GeneratorError(f'{generator.name}: of {taught["sent"]} first frames '
                                 f'{taught["received"]} arrived, even after {SETTLE_S} s')


def memory_mb(kind, wiring, link, setup=Setup()):
    """Of hugepages, for a device with that wiring, and for its guests."""
    if kind.guests == 'tap':
        return kind.memory_mb(wiring)
    return kind.memory_mb(wiring) + setup.memory_mb(wiring.ports + wiring.silent, link)


def memory_of_all_mb(kinds, cases, setup):
    """The same for the wiring whose devices take the most together."""
    most = {}
    for case in cases:
        for kind in kinds:
            if kind.unfit(case) is None:
                key = (case.wiring, kind)
                most[key] = max(most.get(key, 0), memory_mb(kind, case.wiring, case.link, setup))
    sums = {}
    for (wiring, _), mb in most.items():
        sums[wiring] = sums.get(wiring, 0) + mb
    return max(sums.values(), default=0)


class Session:
    """suites: name to Suite. left_out collects what could not be measured, and why; answers are
    all of the guests'; ended_by says what ended the run early, None: nothing.
    """

    def __init__(self, place, generator_cpu, suites, limits, counters, setup):
        self.place = place
        self.generator_cpu = generator_cpu
        self.suites = suites
        self.limits = limits
        self.counters = counters
        self.setup = setup
        self.agreed = {}  # link as text: device: features
        self.turns = []
        self.answers = []
        self.out = None
        self.ended_by = None
        self.left_out = []
        self.is_ours_well = True

    def keep_in(self, out):
        """A file for the answers, one a line."""
        self.out = out

    def keep(self, answer):
        self.answers.append(answer)
        print(json.dumps(answer), file=self.out)

    def leave_out(self, kind, what, reason):
        if kind.is_ours and not isinstance(reason, (str, NotOffered)):
            self.is_ours_well = False
        line = f'{what}: {reason}'
        if line not in self.left_out:
            self.left_out.append(line)
            print(f'left out: {line}', flush=True)

    def run(self, kinds, cases):
        """Each wiring once, and in it each kind of link once."""
        for wiring in dict.fromkeys(c.wiring for c in cases):
            self.run_wiring(kinds, wiring, [c for c in cases if c.wiring == wiring])

    def fitting(self, kinds, cases):
        """Kind to the cases that it can do."""
        plan = {}
        for kind in kinds:
            for case in cases:
                reason = kind.unfit(case)
                if reason is None:
                    plan.setdefault(kind, []).append(case)
                else:
                    self.leave_out(kind, f'{case.suite}, {kind.name}', reason)
        return plan

    def run_wiring(self, kinds, wiring, cases):
        plan = self.fitting(kinds, cases)
        with contextlib.ExitStack() as stack:
            duts = {}
            for kind in plan:
                dut = kind(self.place, wiring)
                stack.callback(dut.stop)
                try:
                    dut.start()
                    dut.pause()
                    duts[dut] = plan[kind]
                except DutError as e:
                    self.leave_out(kind, f'{wiring.ports} ports', e)
            for link in dict.fromkeys(c.link for c in cases):
                chosen = {dut: [c for c in its if c.link == link] for dut, its in duts.items()}
                self.run_link(link, {dut: its for dut, its in chosen.items() if its})

    def connect(self, dut, link):
        generator = connect(self.place, dut, link, self.generator_cpu, self.setup)
        if dut.guests != 'tap':
            self.agreed.setdefault(str(link), {})[dut.name] = generator.agreed['features']
        return generator

    def run_link(self, link, duts):
        pairs = {}
        try:
            for dut in duts:
                dut.resume()
                try:
                    pairs[dut] = self.connect(dut, link)
                except (DutError, GeneratorError) as e:
                    self.leave_out(dut, str(link), e)
                dut.pause()
            cases = list(dict.fromkeys(c for dut in pairs for c in duts[dut]))
            self.run_rounds(cases, duts, pairs)
        finally:
            for dut, generator in pairs.items():
                dut.resume()
                generator.stop()
                dut.pause()

    def run_rounds(self, cases, duts, pairs):
        """All rounds of the cases, which have the wiring and the link in common."""
        rounds = max((self.suites[c.suite].rounds for c in cases), default=0)
        faults = dict.fromkeys(duts, 0)
        for number in range(rounds):
            for case in [c for c in cases if number < self.suites[c.suite].rounds]:
                order = [dut for dut in pairs if case in duts[dut]]
                shift = number % len(order) if order else 0
                for dut in order[shift:] + order[:shift]:
                    try:
                        self.turns.append(self.take_turn(dut, pairs[dut], case, number))
                    except (DutError, GeneratorError) as e:
                        faults[dut] += 1
                        self.leave_out(dut, f'{case.suite}, {case.link}, a turn', e)
                        self.connect_anew(dut, pairs, case.link, faults[dut] < FAULTS_MAX)
            print(f'{cases[0].ports} ports, frames up to {cases[0].frame_max} B, {cases[0].link}: '
                  f'round {number + 1} of {rounds}', file=sys.stderr, flush=True)

    def connect_anew(self, dut, pairs, link, may_go_on):
        """After a turn that failed: nobody knows what it and its guests still have of each other's.
        """
        pairs.pop(dut).stop()
        if not may_go_on or not dut.is_alive():
            self.leave_out(dut, f'{link}, {dut.name}', 'no more turns')
            return
        dut.resume()
        try:
            pairs[dut] = self.connect(dut, link)
        except (DutError, GeneratorError) as e:
            self.leave_out(dut, str(link), e)
        dut.pause()

    def take_turn(self, dut, generator, case, number):
        def keep(verb, answer):
            self.keep({'dut': dut.name, 'round': number, 'verb': verb, **vars(case), **answer})

        turn = Turn(case, number, dut.name)
        asker = Asker(generator, turn, self.limits, keep)
        dut.resume()
        try:
            asker.teach()
            asker.warm_up()
            self.suites[case.suite].take(turn, asker, dut, self.counters)
            turn.settle()
        finally:
            dut.pause()
        return turn

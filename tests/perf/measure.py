# SPDX-License-Identifier: BSD-3-Clause
"""How one case is measured on one device: each function makes a Turn of windows and the like."""
import statistics
from dataclasses import dataclass, field

from generator import GeneratorError

STOLEN_LIMIT = 0.05  # part of a window in which somebody else had the CPU
NO_LOSS_STEP = 0.01  # of the full rate: how exactly the rate without loss is found
NO_LOSS_SENT = 0.98  # of a rate that is asked for has to be sent, or the ring was full
TRIALS_MAX = 3  # of one rate, when somebody else had the CPU
VICTIM = 1  # the guest that receives from the first


@dataclass
class Limits:
    """When a window is clean, and how long it is."""
    probe_ns: float
    window_ms: int
    windows: int
    latency_ms: int
    trial_ms: int


@dataclass
class Turn:
    """One device's figures of one case in one round."""
    case: object
    round: int
    dut: str
    clean: dict = field(default_factory=dict)  # of clean windows only; empty: there was none
    every: dict = field(default_factory=dict)

    def value(self, key, only_clean):
        return (self.clean if only_clean else self.every).get(key)


class Asker:
    """Asks the guests of one device, keeps what they answer, and judges it."""

    def __init__(self, generator, case, limits, keep):
        self.generator = generator
        self.case = case
        self.limits = limits
        self.keep = keep

    def ask(self, verb, **values):
        answer = self.generator.ask(verb, **self.case.traffic(), **self.case.load_keys(),
                                    **values)
        answer['clean'] = self.is_clean(answer)
        self.keep(verb, answer)
        if answer.get('bad_used'):
            raise GeneratorError(f'{self.generator.name}: {answer["bad_used"]} buffers came back '
                                 'that it had not')
        return answer

    def is_clean(self, answer):
        return all(0 <= ns <= self.limits.probe_ns for ns in answer.get('probe_ns', [])) and \
            max(answer.get('stolen', [0])) <= STOLEN_LIMIT

    def window(self, **values):
        return self.ask('window', ms=self.limits.window_ms, **values)

    def teach(self):
        taught = self.generator.ask('teach', **self.case.traffic())
        if taught['received'] < taught['sent']:
            raise GeneratorError(f'{self.generator.name}: of {taught["sent"]} first frames '
                                 f'{taught["received"]} arrived')


def medians(windows, values_of):
    """Of each value of these windows."""
    found = [values_of(w) for w in windows]
    return {key: statistics.median(v[key] for v in found if key in v)
            for key in dict.fromkeys(key for v in found for key in v)}


def rate_values(case):
    def values(window):
        found = {'mpps': window['mpps'], 'idle': window['generator_idle']}
        if 'cycles' in window:
            found['cycles'] = window['cycles']
        if case.size != 'imix':
            found['gbits'] = window['mpps'] * case.size * 8 / 1000
        return found
    return values


def cycles_since(before, after):
    """Of the device, for each frame."""
    if before is None or after is None or after[1] == before[1]:
        return {}
    return {'cycles': (after[0] - before[0]) / (after[1] - before[1])}


def full_rate(turn, asker, dut, counters):
    """As many frames as it takes."""
    values_of = rate_values(turn.case)
    windows = []
    for _ in range(asker.limits.windows):
        before = dut.cycles()
        windows.append(asker.window())
        windows[-1] |= cycles_since(before, dut.cycles())
    turn.every |= medians(windows, values_of)
    turn.clean |= medians([w for w in windows if w['clean']], values_of)
    counted, more = counters.window(dut, lambda ms: asker.ask('window', ms=ms))
    turn.every |= more
    if counted is not None and counted['clean'] and turn.clean:
        turn.clean |= more


def latency(turn, asker, dut, counters):
    """Times at a part of the rate that it has right now; clean if the windows around it are."""
    full = asker.window()
    answer = asker.ask('latency', rate=round(full['mpps'] * turn.case.load / 100, 5),
                       ms=asker.limits.latency_ms)
    after = asker.window()
    if not answer['n']:
        raise GeneratorError(f'{dut.name}: not one frame arrived at {turn.case.load} % load')
    turn.every |= {'p50_us': answer['p50_ns'] / 1000, 'p99_us': answer['p99_ns'] / 1000,
                   'p999_us': answer['p999_ns'] / 1000, 'mpps': answer['rate'],
                   'lost_ppm': answer['lost'] / (answer['n'] + answer['lost']) * 1e6}
    if full['clean'] and answer['clean'] and after['clean']:
        turn.clean |= turn.every


def is_without_loss(asker, rate):
    """Whether all arrives, and whether the answer is clean."""
    for _ in range(TRIALS_MAX):
        w = asker.ask('window', rate=round(rate, 5), ms=asker.limits.trial_ms)
        sent = sum(w['sent']) / w['seconds'] / 1e6
        if w['lost'] == 0 and sent >= NO_LOSS_SENT * rate:
            return True, True
        if w['clean']:
            return False, True
    return False, False


def no_loss(turn, asker, dut, counters):
    """Binary search between nothing and the full rate."""
    full = asker.window()
    low, high, is_clean = 0.0, full['mpps'] * 1.05, full['clean']
    while high - low > NO_LOSS_STEP * full['mpps']:
        rate = (low + high) / 2
        is_good, is_sure = is_without_loss(asker, rate)
        is_clean = is_clean and is_sure
        low, high = (rate, high) if is_good else (low, rate)
    turn.every |= {'mpps': low, 'part': low / full['mpps']}
    if is_clean:
        turn.clean |= turn.every


def isolation(turn, asker, dut, counters):
    """What the first pair of guests gets while another sends, too, or misbehaves."""
    def values(window):
        return {'mpps': window['received'][VICTIM] / window['seconds'] / 1e6}

    windows = [asker.window() for _ in range(asker.limits.windows)]
    turn.every |= medians(windows, values)
    turn.clean |= medians([w for w in windows if w['clean']], values)

# SPDX-License-Identifier: BSD-3-Clause
"""How one case is measured on one device: each function makes a Turn of windows and the like."""
import statistics
from dataclasses import dataclass, field

from generator import GeneratorError

STOLEN_LIMIT = 0.05  # part of a window in which somebody else had a CPU
STOLEN_TIMED = 0.0005  # the same where single frames count: latencies, and rates without loss
GAP_TIMED_US = 100  # and the longest that guests may have looked away; what pace.h makes up for
LOAD_SENT = 0.98  # of a load has to be sent, or it was another one
NO_LOSS_STEP = 0.01  # of the full rate: how exactly the rate without loss is found
NO_LOSS_SENT = 0.995  # of a rate that is asked for has to be sent
FOREIGN_MAX = 1e-4  # for each frame that arrived: a switch may have some frames of its own to send
WARM_MS = 20  # of a window that only warms up
WARM_MAX = 50  # such windows, where each pair of stations is a flow
WARM_RISE = 1.05  # more than the best so far: the rate still rises
WARM_STEADY = 4  # windows without that
SLOW = 'less was sent than the load'  # a fault of a turn
VICTIM = 1  # the guest that receives from the first


@dataclass
class Limits:
    """When a window is clean, and how long it is."""
    probe_ns: float
    window_ms: int
    windows: int
    latency_ms: int
    trial_ms: int
    looks: int = 10  # at the latency of one load
    trials: int = 5  # of one rate, when somebody else had the CPU


@dataclass
class Turn:
    """One device's figures of one case in one round."""
    case: object
    round: int
    dut: str
    clean: dict = field(default_factory=dict)  # of clean windows only; empty: there was none
    every: dict = field(default_factory=dict)
    faults: list = field(default_factory=list)  # why nothing of it is clean, whatever the windows
    notes: list = field(default_factory=list)  # what else is to be said of it

    def value(self, key, only_clean):
        return (self.clean if only_clean else self.every).get(key)

    def spoil(self, fault):
        if fault not in self.faults:
            self.faults.append(fault)

    def note(self, what):
        if what not in self.notes:
            self.notes.append(what)

    def settle(self):
        """All is measured."""
        if self.faults:
            self.clean = {}


class Asker:
    """Asks the guests of one device, keeps what they answer, and judges it."""

    def __init__(self, generator, turn, limits, keep):
        self.generator = generator
        self.turn = turn
        self.case = turn.case
        self.limits = limits
        self.keep = keep

    def send(self, verb, **values):
        return self.generator.ask(verb, **self.case.traffic(), **self.case.load_keys(), **values)

    def ask(self, verb, **values):
        answer = self.send(verb, **values)
        answer['clean'] = self.is_clean(answer)
        self.keep(verb, answer)
        if answer.get('bad_used'):
            raise GeneratorError(f'{self.generator.name}: {answer["bad_used"]} buffers came back '
                                 'that it had not')
        self.judge(answer)
        return answer

    def is_clean(self, answer, stolen_max=STOLEN_LIMIT):
        return all(0 <= ns <= self.limits.probe_ns for ns in answer.get('probe_ns', [])) and \
            max(answer.get('stolen', [0])) <= stolen_max

    def is_clean_in_time(self, answer):
        """Was nobody disturbed for so long that single frames tell of it?"""
        return self.is_clean(answer, STOLEN_TIMED) and answer['gap_us'] <= GAP_TIMED_US

    def judge(self, answer):
        """Frames go where they belong, in the order in which they were sent: not all devices keep
        that when they see a flow for the first time.
        """
        if self.case.pattern == 'pairs' and self.case.hostile == 'none' and \
                answer.get('foreign', 0) > FOREIGN_MAX * sum(answer['received']):
            self.turn.spoil('frames reached guests that they were not for')
        if answer.get('reordered'):
            self.turn.note('frames came in another order')

    def window(self, **values):
        answer = self.ask('window', ms=self.limits.window_ms, **values)
        if not sum(answer['received']):
            raise GeneratorError(f'{self.generator.name}: not one frame arrived in a window')
        return answer

    def teach(self):
        taught = self.generator.ask('teach', **self.case.traffic())
        if taught['received'] < taught['sent']:
            raise GeneratorError(f'{self.generator.name}: of {taught["sent"]} first frames '
                                 f'{taught["received"]} arrived')

    def warm_up(self):
        """Until the rate is steady: some devices have to make an entry for each flow first."""
        best, n_steady = 0, 0
        for _ in range(WARM_MAX if self.case.macs > 1 else 1):
            mpps = self.send('window', ms=WARM_MS)['mpps']
            n_steady = 0 if mpps > best * WARM_RISE else n_steady + 1
            best = max(best, mpps)
            if n_steady == WARM_STEADY:
                break


def medians(windows, values_of):
    """Of each value of these windows."""
    found = [values_of(w) for w in windows]
    return {key: statistics.median(v[key] for v in found if key in v)
            for key in dict.fromkeys(key for v in found for key in v)}


def idle_of(dut, window):
    """How far the guests are from being the limit; not said where they do the device's work."""
    return {} if dut.works_in_guests else {'idle': window['generator_idle']}


def cycles_since(before, after):
    """Of the device, for each frame."""
    if before is None or after is None or after[1] == before[1]:
        return {}
    return {'cycles': (after[0] - before[0]) / (after[1] - before[1])}


def full_rate(turn, asker, dut, counters):
    """As many frames as it takes."""
    def values_of(window):
        found = {'mpps': window['mpps'], **idle_of(dut, window)}
        if turn.case.size != 'imix':
            found['gbits'] = window['mpps'] * turn.case.size * 8 / 1000
        return found | {key: window[key] for key in ('cycles',) if key in window}

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
    """Times at a part of the rate that it has right now; clean if the windows around it are.

    Many short looks instead of a long one: a machine that pauses every few milliseconds leaves some
    of them alone, and the tail is told by those.
    """
    full = asker.window()
    rate = full['mpps'] * turn.case.load / 100
    looks = [asker.ask('latency', rate=round(rate, 5), ms=asker.limits.latency_ms)
             for _ in range(asker.limits.looks)]
    after = asker.window()
    if not all(look['n'] for look in looks):
        raise GeneratorError(f'{dut.name}: not one frame arrived at {turn.case.load} % load')
    if statistics.median(look['rate'] for look in looks) < LOAD_SENT * rate:
        turn.spoil(SLOW)

    def usual(look):
        return {'p50_us': look['p50_ns'] / 1000, 'mpps': look['rate'],
                'lost_ppm': look['lost'] / (look['n'] + look['lost']) * 1e6, **idle_of(dut, look)}

    def tail(look):
        return {'p99_us': look['p99_ns'] / 1000, 'p999_us': look['p999_ns'] / 1000}

    turn.every |= medians(looks, usual) | medians(looks, tail)
    if full['clean'] and after['clean']:
        turn.clean |= medians([look for look in looks if look['clean']], usual)
        turn.clean |= medians([look for look in looks if asker.is_clean_in_time(look)], tail)


def is_without_loss(asker, rate, n_trials):
    """The trial if all arrived, else None; and whether that is certain."""
    for _ in range(n_trials):
        w = asker.ask('window', rate=round(rate, 5), ms=asker.limits.trial_ms)
        # what found no room in the ring in time was not offered: it counts as lost
        if w['lost'] + w['unsent'] == 0 and w['rate'] >= NO_LOSS_SENT * rate:
            return w, True
        if asker.is_clean_in_time(w):
            return None, True
    return None, False


def no_loss(turn, asker, dut, counters):
    """Binary search between nothing and the full rate."""
    full = asker.window()
    low, high, is_clean = 0.0, full['mpps'] * 1.05, full['clean']
    found = {'mpps': 0.0, 'part': 0.0, **idle_of(dut, full)}
    while high - low > NO_LOSS_STEP * full['mpps']:
        rate = (low + high) / 2
        # once one rate was disturbed, the search is not clean, whatever else is tried
        trial, is_sure = is_without_loss(asker, rate, asker.limits.trials if is_clean else 1)
        is_clean = is_clean and is_sure
        if trial is None:
            high = rate
        else:
            low = rate
            found = {'mpps': trial['rate'], 'part': trial['rate'] / full['mpps'],
                     **idle_of(dut, trial)}
    turn.every |= found
    if is_clean:
        turn.clean |= turn.every


def isolation(turn, asker, dut, counters):
    """What the first pair of guests gets while another sends, too, or misbehaves."""
    def values_of(window):
        return {'mpps': window['received'][VICTIM] / window['seconds'] / 1e6,
                **idle_of(dut, window)}

    windows = [asker.window() for _ in range(asker.limits.windows)]
    turn.every |= medians(windows, values_of)
    turn.clean |= medians([w for w in windows if w['clean']], values_of)

# SPDX-License-Identifier: BSD-3-Clause
"""From windows to figures: medians, spreads, and ratios round by round."""
import statistics
from dataclasses import dataclass


@dataclass
class Case:
    """What is measured: everything but the device."""
    ring: str
    layout: str
    size: int
    both: bool = False
    macs: int = 1

    @property
    def key(self):
        return (self.ring, self.layout, self.both, self.macs, self.size)

    def title(self):
        """Of a table: all but the size."""
        words = [f'{self.ring} ring', {'single': 'one descriptor', 'two': 'two descriptors',
                                       'indirect': 'indirect'}[self.layout]]
        words += ['both ways' if self.both else 'one way']
        words += [f'{self.macs} stations a side'] if self.macs > 1 else []
        return ', '.join(words)


@dataclass
class Turn:
    """One device's windows of one case in one round."""
    case: Case
    round: int
    dut: str
    windows: list
    cycles: float = None  # per frame, as the device says

    def usable(self, only_clean):
        return [w for w in self.windows if w['clean'] or not only_clean]

    def mpps(self, only_clean):
        """Median of its windows, or None."""
        values = [w['mpps'] for w in self.usable(only_clean)]
        return statistics.median(values) if values else None


@dataclass
class Spread:
    """Median, quartiles and number of some values."""
    values: list

    def __str__(self):
        if not self.values:
            return '-'
        low, high = min(self.values), max(self.values)
        if len(self.values) >= 4:
            quarters = statistics.quantiles(self.values, n=4, method='inclusive')
            low, high = quarters[0], quarters[2]
        return f'{statistics.median(self.values):.2f} [{low:.2f}-{high:.2f}] n={len(self.values)}'


class Report:
    def __init__(self):
        self.turns = []

    def add(self, turn):
        self.turns.append(turn)

    def windows(self):
        return [w for turn in self.turns for w in turn.windows]

    def duts(self):
        return list(dict.fromkeys(turn.dut for turn in self.turns))

    def rates(self, key, dut, only_clean):
        found = (t.mpps(only_clean) for t in self.turns if t.case.key == key and t.dut == dut)
        return Spread([v for v in found if v is not None])

    def idle(self, key, dut, only_clean):
        """How much of the time the generator had nothing to do: near 0, it is the limit."""
        return Spread([w['generator_idle'] for t in self.turns
                       if t.case.key == key and t.dut == dut for w in t.usable(only_clean)])

    def cycles(self, key, dut):
        return Spread([t.cycles for t in self.turns
                       if t.case.key == key and t.dut == dut and t.cycles is not None])

    def ratios(self, key, dut, against, only_clean):
        """Of the two in the same round."""
        rounds = {}
        for t in self.turns:
            if t.case.key == key:
                rounds.setdefault(t.round, {})[t.dut] = t.mpps(only_clean)
        return Spread([r[dut] / r[against] for r in rounds.values()
                       if r.get(dut) is not None and r.get(against)])

    def tables(self):
        """Markdown, one table for each ring and layout; sizes are the columns."""
        groups = {}
        for t in self.turns:
            groups.setdefault(t.case.title(), {})[t.case.size] = t.case.key
        lines = []
        for title, sizes in groups.items():
            columns = sorted(sizes)
            keys = [sizes[s] for s in columns]
            is_clean = any(t.usable(True) for t in self.turns if t.case.key in keys)
            if not is_clean:
                title += '; NOT ONE CLEAN WINDOW: figures of all of them, which say little'
            lines += [f'**{title}**', '', '| | ' + ' | '.join(f'{s} B' for s in columns) + ' |',
                      '|---' * (len(columns) + 1) + '|']
            lines += self.rows(keys, is_clean) + ['']
        return lines

    def rows(self, keys, only_clean):
        def row(name, cells):
            cells = [str(c) for c in cells]
            return ['| ' + ' | '.join([name] + cells) + ' |'] if set(cells) != {'-'} else []

        duts = [d for d in self.duts()
                if any(t.dut == d and t.case.key in keys for t in self.turns)]
        lines = []
        for dut in duts:
            lines += row(f'{dut}, Mpps', [self.rates(k, dut, only_clean) for k in keys])
        for dut in duts:
            lines += row(f'{dut}, its own cycles a frame', [self.cycles(k, dut) for k in keys])
        for dut in duts:
            lines += row(f'{dut}, generator idle', [self.idle(k, dut, only_clean) for k in keys])
        for dut in duts[1:]:
            lines += row(f'**{duts[0]} : {dut}**',
                         [self.ratios(k, duts[0], dut, only_clean) for k in keys])
        return lines

# SPDX-License-Identifier: BSD-3-Clause
"""From turns to figures: medians, spreads, and ratios round by round; as Markdown and CSV."""
import csv
import statistics
from dataclasses import dataclass, fields

from case import COLUMNS, Case

GENERATOR_IDLE_MIN = 0.05  # below, the generator is the limit and not the device
CSV_HEAD = ['device', *(f.name for f in fields(Case)), 'metric', 'unit', 'bound', 'median', 'q1',
            'q3', 'n', 'clean']
LEAST = '≥'  # the generator was the limit: at least so much
MOST = '≤'  # the same of what is better if it is less, and of a ratio's second part
NEITHER = '?'  # both parts of a ratio are bounds, so it is none
BOUNDS = {'mpps': LEAST, 'gbits': LEAST, 'p50_us': MOST, 'p99_us': MOST, 'p999_us': MOST}
IN_ASCII = {LEAST: '>=', MOST: '<='}
OPPOSITE = {LEAST: MOST, MOST: LEAST, '': ''}


def figure(value):
    """Three digits that count."""
    for limit, digits in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= limit:
            return f'{value:.{digits}f}'
    return f'{value:.3f}'


def count(n, what):
    return f'{n} {what}' if n == 1 else f'{n} {what}s'


@dataclass
class Spread:
    """Median, quartiles and number of some values; why_none: if there are none though there was
    a turn.
    """
    values: list
    bound: str = ''
    why_none: str = ''

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def quartiles(self):
        if len(self.values) >= 4:
            quarters = statistics.quantiles(self.values, n=4, method='inclusive')
            return quarters[0], quarters[2]
        return min(self.values), max(self.values)

    def __bool__(self):
        return bool(self.values)

    def __str__(self):
        if not self.values:
            return self.why_none or '-'
        low, high = (figure(v) for v in self.quartiles)
        return f'{self.bound}{" " if self.bound else ""}{figure(self.median)} [{low}-{high}] ' \
               f'n={len(self.values)}'


class Table:
    """The cases of one suite that differ in one field only, its columns."""

    def __init__(self, suite, title, cases, turns):
        self.suite = suite
        self.title = title
        self.cases = cases
        self.turns = {(t.case, t.dut, t.round): t for t in turns if t.case in cases}
        self.duts = list(dict.fromkeys(dut for _, dut, _ in self.turns))
        self.is_clean = any(t.clean for t in self.turns.values())

    def of(self, case, dut):
        """Its turns, in the order of their rounds."""
        return [t for (c, d, _), t in self.turns.items() if c == case and d == dut]

    def bound(self, case, dut, key):
        """Of the device's figures, where the generator was busy nearly all the time."""
        idle = [t.value('idle', self.is_clean) for t in self.of(case, dut)]
        idle = [v for v in idle if v is not None]
        if not idle or statistics.median(idle) >= GENERATOR_IDLE_MIN:
            return ''
        return BOUNDS.get(key, '')

    def why_none(self, case, dut, key):
        """Of figures that there would be if other windows counted, too."""
        turns = self.of(case, dut)
        if not self.is_clean or all(t.value(key, False) is None for t in turns):
            return ''
        return f'no clean window in {count(len(turns), "turn")}'

    def spread(self, case, dut, key):
        values = [t.value(key, self.is_clean) for t in self.of(case, dut)]
        values = [v for v in values if v is not None]
        if not values:
            return Spread([], why_none=self.why_none(case, dut, key))
        return Spread(values, self.bound(case, dut, key))

    def ratio(self, over, under):
        """Of the main metric; over, under: (case, dut). Within each round."""
        key, values = self.suite.metrics[0].key, []
        for turn in self.of(*over):
            other = self.turns.get((*under, turn.round))
            a = turn.value(key, self.is_clean)
            b = other.value(key, self.is_clean) if other else None
            if a is not None and b:
                values.append(a / b)
        above, below = self.bound(*over, key), OPPOSITE[self.bound(*under, key)]
        return Spread(values, NEITHER if above and below else above or below)

    def faults(self):
        """Sentences about what kept turns from being clean, and what else was seen in them, and in
        how many of each device.
        """
        counts = {}
        for (case, dut, _), turn in self.turns.items():
            for fault in [f'{fault}, not counted,' for fault in turn.faults] + turn.notes:
                where = COLUMNS[self.suite.column](getattr(case, self.suite.column))
                counts.setdefault((dut, where, fault), []).append(turn)
        return [f'{dut}, {where}: {fault} in {count(len(turns), "turn")}.'
                for (dut, where, fault), turns in counts.items()]

    def base_case(self):
        """The case that others are compared with, if the suite has one."""
        found = [c for c in self.cases if getattr(c, self.suite.column) == self.suite.base]
        return found[0] if found and self.suite.base is not None else None

    def rows(self):
        """(name, unit, what it is for CSV, device, [Spread for each case])."""
        for metric in self.suite.metrics:
            for dut in self.duts:
                yield (f'{dut}, {metric.label}', metric.unit, metric.key, dut,
                       [self.spread(c, dut, metric.key) for c in self.cases])
        base = self.base_case()
        if base is not None:
            to = COLUMNS[self.suite.column](self.suite.base)
            for dut in self.duts:
                yield (f'{dut}, part of {to}', '', f'part of {to}', dut,
                       [self.ratio((c, dut), (base, dut)) if c is not base else Spread([])
                        for c in self.cases])
        for dut in self.duts[1:]:
            yield (f'**{self.duts[0]} : {dut}**', '', f'{self.duts[0]} : {dut}', self.duts[0],
                   [self.ratio((c, self.duts[0]), (c, dut)) for c in self.cases])

    def markdown(self):
        title = self.title
        if not self.is_clean:
            title += '; NOT ONE CLEAN WINDOW: figures of all of them, which say little'
        names = [COLUMNS[self.suite.column](getattr(c, self.suite.column)) for c in self.cases]
        lines = [f'**{title}**', '', '| | ' + ' | '.join(names) + ' |',
                 '|---' * (len(names) + 1) + '|']
        for name, _, _, _, cells in self.rows():
            if any(c or c.why_none for c in cells):
                lines.append(f'| {name} | ' + ' | '.join(str(c) for c in cells) + ' |')
        return lines + [''] + [line for fault in self.faults() for line in (fault, '')]

    def csv(self):
        for _, unit, key, dut, cells in self.rows():
            for case, spread in zip(self.cases, cells):
                where = [dut, *(getattr(case, f.name) for f in fields(Case)), key, unit]
                if spread:
                    yield [*where, IN_ASCII.get(spread.bound, spread.bound),
                           *(f'{v:.6g}' for v in (spread.median, *spread.quartiles)),
                           len(spread.values), int(self.is_clean)]
                elif spread.why_none:
                    yield [*where, '', '', '', '', 0, int(self.is_clean)]


class Report:
    """suites: name to Suite."""

    def __init__(self, suites, turns):
        groups = {}
        for turn in turns:
            title = turn.case.title(suites[turn.case.suite].column)
            groups.setdefault((turn.case.suite, title), []).append(turn)
        self.suites = suites
        self.tables = []
        for (name, title), members in groups.items():
            column = suites[name].column
            order = {c: i for i, c in enumerate(dict.fromkeys(t.case for t in members))}
            cases = sorted(order, key=lambda c: getattr(c, column)
                           if isinstance(getattr(c, column), int) else order[c])
            self.tables.append(Table(suites[name], title, cases, members))

    def of_suite(self, name):
        return [t for t in self.tables if t.cases[0].suite == name]

    def markdown(self):
        lines = []
        for name, suite in self.suites.items():
            tables = self.of_suite(name)
            if tables:
                lines += [f'### {name}', '', f'{suite.about[0].upper()}{suite.about[1:]}.', '']
                lines += [line for table in tables for line in table.markdown()]
        return lines

    def write_csv(self, path):
        with open(path, 'w', encoding='utf-8', newline='') as out:
            rows = csv.writer(out)
            rows.writerow(CSV_HEAD)
            for table in self.tables:
                rows.writerows(table.csv())

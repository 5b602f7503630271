# SPDX-License-Identifier: BSD-3-Clause
"""Which figures of a report are drawn: the main one of each suite, and ratios of the throughput."""
from case import COLUMNS
from plot import Bar, Panel, draw


def bars_of(spreads):
    return [Bar(s.quartiles[0], s.median, s.quartiles[1], s.bound) if s else None
            for s in spreads]


def panel(title, unit, table, rows):
    """rows: device to Spreads; devices without a figure are left out."""
    column = table.suite.column
    names = [COLUMNS[column](getattr(c, column)) for c in table.cases]
    bars = {dut: bars_of(spreads) for dut, spreads in rows.items() if any(spreads)}
    return Panel(title, unit, names, bars) if bars else None


def figures(name, table):
    """The main figure; of latency the tail, too."""
    metrics = table.suite.metrics[:2] if name == 'latency' else table.suite.metrics[:1]
    for metric in metrics:
        title = f'{name}: {table.title}'
        if not table.is_clean:
            title += ' (not one clean window)'
        rows = {dut: [table.spread(c, dut, metric.key) for c in table.cases] for dut in table.duts}
        yield panel(title, metric.label, table, rows)


def ratios(name, table):
    first = table.duts[0]
    rows = {dut: [table.ratio((c, first), (c, dut)) for c in table.cases]
            for dut in table.duts[1:]}
    yield panel(f'{first} : others, {table.title}', 'times', table, rows)


def is_drawn(name, table):
    """Of the many tables of throughput those with the plain layout."""
    return name != 'throughput' or table.cases[0].layout == 'single'


def draw_report(report, title):
    """The SVG, or None if there is nothing to draw."""
    panels = []
    for name in report.suites:
        for table in report.of_suite(name):
            if is_drawn(name, table):
                panels += figures(name, table)
                panels += ratios(name, table) if name == 'throughput' else []
    panels = [p for p in panels if p is not None]
    return draw(title, panels) if panels else None

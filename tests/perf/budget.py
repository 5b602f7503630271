# SPDX-License-Identifier: BSD-3-Clause
"""The cycle budget of a frame: what each stage of its way costs by itself, all caches warm.

That is the floor below the figures of the suites, which mostly wait for the guests' cache lines.
Where a stage has code for several levels of CPU, the fastest counts: the switch takes it, too.
"""
import re
import subprocess

from machine import NoHugepages, hugepages

TURNS = 20
BENCH_S = 120  # the longest that a program may take
FDB_MB = 512  # of hugepages, for the largest database
RING_LINE = re.compile(r'^(?P<ring>\w+) +(?P<size>\d+) B (?P<level>\S+) *:(?P<stages>.*) together '
                       r'+(?P<sum>[\d.]+) cycles')
STAGE = re.compile(r'(\w+) +([\d.]+)')
FDB_LINE = re.compile(r'^ *(?P<stations>\d+) +(?P<name>frame, .*?) +(?P<median>[\d.]+) +'
                      r'(?P<best>[\d.]+)$')
STAGES = {'rx': 'rx: find frames in the ring, check them, copy their heads',
          'tx': 'tx: find buffers, copy the frame, give them back',
          'release': 'release: give the sent buffers back'}


def output(*command):
    """Its lines, or a sentence in place of them."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BENCH_S,
                              check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        return [], str(e)
    why = done.stderr.strip().splitlines()
    return done.stdout.splitlines(), why[-1] if done.returncode and why else None


def ring_stages(lines):
    """(ring, size): stage to cycles, of the level that is the fastest as a whole."""
    best = {}
    for found in filter(None, map(RING_LINE.match, lines)):
        key, total = (found['ring'], int(found['size'])), float(found['sum'])
        if key not in best or total < best[key][0]:
            best[key] = total, {name: float(n) for name, n in STAGE.findall(found['stages'])}
    return {key: stages for key, (_, stages) in best.items()}


def look_ups(lines):
    """(stations, how): cycles to learn a frame's source and find its destination, the median."""
    return [(int(found['stations']), found['name'], float(found['median']))
            for found in filter(None, map(FDB_LINE.match, lines))]


def markdown(place):
    """The section of the report."""
    lines, why = output('taskset', '-c', str(place.cpu), str(place.build / 'tests/perf/ring_bench'),
                        str(TURNS))
    stages = ring_stages(lines)
    try:
        with hugepages(FDB_MB):
            found, fdb_why = output(str(place.build / 'tests/perf/fdb_bench'), str(place.cpu),
                                    str(place.main_cpu))
    except NoHugepages as e:
        found, fdb_why = [], str(e)
    out = ['### cycle budget', '',
           'TSC cycles a frame of each stage by itself, by `ring_bench` and `fdb_bench`: batches '
           'of 64, one thread, warm caches. The floor, without a guest on another CPU.', '']
    if stages:
        out += ['| | ' + ' | '.join(f'{ring}, {size} B' for ring, size in stages) + ' |',
                '|---' * (len(stages) + 1) + '|']
        for name, about in STAGES.items():
            out.append(f'| {about} | ' + ' | '.join(f'{s.get(name, 0):.1f}'
                                                    for s in stages.values()) + ' |')
        out += ['| together | ' + ' | '.join(f'{sum(s.values()):.1f}' for s in stages.values()) +
                ' |', '']
    rows = look_ups(found)
    if rows:
        names = list(dict.fromkeys(name for _, name, _ in rows))
        sizes = list(dict.fromkeys(n for n, _, _ in rows))
        cells = {(n, name): value for n, name, value in rows}
        heads = [f'{n:,} station{"s" if n > 1 else ""}' for n in sizes]
        out += ['| learn the source, find the destination | ' + ' | '.join(heads) + ' |',
                '|---' * (len(sizes) + 1) + '|']
        out += [f'| {name} | ' + ' | '.join(f'{cells[n, name]:.1f}' if (n, name) in cells else '-'
                                            for n in sizes) + ' |' for name in names] + ['']
    out += [f'Not measured: {reason}.' for reason in (why, fdb_why) if reason]
    return out + ['']

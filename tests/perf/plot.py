# SPDX-License-Identifier: BSD-3-Clause
"""Bar charts as SVG, without a library: readable on light and dark pages, and in print."""
from dataclasses import dataclass
from xml.sax.saxutils import escape

COLUMNS = 2
WIDTH, PANEL = 560, 240  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 34  # around its bars
LEGEND = 34
COLOURS = ['#0072b2', '#56b4e9', '#e69f00', '#d55e00', '#009e73', '#cc79a7']  # Okabe and Ito
STYLE = '''
  .page { fill: #ffffff } text { fill: #1f2328; font: 12px sans-serif }
  .grid { stroke: #d0d7de } .axis, .spread { stroke: #57606a }
  .title { font-weight: bold; font-size: 14px } .small { font-size: 10px }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #e6edf3 }
    .grid { stroke: #30363d } .axis, .spread { stroke: #9198a1 }
  }
'''


@dataclass
class Bar:
    low: float
    median: float
    high: float
    bound: str = ''  # a sign that says that it is one, in front of the number


@dataclass
class Panel:
    """bars: device to a list, for each category a Bar or None."""
    title: str
    unit: str
    categories: list
    bars: dict


def nice_step(top):
    """Of an axis from 0 to at least top with about five lines."""
    size = 1.0
    while size * 10 <= top:
        size *= 10
    while size > top:
        size /= 10
    return next(size * f for f in (0.2, 0.5, 1, 2) if top / (size * f) <= 6)


def number(value):
    return f'{value:.3g}' if value < 1000 else f'{value:.0f}'


def line(x1, y1, x2, y2, kind):
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def text(x, y, words, anchor='middle', kind='', more=''):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}"{more}>' \
           f'{escape(words)}</text>'


def axes(panel, top, step):
    """Title, scale and unit."""
    floor = PANEL - BOTTOM
    height = PANEL - BOTTOM - TOP
    out = [text(LEFT, 22, panel.title, 'start', 'title')]
    for i in range(int(top / step + 1.5)):
        y = floor - i * step / top * height
        out.append(line(LEFT, y, WIDTH - RIGHT, y, 'axis' if i == 0 else 'grid'))
        out.append(text(LEFT - 6, y + 4, number(i * step), 'end'))
    middle = floor - height / 2
    out.append(text(16, middle, panel.unit, more=f' transform="rotate(-90 16 {middle:.1f})"'))
    return out


def draw_panel(panel, colours):
    spreads = [s for bars in panel.bars.values() for s in bars if s is not None]
    highest = max(s.high for s in spreads)
    step = nice_step(highest)
    top = step * -(-highest // step)
    floor, height = PANEL - BOTTOM, PANEL - BOTTOM - TOP
    slot = (WIDTH - LEFT - RIGHT) / len(panel.categories)
    width = min(44.0, slot * 0.84 / len(panel.bars))
    out = axes(panel, top, step)
    for i, category in enumerate(panel.categories):
        middle = LEFT + slot * (i + 0.5)
        out.append(text(middle, floor + 20, category))
        for j, (dut, bars) in enumerate(panel.bars.items()):
            if bars[i] is None:
                continue
            low, median, high = bars[i].low, bars[i].median, bars[i].high
            shown = f'{bars[i].bound}{number(median)}'
            x = middle + (j - len(panel.bars) / 2) * width
            y = floor - median / top * height
            said = escape(f'{dut}, {category}: {shown} {panel.unit} '
                          f'[{number(low)} to {number(high)}]')
            out.append(f'<rect x="{x + 1:.1f}" y="{y:.1f}" width="{width - 2:.1f}" '
                       f'height="{floor - y:.1f}" fill="{colours[dut]}">'
                       f'<title>{said}</title></rect>')
            centre = x + width / 2
            out.append(line(centre, floor - low / top * height, centre,
                            floor - high / top * height, 'spread'))
            out.append(text(centre, floor - high / top * height - 4, shown, kind='small'))
    return out


def draw(title, panels):
    """The SVG of all panels, with one legend. panels: not empty."""
    duts = list(dict.fromkeys(dut for p in panels for dut in p.bars))
    colours = {dut: COLOURS[i % len(COLOURS)] for i, dut in enumerate(duts)}
    width = WIDTH * min(COLUMNS, len(panels))
    height = LEGEND + PANEL * -(-len(panels) // COLUMNS) + 8
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           f'width="{width}" height="{height}" role="img">',
           f'<title>{escape(title)}</title>', f'<style>{STYLE}</style>',
           f'<rect class="page" width="{width}" height="{height}"/>']
    x = LEFT
    for dut in duts:
        out.append(f'<rect x="{x}" y="14" width="12" height="12" fill="{colours[dut]}"/>')
        out.append(text(x + 17, 24, dut, 'start'))
        x += 36 + 8 * len(dut)
    for i, panel in enumerate(panels):
        out.append(f'<g transform="translate({i % COLUMNS * WIDTH} '
                   f'{LEGEND + i // COLUMNS * PANEL})">')
        out += draw_panel(panel, colours) + ['</g>']
    return '\n'.join(out + ['</svg>', ''])

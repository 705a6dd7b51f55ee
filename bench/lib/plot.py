# SPDX-License-Identifier: Apache-2.0
"""Small SVG bar charts for docs/bench, drawn by hand: no library, readable as text in a diff."""

import math
from html import escape
from statistics import median

WIDTH = 920
LABEL = 400
ROW = 22
COLOURS = {"weft": "#1f6feb", "go": "#6aa9c9", "boost": "#c98a6a", "redis": "#b2453c",
           "floor": "#9a9a9a"}
NAMES = {"weft": "Weft", "go": "Go", "boost": "Boost.Fiber", "redis": "redis", "floor": "floor"}


def text_at(x, y, content, anchor="start", size=12, extra=""):
    return (f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}" {extra}>'
            f"{escape(content)}</text>")


def frame(height, title, body):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="sans-serif" fill="#333">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        text_at(12, 24, title, size=15, extra='font-weight="bold"'), *body, "</svg>", ""])


def log_scale(low, high):
    """x of a value on a logarithmic axis that spans low..high."""
    room = WIDTH - LABEL - 80
    return lambda v: LABEL + room * (math.log(v / low) / math.log(high / low))


def axis(x, ticks, top, bottom, show):
    for tick in ticks:
        yield (f'<line x1="{x(tick):.0f}" y1="{top}" x2="{x(tick):.0f}" y2="{bottom}" '
               'stroke="#ddd"/>')
        yield text_at(x(tick), bottom + 14, show(tick), "middle", 11)


def ratios(lines):
    """Ours over Go's per row, with the bar as a mark: left of the mark is met."""
    shown = [line for line in lines
             if line.ratios.get("go") and line.compared != "requests/s"]
    if not shown:
        return None
    points = [median(line.ratios["go"]) for line in shown]
    low = min(0.05, *(0.8 * p for p in points if p > 0))
    high = max(2.0, *(1.2 * p for p in points))
    x = log_scale(low, high)
    top, bottom = 44, 44 + ROW * len(shown)
    ticks = [t for t in (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30) if low <= t <= high]
    body = list(axis(x, ticks, top, bottom, lambda t: f"{t:g}"))
    for index, (line, ratio) in enumerate(zip(shown, points)):
        y = top + index * ROW
        ratio = max(ratio, low)
        begin, end = sorted((x(1.0), x(ratio)))
        colour = COLOURS["weft"] if ratio <= 1 else COLOURS["redis"]
        body.append(text_at(LABEL - 8, y + 15, line.title, "end", 11))
        body.append(f'<rect x="{begin:.1f}" y="{y + 4}" width="{max(end - begin, 1):.1f}" '
                    f'height="{ROW - 8}" fill="{colour}"/>')
        for limit in line.bar:
            if limit.peer == "go" and low <= limit.amount <= high:
                body.append(f'<rect x="{x(limit.amount) - 1:.1f}" y="{y + 1}" width="2" '
                            f'height="{ROW - 2}" fill="#000"/>')
        body.append(text_at(WIDTH - 8, y + 15, f"{ratio:.2f}", "end", 11))
    return frame(bottom + 28, "Weft over Go: shorter to the left is better; black mark: the bar",
                 body)


def grouped(lines, wanted, title, contestants):
    """Bars of each contestant per row, logarithmic."""
    shown = [line for line in lines if wanted(line)]
    figures = [line.figures.get(name) for line in shown for name in contestants]
    values = [value for value in figures if isinstance(value, (int, float)) and value > 0]
    if not values:
        return None
    low, high = min(values) / 2, max(values) * 1.3
    x = log_scale(low, high)
    thick = 13
    group = thick * len(contestants) + 12
    top, bottom = 60, 60 + group * len(shown)
    ticks = [10.0 ** e for e in range(-3, 9) if low <= 10.0 ** e <= high]
    body = list(axis(x, ticks, top, bottom, lambda t: f"{t:g}"))
    for index, name in enumerate(contestants):
        body.append(f'<rect x="{LABEL + index * 120}" y="34" width="12" height="12" '
                    f'fill="{COLOURS[name]}"/>')
        body.append(text_at(LABEL + 18 + index * 120, 45, NAMES[name]))
    for index, line in enumerate(shown):
        y = top + index * group + 4
        label = f"{line.title} ({line.unit})"
        body.append(text_at(LABEL - 8, y + group / 2, label.split(": ")[-1], "end", 11))
        for place, name in enumerate(contestants):
            value = line.figures.get(name)
            if not isinstance(value, (int, float)) or value <= 0:
                continue
            at = y + place * thick
            body.append(f'<rect x="{LABEL}" y="{at}" width="{x(value) - LABEL:.1f}" '
                        f'height="{thick - 2}" fill="{COLOURS[name]}"/>')
            body.append(text_at(x(value) + 4, at + 10, f"{value:,.3g}" if value < 1000 else
                                f"{value:,.0f}", size=10))
    return frame(bottom + 28, title, body)


def write_all(lines, folder):
    """Writes what there are figures for; returns (file name, caption) pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    charts = [
        ("ratios.svg", "Weft over Go, row by row", ratios(lines)),
        ("fairness.svg", "Worst delay of 10,000 yielders",
         grouped(lines, lambda line: line.name.startswith("fair_"),
                 "Worst delay of 10,000 yielders on 2 P while goroutines hog the threads (ms)",
                 ("weft", "go", "boost"))),
        ("resp.svg", "RESP server, CPU per request",
         grouped(lines, lambda line: line.name.endswith("cpu_us"),
                 "RESP server: CPU time per request (us)", ("weft", "go", "redis"))),
    ]
    written = []
    for name, caption, drawing in charts:
        if drawing is not None:
            (folder / name).write_text(drawing, encoding="utf-8")
            written.append((name, caption))
    return written

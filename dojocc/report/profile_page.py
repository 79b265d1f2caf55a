"""Predicted cycles as one HTML page, complete in itself: tables, a time line, the roofline."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from dojocc.report.profile import exchange_rows, op_rows, overview, path_rows
from dojocc.report.trace import lanes
from dojocc.runtime.program import Program
from dojocc.runtime.timing import TimingResult
from dojocc.runtime.timing.record import RUN
from dojocc.runtime.timing.report import mark_name

STYLE = (
    "body{font:15px sans-serif;margin:2em}td,th{padding:.2em .8em;text-align:right}"
    "td:first-child,th:first-child{text-align:left}svg{background:#fafafa;border:1px solid #ccc}"
)
SHOWN = 3000  # rectangles in the time line, the longest
ROWS = 200  # rows of a table
WIDTH, LANE, MARGIN = 1100, 16, 150
RUNNING, WAITING, MOVING = "#4a7ab5", "#e0c9a6", "#b5564a"


def page(program: Program, result: TimingResult) -> str:
    """The report of one timed program."""
    roofline = result.roofline
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>dojocc profile</title>",
        f"<style>{STYLE}</style><h1>Predicted cycles on {html.escape(program.target.name)}</h1>",
        "<p>A model of an assumed machine. The error band is the flow model's largest error on "
        "BookSim2's tables.</p>",
        html_table([("what", "how much"), *overview(result)]),
        "<h2>Time line</h2><p>Latest node of each thread: running, waiting; transfer lists below."
        f"</p>{time_line(program, result)}",
        f"<h2>Roofline</h2>{chart(roofline.intensity, roofline.achieved, roofline.peak, result)}",
        "<h2>Critical path</h2>",
        html_table([("what", "op", "cycles"), *path_rows(program, result)[:ROWS]]),
        "<h2>By op, cycles of the latest node's thread 0</h2>",
        html_table([("op", "cycles", "of them waiting"), *op_rows(result)[:ROWS]]),
        "<h2>Exchanges beside their lower bounds, cycles</h2>",
        html_table(
            [
                ("op", "kind", "flows", "bytes", "cycles", "lower bound", "bound by"),
                *exchange_rows(program, result)[:ROWS],
            ]
        ),
        "</html>\n",
    ]
    return "".join(parts)


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its head."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0])
    lines = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows[1:]]
    return f"<table><tr>{head}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def time_line(program: Program, result: TimingResult) -> str:
    """Threads and exchanges over time, as SVG."""
    record, scale = result.record, (WIDTH - MARGIN) / max(result.cycles, 1)
    names: list[str] = []
    boxes: list[tuple[float, float, int, str, str]] = []
    for (cls, thread), spans in sorted(record.spans.items()):
        names.append(f"{program.classes[cls].name}, thread {thread}")
        for span in spans:
            colour = RUNNING if span.kind == RUN else WAITING
            title = f"{mark_name(program, span.mark)} ({span.kind})"
            boxes.append((span.start, span.end, len(names) - 1, colour, title))
    lane_of = lanes(record.exchanges)
    first = len(names)
    names += [f"exchanges {number + 1}" for number in range(max(lane_of, default=-1) + 1)]
    for item, lane in zip(record.exchanges, lane_of, strict=True):
        title = f"{mark_name(program, item.mark)}: {item.kind}, {item.bytes:,} B"
        boxes.append((item.start, item.end, first + lane, MOVING, title))
    boxes = sorted(boxes, key=lambda box: box[0] - box[1])[:SHOWN]
    texts = [
        f"<text x=4 y={(row + 1) * LANE - 4} font-size=11>{html.escape(name[:24])}</text>"
        for row, name in enumerate(names)
    ]
    shapes = [
        f"<rect x={MARGIN + start * scale:.2f} y={row * LANE + 1} "
        f"width={max((end - start) * scale, 0.3):.2f} height={LANE - 3} fill='{colour}'>"
        f"<title>{html.escape(title)}, cycles {start:,.0f} to {end:,.0f}</title></rect>"
        for start, end, row, colour, title in boxes
    ]
    height = max(len(names), 1) * LANE + 4
    return f"<svg width={WIDTH} height={height}>{''.join(texts)}{''.join(shapes)}</svg>"


def chart(intensity: float, achieved: float, peak: float, result: TimingResult) -> str:
    """The roofline on logarithmic axes: FLOP a byte moved, FLOP a cycle."""
    if not math.isfinite(intensity) or achieved <= 0:
        return "<p>Nothing is moved, or nothing computed: no roofline.</p>"
    slope = result.roofline.bandwidth
    ridge = max(peak / slope, intensity)
    low, high = math.log10(min(intensity, ridge)) - 1, math.log10(ridge) + 1
    top = math.log10(peak) + 0.3
    bottom = min(math.log10(achieved), low + math.log10(slope)) - 0.3

    def place(x: float, y: float) -> str:
        across = 40 + (math.log10(x) - low) / (high - low) * 440
        return f"{across:.1f},{(top - math.log10(y)) / (top - bottom) * 230 + 5:.1f}"

    corner = peak / slope
    line = " ".join([place(10**low, slope * 10**low), place(corner, peak), place(10**high, peak)])
    x, y = place(intensity, achieved).split(",")
    return (
        f"<svg width=500 height=250><polyline points='{line}' fill=none stroke=black />"
        f"<circle cx={x} cy={y} r=5 fill='{MOVING}'><title>{intensity:.2f} FLOP a byte, "
        f"{achieved:,.0f} FLOP a cycle</title></circle></svg>"
    )

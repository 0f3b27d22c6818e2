"""Owns the drawings of the report: throughput, latency, error map and sweep, as SVG and tables.

A drawing is an SVG that stretches with the page and holds no text; its labels are HTML beside it, so that
they stay readable on a phone.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from serialwrite.loopback._faults import FaultKind
from serialwrite.loopback._result import Verdict
from serialwrite.loopback.report._html import Html, join, tag
from serialwrite.loopback.report._words import brief, damage, duration, error_rate, plural, rate, size, small

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serialwrite.loopback._faults import Account
    from serialwrite.loopback._result import Axis, Direction, Run
    from serialwrite.loopback.measure._statistics import Latency, Rate

WIDTH, HEIGHT = 1000, 200
_NO_RESULT = "–"  # noqa: RUF001  # an en dash
_GLYPHS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.STOPPED: "■"}


def throughput_chart(rates: Sequence[Rate], line_rate: float) -> Html:
    """Draw throughput over time, with the rate that the line can carry."""
    peak = max(one.bytes_per_second for one in rates)
    top = _round_up(max(peak, line_rate if line_rate < 4 * peak else 0) or 1)
    end = rates[-1].start + rates[-1].seconds
    points: list[str] = []
    for one in rates:
        y = HEIGHT - one.bytes_per_second / top * HEIGHT
        points += [
            f"{one.start / end * WIDTH:.1f},{y:.1f}",
            f"{(one.start + one.seconds) / end * WIDTH:.1f},{y:.1f}",
        ]
    outline = "M" + " L".join(points)
    line_y = HEIGHT - line_rate / top * HEIGHT
    drawing = _svg(
        *_grid(4),
        tag("path", d=f"{outline} L{WIDTH},{HEIGHT} L0,{HEIGHT} Z", class_="area"),
        tag("path", d=outline, class_="curve"),
        line_y >= 0 and tag("path", d=f"M0,{line_y:.1f} H{WIDTH}", class_="limit"),
        label=f"Throughput over {duration(end)}: at most {rate(peak)}",
    )
    beyond = " (beyond the top of this chart)" if line_y < 0 else ""
    key = tag(
        "p",
        tag("span", class_="key limit"),
        f"the line's own rate, {rate(line_rate)}{beyond}",
        class_="legend",
    )
    return _figure(
        drawing,
        [brief(rate(top * i / 4)) for i in range(5)],
        [brief(duration(end * i / 4)) for i in range(5)],
        key,
    )


def latency_chart(figures: Latency) -> Html:
    """Draw how round-trip times are spread, on a logarithmic scale, with the percentiles."""
    bins = figures.histogram
    low, high = math.log2(bins[0].low), math.log2(bins[-1].high)
    most = max(one.count for one in bins)

    def place(value: float) -> float:
        return (math.log2(max(value, 1e-9)) - low) / (high - low) * WIDTH

    bars = [
        tag(
            "rect",
            x=f"{place(one.low):.1f}",
            width=f"{max(place(one.high) - place(one.low) - 1, 1):.1f}",
            # the square root, so that a single late byte among thousands is still seen
            y=f"{HEIGHT - math.sqrt(one.count / most) * HEIGHT:.1f}",
            height=f"{math.sqrt(one.count / most) * HEIGHT:.1f}",
            class_="bar",
        )
        for one in bins
        if one.count
    ]
    named = (("p50", figures.p50), ("p90", figures.p90), ("p99", figures.p99), ("p99.9", figures.p999))
    marks = [tag("path", d=f"M{place(at):.1f},0 V{HEIGHT}", class_="mark") for _, at in named if at is not None]
    drawing = _svg(*_grid(2), *bars, *marks, label=f"Round-trip times from {duration(figures.minimum)}")
    edges = [duration(2 ** (low + (high - low) * i / 4)) for i in range(5)]
    counts = ["0", plural(round(most / 4), "time").split()[0], f"{most:,}"]
    items = [
        tag("div", tag("dt", name), tag("dd", duration(at) if at is not None else "too few"))
        for name, at in (*named, ("max", figures.maximum))
    ]
    note = tag("p", f"{plural(figures.count, 'round trip')}; height is the square root of the count", class_="legend")
    return join(tag("dl", *items, class_="percentiles"), _figure(drawing, counts, edges, note))


def error_map(account: Account) -> Html:
    """Draw where in the sent stream the faults lie, one strip for each kind."""
    if not account.error_map.counts:
        whole = _svg(tag("rect", x=0, y=0, width=1, height=1, class_="right"), label="no fault", box="0 0 1 1")
        words = f"correct {plural(account.correct, 'byte')}" if account.clean else "no fault has a place"
        return tag("figure", tag("div", tag("span", words, class_="strip-name"), whole, class_="strip"), class_="map")
    width = account.error_map.bytes_per_cell
    used = [i for row in account.error_map.counts.values() for i, count in enumerate(row) if count]
    cells = max(account.sent / width, max(used) + 1 if account.sent < max(used) * width else 0)
    strips: list[Html] = []
    for kind in FaultKind:
        counts = account.error_map.counts.get(kind, ())
        if not any(counts):
            continue
        marks = [
            tag(
                "rect",
                x=i,
                y=0,
                width=1,
                height=1,
                class_=f"fault {kind}",
                fill_opacity=f"{0.35 + 0.65 * math.log1p(count) / math.log1p(width):.2f}",
            )
            for i, count in enumerate(counts)
            if count
        ]
        name = tag("span", f"{kind} {plural(sum(counts), 'byte')}", class_="strip-name")
        label = f"{kind}: {plural(sum(counts), 'byte')}"
        # at least 3 pixels a mark: one byte in 100 MB must be seen, too
        strips.append(tag("div", name, _svg(*marks, label=label, box=f"0 0 {cells:g} 1"), class_="strip"))
    scale = tag("div", *(tag("span", size(cells * width * i / 4)) for i in range(5)), class_="x-axis")
    note = tag("p", f"offset in the sent stream; one cell is {plural(width, 'byte')}", class_="legend")
    return tag("figure", *strips, scale, note, class_="map")


def sweep_table(runs: Sequence[Run], axes: Sequence[Axis]) -> Html:
    """Draw a sweep as a table: the longest axis across, the others down; each cell says how its run ended."""
    across = max(range(len(axes)), key=lambda i: len(axes[i].values))
    others = [axis for i, axis in enumerate(axes) if i != across]
    by_place = dict(zip(itertools.product(*(axis.values for axis in axes)), runs, strict=False))
    top = [tag("th", axis.name, scope="col", rowspan=2) for axis in others]
    top.append(tag("th", axes[across].name, scope="colgroup", colspan=len(axes[across].values)))
    head = [tag("th", value, scope="col") for value in axes[across].values]
    rows: list[Html] = []
    for place in itertools.product(*(axis.values for axis in others)):
        cells = [tag("th", value, scope="row") for value in place]
        line = ((*place[:across], value, *place[across:]) for value in axes[across].values)
        cells += [_sweep_cell(by_place.get(whole)) for whole in line]
        rows.append(tag("tr", *cells))
    body = join(tag("thead", tag("tr", *top), tag("tr", *head)), tag("tbody", *rows))
    notes: list[Html] = []
    for verdict in (Verdict.NOT_RUN, Verdict.TIMED_OUT, Verdict.NOT_TESTED):
        missed = [
            tag("li", f"{', '.join(place)}: {'; '.join(run.reasons)}")
            for place, run in by_place.items()
            if run.verdict is verdict
        ]
        notes += [tag("h3", verdict.capitalize()), tag("ul", *missed)] if missed else []
    return join(tag("div", tag("table", body, class_="sweep"), class_="scroll", tabindex="0"), *notes)


def _sweep_cell(run: Run | None) -> Html:
    if run is None:
        return tag("td", tag("b", "·"), tag("small", "not reached"), class_="none")
    share = max((_share(direction) for direction in run.directions), default=0.0)
    words, strength = str(run.verdict), ""
    if run.verdict is Verdict.PASS and run.directions:
        words = rate(min(direction.bytes_per_second for direction in run.directions))
    elif run.verdict is Verdict.FAIL:
        # a shade for each two powers of ten: 1e-4 and fewer, up to 1e-2, more
        strength = f" bad{1 if share <= 1e-4 else 2 if share <= 1e-2 else 3}"
        words = f"{small(share)} wrong" if share else "failed"
    titles = "; ".join(f"{one.name}: {damage(one)}; {error_rate(one.error_rate)}" for one in run.directions)
    glyph = tag("b", _GLYPHS.get(run.verdict, _NO_RESULT), tag("span", f" {run.verdict}", class_="hidden"))
    return tag("td", glyph, tag("small", words), class_=f"{run.verdict.name.lower()}{strength}", title=titles or None)


def _share(direction: Direction) -> float:
    account = direction.account
    return (max(account.sent, account.received) - account.correct) / max(account.sent, account.received, 1)


def _figure(drawing: Html, y_labels: Sequence[str], x_labels: Sequence[str], note: Html) -> Html:
    y_axis = tag("div", *(tag("span", label) for label in reversed(y_labels)), class_="y-axis")
    x_axis = tag("div", *(tag("span", label) for label in x_labels), class_="x-axis")
    return tag("figure", tag("div", y_axis, drawing, x_axis, class_="plot"), note)


def _svg(*shapes: object, label: str, box: str = f"0 0 {WIDTH} {HEIGHT}") -> Html:
    return tag("svg", *shapes, viewBox=box, preserveAspectRatio="none", role="img", aria_label=label)


def _grid(lines: int) -> list[Html]:
    return [tag("path", d=f"M0,{HEIGHT * i / lines:.1f} H{WIDTH}", class_="grid") for i in range(lines + 1)]


def _round_up(value: float) -> float:
    """Return the next of 1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8 times a power of ten: quarters of it read well."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * power >= value * 0.999999)

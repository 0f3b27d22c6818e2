"""What the report's drawings show, as numbers and labels: throughput, latency, error map and sweep."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from serialwrite.loopback._faults import Account, FaultKind
from serialwrite.loopback._result import Axis, Direction, Result, Run, Verdict
from serialwrite.loopback.measure._statistics import Latency, Rate
from serialwrite.loopback.report._words import brief, damage, duration, error_rate, rate, size, small

WIDTH, HEIGHT = 1000, 200  # of a drawing, which the page stretches
_GLYPHS: Final = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.STOPPED: "■"}
_NO_RESULT: Final = "–"  # noqa: RUF001 # an en dash


@dataclass(frozen=True)
class ThroughputChart:
    """Throughput over time, with the rate that the line can carry; None where that is beyond the top."""

    label: str
    outline: str
    limit: str | None
    y_labels: list[str]
    x_labels: list[str]


@dataclass(frozen=True)
class LatencyChart:
    """How round-trip times are spread, on a logarithmic scale: bars (x, width, height), and the percentiles."""

    label: str
    bars: list[tuple[str, str, float]]
    marks: list[str]
    percentiles: list[tuple[str, float | None]]
    y_labels: list[str]
    x_labels: list[str]


@dataclass(frozen=True)
class Strip:
    """The faults of one kind: marks (x, opacity)."""

    kind: FaultKind
    count: int
    marks: list[tuple[int, str]]


@dataclass(frozen=True)
class ErrorMapChart:
    """Where in the sent stream the faults lie, one strip for each kind."""

    strips: list[Strip]
    cells: str
    cell_size: int
    x_labels: list[str]


@dataclass(frozen=True)
class Cell:
    """How one run of a sweep ended."""

    kind: str
    glyph: str
    verdict: Verdict
    words: str
    title: str


@dataclass(frozen=True)
class SweepTable:
    """A sweep: the longest axis across, the others down; below, why runs were not made. A cell of None: not reached."""

    across: Axis
    others: list[Axis]
    rows: list[tuple[tuple[str, ...], list[Cell | None]]]
    notes: list[tuple[str, list[str]]]


def throughput_chart(rates: Sequence[Rate], line_rate: float) -> ThroughputChart:
    """Draw throughput over time."""
    peak = max(one.bytes_per_second for one in rates)
    top = _round_up(max(peak, line_rate if line_rate < 4 * peak else 0) or 1)
    end = rates[-1].start + rates[-1].seconds
    points = [
        f"{at / end * WIDTH:.1f},{HEIGHT - one.bytes_per_second / top * HEIGHT:.1f}"
        for one in rates
        for at in (one.start, one.start + one.seconds)
    ]
    limit = HEIGHT - line_rate / top * HEIGHT
    return ThroughputChart(
        f"Throughput over {duration(end)}: at most {rate(peak)}",
        "M" + " L".join(points),
        f"{limit:.1f}" if limit >= 0 else None,
        [brief(rate(top * i / 4)) for i in range(5)],
        [brief(duration(end * i / 4)) for i in range(5)],
    )


def latency_chart(figures: Latency) -> LatencyChart:
    """Draw how round-trip times are spread."""
    bins = figures.histogram
    low, high = math.log2(bins[0].low), math.log2(bins[-1].high)
    most = max(one.count for one in bins)

    def place(value: float) -> float:
        return (math.log2(max(value, 1e-9)) - low) / (high - low) * WIDTH

    bars = [
        (
            f"{place(one.low):.1f}",
            f"{max(place(one.high) - place(one.low) - 1, 1):.1f}",
            # the square root, so that a single late byte among thousands is still seen
            math.sqrt(one.count / most) * HEIGHT,
        )
        for one in bins
        if one.count
    ]
    named = [("p50", figures.p50), ("p90", figures.p90), ("p99", figures.p99), ("p99.9", figures.p999)]
    return LatencyChart(
        f"Round-trip times from {duration(figures.minimum)}",
        bars,
        [f"{place(at):.1f}" for _, at in named if at is not None],
        [*named, ("max", figures.maximum)],
        ["0", f"{round(most / 4):,}", f"{most:,}"],
        [duration(2 ** (low + (high - low) * i / 4)) for i in range(5)],
    )


def error_map(account: Account) -> ErrorMapChart:
    """Draw where in the sent stream the faults lie."""
    width, rows = account.error_map.bytes_per_cell, account.error_map.counts
    last = max((i for row in rows.values() for i, count in enumerate(row) if count), default=0)
    cells = max(account.sent / width, last + 1 if account.sent < last * width else 0) if rows else 0
    strips = [
        Strip(
            kind,
            sum(rows[kind]),
            [
                (i, f"{0.35 + 0.65 * math.log1p(count) / math.log1p(width):.2f}")
                for i, count in enumerate(rows[kind])
                if count
            ],
        )
        for kind in FaultKind
        if any(rows.get(kind, ()))
    ]
    return ErrorMapChart(strips, f"{cells:g}", width, [size(cells * width * i / 4) for i in range(5)])


def sweep_table(result: Result) -> SweepTable:
    """Draw a sweep as a table."""
    axes = result.axes
    across = max(range(len(axes)), key=lambda i: len(axes[i].values))
    others = [axis for i, axis in enumerate(axes) if i != across]
    by_place = dict(zip(itertools.product(*(axis.values for axis in axes)), result.runs, strict=False))
    rows: list[tuple[tuple[str, ...], list[Cell | None]]] = []
    for place in itertools.product(*(axis.values for axis in others)):
        line = [by_place.get((*place[:across], value, *place[across:])) for value in axes[across].values]
        rows.append((place, [None if run is None else _cell(run) for run in line]))
    return SweepTable(axes[across], others, rows, list(_missed(by_place)))


def _missed(by_place: dict[tuple[str, ...], Run]) -> Iterator[tuple[str, list[str]]]:
    for verdict in (Verdict.NOT_RUN, Verdict.TIMED_OUT, Verdict.NOT_TESTED):
        missed = [
            f"{', '.join(place)}: {'; '.join(run.reasons)}" for place, run in by_place.items() if run.verdict is verdict
        ]
        if missed:
            yield verdict.capitalize(), missed


def _cell(run: Run) -> Cell:
    share = max((_share(way) for way in run.directions), default=0.0)
    words, strength = str(run.verdict), ""
    if run.verdict is Verdict.PASS and run.directions:
        words = rate(min(way.bytes_per_second for way in run.directions))
    elif run.verdict is Verdict.FAIL:
        # a shade for each two powers of ten: 1e-4 and fewer, up to 1e-2, more
        strength = f" bad{1 if share <= 1e-4 else 2 if share <= 1e-2 else 3}"
        words = f"{small(share)} wrong" if share else "failed"
    title = "; ".join(f"{way.name}: {damage(way)}; {error_rate(way.error_rate)}" for way in run.directions)
    kind = f"{run.verdict.name.lower()}{strength}"
    return Cell(kind, _GLYPHS.get(run.verdict, _NO_RESULT), run.verdict, words, title)


def _share(way: Direction) -> float:
    account = way.account
    return (max(account.sent, account.received) - account.correct) / max(account.sent, account.received, 1)


def _round_up(value: float) -> float:
    """Return the next of 1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8 times a power of ten: quarters of it read well."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * power >= value * 0.999999)

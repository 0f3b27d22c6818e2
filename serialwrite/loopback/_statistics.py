"""Owns the figures of a run: percentiles, histograms, gaps, throughput over time, the real baud rate."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_PER_OCTAVE: Final = 4


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a histogram: values from `low` up to, not including, `high`."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Round-trip times in seconds.

    A percentile is the smallest measured value that at least that share of values does not exceed (nearest
    rank: never a number that was not measured), and None where there are too few values for it to differ
    from the maximum.
    """

    count: int
    minimum: float
    mean: float
    p50: float
    p90: float | None
    p99: float | None
    p999: float | None
    maximum: float
    histogram: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nothing arrived."""

    start: float
    """Seconds since the run began."""
    seconds: float
    offset: int
    """Bytes that had arrived by then."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """The times longer than `threshold` seconds in which nothing arrived."""

    threshold: float
    count: int
    total: float
    longest: tuple[Gap, ...]
    """The longest ones, longest first."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Throughput in one stretch of the run."""

    start: float
    seconds: float
    bytes: int

    @property
    def bytes_per_second(self) -> float:
        """Return the throughput."""
        return self.bytes / self.seconds if self.seconds else 0.0


def latency(seconds: Sequence[float]) -> Latency | None:
    """Return the figures of measured round-trip times; None if there are none."""
    if not seconds:
        return None
    values = sorted(seconds)
    return Latency(
        count=len(values),
        minimum=values[0],
        mean=math.fsum(values) / len(values),
        p50=_nearest_rank(values, 500),
        p90=_nearest_rank(values, 900) if len(values) >= 10 else None,
        p99=_nearest_rank(values, 990) if len(values) >= 100 else None,
        p999=_nearest_rank(values, 999) if len(values) >= 1000 else None,
        maximum=values[-1],
        histogram=histogram(values),
    )


def histogram(values: Sequence[float]) -> tuple[Bin, ...]:
    """Return counts in bins that widen with the value, four to each doubling; values of 0 count as 1 ns."""
    if not values:
        return ()
    places = [math.floor(math.log2(max(value, 1e-9)) * _PER_OCTAVE) for value in values]
    first, last = min(places), max(places)
    counts = [0] * (last - first + 1)
    for place in places:
        counts[place - first] += 1
    edges = [2 ** ((first + i) / _PER_OCTAVE) for i in range(len(counts) + 1)]
    return tuple(Bin(edges[i], edges[i + 1], count) for i, count in enumerate(counts))


def gaps(arrivals: Sequence[tuple[float, int]], threshold: float, keep: int = 10) -> Gaps:
    """Return the gaps longer than `threshold` seconds between arrivals, given as (time, bytes)."""
    found: list[Gap] = []
    offset = 0
    for (before, size), (after, _) in itertools.pairwise(arrivals):
        offset += size
        if after - before > threshold:
            found.append(Gap(before, after - before, offset))
    longest = tuple(sorted(found, key=lambda gap: -gap.seconds)[:keep])
    return Gaps(threshold, len(found), math.fsum(gap.seconds for gap in found), longest)


def throughput(arrivals: Sequence[tuple[float, int]], end: float, stretches: int | None = None) -> tuple[Rate, ...]:
    """Return the throughput in equal stretches of the run from time 0 to `end`.

    By default as many, up to 120, as leave some 20 arrivals to each: fewer would show lumps, not the line.
    """
    if end <= 0:
        return ()
    stretches = stretches or min(120, max(10, len(arrivals) // 20))
    width = end / stretches
    counts = [0] * stretches
    for time, size in arrivals:
        counts[min(max(int(time / width), 0), stretches - 1)] += size
    return tuple(Rate(i * width, width, count) for i, count in enumerate(counts))


def baud_estimate(arrivals: Sequence[tuple[float, int]], bits_per_frame: float, threshold: float) -> float | None:
    """Return the bits per second on the line while it was busy; None if too little arrived to tell.

    What arrives after a time was sent in that time, so bytes and times are added up pairwise, and the pauses
    longer than `threshold` seconds left out.  A driver that hands bytes on in lumps (a latency timer) blurs
    each time by one lump, which a long run evens out.
    """
    busy, received = 0.0, 0
    for (before, _), (after, size) in itertools.pairwise(arrivals):
        if 0 <= after - before <= threshold:
            busy += after - before
            received += size
    return received * bits_per_frame / busy if busy > 0 and received else None


def _nearest_rank(ordered: Sequence[float], per_mille: int) -> float:
    return ordered[max(-(-len(ordered) * per_mille // 1000), 1) - 1]

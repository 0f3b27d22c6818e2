"""The statistics of a run: percentiles, histograms, gaps and throughput."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_PER_OCTAVE: Final = 4


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a histogram: values from ``low`` up to, not including, ``high``."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Round-trip times in seconds.

    A percentile is the smallest measured value that at least that share of values does not exceed (nearest rank). It is
    None if there are too few values for it to differ from the maximum.
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
    """The times longer than ``threshold`` seconds in which nothing arrived."""

    threshold: float
    count: int
    total: float
    """Seconds of all of them together."""
    longest: tuple[Gap, ...]
    """The longest ones, longest first."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Throughput in one stretch of the run."""

    start: float
    """Seconds since the run began."""
    seconds: float
    bytes: int
    """Received in that time."""

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


def _nearest_rank(ordered: Sequence[float], per_mille: int) -> float:
    return ordered[max(-(-len(ordered) * per_mille // 1000), 1) - 1]

"""What the rounds amount to: medians, ratios with their spread, and how costs grow."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .runner import Measurement
from .workloads import Work


@dataclass
class Entry:
    """One contestant at one piece of work.

    Attributes:
        seconds, cpu, rss_kib: medians; the CPU is the user's and the system's share together, which the kernel
            tells apart by ticks, too coarsely for runs as short as these.
        ratio: median of the ratios to the base of the same round, with its quartiles in ``spread``.
        late_us: every lateness of every round.
    """

    contestant: str
    rounds: int = 0
    seconds: float = math.nan
    fastest: float = math.nan
    cpu: float = math.nan
    rss_kib: float = math.nan
    ratio: float = math.nan
    spread: tuple[float, float] = (math.nan, math.nan)
    late_us: list[float] = field(default_factory=list)
    reports: bool = False
    error: str | None = None


@dataclass
class Table:
    """One piece of work: its entries, the base first named in ``base``."""

    work: Work
    base: str
    entries: list[Entry]

    def entry(self, contestant: str) -> Entry | None:
        """The one that did the work; None where it did not take part, or failed."""
        return next((one for one in self.entries if one.contestant == contestant and not one.error), None)

    def ranking(self) -> list[Entry]:
        """Those that did the work, the fastest first; of timeouts, the one that is least late."""
        timed = self.work.action == "timeout"
        good = [one for one in self.entries if not one.error]
        return sorted(good, key=lambda one: statistics.median(one.late_us) if timed else one.seconds)


# Whose time is 1.00: the first of these that took part.
BASES = ("os.write", "a turn of the loop", "import serial, asyncio", "serialwrite")


def summarise(works: Iterable[Work], measurements: Sequence[Measurement]) -> list[Table]:
    """A table for each piece of work that anybody did."""
    tables: list[Table] = []
    for work in works:
        here = [one for one in measurements if one.work == work.title]
        names = list(dict.fromkeys(one.contestant for one in here))
        if names:
            base = next((one for one in BASES if one in names), names[0])
            tables.append(Table(work, base, [_entry(name, base, here) for name in names]))
    return tables


def _entry(name: str, base: str, here: Sequence[Measurement]) -> Entry:
    mine = [one for one in here if one.contestant == name]
    good = [one for one in mine if not one.error]
    error = next((one.error for one in mine if one.error), None)
    if error or not good:
        return Entry(name, error=error)
    ratios = paired_ratios(here, name, base)
    return Entry(
        name,
        len(good),
        statistics.median(one.seconds for one in good),
        min(one.seconds for one in good),
        statistics.median(one.user + one.system for one in good),
        statistics.median(one.rss_kib for one in good),
        statistics.median(ratios) if ratios else math.nan,
        quartiles(ratios),
        [late for one in good for late in one.late_us],
        any(one.reports for one in good),
    )


def paired_ratios(here: Iterable[Measurement], name: str, base: str) -> list[float]:
    """``name``'s seconds over ``base``'s, of each round that both finished."""
    by_round: dict[int, dict[str, float]] = {}
    for one in here:
        if not one.error:
            by_round.setdefault(one.round, {})[one.contestant] = one.seconds
    return [times[name] / times[base] for times in by_round.values() if name in times and base in times]


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The lower and the upper one: half of the values are between them."""
    if len(values) < 2:
        return (values[0], values[0]) if values else (math.nan, math.nan)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The k of cost = c · n^k, fitted over the upper two decades, where the fixed cost of a call does not hide it."""
    top = max(n for n, _ in points)
    tail = [(math.log(n), math.log(cost)) for n, cost in points if n >= top / 100 and cost > 0]
    if len(tail) < 2:
        return math.nan
    slope, _ = statistics.linear_regression([x for x, _ in tail], [y for _, y in tail])
    return slope


@dataclass
class Growth:
    """How one contestant's cost (CPU seconds) grows along one axis of W6."""

    axis: str
    contestant: str
    points: list[tuple[float, float]]

    @property
    def exponent(self) -> float:
        return exponent(self.points)


def growths(tables: Iterable[Table]) -> list[Growth]:
    """One for each axis of W6 and each contestant."""
    made: dict[tuple[str, str], Growth] = {}
    for table in tables:
        if table.work.at is None:
            continue
        axis = table.work.variant
        for entry in table.entries:
            if not entry.error:
                growth = made.setdefault((axis, entry.contestant), Growth(axis, entry.contestant, []))
                growth.points.append((table.work.at, entry.cpu))
    return list(made.values())

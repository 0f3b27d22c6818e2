"""What was aimed at, and whether this run reached it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from .runner import Measurement
from .summary import Growth, Table, paired_ratios

OURS, PURE = "serialwrite", "serialwrite pure"


@dataclass(frozen=True)
class Ratio:
    """``who``'s time is at most ``most`` times ``than``'s."""

    work: str
    than: str
    most: float
    who: str = OURS

    def __str__(self) -> str:
        if self.most <= 1:
            return f"{self.who} ≥ {1 / self.most:.3g}x faster than {self.than}"
        return f"{self.who} ≤ {self.most:g}x {self.than}"


@dataclass(frozen=True)
class Verdict:
    """A target and what became of it."""

    work: str
    target: str
    measured: str
    reached: bool


def ahead(work: str, *others: str) -> list[Ratio]:
    return [Ratio(work, other, 1.0) for other in others]


def faster(work: str, times: float, *others: str) -> list[Ratio]:
    return [Ratio(work, other, 1 / times) for other in others]


_W1, _W1_PTY, _W2, _W2_PTY = "W1 socketpair", "W1 pty", "W2 socketpair", "W2 pty"
_W3, _W3_SMALL = "W3 socketpair 1 KiB", "W3 socketpair 64 B"
_STREAM_WRITER = "asyncio StreamWriter"
_CO_AWAIT = "Asio C++ co_await"
_PTY_PEERS = (
    "serialx",
    "pyserial",
    "pyserial-asyncio",
    "pyserial-asyncio-fast",
    "aioserial",
    "auserial",
    "trio-serial",
)

RATIOS = [
    Ratio(_W1, "os.write", 1.2),
    Ratio(_W1, "os.write", 2.0, PURE),
    *ahead(_W1, _CO_AWAIT, _STREAM_WRITER, "asyncio sock_sendall"),
    Ratio(_W1_PTY, "os.write", 1.25),
    Ratio(_W1_PTY, "os.write", 2.1, PURE),
    *faster(_W1_PTY, 1.6, "serialx"),
    *faster(_W1_PTY, 2.3, "pyserial"),
    *faster(_W1_PTY, 10, "auserial"),
    *faster(_W1_PTY, 20, "aioserial", "pyserial-asyncio"),
    *ahead(_W1_PTY, _CO_AWAIT),
    Ratio(_W1, OURS, 1.1, "serialwrite timeout="),
    Ratio(_W1_PTY, OURS, 1.1, "serialwrite timeout="),
    Ratio(_W1, "Asio C++ use_future", 1.0, "serialwrite use_future"),
    Ratio(_W1_PTY, "Asio C++ use_future", 1.0, "serialwrite use_future"),
    Ratio(_W2, "C write", 1.05),
    *faster(_W2, 7, _STREAM_WRITER),
    *faster(_W2_PTY, 6, "pyserial"),
    Ratio(_W3, "C write", 0.95),
    Ratio(_W3, "C write", 1.35, PURE),
    Ratio(_W3_SMALL, "C write", 1.25),
    Ratio(_W3_SMALL, "C write", 2.4, PURE),
    Ratio(_W3_SMALL, OURS, 2.0, "serialwrite bytearrays"),
    Ratio(_W3_SMALL, PURE, 4.0, "serialwrite pure, bytearrays"),
    Ratio("W4 socketpair", _CO_AWAIT, 1.15),
    *faster("W4 socketpair", 1.3, _STREAM_WRITER),
    Ratio("W4 pty", _CO_AWAIT, 1.15),
    *faster("W4 pty", 1.3, _STREAM_WRITER),
    *ahead("W4 pty", *_PTY_PEERS),
    Ratio("import", "import serial, asyncio", 1.35, "import serialwrite"),
]
# µs a write above the default token, at the most
ABOVE_DEFAULT = 3.5
NEAR_DEFAULT = ("callback", "use_future", "as_tuple", "TransportStream")
# µs of a blocked write above the turn of the loop that it needs.
ABOVE_TURN = {OURS: 12.0, PURE: 12.0, "serialwrite timeout=": 15.0}
BESIDE_US = 10.0  # µs of a write beside a thread that computes
RSS_KIB = 1024  # growth of the peak of the memory
EXPONENT = 1.05


def verdicts(tables: Sequence[Table], growths: Sequence[Growth], measurements: Sequence[Measurement]) -> list[Verdict]:
    """Every target that this run can speak of."""
    by_title = {table.work.title: table for table in tables}
    made = [verdict for ratio in RATIOS if (verdict := _ratio(ratio, measurements))]
    for title in (_W1, _W1_PTY):
        for name in NEAR_DEFAULT:
            made += _above(by_title.get(title), f"{OURS} {name}", OURS, ABOVE_DEFAULT)
    for name, most in ABOVE_TURN.items():
        made += _above(by_title.get("W1 socketpair blocked"), name, "a turn of the loop", most)
    if (table := by_title.get("W1 socketpair beside a thread")) and (entry := table.entry(OURS)):
        each = entry.seconds / table.work.operations * 1e6
        made.append(Verdict(table.work.title, f"≤ {BESIDE_US:g} µs a write", f"{each:.2f} µs", each <= BESIDE_US))
    for title in (_W2, _W2_PTY):
        if (table := by_title.get(title)) and (entry := table.entry(OURS)):
            made.append(
                Verdict(title, "peak memory + 1 MiB at most", f"+ {entry.rss_kib:,.0f} KiB", entry.rss_kib <= RSS_KIB)
            )
    for table in tables:
        if table.work.action == "timeout":
            made += _lateness(table)
    for growth in growths:
        if growth.contestant == OURS:
            reached = growth.exponent <= EXPONENT
            made.append(Verdict(f"W6 {growth.axis}", f"exponent ≤ {EXPONENT}", f"{growth.exponent:.2f}", reached))
    return made


def _ratio(target: Ratio, measurements: Sequence[Measurement]) -> Verdict | None:
    ratios = paired_ratios((one for one in measurements if one.work == target.work), target.who, target.than)
    if not ratios:
        return None
    median = statistics.median(ratios)
    measured = f"{1 / median:.2f}x faster" if target.most <= 1 else f"{median:.2f}x"
    return Verdict(target.work, str(target), measured, median <= target.most)


def _above(table: Table | None, who: str, than: str, most: float) -> list[Verdict]:
    one, other = (table.entry(who), table.entry(than)) if table else (None, None)
    if not table or not one or not other:
        return []
    above = (one.seconds - other.seconds) / table.work.operations * 1e6
    return [Verdict(table.work.title, f"{who} ≤ {most:g} µs above {than}", f"{above:+.2f} µs", above <= most)]


def _lateness(table: Table) -> list[Verdict]:
    made: list[Verdict] = []
    for entry in table.entries:
        if entry.contestant.startswith(OURS) and entry.late_us:
            median, first = statistics.median(entry.late_us), min(entry.late_us)
            made.append(
                Verdict(
                    table.work.title,
                    f"{entry.contestant}: never early, count exact",
                    f"{median:.0f} µs, the first at {first:+.0f} µs, count {'exact' if entry.reports else 'missing'}",
                    first >= 0 and entry.reports,
                )
            )
    return made

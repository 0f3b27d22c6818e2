"""How it is printed: a table for each piece of work, the series of W6, the targets."""

import statistics
from collections.abc import Iterable, Iterator, Sequence

from .summary import Growth, Table
from .targets import Verdict


def render(tables: Iterable[Table], growths: Sequence[Growth], verdicts: Sequence[Verdict]) -> str:
    """Everything, as Markdown that reads well in a terminal."""
    lines: list[str] = []
    for table in tables:
        if table.work.at is None:
            lines += ["", f"### {table.work.title}: {table.work.what}", ""]
            lines += aligned(_late_rows(table) if table.work.action == "timeout" else _rows(table))
            lines += [f"\n{entry.contestant} failed: {entry.error}" for entry in table.entries if entry.error]
    if growths:
        lines += ["", "### W6: how the CPU time grows", "", *aligned(_growth_rows(growths))]
    if verdicts:
        lines += ["", "### Targets", "", *aligned(_verdict_rows(verdicts))]
    return "\n".join(lines)


def _rows(table: Table) -> Iterator[list[str]]:
    one = "line" if table.work.action == "lines" else "write"
    bulk = table.work.operations == 1 and table.work.drained
    unit, scale = ("ms", 1e3) if table.work.operations == 1 else (f"µs a {one}", 1e6 / table.work.operations)
    yield ["", unit, "ratio", "half of the rounds", "CPU", "memory", *(["MiB/s"] if bulk else [])]
    for entry in table.ranking():
        low, high = entry.spread
        cells = [
            entry.contestant,
            f"{entry.seconds * scale:.2f}",
            f"{entry.ratio:.2f}",
            f"{low:.2f} to {high:.2f}",
            f"{entry.cpu * scale:.2f}",
            f"+ {entry.rss_kib / 1024:.1f} MiB",
        ]
        yield [*cells, f"{table.work.bytes_per_stream / entry.seconds / 2**20:,.0f}"] if bulk else cells


def _late_rows(table: Table) -> Iterator[list[str]]:
    yield ["µs after the deadline", "median", "95 %", "first", "last", "says how much was written"]
    for entry in table.ranking():
        late = sorted(entry.late_us)
        figures = (statistics.median(late), late[int(len(late) * 0.95)], late[0], late[-1])
        yield [entry.contestant, *(f"{one:,.0f}" for one in figures), "exactly" if entry.reports else "no"]


def _growth_rows(growths: Sequence[Growth]) -> Iterator[list[str]]:
    yield ["n of", "contestant", "exponent", "µs at n"]
    for growth in growths:
        points = ", ".join(f"{n:,.0f}: {cost * 1e6:,.0f}" for n, cost in growth.points)
        yield [growth.axis, growth.contestant, f"{growth.exponent:.2f}", points]


def _verdict_rows(verdicts: Sequence[Verdict]) -> Iterator[list[str]]:
    yield ["work", "target", "measured", ""]
    for verdict in verdicts:
        yield [verdict.work, verdict.target, verdict.measured, "reached" if verdict.reached else "MISSED"]


def aligned(rows: Iterable[list[str]]) -> list[str]:
    """``rows``, the first of them the head, as a Markdown table."""
    all_ = list(rows)
    widths = [max(map(len, column)) for column in zip(*all_, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in all_
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return lines

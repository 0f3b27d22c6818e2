"""Owns the tables of the report: the accounts, the causes that explain them, the faults one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serialwrite.loopback.report._html import Html, tag
from serialwrite.loopback.report._words import plural, small

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serialwrite.loopback._result import Run

_SHOWN_FAULT_COUNT: Final = 20


def accounts(run: Run) -> Html:
    """Return what became of the bytes, and what the driver and the writes say about it."""
    directions = run.directions
    kinds = (
        "sent",
        "received",
        "correct",
        "corrupted",
        "lost",
        "duplicated",
        "reordered",
        "inserted",
        "unclaimed",
    )
    counted = [
        _row(kind, [getattr(one.account, kind) for one in directions], bad=kinds.index(kind) > 2) for kind in kinds
    ]
    rates = [one.error_rate for one in directions]
    sure = f"{rates[0].confidence:.0%} sure"
    line = [
        _row("bits compared", [one.bits for one in rates]),
        _row("bits flipped", [one.errors for one in rates], bad=True),
        _row("bit error rate", [None if one.rate is None else _small(one.rate) for one in rates]),
        _row(f"at least ({sure})", [_small(one.lower) for one in rates]),
        _row(f"at most ({sure})", [_small(one.upper) for one in rates]),
    ]
    if any(one.kernel for one in directions):
        for counter in ("frame", "overrun", "parity", "breaks", "buffer_overrun"):
            values = [getattr(one.kernel, counter, None) for one in directions]
            line.append(_row(f"kernel: {counter.replace('_', ' ')}", values, bad=True))
    if any(one.writes for one in directions):
        for figure in ("calls", "short", "blocked", "smallest"):
            name = {"calls": "writes", "smallest": "shortest write"}.get(figure, f"writes {figure}")
            line.append(_row(name, [getattr(one.writes, figure, None) for one in directions]))
    head = ("bytes", *(direction.name for direction in directions))
    return tag("div", table(head, counted, "figures"), table(("line", *head[1:]), line, "figures"), class_="columns")


def _row(name: str, values: Sequence[int | str | None], *, bad: bool = False) -> Html:
    cells: list[Html] = []
    for value in values:
        known = "–" if value is None else f"{value:,}" if isinstance(value, int) else value  # noqa: RUF001  # en dash: not counted
        cells.append(tag("td", known, class_="wrong" if bad and value else "zero" if value == 0 else None))
    return tag("tr", tag("th", name, scope="row"), *cells)


def _small(value: float) -> int | str:
    return small(value) if value else 0


def causes(run: Run) -> Iterator[Html]:
    for direction in run.directions:
        for cause in direction.account.diagnoses:
            seen = f" ({direction.name}: {cause.occurrences:,} of {plural(cause.opportunities, 'time')})"
            yield tag(
                "p",
                tag("strong", f"{cause.name}: "),
                cause.text,
                tag("span", seen, class_="quiet"),
                class_="cause",
            )
        if direction.account.modulo is not None and not direction.account.clean:
            words = (
                f"{direction.name}: the pattern repeats every {plural(direction.account.modulo, 'byte')}, "
                "so places and lengths are known only modulo that; "
                "whole periods lost or repeated have no place at all."
            )
            yield tag("p", words, class_="cause")


def faults(run: Run) -> Html:
    """Return the first faults of each direction."""
    tables: list[Html] = []
    for direction in run.directions:
        account = direction.account
        rows = [
            tag(
                "tr",
                tag("td", "unknown" if fault.offset is None else f"{fault.offset:,}"),
                tag("td", f"{fault.length:,}"),
                tag("td", fault.kind, _how(fault.displacement, fault.flipped_bits)),
                tag("td", tag("code", fault.expected.hex(" "))),
                tag("td", tag("code", fault.received.hex(" "))),
            )
            for fault in account.faults[:_SHOWN_FAULT_COUNT]
        ]
        if rows:
            shown = f"the first {len(rows)} of " if len(rows) < account.fault_count else ""
            title = tag("h3", f"Faults {direction.name}: {shown}{account.fault_count:,}")
            tables.append(tag("div", title, table(("offset", "bytes", "what", "sent", "received"), rows, "faults")))
    return tag("div", *tables, class_="columns wide")


def _how(displacement: int, flipped: int) -> str:
    if displacement:
        return f", {plural(abs(displacement), 'byte')} {'late' if displacement > 0 else 'early'}"
    return f", {plural(flipped, 'bit')}" if flipped else ""


def table(head: tuple[str, ...], rows: Sequence[Html], kind: str = "") -> Html:
    """Return a table that scrolls by itself where the page is too narrow for it."""
    top = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head))) if head else None
    return tag("div", tag("table", top, tag("tbody", *rows), class_=kind or None), class_="scroll", tabindex="0")

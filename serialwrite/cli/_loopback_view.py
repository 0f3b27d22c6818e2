"""How a loopback test looks on a terminal: a live line while it runs, then the verdict, the tables, the checks."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from serialwrite.loopback import Direction, Outcome, Progress, Result, Run, Verdict
from serialwrite.loopback.report._words import (
    damage,
    duration,
    error_rate,
    plural,
    printable,
    rate,
    sentence,
    settings_in_words,
)

from ._console import PLAIN_LINE_INTERVAL_S, is_watched, say, size_in_words

SHOWN_FAULT_COUNT: Final = 8
PIPED_TABLE_COLUMNS: Final = 1000  # columns of a row that no terminal has to hold
VERDICT_STYLES: Final = {
    Verdict.PASS: "bold green",
    Verdict.FAIL: "bold red",
    Verdict.NOT_RUN: "bold yellow",
    Verdict.STOPPED: "bold yellow",
    Verdict.TIMED_OUT: "bold yellow",
    Verdict.NOT_TESTED: "bold yellow",
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.UNKNOWN: "yellow",
    Outcome.NOT_TESTED: "dim",
}


class ProgressSink:
    """Shows nothing: only the JSON is read."""

    def tell(self, progress: Progress) -> None:
        """Take note of how it goes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass


class PlainProgress(ProgressSink):
    """How long it takes, and a plain line now and then, for a log."""

    def __init__(self) -> None:
        self._said: float | None = None

    def tell(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._said is None:
            self._said = now
            if words := beforehand(progress):
                say(f" {words}", stderr=True)
        if now - self._said >= PLAIN_LINE_INTERVAL_S:
            self._said = now
            say(_words(progress), stderr=True)


class LiveProgress(ProgressSink):
    """One line that is drawn over and over, with what is going on now."""

    def __init__(self, console: Console) -> None:
        self._spinner = Spinner("dots", "opening the line", style="cyan")
        self._live = Live(self._spinner, console=console, transient=True, refresh_per_second=10)

    def tell(self, progress: Progress) -> None:
        style = "red" if progress.faults else ""
        self._spinner.update(text=Text(_words(progress), style=style, overflow="ellipsis", no_wrap=True))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()


def live(console: Console, *, quiet: bool) -> ProgressSink:
    """What suits ``console`` while the test runs."""
    if is_watched(console):
        return LiveProgress(console)
    return ProgressSink() if quiet else PlainProgress()


def beforehand(progress: Progress) -> str:
    """Return how many seconds the test takes; nothing of a line that nothing paces."""
    whole = progress.whole
    if whole.expected is None:
        return ""
    return f"about {duration(whole.expected)} at {progress.settings.mode}, {duration(whole.most)} at most"


def _words(progress: Progress) -> str:
    settings = progress.settings
    which = (
        f"run {progress.run} of {progress.runs}, {settings.mode} flow {settings.flow}: " if progress.runs > 1 else ""
    )
    what = progress.phase
    if what == "data":
        of = "" if settings.bytes_to_send is None else f" of {size_in_words(settings.bytes_to_send)} a way"
        speed = f", {rate(progress.received / progress.elapsed)}" if progress.elapsed else ""
        what = f"{size_in_words(progress.received)}{of} checked{speed}"
        what += f", {plural(progress.faults, 'fault')}" if progress.faults else ", no fault"
    if progress.phase != "opening" and progress.budget.expected is not None:
        what += f" (about {duration(progress.budget.expected)})"
    of_all = "" if progress.whole.expected is None else f" of about {duration(progress.whole.expected)}"
    return f" {which}{what}, {progress.elapsed:.0f} s{of_all}"


def show(result: Result, console: Console, *, checks: bool = True) -> None:
    """Print the result: the verdict first; where no checks were asked for, those that failed."""
    console.print(
        Text.assemble((result.verdict.upper(), VERDICT_STYLES[result.verdict]), "  ", printable(sentence(result)))
    )
    if result.axes or any(run.directions for run in result.runs):
        print_table(console, _sweep(result, console) if result.axes else _figures(result.runs[0], console))
    for run in result.runs:
        _show_faults(run, console, named=len(result.runs) > 1)
    shown = [check for check in result.checks if checks or check.outcome is Outcome.FAIL]
    if shown:
        table = _table(console, "Check", "", "")
        for check in shown:
            table.add_row(
                printable(check.name), Text(check.outcome, style=VERDICT_STYLES[check.outcome]), printable(check.detail)
            )
        print_table(console, table)


def print_table(console: Console, table: Table) -> None:
    """Print a table: within a terminal's width, and elsewhere as wide as it is, a row a line."""
    if is_watched(console):
        console.print(table)
        return
    console.width = PIPED_TABLE_COLUMNS
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        say(line.rstrip())


def _figures(run: Run, console: Console) -> Table:
    settings = run.settings
    table = _table(console, printable(" ↔ ".join(settings.ports)), *(way.name for way in run.directions))
    rows: dict[str, Callable[[Direction], str]] = {
        "settings": lambda way: settings_in_words(run),
        "pattern": lambda way: printable(way.account.pattern),
        "sent, received": lambda way: f"{way.account.sent:,}, {way.account.received:,}",
        "wrong": damage,
        "bit error ratio": lambda way: error_rate(way.error_rate),
        "throughput": lambda way: f"{rate(way.bytes_per_second)} in {duration(way.seconds)}",
        "of the line rate": lambda way: _share(way.bytes_per_second / settings.line_rate),
        "gaps": _gaps,
        "writes": _writes,
        "driver's errors": _kernel,
    }
    for name, words in rows.items():
        table.add_row(name, *(words(way) for way in run.directions))
    if run.latency is not None:
        figures = run.latency
        parts = (("p50", figures.p50), ("p90", figures.p90), ("p99", figures.p99), ("max", figures.maximum))
        told = ", ".join(f"{name} {duration(value)}" for name, value in parts if value is not None)
        table.add_row("round trip", f"{told} ({figures.count:,} of them)")
    if run.cpu_seconds is not None and run.seconds:
        late = f"; this machine was {duration(run.kept_waiting)} late" if run.kept_waiting else ""
        table.add_row("CPU", f"{run.cpu_seconds / run.seconds:.0%}, {duration(run.cpu_seconds)}{late}")
    return table


def _share(share: float) -> str:
    return f"{share:.1%}" if share < 2 else f"{share:,.0f} times: nothing paces this line"


def _gaps(way: Direction) -> str:
    if way.gaps is None:
        return "unknown: nothing came"
    if not way.gaps.count:
        return f"none above {duration(way.gaps.threshold)}"
    longest = way.gaps.longest[0]
    return f"{way.gaps.count:,}; longest {duration(longest.seconds)} after byte {longest.offset:,}"


def _writes(way: Direction) -> str:
    if way.writes is None:
        return "not known on this port"
    smallest = "" if way.writes.smallest is None else f", the smallest took {way.writes.smallest:,}"
    return f"{way.writes.calls:,}; {way.writes.short:,} short{smallest}; {way.writes.blocked:,} met a full port"


def _kernel(way: Direction) -> str:
    counts = way.kernel
    if counts is None:
        return "not counted (no TIOCGICOUNT)"
    return (
        f"{counts.frame} framing, {counts.parity} parity, {counts.overrun} overrun, "
        f"{counts.buffer_overrun} buffer overrun, {counts.breaks} breaks"
    )


def _sweep(result: Result, console: Console) -> Table:
    table = _table(console, *(axis.name for axis in result.axes), "", "throughput a way", "what happened")
    names = {"baud": "baudrate", "databits": "data_bits", "stopbits": "stop_bits"}
    for run in result.runs:
        values = [printable(f"{getattr(run.settings, names.get(axis.name, axis.name))}") for axis in result.axes]
        speed = rate(min(way.bytes_per_second for way in run.directions)) if run.directions else ""
        told = printable("; ".join(run.reasons)) or "every byte right"
        table.add_row(*values, Text(run.verdict, style=VERDICT_STYLES[run.verdict]), speed, told)
    return table


def _show_faults(run: Run, console: Console, *, named: bool) -> None:
    if named and run.verdict is not Verdict.FAIL:
        return
    for way in run.directions:
        shown = way.account.faults[:SHOWN_FAULT_COUNT]
        for cause in way.account.diagnoses:
            console.print(
                Text(printable(f"{way.name}: {cause.name}: {cause.text}, {cause.occurrences:,} times"), "red")
            )
        for fault in shown:
            console.print(Text(printable(f"{way.name}: {fault}"), "red"))
        if way.account.fault_count > len(shown):
            console.print(Text(f"{way.name}: and {way.account.fault_count - len(shown):,} more", "red"))


def _table(console: Console, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        # in a log or a pipe a row stays one line, for grep
        table.add_column(printable(column), overflow="fold", no_wrap=not is_watched(console))
    return table

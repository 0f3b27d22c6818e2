"""The progress of a write: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from serialwrite import TransferTimeout

from ._console import PLAIN_LINE_INTERVAL_S, is_watched, say, seconds_in_words, size_in_words
from ._source import Source

TOTAL_MIN_COLUMNS = 80  # columns, from which on the bar leaves room for the total
STALL_SHOWN_AFTER_S = 1.0  # seconds without an accepted byte, after which the bar says so


class Bar:
    """A bar, with bytes, rate and the time left; while nothing is accepted, how long that has been so, and why."""

    def __init__(self, console: Console, source: Source, first: int) -> None:
        self._source = source
        self._moved = time.monotonic()
        total = source.size
        self._progress = Progress(
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %" if total is not None else ""),
            _Amount(wide=console.width >= TOTAL_MIN_COLUMNS),
            _Pace(self),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("", total=total, completed=first)

    def halted(self) -> str | None:
        """Why nothing has been accepted for a while; None if something has."""
        idle = time.monotonic() - max(self._moved, self._source.arrived)
        if idle <= STALL_SHOWN_AFTER_S:
            return None
        return "waiting for input" if self._source.waiting else f"stalled {idle:.0f} s"

    def advanced(self, offset: int) -> None:
        self._moved = time.monotonic()
        self._progress.update(self._task, completed=offset)

    def retrying(self, error: TransferTimeout, retry: int) -> None:
        self._progress.console.print(_retry_line(self._progress.tasks[0].completed, error, retry), style="yellow")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()


class _Amount(ProgressColumn):
    """Bytes accepted, of all where that is known and there is room."""

    def __init__(self, *, wide: bool) -> None:
        super().__init__(Column(no_wrap=True))
        self._wide = wide

    def render(self, task: Task) -> Text:
        done = size_in_words(task.completed)
        if self._wide and task.total is not None and task.completed <= task.total:  # else the file has grown
            done += f" of {size_in_words(task.total)}"
        return Text(done, style="cyan")


class _Pace(ProgressColumn):
    """Rate and time left, or how long nothing has moved."""

    def __init__(self, bar: Bar) -> None:
        super().__init__(Column(no_wrap=True))
        self._bar = bar

    def render(self, task: Task) -> Text:
        if halted := self._bar.halted():
            return Text(halted, style="yellow")
        if not task.speed:
            return Text("")
        left = "" if task.time_remaining is None else f", {seconds_in_words(math.ceil(task.time_remaining))} left"
        return Text(f"{size_in_words(task.speed)}/s{left}", style="green")


class ProgressLines:
    """Plain lines for a log: at the start, every few seconds, and when something is odd."""

    def __init__(self, total: int | None, first: int) -> None:
        self._total = total
        self._first = first
        self._offset = first
        self._began = self._said = time.monotonic()

    def advanced(self, offset: int) -> None:
        self._offset = offset
        now = time.monotonic()
        if now - self._said < PLAIN_LINE_INTERVAL_S:
            return
        self._said = now
        rate = (offset - self._first) / (now - self._began)
        line = f"{offset:,} bytes accepted, {size_in_words(rate)}/s"
        if self._total and offset <= self._total:  # else the file has grown
            left = f", {seconds_in_words(math.ceil((self._total - offset) / rate))} left" if rate else ""
            line = f"{offset:,} of {self._total:,} bytes accepted ({offset / self._total:.0%}), "
            line += f"{size_in_words(rate)}/s{left}"
        say(line)

    def retrying(self, error: TransferTimeout, retry: int) -> None:
        say(_retry_line(self._offset, error, retry))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass


class Silence(ProgressLines):
    """For a program that reads the JSON only."""

    def advanced(self, offset: int) -> None:
        pass

    def retrying(self, error: TransferTimeout, retry: int) -> None:
        pass


def _retry_line(offset: float, error: TransferTimeout, retry: int) -> str:
    held = f" ({error.stall})" if error.stall else ""
    idle = error.idle_timeout or 0.0
    return f"no byte accepted for {idle:.2f} s{held}: resuming at byte {offset:,.0f}, retry {retry}"


def progress(console: Console, source: Source, first: int, *, quiet: bool) -> Bar | ProgressLines:
    """The progress that suits ``console``: if it is not a terminal, lines, or none if ``quiet``."""
    if is_watched(console):
        return Bar(console, source, first)
    return Silence(source.size, first) if quiet else ProgressLines(source.size, first)

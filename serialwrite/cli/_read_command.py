"""``serialwrite read``: its options, what it shows, and its summary."""

from __future__ import annotations

import asyncio
import json as jsonlib
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Annotated, Optional

import typer

import serialwrite as sw

from ._console import say, seconds_in_words
from ._endings import Ending, ExitCode, Outcome, ended, error_in_words
from ._line_options import LineOptions, PortArgument, with_line_options
from ._output import output_to, printed
from ._reading import Limit, Lines, Match, Reading, Shown
from ._trace_option import TraceOption, check_output, traced
from ._values import IdleTimeout, pattern_of, seconds_option


@with_line_options
def read(
    port: PortArgument,
    *,
    line: LineOptions,
    until: Annotated[
        Optional[str],  # noqa: UP045 # typer reads it at run time, in 3.11's way too
        typer.Option(
            metavar="PATTERN",
            help="Read up to and including a match of this regular expression, of Python's syntax; "
            "^ and $ match at lines. What comes behind it is dropped.",
        ),
    ] = None,
    most: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--bytes", "-n", min=1, metavar="N", help="Read so many bytes, and ask the port for no more."),
    ] = None,
    lines: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            "--lines", "-l", min=1, metavar="N", help="Read so many lines. What comes behind them is dropped."
        ),
    ] = None,
    seconds: Annotated[Optional[float], seconds_option("Read for so long.", "--seconds", "-s")] = None,  # noqa: UP045
    idle_timeout: IdleTimeout = None,
    timeout: Annotated[
        Optional[float],  # noqa: UP045
        seconds_option("Give up when what is to be read has not come by then.", show_default="no limit"),
    ] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Put the time before each line.")] = False,
    in_hex: Annotated[bool, typer.Option("--hex", help="Show offset, bytes in hex, and text.")] = False,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Write it to a new file; - is standard output.")
    ] = "-",
    trace: TraceOption = None,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="End with one JSON object: on standard output, or on standard error if the bytes go there."
        ),
    ] = False,
) -> None:
    """Read from a serial port, byte for byte, until the first limit is met, or until Ctrl-C."""
    limits: dict[str, Limit] = {}
    if until is not None:
        limits["until"] = Match(pattern_of(until))
    if lines is not None:
        limits["lines"] = Lines(lines)
    check_output("--output", output, port)
    check_output("--trace", trace, port, output)
    report = ReadReport(port, output, timeout)
    with ExitStack() as resources:
        try:
            # The file first, as opening a port can reset the device; but what is in it goes only once that is open.
            target = output_to(output)
            stream = traced(line.open(port, resources), trace, resources)
        except (OSError, TypeError, ValueError) as error:
            report.error = error_in_words(error)
        else:
            target.empty()
            shown = Shown(in_hex=in_hex, timestamps=timestamps)
            report.reading = reading = Reading(
                stream,
                lambda data: target.write(shown.text(data)),
                target,
                limits,
                most=most,
                seconds=seconds,
                timeout=timeout,
                idle_timeout=idle_timeout,
            )
            report.ending = asyncio.run(ended(reading.run()))
            report.whole = target.drained()
    _tell(report, json=json)
    raise typer.Exit(report.exit_code)


@dataclass
class ReadReport:
    """All that is known about one reading."""

    port: str
    file: str
    timeout: float | None
    reading: Reading | None = None
    ending: Ending = field(default_factory=Ending)
    error: str | None = None
    whole: bool = True  # whether all bytes could be written where they were to go

    @property
    def exit_code(self) -> int:
        return self.ending.exit_code or (ExitCode.DONE if self.whole else ExitCode.FAILED)

    def as_json(self) -> str:
        """One JSON object, on one line."""
        reading = self.reading
        return jsonlib.dumps(
            {
                "outcome": self.ending.outcome.label,
                "exit_code": self.exit_code,
                "port": self.port,
                "file": self.file,
                "read": reading.count if reading else 0,
                "surplus": reading.surplus if reading else 0,
                "ended_by": reading.ended_by if reading else None,
                "seconds": round(reading.seconds, 3) if reading else 0.0,
                "error": self.reason(),
            }
        )

    def reason(self) -> str | None:
        """What ended it before it was complete."""
        error = self.ending.error
        if not isinstance(error, sw.TransferError):
            return self.error
        if not isinstance(error, sw.TransferTimeout):
            return error.strerror
        return (
            f"--timeout {self.timeout:g} s" if error.idle_timeout is None else f"no byte for {error.idle_timeout:g} s"
        )

    def summary(self) -> str:
        """One line for people: how it ended, and how many bytes were read."""
        if self.reading is None:
            return f"serialwrite: nothing was read: {self.error}"
        amount = f"{self.reading.count:,} bytes read in {seconds_in_words(self.reading.seconds)}"
        if self.ending.outcome is Outcome.COMPLETE:
            surplus = self.reading.surplus
            return amount + (f"; {surplus:,} more came behind the end, and are dropped" if surplus else "")
        reason = self.reason()
        return f"serialwrite: {self.ending.outcome.label}{f' ({reason})' if reason else ''}: {amount}"


def _tell(report: ReadReport, *, json: bool) -> None:
    """Print the summary. Where the bytes go, nothing else does."""
    to_stdout = report.file != "-" and report.reading is not None
    if json:
        say(report.as_json(), stderr=not to_stdout and report.reading is not None)
    if report.ending.outcome is not Outcome.COMPLETE:
        say(report.summary(), stderr=True)
    elif to_stdout and not json:
        say(report.summary())
    printed()

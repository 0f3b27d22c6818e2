"""``serialwrite write``: its options and its endings."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Annotated, Any, cast

import typer

from ._console import console, say
from ._endings import Outcome, ended, error_in_words
from ._line_options import LineOptions, PortArgument, with_line_options
from ._output import printed
from ._resume import resume_words, shell_line
from ._sending import Sending
from ._source import Source, SourceError
from ._trace_option import TraceOption
from ._values import IdleTimeout, seconds_option
from ._write_options import ClosePolicy, DrainTo, WriteOptions
from ._write_progress import progress
from ._write_report import Report

RESUMING = (
    "On 3, 4 and 130 it says how many bytes the system accepted, and prints the exact command that writes the rest."
)


@with_line_options
def write(
    context: typer.Context,
    port: PortArgument,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="What to write, to where reading it ends; - is standard input.")
    ] = "-",
    *,
    line: LineOptions,
    idle_timeout: IdleTimeout = None,
    timeout: Annotated[
        float | None,
        seconds_option(
            "Give up when the whole write has taken this long, whether bytes move or not. "
            "Waiting for standard input counts for neither.",
            show_default="no limit",
        ),
    ] = None,
    retries: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Resume by itself after this many idle timeouts; the next one ends the command."
        ),
    ] = 0,
    chunk: Annotated[
        int, typer.Option(min=1, metavar="BYTES", help="The most bytes handed to the port at a time.")
    ] = 65536,
    resume_from: Annotated[
        int, typer.Option(min=0, metavar="N", help="Skip the first N bytes: what an earlier write got through.")
    ] = 0,
    rs485: Annotated[
        bool, typer.Option("--rs485", help="Switch an RS-485 transmitter by RTS: by the driver, or here.")
    ] = False,
    char_delay: Annotated[float, seconds_option("Wait this long after each byte.", show_default=False)] = 0.0,
    line_delay: Annotated[float, seconds_option("Wait this long after each line.", show_default=False)] = 0.0,
    wait_for: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Before each further line, wait until the device has answered with this prompt. "
            "What it says meanwhile is shown on standard error.",
        ),
    ] = None,
    wait_first: Annotated[
        bool, typer.Option("--wait-first", help="Wait for the prompt before the first line, too.")
    ] = False,
    drain: Annotated[
        DrainTo,
        typer.Option(
            help="What to wait for behind the last byte: the hardware empty, the driver's queue empty, nothing, "
            "or the strongest that the driver reports."
        ),
    ] = DrainTo.STRONGEST,
    close: Annotated[
        ClosePolicy | None,
        typer.Option(
            help="What becomes of what is queued at the end: sent, dropped, or dropped without asking the device.",
            show_default="drain if all was written, else discard",
        ),
    ] = None,
    trace: TraceOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object with all counts, and no lines.")] = False,
) -> None:
    """Write a file, or standard input, to a serial port, and say exactly how far it got."""
    if retries and idle_timeout is None:
        raise typer.BadParameter(
            "there is nothing to retry without --idle-timeout: pass it, too", param_hint="--retries"
        )
    options = WriteOptions(line, rs485, char_delay, line_delay, wait_for, wait_first, drain, trace)
    options.check(port, file)
    report = Report(port=port, file=file, resume_from=resume_from, timeout=timeout)
    with ExitStack() as resources:
        try:
            # The file first: opening a port can reset the device behind it.
            source = resources.enter_context(Source(file))
            source.check_offset(resume_from)
            opened, stream = options.open(port, resources)
        except (SourceError, OSError, TypeError, ValueError) as error:
            report.error = error_in_words(error)
        else:
            sending = Sending(
                opened,
                source,
                idle_timeout,
                retries,
                chunk,
                timeout=timeout,
                stream=stream,
                gap=options.longest_gap,
                level=options.level,
            )
            with progress(console(stderr=json), source, resume_from, quiet=json) as watcher:
                report.ended(asyncio.run(ended(sending.run(resume_from, watcher), SourceError)))
            # After a failed write, what is in the driver's queue might still go out. It is dropped, so that the resume
            # knows where to begin.
            policy = ClosePolicy.DRAIN if report.outcome is Outcome.COMPLETE else ClosePolicy.DISCARD
            unsent = opened.close(cast("Any", close or policy).value)
            report.count(sending, source, unsent)
    if report.resumable:
        words = resume_words(context, report.offset)
        report.resume = shell_line(words, from_stdin=file == "-")
    _tell(report, json=json)
    raise typer.Exit(report.ending.exit_code)


def _tell(report: Report, *, json: bool) -> None:
    if json:
        say(report.as_json())
    elif report.outcome is Outcome.COMPLETE:
        say(report.summary())
    shown = printed()  # if not, that is on stderr by now: what to do comes last there
    if report.outcome is not Outcome.COMPLETE:
        for line in report.complaint():
            say(line, stderr=True)
    elif not shown:
        say(f"serialwrite: {report.summary()}", stderr=True)

"""`serialwrite write`: its options, its endings and their exit codes."""

from __future__ import annotations

import asyncio
import math
import signal
from contextlib import ExitStack, suppress
from typing import Annotated, Any, cast

import serial
import typer

import serialwrite as sw

from ._console import STOP_SIGNALS, console, say
from ._line_options import ClosePolicy, DrainTo, LineOptions
from ._output import printed
from ._resume import resume_words, shell_line
from ._sending import Sending, Watcher
from ._source import Source, SourceError
from ._write_progress import progress
from ._write_report import Report, WriteOutcome

EXIT_CODES = (
    "Exit codes: 0 all written; 2 bad usage, or the file or the port can't be opened; 3 timed out part-way; "
    "4 disconnected; 130 Ctrl-C. "
    "On 3, 4 and 130 it says how many bytes the system accepted, and prints the exact command that writes the rest."
)


def _checked_seconds(value: float | None) -> float | None:
    if value is not None and not (value >= 0 and math.isfinite(value)):
        raise typer.BadParameter("give a number of seconds, 0 or more; leave it out for no limit")
    return value


def _checked_gap(value: float) -> float:
    if not (value >= 0 and math.isfinite(value)):
        raise typer.BadParameter("give a number of seconds, 0 or more; leave it out for none")
    return value


def write(
    context: typer.Context,
    port: Annotated[
        str,
        typer.Argument(
            metavar="PORT", help="The serial port: a device path, such as /dev/ttyUSB0, or a URL of pyserial's."
        ),
    ],
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="What to write, to where reading it ends; - is standard input.")
    ] = "-",
    baud: Annotated[int, typer.Option("--baud", "-b", min=1, metavar="N", help="Bits per second.")] = 9600,
    idle_timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            callback=_checked_seconds,
            help="Give up when the port has moved no byte for this long. Each byte starts the time anew, "
            "so that a slow device never trips it.",
            show_default="no limit",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            callback=_checked_seconds,
            help="Give up when the whole write has taken this long, whether bytes move or not. "
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
    rtscts: Annotated[bool, typer.Option("--rtscts", help="Let the device hold the port by RTS/CTS.")] = False,
    xonxoff: Annotated[
        bool, typer.Option("--xonxoff", help="Let the device hold the port by XON/XOFF, for text only.")
    ] = False,
    rs485: Annotated[
        bool, typer.Option("--rs485", help="Switch an RS-485 transmitter by RTS: by the driver, or here.")
    ] = False,
    char_delay: Annotated[
        float, typer.Option(metavar="SECONDS", callback=_checked_gap, help="Wait this long after each byte.")
    ] = 0.0,
    line_delay: Annotated[
        float, typer.Option(metavar="SECONDS", callback=_checked_gap, help="Wait this long after each line.")
    ] = 0.0,
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
            "or the strongest that the driver can tell."
        ),
    ] = DrainTo.STRONGEST,
    close: Annotated[
        ClosePolicy | None,
        typer.Option(
            help="What becomes of what is queued at the end: sent, dropped, or dropped without asking the device.",
            show_default="drain if all was written, else discard",
        ),
    ] = None,
    trace: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write down every write to the port: .pcapng for Wireshark, else JSON, one a line."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object with all counts, and no lines.")] = False,
) -> None:
    """Write a file, or standard input, to a serial port, and say exactly how far it got."""
    if retries and idle_timeout is None:
        raise typer.BadParameter("needs --idle-timeout, or there is never anything to retry", param_hint="--retries")
    line = LineOptions(rtscts, xonxoff, rs485, char_delay, line_delay, wait_for, wait_first, drain, trace)
    line.check(port, file)
    report = Report(port=port, file=file, resume_from=resume_from, timeout=timeout)
    with ExitStack() as resources:
        try:
            # The file first: opening a port can reset the device behind it.
            source = resources.enter_context(Source(file))
            source.check_offset(resume_from)
            opened, stream = line.open(port, baud, resources)
        except (SourceError, OSError, TypeError, ValueError) as error:
            report.error = _words(error)
        else:
            sending = Sending(
                opened,
                source,
                idle_timeout,
                retries,
                chunk,
                timeout=timeout,
                stream=stream,
                gap=line.longest_gap,
                level=line.level,
            )
            with progress(console(stderr=json), source, resume_from, quiet=json) as watcher:
                report.outcome = asyncio.run(_ended(sending, resume_from, watcher, report))
            # What is in the driver's queue of a write that failed would go out at some time, or not: it is dropped,
            # so that the resume knows where to begin.
            policy = ClosePolicy.DRAIN if report.outcome is WriteOutcome.COMPLETE else ClosePolicy.DISCARD
            unsent = opened.close(cast("Any", close or policy).value)
            report.count(sending, source, unsent)
    if report.resumable:
        words = resume_words(context, report.offset)
        report.resume = shell_line(words, from_stdin=file == "-")
    _tell(report, json=json)
    raise typer.Exit(report.exit_code)


async def _ended(sending: Sending, first: int, watcher: Watcher, report: Report) -> WriteOutcome:
    """Run ``sending`` and say how it ended; every ending is a result here, none an exception."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def stop(number: int) -> None:
        report.signal = number
        task.cancel()

    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or in the background: leave it so
            with suppress(NotImplementedError):  # an event loop on Windows
                loop.add_signal_handler(number, stop, number)
    try:
        await sending.run(first, watcher)
    except sw.TransferError as error:
        report.failed(error)
        if isinstance(error, sw.TransferTimeout):
            return WriteOutcome.TIMED_OUT
        return WriteOutcome.DISCONNECTED if isinstance(error, sw.Disconnected) else WriteOutcome.FAILED
    except SourceError as error:
        report.error = str(error)
        return WriteOutcome.NOT_STARTED if not sending.accepted else WriteOutcome.BAD_INPUT
    except asyncio.CancelledError:
        return WriteOutcome.INTERRUPTED
    return WriteOutcome.COMPLETE


def _words(error: Exception) -> str:
    return str(error.strerror) if isinstance(error, serial.SerialException) and error.strerror else str(error)


def _tell(report: Report, *, json: bool) -> None:
    if json:
        say(report.as_json())
    elif report.outcome is WriteOutcome.COMPLETE:
        say(report.summary())
    shown = printed()  # if not, that is on stderr by now: what to do comes last there
    if report.outcome is not WriteOutcome.COMPLETE:
        for line in report.complaint():
            say(line, stderr=True)
    elif not shown:
        say(f"serialwrite: {report.summary()}", stderr=True)

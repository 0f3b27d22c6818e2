"""``serialwrite loopback``: its options and its files."""

from __future__ import annotations

import asyncio
import json as jsonlib
import os
import signal
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from serialwrite.loopback import PATTERN_NAMES, Progress, Result, Verdict, async_run, to_json, write_junit, write_report
from serialwrite.loopback._sweep import AXES
from serialwrite.loopback.report._template import environment
from serialwrite.loopback.report._words import printable, sentence

from ._console import STOP_SIGNALS, console, say
from ._line_options import LineOptions, with_line_options
from ._loopback_view import live, show
from ._output import printed
from ._resume import shell_line


class RigChoice(StrEnum):
    """A line without hardware."""

    PTY = "pty"
    SOCAT = "socat"
    UART = "uart"


def _swept(words: list[str]) -> dict[str, list[str]]:
    """Return the values of each axis out of ``baud=9600,115200``, several in a word or a word each."""
    axes: dict[str, list[str]] = {}
    for word in " ".join(words).split():
        name, equals, values = word.partition("=")
        if name not in AXES or not equals or not values.strip(","):
            raise typer.BadParameter(
                f"{word!r}: pass NAME=VALUE,VALUE with one of {', '.join(AXES)}", param_hint="--sweep"
            )
        axes.setdefault(name, []).extend(value for value in values.split(",") if value)
    return axes


PatternOption: TypeAlias = Annotated[
    str, typer.Option("--pattern", "-p", metavar="NAME", help=f"What is sent: {', '.join(PATTERN_NAMES)}.")
]
CountOption: TypeAlias = Annotated[
    int | None, typer.Option("--bytes", "-n", min=1, metavar="N", help="Bytes to send each way.", show_default=False)
]
SecondsOption: TypeAlias = Annotated[
    float | None, typer.Option("--seconds", "-s", metavar="S", help="How long to send.", show_default="2")
]
JunitOption: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write JUnit XML for a CI system.", show_default=False)
]


@with_line_options
def loopback(
    ports: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PORT [PEER]",
            help="One port whose output is wired to its own input, or two that are wired together: devices or "
            "pyserial URLs. None: a rig without hardware.",
            show_default=False,
        ),
    ] = None,
    *,
    line: LineOptions,
    rig: Annotated[
        RigChoice | None,
        typer.Option(
            metavar="pty|socat|uart", help="A line without hardware.", show_default="pty, if no port is given"
        ),
    ] = None,
    pattern: PatternOption = "prbs31",
    seed: Annotated[int, typer.Option(metavar="N", help="The seed of the pattern random.")] = 0,
    count: CountOption = None,
    seconds: SecondsOption = None,
    block: Annotated[int, typer.Option(min=1, metavar="BYTES", help="Bytes given to one write.")] = 4096,
    one_way: Annotated[bool, typer.Option("--one-way", help="Send from PORT to PEER only.")] = False,
    trips: Annotated[int, typer.Option(min=0, metavar="N", help="Round trips to measure; 0 for none.")] = 200,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE,...",
            help="Try all combinations: --sweep baud=9600,115200 parity=N,E flow=none,rtscts.",
            show_default=False,
        ),
    ] = None,
    stop_early: Annotated[bool, typer.Option("--stop-early", help="End a sweep with its first failure.")] = False,
    checks: Annotated[bool, typer.Option(help="Check the wiring and the accounting.")] = True,
    require_lines: Annotated[
        bool, typer.Option("--require-lines", help="Modem lines that are not wired are a failure.")
    ] = False,
    max_gap: Annotated[
        float | None, typer.Option(metavar="S", help="A longer time without a byte is a failure.", show_default="none")
    ] = None,
    patience: Annotated[
        float, typer.Option(min=0.01, metavar="S", help="Silence after which what is missing is lost.")
    ] = 2.0,
    json: Annotated[bool, typer.Option("--json", help="Print the whole result as one JSON object.")] = False,
    junit: JunitOption = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Write a report, one page for any browser.", show_default=False),
    ] = None,
) -> None:
    """Prove a line: send a pattern, account for every byte that comes back. Without a port, on a rig of its own."""
    words = ports or []
    # ``--sweep baud=1,2 parity=N,E``: only its first word is the option's, the others arrive as ports
    axes = _swept([*(sweep or []), *(word for word in words if sweep and word.partition("=")[0] in AXES)])
    words = [word for word in words if not (sweep and word.partition("=")[0] in AXES)]
    if len(words) > 2:
        raise typer.BadParameter(f"got {len(words)} ports: pass one or two", param_hint="PORT")
    if words and rig is not None:
        raise typer.BadParameter("got a port, too: pass a port or --rig", param_hint="--rig")
    must_be_writable(junit, report)
    if report is not None:
        must_have_jinja()
    phase = ""

    def tell(progress: Progress) -> None:
        nonlocal phase
        phase = progress.phase
        watcher.tell(progress)

    with live(console(stderr=True), quiet=json) as watcher:
        stop = asyncio.Event()
        running = async_run(
            *words,
            rig=(rig or RigChoice.PTY).value,
            pattern=pattern,
            seed=seed,
            baudrate=line.baud,
            data_bits=line.data_bits,
            parity=line.parity.value,
            stop_bits=line.stop_bit_count,
            flow=line.flow.value,
            dtr=line.dtr,
            rts=line.rts,
            bytes_to_send=count,
            seconds=seconds,
            block_size=block,
            both_ways=not one_way,
            trips=trips,
            checks=checks,
            require_lines=require_lines,
            max_gap=max_gap,
            patience=patience,
            sweep=axes,
            stop_early=stop_early,
            stop=stop,
            progress=tell,
            command=shell_line(["serialwrite", *sys.argv[1:]], from_stdin=False),
        )
        try:
            result = asyncio.run(_until_signalled(running, stop, blocked=lambda: phase == "opening"))
        except (ValueError, OSError) as error:
            raise typer.BadParameter(str(error)) from error
        except (KeyboardInterrupt, asyncio.CancelledError):
            say("serialwrite: stopped before there was a verdict", stderr=True)
            raise typer.Exit(130) from None
    if json:
        say(jsonlib.dumps(to_json(result) | {"summary": sentence(result)}))
    else:
        show(result, console(), checks=checks)
    if not printed():
        say(f"serialwrite: {result.verdict.upper()}  {printable(sentence(result))}", stderr=True)
    unwritten = _write_files(result, junit, report)
    raise typer.Exit(unwritten or result.exit_code)


async def _until_signalled(running: Any, stop: asyncio.Event, blocked: Callable[[], bool]) -> Result:
    """Wait for the result; the first Ctrl-C (SIGTERM, SIGHUP) asks for what there is, the second ends it at once.

    While the loop is ``blocked``, as the opening of a remote port blocks it for seconds, it is interrupted.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def end() -> None:
        if stop.is_set():
            task.cancel()
            return
        stop.set()
        say("serialwrite: stopping; Ctrl-C again ends at once", stderr=True)

    def at_signal(*_: object) -> None:
        if blocked():
            stop.set()
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(end)

    before = {number: signal.signal(number, at_signal) for number in STOP_SIGNALS}
    try:
        result: Result = await running
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return result


def must_be_writable(*paths: Path | None) -> None:
    """Refuse a file that can't be written now, not after the hours that the test may take."""
    for path in filter(None, paths):
        folder = path.resolve().parent
        if path.is_dir() or (path.exists() and not path.is_file()):
            raise typer.BadParameter(f"{str(path)!r} is not a regular file: pass another path")
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise typer.BadParameter(
                f"{str(path)!r}: {str(folder)!r} is not a folder that you can write to: pass another path"
            )


def must_have_jinja() -> None:
    """Refuse a report for want of Jinja2 now, not after the hours that the test may take."""
    try:
        environment("serialwrite.loopback", "report")
    except ImportError as missing:
        raise typer.BadParameter(str(missing), param_hint="--report") from missing


def _write_files(result: Result, junit: Path | None, report: Path | None) -> int:
    """Write what was asked for; return the exit code if a file can't be written, unless the test itself failed."""
    code = 0
    for path, write in ((junit, write_junit), (report, write_report)):
        if path is None:
            continue
        try:
            write(result, path)
        except OSError as error:
            say(f"serialwrite: {str(path)!r} can't be written: {error}", stderr=True)
            code = 0 if result.verdict is Verdict.FAIL else 3
    return code

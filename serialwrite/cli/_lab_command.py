"""``serialwrite lab loopback``: its options and its files."""

from __future__ import annotations

import asyncio
import datetime as dt
import json as jsonlib
import signal
from pathlib import Path
from typing import Annotated

import typer

from serialwrite.lab._prove import Prover
from serialwrite.lab._reports import summary, to_json, write_html, write_json, write_junit
from serialwrite.lab._row import Row, exit_code

from ._console import STOP_SIGNALS, console, say
from ._endings import EXIT_CODES
from ._loopback import (
    CountOption,
    JunitOption,
    PatternOption,
    SecondsOption,
    must_be_writable,
    must_have_jinja,
)

LAB_EXIT_CODES = (
    f"{EXIT_CODES} 3 also means that a line could not be proved (busy, could not run), or that a file could "
    "not be written. After Ctrl-C every place is released."
)

lab = typer.Typer(help="Prove the lines of a whole lab.", no_args_is_help=True, rich_markup_mode=None)


@lab.callback()
def _lab() -> None:
    """Prove the serial lines of a whole lab, through labgrid's coordinator."""


@lab.command(epilog=LAB_EXIT_CODES)
def loopback(
    coordinator: Annotated[
        str, typer.Option(metavar="HOST:PORT", envvar="LG_COORDINATOR", help="labgrid's coordinator.")
    ] = "127.0.0.1:20408",
    places: Annotated[
        list[str] | None, typer.Argument(metavar="[PLACE]...", help="Places to test. None: all of them.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Places tested at once.")] = 4,
    count: CountOption = None,
    seconds: SecondsOption = None,
    pattern: PatternOption = "prbs31",
    trips: Annotated[int, typer.Option(min=0, metavar="N", help="Round trips to measure; 0 for none.")] = 50,
    checks: Annotated[bool, typer.Option(help="Check the wiring and the accounting.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print all rows as one JSON object.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json-file", metavar="FILE", help="Write all rows as JSON.", show_default=False)
    ] = None,
    junit: JunitOption = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Write one page with a row a line.", show_default=False),
    ] = None,
) -> None:
    """Acquire each place, prove each of its serial lines, and release it.

    A place's ports named `port` and `peer` are wired together; any other port has a loopback plug.
    """
    try:
        from serialwrite.lab._coordinator import Coordinator  # noqa: PLC0415 # labgrid is an extra
    except ImportError as error:
        raise typer.BadParameter(str(error)) from error

    must_be_writable(json_file, junit, report)
    if report is not None:
        must_have_jinja()
    options = ["--pattern", pattern, "--trips", str(trips), "--checks" if checks else "--no-checks"]
    options += [] if count is None else ["--bytes", str(count)]
    options += [] if seconds is None else ["--seconds", str(seconds)]
    started = dt.datetime.now().astimezone().isoformat(timespec="seconds")

    async def prove() -> tuple[list[Row], bool]:
        async with Coordinator(coordinator) as source:
            unknown = sorted(set(places or ()) - set(source.places))
            if unknown:
                known = ", ".join(source.places) or "none"
                raise typer.BadParameter(f"no place is called {', '.join(unknown)}; pass one of {known}")
            prover = Prover(source, options, jobs, lambda words: say(words, stderr=True))

            def stop() -> None:
                say("serialwrite: stopping; Ctrl-C again kills the tests; the places are released", stderr=True)
                prover.stop()

            loop = asyncio.get_running_loop()
            before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
            for number in STOP_SIGNALS:
                loop.add_signal_handler(number, stop)
            try:
                return await prover.prove(places or source.places), prover.stopped
            finally:
                for number, handler in before.items():
                    loop.remove_signal_handler(number)
                    signal.signal(number, handler)

    try:
        rows, stopped = asyncio.run(prove())
    except ConnectionError as error:
        raise typer.BadParameter(str(error), param_hint="--coordinator") from error
    if json:
        say(jsonlib.dumps(to_json(rows, coordinator, started)))
    else:
        for row in rows:
            console().print(f"{row.state:<14} {row.name}: {row.reason}", markup=False, highlight=False, soft_wrap=True)
        say(summary(rows))
    code = exit_code(rows, stopped=stopped)
    for path, write in ((json_file, write_json), (junit, write_junit), (report, write_html)):
        if path is not None:
            try:
                write(rows, coordinator, started, path)
            except OSError as error:
                say(f"serialwrite: {str(path)!r} can't be written: {error}", stderr=True)
                code = code or 3
    raise typer.Exit(code)

"""``--trace``: every read and write of a port, in a file or on standard error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

import serialwrite as sw
from serialwrite.streams.layers._trace_files import trace_file

from ._console import say

TraceOption = Annotated[
    Optional[str],  # noqa: UP045 # typer reads it at run time, in 3.11's way too
    typer.Option(
        metavar="FILE",
        help="Record every read and write of the port, with times: .pcapng for Wireshark, else JSON, one a line; "
        "- shows them on standard error.",
    ),
]


def check_output(option: str, name: str | None, *others: str) -> None:
    """BadParameter if the file ``name`` that ``option`` is to write is one of ``others``."""
    for other in others:
        if name is not None and _same(name, other):
            raise typer.BadParameter(f"it would overwrite {other!r}: pass another file", param_hint=option)


def traced(stream: Any, name: str | None, resources: ExitStack) -> Any:
    """``stream``, with its reads and writes recorded in the file ``name``; as it is without a name."""
    if name is None:
        return stream
    if name == "-":
        return sw.Traced(stream, lambda event: say(str(event), stderr=True))
    return sw.Traced(stream, _tracer(name, resources))


def _tracer(name: str, resources: ExitStack) -> Callable[[sw.TraceEvent], None]:
    """A sink that writes each event to a new file. If the file can't be written, a line says so at the end."""
    try:
        file = trace_file(name)
    except OSError as error:
        raise OSError(f"--trace {name}: {error.strerror}") from error

    def tell(event: sw.TraceEvent) -> None:
        with suppress(OSError):  # end() reports it
            file.write(event)

    def end() -> None:
        try:
            file.close()
        except OSError as error:
            file.failure = file.failure or error
        if file.failure is not None:
            say(f"serialwrite: --trace {name}: {file.failure.strerror}; the trace is not whole", stderr=True)

    resources.callback(end)
    return tell


def _same(one: str, other: str) -> bool:
    with suppress(OSError, ValueError):  # there is none yet; or it is standard input, or a URL
        return Path(one).samefile(other)
    return False

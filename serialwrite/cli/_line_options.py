"""How a write goes over the line: flow control, RS-485, pace, a prompt, a trace, and what becomes of the queue."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import serial.rs485
import typer

import serialwrite as sw
from serialwrite.streams.layers._prompts import SETTLE
from serialwrite.streams.layers._trace_files import trace_file
from serialwrite.streams.serial._drain import check_level

from ._console import say

DrainTo = StrEnum(
    "DrainTo", {"STRONGEST": "strongest", "SHIFT_REGISTER": "shift-register", "QUEUE": "queue", "NONE": "none"}
)
"""What a write waits for behind the last byte."""

ClosePolicy = StrEnum("ClosePolicy", {"DRAIN": "drain", "DISCARD": "discard", "ABORT": "abort"})
"""What becomes of what is queued when the port is closed."""


@dataclass(frozen=True)
class LineOptions:
    """What the options of a write say of the line."""

    rtscts: bool
    xonxoff: bool
    rs485: bool
    char_delay: float
    line_delay: float
    wait_for: str | None
    wait_first: bool
    drain: DrainTo
    trace: str | None

    def check(self, port: str, file: str) -> None:
        """BadParameter for options that contradict one another, or ``port`` and ``file``."""
        if self.rs485 and self.rtscts:
            raise typer.BadParameter("RTS can't be both: give --rtscts or --rs485", param_hint="--rs485")
        if self.wait_for == "":
            raise typer.BadParameter("give the prompt: at least one character", param_hint="--wait-for")
        if self.wait_first and self.wait_for is None:
            raise typer.BadParameter("needs --wait-for, which says what the prompt is", param_hint="--wait-first")
        for other in (port, file):
            if self.trace is not None and _same(self.trace, other):
                raise typer.BadParameter(f"it would overwrite {other!r}; name another file", param_hint="--trace")

    @property
    def longest_gap(self) -> float:
        """Seconds for which it may be silent on purpose."""
        settle = 0.0 if self.wait_for is None else SETTLE
        return self.char_delay + self.line_delay + settle

    def open(self, name: str, baud: int, resources: ExitStack) -> tuple[sw.SerialPort, Any]:
        """Open the port: itself, and the stream to write through."""
        port, stream = self._opened(name, baud, resources)
        if self.drain not in {DrainTo.STRONGEST, DrainTo.NONE}:
            try:
                check_level(port.driver.device, self.level)
            except io.UnsupportedOperation as error:
                words = str(error).partition(": ")[2]
                raise io.UnsupportedOperation(f"--drain {self.drain.value}: {words}") from error
        if self.trace is not None:
            stream = sw.Traced(stream, _tracer(self.trace, resources))
        if self.wait_for is not None:
            stream = sw.Traced(stream, _Transcript(resources).heard)
        if self.longest_gap:
            stream = sw.Paced(
                stream,
                byte_gap=self.char_delay,
                line_gap=self.line_delay,
                prompt=None if self.wait_for is None else os.fsencode(self.wait_for),
                prompt_first=self.wait_first,
            )
        return port, stream

    def _opened(self, name: str, baud: int, resources: ExitStack) -> tuple[sw.SerialPort, Any]:
        flow: dict[str, Any] = {"rtscts": self.rtscts, "xonxoff": self.xonxoff}
        if self.rs485:
            try:
                port = sw.SerialPort(name, baud, **flow, rs485_mode=serial.rs485.RS485Settings())
            except ValueError:  # the driver has no such mode: RTS is switched here
                port = sw.SerialPort(name, baud, **flow)
                resources.callback(port.close, "discard")
                return port, sw.RS485(port)
        else:
            port = sw.SerialPort(name, baud, **flow)
        resources.callback(port.close, "discard")
        return port, port

    @property
    def level(self) -> Any:
        """The level that async_drain is asked for."""
        return None if self.drain is DrainTo.STRONGEST else self.drain.value


class _Transcript:
    """Shows on stderr what the device says: a line at a time, and at the end what is left of one."""

    def __init__(self, resources: ExitStack) -> None:
        self._rest = b""
        resources.callback(self._end)

    def heard(self, event: sw.TraceEvent) -> None:
        if event.direction == "read":
            *lines, self._rest = (self._rest + event.data).split(b"\n")
            for line in lines:
                _show(line)

    def _end(self) -> None:
        if self._rest:
            _show(self._rest)


def _show(line: bytes) -> None:
    text = line.rstrip(b"\r").decode(errors="backslashreplace")
    # What a terminal would take for a command is written out.
    plain = "".join(each if each.isprintable() or each == "\t" else repr(each)[1:-1] for each in text)
    say(f"device: {plain}", stderr=True)


def _tracer(name: str, resources: ExitStack) -> Callable[[sw.TraceEvent], None]:
    """What writes down each event in a new file. If it fails, it stops; at the end a line says so."""
    try:
        file = trace_file(name)
    except OSError as error:
        raise OSError(f"--trace {name}: {error.strerror}") from error
    failure: OSError | None = None

    def tell(event: sw.TraceEvent) -> None:
        nonlocal failure
        if failure is None:
            try:
                file.write(event)
            except OSError as error:
                failure = error

    def end() -> None:
        nonlocal failure
        try:
            file.close()
        except OSError as error:
            failure = failure or error
        if failure is not None:
            say(f"serialwrite: --trace {name}: {failure.strerror}; the trace is not whole", stderr=True)

    resources.callback(end)
    return tell


def _same(one: str, other: str) -> bool:
    with suppress(OSError, ValueError):  # there is none yet; or it is standard input, or a URL
        return Path(one).samefile(other)
    return False

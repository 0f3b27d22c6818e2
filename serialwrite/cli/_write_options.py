"""How a write goes over the line: RS-485, pace, a prompt, a trace, and what it waits for behind the last byte."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import serial.rs485
import typer

import serialwrite as sw
from serialwrite.streams.layers._prompts import PROMPT_SETTLE_S
from serialwrite.streams.serial._drain import check_level

from ._console import say
from ._line_options import Flow, LineOptions
from ._trace_option import check_output, traced

DrainTo = StrEnum(
    "DrainTo", {"STRONGEST": "strongest", "SHIFT_REGISTER": "shift-register", "QUEUE": "queue", "NONE": "none"}
)
"""What a write waits for behind the last byte."""

ClosePolicy = StrEnum("ClosePolicy", {"DRAIN": "drain", "DISCARD": "discard", "ABORT": "abort"})
"""What becomes of what is queued when the port is closed."""


@dataclass(frozen=True)
class WriteOptions:
    """What the options of ``serialwrite write`` say, beyond those of the line."""

    line: LineOptions
    rs485: bool
    char_delay: float
    line_delay: float
    wait_for: str | None
    wait_first: bool
    drain: DrainTo
    trace: str | None

    def check(self, port: str, file: str) -> None:
        """BadParameter for options that contradict one another, or ``port`` and ``file``."""
        if self.rs485 and (self.line.flow is Flow.RTSCTS or self.line.rts is not None):
            raise typer.BadParameter(
                "more than one option switches RTS: pass only one of --rs485, --flow rtscts and --rts",
                param_hint="--rs485",
            )
        if self.wait_for == "":
            raise typer.BadParameter("the prompt is empty: pass at least one character", param_hint="--wait-for")
        if self.wait_first and self.wait_for is None:
            raise typer.BadParameter("there is no prompt to wait for: pass --wait-for, too", param_hint="--wait-first")
        check_output("--trace", self.trace, port, file)

    @property
    def longest_gap(self) -> float:
        """Seconds for which it may be silent on purpose."""
        settle = 0.0 if self.wait_for is None else PROMPT_SETTLE_S
        return self.char_delay + self.line_delay + settle

    @property
    def level(self) -> Any:
        """The level that async_drain is asked for."""
        return None if self.drain is DrainTo.STRONGEST else self.drain.value

    def open(self, name: str, resources: ExitStack) -> tuple[sw.SerialPort, Any]:
        """Open the port: itself, and the stream to write through."""
        port, stream = self._opened(name, resources)
        if self.drain not in {DrainTo.STRONGEST, DrainTo.NONE}:
            try:
                check_level(port.driver.device, self.level)
            except io.UnsupportedOperation as error:
                words = str(error).partition(": ")[2]
                raise io.UnsupportedOperation(f"--drain {self.drain.value}: {words}") from error
        stream = traced(stream, self.trace, resources)
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

    def _opened(self, name: str, resources: ExitStack) -> tuple[sw.SerialPort, Any]:
        if not self.rs485:
            port = self.line.open(name, resources)
            return port, port
        try:
            port = self.line.open(name, resources, rs485_mode=serial.rs485.RS485Settings())
        except ValueError:  # the driver has no such mode: RTS is switched here
            port = self.line.open(name, resources)
            return port, sw.RS485(port)
        return port, port


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

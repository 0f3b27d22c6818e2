"""``serialwrite ask``: one query, its reply, and how often it was tried."""

from __future__ import annotations

import asyncio
import json as jsonlib
import os
import re
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import typer

import serialwrite as sw

from ._console import say, seconds_in_words
from ._endings import Ending, Outcome, ended, error_in_words
from ._line_options import LineOptions, PortArgument, with_line_options
from ._output import exit_code
from ._trace_option import TraceOption, check_output, traced
from ._values import pattern_of, seconds_option

SHOWN_REPLY_SIZE = 200  # bytes of what came instead of the reply, the last ones


class Eol(StrEnum):
    """What ends the line that is sent."""

    CR = "cr"
    LF = "lf"
    CRLF = "crlf"
    NONE = "none"

    @property
    def data(self) -> bytes:
        """The bytes."""
        return {"cr": b"\r", "lf": b"\n", "crlf": b"\r\n", "none": b""}[self.value]


@with_line_options
def ask(
    port: PortArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to send; --eol ends it.")],
    *,
    line: LineOptions,
    until: Annotated[
        str,
        typer.Option(
            metavar="PATTERN",
            help="The reply ends with the first match of this regular expression, of Python's syntax, such as "
            "'OK|ERROR'; ^ and $ match at lines.",
            show_default="the end of a line",
        ),
    ] = "\n",
    timeout: Annotated[float, seconds_option("How long sending the text and waiting for its reply may take.")] = 2.0,
    retries: Annotated[
        int, typer.Option(min=0, metavar="N", help="Send the text again, so many times, if no reply has come.")
    ] = 0,
    eol: Annotated[Eol, typer.Option(metavar="cr|lf|crlf|none", help="What to send behind the text.")] = Eol.CR,
    trace: TraceOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with the reply in it.")] = False,
) -> None:
    """Send a line to a serial port and print the reply, up to and including the pattern."""
    pattern = pattern_of(until)
    check_output("--trace", trace, port)
    query = Query(os.fsencode(text) + eol.data, pattern, timeout, retries)
    ending, error = Ending(), None
    with ExitStack() as resources:
        try:
            stream = traced(line.open(port, resources), trace, resources)
        except (OSError, TypeError, ValueError) as failure:
            error = f"nothing was sent: {error_in_words(failure)}"
        else:
            ending = asyncio.run(ended(query.run(stream)))
            if ending.outcome is Outcome.TIMED_OUT and query.sent == len(query.data):
                ending = Ending(Outcome.NO_REPLY, ending.error)
            error = query.complaint(ending)
    if json:
        say(query.as_json(port, ending, error))
    elif ending.outcome is Outcome.COMPLETE:
        sys.stdout.buffer.write(query.reply)
        sys.stdout.buffer.flush()
    if error is not None:
        say(f"serialwrite: {error}", stderr=True)
    raise typer.Exit(exit_code(ending.exit_code))


@dataclass
class Query:
    """A text that is sent, again if need be, until its reply has come.

    Attributes:
        reply: what came for the last attempt; up to the end of the match, if there was one.
        sent: bytes of the text that the operating system took in the last attempt.
        attempts: how often it was sent.
        seconds: how long all of it took.
    """

    data: bytes
    pattern: re.Pattern[bytes]
    timeout: float
    retries: int
    reply: bytearray = field(default_factory=bytearray)
    sent: int = 0
    attempts: int = 0
    seconds: float = 0.0

    async def run(self, stream: Any) -> None:
        """Raises TransferTimeout if no reply has come to the last attempt, and Disconnected."""
        began = time.monotonic()
        try:
            while True:
                self.attempts += 1
                try:
                    return await self._attempt(stream)
                except sw.TransferTimeout:
                    if self.attempts > self.retries:
                        raise
        finally:
            self.seconds = time.monotonic() - began

    async def _attempt(self, stream: Any) -> None:
        began = time.monotonic()
        self.reply.clear()
        writing = sw.async_write(stream, self.data, timeout=self.timeout)
        try:
            await writing
        finally:
            self.sent = writing.bytes_transferred
        left = max(0.0, self.timeout - (time.monotonic() - began))
        end = await sw.async_read_until(stream, sw.dynamic_buffer(self.reply), self.pattern, timeout=left)
        del self.reply[end:]

    def complaint(self, ending: Ending) -> str | None:
        """What is to be said of ``ending``; None for a reply."""
        if ending.outcome is Outcome.COMPLETE:
            return None
        label = ending.outcome.label
        if self.sent < len(self.data):
            return f"{label}: {ending.error or f'{self.sent:,} of {len(self.data):,} bytes accepted'}"
        came = f"{len(self.reply):,} bytes came" if self.reply else "nothing came"
        said = f", and no match of {os.fsdecode(self.pattern.pattern)!r}"
        tries = f", at {self.attempts} attempts" if self.attempts > 1 else ""
        last = f": ...{bytes(self.reply[-SHOWN_REPLY_SIZE:])!r}" if len(self.reply) > SHOWN_REPLY_SIZE else ""
        last = last or (f": {bytes(self.reply)!r}" if self.reply else "")
        return f"{label}: {came}{said} in {seconds_in_words(self.seconds)}{tries}{last}"

    def as_json(self, port: str, ending: Ending, error: str | None) -> str:
        """One JSON object, on one line."""
        fields = {
            "outcome": ending.outcome.label,
            "exit_code": ending.exit_code,
            "port": port,
            "sent": self.sent,
            "reply": self.reply.decode(errors="backslashreplace"),
            "reply_hex": self.reply.hex(),
            "attempts": self.attempts,
            "seconds": round(self.seconds, 3),
            "error": error,
        }
        return jsonlib.dumps(fields)

"""Standard output and standard error of the command line, whose failures do not stop the work."""

from __future__ import annotations

import asyncio
import atexit
import errno
import io
import os
import select
import sys
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

READING_MAX_PENDING_SIZE = 1 << 20  # bytes to be written, at which a command stops reading its port
ROOM_INTERVAL_S = 0.02  # seconds between two looks whether the output has caught up
PENDING_MAX_SIZE = 16 << 20  # bytes that a terminal that takes nothing (Ctrl-S) is let fall behind


class Writer:
    """Writes what the :class:`Output` streams are given, in that order, from a thread of its own."""

    def __init__(self) -> None:
        self._queue: deque[tuple[Output, bytes]] = deque()
        self._changed = threading.Condition()
        self.pending = 0
        threading.Thread(target=self._run, name="serialwrite-output", daemon=True).start()

    def put(self, output: Output, data: bytes) -> None:
        with self._changed:
            self._queue.append((output, data))
            self.pending += len(data)
            self._changed.notify_all()

    def drained(self, timeout: float | None = None) -> bool:
        """Wait until all is written, or given up."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                output, data = self._queue[0]  # it stays there until it is written
            output.write_now(data)
            with self._changed:
                self._queue.popleft()
                self.pending -= len(data)
                self._changed.notify_all()


class Output(io.RawIOBase):
    """A standard stream that neither fails nor blocks.

    After its first failure it drops what it is given. It fails if the disk is full, if the reader or the terminal has
    gone, or if it was closed from the start.

    Args:
        stream: what is written to; None if it was closed from the start.
        name: what it is called.
        writer: what writes.
        substitute: where a failure is reported. A reader that has gone (``| head``) is not a failure to report.

    Attributes:
        failed: whether something was dropped, other than for a reader that has gone.
    """

    def __init__(self, stream: TextIO | None, name: str, writer: Writer, substitute: TextIO | None = None) -> None:
        self._stream = stream  # kept: when it is collected, it closes its descriptor
        buffer = getattr(stream, "buffer", None)
        self._raw: Any = getattr(buffer, "raw", buffer)  # a buffer would fail again when the program ends
        self._name = name
        self._writer = writer
        self._substitute = substitute
        self._quiet = False
        self.failed = False

    def write(self, data: Any, /) -> int:
        given = bytes(data)
        if not self._quiet:
            if self._raw is None:
                self._give_up(OSError(errno.EBADF, "it is closed"))
            elif self._writer.pending > PENDING_MAX_SIZE:
                self._give_up(OSError(errno.EAGAIN, "it takes nothing"))
            else:
                self._writer.put(self, given)
        return len(given)

    def write_now(self, data: bytes) -> None:
        """Write ``data``, for the writer's thread."""
        rest = memoryview(data)
        while rest and not self._quiet:
            try:
                n = self._raw.write(rest)
                if n is None:  # another program has made it non-blocking
                    select.select([], [self._raw], [])
                else:
                    rest = rest[n:]
            except (OSError, ValueError) as error:
                self._give_up(error)

    def _give_up(self, error: OSError | ValueError) -> None:
        self._quiet = True
        self.failed = not isinstance(error, BrokenPipeError)
        if self.failed and self._substitute is not None:
            why = getattr(error, "strerror", None) or error
            self._substitute.write(f"serialwrite: {self._name}: {why}; nothing more is printed there\n")

    def drained(self) -> bool:
        """Wait until all that was given is written or dropped; whether none of it was dropped."""
        self._writer.drained()
        return not self.failed

    def empty(self) -> None:
        """Drop what was in a file; a pipe and a terminal have nothing to drop."""
        with suppress(OSError):
            self._raw.truncate(0)

    async def room(self) -> bool:
        """Wait while much of what was given is still to be written; whether more would be."""
        while self._writer.pending > READING_MAX_PENDING_SIZE and not self._quiet:  # noqa: ASYNC110 # a thread's
            await asyncio.sleep(ROOM_INTERVAL_S)
        return not self._quiet

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._raw is not None and bool(self._raw.isatty())

    def fileno(self) -> int:
        if self._raw is None:
            raise OSError(errno.EBADF, f"{self._name} is closed")
        return int(self._raw.fileno())


def guard_standard_streams() -> None:
    """Let all that this process prints go through an :class:`Output`."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # without this the port would get the number, and with it what C code prints there
            os.open(os.devnull, os.O_RDWR)
    writer = Writer()
    atexit.register(writer.drained)
    sys.stderr = _text(sys.stderr, Output(sys.stderr, "standard error", writer))
    sys.stdout = _text(sys.stdout, Output(sys.stdout, "standard output", writer, sys.stderr))


def _text(stream: TextIO | None, output: Any) -> TextIO:
    encoding = "utf-8" if stream is None else stream.encoding
    return io.TextIOWrapper(output, encoding, "backslashreplace", write_through=True)


def output_to(name: str) -> Output:
    """Where the data of a command go: standard output for ``-``, else a file; see :meth:`Output.empty`."""
    standard = getattr(sys.stdout, "buffer", None)
    if name == "-" and isinstance(standard, Output):
        return standard
    if name == "-":
        return Output(sys.stdout, "standard output", Writer(), sys.stderr)
    file = Path(name).open("a")  # noqa: SIM115 # the output closes it
    return Output(file, f"the file {name!r}", Writer(), sys.stderr)


def printed() -> bool:
    """Wait for standard output to be written; whether all of it was."""
    output = getattr(sys.stdout, "buffer", None)
    return output.drained() if isinstance(output, Output) else True


def exit_code(code: int) -> int:
    """The exit code of a command whose work is what it prints: 1 if a part of that could not be printed."""
    return code if printed() else code or 1

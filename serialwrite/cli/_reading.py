"""Reading from a port until a limit is met: what ends it, and how it is shown."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import serialwrite as sw
from serialwrite._until import LONGEST_MATCH
from serialwrite.streams.layers._trace_event import BYTES_PER_LINE, dumped

from ._output import Output

PIECE_SIZE = 65536  # bytes asked of one read


class Limit(Protocol):
    """What may end a reading."""

    def end_in(self, data: bytes) -> int | None:
        """The bytes of ``data``, which came behind all before, up to the end; None if it is not in them."""


class Lines:
    """The end of the last of ``count`` lines."""

    def __init__(self, count: int) -> None:
        self._left = count

    def end_in(self, data: bytes) -> int | None:
        here = data.count(b"\n")
        if here < self._left:
            self._left -= here
            return None
        end = 0
        for _ in range(self._left):
            end = data.index(b"\n", end) + 1
        return end


class Match:
    """The end of the first match of ``pattern``. A match that is longer than LONGEST_MATCH may not be found."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._pattern = pattern
        self._before = b""

    def end_in(self, data: bytes) -> int | None:
        known = len(self._before)
        window = self._before + data
        # The first byte of a window that was cut is there for ^ alone, which matches behind a newline.
        match = self._pattern.search(window, 1 if known > LONGEST_MATCH else 0)
        self._before = window[-LONGEST_MATCH - 1 :]
        return None if match is None else max(0, match.end() - known)


class Reading:
    """What arrives on ``stream``, until the first limit is met.

    Args:
        stream: what is read.
        show: called with the bytes, as they arrive and up to the limit.
        room: awaited before more is read, so that what shows the bytes keeps up.
        limits: each with its name.
        most: bytes to read; None for no limit. No more is asked of the port.
        seconds: how long to read; None for no limit.
        timeout: seconds after which TransferTimeout ends it; None for no limit.
        idle_timeout: seconds without a byte after which TransferTimeout ends it; None for no limit.

    Attributes:
        count: bytes shown.
        surplus: bytes that came behind the limit in the same read, and were dropped.
        ended_by: the name of the limit that was met.
    """

    def __init__(
        self,
        stream: Any,
        show: Callable[[bytes], object],
        output: Output,
        limits: Mapping[str, Limit],
        *,
        most: int | None = None,
        seconds: float | None = None,
        timeout: float | None = None,
        idle_timeout: float | None = None,
    ) -> None:
        self._stream = stream
        self._show = show
        self._output = output
        self._limits = limits
        self._most = most
        self._seconds = seconds
        self._timeout = timeout
        self._idle_timeout = idle_timeout
        self._began = self._ended = time.monotonic()
        self.count = 0
        self.surplus = 0
        self.ended_by: str | None = None

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self._ended - self._began

    async def run(self) -> None:
        """Read until a limit is met, or the reader of the output has gone.

        Raises TransferTimeout, EndOfFile and Disconnected as async_read does.
        """
        self._began = time.monotonic()
        piece = memoryview(bytearray(PIECE_SIZE))
        try:
            while self.ended_by is None and await self._output.room():
                await self._step(piece if self._most is None else piece[: self._most - self.count])
        finally:
            self._ended = time.monotonic()

    async def _step(self, piece: memoryview) -> None:
        passed = time.monotonic() - self._began
        limits = [each for each in (self._seconds, self._timeout) if each is not None]
        left = max(0.0, min(limits) - passed) if limits else None
        if left == 0:  # a port that is always ready would let each further read succeed
            return self._time_is_over(sw.TransferTimeout())
        reading = sw.async_read(
            self._stream,
            piece,
            completion_condition=sw.transfer_at_least(1),
            timeout=left,
            idle_timeout=self._idle_timeout,
        )
        try:
            await reading
        except sw.TransferTimeout as error:
            if error.idle_timeout is not None:
                raise
            self._time_is_over(error)
        finally:  # Ctrl-C comes as a CancelledError: the operation still knows its count
            if n := reading.bytes_transferred:
                self._take(bytes(piece[:n]))
        return None

    def _time_is_over(self, error: sw.TransferTimeout) -> None:
        if self._seconds is None or (self._timeout is not None and self._timeout < self._seconds):
            raise error
        self.ended_by = "seconds"

    def _take(self, data: bytes) -> None:
        ends = [(end, name) for name, limit in self._limits.items() if (end := limit.end_in(data)) is not None]
        end, name = min(ends, default=(len(data), None))
        self.count += end
        self.surplus = len(data) - end
        if name is None and self.count == self._most:
            name = "bytes"
        self.ended_by = name or self.ended_by
        self._show(data[:end])


class Shown:
    """Bytes as they are shown: as they are, with the time before each line, or as a hex dump.

    Of a hex dump, a row ends with what had come together, so that nothing waits for the rest of its row.
    """

    def __init__(self, *, in_hex: bool, timestamps: bool) -> None:
        self._in_hex = in_hex
        self._timestamps = timestamps
        self._line_begins = True
        self._offset = 0

    def text(self, data: bytes) -> bytes:
        """What is shown of ``data``, which came behind all before."""
        stamp = b""
        if self._timestamps:
            stamp = dt.datetime.now().astimezone().isoformat(" ", "milliseconds")[:23].encode() + b"  "
        if self._in_hex:
            return b"".join(
                stamp + self._row(data[at : at + BYTES_PER_LINE]) for at in range(0, len(data), BYTES_PER_LINE)
            )
        if not stamp:
            return data
        lines = re.findall(rb"[^\n]*\n|[^\n]+", data)
        text = b"".join(stamp + line if self._line_begins or at else line for at, line in enumerate(lines))
        self._line_begins = data.endswith(b"\n")
        return text

    def _row(self, data: bytes) -> bytes:
        row = f"{self._offset:08x}{dumped(data)}\n"
        self._offset += len(data)
        return row.encode()

"""TraceEvent: the record of one write_some or read_some in a trace."""

from __future__ import annotations

import time
from typing import Literal, NamedTuple

BYTES_PER_LINE = 16


class TraceEvent(NamedTuple):  # a dataclass is a tenth of the library's import time
    """The ending of one write_some or read_some. As text: when, how it ended, and the bytes in hex and as text.

    Attributes:
        direction: ``"write"`` or ``"read"``.
        time: when it was started, in seconds since the epoch.
        elapsed: seconds until it ended.
        asked: bytes that it was asked for at the most.
        count: bytes that it transferred.
        error: what it ended with; None for success.
        data: the bytes that it transferred.
    """

    direction: Literal["write", "read"]
    time: float
    elapsed: float
    asked: int
    count: int  # type: ignore[assignment] # instead of tuple.count
    error: BaseException | None
    data: bytes

    @property
    def summary(self) -> str:
        """How it ended, in one line, without the bytes."""
        ending = "" if self.error is None else f", {type(self.error).__name__}: {self.error}"
        return f"{self.direction} {self.count:,} of {self.asked:,} bytes in {self.elapsed * 1000:.1f} ms{ending}"

    def __str__(self) -> str:
        seconds, micros = divmod(int(self.time * 1e6), 1_000_000)
        stamp = f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{micros:06}"
        parts = (self.data[at : at + BYTES_PER_LINE] for at in range(0, len(self.data), BYTES_PER_LINE))
        return "\n".join([f"{stamp} {self.summary}", *map(dumped, parts)])


def dumped(data: bytes) -> str:
    """A row of a hex dump: up to BYTES_PER_LINE bytes, in hex and as text."""
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)
    return f"  {data.hex(' '):{BYTES_PER_LINE * 3 - 1}}  {text}"

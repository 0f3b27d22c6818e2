"""TraceEvent: what a trace says of one write_some or read_some."""

from __future__ import annotations

from typing import Literal, NamedTuple


class TraceEvent(NamedTuple):  # a dataclass is a tenth of the library's import time
    """The ending of one write_some or read_some.

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
    count: int  # type: ignore[assignment] # in place of tuple.count
    error: BaseException | None
    data: bytes

    def __str__(self) -> str:
        ending = "" if self.error is None else f", {type(self.error).__name__}: {self.error}"
        return f"{self.direction} {self.count:,} of {self.asked:,} bytes in {self.elapsed * 1000:.1f} ms{ending}"

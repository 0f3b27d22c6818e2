"""Since when nothing has moved: what an ``idle_timeout`` asks, sans-I/O."""

from __future__ import annotations

from collections.abc import Callable


class Idleness:
    """Says how long a transfer may still stand idle. It is asked when a timer fires, and once at the start.

    Args:
        seconds: how long nothing may move.
        queued: gives the bytes in the driver's queue, which move while the port takes nothing; None where unknown.
        time: the time now, in seconds.
    """

    __slots__ = ("_due", "_moved", "_queue", "_queued", "seconds")

    def __init__(self, seconds: float, queued: Callable[[], int | None], time: float) -> None:
        self.seconds = seconds
        self._queued = queued
        self._queue = queued()
        self._moved: float | None = None  # when bytes were last transferred, since the last look
        self._due = time + seconds

    def moved(self, time: float) -> None:
        """Bytes were transferred at ``time``."""
        self._moved = time

    def left(self, time: float) -> float:
        """Seconds until the transfer may have stood idle for too long; 0 or less: it has."""
        if time < self._due:
            return self._due - time
        before, self._queue = self._queue, self._queued()
        moved, self._moved = self._moved, None
        if self._queue is not None and (moved is not None or self._queue != before):
            moved = time  # it may have shrunk until now; and what a layer's step has given it has grown
        if moved is not None:
            self._due = moved + self.seconds
        return self._due - time

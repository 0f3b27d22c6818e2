"""BlockedThread: a thread that waits in poll(2) for one direction of a stream, without an event loop."""

from __future__ import annotations

import math
import select
import time
from contextlib import suppress

from ._backoff import Backoff
from ._bell import Bell
from ._lookout import LOOK_INTERVAL_S
from ._tried import TriedStream

# The longest that one poll(2) may be asked for, in seconds: it takes milliseconds, as an int in C.
LONGEST_POLL_S = 86400.0


class BlockedThread:
    """Waits for ``stream``, and is woken by a bell. One operation at a time waits here."""

    __slots__ = ("_backoff", "_events", "_stream", "bell")

    def __init__(self, stream: TriedStream, *, writing: bool) -> None:
        self._stream = stream
        self._events = select.POLLOUT if writing else select.POLLIN
        self._backoff = Backoff()
        self.bell: Bell | None = None

    def wait(self, seconds: float | None, moved: bool) -> None:
        """As ``BlockingDirection.block``. A close wakes it."""
        if moved or self.bell is None:  # the first wait of its operation
            self._backoff.lies = 0
        if self.bell is None:
            with suppress(OSError):  # no descriptor is left
                self.bell = Bell()
                return  # what happened before is seen by the caller, who tries again; what happens now rings
        heard = self.bell is not None and self._stream._told_when_closed
        seconds = min(LONGEST_POLL_S if heard else LOOK_INTERVAL_S, math.inf if seconds is None else seconds)
        poller = select.poll()
        poller.register(self._stream._wait_fd(), self._events)
        if self.bell is not None:
            poller.register(self.bell, select.POLLIN)
        ready = poller.poll(int(seconds * 1000))  # whole milliseconds are all that it knows
        if not ready:
            if seconds < 0.001:
                time.sleep(seconds)
        elif self.bell is not None and any(fd == self.bell.fileno() for fd, _ in ready):
            self.bell.silence()
        elif pause := self._backoff.lied():
            time.sleep(min(pause, seconds))  # this thread has nothing else to do

    def wake(self) -> None:
        """Wake the thread that waits, if one does. Called on any thread."""
        bell = self.bell  # kept open for as long as it is rung
        if bell is not None:
            bell.ring()

    def leave(self) -> None:
        """The operation is over."""
        self.bell = None

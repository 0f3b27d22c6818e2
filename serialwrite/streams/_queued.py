"""Queued: a stream whose writes stand in line, where another one's second write is refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from .._errors import StreamBusy
from .._sides import NOWHERE, left, side_of
from .._transfer import Transfer
from ._layer import Layer, Step, step_of


class Queued(Layer):
    """``stream``, with its writes lined up: first come, first served.

    ``async_write(queued, data)`` waits until every write before it has ended, and then has the stream for itself until
    it has ended, however many steps it takes. Writes past the line, on ``stream`` itself, meet StreamBusy, and may
    make the one whose turn it is meet it.

    Cancellation: whatever the stream beneath has; while it stands in line a write has written nothing, and its place
    is given up. A timeout counts from the start, waiting in line included.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._line: deque[Place] = deque()

    @property
    def waiting(self) -> int:
        """Writes that stand in line, without the one whose turn it is."""
        return max(0, len(self._line) - 1)

    @property
    def write_side(self) -> Any:
        return Place(self, side_of(self.stream, "write_side"))


class Place:
    """The side of a queued stream, for one operation: its place in the line."""

    idle_in = NOWHERE
    turn_due = False

    def __init__(self, queued: Queued, beneath: Any) -> None:
        self._queued = queued
        self._line = queued._line
        self._beneath = beneath
        self.step: Step = step_of(queued.stream, beneath)
        self.cancellable = beneath.cancellable
        self.verb: str | None = getattr(beneath, "verb", None)
        self._user: Transfer | None = None
        self._doing = ""
        self._admitted = False
        self._attempt: Callable[[], bool] | None = None
        self._loop: Any = None

    def claim(self, user: Transfer, doing: str) -> None:
        self._user, self._doing = user, doing
        self._loop = getattr(user.executor, "loop", None)
        self._forget()
        self._line.append(self)
        if self._line[0] is self:
            self._admit()

    def _forget(self) -> None:
        """Drop the places of operations whose event loop was closed beneath them: they can't go on."""
        while self._line and getattr(self._line[0]._loop, "is_closed", bool)():
            left = self._line.popleft()._user
            if left is not None:
                left.drop()

    def _admit(self) -> None:
        assert self._user is not None
        try:
            self._beneath.claim(self._user, self._doing)
        except BaseException:
            self._leave()
            raise
        self._admitted = True

    def release(self) -> None:
        if self._admitted:
            self._beneath.release()
        self._leave()

    def leave(self, then: Callable[[], object]) -> bool:
        return self._admitted and left(self._beneath, then)

    def _leave(self) -> None:
        if self in self._line:
            first = self._line[0] is self
            self._line.remove(self)
            if first and self._line:
                self._queued.get_executor().post(self._line[0]._turn)

    def _turn(self) -> None:
        """It may be its turn."""
        if self._admitted or self._attempt is None or self._line[0] is not self:
            return  # it has ended, or it is somebody else's turn by now
        assert self._user is not None
        attempt, self._attempt = self._attempt, None
        try:
            self._admit()
        except StreamBusy as busy:
            self._user.fail(busy)  # type: ignore[arg-type] # which takes what is no transfer error, too
            return
        if self.in_line:
            self._beneath.wait(attempt)
        else:
            attempt()

    # -- as the transfer sees it ---------------------------------------------------------------------------

    @property
    def in_line(self) -> bool:
        return self._user is not None and (not self._admitted or getattr(self._beneath, "in_line", False))

    @property
    def waitable(self) -> bool:
        return self._user is not None and (self.in_line or self._beneath.waitable)

    @property
    def nowait(self) -> Any:
        return None if self._user is None or self.in_line else self._beneath.nowait

    def wait(self, attempt: Callable[[], bool]) -> None:
        if self._admitted:
            self._beneath.wait(attempt)
        else:
            self._attempt = attempt

    def stop(self) -> None:
        self._attempt = None
        if self._admitted:
            self._beneath.stop()

    def held_by(self) -> str | None:
        if self._admitted:
            held: str | None = self._beneath.held_by()
            return held
        return f"waiting behind {self._line.index(self)} other writes" if self in self._line else None

"""Queued: a stream whose writes wait for each other. Other streams refuse a second write."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..._adapting import as_stream
from ..._cancellation import CancellationType
from ..._direction import QUIET_S, WRITING, Direction, Done, User, direction_of
from ..._errors import StreamBusy
from ._layer import Layer, take_step


class Queued(Layer):
    """``stream``, with its writes lined up: first come, first served.

    ``async_write(queued, data)`` waits until every write before it has ended. It then has the stream for itself until
    it ends, however many steps it takes. Writing to ``stream`` directly while writes are queued raises StreamBusy, in
    that call or in the queued write.

    Cancellation: as the wrapped stream. A write that is cancelled while it waits has written nothing, and leaves the
    queue. A timeout counts from the start, waiting in line included.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__(as_stream(stream))
        self._line: deque[Place] = deque()

    @property
    def waiting(self) -> int:
        """Writes that wait, without the one that runs."""
        return max(0, len(self._line) - 1)

    @property
    def _write_direction(self) -> Any:
        return Place(self, self._line, direction_of(self.stream, WRITING))


class Place(Direction):
    """A queued stream's direction for writing, for one operation: its place in the line."""

    def __init__(self, queued: Queued, line: deque[Place], wrapped: Direction) -> None:
        self.way = wrapped.way
        self.cancellable = wrapped.cancellable
        self.verb = wrapped.verb
        self._queued = queued
        self._line = line
        self._wrapped = wrapped
        self.user: Any = None
        self._admitted = False
        self._step: tuple[Any, Done] | None = None  # that waits for its turn
        self.loop: Any = None

    def claim(self, user: User) -> None:
        self.user = user
        self.loop = getattr(user.executor, "loop", None)
        while self._line and getattr(self._line[0].loop, "is_closed", bool)():
            left = self._line.popleft().user  # its event loop was closed: it can't go on
            if left is not None:
                left.detach()
        self._line.append(self)
        if self._line[0] is self:
            self._admit()

    def _admit(self) -> None:
        try:
            self._wrapped.claim(self.user)
        except BaseException:
            self._leave()
            raise
        self._admitted = True

    def release(self) -> None:
        if self._admitted:
            self._wrapped.release()
        self._leave()

    def _leave(self) -> None:
        if self in self._line:
            first = self._line[0] is self
            self._line.remove(self)
            if first and self._line:
                self._queued.get_executor().post(self._line[0].wake)

    def wake(self) -> None:
        """It may be its turn."""
        if self._admitted or self._step is None or self._line[0] is not self:
            return  # it has ended, or another write runs by now
        (buffers, done), self._step = self._step, None
        try:
            self._admit()
        except StreamBusy as busy:
            self.user.end_with(busy)
            done(None, 0)
        else:
            take_step(self._wrapped, self._queued.get_executor(), buffers, done)

    # -- as the operation sees it ----------------------------------------------------------------------------

    def try_now(self, buffers: Any) -> int:
        if not self._admitted:
            raise BlockingIOError
        return self._wrapped.try_now(buffers)

    def step(self, buffers: Any, done: Done) -> None:
        if self._admitted:
            self._wrapped.step(buffers, done)
        else:
            self._step = buffers, done

    def cancel(self, type: CancellationType) -> bool:
        if self._admitted:
            return self._wrapped.cancel(type)
        return self._step is not None

    def stop(self) -> None:
        self._step = None
        if self._admitted:
            self._wrapped.stop()

    def catch_up(self) -> None:
        if self._admitted:
            self._wrapped.catch_up()

    def leave(self, then: Callable[[], object]) -> bool:
        return self._admitted and self._wrapped.leave(then)

    def unserved(self) -> int | None:
        return self._wrapped.unserved()

    def stall_reason(self, count: int | None, quiet: float = QUIET_S) -> str | None:
        if self._admitted:
            return self._wrapped.stall_reason(count, quiet)
        return f"waiting behind {self._line.index(self)} other writes" if self in self._line else None

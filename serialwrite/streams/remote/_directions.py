"""The directions of a remote port: to write waits for the server's word, and for room in its socket."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..._cancellation import CancellationType
from ..._direction import NOWHERE, WRITING, Done
from ..._errors import TransferError
from ..fd._pinned_direction import PinnedDirection
from ..fd._pollable_direction import PollableDirection
from ..fd._stream import PollableStream
from ._connection import Connection
from ._link import LOOK, Link


class CreditDirection(PollableDirection):
    """As :class:`PollableDirection`; but a step waits for something to read, and for room, if that is what it lacks.

    The end of the connection comes to be read, too: a server that has gone may leave the socket without room for good.

    Args:
        stream: its own.
        connection: what it writes to.
        see: has the driver look how far things are.
    """

    def __init__(self, stream: PollableStream, connection: Connection, see: Callable[[], object]) -> None:
        super().__init__(stream, writing=True)
        self._connection = connection
        self._see = see
        self._room = _Part(stream, self, writing=True)
        self._news = _Part(stream, self, writing=False)
        self._wanted: tuple[Any, Done] | None = None  # the last step
        attempt = self.try_now

        def try_now(buffers: Any, /) -> int:
            try:
                return attempt(buffers)
            except BlockingIOError:
                if self._misplaced():  # by now it is something else that it has to wait for
                    self._stream._executor.post(self._move)
                raise

        for each in (self, self._room, self._news):
            this: Any = each
            this.try_now = try_now

    def _misplaced(self) -> bool:
        return self.waiting and self._connection.full != self._room.waiting

    def _move(self) -> None:
        if self._misplaced():
            self._wait()

    def _wait(self) -> None:
        """Let the last step wait for what it has to wait for now."""
        assert self._wanted is not None
        buffers, _ = self._wanted
        self._news.step(buffers, self._stepped)
        if self._connection.full:
            self._connection.link.look()
            self._room.step(buffers, self._stepped)
        elif self._room._watch is not None:  # it has waited before
            self._room.stop()

    def _stepped(self, error: BaseException | None, n: int) -> None:
        assert self._wanted is not None
        room, news = self._room, self._news
        if room._watch is not None:
            room.rest()
        news.rest()
        self._wanted[1](error, n)
        if news._step is None:
            self.stop()

    def note(self, count: int) -> None:
        self._see()

    @property
    def waiting(self) -> bool:
        return self._news.waiting

    def release(self) -> None:
        self._wanted = None
        self._room.blocked.leave()
        self._news.blocked.leave()
        super().release()

    def step(self, buffers: Any, done: Done) -> None:
        self._wanted = buffers, done
        self._wait()

    def cancel(self, requested: CancellationType) -> bool:
        self._room.cancel(requested)
        return self._news.cancel(requested)

    def stop(self) -> None:
        self._room.stop()
        self._news.stop()

    def catch_up(self) -> None:
        self._room.catch_up()
        self._news.catch_up()

    def abort(self, error: TransferError) -> None:
        if self.waiting and self._wanted is not None and not self._loop_closed():
            with suppress(OSError, ValueError):
                error.queued = self._stream.queued
            self.idle_thread = NOWHERE
            self.stop()
            self._stream._executor.post(self._wanted[1], error, 0)
        else:
            super().abort(error)

    def _left_behind(self) -> bool:
        return super()._left_behind() or self._room._left_behind() or self._news._left_behind()

    def _forget(self) -> None:
        self._room._forget()
        self._news._forget()
        super()._forget()

    def block(self, seconds: float | None, moved: bool) -> None:
        if self._connection.full:
            self._connection.link.look()
            self._room.block(within_a_look(seconds), moved)
        else:
            self._news.block(seconds, moved)

    def wake_blocked(self) -> None:
        self._room.wake_blocked()
        self._news.wake_blocked()

    def unserved(self) -> int | None:
        return self._connection.unserved

    def look(self) -> None:
        self._room.look()
        self._news.look()

    def closed_by_owner(self) -> None:
        self._room.closed_by_owner()
        self._news.closed_by_owner()


def within_a_look(seconds: float | None) -> float:
    """How long a thread may wait for room: the link has to learn once a second that there is none."""
    return LOOK if seconds is None else min(seconds, LOOK)


class RoomDirection(PollableDirection):
    """The writing direction of a raw TCP port."""

    def __init__(self, stream: PollableStream, link: Link) -> None:
        super().__init__(stream, writing=True)
        self._link = link

    def step(self, buffers: Any, done: Done) -> None:
        self._link.look()
        super().step(buffers, done)

    def block(self, seconds: float | None, moved: bool) -> None:
        self._link.look()
        super().block(within_a_look(seconds), moved)


class _Part(PollableDirection):
    """What a step of a :class:`CreditDirection` waits in."""

    def __init__(self, stream: PollableStream, owner: CreditDirection, *, writing: bool) -> None:
        super().__init__(stream, writing=writing)
        self._owner = owner

    def rest(self) -> None:
        """The step is over; the watcher stays for the next one, unless it was slowed down."""
        self._step = None
        self._backoff.lies = 0
        if self._pause is not None:
            self.stop()

    def abort(self, error: TransferError) -> None:
        if self.waiting:  # the other part may have ended the step
            self._owner.abort(error)


class Waker:
    """Has the directions that wait look again, when another one has received what they wait for."""

    def __init__(self) -> None:
        self._directions: weakref.WeakSet[PollableDirection] = weakref.WeakSet()  # the stream is not kept alive

    def add(self, *directions: PollableDirection) -> None:
        """Have these looked at, too."""
        self._directions.update(directions)

    def __call__(self, data: bool, credit: bool) -> None:
        for direction in tuple(self._directions):
            if not (credit if direction.way is WRITING else data):
                continue
            direction.wake_blocked()
            if direction.waiting:
                direction._stream._executor.post(direction.catch_up)


class PinnedCreditDirection(CreditDirection, PinnedDirection):
    """As :class:`PinnedDirection`."""


class PinnedRoomDirection(RoomDirection, PinnedDirection):
    """As :class:`PinnedDirection`."""


def credit_direction(stream: PollableStream, connection: Connection, see: Callable[[], object]) -> CreditDirection:
    """The writing direction of ``stream``."""
    return (PinnedCreditDirection if stream._executor._pinned else CreditDirection)(stream, connection, see)


def room_direction(stream: PollableStream, link: Link) -> RoomDirection:
    """The writing direction of ``stream``, which is raw TCP."""
    return (PinnedRoomDirection if stream._executor._pinned else RoomDirection)(stream, link)

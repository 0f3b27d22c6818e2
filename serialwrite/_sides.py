"""One direction of a stream, as a transfer sees it: who is using it, how it is tried, how it is waited for.

Our own streams have an object for each direction (``streams/_pollable_side.Side``). :class:`ForeignSide`
stands in for it on a user's stream, which has just ``async_*_some`` and perhaps ``*_some_nowait``.

==============================  ====================================================================================
a side has                      which is
==============================  ====================================================================================
``claim(user, doing)``          take this direction for an operation; StreamBusy where another one has it
``release()``                   give it back
``nowait``                      one try, ``(buffers) -> int``; None where there is no such thing
``waitable``                    whether ``wait(attempt)``, ``stop()`` are had: ``attempt()`` is then called when ready
``step(buffers, handler)``      where it is not waitable: one ``async_*_some``, for the operation that has claimed it
``cancellable``                 the types of cancellation that a step has
``held_by()``                   what holds a direction that goes nowhere
``leave(then)``                 optional: whether something is to be done before the handler of an operation is called,
                                which is over; ``then()`` is called once it is done
``verb``                        optional: what "transferred" means here, in messages
``idle_in``                     the thread in which it may be tried before it is claimed; NOWHERE if it may not
``turn_due``                    whether the event loop is to turn before it is tried again
==============================  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from ._cancellation import CancellationType
from ._errors import StreamBusy
from ._operation import Handler

NOWHERE = 0  # no thread has this number


class ForeignSide:
    """One direction of a stream that is not ours: who is using it, kept here because the stream has no place for it."""

    waitable = False
    idle_in = NOWHERE  # it is claimed before it is tried
    turn_due = False
    in_use: ClassVar[dict[tuple[int, str], tuple[Any, Any]]] = {}  # who uses it, on which event loop

    def __init__(self, stream: Any, side: str) -> None:
        if not hasattr(stream, SOME[side]):
            raise TypeError(
                f"stream: {stream!r} has no {SOME[side]}(buffers, token), which this takes"
                + ("; what it receives is read by its owner" if side == "read_side" else "")
            )
        self._stream = stream
        self._side = side
        self._key = (id(stream), side)  # the operation keeps the stream alive, so nothing else gets this id
        self.nowait = getattr(stream, NOWAIT[side], None)
        self.cancellable = getattr(stream, "cancellable", CancellationType.ALL)

    def claim(self, user: object, doing: str) -> None:
        before, loop = self.in_use.get(self._key, (None, None))
        if before is not None:
            if loop is None or not loop.is_closed():
                raise StreamBusy(self._stream, doing)
            before.drop()  # its loop was closed beneath it
        # The user keeps the stream alive.
        self.in_use[self._key] = user, getattr(self._stream.get_executor(), "_loop", None)

    def release(self) -> None:
        self.in_use.pop(self._key, None)

    def step(self, buffers: Any, handler: Handler) -> None:
        started = getattr(self._stream, SOME[self._side])(buffers, handler)
        if isinstance(started, Coroutine):  # nobody awaits it, so it would never call the handler
            started.close()
            raise TypeError(
                f"{type(self._stream).__name__}.{SOME[self._side]}(buffers, token) returned a coroutine; "
                "it must give its token to async_initiate(initiation, token, executor), and return what that returns"
            )

    def stop(self) -> None:
        """Nothing is waited for."""

    def held_by(self) -> str | None:
        stall: str | None = getattr(self._stream, "stall", None)
        return stall


SOME = {"write_side": "async_write_some", "read_side": "async_read_some"}
NOWAIT = {"write_side": "write_some_nowait", "read_side": "read_some_nowait"}


def left(side: Any, then: Callable[[], object]) -> bool:
    """Whether ``side`` has something to do before its operation ends; then it calls ``then`` itself, on the loop."""
    leave = getattr(side, "leave", None)
    return leave is not None and leave(then)


def side_of(stream: Any, side: str) -> Any:
    """The direction ``side`` of ``stream``: its own object for it, or one that stands in for that."""
    return getattr(stream, side, None) or ForeignSide(stream, side)

"""Cursors over the caller's memory: what is left of it, consumed as it is transferred, without copying a byte."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, Protocol

from ._buffers import MAX_BUFFER_COUNT, views
from ._build import Held, window_ends


class Cursor(Protocol):
    """The caller's memory, and how far in it a transfer has come.

    Attributes:
        offered: bytes of the last :meth:`prepare`.
        total_size: bytes of all the memory; for a read that lets it grow, the most that may be added.
        total_consumed: bytes transferred.
        size_asked: bytes asked for, for messages; None where that is unknown.
    """

    offered: int
    total_size: int
    total_consumed: int
    size_asked: int | None

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        """What is left, as new views."""
        ...

    def prepare(self, max_size: int, /) -> Sequence[memoryview]:
        """What the next step may take: at most ``max_size`` bytes. Memory is exported by then."""
        ...

    def consume(self, n: int, /) -> None:
        """Move on by ``n`` bytes."""

    def settle(self, count: int, /) -> None:
        """Take in that ``count`` bytes are transferred, after a step that was interrupted."""

    def release(self) -> None:
        """Give the memory back: a bytearray can be resized again. May be called again."""


class ConsumingBuffers:
    """A cursor over buffers: what is left of them, and how much was consumed. Follows Asio's ``consuming_buffers``.

    Args:
        views: views of the caller's memory, which are exported until ``release``; or what is ``held`` until then.
        source: what they are views of.
        held: keeps what is not a view from being resized.
    """

    __slots__ = (
        "_ends",
        "_given",
        "_held",
        "_index",
        "_offset",
        "_source",
        "_views",
        "_window",
        "offered",
        "size_asked",
        "total_consumed",
        "total_size",
    )

    def __init__(self, views: tuple[Any, ...], source: Any = (), held: Held | None = None) -> None:
        self._source = source
        self._held = held
        self._views: tuple[Any, ...] = views
        # The lengths of many cost time, and are asked once: a step is offered what is left of one window of them.
        self._ends = window_ends(views, MAX_BUFFER_COUNT)
        self._window: int = 0  # the first one that is not consumed
        self._index: int = 0  # of the first view that is not consumed
        self._offset: int = 0  # bytes consumed of that view
        self._given: list[memoryview] = []  # the slices made for the last prepare()
        self.offered: int = 0  # bytes of the last prepare()
        self.total_size: int = self._ends[-1] if views else 0
        self.size_asked: int | None = self.total_size
        self.total_consumed: int = 0
        ConsumingBuffers.consume(self, 0)  # empty ones count as consumed: a run of them must not fill a step

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        """What is left, as new views."""
        return remaining(views(self._source), self.total_consumed)

    def prepare(self, max_size: int) -> list[memoryview]:
        """The next views, at most ``max_size`` bytes and MAX_BUFFER_COUNT of them in all."""
        chosen: list[memoryview] = list(self._views[self._index : (self._window + 1) * MAX_BUFFER_COUNT])
        for part in self._given:  # the step before is over, but its stream may still have them on the stack
            _release(part)
        self._given = []
        if chosen and self._offset:
            chosen[0] = self._slice(chosen[0], self._offset, None)
        self.offered = self._ends[self._window] - self.total_consumed if chosen else 0
        if max_size < self.offered:
            self.offered = max_size
            for i, view in enumerate(chosen):
                if len(view) >= max_size:
                    chosen[i:] = [self._slice(view, 0, max_size)] if max_size else []
                    break
                max_size -= len(view)
        return chosen

    def _slice(self, view: memoryview, start: int, stop: int | None) -> memoryview:
        part = memoryview(view)[start:stop]
        self._given.append(part)
        return part

    def consume(self, n: int) -> None:
        """Move on by ``n`` bytes."""
        self.total_consumed += n
        self._window = window = bisect_right(self._ends, self.total_consumed, self._window)
        self._index = window * MAX_BUFFER_COUNT
        self._offset = self.total_consumed - (self._ends[window - 1] if window else 0)
        if self._offset or not self.total_consumed:  # else it ends where a window does
            ends = list(accumulate(map(len, self._views[self._index : self._index + MAX_BUFFER_COUNT])))
            whole = bisect_right(ends, self._offset)
            self._index += whole
            self._offset -= ends[whole - 1] if whole else 0

    def settle(self, count: int) -> None:
        """Take in that ``count`` bytes are transferred, after a step that was interrupted."""
        self.total_consumed = count

    def release(self) -> None:
        """Give the memory back: a bytearray can be resized again."""
        for view in self._given:
            _release(view)
        if self._held is not None:
            self._held.release()
        else:
            _release_all(self._views)
        self._given = []
        self._views = ()


def _release_all(views: Sequence[memoryview]) -> None:
    try:
        deque(map(memoryview.release, views), 0)
    except BufferError:
        for view in views:
            _release(view)


def _release(view: memoryview) -> None:
    try:
        view.release()
    except BufferError:  # a stream of the user's has memory of its own on it, such as a numpy array
        return


def remaining(views: Iterable[memoryview], consumed: int) -> tuple[memoryview, ...]:
    """What is left of ``views`` after ``consumed`` bytes; empty views are left out."""
    rest: list[memoryview] = []
    for view in views:
        if consumed < len(view):
            rest.append(view[consumed:])
        consumed = max(0, consumed - len(view))
    return tuple(rest)


class SingleBuffer:
    """The cursor over one buffer, as most transfers have.

    Args:
        view: a view of the caller's memory, or plain ``bytes``.
        source: what it is a view of.
    """

    __slots__ = ("_given", "_source", "_view", "offered", "size_asked", "total_consumed", "total_size")

    def __init__(self, view: Any, source: Any) -> None:
        self._source = source
        self._view: Any = view  # a memoryview, or plain bytes
        self._given: memoryview | None = None  # the slice made for the last prepare()
        self.offered: int = 0
        self.total_size: int = len(view)
        self.size_asked: int | None = self.total_size
        self.total_consumed: int = 0

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        return remaining(views(self._source), self.total_consumed)

    def prepare(self, max_size: int) -> Sequence[memoryview]:
        start, left = self.total_consumed, self.total_size - self.total_consumed
        if self._given is not None:  # the step before is over, but its stream may still have it on the stack
            _release(self._given)
            self._given = None
        self.offered = min(max_size, left)
        if not left:
            return ()
        if self.offered == self.total_size:
            return (self._view,)
        if not self.offered:
            return ()
        self._given = memoryview(self._view)[start : start + self.offered]
        return (self._given,)

    def consume(self, n: int) -> None:
        self.total_consumed += n

    def settle(self, count: int) -> None:
        self.total_consumed = count

    def release(self) -> None:
        if self._given is not None:
            _release(self._given)
            self._given = None
        if type(self._view) is memoryview:
            _release(self._view)
        self._view = b""

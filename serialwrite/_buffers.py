"""Memory that is owned by the caller: views of it, and a cursor that consumes it without copying a byte."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    from typing_extensions import Buffer

    BytesLike: TypeAlias = Buffer
else:
    BytesLike = Any  # collections.abc.Buffer came with Python 3.12

# The most buffers that the kernel takes in one writev or readv (IOV_MAX on Linux and macOS).
MAX_BUFFERS = 1024


def buffer(data: BytesLike, max_size: int | None = None, /) -> memoryview:
    """A view of ``data`` as single bytes, at most ``max_size`` of them. Nothing is copied.

    Args:
        data: bytes-like and C-contiguous, of any itemsize.
        max_size: bytes; None for all of it.

    Raises:
        TypeError: ``data`` is text, is not bytes-like, or its memory is not contiguous; the message says what to do.

    Follows Asio's ``buffer()``.
    """
    if isinstance(data, str):
        raise TypeError("buffers: got str; encode it first, for example text.encode()")
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(
            f"buffers: got {type(data).__name__}; pass bytes-like memory (bytes, bytearray, memoryview, array, numpy)"
        ) from None
    if not view.c_contiguous:
        raise TypeError("buffers: this memory is not contiguous; pass a contiguous copy, for example bytes(view)")
    if view.format != "B" or view.ndim != 1:
        from pickle import PickleBuffer  # noqa: PLC0415 # a tenth of the import time, for this alone

        # Not view.cast("B"): that refuses empty views, numpy's structured and foreign-endian items, and ctypes'.
        view = PickleBuffer(view).raw()
    return view if max_size is None else view[:max_size]


def gather(buffers: BytesLike | Iterable[BytesLike]) -> tuple[BytesLike, ...]:
    """One bytes-like, or an iterable of them, as a tuple of what the caller passed."""
    if isinstance(buffers, (str, int)):
        hint = "encode it first, for example text.encode()" if isinstance(buffers, str) else "pass bytes([n])"
        raise TypeError(f"buffers: got {type(buffers).__name__}; {hint}")
    try:
        memoryview(buffers)  # type: ignore[arg-type] # asks whether it is one bytes-like: the answer may be no
    except TypeError:
        try:
            return tuple(buffers)  # type: ignore[arg-type] # it is no bytes-like, so the iterable
        except TypeError:
            raise TypeError(
                f"buffers: got {type(buffers).__name__}; pass bytes-like memory, or an iterable of it"
            ) from None
    return (buffers,)  # type: ignore[return-value] # it is a bytes-like


def views(buffers: BytesLike | Iterable[BytesLike]) -> tuple[memoryview, ...]:
    """One bytes-like, or an iterable of them, as byte views."""
    given = gather(buffers)
    if len(given) == 1 and given[0] is buffers:
        return (buffer(given[0]),)
    return tuple(_view(one, index) for index, one in enumerate(given))


def unviewed(buffers: BytesLike | Iterable[BytesLike]) -> tuple[memoryview, ...]:
    """As :func:`views`, but plain ``bytes`` stay what they are: nobody can resize them, and views of many cost time."""
    given = gather(buffers)
    if set(map(type, given)) == {bytes}:
        return cast("tuple[memoryview, ...]", given)
    return views(buffers if len(given) == 1 and given[0] is buffers else given)


def _view(one: BytesLike, index: int) -> memoryview:
    try:
        return buffer(one)
    except TypeError as error:
        hint = "; for a list of byte values pass bytes(values)" if isinstance(one, int) else ""
        raise TypeError(f"buffers[{index}]: {str(error).removeprefix('buffers: ')}{hint}") from None


def buffer_size(buffers: BytesLike | Iterable[BytesLike], /) -> int:
    """Bytes in all of ``buffers`` (one bytes-like, or an iterable of them). Follows Asio's ``buffer_size``."""
    return sum(view.nbytes for view in views(buffers))


def buffer_copy(
    target: BytesLike | Iterable[BytesLike],
    source: BytesLike | Iterable[BytesLike],
    max_size: int | None = None,
    /,
) -> int:
    """Copy from ``source`` to ``target``, either of them gathered, and return the bytes copied.

    Stops at the end of the shorter one, or after ``max_size`` bytes. Follows Asio's ``buffer_copy``.

    Raises:
        TypeError: ``target`` is read-only, or either is not bytes-like.
    """
    to, come = ConsumingBuffers(views(target)), ConsumingBuffers(views(source))
    limit = min(to.total_size, come.total_size)
    limit = limit if max_size is None else min(limit, max_size)
    while to.total_consumed < limit:
        left = limit - to.total_consumed
        room, data = to.prepare(left)[0], come.prepare(left)[0]
        n = min(len(room), len(data))
        room[:n] = data[:n]
        to.consume(n)
        come.consume(n)
    return limit


class ConsumingBuffers:
    """A cursor over buffers: what is left of them, and how much was consumed. Follows Asio's ``consuming_buffers``."""

    __slots__ = ("_cut", "_given", "_index", "_offset", "_views", "offered", "total_consumed", "total_size")

    def __init__(self, views: Sequence[memoryview]) -> None:
        self._views = views
        self._index: int = 0  # of the first view that is not consumed
        self._offset: int = 0  # bytes consumed of that view
        self._given: list[memoryview] = []  # the slices made for the last prepare()
        self._cut: bool = True  # whether the last prepare() ended inside a view; or there was none
        self.offered: int = 0  # bytes of the last prepare()
        self.total_size: int = sum(map(len, views))
        self.total_consumed: int = 0
        ConsumingBuffers.consume(self, 0)  # empty ones count as consumed: a run of them must not fill a step

    @property
    def size_asked(self) -> int | None:
        """Bytes asked for, for messages; None where there is no such number."""
        return self.total_size

    @property
    def empty(self) -> bool:
        return self.total_consumed >= self.total_size

    def prepare(self, max_size: int) -> list[memoryview]:
        """The next views, at most ``max_size`` bytes and MAX_BUFFERS of them in all."""
        chosen = list(self._views[self._index : self._index + MAX_BUFFERS])
        for part in self._given:  # the step before is over, but its stream may still have them on the stack
            _release(part)
        self._given = []
        if chosen and self._offset:
            chosen[0] = self._slice(chosen[0], self._offset, None)
        self.offered = sum(map(len, chosen))
        self._cut = max_size < self.offered
        if self._cut:
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
        if n == self.offered and not self._cut:  # all that was offered
            self._index = min(self._index + MAX_BUFFERS, len(self._views))
            n = 0
        else:
            n += self._offset
        self._cut = True
        while window := self._views[self._index : self._index + MAX_BUFFERS]:
            if n == 0 and len(window[0]):
                break
            size = sum(map(len, window))
            if n < size:
                ends = list(accumulate(map(len, window)))
                whole = bisect_right(ends, n)
                self._index += whole
                n -= ends[whole - 1] if whole else 0
                break
            self._index += len(window)
            n -= size
        self._offset = n

    def release(self) -> None:
        """Give the memory back: a bytearray can be resized again."""
        for view in self._given:
            _release(view)
        if self._views and type(self._views[0]) is memoryview:  # else they are bytes, see unviewed()
            for view in self._views:
                _release(view)
        self._views = self._given = []


def _release(view: memoryview) -> None:
    with suppress(BufferError):  # a stream of the user's has memory of its own on it, such as a numpy array
        view.release()


def remaining(views: Iterable[memoryview], consumed: int) -> tuple[memoryview, ...]:
    """What is left of ``views`` after ``consumed`` bytes; empty views are left out."""
    rest: list[memoryview] = []
    for view in views:
        if consumed < len(view):
            rest.append(view[consumed:])
        consumed = max(0, consumed - len(view))
    return tuple(rest)


class DynamicBuffer:
    """A bytearray that a write consumes from the front and a read appends to. Made by :func:`dynamic_buffer`."""

    __slots__ = ("_data", "max_size")

    def __init__(self, data: bytearray, max_size: int | None = None) -> None:
        if not isinstance(data, bytearray):  # pyright: ignore[reportUnnecessaryIsInstance] # callers may be untyped
            raise TypeError(
                f"dynamic_buffer: got {type(data).__name__}; it needs a bytearray, which can grow and shrink"
            )
        self._data = data
        self.max_size: int | None = max_size

    def __len__(self) -> int:
        return len(self._data)

    def __bytes__(self) -> bytes:
        return bytes(self._data)

    def __repr__(self) -> str:
        return f"dynamic_buffer({len(self._data)} bytes)"

    @property
    def data(self) -> bytearray:
        """The bytearray itself, the caller's own."""
        return self._data

    def consume(self, n: int) -> None:
        """Remove the first ``n`` bytes."""
        del self._data[:n]

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add ``data`` at the end."""
        self._data += data


class GrowingBuffer(ConsumingBuffers):
    """The cursor of a read into a dynamic buffer: what comes is appended, so that only real data is ever in it."""

    __slots__ = ("_chunk", "_dynamic")

    CHUNK = 65536  # bytes asked of one read at the most

    def __init__(self, dynamic: DynamicBuffer) -> None:
        super().__init__(())
        self._dynamic = dynamic
        self._chunk = bytearray()
        room = sys.maxsize if dynamic.max_size is None else dynamic.max_size - len(dynamic)
        self.total_size: int = max(0, room)

    @property
    def size_asked(self) -> int | None:
        return None if self._dynamic.max_size is None else self.total_size

    def prepare(self, max_size: int) -> list[memoryview]:
        size = min(max_size, self.CHUNK, self.total_size - self.total_consumed)
        self.offered = size
        if len(self._chunk) < size:
            self._chunk = bytearray(size)
        return [memoryview(self._chunk)[:size]] if size else []

    def consume(self, n: int) -> None:
        self._dynamic.append(memoryview(self._chunk)[:n])
        self.total_consumed += n

    def release(self) -> None:
        self._chunk = bytearray()


def dynamic_buffer(data: bytearray, max_size: int | None = None, /) -> DynamicBuffer:
    """Let an operation shrink or grow ``data``.

    Args:
        data: a bytearray of the caller's.
        max_size: the most bytes that a read may let it grow to; None for no limit.

    A write takes what ``data`` holds when it is started, and removes from its front what was written,
    just before the handler runs, on every ending. A read appends. Follows Asio's ``dynamic_buffer``.
    """
    return DynamicBuffer(data, max_size)


Buffers: TypeAlias = BytesLike | Iterable[BytesLike] | DynamicBuffer
"""What a transfer takes: one bytes-like (bytes, bytearray, memoryview, array, mmap, numpy), C-contiguous and of any
itemsize; an iterable of them; or a dynamic_buffer."""

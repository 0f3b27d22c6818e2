"""The cursor that a caller's memory gets: of a write, of a read; over a dynamic buffer, which shrinks or grows."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ._buffers import Buffers, BytesLike, DynamicBuffer, buffer, gather, views
from ._build import hold
from ._cursors import ConsumingBuffers, Cursor, SingleBuffer, remaining


class ShrinkingBuffer(ConsumingBuffers):
    """The cursor of a write from a dynamic buffer, whose front it consumes when it is released."""

    __slots__ = ("_dynamic", "_open")

    def __init__(self, dynamic: DynamicBuffer) -> None:
        super().__init__(())
        self._dynamic = dynamic
        self._open = False

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        return remaining(views(self._dynamic.data), self.total_consumed if self._open else 0)

    def prepare(self, max_size: int) -> list[memoryview]:
        if not self._open:
            super().__init__(views(self._dynamic.data))
            self._open = True
        return super().prepare(max_size)

    def release(self) -> None:
        super().release()
        if self._open:
            self._dynamic.consume(self.total_consumed)
            # Behind it, with no call between: the handler of a signal may end this, and then it is called again.
            self._open = False


class GrowingBuffer(ConsumingBuffers):
    """The cursor of a read into a dynamic buffer: what comes is appended, so that only real data is ever in it.

    Args:
        dynamic: the buffer.
        chunk: memory that each step reads into; by default it is made when it is needed.
    """

    __slots__ = ("_before", "_chunk", "_dynamic")

    CHUNK_SIZE = 65536  # bytes asked of one read at the most

    def __init__(self, dynamic: DynamicBuffer, chunk: bytearray | None = None) -> None:
        super().__init__(())
        self._dynamic = dynamic
        self._chunk = bytearray() if chunk is None else chunk
        self._before: int = len(dynamic)  # when the last step began
        room = sys.maxsize if dynamic.max_size is None else dynamic.max_size - len(dynamic)
        self.total_size: int = max(0, room)
        self.size_asked: int | None = None if dynamic.max_size is None else self.total_size

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        return ()  # a dynamic buffer has no end to be read up to

    def prepare(self, max_size: int) -> list[memoryview]:
        size = min(max_size, self.CHUNK_SIZE, self.total_size - self.total_consumed)
        self.offered = size
        self._before = len(self._dynamic)
        if len(self._chunk) < size:
            self._chunk = bytearray(size)
        return [memoryview(self._chunk)[:size]] if size else []

    def consume(self, n: int) -> None:
        self._dynamic.append(memoryview(self._chunk)[:n])
        self.total_consumed += n

    def settle(self, count: int) -> None:
        came = count - self.total_consumed
        if len(self._dynamic) == self._before:
            self._dynamic.append(memoryview(self._chunk)[:came])
        super().settle(count)

    def release(self) -> None:
        self._chunk = bytearray()


def written(buffers: Buffers) -> Cursor:
    """The cursor of a write of ``buffers``."""
    return ShrinkingBuffer(buffers) if isinstance(buffers, DynamicBuffer) else _over(buffers)


def written_plain(buffers: Buffers) -> Cursor:
    """As :func:`written`, for a stream that takes ``bytes`` and bytearrays as they are: views of many cost time."""
    return ShrinkingBuffer(buffers) if isinstance(buffers, DynamicBuffer) else _over(buffers, plain=True)


def read_into(buffers: Buffers) -> Cursor:
    """The cursor of a read into ``buffers``."""
    if isinstance(buffers, DynamicBuffer):
        return GrowingBuffer(buffers)
    if isinstance(buffers, (int, str)):
        raise TypeError(f"buffers: got {type(buffers).__name__}; pass memory to read into, for example bytearray(16)")
    return _over(buffers, writable=True)


def _over(buffers: BytesLike | Iterable[BytesLike], *, plain: bool = False, writable: bool = False) -> Cursor:
    given = gather(buffers)
    if len(given) == 1 and given[0] is buffers:
        if plain and type(buffers) is bytes:
            return SingleBuffer(buffers, buffers)
        view = buffer(given[0])
        if writable and view.readonly:
            raise _read_only()
        return SingleBuffer(view, buffers)
    held = hold(given) if plain else None
    if held is not None:
        return ConsumingBuffers(given, given, held)
    made = views(given)  # not the iterable: it is used up
    if writable and any(view.readonly for view in made):
        raise _read_only()
    return ConsumingBuffers(made, given)


def _read_only() -> TypeError:
    return TypeError("buffers: this memory is read-only; pass a bytearray or a writable memoryview to read into")


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

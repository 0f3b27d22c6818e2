"""What a transfer has moved of the caller's memory, which it only borrows: the count, and what is left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._buffers import Buffers, BytesLike, DynamicBuffer, gather, views
from ._conditions import TRANSFER_ALL, CompletionCondition
from ._cursors import ConsumingBuffers, remaining
from ._operation import Operation
from ._transfer_loop import TransferLoop


class Account(Operation[int]):
    """An operation that knows at every moment how many bytes of the caller's buffers are transferred."""

    _buffers: Any  # as they were given; of an iterable, which may be used up by now, what it gave
    _condition: CompletionCondition = TRANSFER_ALL
    _views: tuple[memoryview, ...] = ()
    _loop: TransferLoop | None = None
    _ask = 0  # the most bytes that the next step may take
    _count = 0  # of what was transferred without a loop
    _error: BaseException | None = None  # how it ended
    _given_back = False

    def _export(self, buffers: Buffers) -> None:
        """Take views of the caller's memory; a dynamic buffer's are taken at the launch."""
        if isinstance(buffers, DynamicBuffer):
            return
        self._adopted = True  # until it is known that the operation will be: refused, it is not forgotten
        given = gather(buffers)
        if len(given) != 1 or given[0] is not buffers:
            self._buffers = given  # not the iterable: it may be used up by now
        self._views = self._viewed(self._buffers)
        self._adopted = False

    def _viewed(self, buffers: BytesLike | Iterable[BytesLike]) -> tuple[memoryview, ...]:
        return views(buffers)

    @property
    def bytes_transferred(self) -> int:
        """Bytes transferred so far."""
        return self._count if self._loop is None else self._loop.buffers.total_consumed

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        """What is left of the caller's buffers, as new views of them."""
        if isinstance(self._buffers, DynamicBuffer):
            return self._dynamic_remaining(self._buffers)
        return remaining(views(self._buffers), self.bytes_transferred)

    def _dynamic_remaining(self, dynamic: DynamicBuffer) -> tuple[memoryview, ...]:
        gone = 0 if self._given_back else self.bytes_transferred
        return remaining(views(dynamic.data), gone)

    def _open_loop(self) -> TransferLoop:
        if self._loop is None:
            self._loop = TransferLoop(self._cursor(), self._condition)
            self._ask = self._loop.begin()
        return self._loop

    def _cursor(self) -> ConsumingBuffers:
        if not self._views:
            dynamic = isinstance(self._buffers, DynamicBuffer)
            self._views = self._viewed(self._buffers.data if dynamic else self._buffers)
        return ConsumingBuffers(self._views)

    def _give_memory_back(self) -> None:
        if self._loop is not None:
            self._loop.buffers.release()
        self._views = ()
        self._error = None
        if isinstance(self._buffers, DynamicBuffer) and not self._given_back:  # dropped with its loop, it may end later
            self._dynamic_done(self._buffers)
        # Behind it, with no call between them: a signal's handler may end this, and then it is called again.
        self._given_back = True

    def _dynamic_done(self, dynamic: DynamicBuffer) -> None:
        dynamic.consume(self.bytes_transferred)

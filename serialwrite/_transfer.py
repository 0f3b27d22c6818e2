"""The composed operation behind async_write and async_read: what drives Asio's loop (``_transfer_loop``).

There are two ways to take a step:

* a stream with ``*_some_nowait`` is tried first, and waited for only when it is full;
* any other stream has its ``async_*_some`` called, once a step.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from threading import get_ident
from typing import Any, ClassVar

from ._buffers import Buffers, BytesLike, DynamicBuffer, views
from ._cancellation import CancellationSignal
from ._conditions import (
    TRANSFER_ALL,
    CompletionCondition,
    TransferAll,
    TransferAtLeast,
    TransferExactly,
    check_condition,
)
from ._cursors import ConsumingBuffers, GrowingBuffer
from ._ending import Ending
from ._errors import OperationAborted, TransferError, of_the_system, transfer_error
from ._executors import call_later, now, outstanding
from ._operation import CompletionToken, Handler, deferred
from ._sides import side_of

OURS = (TransferAll, TransferAtLeast, TransferExactly)  # conditions that run no code of the user's
# Bytes that one operation moves before the event loop gets a turn (rule 9), or a blocking form looks at its limits;
# and the bytes that each step counts for beside its own.
TURN, PER_STEP = 1 << 20, 1 << 13


class Transfer(Ending):
    """One composed read or write, from its start through its steps. Subclasses say which direction it goes."""

    doing: ClassVar[str]  # "write" or "read"
    side: ClassVar[str]  # the attribute of our own streams that stands for this direction

    _full = False  # the stream is known to take nothing now
    _blocking = False  # it runs on a thread without an event loop
    _initiating = False  # while it is being initiated

    def __init__(
        self,
        stream: Any,
        buffers: Buffers,
        condition: CompletionCondition = TRANSFER_ALL,
        timeout: float | None = None,
        idle_timeout: float | None = None,
    ) -> None:
        # No super().__init__: what it would set is asked of the stream, where it is needed.
        # async_write does the same without this call, which would be a seventh of a small write's time.
        if type(condition) not in OURS:
            self._adopted = True  # until it is known that it can be launched: refused, it is not forgotten
            check_condition(condition)
            self._adopted = False
        self._stream = stream
        self._buffers: Any = buffers
        self._condition = condition
        self._timeout = timeout
        self._idle_timeout = idle_timeout
        self._export(buffers)

    @property
    def default_token(self) -> CompletionToken[Any, Any]:
        return getattr(self._stream, "default_token", deferred)

    @property
    def asks_nobody(self) -> bool:
        """Whether no code of the user's runs while it takes steps, which might write, too: it needs no claim."""
        return type(self._condition) in OURS

    # -- start -------------------------------------------------------------------------------------

    def attempt(self) -> tuple[Any, ...] | None:
        side = getattr(self._stream, self.side, None)
        if side is None or self._launched or side.idle_in != get_ident() or not self.asks_nobody:
            return None
        if not self._over:
            self._open_loop()
            if self._full or not self._take_steps_now(side.nowait):
                return None
            side.spend(self.bytes_transferred)
        self._launched = True
        error = self._error
        self._give_memory_back()
        return error, self._result()

    def __await__(self) -> Generator[Any, Any, int]:
        side = getattr(self._stream, self.side, None)
        if side is not None and side.turn_due and not self._launched:
            try:
                yield from side.yield_turn(self)
            except BaseException:  # cancelled before it began
                self._abandon()
                raise
        return (yield from super().__await__())

    def _abandon(self) -> None:
        if not self._launched:
            self._give_memory_back()
        super()._abandon()

    def _begin(self, handler: Handler) -> None:
        side = side_of(self._stream, self.side)
        try:
            side.claim(self, self.doing)
        except BaseException:
            self._give_memory_back()
            raise
        self._side = side
        self._handler = handler
        if self._timeout is not None:
            self._started = now(self.executor)
        handler.cancellation_slot.assign(self._on_cancel)  # now: the condition may emit, and so may the stream
        try:
            self._open_loop()
            over = self._over or self._advance()
        except BaseException:  # the condition or the stream refused
            handler.cancellation_slot.clear()
            self._give_back()
            raise
        if over:
            handler.cancellation_slot.clear()
            self._complete_at_once(handler)
            return
        executor = self.executor
        if self._started is None:
            self._started = now(executor)
        if self._timeout is not None:
            self._timer = call_later(executor, self._timeout, self._expire)
        if self._idle_timeout is not None:
            self._watch_idleness(self._idle_timeout)
        self._outstanding = outstanding(executor)
        self._outstanding.add(self._abort)

    # -- steps -------------------------------------------------------------------------------------

    def _step(self, error: TransferError | None, n: int) -> bool:
        """Feed the loop with one step; True when the operation is over."""
        assert self._loop is not None
        try:
            self._ask = self._loop.step(error, n, cancelled=self._cancelled)
        except Exception as broken:  # a condition that raised, a stream that reported nonsense
            self._finish(broken)
            return True
        if self._over:  # the condition closed the stream; or its event loop was closed beneath it
            late = OperationAborted() if self._ask else self._loop.error
            if self._error is None and late is not None:
                self._error = self._described(late)
            return True
        if self._ask and not self._cancelled:
            return False
        self._finish(OperationAborted() if self._ask else self._loop.error)  # the condition itself may have cancelled
        return True

    def _advance(self) -> bool:
        """Take steps until the operation is over (True), or something has to be waited for (False)."""
        side = self._side
        if side.nowait is not None and not self._full and self._take_steps_now(side.nowait):
            return True
        self._full = False
        if side.waitable:
            self._waiting = True
            side.wait(self._on_ready)
        else:
            self._take_step()
        return False

    def _take_steps_now(self, nowait: Callable[[Sequence[memoryview]], int]) -> bool:
        assert self._loop is not None
        turn = TURN
        while turn > 0:
            prepared = self._loop.buffers.prepare(self._ask)
            try:
                n = nowait(prepared)
            except BlockingIOError:
                self._full = True
                return False
            except Exception as error:
                if self._blocking and not of_the_system(error):
                    raise  # what the handler of a signal raised
                if self._step(transfer_error(error), 0):
                    return True
                turn -= TURN // 16  # a condition that goes on in spite of errors must not hold the loop
                continue
            if self._step(None, n):
                return True
            if n < self._loop.buffers.offered:
                self._full = True  # another try would only meet EAGAIN
                return False
            turn -= n + PER_STEP
        return False

    def _on_ready(self) -> bool:
        """The stream is ready: go on inside its callback. False when it was not ready after all."""
        assert self._loop is not None
        buffers, self._waiting = self._loop.buffers, False
        before = buffers.total_consumed
        if self._guarded_advance():
            self._deliver()
            return True
        if buffers.total_consumed == before:
            return False
        if self._idle is not None:
            self._idle.moved(now(self.executor))
        return True

    def _take_step(self) -> None:
        """One ``async_*_some``: the way of a stream that has no ``*_some_nowait``, or that it did not suffice for."""
        assert self._loop is not None
        self._step_signal = CancellationSignal()
        handler = Handler(self._on_step, self.executor, self._step_signal.slot)
        self._initiating = True
        try:
            self._side.step(self._loop.buffers.prepare(self._ask), handler)
        except OSError as error:  # what the step came to: the condition is asked, the count told
            self.executor.post(handler, error, 0)
        finally:
            self._initiating = False

    def _on_step(self, error: BaseException | None, n: int) -> None:
        if self._initiating:  # the stream called its handler inline, which it must not: put it right
            self.executor.post(self._on_step, error, n)
            return
        self._step_signal = None
        if n and self._idle is not None:
            self._idle.moved(now(self.executor))
        if self._step(None if error is None else transfer_error(error), n) or self._guarded_advance():
            self._deliver()

    def _guarded_advance(self) -> bool:
        try:
            return self._advance()
        except Exception as error:  # the stream refused the step: nobody but the handler can be told
            self._finish(error)
            return True


class Writing(Transfer):
    """A transfer from the caller's memory to a stream."""

    name: str = "async_write_some"
    verb = "accepted"
    doing = "write"
    side = "write_side"


class Reading(Transfer):
    """A transfer from a stream to the caller's memory."""

    name = "async_read_some"
    verb = "received"
    doing = "read"
    side = "read_side"

    def _export(self, buffers: Buffers) -> None:
        if isinstance(buffers, (int, str)):
            self._adopted = True  # refused, it is not forgotten
            raise TypeError(
                f"buffers: got {type(buffers).__name__}; pass memory to read into, for example bytearray(16)"
            )
        super()._export(buffers)

    def _viewed(self, buffers: BytesLike | Iterable[BytesLike]) -> tuple[memoryview, ...]:
        made = views(buffers)
        if any(view.readonly for view in made):
            raise TypeError("buffers: this memory is read-only; pass a bytearray or a writable memoryview to read into")
        return made

    def _cursor(self) -> ConsumingBuffers:
        if isinstance(self._buffers, DynamicBuffer):
            return GrowingBuffer(self._buffers)
        return super()._cursor()

    def _moving(self) -> int | None:
        return None  # what leaves is not what is waited for

    def _dynamic_remaining(self, dynamic: DynamicBuffer) -> tuple[memoryview, ...]:
        return ()  # a dynamic buffer has no end to be read up to

    def _dynamic_done(self, dynamic: DynamicBuffer) -> None:
        """It has grown as the bytes came."""

"""The composed operation behind async_write and async_read: what drives Asio's loop (``_transfer_loop``).

There are two ways to take a step:

* a stream with ``*_some_nowait`` is tried first, and waited for only when it is full;
* any other stream has its ``async_*_some`` called, once a step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from threading import get_ident
from typing import Any, ClassVar

from ._buffers import Buffers, BytesLike, ConsumingBuffers, DynamicBuffer, GrowingBuffer, gather, remaining, views
from ._cancellation import CancellationSignal, CancellationType
from ._conditions import TRANSFER_ALL, CompletionCondition, TransferAll, TransferAtLeast, TransferExactly
from ._errors import OperationAborted, TransferError, TransferTimeout, transfer_error
from ._executors import Executor, Timer, call_later, now, outstanding
from ._operation import CompletionToken, Handler, Operation, deferred
from ._sides import side_of
from ._transfer_loop import TransferLoop

OURS = (TransferAll, TransferAtLeast, TransferExactly)  # conditions that run no code of the user's
# Bytes that one operation moves before the event loop gets a turn (rule 9).
TURN = 1 << 20


class Transfer(Operation[int]):
    """One composed read or write. It owns the caller's memory while it runs, and knows the count at every moment.

    Subclasses say which direction it goes.
    """

    verb: ClassVar[str]  # what "transferred" means, in messages
    doing: ClassVar[str]  # "write" or "read"
    side: ClassVar[str]  # the attribute of our own streams that stands for this direction
    cancellable: ClassVar[CancellationType] = CancellationType.TERMINAL | CancellationType.PARTIAL

    # Set when they are needed. An operation that completes at once needs almost none of them.
    _condition: CompletionCondition = TRANSFER_ALL
    _timeout: float | None = None
    _views: tuple[memoryview, ...] = ()
    _loop: TransferLoop | None = None
    _ask = 0  # the most bytes that the next step may take
    _full = False  # the stream is known to take nothing now
    _over = False  # nothing more is transferred
    _error: BaseException | None = None
    _given_back = False  # the caller's memory, and the stream
    _count = 0
    _handler: Handler | None = None
    _side: Any = None
    _timer: Timer | None = None
    _started: float | None = None
    _outstanding: set[Callable[..., object]] | None = None  # where it is noted while it waits
    _step_signal: CancellationSignal | None = None  # while an async_*_some runs
    _initiating = False  # while it is being initiated
    _waiting = False  # for readiness; else it is taking steps, or has its stream take one
    _cancelled = False
    expiring: bool = False
    _expired = False

    def __init__(
        self,
        stream: Any,
        buffers: Buffers,
        condition: CompletionCondition = TRANSFER_ALL,
        timeout: float | None = None,
    ) -> None:
        # No super().__init__: what it would set is asked of the stream, where it is needed.
        # async_write does the same without this call, which would be a seventh of a small write's time.
        self._stream = stream
        self._buffers: Any = buffers
        self._condition = condition
        self._timeout = timeout
        self._export(buffers)

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
    def executor(self) -> Executor:
        executor: Executor = self._stream.get_executor()
        return executor

    @property
    def default_token(self) -> CompletionToken[Any, Any]:
        return getattr(self._stream, "default_token", deferred)

    @property
    def asks_nobody(self) -> bool:
        """Whether no code of the user's runs while it takes steps, which might write, too: it needs no claim."""
        return type(self._condition) in OURS

    # -- progress ----------------------------------------------------------------------------------

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

    # -- start -------------------------------------------------------------------------------------

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
        self._outstanding = outstanding(executor)
        self._outstanding.add(self._abort)

    def _complete_at_once(self, handler: Handler) -> None:
        if handler.immediate_bound:
            error = self._error
            self._give_back()
            handler.immediate_executor.dispatch(handler, error, self._result())
        else:
            self.executor.post(self._deliver)

    def _result(self) -> int:
        return self.bytes_transferred

    # -- steps -------------------------------------------------------------------------------------

    def _step(self, error: TransferError | None, n: int) -> bool:
        """Feed the loop with one step; True when the operation is over."""
        assert self._loop is not None
        try:
            self._ask = self._loop.step(error, n, cancelled=self._cancelled)
        except Exception as broken:  # a condition that raised, a stream that reported nonsense
            self._finish(broken)
            return True
        if self._over:  # the condition closed the stream
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
                if self._step(transfer_error(error), 0):
                    return True
                turn -= TURN // 16  # a condition that goes on in spite of errors must not hold the loop
                continue
            if self._step(None, n):
                return True
            if n < self._loop.buffers.offered:
                self._full = True  # another try would only meet EAGAIN
                return False
            turn -= n
        return False

    def _on_ready(self) -> bool:
        """The stream is ready: go on inside its callback. False when it was not ready after all."""
        assert self._loop is not None
        buffers, self._waiting = self._loop.buffers, False
        before = buffers.total_consumed
        if self._guarded_advance():
            self._deliver()
            return True
        return buffers.total_consumed != before

    def _take_step(self) -> None:
        """One ``async_*_some``: the way of a stream that has no ``*_some_nowait``, or that it did not suffice for."""
        assert self._loop is not None
        self._step_signal = CancellationSignal()
        handler = Handler(self._on_step, self.executor, self._step_signal.slot)
        self._initiating = True
        try:
            self._side.step(self._loop.buffers.prepare(self._ask), handler)
        finally:
            self._initiating = False

    def _on_step(self, error: BaseException | None, n: int) -> None:
        if self._initiating:  # the stream called its handler inline, which it must not: put it right
            self.executor.post(self._on_step, error, n)
            return
        self._step_signal = None
        if self._step(None if error is None else transfer_error(error), n) or self._guarded_advance():
            self._deliver()

    def _guarded_advance(self) -> bool:
        try:
            return self._advance()
        except Exception as error:  # the stream refused the step: nobody but the handler can be told
            self._finish(error)
            return True

    # -- end ---------------------------------------------------------------------------------------

    def _on_cancel(self, requested: CancellationType) -> None:
        if self._over or not requested & self.cancellable & self._side.cancellable:
            return
        self._expired = self._expired or self.expiring
        if self._waiting:
            self.fail(OperationAborted())
            return
        self._cancelled = True  # looked at after the step
        if self._step_signal is not None:
            self._step_signal.emit(requested & self.cancellable)

    def _abort(self) -> None:
        self._on_cancel(CancellationType.TERMINAL)

    def _expire(self) -> None:
        self.expiring = True
        self._on_cancel(CancellationType.TERMINAL)
        self.expiring = False

    def fail(self, error: TransferError) -> None:
        """End a waiting operation with ``error``: at once, but for the handler, which is posted."""
        waiting = self._waiting
        self._finish(error)
        if waiting:  # else whoever takes the steps finds it over, and delivers
            self.executor.post(self._deliver)

    def drop(self) -> None:
        """Its event loop was closed beneath it: it touches the stream no more, which has another user now."""
        error = self._error
        self._over = True
        self._no_more_outstanding()
        self._give_memory_back()
        self._error = error  # of a cancellation in a later loop, whose handler is still to be called

    def _finish(self, error: BaseException | None) -> None:
        """The transfer is over: nothing more goes out from here on."""
        self._over = True
        if self._side is not None:
            self._side.stop()
        if self._handler is not None:
            self._handler.cancellation_slot.clear()
        if self._timer is not None:
            self._timer.cancel()
        if error is not None:
            self._error = self._described(error) if isinstance(error, TransferError) else error

    def _described(self, error: TransferError) -> TransferError:
        assert self._loop is not None
        if self._expired and type(error) is OperationAborted:
            error = TransferTimeout()
        error.bytes_transferred = self._loop.buffers.total_consumed
        error.total = self._loop.buffers.size_asked
        error.verb = getattr(self._side, "verb", None) or self.verb
        error._remaining = lambda: self.remaining
        if self._started is not None:
            error.elapsed = now(self.executor) - self._started
        with contextlib.suppress(OSError, ValueError):  # a port that is gone can't be asked
            error.queued = getattr(self._stream, "queued", None)
        if isinstance(error, OperationAborted) and self._side is not None:
            error.stall = self._side.held_by()
        return error

    def _deliver(self) -> None:
        """Give everything back, then call the handler: it may start the next operation on the stream."""
        handler, error = self._handler, self._error
        assert handler is not None
        self._give_back()
        handler(error, self._result())

    def _give_back(self) -> None:
        if not self._given_back:  # else it was dropped
            self._side.release()
        self._no_more_outstanding()
        self._handler = None
        self._give_memory_back()

    def _no_more_outstanding(self) -> None:
        if self._outstanding is not None:
            self._outstanding.discard(self._abort)
            self._outstanding = None

    def _give_memory_back(self) -> None:
        if self._loop is not None:
            self._loop.buffers.release()
        self._views = ()
        self._error = None
        self._given_back = True
        if isinstance(self._buffers, DynamicBuffer):
            self._dynamic_done(self._buffers)

    def _dynamic_done(self, dynamic: DynamicBuffer) -> None:
        dynamic.consume(self.bytes_transferred)


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

    def _viewed(self, buffers: BytesLike | Iterable[BytesLike]) -> tuple[memoryview, ...]:
        made = views(buffers)
        if any(view.readonly for view in made):
            raise TypeError("buffers: this memory is read-only; pass a bytearray or a writable memoryview to read into")
        return made

    def _cursor(self) -> ConsumingBuffers:
        if isinstance(self._buffers, DynamicBuffer):
            return GrowingBuffer(self._buffers)
        return super()._cursor()

    def _dynamic_remaining(self, dynamic: DynamicBuffer) -> tuple[memoryview, ...]:
        return ()  # a dynamic buffer has no end to be read up to

    def _dynamic_done(self, dynamic: DynamicBuffer) -> None:
        """It has grown as the bytes came."""

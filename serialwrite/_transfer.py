"""The composed operation behind async_write and async_read: Asio's loop, and what drives it.

:class:`TransferLoop` is the loop itself, sans-I/O. :class:`Transfer` feeds it, in one of two ways:

* a stream with ``*_some_nowait`` is tried first, and waited for only when it is full;
* any other stream has its ``async_*_some`` called, once a step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from ._buffers import Buffers, BytesLike, ConsumingBuffers, DynamicBuffer, gather, remaining, views
from ._cancellation import CancellationSignal, CancellationType
from ._conditions import CompletionCondition, most
from ._errors import OperationAborted, StreamBusy, TransferError, TransferTimeout, transfer_error
from ._executors import Executor, Timer, call_later
from ._operation import CompletionToken, Handler, Operation, deferred

# Bytes that one operation moves before the event loop gets a turn (rule 9).
TURN = 1 << 20


class TransferLoop:
    """Asio's loop, exactly, with no I/O in it: fed with what each step gave, it says how much to ask of the next.

    Attributes:
        buffers: what is to be transferred, and the cursor in it.
        error: how it ended; None for success.
    """

    __slots__ = ("buffers", "condition", "error")

    def __init__(self, buffers: ConsumingBuffers, condition: CompletionCondition) -> None:
        self.buffers = buffers
        self.condition = condition
        self.error: TransferError | None = None

    def begin(self) -> int:
        """The most bytes to ask of the first step, which is taken even where this is 0 or the buffers are empty."""
        return most(self.condition, None, 0)

    def step(self, error: TransferError | None, n: int, *, cancelled: bool) -> int:
        """Take in one step: its error, the bytes that it transferred, whether cancellation was requested meanwhile.

        Returns:
            The most bytes to ask of the next step; 0 when the operation is over.
        """
        buffers = self.buffers
        if not 0 <= n <= buffers.total_size - buffers.total_consumed:
            raise ValueError(
                f"the stream reported {n} bytes, of {buffers.total_size - buffers.total_consumed} that were left"
            )
        buffers.consume(n)
        self.error = error
        if buffers.empty or (error is None and n == 0):
            return 0
        size = most(self.condition, error, buffers.total_consumed)
        if size and cancelled:
            self.error = OperationAborted()
            return 0
        return size


class Transfer(Operation[int]):
    """One composed read or write. It owns the caller's memory while it runs, and knows the count at every moment.

    Subclasses say which direction it goes.
    """

    verb: ClassVar[str]  # what "transferred" means, in messages
    doing: ClassVar[str]  # "write" or "read"
    side: ClassVar[str]  # the attribute of our own streams that stands for this direction
    some: ClassVar[str]  # the stream's method for one step
    cancellable = CancellationType.TERMINAL | CancellationType.PARTIAL

    # Set when they are needed. An operation that completes at once needs almost none of them.
    _views: tuple[memoryview, ...] = ()
    _loop: TransferLoop | None = None
    _first: tuple[TransferError | None, int] | None = None  # the first step, where it was taken before the launch
    _full = False  # the stream is known to take nothing now
    _initiating = False
    _error: BaseException | None = None
    _ask = 0
    _handler: Handler | None = None
    _given_back = False
    _side: Any = None
    _timer: Timer | None = None
    _started: float | None = None
    _count = 0
    _step_signal: CancellationSignal | None = None
    _cancelled = False
    _expired = False
    _over = False

    def __init__(  # no super().__init__: what it would set is asked of the stream instead
        self,
        stream: Any,
        buffers: Buffers,
        condition: CompletionCondition,
        timeout: float | None = None,
    ) -> None:
        self._stream = stream
        self._condition = condition
        self._timeout = timeout
        self._buffers: Any = buffers
        if type(buffers) is not bytes and not isinstance(buffers, DynamicBuffer):  # that one's are taken at the launch
            given = gather(buffers)
            if len(given) != 1 or given[0] is not buffers:
                self._buffers = given  # not the iterable: it may be used up by now
            self._views = self._viewed(self._buffers)

    def _viewed(self, buffers: BytesLike | Iterable[BytesLike]) -> tuple[memoryview, ...]:
        return views(buffers)

    @property
    def executor(self) -> Executor:
        executor: Executor = self._stream.get_executor()
        return executor

    @property
    def default_token(self) -> CompletionToken[Any, Any]:
        return getattr(self._stream, "default_token", deferred)

    # -- progress ----------------------------------------------------------------------------------

    @property
    def bytes_transferred(self) -> int:
        """Bytes transferred so far."""
        if self._loop is not None:
            return self._loop.buffers.total_consumed
        return self._count if self._first is None else self._first[1]

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

    def _begin(self, handler: Handler) -> None:
        stream = self._stream
        self._side = side_of(stream, self.side)
        self._side.claim(self, self.doing)
        try:
            self._handler = handler
            self._loop = TransferLoop(ConsumingBuffers(self._launch_views()), self._condition)
            self._ask = self._loop.begin()
        except BaseException:
            self._side.release()
            raise
        if self._timeout is not None:
            self._started = time.monotonic()
        if self._first is not None:
            self._step(*self._first)
        try:
            over = self._over or self._advance()
        except BaseException:  # the stream refused the step
            self._give_back()
            raise
        if over:
            self._complete_at_once(handler)
            return
        handler.cancellation_slot.assign(self._on_cancel)
        if self._started is None:
            self._started = time.monotonic()
        if self._timeout is not None:
            self._timer = call_later(self.executor, self._timeout, self._expire)

    def _launch_views(self) -> tuple[memoryview, ...]:
        if not self._views:
            dynamic = isinstance(self._buffers, DynamicBuffer)
            self._views = self._viewed(self._buffers.data if dynamic else self._buffers)
        return self._views

    def _complete_at_once(self, handler: Handler) -> None:
        if handler.immediate_bound:
            error = self._error
            self._give_back()
            handler.immediate_executor.dispatch(handler, error, self.bytes_transferred)
        else:
            self.executor.post(self._deliver)

    # -- steps -------------------------------------------------------------------------------------

    def _step(self, error: TransferError | None, n: int) -> bool:
        """Feed the loop with one step; True when the operation is over."""
        assert self._loop is not None
        try:
            self._ask = self._loop.step(error, n, cancelled=self._cancelled)
        except Exception as broken:  # a condition that raised, a stream that reported nonsense
            self._finish(broken)
            return True
        if self._ask:
            return False
        self._finish(self._loop.error)
        return True

    def _advance(self) -> bool:
        """Take steps until the operation is over (True), or something has to be waited for (False)."""
        side = self._side
        if side.nowait is not None and not self._full and self._take_steps_now(side.nowait):
            return True
        self._full = False
        if side.waitable:
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
                return False
            except Exception as error:
                if self._step(transfer_error(error), 0):
                    return True
                turn -= TURN // 16  # a condition that goes on in spite of errors must not hold the loop
                continue
            wanted = sum(map(len, prepared))
            if self._step(None, n):
                return True
            if n < wanted:
                return False  # full: another try would only meet EAGAIN
            turn -= n
        return False

    def _on_ready(self) -> bool:
        """The stream is ready: go on inside its callback. False when it was not ready after all."""
        before = self.bytes_transferred
        if self._guarded_advance():
            self._deliver()
            return True
        return self.bytes_transferred != before

    def _take_step(self) -> None:
        """One ``async_*_some``: the way of a stream that has no ``*_some_nowait``, or that it did not suffice for."""
        assert self._loop is not None
        self._step_signal = CancellationSignal()
        handler = Handler(self._on_step, self.executor, self._step_signal.slot)
        self._initiating = True
        try:
            getattr(self._stream, self.some)(self._loop.buffers.prepare(self._ask), handler)
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
        if self._step_signal is not None:
            self._cancelled = True
            self._step_signal.emit(requested & self.cancellable)
        else:
            self.fail(OperationAborted())

    def _expire(self) -> None:
        self.expiring = True
        self._on_cancel(CancellationType.TERMINAL)
        self.expiring = False

    def fail(self, error: TransferError) -> None:
        """End a waiting operation with ``error``: at once, but for the handler, which is posted."""
        self._finish(error)
        self.executor.post(self._deliver)

    def _finish(self, error: BaseException | None) -> None:
        """The transfer is over: nothing more goes out from here on."""
        self._over = True
        self._side.stop()
        if self._handler is not None:
            self._handler.cancellation_slot.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._error = self._described(error) if isinstance(error, TransferError) else error

    def _described(self, error: TransferError) -> TransferError:
        assert self._loop is not None
        if self._expired and type(error) is OperationAborted:
            error = TransferTimeout()
        error.bytes_transferred = self._loop.buffers.total_consumed
        error.total = self._loop.buffers.total_size
        error.verb = self.verb
        error._remaining = lambda: self.remaining
        if self._started is not None:
            error.elapsed = time.monotonic() - self._started
        error.queued = getattr(self._stream, "queued", None)
        if isinstance(error, OperationAborted):
            error.stall = self._side.held_by()
        return error

    def _deliver(self) -> None:
        """Give everything back, then call the handler: it may start the next operation on the stream."""
        handler, error = self._handler, self._error
        assert handler is not None
        self._give_back()
        handler(error, self.bytes_transferred)

    def _give_back(self) -> None:
        assert self._loop is not None
        self._side.release()
        self._loop.buffers.release()
        self._views = ()
        self._handler = self._error = None
        self._given_back = True
        if isinstance(self._buffers, DynamicBuffer):
            self._dynamic_done(self._buffers)

    def _dynamic_done(self, dynamic: DynamicBuffer) -> None:
        dynamic.consume(self.bytes_transferred)


class Writing(Transfer):
    """A transfer from the caller's memory to the stream."""

    name = "async_write_some"
    verb = "accepted"
    doing = "write"
    side = "output"
    some = "async_write_some"


class ForeignSide:
    """One direction of a stream that is not ours: who is using it, kept here because the stream has no place for it."""

    waitable = False
    in_use: ClassVar[dict[tuple[int, str], object]] = {}

    def __init__(self, stream: Any, side: str) -> None:
        self._stream = stream
        self._key = (id(stream), side)  # the operation keeps the stream alive, so nothing else gets this id
        self.nowait = getattr(stream, NOWAIT[side], None)
        self.cancellable = getattr(stream, "cancellable", CancellationType.ALL)

    def claim(self, user: object, doing: str) -> None:
        if self._key in self.in_use:
            raise StreamBusy(self._stream, doing)
        self.in_use[self._key] = user

    def release(self) -> None:
        del self.in_use[self._key]

    def stop(self) -> None:
        """Nothing is waited for."""

    def held_by(self) -> str | None:
        stall: str | None = getattr(self._stream, "stall", None)
        return stall


NOWAIT = {"output": "write_some_nowait", "input": "read_some_nowait"}


def side_of(stream: Any, side: str) -> Any:
    """The direction ``side`` of ``stream``: its own object for it, or one that stands in for that."""
    return getattr(stream, side, None) or ForeignSide(stream, side)

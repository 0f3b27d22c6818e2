"""TransferOperation: drives a Transfer over one direction of a stream, from its launch to its handler.

The file is long: it is the life of one object, in its order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from threading import get_ident
from typing import Any

from ._buffers import Buffers
from ._cancellation import UNCONNECTED, CancellationType
from ._conclude import conclude
from ._conditions import transfer_at_least
from ._deadlines import UNLIMITED, Deadline, Limits, deadlines
from ._direction import WRITING, Direction, Way, direction_of, take_turn
from ._errors import OperationAborted, TransferError
from ._executors import Executor, clock_of, running_loop
from ._handler import Args, AwaitHandler, Handler
from ._operation import CompletionToken, Operation, deferred
from ._transfer import Transfer

ONE_STEP = transfer_at_least(1)


class TransferOperation(Operation[Any]):
    """A composed read or write that is ready to start.

    Args:
        stream: where to or where from.
        way: WRITING or READING.
        transfer: what is transferred, and how far.
        name: what messages call the operation.
        limits: its ``timeout`` and ``idle_timeout``.
        cancellable: the types of cancellation that it has, as far as the stream's steps have them.
    """

    def __init__(
        self,
        stream: Any,
        way: Way,
        transfer: Transfer,
        name: str,
        limits: Limits = UNLIMITED,
        cancellable: CancellationType = CancellationType.TERMINAL | CancellationType.PARTIAL,
    ) -> None:
        self._adopted = True  # refused, it is not forgotten
        self.name = name
        self.stream = stream
        self.executor: Executor = stream.get_executor()
        self.way = way
        self.transfer = transfer
        self.direction: Direction = direction_of(stream, way)
        self._adopted = False
        if limits is not UNLIMITED:
            self._deadlines = deadlines(limits, stream if way is WRITING else None)
        self._nothing = transfer.nothing
        self._cancellable = cancellable
        self._claimed = False
        self._handler: Handler | None = None
        self._clock: Callable[[], float] | None = None  # once it has started
        self._started = 0.0
        self._hooks: set[Any] | None = None  # where it can be cancelled from: see IoThread.close

    def __repr__(self) -> str:
        transfer = self.transfer
        count = f"{transfer.bytes_transferred:,}"
        if transfer.size is not None:
            count += f" of {transfer.size:,}"
        state = "ended" if transfer.over else "in progress" if self._launched else "not launched"
        return f"<{self.name} on {self.stream!r}, {state}: {count} bytes {self.way.verb}>"

    @property
    def default_token(self) -> CompletionToken[Any, Any]:
        """The stream's default token."""
        return getattr(self.stream, "default_token", deferred)

    @property
    def bytes_transferred(self) -> int:
        """Bytes transferred so far."""
        return self.transfer.bytes_transferred

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        """What is left of the caller's buffers, as new views of them."""
        return self.transfer.remaining

    @property
    def data(self) -> bytes | None:
        """What a read of a size has got so far; None for any other operation."""
        return self.transfer.data

    # -- at once -------------------------------------------------------------------------------------

    def _try(self) -> Args | None:
        direction, transfer = self.direction, self.transfer
        if direction.idle_thread != get_ident() or self._launched or transfer.runs_user_code:
            return None
        if not (transfer.full or transfer.over):
            transfer.take(direction.try_now)
        if not transfer.over:
            return None
        self._launched = True
        direction.spend(transfer.bytes_transferred)
        self._conclude()
        transfer.release()
        return self._args()

    def _turn(self) -> Generator[None, None, None] | None:
        return take_turn(self.direction, self) if self.direction.turn_due and not self._launched else None

    def abandon(self) -> None:
        if not self._launched:
            self.transfer.release()
        super().abandon()

    def undelivered(self) -> None:
        self.transfer.undelivered()

    def tried(self, error: Exception | None, n: int) -> None:
        """Take in a first step that was taken before this operation was made."""
        if isinstance(error, BlockingIOError):
            self.transfer.full = True
        else:
            self.transfer.prepare()
            self.transfer.feed(error, n)

    # -- awaited -------------------------------------------------------------------------------------

    def await_rest(self) -> Generator[Any, Any, Any]:
        """What awaits it, once it was tried."""
        return self.__await__() if self.transfer.over else self.await_launched()

    def await_launched(self) -> Generator[Any, Any, Any]:
        """Launch it, and wait for its result.

        Awaited on its own loop, and as it is, it needs no slot and no signal: the task asks it to stop.
        """
        loop = running_loop()
        mine: asyncio.AbstractEventLoop | None = getattr(self.executor, "loop_taken", None)
        if mine is None or mine is not loop or self._wrappers or self._launched:
            return (yield from super().await_launched())
        self._launched = self.has_begun = True
        awaiting = AwaitHandler(mine, self.executor, UNCONNECTED, self._stop_for_task)
        self._begin(awaiting)
        try:
            args = yield from awaiting.wait()
        except BaseException:
            self.undelivered()
            raise
        try:
            return self.result(args)
        finally:
            del args  # see result()

    def _stop_for_task(self) -> None:
        """The task that awaits it was cancelled: it is not called, but told when it looks again."""
        self._cancel(CancellationType.TERMINAL, posted=False)

    # -- by steps ------------------------------------------------------------------------------------

    def _begin(self, handler: Handler) -> None:
        direction, transfer = self.direction, self.transfer
        self._clock = clock = clock_of(self.executor)
        self._started = clock()
        try:
            for deadline in self._deadlines:
                deadline.start(self.executor, clock, self._started)
            direction.claim(self)
        except BaseException:
            transfer.release()
            raise
        self._claimed = True
        self._handler = handler
        handler.cancellation_slot.assign(self._cancel)  # now: the condition may emit, and so may the stream
        try:
            self._advance()
        except BaseException:  # the condition or the stream refused
            self._stop()
            self._release()
            raise
        if transfer.over:
            self._end(at_once=True)
            return
        for deadline in self._deadlines:
            self._arm(deadline)
        self._hooks = getattr(self.executor, "cancel_hooks", None)
        if self._hooks is not None:
            self._hooks.add(self._abort)

    def _advance(self) -> None:
        """Take steps until it is over, or one has to be waited for."""
        transfer, direction = self.transfer, self.direction
        if direction.tries and not (transfer.full or transfer.over):
            transfer.take(direction.try_now)
        if not transfer.over:
            if self._deadlines:
                self._see()
                if transfer.full and self._has_no_time():
                    return
            direction.step(transfer.prepare(), self._stepped)

    def _has_no_time(self) -> bool:
        """End it here if its timeout is 0: there is nothing to wait for."""
        for deadline in self._deadlines:
            if deadline.is_zero and deadline.type & self._cancellable & self.direction.cancellable:
                self._expired = deadline
                self.transfer.finish(OperationAborted())
                return True
        return False

    def _stepped(self, error: BaseException | None, n: int) -> None:
        """A step that was waited for has ended."""
        transfer = self.transfer
        if n:
            for deadline in self._deadlines:
                deadline.moved()
        transfer.feed(error, n)
        if not self._claimed:  # it was dropped: this step is its last
            transfer.finish(OperationAborted(reason="its event loop was closed"))
        elif not transfer.over:
            try:
                self._advance()
            except Exception as broken:  # the stream refused the step: only the handler can report it
                transfer.finish(broken)
        if transfer.over:
            self._end()

    def _arm(self, deadline: Deadline) -> None:
        deadline.arm(self._expire, self._see if self.way is WRITING else None)

    def _see(self) -> None:
        """Have the stream note its progress: a stall is reported if nothing has moved since."""
        if self.way is WRITING and self._claimed:
            self.direction.note(self.transfer.bytes_transferred)

    # -- cancelled -----------------------------------------------------------------------------------

    def _cancel(self, requested: CancellationType, deadline: Deadline | None = None, *, posted: bool = True) -> None:
        """Every request comes here: from the slot, a deadline, the task, the executor's end.

        ``posted`` says whether the handler is to be called later: it must not run inside a caller's ``emit``.
        """
        transfer, direction = self.transfer, self.direction
        if transfer.over or not self._claimed:
            return
        requested &= self._cancellable & direction.cancellable
        if not requested:
            return
        self._expired = self._expired or deadline
        transfer.cancelled = True
        if direction.cancel(requested):
            transfer.finish(OperationAborted())
            self._end(posted=posted)

    def _expire(self, deadline: Deadline) -> None:
        if deadline.idle_timeout is not None and self._claimed:
            self.direction.catch_up()  # a late loop has not yet reported bytes that may have moved
            if deadline.left() > 0:
                self._arm(deadline)
                return
        self._cancel(deadline.type, deadline, posted=False)

    def _abort(self) -> None:
        self._cancel(CancellationType.TERMINAL)

    def end_with(self, error: TransferError) -> None:
        """End it with ``error``, once the step under way has ended."""
        self.transfer.finish(error)

    def detach(self) -> None:
        """Its event loop was closed: it touches the stream no more, whose direction has another user now."""
        self._claimed = False
        if self._hooks is not None:
            self._hooks.discard(self._abort)
        self.transfer.release()

    # -- the end -------------------------------------------------------------------------------------

    def _end(self, *, at_once: bool = False, posted: bool = False) -> None:
        """It is over: say what is known of it now, then call the handler, which is never called inline."""
        handler = self._handler
        assert handler is not None
        self._stop()
        self._conclude()
        if at_once and handler.immediate_bound:
            self._release()
            handler.immediate_executor.dispatch(handler, *self._args())
        elif at_once or posted:
            self.executor.post(self._deliver)
        else:
            self._deliver()

    def _deliver(self) -> None:
        """Call the handler, once the stream is ready to be left."""
        if not (self._claimed and self.direction.leave(self._call_handler)):
            self._call_handler()

    def _call_handler(self) -> None:
        """Give everything back, then call the handler: it may start the next operation on the stream."""
        handler = self._handler
        assert handler is not None
        self._release()
        handler(*self._args())

    def _args(self) -> Args:
        """What the handler is called with. The error is let go, since its traceback keeps the stream alive."""
        transfer = self.transfer
        error, transfer.error = transfer.error, None
        return error, transfer.result

    def _stop(self) -> None:
        """Nothing more goes out, and no request reaches it any more."""
        if self._claimed:
            self.direction.stop()
        for deadline in self._deadlines:
            deadline.disarm()
        if self._handler is not None:
            self._handler.cancellation_slot.clear()

    def _release(self) -> None:
        """Give everything back: the direction, the memory, the place among what runs on the executor."""
        if self._claimed:
            self._claimed = False
            self.direction.release()
        self._handler = None
        if self._hooks is not None:
            self._hooks.discard(self._abort)
        self.transfer.release()

    def _conclude(self) -> None:
        if self.transfer.error is not None:
            elapsed = None if self._clock is None else self._clock() - self._started
            conclude(self.transfer, self.direction, self.stream, self._expired, elapsed)


def one_step(stream: Any, way: Way, buffers: Buffers) -> TransferOperation:
    """One write_some or read_some of ``stream``: it ends with its first step, and so can be cancelled totally."""
    transfer = Transfer(way.cursor(buffers), ONE_STEP)
    return TransferOperation(stream, way, transfer, way.some, cancellable=CancellationType.ALL)

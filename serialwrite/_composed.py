"""TransferOperation: drives a Transfer over one direction of a stream, from its launch to its handler."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from threading import get_ident
from typing import Any

from ._buffers import Buffers
from ._cancellation import CancellationType
from ._conditions import transfer_at_least
from ._deadlines import Deadline
from ._direction import QUIET, WRITING, Direction, Way, direction_of, own_direction
from ._errors import OperationAborted, TransferError, TransferTimeout, transfer_error
from ._executors import Executor, now, outstanding
from ._handler import Args, Handler
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
        cancellable: the types of cancellation that it has, as far as the stream's steps have them.
    """

    def __init__(
        self,
        stream: Any,
        way: Way,
        transfer: Transfer,
        name: str,
        cancellable: CancellationType = CancellationType.TERMINAL | CancellationType.PARTIAL,
    ) -> None:
        self.name = name
        self.stream = stream
        self._executor: Executor = stream.get_executor()
        self.way = way
        self.transfer = transfer
        self._nothing = transfer.nothing
        self._cancellable = cancellable
        self._direction: Direction | None = None  # while it is claimed
        self._handler: Handler | None = None
        self._full = False  # the stream is known to take nothing now
        self._started: float | None = None

    @property
    def executor(self) -> Executor:
        """The stream's executor."""
        return self._executor

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
        direction, transfer = own_direction(self.stream, self.way), self.transfer
        if direction is None or direction.idle_in != get_ident() or self._launched or not transfer.quiet:
            return None
        if not self._full:
            transfer.begin()
            self._full = transfer.take(direction.try_now)
        if not transfer.over:
            return None
        self._launched = True
        direction.spend(transfer.bytes_transferred)
        self._conclude()
        transfer.release()
        return self._args()

    def _turn(self) -> Generator[None, None, None] | None:
        direction = own_direction(self.stream, self.way)
        due = direction is not None and direction.turn_due and not self._launched
        return take_turn(direction, self) if due else None

    def abandon(self) -> None:
        if not self._launched:
            self.transfer.release()
        super().abandon()

    def tried(self, error: Exception | None, n: int) -> None:
        """Take in a first step that was taken before this operation was made."""
        self.transfer.begin()
        self._full = error is None or isinstance(error, BlockingIOError)
        if error is None or not self._full:
            self.transfer.feed(None if error is None else transfer_error(error), n)

    # -- by steps ------------------------------------------------------------------------------------

    def _begin(self, handler: Handler) -> None:
        direction, transfer = direction_of(self.stream, self.way), self.transfer
        self._claim(direction)
        self._handler = handler
        handler.cancellation_slot.assign(self._cancel)  # now: the condition may emit, and so may the stream
        try:
            transfer.begin()
            self._advance(direction)
        except BaseException:  # the condition or the stream refused
            self._stop()
            self._release()
            raise
        if transfer.over:
            self._end(at_once=True)
            return
        for deadline in self._deadlines:
            self._arm(deadline)
        outstanding(self._executor).add(self._abort)

    def _claim(self, direction: Direction) -> None:
        try:
            direction.claim(self)
        except BaseException:
            self.transfer.release()
            raise
        self._direction = direction
        self._started = now(self._executor)
        for deadline in self._deadlines:
            deadline.start(self._executor, self._started)

    def _advance(self, direction: Direction) -> None:
        """Take steps until it is over, or one has to be waited for."""
        transfer = self.transfer
        if direction.tries and not self._full:
            transfer.take(direction.try_now)
        self._full = False
        if not transfer.over:
            if self._deadlines:
                self._see()
            direction.step(transfer.prepare(), self._stepped)

    def _stepped(self, error: BaseException | None, n: int) -> None:
        """A step that was waited for has ended."""
        transfer, direction = self.transfer, self._direction
        if n:
            self._moved()
        self._full = error is None and n < transfer.offered
        transfer.feed(None if error is None else transfer_error(error), n)
        if direction is None:  # it was dropped: this step is its last
            transfer.finish(OperationAborted(reason="its event loop was closed"))
        elif not transfer.over:
            try:
                self._advance(direction)
            except Exception as broken:  # the stream refused the step: only the handler can be told
                transfer.finish(broken)
        if transfer.over:
            self._end()

    def _moved(self) -> None:
        for deadline in self._deadlines:
            deadline.moved()

    def _arm(self, deadline: Deadline) -> None:
        deadline.arm(self._expire, self._see if self.way is WRITING else None)

    def _see(self) -> None:
        """Have the stream see how far things are: a stall is told of what was seen not to move until then."""
        if self.way is WRITING and self._direction is not None:
            self._direction.stall_reason()

    # -- cancelled -----------------------------------------------------------------------------------

    def _cancel(self, requested: CancellationType, deadline: Deadline | None = None) -> None:
        """Every request comes here: from the slot, a deadline, the task, the executor's end."""
        transfer, direction = self.transfer, self._direction
        if direction is None or transfer.over:
            return
        requested &= self._cancellable & direction.cancellable
        if not requested:
            return
        self._expired = self._expired or deadline
        transfer.cancelled = True
        if direction.cancel(requested):
            transfer.finish(OperationAborted())
            self._end(posted=True)

    def _expire(self, deadline: Deadline) -> None:
        if deadline.idle_timeout is not None and self._direction is not None:
            self._direction.catch_up()  # a loop that is late has not told yet what may have moved
            if deadline.left() > 0:
                self._arm(deadline)
                return
        self._cancel(deadline.type, deadline)

    def _abort(self) -> None:
        self._cancel(CancellationType.TERMINAL)

    def fail(self, error: TransferError) -> None:
        """End it with ``error``, once the step under way has ended."""
        self.transfer.finish(error)

    def drop(self) -> None:
        """Its event loop was closed: it touches the stream no more, whose direction has another user now."""
        self._direction = None
        outstanding(self._executor).discard(self._abort)
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
            self._executor.post(self._deliver)
        else:
            self._deliver()

    def _deliver(self) -> None:
        """Call the handler, once the stream is ready to be left."""
        if self._direction is None or not self._direction.leave(self._call_handler):
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
        if self._direction is not None:
            self._direction.stop()
        for deadline in self._deadlines:
            deadline.disarm()
        if self._handler is not None:
            self._handler.cancellation_slot.clear()

    def _release(self) -> None:
        """Give everything back: the direction, the memory, the place among what runs on the executor."""
        direction, self._direction = self._direction, None
        if direction is not None:
            direction.release()
        self._handler = None
        outstanding(self._executor).discard(self._abort)
        self.transfer.release()

    def _conclude(self) -> None:
        direction = self._direction or own_direction(self.stream, self.way)
        conclude(self.transfer, self.way, direction, self.stream, self._expired)
        error = self.transfer.error
        if self._started is not None and isinstance(error, TransferError):
            error.elapsed = now(self._executor) - self._started


def conclude(transfer: Transfer, way: Way, direction: Direction | None, stream: Any, expired: Deadline | None) -> None:
    """Say of the error of ``transfer``, which is over, what is known of its end; ``expired`` is what ended it."""
    error = transfer.error
    if not isinstance(error, TransferError):
        return
    if expired is not None and type(error) is OperationAborted:
        if transfer.size == 0:  # nothing to do is done
            transfer.error = None
            return
        error = transfer.error = TransferTimeout()
        error.idle_timeout = expired.idle_timeout
    error.bytes_transferred = transfer.bytes_transferred
    error.total = transfer.size
    error.data = transfer.data
    error.awaited = transfer.awaited
    error.verb = way.verb if direction is None or direction.verb is None else direction.verb
    error.ask_remaining(lambda: transfer.remaining)
    if error.queued is None:
        with contextlib.suppress(OSError, ValueError):  # a port that is gone can't be asked
            error.queued = getattr(stream, "queued", None)
    if isinstance(error, OperationAborted) and direction is not None:
        error.stall = direction.stall_reason(QUIET if expired is None else expired.quiet)


def one_step(stream: Any, way: Way, buffers: Buffers) -> TransferOperation:
    """One write_some or read_some of ``stream``: it ends with its first step, and so can be cancelled totally."""
    transfer = Transfer(way.cursor(buffers), ONE_STEP)
    return TransferOperation(stream, way, transfer, way.some, CancellationType.ALL)


def take_turn(direction: Any, operation: Any) -> Generator[None, None, None]:
    """Let the event loop turn before ``operation`` starts, with ``direction`` kept for it (rule 9)."""
    direction.claim(operation)
    try:
        yield
    except BaseException:  # cancelled before it began
        operation.abandon()
        raise
    finally:
        direction.release()

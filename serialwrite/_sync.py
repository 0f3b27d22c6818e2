"""The blocking forms: a transfer driven to its end inside a call, on a thread that has no event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ._composed import TransferOperation
from ._conclude import conclude
from ._deadlines import Deadline, Limits, checked_limits
from ._direction import WRITING, BlockingDirection, Way
from ._errors import OperationAborted, StreamBusy, TransferError
from ._executors import EventLoopExecutor, Executor, clock_of, running_loop
from ._signal_safe import ledger
from ._tokens import OperationFuture


class Unsaid:
    """The default of a timeout that was not given."""

    def __repr__(self) -> str:
        return "the port's own"


UNSAID: Any = Unsaid()


def blocking_limits(stream: Any, way: Way, timeout: float | None, idle_timeout: float | None) -> Limits:
    """The limits of a blocking form: where none was said, the stream's own ``timeout`` or ``write_timeout`` is one."""
    if timeout is UNSAID:
        own = getattr(stream, "_blocking_timeout", None)
        timeout = None if own is None else own(way)
    return checked_limits(timeout, idle_timeout)


def run_blocking(operation: TransferOperation) -> Any:
    """Run ``operation`` and return its result, or raise its error.

    What the handler of a signal raises ends it, too, and gets ``bytes_transferred``, ``remaining`` and a note.
    """
    operation.adopt()
    if running_loop() is not None:
        name = operation.name.removeprefix("async_")
        raise RuntimeError(f"{name}() would block the running event loop: await async_{name}(...) here")
    executor = operation.executor
    direction: Any = operation.direction
    try:
        if isinstance(executor, EventLoopExecutor) and executor.running_elsewhere():
            return _wait_for_future(operation)
        if hasattr(direction, "block"):
            return BlockingRun(operation).run(direction)
        if isinstance(executor, EventLoopExecutor) and executor.bound_to_other_loop():
            return _wait_for_future(operation)
        return asyncio.run(_awaited(operation))
    except (TransferError, StreamBusy):
        raise
    except BaseException as error:
        _say_how_far(error, operation)
        operation.undelivered()
        raise


async def _awaited(operation: TransferOperation) -> Any:
    return await operation


def _wait_for_future(operation: TransferOperation) -> Any:
    future: OperationFuture[Any] = OperationFuture(operation)
    try:
        future.launch()
        return future.result()
    except BaseException:
        if not future.done():  # Ctrl-C: stop the operation, which its own thread does, before going on
            future.cancel()
            future.exception()
        raise


class BlockingRun:
    """One run of an operation's transfer over a direction that can be waited for without an event loop."""

    def __init__(self, operation: TransferOperation) -> None:
        self.executor: Executor = operation.executor
        self._operation = operation
        self._transfer = operation.transfer
        self._expired: Deadline | None = None

    @property
    def bytes_transferred(self) -> int:
        """Bytes transferred so far."""
        return self._transfer.bytes_transferred

    def end_with(self, error: TransferError) -> None:
        """End it with ``error``, once the step under way has ended."""
        self._transfer.finish(error)

    def detach(self) -> None:
        """It has no event loop that could be closed."""

    def run(self, direction: BlockingDirection) -> Any:
        """Run it to its end; return its result, or raise its error."""
        transfer, clock = self._transfer, clock_of(self.executor)
        started = clock()
        outer = ledger.record  # of a transfer that a signal has interrupted, and whose handler is here
        try:
            direction.claim(self)
            self._drive(direction, clock, started)
            if transfer.error is not None and ledger.record is not outer:
                transfer.settle(ledger.count())  # a handler may have ended a step half-way
            conclude(transfer, direction, self._operation.stream, self._expired, clock() - started)
            direction.release()
            transfer.release()
        except BaseException:
            if ledger.record is not outer:
                transfer.settle(ledger.count())
            if direction.user is self:
                direction.release()
            transfer.release()
            raise
        finally:
            ledger.record = outer
        error, transfer.error = transfer.error, None
        return self._operation.result((error, transfer.result))

    def _drive(self, direction: BlockingDirection, clock: Callable[[], float], started: float) -> None:
        transfer, deadlines = self._transfer, self._operation.deadlines
        for deadline in deadlines:
            deadline.start(self.executor, clock, started)

        def try_now(buffers: Sequence[memoryview]) -> int:
            given = ledger.open(transfer.moved)
            n = direction.try_now(buffers)
            if not given:  # no system call that keeps its count
                given.append(n)
            return n

        while not transfer.over:
            before = transfer.bytes_transferred
            transfer.take(try_now, blocking=True)
            moved = transfer.bytes_transferred != before
            if transfer.over:
                break
            least: float | None = None
            for deadline in deadlines:
                if moved:
                    deadline.moved()
                left = deadline.left()
                if left <= 0:
                    self._expired = deadline
                    transfer.finish(OperationAborted())
                    return
                if transfer.full and left > deadline.early and direction.way is WRITING:
                    left -= deadline.early  # it is looked at then, for what will be said of a stall
                least = left if least is None else min(least, left)
            if transfer.full:
                if deadlines and direction.way is WRITING:
                    direction.note(transfer.bytes_transferred)
                direction.block(least, moved)


def _say_how_far(error: BaseException, operation: TransferOperation) -> None:
    """Say in ``error``, which is not ours, what became of the transfer."""
    transfer = operation.transfer
    n, asked = transfer.bytes_transferred, transfer.size
    of = "" if asked is None else f" of {asked:,}"
    error.add_note(f"{operation.name.removeprefix('async_')}() was interrupted: {n:,}{of} bytes {operation.way.verb}")
    told: Any = error
    with suppress(AttributeError):  # it takes no attributes
        told.bytes_transferred = n
        # Views of a dynamic buffer would keep it from being resized; and the rest is what is in it.
        told.remaining = () if transfer.dynamic else transfer.remaining
        if transfer.data is not None:  # of a read of a size
            told.data = transfer.data

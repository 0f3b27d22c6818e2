"""The blocking forms: an operation run to its end on a thread that has no event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from ._buffers import DynamicBuffer
from ._errors import OperationAborted, StreamBusy, TransferError
from ._executors import EventLoopExecutor
from ._idle import Idleness
from ._ledger import ledger
from ._sides import side_of
from ._tokens import OperationFuture, use_future
from ._transfer import Transfer


def run_blocking(operation: Transfer) -> Any:
    """Run ``operation`` and return its count, or raise its error.

    What the handler of a signal raises ends it, too, and gets ``bytes_transferred``, ``remaining`` and a note.
    """
    try:
        if asyncio._get_running_loop() is not None:
            name = operation.name.removeprefix("async_")
            raise RuntimeError(f"{name}() would block the running event loop: await async_{name}(...) here")
        executor = operation.executor
        if isinstance(executor, EventLoopExecutor) and executor.running_elsewhere():
            return _wait_for_future(operation)
        if side_of(operation._stream, operation.side).waitable:
            return _poll(operation)
        if isinstance(executor, EventLoopExecutor) and executor.made_elsewhere():
            return _wait_for_future(operation)
        return asyncio.run(_awaited(operation))
    except (TransferError, StreamBusy):
        raise
    except BaseException as error:
        if operation._launched:
            _say_how_far(error, operation)
        raise
    finally:
        operation._adopted = True


async def _awaited(operation: Transfer) -> Any:
    return await operation


def _wait_for_future(operation: Transfer) -> Any:
    future: OperationFuture[Any] = use_future.initiate(operation)
    try:
        return future.result()
    except BaseException:
        if not future.done():  # Ctrl-C: stop the operation, which its own thread does, before going on
            future.cancel()
            future.exception()
        raise


def _poll(operation: Transfer) -> Any:
    """Drive the operation with poll(2): the stream has a file descriptor, and no event loop is wanted."""
    operation._claim_launch()
    side = operation._side = side_of(operation._stream, operation.side)
    outer = ledger.record  # of a transfer that a signal has interrupted, and whose handler is here
    try:
        side.claim(operation, operation.doing)
        _drive(operation, side)
        error, result = operation._error, operation._result()
        if error is not None and ledger.record is not outer and operation._loop is not None:
            operation._loop.buffers.settle(ledger.count())  # a handler may have ended a step half-way
            if isinstance(error, TransferError):
                error.bytes_transferred = operation.bytes_transferred
        operation._give_back()
    except BaseException:
        if ledger.record is not outer and operation._loop is not None:
            operation._loop.buffers.settle(ledger.count())
        if side.user is operation:
            side.release()
        operation._give_memory_back()
        raise
    finally:
        ledger.record = outer
    if error is not None:
        raise error
    return result


def _drive(operation: Transfer, side: Any) -> None:
    operation._started = time.monotonic()
    if operation._idle_timeout is not None:
        operation._idle = Idleness(operation._idle_timeout, operation._moving, operation._started)
    operation._blocking = True
    operation._open_loop()
    nowait = partial(_step, operation, side.nowait)
    while not operation._over:
        before = operation.bytes_transferred
        if operation._take_steps_now(nowait):
            break
        if operation.bytes_transferred != before:
            side.progressed()
            if operation._idle is not None:
                operation._idle.moved(time.monotonic())
        left = _left(operation)
        if left is not None and left <= 0:
            operation._expired = True
            operation._finish(OperationAborted())
        elif operation._full:
            side.block(left)
        operation._full = False


def _step(operation: Transfer, nowait: Any, buffers: Sequence[memoryview]) -> int:
    """One try, whose count is in the ledger whatever a signal's handler raises."""
    given = ledger.open(operation.bytes_transferred)
    n: int = nowait(buffers)
    if not given:  # no system call of ours
        given.append(n)
    return n


def _say_how_far(error: BaseException, operation: Transfer) -> None:
    """Say in ``error``, which is not ours, what became of the transfer."""
    n = operation.bytes_transferred
    asked = None if operation._loop is None else operation._loop.buffers.size_asked
    of = "" if asked is None else f" of {asked:,}"
    error.add_note(f"{operation.doing}() was interrupted: {n:,}{of} bytes {operation.verb}")
    told: Any = error
    with suppress(AttributeError):  # it takes no attributes
        told.bytes_transferred = n
        # Views of a dynamic buffer would keep it from being resized; and the rest is what is in it.
        told.remaining = () if isinstance(operation._buffers, DynamicBuffer) else operation.remaining
        if hasattr(operation, "data"):  # of a read of a size
            told.data = operation.data


def _left(operation: Transfer) -> float | None:
    """Seconds until a limit may be reached, 0 or less where one is; None where there is none."""
    assert operation._started is not None
    left = None
    if operation._timeout is not None:
        left = operation._started + operation._timeout - time.monotonic()
    if operation._idle is not None and (left is None or left > 0):
        idle = operation._idle.left(time.monotonic())
        operation._stood_idle = idle <= 0
        left = idle if left is None else min(left, idle)
    return left

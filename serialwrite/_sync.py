"""The blocking forms: an operation run to its end on a thread that has no event loop."""

from __future__ import annotations

import asyncio
import time

from ._buffers import ConsumingBuffers
from ._errors import OperationAborted, TransferError, transfer_error
from ._executors import EventLoopExecutor
from ._tokens import OperationFuture, use_future
from ._transfer import Transfer, TransferLoop, side_of


def run_blocking(operation: Transfer) -> int:
    """Run ``operation`` and return its count, or raise its error."""
    try:
        if asyncio._get_running_loop() is not None:
            raise RuntimeError(
                f"{operation.doing}() would block the running event loop: await async_{operation.doing}(...) here"
            )
        executor = operation.executor
        if isinstance(executor, EventLoopExecutor) and executor.running_elsewhere():
            return _wait_for_future(operation)
        if side_of(operation._stream, operation.side).waitable:
            return _poll(operation)
    finally:
        operation._adopted = True
    return asyncio.run(_awaited(operation))


async def _awaited(operation: Transfer) -> int:
    return await operation


def _wait_for_future(operation: Transfer) -> int:
    future: OperationFuture[int] = use_future.initiate(operation)
    try:
        return future.result()
    except BaseException:
        if not future.done():  # Ctrl-C: stop the operation, which its own thread does, before going on
            future.cancel()
            future.exception()
        raise


def _poll(operation: Transfer) -> int:
    """Drive the loop with poll(2): the stream has a file descriptor, and no event loop is wanted."""
    operation._claim_launch()
    side = operation._side = side_of(operation._stream, operation.side)
    side.claim(operation, operation.doing)
    try:
        operation._loop = loop = TransferLoop(ConsumingBuffers(operation._launch_views()), operation._condition)
        operation._started = time.monotonic()
        ask = loop.begin()
        while True:
            error: TransferError | None = None
            n = 0
            try:
                n = side.nowait(loop.buffers.prepare(ask))
            except BlockingIOError:
                if _wait(operation, side):
                    continue
                operation._expired = True
                loop.error = OperationAborted()
                break
            except Exception as refused:
                error = transfer_error(refused)
            side.progressed()
            ask = loop.step(error, n, cancelled=False)
            if not ask:
                break
        failure = None if loop.error is None else operation._described(loop.error)
    finally:
        operation._give_back()
    if failure is not None:
        raise failure
    return operation.bytes_transferred


def _wait(operation: Transfer, side: object) -> bool:
    """Wait until the stream may be ready; False when the time is over."""
    assert operation._started is not None
    left = None
    if operation._timeout is not None:
        left = operation._started + operation._timeout - time.monotonic()
        if left <= 0:
            return False
    side.block(left)  # type: ignore[attr-defined] # a Side of streams/_pollable
    return True

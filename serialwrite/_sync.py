"""The blocking forms: an operation run to its end on a thread that has no event loop."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from ._errors import OperationAborted
from ._executors import EventLoopExecutor
from ._idle import Idleness
from ._sides import side_of
from ._tokens import OperationFuture, use_future
from ._transfer import Transfer


def run_blocking(operation: Transfer) -> Any:
    """Run ``operation`` and return its count, or raise its error."""
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
    finally:
        operation._adopted = True
    return asyncio.run(_awaited(operation))


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
    try:
        side.claim(operation, operation.doing)
    except BaseException:
        operation._give_memory_back()
        raise
    try:
        operation._started = time.monotonic()
        if operation._idle_timeout is not None:
            operation._idle = Idleness(operation._idle_timeout, operation._moving, operation._started)
        operation._open_loop()
        while not operation._over:
            before = operation.bytes_transferred
            if operation._take_steps_now(side.nowait):
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
        error, result = operation._error, operation._result()
    finally:
        operation._give_back()
    if error is not None:
        raise error
    return result


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

"""The ways in which a write is ended before it is done; where it is done earlier, nothing comes of them."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import serialwrite as sw

DELAY = 0.05  # seconds, at most, until a write is stopped
TYPES = (sw.CancellationType.TERMINAL, sw.CancellationType.PARTIAL, sw.CancellationType.ALL)

Ended = tuple[BaseException | None, int]


async def let_be(operation: sw.Operation[int], rng: random.Random) -> Ended:
    return await operation(sw.as_tuple())


async def cancel_task(operation: sw.Operation[int], rng: random.Random) -> Ended:
    task = asyncio.ensure_future(operation)
    await asyncio.sleep(rng.uniform(0, DELAY))
    task.cancel()
    # Not `await task`: where the soak itself ends this, that would pass for the end of the write.
    (ended,) = await asyncio.gather(task, return_exceptions=True)
    return ended if isinstance(ended, BaseException) else None, operation.bytes_transferred


async def emit_signal(operation: sw.Operation[int], rng: random.Random) -> Ended:
    signal = sw.CancellationSignal()
    promise = operation(sw.as_tuple(sw.bind_cancellation_slot(signal.slot, sw.use_promise)))
    await asyncio.sleep(rng.uniform(0, DELAY))
    signal.emit(rng.choice(TYPES))
    return await promise


async def cancel_future_elsewhere(operation: sw.Operation[int], rng: random.Random) -> Ended:
    future = operation(sw.use_future)
    await asyncio.sleep(rng.uniform(0, DELAY))
    await asyncio.to_thread(future.cancel)
    with contextlib.suppress(sw.TransferError):
        await asyncio.wrap_future(future)
    return future.exception(0), future.bytes_transferred


async def call_back(operation: sw.Operation[int], rng: random.Random) -> Ended:
    done = asyncio.get_running_loop().create_future()
    operation(sw.cancel_after(rng.uniform(0, DELAY), lambda error, n: done.set_result((error, n))))
    return await done


STOPS: list[tuple[str, Callable[..., Awaitable[Ended]]]] = [
    ("nothing", let_be),
    ("timeouts", let_be),
    ("cancelled tasks", cancel_task),
    ("signals", emit_signal),
    ("futures cancelled by another thread", cancel_future_elsewhere),
    ("cancel_after", call_back),
]

"""A default token that is short for one over deferred, and an operation that never began."""

import asyncio
import contextlib
import gc
import socket
import warnings

import pytest
from waiting import until

import serialwrite as sw


@pytest.fixture
def pair():
    a, b = socket.socketpair()
    with a, b:
        yield a, b


@pytest.mark.parametrize("call", [sw.async_write, lambda s, d: s.async_write_some(d)], ids=["async_write", "some"])
async def test_default_token_may_be_short_for_one_over_deferred(pair, call):
    stream = sw.SocketStream(pair[0])
    stream.default_token = sw.as_tuple()
    assert await call(stream, b"abc") == (None, 3)
    assert await sw.async_write(stream, b"abc", sw.cancel_after(5)) == (None, 3)
    stream.default_token = sw.cancel_after(5)
    assert await call(stream, b"abc") == 3


async def test_task_cancelled_before_its_first_step_keeps_no_memory(pair):
    stream, data = sw.SocketStream(pair[0]), bytearray(b"hello")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        operation = sw.async_write(stream, data)
        task = asyncio.create_task(operation)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert operation.bytes_transferred == 0
        assert b"".join(operation.remaining) == b"hello"
        data.append(33)
        with pytest.raises(RuntimeError):
            await operation
        del operation, task
        gc.collect()


BIG = bytes(1 << 20)


def gone(near, far):
    far.close()


def leaves(near, far):
    asyncio.get_running_loop().call_soon(far.close)


def operations_and_errors():
    return sum(not {sw.Operation, sw.TransferError}.isdisjoint(type(one).__mro__) for one in gc.get_objects())


async def cancelled(operation):
    task = asyncio.ensure_future(operation)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await task


async def called_back(write):
    ended = asyncio.get_running_loop().create_future()
    write(lambda error, n: ended.set_result(n))
    await ended


def caught(write):
    with contextlib.suppress(sw.TransferTimeout):
        write()


# Endings of an operation on a stream whose far end was prepared by the function beside it.
ENDINGS = {
    "read times out": (None, lambda s: sw.async_read(s, bytearray(9), timeout=0.001)),
    "write times out": (None, lambda s: sw.async_write(s, BIG, timeout=0.001)),
    "buffers time out": (None, lambda s: sw.async_write(s, [BIG, BIG], idle_timeout=0.001)),
    "no time": (None, lambda s: sw.async_write(s, BIG, timeout=0)),
    "gone": (gone, lambda s: sw.async_write(s, b"abc")),
    "end of file": (gone, lambda s: sw.async_read(s, bytearray(9))),
    "peer leaves a write": (leaves, lambda s: sw.async_write(s, BIG)),
    "peer leaves a read": (leaves, lambda s: sw.async_read(s, bytearray(9))),
    "write is cancelled": (None, lambda s: cancelled(sw.async_write(s, BIG))),
    "read is cancelled": (None, lambda s: cancelled(sw.async_read(s, bytearray(9)))),
    "callback": (None, lambda s: called_back(lambda token: sw.async_write(s, BIG, token, timeout=0.001))),
    "future": (None, lambda s: asyncio.wrap_future(sw.async_write(s, BIG, sw.use_future, timeout=0.001))),
    "promise": (None, lambda s: sw.async_write(s, BIG, sw.use_promise, timeout=0.001)),
    "yield_context": (None, lambda s: sw.spawn(lambda y: caught(lambda: sw.async_write(s, BIG, y, timeout=0.001)))),
    "cancel_after": (None, lambda s: sw.async_write(s, BIG, sw.cancel_after(0.001))),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_ended_operation_is_in_no_reference_cycle(ending):
    prepare, start = ENDINGS[ending]
    kept = []  # streams, which are in cycles of their own

    async def end_once():
        near, far = socket.socketpair()
        with near, far:
            stream = sw.SocketStream(near)
            kept.append(stream)
            if prepare:
                prepare(near, far)
            with contextlib.suppress(sw.TransferError, asyncio.CancelledError):
                await start(stream)

    gc.collect()
    gc.disable()
    try:
        before = operations_and_errors()
        await end_once()
        # A timer that was cancelled is the loop's until then.
        await until(lambda: operations_and_errors() == before, 5.0)
    finally:
        gc.enable()


@pytest.mark.parametrize("token", [sw.use_future, sw.use_promise])
async def test_a_handler_that_gets_wrong_arguments_ends_the_future(token):
    executor = sw.EventLoopExecutor()
    future = sw.async_initiate(executor.post, token, executor)
    await until(future.done, 5.0)
    assert isinstance(future.exception(), IndexError)


def test_a_second_completion_is_refused():
    calls = []

    def complete_twice(handler):
        handler(None, 1)
        with pytest.raises(RuntimeError, match=r"was called a second time, with \(None, 2\)$"):
            handler(None, 2)

    sw.async_initiate(complete_twice, lambda error, n: calls.append((error, n)), sw.inline_executor)
    assert calls == [(None, 1)]

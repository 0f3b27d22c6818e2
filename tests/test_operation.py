"""A default token that is short for one over deferred, and an operation that never began."""

import asyncio
import gc
import socket
import warnings

import pytest

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

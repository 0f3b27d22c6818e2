"""The quick way of a small write, and an operation that is awaited, closed, forgotten: one time, and all given back."""

import asyncio
import errno
import gc
import re
import socket
import warnings
from array import array

import pytest
import serial
from scripted import stream_of
from waiting import is_written_to, until

import serialwrite as sw
from serialwrite.testing import ScriptedStream

BOUND = 10


@pytest.fixture
async def pair():
    """A stream that has been used in this loop, so that its next write is tried at once, and its far end."""
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with near, far, sw.SocketStream(near) as stream:
        assert await sw.async_write(stream, b"x") == 1
        far.recv(1)
        yield stream, far


def ended():
    future = asyncio.get_running_loop().create_future()
    return future, lambda *args: future.set_result(args)


# -- the next write -------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"first", bytearray(b"first")], ids=["bytes", "bytearray"])
async def test_a_handler_may_start_the_next_write(pair, data):
    stream, far = pair
    future, handler = ended()
    sw.async_write(stream, data, lambda error, n: sw.async_write(stream, b" second", handler))
    assert await asyncio.wait_for(future, BOUND) == (None, 7)
    assert far.recv(100) == b"first second"


@pytest.mark.parametrize("data", [b"first", bytearray(b"first")], ids=["bytes", "bytearray"])
async def test_an_inline_handler_may_start_the_next_write(pair, data):
    stream, far = pair
    future, handler = ended()
    sw.async_write(
        stream,
        data,
        sw.bind_immediate_executor(sw.inline_executor, lambda error, n: sw.async_write(stream, b" second", handler)),
    )
    assert await asyncio.wait_for(future, BOUND) == (None, 7)
    assert far.recv(100) == b"first second"


async def test_a_handlers_own_immediate_executor_on_a_used_stream(pair):
    class Inline:
        immediate_executor = sw.inline_executor
        called = None

        def __call__(self, error, n):
            self.called = error, n

    handler = Inline()
    sw.async_write(pair[0], b"abc", handler)
    assert handler.called == (None, 3)


# -- one time -------------------------------------------------------------------------------------------


async def test_a_second_await_writes_nothing(pair):
    stream, far = pair
    operation = sw.async_write(stream, b"abc")
    assert await operation == 3
    with pytest.raises(RuntimeError, match="launches once"):
        await operation
    with pytest.raises(RuntimeError, match="launches once"):
        operation(sw.detached)
    assert far.recv(100) == b"abc"


@pytest.mark.parametrize(
    "token", [sw.deferred, sw.cancel_after(5), sw.as_tuple(), sw.cancel_after(5, sw.append(sw.deferred, 1))], ids=repr
)
async def test_a_forgotten_write_warns_once(pair, token):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sw.async_write(pair[0], b"abc", token)
        gc.collect()
    assert [str(one.message).partition(":")[0] for one in caught] == ["async_write was never launched"]


@pytest.mark.parametrize("data", [b"abc", bytearray(b"abc")], ids=["bytes", "bytearray"])
async def test_adapters_on_a_used_stream(pair, data):
    stream, _ = pair
    assert await sw.async_write(stream, data, sw.as_tuple()) == (None, 3)
    assert await sw.async_write(stream, data, sw.append(sw.append(sw.deferred, 1), 2)) == (3, 2, 1)
    assert await sw.async_write(stream, data, sw.as_tuple(sw.append(sw.deferred, 1))) == ((None, 3), 1)
    future, handler = ended()
    sw.async_write(stream, data, sw.append(sw.append(handler, 1), 2))
    assert await asyncio.wait_for(future, BOUND) == (None, 3, 2, 1)


async def test_an_adapter_that_needs_a_handler_gets_one(pair):
    class Noted:
        calls = 0

        def post(self, function, /, *args):
            self.calls += 1
            asyncio.get_running_loop().call_soon(function, *args)

        dispatch = post

    noted = Noted()
    assert await sw.async_write(pair[0], b"abc", sw.bind_executor(noted, sw.deferred)) == 3
    assert noted.calls == 1


# -- what it keeps --------------------------------------------------------------------------------------


async def test_memory_is_given_back_at_once(pair):
    data = bytearray(b"abc")
    operation = sw.async_write(pair[0], data)
    assert await operation == 3
    data.append(0)
    assert operation.bytes_transferred == 3


@pytest.mark.parametrize("token", [sw.deferred, sw.cancel_after(5), sw.as_tuple()], ids=repr)
async def test_memory_of_an_operation_that_is_closed(pair, token):
    data = bytearray(b"abc")
    operation = sw.async_write(pair[0], data, token)
    operation.close()
    data.append(0)


async def test_memory_of_a_blocking_write_that_finds_it_busy(pair):
    stream, _ = pair
    first = sw.async_write(stream, bytes(1 << 20), sw.as_tuple(sw.use_promise))
    data = bytearray(b"abc")
    with pytest.raises(sw.StreamBusy) as kept:
        await asyncio.to_thread(_write_without_its_loop, stream, data)
    data.append(0)
    del kept
    first.cancel()
    await asyncio.wait([first])


def _write_without_its_loop(stream, data):
    return sw.write(stream, data)


async def test_memory_of_a_blocking_write_that_ended_early():
    near, far = socket.socketpair()
    with near, far:
        data = bytearray(8 << 20)
        with pytest.raises(sw.TransferTimeout) as kept:
            await asyncio.to_thread(sw.write, near, data, timeout=0.01)
        data.append(0)
        assert kept.value.bytes_transferred > 0


async def test_memory_of_a_write_cancelled_while_the_loop_turns():
    with stream_of("port") as stream:
        while not stream._write_direction.turn_due:
            await sw.async_write(stream, b"x")
        data = bytearray(b"abc")
        operation = sw.async_write(stream, data)
        task = asyncio.create_task(operation)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        data.append(0)
        with pytest.raises(RuntimeError, match="launches once"):
            await operation


async def test_buffers_may_be_an_iterator(pair):
    stream, far = pair
    assert await sw.async_write(stream, iter([b"abc"])) == 3
    assert await sw.async_write(stream, iter([b"d", bytearray(b"ef")])) == 3
    assert far.recv(100) == b"abcdef"


@pytest.mark.parametrize("buffers", [(b"abc",), (b"a", b"bc")], ids=["one", "two"])
async def test_what_remains_of_an_iterator(buffers):
    operation = sw.async_write(ScriptedStream(1, OSError(errno.EIO, "gone")), iter(buffers))
    with pytest.raises(sw.Disconnected) as caught:
        await operation
    assert b"".join(caught.value.remaining) == b"".join(operation.remaining) == b"bc"


async def test_what_remains_of_an_iterator_on_a_socket(pair):
    operation = sw.async_write(pair[0], iter([bytes(1 << 16), bytearray(b"end")]), timeout=0)
    with pytest.raises(sw.TransferTimeout) as caught:
        await operation
    assert b"".join(operation.remaining).endswith(b"end")
    assert len(b"".join(operation.remaining)) == (1 << 16) + 3 - caught.value.bytes_transferred


async def test_of_several_buffers_what_remains_has_no_empty_ones():
    operation = sw.async_write(ScriptedStream(2, OSError(errno.EIO, "gone")), [b"ab", b"", b"cd"])
    with pytest.raises(sw.Disconnected):
        await operation
    assert operation.remaining == (b"cd",)


async def test_bytes_among_buffers_of_other_kinds(pair):
    stream, far = pair
    assert await sw.async_write(stream, [b"a", array("H", [1, 2]), b"b"]) == 6
    assert len(far.recv(100)) == 6
    data = bytearray(b"abc")
    promise = sw.async_write(stream, [b"a" * (1 << 20), data], sw.as_tuple(sw.use_promise))
    with pytest.raises(BufferError):
        data.clear()
    promise.cancel()
    await asyncio.wait([promise])
    data.clear()


# -- closed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [sw.deferred, sw.use_awaitable], ids=repr)
async def test_closing_what_awaits_it_stops_the_write(pair, token):
    stream, far = pair
    coroutine = sw.async_write(stream, bytes(1 << 20), token)
    coroutine.send(None)  # as a task would
    assert is_written_to(stream)
    coroutine.close()
    await until(lambda: not is_written_to(stream))
    sent = len(far.recv(1 << 20))
    await asyncio.sleep(0.01)
    far.setblocking(False)
    while sent < 1 << 20:
        try:
            sent += len(far.recv(1 << 20))
        except BlockingIOError:
            break
    assert 0 < sent < 1 << 20


# -- fair -----------------------------------------------------------------------------------------------


async def test_after_a_turn_of_the_loop_there_is_room_for_many_more():
    with stream_of("port") as stream:
        turns, over = 0, False

        def turn():
            nonlocal turns
            turns += 1
            if not over:
                asyncio.get_running_loop().call_soon(turn)

        turn()
        for _ in range(1000):
            await sw.async_write(stream, b"x")
        over = True
        assert 1 < turns < 200
        await asyncio.sleep(0)


async def test_rules_2_and_7_hold_from_the_call_to_the_handler():
    near, far = socket.socketpair()
    with near, far, sw.SocketStream(near) as stream:
        await sw.async_write(stream, b"x")  # from here on its loop is known, and a write is tried at once
        called = []
        sw.async_write(stream, b"abc", lambda error, n: called.append((error, n)))
        assert far.recv(10) == b"xabc"
        assert not called
        with pytest.raises(sw.StreamBusy):
            sw.async_write(stream, b"second", lambda error, n: None)
        await asyncio.sleep(0)
        assert called == [(None, 3)]
        assert await sw.async_write(stream, b"third") == 5
        assert far.recv(10) == b"third"


@pytest.mark.parametrize("data", [b"abc", [b"a", b"bc"]], ids=["bytes", "buffers"])
async def test_a_port_that_its_owner_closed_is_named(data, line):
    with serial.Serial(line.port) as owner:
        port = sw.SerialPort(owner)
        assert await sw.async_write(port, b"used") == 4
        owner.close()
        with pytest.raises(sw.StreamClosed, match=re.escape(f"port {line.port} is closed; open() it first")):
            await sw.async_write(port, data)
        port.close()

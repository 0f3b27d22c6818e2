"""A size in place of a buffer: the read gives bytes, and nothing that came is lost."""

import asyncio
import pickle
import socket

import pytest
from every_token import ADAPTERS, TOKENS
from waiting import until

import serialwrite as sw

BOUND = 10


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    with near, far:
        yield sw.SocketStream(near), far


def test_read_gives_bytes(pair):
    stream, far = pair
    far.sendall(b"reply, more")
    assert sw.read(stream, 5, timeout=BOUND) == b"reply"
    assert sw.read(stream, 100, completion_condition=sw.transfer_at_least(1), timeout=BOUND) == b", more"
    assert sw.read(stream, 0, timeout=BOUND) == b""


@pytest.mark.parametrize("run", (TOKENS | {"as_tuple": ADAPTERS["as_tuple"]}).values(), ids=[*TOKENS, "as_tuple"])
async def test_a_size_gives_bytes_to_every_token(pair, run):
    stream, far = pair
    far.sendall(b"reply")
    assert await run(lambda token: sw.async_read(stream, 5, token)) == (None, b"reply")
    waiting = asyncio.ensure_future(run(lambda token: sw.async_read(stream, 5, token)))
    await asyncio.sleep(0)
    far.sendall(b"later")
    assert await waiting == (None, b"later")


def test_spawned_it_gives_bytes(pair):
    pytest.importorskip("greenlet")
    stream, far = pair
    far.sendall(b"reply")

    async def main():
        return await sw.spawn(sw.EventLoopExecutor(), lambda y: sw.async_read(stream, 5, y), sw.use_promise)

    assert asyncio.run(main()) == b"reply"


@pytest.mark.parametrize("ending", ["timeout", "end", "cancelled"])
async def test_what_came_before_an_early_ending_is_kept(pair, ending):
    stream, far = pair
    far.sendall(b"rep")
    operation = sw.async_read(stream, 5, timeout=0.02 if ending == "timeout" else BOUND)
    assert operation.data == b""
    if ending == "end":
        far.close()
    task = asyncio.ensure_future(operation)
    if ending == "cancelled":
        await until(lambda: operation.bytes_transferred >= 3)
        task.cancel()
    kind = {"timeout": sw.TransferTimeout, "end": sw.EndOfFile, "cancelled": asyncio.CancelledError}[ending]
    with pytest.raises(kind) as info:
        await task
    assert (operation.data, operation.bytes_transferred) == (b"rep", 3)
    if ending != "cancelled":
        assert info.match("^3 of 5 bytes received")
        assert (info.value.data, pickle.loads(pickle.dumps(info.value)).data) == (b"rep", b"rep")


async def test_every_handle_of_the_operation_has_what_came(pair):
    stream, far = pair
    far.sendall(b"rep")
    promise = sw.async_read(stream, 5, sw.cancel_after(0.02, sw.use_promise))
    with pytest.raises(sw.TransferTimeout):
        await promise
    assert promise.data == b"rep"
    rewritten = sw.async_read(stream, 5, sw.cancel_after(0.02, sw.as_tuple()))
    far.sendall(b"mo")
    error, data = await rewritten
    assert (type(error), data, rewritten.data) == (sw.TransferTimeout, b"mo", b"mo")
    writing = sw.async_write(stream, b"x")
    assert (writing.data, await writing) == (None, 1)


def test_read_on_time_out_has_what_came_in_its_error(pair):
    stream, far = pair
    far.sendall(b"rep")
    with pytest.raises(sw.TransferTimeout) as info:
        sw.read(stream, 5, timeout=0.02)
    assert info.value.data == b"rep"


def test_a_size_takes_no_memory_before_anything_came(pair):
    stream, far = pair
    far.sendall(b"x")
    with pytest.raises(sw.TransferTimeout) as info:
        sw.read(stream, 1 << 62, timeout=0.01)
    assert info.value.data == b"x"


def test_busy_from_another_thread_gives_a_handler_bytes(pair):
    stream, _ = pair
    with sw.IoThread() as io:
        stream = sw.SocketStream(stream.socket, io.get_executor())
        first = sw.async_read(stream, 5, sw.use_future)
        error, data = sw.async_read(stream, 5, sw.as_tuple(sw.use_future)).result(BOUND)
        assert (type(error), data) == (sw.StreamBusy, b"")
        first.cancel()
        assert isinstance(first.exception(BOUND), sw.OperationAborted)


@pytest.mark.parametrize(
    ("size", "error", "words"),
    [(-1, ValueError, "the size -1; pass 0 bytes or more"), (True, TypeError, "bool; pass"), (4.0, TypeError, "float")],
)
def test_sizes_that_can_not_be(pair, size, error, words):
    for call in (sw.read, sw.async_read):
        with pytest.raises(error, match=f"^buffers: got {words}"):
            call(pair[0], size)


@pytest.mark.parametrize("into", [4, "text"])
def test_read_some_of_what_is_not_memory_says_what_to_pass(pair, into):
    with pytest.raises(TypeError, match=r"^buffers: got (int|str); pass memory to read into, .*bytearray\(16\)"):
        pair[0].async_read_some(into)

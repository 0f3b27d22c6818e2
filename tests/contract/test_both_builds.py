"""The compiled first try of a small write, and its twin in Python: which one it is, and that neither can be told apart."""

import asyncio
import contextlib
import errno
import gc
import inspect
import os
import socket
import subprocess
import sys
import threading
import warnings
from functools import partial

import pytest
import serial
from waiting import until

import serialwrite as sw
from serialwrite._build import COMPILED
from serialwrite._quick import QuickWrite
from serialwrite.testing import PtyPair, receive, receive_available

DATA = b"0123456789abcdef"
WHICH = "import sys; {}; from serialwrite import _build; print(_build.COMPILED)"

compiled_only = pytest.mark.skipif(not COMPILED, reason="nothing was compiled")


@pytest.fixture
async def pair():
    """A stream whose next write is tried at once, and its far end, which takes 64 KiB and more."""
    near, far = socket.socketpair()
    far.setblocking(False)
    with near, far, sw.SocketStream(near) as stream:
        assert await sw.async_write(stream, b"x") == 1
        far.recv(1)
        yield stream, far


received = partial(receive_available, quiet=0)  # what lies at the far end


# -- which one it is ------------------------------------------------------------------------------------


def which(code="pass", **environment):
    done = subprocess.run(
        [sys.executable, "-c", WHICH.format(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_run_of_ci_has_what_is_compiled():
    if os.environ.get("CI") != "true" or os.environ.get("SERIALWRITE_PURE"):
        pytest.skip("a machine without a compiler has the build in Python")
    assert COMPILED


def test_the_environment_turns_it_off():
    assert which(SERIALWRITE_PURE="1") == "False"
    if COMPILED:
        assert which() == "True"


@pytest.mark.skipif(not hasattr(sys, "abiflags"), reason="this system has no flags of the ABI")
def test_a_free_threaded_python_takes_the_one_in_python():
    assert which("sys.abiflags = 't'") == "False"


def test_async_write_looks_the_same():
    python = inspect.unwrap(sw.async_write)
    assert inspect.isfunction(python)
    assert (sw.async_write is python) is not COMPILED
    assert sw.async_write.__doc__ == python.__doc__
    assert (sw.async_write.__module__, sw.async_write.__qualname__) == ("serialwrite", "async_write")


def test_async_write_itself_is_not_a_token():
    with pytest.raises(TypeError, match="got the function async_write itself"):
        sw.async_write(Unused(), b"abc", sw.async_write)


class Unused:
    def async_write_some(self, buffers, token):
        raise AssertionError

    def get_executor(self):
        return sw.EventLoopExecutor()


# -- an operation like any other ------------------------------------------------------------------------


async def test_an_operation_is_one_of_ours(pair):
    operation = sw.async_write(pair[0], DATA)
    assert isinstance(operation, sw.Operation)
    assert asyncio.iscoroutine(operation)
    assert (operation.name, operation.__name__) == ("async_write", "async_write")
    assert "not launched: 0 of 16 bytes" in repr(operation)
    assert (operation.bytes_transferred, operation.remaining) == (0, (DATA,))
    assert await operation == 16
    assert "ended: 16 of 16 bytes" in repr(operation)
    assert (operation.bytes_transferred, operation.remaining) == (16, ())


async def test_as_a_task_and_by_hand(pair):
    stream, far = pair
    assert await asyncio.create_task(sw.async_write(stream, DATA)) == 16
    operation = sw.async_write(stream, DATA)
    with pytest.raises(StopIteration) as stop:
        operation.send(None)
    assert stop.value.value == 16
    with pytest.raises(RuntimeError, match="launches once"):
        operation.send(None)
    iterator = sw.async_write(stream, DATA).__await__()
    with pytest.raises(StopIteration) as stop:
        next(iterator)
    assert stop.value.value == 16
    assert received(far) == 3 * DATA


async def test_awaited_twice_at_a_time_it_goes_out_once(pair):
    stream, far = pair
    operation = sw.async_write(stream, bytes(1 << 20))

    async def waits():
        return await operation

    first = asyncio.ensure_future(waits())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="launches once"):
        await operation
    n = len(received(far))
    while not first.done():
        n += len(received(far))
        await asyncio.sleep(0)
    assert n == await first == 1 << 20


async def test_two_awaits_asked_for_first_launch_once(pair):
    operation = sw.async_write(pair[0], DATA)
    one, other = operation.__await__(), operation.__await__()
    with pytest.raises(StopIteration):
        next(other)
    with pytest.raises(RuntimeError, match="launches once"):
        next(one)
    assert received(pair[1]) == DATA


async def test_two_awaits_of_a_write_that_waits_launch_once(pair):
    operation = sw.async_write(pair[0], bytes(1 << 20))
    one, other = operation.__await__(), operation.__await__()
    next(one)  # which waits
    with pytest.raises(RuntimeError, match="launches once"):
        next(other)
    one.close()
    assert received(pair[1]) == bytes(operation.bytes_transferred)


async def test_a_task_of_a_write_that_has_waited_is_refused(pair):
    stream, far = pair
    operation = sw.async_write(stream, bytes(1 << 20))
    task = asyncio.ensure_future(operation)
    n = 0
    while not task.done():
        n += len(received(far))
        await asyncio.sleep(0)
    assert n + len(received(far)) == await task == 1 << 20
    with pytest.raises(RuntimeError, match="launches once"):
        await asyncio.ensure_future(operation)


async def test_plain_writes_in_a_loop_let_the_loop_turn(pair):
    stream, far = pair
    turns = longest = between = 0

    async def other():
        nonlocal turns, longest, between
        while True:
            await asyncio.sleep(0)
            turns, longest, between = turns + 1, max(longest, between), 0

    others = asyncio.create_task(other())
    await asyncio.sleep(0)  # it has begun
    for _ in range(500):
        assert await sw.async_write(stream, DATA) == 16
        received(far)
        between += 1
    others.cancel()
    assert turns > 0
    assert longest <= 100


async def test_a_plain_write_that_is_forgotten_warns_once(pair):
    with pytest.warns(RuntimeWarning, match="async_write was never launched") as caught:
        sw.async_write(pair[0], DATA)
    assert len(caught) == 1


async def test_an_attribute_may_be_set(pair):
    operation = sw.async_write(pair[0], DATA)
    operation.label = "mine"
    assert operation.label == "mine"
    assert await operation == 16


async def test_thrown_into_before_it_starts_it_writes_nothing(pair):
    stream, far = pair
    operation = sw.async_write(stream, DATA)
    with pytest.raises(KeyError):
        operation.throw(KeyError())
    closed = sw.async_write(stream, DATA)
    closed.close()
    for one in (operation, closed):
        with pytest.raises(RuntimeError, match="launches once"):
            await one
    assert received(far) == b""


# -- reads of a Buffered --------------------------------------------------------------------------------

READS = {
    "async_readline": lambda lines, *token, **limits: lines.async_readline(*token, **limits),
    "async_read_until": lambda lines, *token, **limits: lines.async_read_until(b"\n", *token, **limits),
    "async_read_exactly": lambda lines, *token, **limits: lines.async_read_exactly(4, *token, **limits),
}


@pytest.fixture(params=READS)
async def reading(request, pair):
    """A Buffered that has three lines already, how one is read, and what the name of that is."""
    lines = sw.Buffered(pair[0])
    pair[1].sendall(b"nil\none\ntwo\nsix\n")
    assert await lines.async_readline() == b"nil\n"
    return lines, READS[request.param], request.param


async def test_a_read_that_is_there_is_one_of_ours(reading):
    lines, read, name = reading
    operation = read(lines, timeout=1.0)
    assert isinstance(operation, sw.Operation)
    assert asyncio.iscoroutine(operation)
    assert operation.name == name
    assert (operation.bytes_transferred, operation.data) == (0, b"")
    assert "not launched: 0 bytes received" in repr(operation)
    assert await operation == b"one\n"
    assert (operation.bytes_transferred, operation.data) == (4, b"one\n")
    assert "ended: 4 bytes received" in repr(operation)
    with pytest.raises(RuntimeError, match=f"this {name} was launched before"):
        await operation
    unasked = read(lines)
    assert (await unasked, unasked.data, unasked.bytes_transferred) == (b"two\n", b"two\n", 4)
    assert await asyncio.create_task(read(lines)) == b"six\n"


async def test_a_read_that_is_refused_takes_nothing(reading):
    lines, read, _ = reading
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for wrong in ({"timeout": -1.0}, {"timeout": "1"}, {"idle_timeout": -1}):
            with pytest.raises((ValueError, TypeError), match="timeout"):
                read(lines, **wrong)
        with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
            read(lines, wrong=1)
    assert await read(lines) == b"one\n"


async def test_a_read_that_is_forgotten_warns_and_takes_nothing(reading):
    lines, read, name = reading
    with pytest.warns(RuntimeWarning, match=f"{name} was never launched") as caught:
        read(lines)
    assert len(caught) == 1
    closed = read(lines)
    closed.close()
    with pytest.raises(RuntimeError, match="launched before"):
        await closed
    assert await read(lines) == b"one\n"


async def test_a_read_that_is_done_takes_nothing_when_resumed(reading):
    lines, read, name = reading
    operation = read(lines)
    with pytest.raises(StopIteration):
        operation.send(None)
    with pytest.raises(RuntimeError, match=f"this {name} was launched before"):
        operation.send(None)
    assert await read(lines) == b"two\n"


async def test_a_read_takes_the_default_token_of_its_stream(reading):
    lines, read, _ = reading
    lines.stream.default_token = sw.as_tuple()
    assert await read(lines) == (None, b"one\n")
    assert await read(lines, sw.deferred) == b"two\n"


async def test_a_read_that_waits_goes_on_once_the_line_came(pair):
    lines = sw.Buffered(pair[0])
    operation = lines.async_readline(timeout=10.0)
    task = asyncio.ensure_future(operation)
    pair[1].sendall(b"on")
    while operation.bytes_transferred < 2:
        await asyncio.sleep(0)
    pair[1].sendall(b"e\ntwo\n")
    assert await task == b"one\n"
    with pytest.raises(sw.TransferTimeout, match="4 bytes received"):
        await lines.async_read_until(b"\r\n", timeout=0.01)
    assert await lines.async_read_until(b"\n", longest_match=7) == b"two\n"


@pytest.mark.parametrize("name", READS)
def test_a_read_of_a_buffered_looks_the_same(name):
    method = getattr(sw.Buffered, name)
    python = inspect.unwrap(method)
    assert inspect.isfunction(python)
    assert (method is python) is not COMPILED
    assert inspect.signature(method) == inspect.signature(python)
    assert (method.__doc__, method.__qualname__) == (python.__doc__, f"Buffered.{name}")


# -- what is tried --------------------------------------------------------------------------------------


async def test_what_replaces_write_one_is_asked(pair):
    """As the meter of loopback does, and tests."""
    stream, far = pair
    side, asked = stream._write_direction, []
    below = side.write_one

    def noted(data):
        asked.append(data)
        return below(data[:5])

    side.write_one = noted
    assert await sw.async_write(stream, DATA) == 16
    assert asked == [DATA]
    assert received(far) == DATA


@pytest.mark.parametrize("error", [BlockingIOError(errno.EAGAIN, "full"), OSError(errno.EIO, "gone")], ids=repr)
async def test_a_first_try_that_fails(pair, error):
    stream, far = pair

    def fails(data):
        raise error

    stream._write_direction.write_one = fails
    operation = sw.async_write(stream, DATA)
    if error.errno == errno.EAGAIN:
        assert await operation == 16
        assert received(far) == DATA
        return
    with pytest.raises(sw.Disconnected) as caught:
        await operation
    assert caught.value.__cause__ is error
    assert (operation.bytes_transferred, b"".join(operation.remaining)) == (0, DATA)


async def test_a_handler_of_a_signal_that_raises_in_it(pair):
    stream, far = pair
    below = stream._write_direction.write_one

    def interrupted(data):
        raise KeyboardInterrupt

    stream._write_direction.write_one = interrupted
    operation = sw.async_write(stream, DATA)
    with pytest.raises(KeyboardInterrupt):
        operation.send(None)
    stream._write_direction.write_one = below
    assert await operation == 16
    assert received(far) == DATA


async def by_function(stream, data):
    """What a function as token is called with; it may be called later only, and the stream is not free before."""
    future = asyncio.get_running_loop().create_future()
    assert sw.async_write(stream, data, lambda *args: future.set_result(args)) is None
    assert not future.done()
    with pytest.raises(sw.StreamBusy):
        sw.async_write(stream, DATA, sw.detached)
    return await asyncio.wait_for(future, 10)


async def test_a_function_gets_what_the_first_try_came_to(pair):
    stream, far = pair
    assert await by_function(stream, DATA) == (None, 16)
    assert await by_function(stream, b"") == (None, 0)
    assert received(far) == DATA
    side = stream._write_direction
    below, side.write_one = side.write_one, lambda data: below(data[:5])
    assert await by_function(stream, DATA) == (None, 16)
    assert received(far) == DATA
    gone = OSError(errno.EIO, "gone")

    def fails(data):
        raise gone

    side.write_one = fails
    error, n = await by_function(stream, DATA)
    assert (type(error), error.__cause__, n, b"".join(error.remaining)) == (sw.Disconnected, gone, 0, DATA)
    side.write_one = below
    assert await by_function(stream, DATA) == (None, 16)


@pytest.mark.parametrize("token", [lambda *_: None, print], ids=["a function", "a builtin"])
async def test_a_signal_in_a_functions_first_try(pair, token):
    stream, far = pair
    below = stream._write_direction.write_one

    def interrupted(data):
        raise KeyboardInterrupt

    stream._write_direction.write_one = interrupted
    with pytest.raises(KeyboardInterrupt):
        sw.async_write(stream, DATA, token)
    stream._write_direction.write_one = below
    assert await by_function(stream, DATA) == (None, 16)
    assert received(far) == DATA


async def test_a_stream_closed_before_the_handler_runs(pair):
    stream, far = pair
    future = asyncio.get_running_loop().create_future()
    sw.async_write(stream, DATA, lambda *args: future.set_result(args))
    stream.close()
    assert await asyncio.wait_for(future, 10) == (None, 16)
    assert far.recv(100) == DATA


async def test_a_socket_closed_by_its_owner(pair):
    stream, _ = pair
    operation = sw.async_write(stream, DATA)
    stream.socket.close()
    with pytest.raises(sw.StreamClosed):
        await operation


async def test_a_subclass_of_socket_is_asked_to_send():
    class Counted(socket.socket):
        sent = 0

        def send(self, *args):
            self.sent += 1
            return super().send(*args)

    near, far = socket.socketpair()
    with far, Counted(fileno=near.detach()) as near, sw.SocketStream(near) as stream:
        assert [await sw.async_write(stream, DATA) for _ in range(3)] == [16] * 3
        assert near.sent == 3


@compiled_only
async def test_a_small_send_keeps_the_gil(pair):
    stream, _ = pair
    before, over, turns = sys.getswitchinterval(), False, 0

    def spin():
        nonlocal turns
        started.set()
        go.wait()
        while not over:
            turns += 1

    started, go = threading.Event(), threading.Event()
    thread = threading.Thread(target=spin)
    thread.start()
    started.wait()
    sys.setswitchinterval(60)  # longer than all of this, on a busy machine too: who takes the GIL keeps it that long
    write_one = stream._write_direction.write_one
    with contextlib.suppress(BlockingIOError):
        while True:
            write_one(DATA)
    try:
        go.set()
        sum(range(100_000))  # it is awake by now, and waits for the GIL
        taken = turns
        for _ in range(20_000):  # one release is seldom seen: who has given it takes it again at once
            with contextlib.suppress(BlockingIOError):
                write_one(DATA)
        assert turns == taken
    finally:
        over = True
        sys.setswitchinterval(before)
        thread.join()


async def test_each_timeout_is_the_one_that_was_given(pair):
    """The float that came last is known to be one; it is not what the next write gets."""
    stream, far = pair
    long, short = 60.0, 0.01
    assert [await sw.async_write(stream, DATA, timeout=long) for _ in range(2)] == [16, 16]
    for _ in range(2):
        with pytest.raises(sw.TransferTimeout):
            await sw.async_write(stream, bytes(1 << 20), timeout=short)
        received(far)
    with pytest.raises(ValueError, match="timeout"):
        sw.async_write(stream, DATA, timeout=-1.0)
    with pytest.raises(ValueError, match="timeout"):
        sw.async_write(stream, DATA, timeout=-1.0)


async def test_a_full_descriptor_may_say_0(pair):
    """write(2) and send(2) of nothing give 0, too."""
    stream, far = pair
    assert await sw.async_write(stream, b"") == 0
    assert received(far) == b""


async def test_a_port_closed_by_its_owner():
    with PtyPair() as rig, rig.open_peer(), serial.Serial(rig.port) as raw, sw.SerialPort(raw) as port:
        assert [await sw.async_write(port, DATA) for _ in range(3)] == [16] * 3
        raw.close()
        with pytest.raises(sw.StreamClosed):
            await sw.async_write(port, DATA)


# -- what is left behind --------------------------------------------------------------------------------


def held():
    gc.collect()
    return sys.getallocatedblocks()


def test_half_a_million_awaits_leave_nothing():
    asyncio.run(many_awaits())


async def many_awaits():
    near, far = socket.socketpair()
    with near, far, sw.SocketStream(near) as stream:
        await many_awaits_of(stream, far)


async def many_awaits_of(stream, far):
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)

    async def some(count):
        for _ in range(count):
            await sw.async_write(stream, DATA)
        n = 0
        while n < count * len(DATA):
            n += len(far.recv(1 << 20))

    await some(100)
    before = held()
    for _ in range(5_000):
        await some(100)
    assert held() - before < 100


async def test_other_ways_to_end_leave_nothing(pair):
    """Second launches, forgotten ones, closed ones, and those in a garbage cycle."""
    stream, far = pair

    async def some():
        operation = sw.async_write(stream, DATA)
        assert await operation == 16
        with pytest.raises(RuntimeError):
            await operation
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            sw.async_write(stream, DATA)
            cycle = [sw.async_write(stream, DATA)]
            cycle.append(cycle)
            del cycle
            gc.collect(0)
        assert [one.category for one in caught] == [RuntimeWarning] * 2
        sw.async_write(stream, DATA).close()
        assert received(far) == DATA

    for _ in range(10):
        await some()
    before = held()
    for _ in range(30):
        await some()
    assert held() - before < 100


async def test_cancelled_in_mid_write_each_count_is_exact(pair):
    stream, far = pair
    big = bytes(range(256)) * 4096

    async def cancelled():
        operation = sw.async_write(stream, big)
        task = asyncio.create_task(operation)
        await until(lambda: operation.bytes_transferred)
        with pytest.raises(sw.StreamBusy):
            sw.async_write(stream, b"x", sw.use_promise)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        n = operation.bytes_transferred
        assert received(far) == big[:n]
        assert b"".join(operation.remaining) == big[n:]

    for _ in range(20):
        await cancelled()
    before = held()
    for _ in range(300):
        await cancelled()
    assert held() - before < 300


def test_the_twin_is_what_tokens_get():
    near, far = socket.socketpair()
    with near, far, sw.SocketStream(near) as stream:
        operation = sw.async_write(stream, DATA)
        wrapped = sw.as_tuple(sw.deferred).initiate(operation)
        assert type(wrapped) is QuickWrite
        wrapped.close()


# -- many buffers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [bytes, bytearray, "mixed"], ids=str)
async def test_many_buffers_arrive_as_they_are(pair, kind):
    """Through windows, empty ones, and a peer that takes them in parts."""
    stream, far = pair
    data = bytes(i % 251 for i in range(400_000))
    parts = [b""] * 1500 + [data[i : i + 97] for i in range(0, len(data), 97)] + [b""] * 1500
    kinds = [bytes, bytearray, memoryview] if kind == "mixed" else [kind]
    operation = sw.async_write(stream, [kinds[i % len(kinds)](part) for i, part in enumerate(parts)])
    write = asyncio.ensure_future(operation)
    arrived = bytearray()
    while not write.done():
        await asyncio.sleep(0)
        part = far.recv(30_011) if operation.bytes_transferred > len(arrived) else b""
        arrived += part
    assert await write == len(data)
    assert bytes(arrived) + received(far) == data


async def test_bytearrays_are_held_until_it_has_ended(pair):
    stream, far = pair
    parts = [bytearray(1000) for _ in range(2000)]
    operation = sw.async_write(stream, parts)
    task = asyncio.create_task(operation)
    await until(lambda: operation.bytes_transferred)
    for part in (parts[0], parts[-1]):
        with pytest.raises(BufferError):
            part.clear()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    n = operation.bytes_transferred
    assert len(received(far)) == n
    for part in parts:
        part.append(0)


async def test_a_closing_port_takes_no_gathered_write():
    with PtyPair() as rig, rig.open_peer() as peer, sw.SerialPort(rig.port) as port:
        assert await sw.async_write(port, [b"ab", b"c"]) == 3
        port._stop_operations()
        with pytest.raises(sw.StreamClosed):
            await sw.async_write(port, [b"de", b"f"])
        assert receive(peer, 3) == b"abc"

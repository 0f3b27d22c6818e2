"""A stream whose event loop is over, perhaps with a write left waiting: the next loop, a thread, close()."""

import asyncio
import socket
import threading
import time

import pytest
from waiting import is_written_to, until, waits_to_write

import serialwrite as sw
from serialwrite.streams.fd._pollable_direction import FAIR_BUDGET_BYTES

BOUND = 10
MUCH = bytes(8 << 20)


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    with near, far:
        yield sw.SocketStream(near), far


async def spend_the_budget(stream):
    assert await sw.async_write(stream, bytes(1024)) == 1024
    stream._write_direction.spend(FAIR_BUDGET_BYTES)


async def leave_a_write_waiting(stream, token=sw.detached, data=MUCH):
    sw.async_write(stream, data, token)
    await until(lambda: waits_to_write(stream))


def test_two_blocking_writes_overlap_on_a_stream_that_had_a_loop(pair):
    stream, far = pair
    asyncio.run(spend_the_budget(stream))
    result = []
    first = threading.Thread(target=lambda: result.append(sw.write(stream, MUCH, timeout=BOUND)))
    first.start()
    while not is_written_to(stream):
        pass
    with pytest.raises(sw.StreamBusy):
        sw.write(stream, b"second", timeout=0)
    left = 1024 + len(MUCH)
    while left:
        left -= len(far.recv(1 << 20))
    first.join(BOUND)
    assert result == [len(MUCH)]


def test_turn_due_in_an_earlier_loop_admits_no_other_write(pair):
    stream, _ = pair
    asyncio.run(spend_the_budget(stream))

    async def overlap():
        first = asyncio.ensure_future(sw.async_write(stream, b"first"))
        second = asyncio.ensure_future(sw.async_write(stream, MUCH, timeout=0.1))
        return await asyncio.gather(first, second, return_exceptions=True)

    assert [type(result) for result in asyncio.run(overlap())] == [int, sw.StreamBusy]


async def test_other_thread_takes_no_turn_due_on_the_streams_own(pair):
    stream, _ = pair
    await spend_the_budget(stream)

    async def write():
        task = asyncio.ensure_future(sw.async_write(stream, b"there"))
        await asyncio.sleep(0)
        # The thread of the stream's loop is held meanwhile: nobody but this one could have claimed it.
        user = stream._write_direction.user
        begun.set()
        return user, await task

    begun = threading.Event()
    result = []
    thread = threading.Thread(target=lambda: result.append(asyncio.run(write())))
    thread.start()
    assert begun.wait(BOUND)
    await asyncio.to_thread(thread.join, BOUND)
    assert result == [(None, 5)]


def test_close_after_a_loop_that_left_a_write_waiting(pair):
    stream, _ = pair
    data = bytearray(MUCH)
    asyncio.run(leave_a_write_waiting(stream, data=data))
    stream.close()
    assert stream.socket.fileno() == -1
    data.append(0)  # and its memory is the caller's again


@pytest.mark.parametrize("turns", [0, 1], ids=["as the next one starts", "while the next one waits"])
def test_left_write_cancelled_later_does_not_harm_the_next(pair, turns):
    stream, _ = pair
    signal, results = sw.CancellationSignal(), []
    token = sw.bind_cancellation_slot(signal.slot, lambda error, n: results.append((type(error), n)))
    asyncio.run(leave_a_write_waiting(stream, token))

    async def again():
        task = asyncio.ensure_future(sw.async_write(stream, MUCH))
        for _ in range(turns):
            await asyncio.sleep(0)
        signal.emit()
        for _ in range(3):
            await asyncio.sleep(0)
        try:
            assert waits_to_write(stream)
            with pytest.raises(sw.StreamBusy):
                await sw.async_write(stream, b"x", timeout=0)
        finally:
            task.cancel()
            await asyncio.wait([task], timeout=BOUND)

    asyncio.run(again())
    assert all(error is sw.OperationAborted and n > 0 for error, n in results)


class Holding:
    """A user's stream that completes its steps when it is told to."""

    def __init__(self):
        self.executor, self.handlers = sw.EventLoopExecutor(), []

    def get_executor(self):
        return self.executor

    def async_write_some(self, buffers, token=sw.deferred, /):
        return sw.async_initiate(self.handlers.append, token, self.executor)


def test_left_write_does_not_release_a_users_stream_twice():
    stream, results = Holding(), []

    async def leave():
        sw.async_write(stream, b"left", lambda error, n: results.append((error, n)))

    async def again():
        promise = sw.async_write(stream, b"next", sw.use_promise)
        first, second = stream.handlers
        first(None, 4)
        with pytest.raises(sw.StreamBusy):
            await sw.async_write(stream, b"x")
        second(None, 4)
        return await promise

    asyncio.run(leave())
    assert asyncio.run(again()) == 4
    assert results == [(None, 4)]


WAYS = {
    "awaited": sw.async_write,
    "a task": lambda stream, data: asyncio.ensure_future(sw.async_write(stream, data)),
    "use_promise": lambda stream, data: sw.async_write(stream, data, sw.use_promise),
    "a function": lambda stream, data: sw.async_write(stream, data, print),
    "gathered": lambda stream, data: sw.async_write(stream, [data]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("data", [b"little", MUCH], ids=["little", "much"])
@pytest.mark.parametrize("used", [False, True], ids=["unused", "used before"])
def test_executor_of_a_closed_loop_writes_nothing(used, data, way):
    """Whoever named a loop is not moved to another; and whether the port has room makes no difference."""

    async def write(data):
        await WAYS[way](stream, data)

    loop = asyncio.new_event_loop()
    near, far = socket.socketpair()
    far.setblocking(False)
    with near, far:
        stream = sw.SocketStream(near, sw.EventLoopExecutor(loop))
        if used:
            assert loop.run_until_complete(sw.async_write(stream, b"first")) == 5
            assert far.recv(5) == b"first"
        loop.close()
        with pytest.raises(RuntimeError, match=r"closed.*EventLoopExecutor\(\)"):
            asyncio.run(write(data))
        with pytest.raises(BlockingIOError):
            far.recv(1)
        assert (stream.stall, stream._write_direction.user) == (None, None)
        with pytest.raises(RuntimeError, match=r"closed.*EventLoopExecutor\(\)"):
            asyncio.run(read(stream))
        assert sw.write(stream, b"by itself") == 9  # which needs no loop
        assert far.recv(20) == b"by itself"


async def read(stream):
    await sw.async_read(stream, bytearray(1))


def test_executor_of_a_stopped_loop_goes_on_when_it_runs(pair):
    stream, far = pair
    loop = asyncio.new_event_loop()
    stream = sw.SocketStream(stream.socket, sw.EventLoopExecutor(loop))
    for _ in range(3):
        assert loop.run_until_complete(sw.async_write(stream, b"again")) == 5
        assert far.recv(10) == b"again"
    loop.close()


@pytest.mark.parametrize("ending", ["cancelled", "closed", "replaced"])
def test_a_dynamic_buffer_left_behind_is_consumed_once(pair, ending):
    stream, far = pair
    data, signal = bytearray(MUCH), sw.CancellationSignal()
    asyncio.run(leave_a_write_waiting(stream, sw.bind_cancellation_slot(signal.slot, print), sw.dynamic_buffer(data)))
    accepted = len(far.recv(len(MUCH), socket.MSG_PEEK))

    async def later():
        if ending == "cancelled":
            signal.emit()  # its handler is posted; before it runs, the next write drops the operation
            sw.async_write(stream, MUCH, sw.detached)
            stream.close()
        elif ending == "closed":
            stream.close()
            signal.emit()
        else:
            with pytest.raises(sw.TransferTimeout):
                await sw.async_write(stream, MUCH, timeout=0)
            signal.emit()
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(later())
    assert 0 < accepted == len(MUCH) - len(data)


def test_write_left_in_the_middle_of_its_steps_is_no_success():
    stream, results = Holding(), []

    async def leave():
        sw.async_write(stream, b"left behind", lambda error, n: results.append((type(error), n)))

    async def again():
        promise = sw.async_write(stream, b"next", sw.use_promise)
        first, second = stream.handlers
        first(None, 4)
        second(None, 4)
        return await promise

    asyncio.run(leave())
    assert asyncio.run(again()) == 4
    assert results == [(sw.OperationAborted, 4)]


def test_queued_write_of_an_ended_loop_gives_its_memory_back(pair):
    stream, _ = pair
    queued, data = sw.Queued(stream), bytearray(b"second in the line")

    async def leave():
        sw.async_write(queued, MUCH, sw.detached)
        sw.async_write(queued, data, sw.detached)
        assert queued.waiting == 1

    async def again():
        with pytest.raises(sw.TransferTimeout):
            await sw.async_write(queued, b"next", timeout=0)

    asyncio.run(leave())
    asyncio.run(again())
    data.append(0)


async def leave_waiting(port, start, side):
    start()
    await until(lambda: getattr(port, side).waiting)


def test_threaded_port_is_readable_after_a_loop_left_a_read():
    with sw.SerialPort("loop://", timeout=0) as port:
        left, results = bytearray(10), []
        asyncio.run(
            leave_waiting(
                port,
                lambda: sw.async_read(port, left, lambda error, n: results.append((type(error), n))),
                "_read_direction",
            )
        )

        async def again():
            data = bytearray(4)
            reading = asyncio.ensure_future(sw.async_read(port, data, timeout=BOUND))
            await asyncio.sleep(0)
            assert await sw.async_write(port, b"data", timeout=BOUND) == 4
            assert await reading == 4
            await until(lambda: results)
            return bytes(data)

        assert asyncio.run(again()) == b"data"
        assert results == [(sw.OperationAborted, 0)]
        left.append(0)  # its memory is the caller's again


def test_bytes_that_a_left_read_had_taken_go_to_the_next_read():
    with sw.SerialPort("loop://", timeout=0) as port:
        loop = asyncio.new_event_loop()
        left = leave_waiting(port, lambda: sw.async_read(port, bytearray(10), sw.detached), "_read_direction")
        loop.run_until_complete(left)
        port.serial.write(b"data")
        deadline = time.monotonic() + BOUND
        while port.serial.in_waiting:  # its thread takes it; the loop does not run
            assert time.monotonic() < deadline
        loop.close()

        async def again():
            data = bytearray(4)
            assert await sw.async_read(port, data, timeout=BOUND) == 4
            return bytes(data)

        assert asyncio.run(again()) == b"data"


def test_threaded_port_is_writable_after_a_loop_left_a_write():
    with sw.SerialPort("loop://", timeout=0) as port:
        results = []
        data = bytes(range(256)) * 40

        async def leave():
            sw.async_write(port, data, lambda error, n: results.append((type(error), n)))
            await until(lambda: waits_to_write(port))

        async def again():
            n = await sw.async_write(port, b"next", timeout=BOUND)
            await until(lambda: results)
            return n

        asyncio.run(leave())
        assert asyncio.run(again()) == 4
        ((error, n),) = results
        assert (error, bytes(port.serial.read(len(data) + 4))) == (sw.OperationAborted, data[:n] + b"next")


def test_a_port_on_a_thread_that_a_loop_left_can_be_closed():
    port = sw.SerialPort("loop://", timeout=0)
    data = bytearray(10)
    asyncio.run(leave_waiting(port, lambda: sw.async_read(port, data, print), "_read_direction"))
    port.close()
    data.append(0)

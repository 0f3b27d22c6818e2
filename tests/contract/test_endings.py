"""However a write ends, on whatever stream: the count is what the peer gets, nothing follows, and the rest resumes."""

import asyncio
import random
import time

import pytest
from lines import LINES, unknown
from waiting import until

import serialwrite as sw
from serialwrite.testing import receive, receive_available

PAYLOAD = random.Random(2).randbytes(1 << 20)
SYNCHRONOUS = ["descriptor-on-a-pty", "descriptor-on-a-pipe", "serial-port-on-a-pty", "serial-port-on-socat"]
SYNCHRONOUS += ["pyserial", "socket-unix", "socket-tcp", "socket-blocking"]
SYNCHRONOUS += ["remote-rfc2217", "remote-rfc2217-without-a-window", "remote-tcp"]


@pytest.fixture(params=LINES)
async def line(request, need_tool):
    async with LINES[request.param](need_tool) as made:
        made.kind = request.param
        yield made


async def stalled(line, operation):
    """Wait until the port is full: the operation waits, and its count stays as it is."""
    async with asyncio.timeout(10):
        same, count = 0, -1
        while same < 5:
            await asyncio.sleep(0.01)
            same = same + 1 if operation.bytes_transferred == count > 0 else 0
            count = operation.bytes_transferred


async def check_exact(line, count, remaining):
    """``count`` is just what the peer can read, nothing arrives later, and the rest completes the payload."""
    first = await asyncio.to_thread(receive, line.peer, count)
    assert first == PAYLOAD[:count]
    await asyncio.sleep(0.05)  # the port has room now: whatever were still to be written would be
    assert receive_available(line.peer, 0) == b"", "more arrived than was reported"
    rest = asyncio.create_task(asyncio.to_thread(receive, line.peer, len(PAYLOAD) - count))
    assert await sw.async_write(line.target, remaining) == len(PAYLOAD) - count
    assert await rest == PAYLOAD[count:]
    assert receive_available(line.peer, 0) == b""


async def check_arrived(line, count):
    """Just the first ``count`` bytes arrive; of a remote port's, which resets its connection, no more than that."""
    if line.kind.startswith("remote"):
        arrived = await asyncio.to_thread(receive_available, line.peer, 0.5)
        assert PAYLOAD[:count].startswith(arrived)
        return
    assert await asyncio.to_thread(receive, line.peer, count) == PAYLOAD[:count]
    assert await asyncio.to_thread(receive_available, line.peer, 0.05) == b"", "more arrived than was reported"


# -- time ---------------------------------------------------------------------------------------------


async def test_timeout(line):
    with pytest.raises(sw.TransferTimeout) as caught:
        await sw.async_write(line.target, PAYLOAD, timeout=0.2)
    error = caught.value
    assert 0 < error.bytes_transferred < len(PAYLOAD)
    assert f"{error.bytes_transferred:,} of 1,048,576 bytes accepted in 0." in str(error)
    assert error.stall == "peer not reading"
    await check_exact(line, error.bytes_transferred, error.remaining)


async def test_a_stall_is_seen_by_who_asks(line):
    """Said of what was seen not to move: not at once."""
    operation = sw.async_write(line.target, PAYLOAD)
    task = asyncio.ensure_future(operation)
    await stalled(line, operation)
    await until(lambda: line.stream.stall == "peer not reading")
    task.cancel()
    await asyncio.wait([task])


async def test_a_stalled_wait_costs_no_cpu(line):
    operation = sw.async_write(line.target, PAYLOAD)
    task = asyncio.ensure_future(operation)
    await stalled(line, operation)
    cpu, wall = time.process_time(), time.monotonic()
    await asyncio.sleep(1)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    task.cancel()
    await asyncio.wait([task])
    assert cpu < 0.05 * wall


async def test_asyncio_timeout(line):
    operation = sw.async_write(line.target, PAYLOAD)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await operation
    await check_exact(line, operation.bytes_transferred, operation.remaining)


async def test_wait_for(line):
    operation = sw.async_write(line.target, PAYLOAD)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(operation, 0.1)
    await check_exact(line, operation.bytes_transferred, operation.remaining)


# -- cancellation -------------------------------------------------------------------------------------


async def test_task_cancel(line):
    operation = sw.async_write(line.target, PAYLOAD)
    task = asyncio.create_task(operation)
    await stalled(line, operation)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await check_exact(line, operation.bytes_transferred, operation.remaining)


async def test_task_cancel_while_bytes_flow(line):
    operation = sw.async_write(line.target, PAYLOAD)
    task = asyncio.create_task(operation)
    first = await asyncio.to_thread(receive, line.peer, 50_000)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    count = operation.bytes_transferred
    first += await asyncio.to_thread(receive, line.peer, count - len(first))
    assert first == PAYLOAD[:count]
    assert await asyncio.to_thread(receive_available, line.peer, 0.05) == b"", "more arrived than was reported"


async def test_signal(line):
    signal = sw.CancellationSignal()
    token = sw.bind_cancellation_slot(signal.slot, sw.use_promise)
    promise = sw.async_write(line.target, PAYLOAD, token)
    await stalled(line, promise)
    signal.emit()
    with pytest.raises(sw.OperationAborted) as caught:
        await promise
    await check_exact(line, caught.value.bytes_transferred, caught.value.remaining)


async def test_handler_and_signal(line):
    signal = sw.CancellationSignal()
    done = asyncio.get_running_loop().create_future()
    token = sw.bind_cancellation_slot(signal.slot, lambda error, n: done.set_result((error, n)))
    sw.async_write(line.target, PAYLOAD, token)
    await until(lambda: line.stream.stall)
    signal.emit()
    error, n = await done
    assert type(error) is sw.OperationAborted
    assert error.bytes_transferred == n
    await check_exact(line, n, error.remaining)


async def test_future_cancel(line):
    future = sw.async_write(line.target, PAYLOAD, sw.use_future)
    await stalled(line, future)
    assert future.cancel()
    with pytest.raises(sw.OperationAborted) as caught:
        await asyncio.wrap_future(future)
    assert not future.cancel()
    await check_exact(line, caught.value.bytes_transferred, caught.value.remaining)


async def test_future_cancel_from_another_thread(line):
    future = sw.async_write(line.target, PAYLOAD, sw.use_future)
    await stalled(line, future)

    def elsewhere():
        assert future.cancel()
        return future.exception(10)

    error = await asyncio.to_thread(elsewhere)
    assert type(error) is sw.OperationAborted
    assert future.bytes_transferred == error.bytes_transferred
    await check_exact(line, error.bytes_transferred, future.remaining)


async def test_promise_cancel(line):
    promise = sw.async_write(line.target, PAYLOAD, sw.use_promise)
    await stalled(line, promise)
    promise.cancel()
    with pytest.raises(asyncio.CancelledError):
        await promise
    await check_exact(line, promise.bytes_transferred, promise.remaining)


# -- the line is cut, the stream is closed ------------------------------------------------------------


async def failing(line, end_it):
    """A stalled write, what the kernel then had of it, and the error that ``end_it`` makes it end with."""
    operation = sw.async_write(line.target, PAYLOAD)
    task = asyncio.ensure_future(operation)
    await stalled(line, operation)
    async with asyncio.timeout(10):  # TCP's account takes a while: what is received and not acknowledged counts twice
        await until(lambda: line.unread() in {None, operation.bytes_transferred})
    accepted = operation.bytes_transferred
    end_it()
    await asyncio.wait([task], timeout=10)
    error = task.exception()
    assert error.bytes_transferred == operation.bytes_transferred
    count = error.bytes_transferred
    assert count == accepted if line.unread is not unknown else count >= accepted
    assert b"".join(error.remaining) == PAYLOAD[count:]
    return error


async def test_hang_up(line):
    error = await failing(line, line.hang_up)
    assert type(error) is sw.Disconnected
    if "pty" in line.kind or line.kind == "pyserial":  # what was accepted still arrives there
        assert await asyncio.to_thread(receive_available, line.peer) == PAYLOAD[: error.bytes_transferred]
    elif "socat" in line.kind:  # it takes with it what it held
        arrived = await asyncio.to_thread(receive_available, line.peer)
        assert PAYLOAD[: error.bytes_transferred].startswith(arrived)


async def test_hang_up_before_the_write(line):
    line.hang_up()
    errors = []
    async with asyncio.timeout(10):
        while not errors:  # a socket accepts until it has heard of it
            try:
                await sw.async_write(line.target, b"hello?", timeout=10)
                await asyncio.sleep(0.01)
            except sw.TransferError as error:
                errors.append(error)
    assert type(errors[0]) is sw.Disconnected
    assert errors[0].bytes_transferred == 0


async def test_close_during_the_write(line):
    stream = line.stream
    error = await failing(line, stream.close)
    assert type(error) is sw.StreamClosed
    for data in (b"more", b"", [b"", b""]):
        with pytest.raises(sw.StreamClosed):
            await sw.async_write(stream, data, timeout=5)
    await check_arrived(line, error.bytes_transferred)


async def test_closed_beneath(line):
    error = await failing(line, line.close_beneath)
    assert type(error) is sw.StreamClosed
    await check_arrived(line, error.bytes_transferred)


# -- without an event loop ----------------------------------------------------------------------------


@pytest.mark.parametrize("line", SYNCHRONOUS, indirect=True)
async def test_blocking_write(line):
    def blocking():
        cpu, wall = time.thread_time(), time.monotonic()
        with pytest.raises(sw.TransferTimeout) as caught:
            sw.write(line.target, PAYLOAD, timeout=0.5)
        cpu, wall = time.thread_time() - cpu, time.monotonic() - wall
        assert cpu < 0.05 * wall + 0.02  # the megabyte itself costs something
        return caught.value

    error = await asyncio.to_thread(blocking)
    assert 0 < error.bytes_transferred < len(PAYLOAD)
    first = await asyncio.to_thread(receive, line.peer, error.bytes_transferred)
    rest = asyncio.create_task(asyncio.to_thread(sw.write, line.target, error.remaining))
    first += await asyncio.to_thread(receive, line.peer, len(PAYLOAD) - len(first))
    assert await rest == len(PAYLOAD) - error.bytes_transferred
    assert first == PAYLOAD


@pytest.mark.parametrize("line", SYNCHRONOUS, indirect=True)
async def test_blocking_write_hang_up(line):
    writing = asyncio.create_task(asyncio.to_thread(sw.write, line.target, PAYLOAD, timeout=10))
    await asyncio.sleep(0.1)
    line.hang_up()
    await asyncio.wait([writing], timeout=10)
    error = writing.exception()
    assert type(error) is sw.Disconnected
    assert b"".join(error.remaining) == PAYLOAD[error.bytes_transferred :]

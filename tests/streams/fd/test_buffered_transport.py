"""BufferedTransportStream over a scripted transport: what is handed over, and when the write is given up."""

import asyncio

import pytest
from waiting import until

import serialwrite as sw


class Transport:
    """A transport whose buffer is what the test says."""

    def __init__(self):
        self.pending, self.written, self.aborted, self.closed = 0, [], 0, False
        self.looked = lambda: None

    def get_extra_info(self, name, default=None):
        return default

    def get_write_buffer_size(self):
        self.looked()
        return self.pending

    def write(self, data):
        self.written.append(bytes(data))

    def is_closing(self):
        return self.closed

    def abort(self):
        self.aborted += 1

    def close(self):
        self.closed = True


@pytest.fixture
def transport():
    return Transport()


async def test_a_chunk_is_at_most_16_kib(transport):
    stream, data = sw.BufferedTransportStream(transport), [bytes(10_000), bytes(10_000), bytes(20_000)]
    assert await sw.async_write(stream, data) == 40_000
    assert [len(chunk) for chunk in transport.written] == [16_384, 16_384, 7_232]


async def test_a_cancel_before_the_hand_over_aborts_nothing(transport):
    transport.pending = 5  # what its owner wrote before
    stream = sw.BufferedTransportStream(transport)
    promise = sw.async_write(stream, b"abc", sw.as_tuple(sw.use_promise))
    await asyncio.sleep(0)
    promise.cancel()
    await asyncio.wait([promise])
    assert (transport.aborted, transport.written, promise.bytes_transferred) == (0, [], 0)
    transport.pending = 0
    assert await sw.async_write(stream, b"next") == 4


async def test_a_cancel_after_the_hand_over_aborts(transport):
    stream = sw.BufferedTransportStream(transport)
    transport.write = lambda data: setattr(transport, "pending", len(data))
    error, n = await sw.async_write(stream, b"abc", sw.as_tuple(), timeout=0.001)
    assert (type(error), n, transport.aborted) == (sw.TransferTimeout, 0, 1)


async def test_an_emit_between_the_end_and_the_handler_is_too_late(transport):
    stream, signal, called = sw.BufferedTransportStream(transport), sw.CancellationSignal(), []
    loop = asyncio.get_running_loop()
    transport.looked = lambda: transport.written and loop.call_soon(signal.emit)  # so it runs before the handler
    stream.async_write_some(b"abc", sw.bind_cancellation_slot(signal.slot, lambda error, n: called.append((error, n))))
    await until(lambda: called)
    await asyncio.sleep(0)
    assert (called, transport.aborted) == ([(None, 3)], 0)


async def test_a_second_write_finds_it_busy(transport):
    transport.pending = 1
    stream = sw.BufferedTransportStream(transport)
    first = stream.async_write_some(b"abc", sw.as_tuple(sw.use_promise))
    with pytest.raises(sw.StreamBusy):
        await stream.async_write_some(b"def")
    transport.pending = 0
    assert await first == (None, 3)


async def test_closed_with_a_chunk_under_way_it_is_aborted(transport):
    transport.pending = 1
    stream = sw.BufferedTransportStream(transport)
    promise = stream.async_write_some(b"abc", sw.as_tuple(sw.use_promise))
    stream.close()
    assert (transport.aborted, transport.closed) == (1, False)
    transport.closed = True
    error, n = await promise
    assert (type(error), n) == (sw.StreamClosed, 0)
    stream.close()


async def test_a_step_is_cancelled_terminally_only(transport):
    transport.pending = 1
    stream, signal = sw.BufferedTransportStream(transport), sw.CancellationSignal()
    token = sw.bind_cancellation_slot(signal.slot, sw.as_tuple(sw.use_promise))
    promise = stream.async_write_some(b"abc", token)
    signal.emit(sw.CancellationType.PARTIAL)
    signal.emit(sw.CancellationType.TOTAL)
    transport.pending = 0
    assert await promise == (None, 3)

"""Queued: whole writes in the order in which they were started, each cancellable while it waits and while it writes."""

import asyncio
import random
import time

import pytest
from fake_uart import simulated_port
from scripted import STREAMS, WAIT, goes_on, stream_of
from waiting import until

import serialwrite as sw
from serialwrite.testing import PtyPair, TcpPair, UnixPair, receive_available


@pytest.fixture(params=STREAMS)
def kind(request):
    return request.param


class Reader:
    """Reads what comes at the far end, at the given pace."""

    def __init__(self, peer, pause=0.0):
        self.peer, self.pause, self.data = peer, pause, bytearray()
        self.task = asyncio.ensure_future(self._run())

    async def _run(self):
        stream = sw.as_stream(self.peer)
        buffer = bytearray(4096)
        while True:
            n = await stream.async_read_some(buffer)
            self.data += buffer[:n]
            await asyncio.sleep(self.pause)

    async def stop(self, quiet=0.2):
        """Everything that comes until nothing has for a while."""
        size = -1
        while size != len(self.data):
            size = len(self.data)
            await asyncio.sleep(quiet)
        self.task.cancel()
        await asyncio.wait([self.task])
        return bytes(self.data)


async def queued_and_cancelled(rig, seed):
    """Fifty writes at once, any of them cancelled at random: their results, and how many bytes arrived.

    Each is of one letter, so that any mixing is seen; the sum of the counts is what arrived.
    """
    chance = random.Random(seed)
    options = {} if rig is PtyPair else {"send_buffer": 8192}
    with rig(**options) as pair, pair.open_port() if rig is not PtyPair else sw.SerialPort(pair.port) as port:
        with pair.open_peer() as peer:
            reader = Reader(peer, pause=0.002)
            queued = sw.Queued(port)
            sizes = [chance.choice([1, 100, 5_000, 60_000]) for _ in range(50)]
            payloads = [bytes([65 + i]) * size for i, size in enumerate(sizes)]
            operations = [sw.async_write(queued, payload) for payload in payloads]
            tasks = [asyncio.ensure_future(each) for each in operations]
            await until(lambda: reader.data)
            for _ in range(20):
                chance.choice([task for task in tasks if not task.done()] or tasks).cancel()
                await asyncio.sleep(chance.random() * 0.02)
            results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
            counts = [operation.bytes_transferred for operation in operations]
            await until(lambda: len(reader.data) >= sum(counts), seconds=60)
            received = await reader.stop()
    assert received == b"".join(payload[:n] for payload, n in zip(payloads, counts, strict=True))
    assert sum(counts) == len(received)
    for result, count, size in zip(results, counts, sizes, strict=True):
        assert isinstance(result, asyncio.CancelledError) or result == count == size
    return results, len(received)


@pytest.mark.parametrize("rig", [PtyPair, TcpPair, UnixPair])
@pytest.mark.parametrize("seed", range(3))
async def test_fifty_writes_cancelled_at_random_stay_whole_and_ordered(rig, seed):
    results, received = await queued_and_cancelled(rig, seed)
    assert any(isinstance(result, asyncio.CancelledError) for result in results)
    assert any(not isinstance(result, asyncio.CancelledError) for result in results)
    assert received > 0


async def test_cancelled_write_in_line_wrote_nothing_and_leaves_it(kind):
    with stream_of(kind, 2, WAIT) as stream:
        queued = sw.Queued(stream)
        first = sw.async_write(queued, b"abcdef", sw.as_tuple(sw.use_promise))
        signal = sw.CancellationSignal()
        token = sw.bind_cancellation_slot(signal.slot, sw.as_tuple(sw.use_promise))
        second = sw.async_write(queued, b"ghijkl", token)
        third = sw.async_write(queued, b"mnopqr", sw.as_tuple(sw.use_promise))
        await asyncio.sleep(0.01)
        assert queued.waiting == 2
        signal.emit()
        error, n = await second
        assert (type(error), n, bytes(error.remaining[0])) == (sw.OperationAborted, 0, b"ghijkl")
        assert queued.waiting == 1
        goes_on(stream)
        first.cancel()
        assert await third == (None, 6)
        assert stream.written == b"abmnopqr"


async def test_timeout_counts_from_the_start_and_says_what_it_awaited(kind):
    with stream_of(kind, WAIT) as stream:
        queued = sw.Queued(stream)
        first = sw.async_write(queued, b"abcdef", sw.as_tuple(sw.use_promise))
        with pytest.raises(sw.TransferTimeout, match=r"0 of 6 bytes .* waiting behind 1 other writes"):
            await sw.async_write(queued, b"ghijkl", timeout=0.05)
        first.cancel()
        await asyncio.wait([first])


async def test_write_some_stands_in_line_too(kind):
    with stream_of(kind, 2, WAIT) as stream:
        queued = sw.Queued(stream)
        first = sw.async_write(queued, b"abcdef", sw.as_tuple(sw.use_promise))
        some = queued.async_write_some(b"ghi", sw.as_tuple(sw.use_promise))
        await asyncio.sleep(0.01)
        assert stream.written == b"ab"
        goes_on(stream)
        first.cancel()
        assert await some == (None, 3)
        assert stream.written == b"abghi"


async def test_write_started_by_a_handler_stands_at_the_end(kind):
    with stream_of(kind, 2, 2) as stream:
        queued, done = sw.Queued(stream), []

        def handler(error, n):
            done.append((error, n))
            if len(done) == 1:
                sw.async_write(queued, b"third", handler)

        sw.async_write(queued, b"first", handler)
        sw.async_write(queued, b"second", handler)
        await until(lambda: len(done) == 3)
        assert stream.written == b"firstsecondthird"
        assert done == [(None, 5), (None, 6), (None, 5)]


async def test_an_error_ends_its_own_write_only(kind):
    with stream_of(kind, 2, OSError(5, "unplugged")) as stream:
        queued = sw.Queued(stream)
        results = await asyncio.gather(
            sw.async_write(queued, b"abcdef", sw.as_tuple()), sw.async_write(queued, b"ghi", sw.as_tuple())
        )
        assert [(type(error), n) for error, n in results] == [(sw.Disconnected, 2), (type(None), 3)]


async def test_writing_past_the_line_is_refused_or_refuses_the_next():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        queued = sw.Queued(port)
        pending = sw.async_write(queued, bytes(100_000), sw.as_tuple(sw.use_promise))
        await asyncio.sleep(0.01)
        with pytest.raises(sw.StreamBusy):
            await sw.async_write(port, b"past it")
        reader = Reader(peer)
        assert await pending == (None, 100_000)
        await reader.stop()
        direct = sw.async_write(port, bytes(200_000), sw.as_tuple(sw.use_promise))
        with pytest.raises(sw.StreamBusy):
            await sw.async_write(queued, b"whose turn it is")
        direct.cancel()
        await asyncio.wait([direct])
        reader = Reader(peer)
        assert (await sw.async_write(queued, b"free")) == 4
        await reader.stop()


async def test_closing_ends_all_that_stand_in_line():
    with simulated_port({"rtscts": True}) as port:
        port.uart.cts = False
        queued = sw.Queued(port)
        writes = [sw.async_write(queued, bytes(3000), sw.as_tuple(sw.use_promise)) for _ in range(5)]
        await asyncio.sleep(0.01)
        assert await queued.stream.async_close(policy="discard") == 4095
        results = await asyncio.wait_for(asyncio.gather(*writes), 10)
        assert [(type(error), n) for error, n in results] == [
            (type(None), 3000),
            (sw.StreamClosed, 1095),
            *[(sw.StreamClosed, 0)] * 3,
        ]


async def test_reading_goes_past_the_line():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        queued = sw.Queued(port)
        pending = sw.async_write(queued, bytes(200_000), sw.as_tuple(sw.use_promise))
        peer.write(b"hello")
        assert await sw.async_read(queued, reply := bytearray(5), timeout=10) == 5
        assert reply == b"hello"
        pending.cancel()
        await asyncio.wait([pending])


def test_a_blocking_write_may_be_queued():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        assert sw.write(sw.Queued(port), b"hello") == 5
        assert receive_available(peer) == b"hello"


def test_an_event_loop_that_was_closed_gives_up_its_places():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        queued = sw.Queued(port)

        async def leave():
            sw.async_write(queued, bytes(200_000), sw.detached)
            sw.async_write(queued, b"never", sw.detached)

        loop = asyncio.new_event_loop()
        loop.run_until_complete(leave())
        loop.close()
        receive_available(peer)
        assert sw.write(queued, b"after it") == 8
        assert receive_available(peer) == b"after it"


async def test_a_queue_of_many_costs_no_more_than_its_length(kind):
    with stream_of(kind) as stream:
        queued = sw.Queued(stream)
        started = time.process_time()
        counts = await asyncio.gather(*(sw.async_write(queued, b"x") for _ in range(2000)))
        assert sum(counts) == len(stream.written) == 2000
        assert time.process_time() - started < 10


async def test_empty_write_in_line_is_done_when_its_time_is_over():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        queued = sw.Queued(port)
        first = sw.async_write(queued, bytes(1_000_000), sw.as_tuple(sw.use_promise))
        await asyncio.sleep(0)
        assert await sw.async_write(queued, b"", timeout=0.02) == 0
        with pytest.raises(sw.TransferTimeout):
            await sw.async_write(queued, b"x", timeout=0.02)
        first.cancel()
        await asyncio.wait([first])
        port.close("abort")

"""Layers over layers, in any order: counts and cancellation are as exact as those of the stream beneath."""

import asyncio

import pytest
from fake_uart import simulated_port
from hypothesis import given, settings, strategies as st

import serialwrite as sw
from serialwrite.testing import PtyPair, ScriptedStream, UnixPair, receive_available, receive_only

LAYERS = {
    "queued": sw.Queued,
    "rate": lambda stream: sw.Paced(stream, bytes_per_second=2_000_000),
    "lines": lambda stream: sw.Paced(stream, line_gap=0.0001, line_end=b"\r\n"),
    "chunks": lambda stream: sw.Paced(stream, chunk_size=1000, chunk_gap=0.0001),
    "traced": lambda stream: sw.Traced(stream, lambda event: None),
}
STACKS = st.lists(st.sampled_from(sorted(LAYERS)), max_size=5)


def stacked(stream, names):
    for name in names:
        stream = LAYERS[name](stream)
    return stream


@settings(max_examples=60)
@given(
    names=STACKS,
    data=st.lists(st.binary(max_size=300), max_size=5),
    steps=st.lists(st.integers(0, 100) | st.just(OSError(5, "unplugged")), max_size=6),
    limit=st.none() | st.integers(0, 400),
)
def test_a_stack_does_what_the_stream_alone_does(names, data, steps, limit):
    """The same script, alone and beneath the stack: the same ending, count and bytes."""

    async def run(layers):
        stream = ScriptedStream(*steps)
        condition = sw.transfer_all() if limit is None else sw.transfer_exactly(limit)
        buffers = [bytearray(part) for part in data]
        token = sw.as_tuple()
        error, n = await sw.async_write(stacked(stream, layers), buffers, token, completion_condition=condition)
        for buffer in buffers:
            buffer.append(0)  # no view is left
        rest = None if error is None else b"".join(error.remaining)[: len(b"".join(data)) - n]
        return type(error), n, bytes(stream.written), rest

    unpaced = [name for name in names if name in {"queued", "traced"}]
    alone, beneath = asyncio.run(run([])), asyncio.run(run(unpaced))
    assert beneath == alone
    # Pacing cuts the steps differently; what is true of every ending stays true.
    kind, n, written, _ = asyncio.run(run(names))
    assert written == b"".join(data)[:n]
    assert kind is not type(None) or n == alone[1] or 0 in steps


@settings(max_examples=25)
@given(
    names=STACKS,
    delays=st.lists(st.integers(0, 30), min_size=1, max_size=4),
    emitted=st.sampled_from([sw.CancellationType.TERMINAL, sw.CancellationType.PARTIAL, None]),
    rig=st.sampled_from([PtyPair, UnixPair]),
)
def test_cancelled_and_resumed_and_not_a_byte_more_or_less(names, delays, emitted, rig):
    """Cancelled again and again while the far end reads, and resumed each time, everything arrives once."""
    data = bytes(range(256)) * 400

    async def run():
        with rig() as pair, pair.open_peer() as peer:
            with sw.as_stream(pair.port) if rig is UnixPair else sw.SerialPort(pair.port) as port:
                stream, rest, received = stacked(port, names), (data,), bytearray()
                for delay in delays:
                    signal = sw.CancellationSignal()
                    token = sw.bind_cancellation_slot(signal.slot, sw.deferred)
                    operation = sw.async_write(stream, rest, token)
                    task = asyncio.ensure_future(operation)
                    await asyncio.sleep(delay / 1000)
                    task.cancel() if emitted is None else signal.emit(emitted)
                    await asyncio.wait([task])
                    n = operation.bytes_transferred
                    if not task.cancelled() and task.exception() is None:
                        assert n == sum(map(len, rest))
                    rest = tuple(bytes(part) for part in operation.remaining)
                    received += receive_only(peer, len(data) - sum(map(len, rest)) - len(received), quiet=0.02)
                    assert received == data[: len(received)]
                while rest and any(rest):
                    operation = sw.async_write(stream, rest, timeout=0.05)
                    await asyncio.gather(operation, return_exceptions=True)
                    rest = tuple(bytes(part) for part in operation.remaining)
                    received += receive_only(peer, len(data) - sum(map(len, rest)) - len(received), quiet=0.02)
                assert received == data

    asyncio.run(run())


@pytest.mark.parametrize("order", ["queued over traced", "traced over queued", "queued over queued"])
async def test_a_line_may_be_anywhere_in_the_stack(order):
    with simulated_port(baudrate=921600) as port:
        events = []
        wire = port.on_wire
        stream = {
            "queued over traced": lambda: sw.Queued(sw.Traced(wire, events.append)),
            "traced over queued": lambda: sw.Traced(sw.Queued(wire), events.append),
            "queued over queued": lambda: sw.Queued(sw.Queued(sw.Traced(wire, events.append))),
        }[order]()
        operations = [sw.async_write(stream, bytes([i]) * 3000) for i in range(6)]
        tasks = [asyncio.ensure_future(each) for each in operations]
        await asyncio.sleep(0.03)
        tasks[1].cancel()
        tasks[4].cancel()
        await asyncio.wait(tasks)
        counts = [operation.bytes_transferred for operation in operations]
        await port.async_drain()
        assert port.uart.received == b"".join(bytes([i]) * n for i, n in enumerate(counts))
        assert sum(event.count for event in events) == sum(counts)
        assert counts[0] == counts[2] == counts[3] == counts[5] == 3000


async def test_every_token_works_on_a_stack():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        stream = sw.Traced(sw.Paced(sw.Queued(port), chunk_size=2), lambda event: None)
        done = asyncio.get_running_loop().create_future()
        sw.async_write(stream, b"handler ", lambda error, n: done.set_result((error, n)))
        assert await done == (None, 8)
        assert await sw.async_write(stream, b"awaitable ", sw.use_awaitable) == 10
        assert await sw.async_write(stream, b"promise ", sw.use_promise) == 8
        assert await asyncio.wrap_future(sw.async_write(stream, b"future ", sw.use_future)) == 7
        assert await sw.async_write(stream, b"tuple ", sw.as_tuple()) == (None, 6)
        assert await sw.async_write(stream, b"timed ", sw.cancel_after(10)) == 6
        n = await stream.async_write_some(b"some")
        assert receive_available(peer) == b"handler awaitable promise future tuple timed " + b"some"[:n]

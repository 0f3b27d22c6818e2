"""Every stream by every ending: what is reported, what arrives, and what comes after. Printed for the reference."""

import asyncio
import random
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import serialwrite as sw
from serialwrite.testing import PtyPair, SimulatedUart, SocatPair, TcpPair, UnixPair, receive_available, receive_only

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "guarantees.md"
BOUND = 30.0  # seconds for anything that takes well under one
PAYLOAD = random.Random(11).randbytes(4 << 20)  # more than any of the lines holds
BEGIN, END = "<!-- fault matrix: python tests/support/fault_matrix.py -->\n", "<!-- end -->\n"


async def serial_port(rig, resources):
    return resources.enter_context(sw.SerialPort(rig.port, 115200))


async def descriptor(rig, resources):
    return sw.as_stream(resources.enter_context(rig.open_port()))


async def own_socket(rig, resources):
    return sw.as_stream(rig.port)


async def transport(rig, resources):
    _, writer = await asyncio.open_connection(sock=socket.socket(fileno=rig.port.detach()))
    stream = sw.as_stream(writer)

    async def abort():
        writer.transport.abort()  # the writer has to live until here: forgotten, it closes the transport
        await asyncio.wait_for(asyncio.gather(writer.wait_closed(), return_exceptions=True), BOUND)

    resources.push_async_callback(abort)
    return stream


STREAMS = {
    "SerialPort on a pty": (PtyPair, serial_port),
    "SerialPort on socat": (SocatPair, serial_port),
    "SerialPort on a simulated UART": (lambda: SimulatedUart(None), serial_port),
    "DescriptorStream": (PtyPair, descriptor),
    "SocketStream, TCP": (TcpPair, own_socket),
    "SocketStream, Unix": (UnixPair, own_socket),
    "TransportStream": (TcpPair, transport),
}


async def stopped(stream, stop):
    """Write until some of it is accepted, do `stop(task)`, and say how it ended: (error, count)."""
    operation = sw.async_write(stream, PAYLOAD)
    task = asyncio.create_task(operation)
    async with asyncio.timeout(BOUND):
        while not operation.bytes_transferred:
            await asyncio.sleep(0.001)
        await stop(task)
        (error,) = await asyncio.gather(task, return_exceptions=True)
    return error, operation.bytes_transferred


async def complete(stream, rig):
    return None, await sw.async_write(stream, PAYLOAD[:4096])


async def timed_out(stream, rig):
    error, count = await sw.async_write(stream, PAYLOAD, sw.as_tuple(sw.deferred), timeout=0.2)
    assert type(error) is sw.TransferTimeout
    return error, count


async def emitted(stream, rig):
    signal, operation = sw.CancellationSignal(), sw.async_write(stream, PAYLOAD)
    task = asyncio.create_task(operation_of(operation, signal))
    async with asyncio.timeout(BOUND):
        while not operation.bytes_transferred:
            await asyncio.sleep(0.001)
        signal.emit(sw.CancellationType.PARTIAL)
        error, count = await task
    assert type(error) is sw.OperationAborted
    return error, count


async def operation_of(operation, signal):
    return await operation(sw.as_tuple(sw.bind_cancellation_slot(signal.slot, sw.deferred)))


async def task_cancelled(stream, rig):
    async def stop(task):
        task.cancel()

    error, count = await stopped(stream, stop)
    assert isinstance(error, asyncio.CancelledError)
    return error, count


async def hung_up(stream, rig):
    async def stop(task):
        await asyncio.to_thread(rig.hang_up, "port")

    error, count = await stopped(stream, stop)
    assert isinstance(error, sw.Disconnected), error
    return error, count


ENDINGS = {
    "complete": complete,
    "timeout": timed_out,
    "cancelled by a signal": emitted,
    "task cancelled": task_cancelled,
    "disconnected": hung_up,
}
EXACT = "exact"
CUT = "no more than the count"


async def cell(stream_name, ending_name):
    """Do it; return what the table says. Raises AssertionError where the count is not the truth."""
    make_rig, make_stream = STREAMS[stream_name]
    async with AsyncExitStack() as resources:
        rig = resources.enter_context(make_rig())
        stream = await make_stream(rig, resources)
        far = rig.open_peer()
        if not isinstance(far, socket.socket):
            resources.callback(far.close)
        error, count = await ENDINGS[ending_name](stream, rig)
        if isinstance(error, sw.TransferError):
            assert error.bytes_transferred == count
            assert b"".join(error.remaining) == PAYLOAD[count:]
        if ending_name != "disconnected" or isinstance(rig, PtyPair):  # which delivers what it had taken
            assert await asyncio.to_thread(receive_only, far, count, BOUND) == PAYLOAD[:count]
            return EXACT
        # Elsewhere what was on its way may be lost with the line, and where the peer itself has gone nobody can read it.
        arrived = b"" if far.fileno() < 0 else await asyncio.to_thread(receive_available, far)
        assert PAYLOAD[:count].startswith(arrived), "more arrived than was reported"
        return CUT


def table():
    """The whole matrix, done, as Markdown."""
    rows = ["| stream | " + " | ".join(ENDINGS) + " |", "|---" * (len(ENDINGS) + 1) + "|"]
    for name in STREAMS:
        cells = [asyncio.run(cell(name, ending)) for ending in ENDINGS]
        rows += [f"| {name} | " + " | ".join(cells) + " |"]
    return "\n".join(rows) + "\n"


def documented():
    """The matrix as the page has it: by stream, then by ending."""
    rows = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    head, _, *body = ([word.strip() for word in row.strip("|").split("|")] for row in rows)
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in body}


if __name__ == "__main__":
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2])
    sys.stdout.write(f"{PAGE.name} is written\n")

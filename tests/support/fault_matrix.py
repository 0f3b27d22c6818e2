"""Every stream by every ending, and by every fault of a line: what is reported, and what arrives. Printed for the reference."""

import asyncio
import os
import random
import shutil
import socket
import sys
import tempfile
from contextlib import AsyncExitStack, ExitStack, nullcontext
from pathlib import Path

import serial_asyncio

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a program
from fake_uart import simulated_port
from lines import BUFFER, writer_closed
from ser2net import RAW, RFC2217, ser2net
from waiting import until

import serialwrite as sw
from serialwrite.testing import (
    PtyPair,
    SimulatedUart,
    SocatPair,
    TcpPair,
    UnixPair,
    receive_available,
    receive_only,
    what_arrives,
)

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "guarantees.md"
BOUND = 30.0  # seconds for anything that takes well under one
PAYLOAD = random.Random(11).randbytes(4 << 20)  # more than any of the lines holds
BEGIN, END = "<!-- fault matrix: python tests/support/fault_matrix.py -->\n", "<!-- end -->\n"
BEGIN_FAULTS = "<!-- faults of a line -->\n"


async def serial_port(rig, resources):
    return resources.enter_context(sw.SerialPort(rig.port, 115200))


async def descriptor(rig, resources):
    return sw.as_stream(resources.enter_context(rig.open_port()))


async def pyserial_asyncio(rig, resources):
    _, writer = await serial_asyncio.open_serial_connection(url=rig.port, baudrate=115200)
    return written_beside(writer, resources)


async def queued(rig, resources):
    return sw.Queued(await serial_port(rig, resources))


async def traced(rig, resources):
    return sw.Traced(await serial_port(rig, resources), lambda event: None)


async def paced(rig, resources):
    return sw.Paced(await serial_port(rig, resources), bytes_per_second=1_000_000)


async def spied(rig, resources):
    return resources.enter_context(sw.SerialPort(f"spy://{rig.port}?file={os.devnull}", 115200))


class UrlPair(TcpPair):
    """A raw TCP port, and the far end of its connection."""

    def __init__(self):
        super().__init__(BUFFER)

    def _connect(self, resources):
        server = resources.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
        port = sw.SerialPort("socket://{}:{}".format(*server.getsockname()))
        resources.callback(port.close, "abort")
        peer, _ = server.accept()
        resources.callback(peer.close)
        self.stream = port
        return port.socket, peer


async def url(rig, resources):
    return rig.stream


def remote(accepter, open_port, **settings):
    """How to make a port that ser2net serves: its device is the port of a simulated UART."""

    async def make(uart, resources):
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory()))
        program = shutil.which("ser2net") or "/usr/sbin/ser2net"
        uart.number = resources.enter_context(ser2net(program, folder, uart.port, accepter))
        return await open_port(uart, resources, **settings)

    return make


class RemotePair(SocatPair):
    """A pair whose one end is served by ser2net.

    Hung up, that server is gone. Its device isn't taken away instead: ser2net 4.3.11, if it waits to write to that,
    spins from then on, and keeps its client's connection open.
    """

    def _open(self, resources):
        port, peer = super()._open(resources)
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory()))
        self._server = resources.enter_context(ExitStack())
        program = shutil.which("ser2net") or "/usr/sbin/ser2net"
        self.number = self._server.enter_context(ser2net(program, folder, port))
        return port, peer

    def hang_up(self, end):
        self._server.close()


async def rfc2217(rig, resources, **settings):
    url = f"rfc2217://127.0.0.1:{rig.number}?ign_set_control"
    port = await asyncio.to_thread(sw.SerialPort, url, 115200, **settings)
    port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    resources.callback(port.close, "abort")
    return port


async def raw_tcp(rig, resources):
    port = await asyncio.to_thread(sw.SerialPort, f"socket://127.0.0.1:{rig.number}")
    resources.callback(port.close, "abort")
    return port


async def without_a_window(rig, resources):
    return await rfc2217(rig, resources, in_flight=None)


class FakeLine(ExitStack):
    """A port whose kernel side is simulated: with a driver's queue, which no pty has."""

    def __enter__(self):
        super().__enter__()
        self.port = self.enter_context(simulated_port(baudrate=921600))
        return self

    def open_peer(self):
        return nullcontext()

    def hang_up(self, end):
        with self.port.uart.lock:
            self.port.uart.unplugged = True


async def on_wire(rig, resources):
    return rig.port.on_wire


async def rs485(rig, resources):
    return sw.RS485(rig.port)


async def own_socket(rig, resources):
    return sw.as_stream(rig.port)


async def transport(rig, resources):
    _, writer = await asyncio.open_connection(sock=socket.socket(fileno=rig.port.detach()))
    return written_beside(writer, resources)


async def buffered(rig, resources):
    """As TLS would be: through the transport."""
    _, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=rig.port.detach()))
    written_beside(writer, resources)
    return sw.BufferedTransportStream(writer.transport)


def written_beside(writer, resources):
    async def abort():
        await writer_closed(writer)  # the writer has to live until here: forgotten, it closes the transport

    resources.push_async_callback(abort)
    return sw.as_stream(writer)


STREAMS = {
    "SerialPort on a pty": (PtyPair, serial_port),
    "SerialPort on socat": (SocatPair, serial_port),
    "SerialPort on a simulated UART": (lambda: SimulatedUart(None), serial_port),
    "DescriptorStream": (PtyPair, descriptor),
    "SocketStream, TCP": (TcpPair, own_socket),
    "SocketStream, Unix": (UnixPair, own_socket),
    "TransportStream, asyncio's": (TcpPair, transport),
    "TransportStream, pyserial-asyncio's": (PtyPair, pyserial_asyncio),
    "SerialPort, socket://": (UrlPair, url),
    "SerialPort, rfc2217://": (RemotePair, rfc2217),
    "SerialPort, rfc2217://, in_flight=None": (RemotePair, without_a_window),
    "BufferedTransportStream": (UnixPair, buffered),
    "on_wire": (FakeLine, on_wire),
    "RS485": (FakeLine, rs485),
    "SerialPort, spy://": (PtyPair, spied),
    "Queued": (PtyPair, queued),
    "Traced": (PtyPair, traced),
    "Paced": (PtyPair, paced),
}
RESET_BY_CLOSING = ["SerialPort, socket://", "SerialPort, rfc2217://", "SerialPort, rfc2217://, in_flight=None"]
TOOLS = {"SerialPort on socat": ("socat",)} | dict.fromkeys(RESET_BY_CLOSING[1:], ("socat", "ser2net"))
# Those that stand on a device which a pty can be, and so on a simulated UART; behind a server, too.
ON_A_LINE = {
    "SerialPort": serial_port,
    "SerialPort, spy://": spied,
    "DescriptorStream": descriptor,
    "TransportStream": pyserial_asyncio,
    "Queued": queued,
    "Traced": traced,
    "Paced": paced,
    "SerialPort, socket://": remote(RAW, raw_tcp),
    "SerialPort, rfc2217://": remote(RFC2217, rfc2217),
    "SerialPort, rfc2217://, in_flight=None": remote(RFC2217, without_a_window),
}


async def stopped(stream, stop):
    """Write until some of it is accepted, do `stop(task)`, and say how it ended: (error, count)."""
    operation = sw.async_write(stream, PAYLOAD)
    task = asyncio.create_task(operation)
    async with asyncio.timeout(BOUND):
        await until(lambda: operation.bytes_transferred)
        await stop(task)
        (error,) = await asyncio.gather(task, return_exceptions=True)
    return error, operation.bytes_transferred


def expected(kind, error):
    """The error, where it is of this kind; a hang-up that came first is raised."""
    if isinstance(error, sw.Disconnected):
        raise error
    assert type(error) is kind, repr(error)
    return error


async def complete(stream, rig):
    return None, await sw.async_write(stream, PAYLOAD[:4096], timeout=BOUND)


async def timed_out(stream, rig):
    error, count = await sw.async_write(stream, PAYLOAD, sw.as_tuple(sw.deferred), timeout=0.2)
    return expected(sw.TransferTimeout, error), count


async def emitted(stream, rig):
    signal, operation = sw.CancellationSignal(), sw.async_write(stream, PAYLOAD)
    task = asyncio.create_task(operation_of(operation, signal))
    async with asyncio.timeout(BOUND):
        await until(lambda: operation.bytes_transferred)
        signal.emit(sw.CancellationType.PARTIAL if stream_can_stop_halfway(stream) else sw.CancellationType.TERMINAL)
        error, count = await task
    return expected(sw.OperationAborted, error), count


def stream_can_stop_halfway(stream):
    return getattr(stream, "cancellable", sw.CancellationType.ALL) & sw.CancellationType.PARTIAL


async def operation_of(operation, signal):
    return await operation(sw.as_tuple(sw.bind_cancellation_slot(signal.slot, sw.deferred)))


async def task_cancelled(stream, rig):
    async def stop(task):
        task.cancel()

    error, count = await stopped(stream, stop)
    return expected(asyncio.CancelledError, error), count


async def hung_up(stream, rig):
    async def stop(task):
        await asyncio.to_thread(rig.hang_up, "port")

    error, count = await stopped(stream, stop)
    assert isinstance(error, sw.Disconnected), error
    return error, count


async def closed(stream, rig):
    async def stop(task):
        (stream.transport if isinstance(stream, sw.BufferedTransportStream) else stream).close()

    error, count = await stopped(stream, stop)
    return expected(sw.StreamClosed, error), count


ENDINGS = {
    "complete": complete,
    "timeout": timed_out,
    "cancelled by a signal": emitted,
    "task cancelled": task_cancelled,
    "closed": closed,
    "disconnected": hung_up,
}
EXACT = "exact"
CUT = "no more than the count"
ASKED = "as last asked"
WITHIN = "within a chunk"
CHUNK = 16384  # bytes that a transport that buffers is given at a time


async def cell(stream_name, ending_name):
    """Do it; return what the table says. Raises AssertionError where the count is not the truth."""
    make_rig, make_stream = STREAMS[stream_name]
    async with AsyncExitStack() as resources:
        rig = resources.enter_context(make_rig())
        stream = await make_stream(rig, resources)
        far = rig.open_peer()
        if not isinstance(far, socket.socket):
            resources.enter_context(far)
        error, count = await ENDINGS[ending_name](stream, rig)
        if isinstance(error, sw.TransferError):
            assert error.bytes_transferred == count
            assert b"".join(error.remaining) == PAYLOAD[count:]
        # A connection behind a URL is closed by a reset, once its peer has had its second to read.
        cut = ending_name == "disconnected" or (ending_name == "closed" and stream_name in RESET_BY_CLOSING)
        if isinstance(rig, FakeLine):
            return await on_a_fake_line(rig, ending_name, count)
        if isinstance(stream, sw.BufferedTransportStream) and error is not None:
            limit, word = count + CHUNK, WITHIN
        elif not cut or isinstance(rig, PtyPair):  # which delivers what it had taken
            assert await asyncio.to_thread(receive_only, far, count, BOUND) == PAYLOAD[:count]
            return EXACT
        else:
            limit, word = count, CUT
        # What was on its way may be lost with the line, and where the peer itself has gone nobody can read it.
        arrived = b"" if far.fileno() < 0 else await asyncio.to_thread(receive_available, far)
        assert PAYLOAD[:limit].startswith(arrived), "more arrived than was reported"
        assert cut or len(arrived) >= count, "less arrived than was reported"
        return word


async def on_a_fake_line(rig, ending_name, count):
    """What has left the port is counted; where it can be asked no more, what had left its queue when last asked."""
    if ending_name in {"closed", "disconnected"}:
        assert 0 < count <= len(rig.port.uart.received) + rig.port.uart.fifo_size
        assert PAYLOAD.startswith(rig.port.uart.received)
        return ASKED
    await rig.port.async_drain(timeout=BOUND)
    assert rig.port.uart.received == PAYLOAD[:count]
    return EXACT


FAULTS = {
    "stall": "at byte 1000: stall 30 ms",
    "throttle": "at byte 1000: throttle 30 ms",
    "break": "at byte 1000: break 10 ms",
    "flip": "at byte 1000: flip",
    "parity error": "at byte 1000: parity",
    "framing error": "at byte 1000: framing",
    "drop": "at byte 1000: drop 16",
    "duplicate": "at byte 1000: duplicate 16",
    "swap": "at byte 1000: swap",
    "eaten bytes": "always: eat 0x11 0x13",
    "newlines": "always: newline lf to crlf",
    "hang-up": "at byte 1000: hang up",
    "unplug": "at byte 1000: unplug 20 ms",
}
CUTS = {"hang-up", "unplug"}
LOGGED = "as the log tells"


async def fault_cell(fault_name, stream_name):
    """Do every ending on a line with this fault; return what the table says of all of them."""
    endings = {"complete", "timeout", "cancelled by a signal", "task cancelled", "closed"}
    if stream_name in RESET_BY_CLOSING:
        endings -= {"closed"}  # drops what is on its way to the line: the other table has that
    words = {await fault_and_ending(fault_name, stream_name, name) for name in sorted(endings)}
    (word,) = words
    return word


async def fault_and_ending(fault_name, stream_name, ending_name):
    async with AsyncExitStack() as resources:
        rig = resources.enter_context(SimulatedUart(None, faults=FAULTS[fault_name], seed=1))
        far = resources.enter_context(rig.open_peer())
        stream = await ON_A_LINE[stream_name](rig, resources)
        try:
            _, count = await ENDINGS[ending_name](stream, rig)
        except (sw.Disconnected, sw.TransferTimeout) as error:  # the fault came first
            # ser2net, on a busy machine, may neither read nor close a connection whose device has gone.
            assert fault_name in CUTS
            count = error.bytes_transferred
        # A server loses with its device what it had taken and not given to that.
        cut = stream_name in RESET_BY_CLOSING and fault_name in CUTS
        arrived, sent = b"", count
        async with asyncio.timeout(BOUND):
            while rig.sent.port_to_peer < sent or arrived != what_arrives(PAYLOAD[:sent], "port", rig.log):
                arrived += await asyncio.to_thread(receive_available, far, 0.01)
                if cut and rig.log:
                    sent = min(count, rig.sent.port_to_peer)
        assert await asyncio.to_thread(receive_available, far, 0.05) == b"", "more arrived than was reported"
        return CUT if cut else EXACT if arrived == PAYLOAD[:count] else LOGGED


def table():
    """The whole matrix, done, as Markdown."""
    return markdown("stream", STREAMS, ENDINGS, cell)


def fault_table():
    """The faults of a line, done, as Markdown."""
    return markdown("fault", FAULTS, ON_A_LINE, fault_cell)


def markdown(corner, rows, columns, do):
    lines = [f"| {corner} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        cells = [asyncio.run(do(row, column)) for column in columns]
        lines += [f"| {row} | " + " | ".join(cells) + " |"]
    return "\n".join(lines) + "\n"


def documented(begin=BEGIN):
    """A matrix as the page has it: by row, then by column."""
    rows = PAGE.read_text().partition(begin)[2].partition(END)[0].strip().splitlines()
    head, _, *body = ([word.strip() for word in row.strip("|").split("|")] for row in rows)
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in body}


def written(page, begin, text):
    before, found, rest = page.partition(begin)
    assert found, f"the page has no {begin}"
    return before + begin + text + END + rest.partition(END)[2]


if __name__ == "__main__":
    page = written(PAGE.read_text(), BEGIN, table())
    PAGE.write_text(written(page, BEGIN_FAULTS, fault_table()))
    sys.stdout.write(f"{PAGE.name} is written\n")

"""Writing beside a live transport: its reader goes on, and plain writes before and after keep their place."""

import asyncio
import contextlib
import errno
import os
import random
import socket
import ssl
import subprocess

import pytest
import serial_asyncio
import serial_asyncio_fast
from lines import BUFFER, LINES, Protocol, closed
from waiting import until

import serialwrite as sw
from serialwrite.testing import PtyPair, TcpPair, UnixPair, receive, receive_available, send

PAYLOAD = random.Random(5).randbytes(300_000)


async def by_pyserial_asyncio(url):
    made = await serial_asyncio.open_serial_connection(url=url)
    return made, made[1].get_extra_info("serial")._socket


async def by_pyserial_asyncio_fast(url):
    if not isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
        pytest.skip("pyserial-asyncio-fast sets attributes on the transport, which uvloop's has no room for")
    made = await serial_asyncio_fast.open_serial_connection(url=url)
    return made, made[1].get_extra_info("socket")


BY_URL = {
    "socket:// by pyserial-asyncio": by_pyserial_asyncio,
    "socket:// by pyserial-asyncio-fast": by_pyserial_asyncio_fast,
}


@contextlib.asynccontextmanager
async def connection(kind):
    """A (reader, writer) pair, and the far end of its line."""
    if kind.startswith("socket://"):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            (reader, writer), sock = await BY_URL[kind](f"socket://127.0.0.1:{server.getsockname()[1]}")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            peer, _ = server.accept()
            with peer:
                try:
                    yield reader, writer, peer
                finally:
                    await gone(writer)
    elif kind == "pyserial-asyncio":
        with PtyPair() as rig, rig.open_peer() as peer:
            reader, writer = await serial_asyncio.open_serial_connection(url=rig.port, baudrate=115200)
            try:
                yield reader, writer, peer
            finally:
                await gone(writer)
    else:
        rig = TcpPair if kind == "tcp" else UnixPair
        with rig(send_buffer=65536) as pair:
            reader, writer = await asyncio.open_connection(sock=pair.port.dup())
            try:
                yield reader, writer, pair.peer
            finally:
                await gone(writer)


async def gone(writer):
    if not writer.transport.is_closing():
        writer.transport.abort()
    with contextlib.suppress(OSError):
        await asyncio.wait_for(writer.wait_closed(), 10)


kinds = pytest.mark.parametrize("kind", ["pyserial-asyncio", *BY_URL, "tcp", "unix"])


@kinds
async def test_the_reader_goes_on_while_async_write_writes(kind):
    """Both directions at once, every byte compared."""
    back = PAYLOAD[::-1]
    async with connection(kind) as (reader, writer, peer):
        _, there, _, n = await asyncio.gather(
            asyncio.to_thread(send, peer, back),
            asyncio.to_thread(receive, peer, len(PAYLOAD)),
            exactly(reader, back),
            sw.async_write(writer, PAYLOAD),
        )
        assert there == PAYLOAD
        assert n == len(PAYLOAD)


async def exactly(reader, expected):
    assert await reader.readexactly(len(expected)) == expected


@kinds
async def test_reader_goes_on_while_a_write_is_stalled_and_after(kind):
    async with connection(kind) as (reader, writer, peer):
        promise = sw.async_write(writer, bytes(1 << 20), sw.use_promise)
        for message in (b"while it is stalled", b"still"):
            await asyncio.to_thread(send, peer, message)
            await asyncio.wait_for(exactly(reader, message), 10)
        assert not promise.done()
        promise.cancel()
        await asyncio.wait([promise])
        await asyncio.to_thread(send, peer, b"after it")
        await asyncio.wait_for(exactly(reader, b"after it"), 10)


@kinds
@pytest.mark.parametrize("size", [10, len(PAYLOAD)], ids=["small", "large"])
async def test_plain_writes_before_and_after_keep_their_order(kind, size):
    """What the transport still holds goes first; async_write waits for it, and reports only its own bytes."""
    pieces = [bytes([i]) * size for i in range(1, 6)]
    async with connection(kind) as (_, writer, peer):
        arriving = asyncio.create_task(asyncio.to_thread(receive, peer, sum(map(len, pieces)), 30))
        writer.write(pieces[0])
        writer.write(pieces[1])
        assert await sw.async_write(writer, pieces[2]) == size
        writer.write(pieces[3])
        assert await sw.async_write(writer, pieces[4]) == size
        assert await arriving == b"".join(pieces)
        await writer.drain()


@kinds
async def test_write_behind_a_stalled_plain_write_accepts_nothing(kind):
    async with connection(kind) as (_, writer, peer):
        writer.write(PAYLOAD * 4)
        with pytest.raises(sw.TransferTimeout) as caught:
            await sw.async_write(writer, b"behind it", timeout=0.1)
        assert caught.value.bytes_transferred == 0
        assert writer.transport.get_write_buffer_size()
        assert await asyncio.to_thread(receive, peer, len(PAYLOAD) * 4) == PAYLOAD * 4
        assert await asyncio.to_thread(receive_available, peer, 0.05) == b""
        assert await sw.async_write(writer, b"behind it", timeout=10) == 9
        assert await asyncio.to_thread(receive, peer, 9) == b"behind it"


@kinds
async def test_the_transport_is_its_owners(kind):
    """Closing the stream leaves the transport open: it reads and writes as before."""
    async with connection(kind) as (reader, writer, peer):
        async with sw.as_stream(writer) as stream:
            assert await sw.async_write(stream, b"one") == 3
        assert not writer.is_closing()
        writer.write(b"two")
        await writer.drain()
        assert await asyncio.to_thread(receive, peer, 6) == b"onetwo"
        await asyncio.to_thread(send, peer, b"back")
        assert await asyncio.wait_for(reader.readexactly(4), 10) == b"back"
        assert await sw.async_write(writer, b"three") == 5  # adapted anew


@kinds
async def test_writing_to_a_transport_that_was_closed(kind):
    async with connection(kind) as (_, writer, _):
        stream = sw.as_stream(writer)
        writer.close()
        for target in (stream, writer):
            with pytest.raises(sw.StreamClosed) as caught:
                await sw.async_write(target, b"too late", timeout=5)
            assert caught.value.bytes_transferred == 0


@pytest.mark.parametrize("kind", ["pyserial-asyncio-transport", "transport-unix", "transport-tcp", "transport-pipe"])
async def test_a_hang_up_that_the_transport_has_seen_first(kind, need_tool):
    """The transport closes itself, on its reader's word: for the writer the peer has gone, too."""
    async with LINES[kind](need_tool) as line:
        operation = sw.async_write(line.target, bytes(1 << 20))
        task = asyncio.ensure_future(operation)
        await until(lambda: line.stream.stall)
        if kind != "transport-pipe":
            line.target.pause_reading()
            line.target.resume_reading()  # the last that began to watch is the first to be told
        line.hang_up()
        await asyncio.wait([task], timeout=10)
        assert type(task.exception()) is sw.Disconnected
        assert task.exception().bytes_transferred == operation.bytes_transferred


async def test_a_transport_of_another_protocol():
    """A transport whose protocol is the user's own, with its flow control."""
    with UnixPair(send_buffer=4096) as pair:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(Protocol, sock=pair.port.dup())
        with sw.as_stream(transport) as stream:
            arriving = asyncio.create_task(asyncio.to_thread(receive, pair.peer, len(PAYLOAD)))
            await asyncio.to_thread(send, pair.peer, b"hello")
            assert await sw.async_write(stream, PAYLOAD) == len(PAYLOAD)
            assert await arriving == PAYLOAD
            await asyncio.wait_for(protocol.changed.wait(), 10)
            assert protocol.received == b"hello"
        await closed(transport, protocol.lost)


# -- transports that can't be written past ------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout - -out -"
    try:
        made = subprocess.run(command.split(" "), check=True, capture_output=True)
    except FileNotFoundError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("openssl is not installed")
    path.write_bytes(made.stdout)
    return path


@contextlib.asynccontextmanager
async def tls(certificate):
    """Both ends of a TLS connection: (reader, writer) and (reader, writer) of the peer."""
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(certificate)
    client_side = ssl.create_default_context(cafile=certificate)
    client_side.check_hostname = False
    accepted = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(
        lambda *streams: accepted.set_result(streams), "127.0.0.1", 0, ssl=server_side, limit=65536
    )
    host, port = server.sockets[0].getsockname()
    mine = await asyncio.open_connection(host, port, ssl=client_side)
    theirs = await accepted
    try:
        yield mine, theirs
    finally:
        for _, writer in (mine, theirs):
            await gone(writer)
        server.close()
        await server.wait_closed()


async def test_through_tls(certificate):
    async with tls(certificate) as ((reader, writer), (their_reader, their_writer)):
        writer.write(b"before")
        arriving = asyncio.create_task(their_reader.readexactly(6 + len(PAYLOAD) + 5))
        assert await sw.async_write(writer, PAYLOAD, timeout=30) == len(PAYLOAD)
        writer.write(b"after")
        assert await arriving == b"before" + PAYLOAD + b"after"
        their_writer.write(b"back")
        assert await reader.readexactly(4) == b"back"


async def started(writer):
    """A write that waits for a peer, which doesn't read."""
    promise = sw.async_write(writer, bytes(64 << 20), sw.as_tuple(sw.use_promise))
    await until(lambda: sw.as_stream(writer).stall is not None and promise.bytes_transferred)
    return promise


async def test_transport_closed_by_a_leaving_peer_is_disconnected():
    near, far = socket.socketpair()
    _, writer = await asyncio.open_unix_connection(sock=near)
    stream = sw.BufferedTransportStream(writer.transport)
    far.close()
    writer.transport.close()  # as it does on hearing of that, which may be between two chunks
    with pytest.raises(sw.Disconnected):
        await sw.async_write(stream, b"hello")


async def test_through_tls_a_peer_that_goes_away_is_disconnected(certificate):
    async with tls(certificate) as ((_, writer), (_, their_writer)):
        promise = await started(writer)
        their_writer.transport.abort()
        error, n = await asyncio.wait_for(promise, 10)
        assert (type(error), error.errno, error.bytes_transferred) == (sw.Disconnected, errno.EPIPE, n)


async def test_through_tls_closed_here_it_is_closed(certificate):
    async with tls(certificate) as ((_, writer), (_, _)):
        promise = await started(writer)
        writer.close()
        error, _ = await asyncio.wait_for(promise, 10)
        assert type(error) is sw.StreamClosed
        assert "by its owner or because its peer has gone" in str(error)


async def test_through_tls_only_terminal_cancellation_is_to_be_had(certificate):
    async with tls(certificate) as ((_, writer), (_, _)):
        signal = sw.CancellationSignal()
        token = sw.bind_cancellation_slot(signal.slot, sw.as_tuple(sw.use_promise))
        promise = sw.async_write(writer, bytes(64 << 20), token)
        count = -1
        while count != promise.bytes_transferred or not count:  # until it is full: a chunk is in the transport's hands
            count = promise.bytes_transferred
            await asyncio.sleep(0.2)
        for requested in (sw.CancellationType.TOTAL, sw.CancellationType.PARTIAL):
            signal.emit(requested)
            await asyncio.sleep(0.05)
            assert not promise.done()
        signal.emit(sw.CancellationType.TERMINAL)
        error, n = await asyncio.wait_for(promise, 10)
        assert type(error) is sw.OperationAborted
        assert n == error.bytes_transferred
        assert writer.is_closing()  # it is only safe to close now, and so it was

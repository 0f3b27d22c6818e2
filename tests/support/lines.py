"""Every kind of stream over a real line, with the far end to read from: what the tests of streams run on."""

import array
import asyncio
import contextlib
import dataclasses
import fcntl
import os
import socket
import termios
from collections.abc import Callable
from typing import Any

import serial
import serial_asyncio

import serialwrite as sw
from serialwrite.testing import PtyPair, SocatPair, TcpPair, UnixPair, receive
from tests.support.telnet_server import telnet_server

# Bytes asked for the sockets' buffers: a megabyte must not fit. A smaller window makes TCP wait for timers.
BUFFER = 65536


def unknown():
    """The kernel keeps no account of what is on the way."""


@dataclasses.dataclass
class Line:
    """A stream and the other end of its line."""

    target: Any  # what async_write is given
    peer: Any  # what the bytes arrive at; it has fileno()
    hang_up: Callable[[], object]  # the peer goes away
    close_beneath: Callable[[], object]  # the owner closes what the stream stands on
    unread: Callable[[], int | None] = unknown  # bytes on the way to the peer, by the kernel's own account

    @property
    def stream(self):
        return sw.as_stream(self.target)


LINES = {}


def line(make):
    """Register a kind of line under the name of what makes it."""
    name = make.__name__.replace("_", "-")
    LINES[name] = contextlib.asynccontextmanager(make)
    return make


def pending_input(end):
    """Bytes that can be read at ``end`` now (FIONREAD)."""
    return _asked(end, termios.FIONREAD)


def pending_output(end):
    """Bytes that TCP has not delivered to the other end yet (SIOCOUTQ, which is TIOCOUTQ's number)."""
    return _asked(end, termios.TIOCOUTQ)


def _asked(end, request):
    count = array.array("i", [0])
    fcntl.ioctl(end.fileno(), request, count)
    return count[0]


# -- descriptors and ports ---------------------------------------------------------------------------


@line
async def descriptor_on_a_pty(need_tool):
    with PtyPair() as rig, rig.open_peer() as peer, contextlib.closing(rig.open_port()) as file:
        yield Line(sw.DescriptorStream(file), peer, lambda: rig.hang_up("port"), file.close)


@line
async def descriptor_on_a_pipe(need_tool):
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", 0) as peer, os.fdopen(writer, "wb", 0) as file:
        yield Line(sw.DescriptorStream(file), peer, peer.close, file.close, lambda: pending_input(peer))


@line
async def serial_port_on_a_pty(need_tool):
    with PtyPair() as rig, rig.open_peer() as peer, sw.SerialPort(rig.port, 115200) as port:
        yield Line(port, peer, lambda: rig.hang_up("port"), port.serial.close)


@line
async def serial_port_on_socat(need_tool):
    need_tool("socat")
    with SocatPair() as rig, rig.open_peer() as peer, sw.SerialPort(rig.port, 115200) as port:
        yield Line(port, peer, lambda: rig.hang_up("port"), port.serial.close)


@line
async def pyserial(need_tool):
    """A plain serial.Serial, as a program that uses pyserial has it."""
    with PtyPair() as rig, rig.open_peer() as peer, serial.Serial(rig.port, 115200) as port:
        yield Line(port, peer, lambda: rig.hang_up("port"), port.close)


@line
async def reconnecting(need_tool):
    with PtyPair() as rig, rig.open_peer() as peer:
        async with sw.Reconnecting(rig.port, 115200) as port:
            await sw.async_write(port, b"!", timeout=30)  # its first operation opens it
            await asyncio.to_thread(receive, peer, 1)
            yield Line(port, peer, lambda: rig.hang_up("port"), port.stream.serial.close)


# -- sockets -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def sockets(rig):
    with rig(send_buffer=BUFFER) as pair:
        pair.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        yield pair, pair.port, pair.peer


def unread_on(pair, end):
    if isinstance(pair, UnixPair):
        return lambda: pending_input(pair.peer)
    return lambda: pending_input(pair.peer) + pending_output(end)


@line
async def socket_unix(need_tool):
    with sockets(UnixPair) as (pair, port, peer):
        yield Line(port, peer, lambda: pair.hang_up("port"), port.close, unread_on(pair, port))


@line
async def socket_tcp(need_tool):
    with sockets(TcpPair) as (pair, port, peer):
        yield Line(port, peer, lambda: pair.hang_up("port"), port.close, unread_on(pair, port))


@line
async def socket_blocking(need_tool):
    """A socket in blocking mode, as a program without an event loop has it."""
    with sockets(UnixPair) as (pair, port, peer):
        port.settimeout(None)
        yield Line(port, peer, lambda: pair.hang_up("port"), port.close, unread_on(pair, port))


# -- ports of other machines ---------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def served(**settings):
    """A port behind a server that passes on what comes, and waits where its peer does not read."""
    with UnixPair(send_buffer=BUFFER) as pair, telnet_server(sink=pair.port) as server:
        port = await asyncio.to_thread(sw.SerialPort, server.url, 921600, **settings)
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        try:
            yield Line(port, pair.peer, server.hang_up, port.driver.line.close)
        finally:
            port.close("abort")


@line
async def remote_rfc2217(need_tool):
    async with served() as made:
        yield made


@line
async def remote_rfc2217_without_a_window(need_tool):
    async with served(in_flight=None) as made:
        yield made


@line
async def remote_tcp(need_tool):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = sw.SerialPort("socket://{}:{}".format(*listening.getsockname()))
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        peer, _ = listening.accept()
        with peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            try:
                yield Line(port, peer, peer.close, port.driver.line.close)
            finally:
                port.close("abort")


# -- transports ---------------------------------------------------------------------------------------


class Protocol(asyncio.Protocol):
    """Keeps what it reads, and says when the connection is lost."""

    def __init__(self):
        self.received = bytearray()
        self.lost = asyncio.get_running_loop().create_future()
        self.changed = asyncio.Event()

    def data_received(self, data):
        self.received += data
        self.changed.set()

    def connection_lost(self, exc):
        if not self.lost.done():
            self.lost.set_result(exc)


async def closed(transport, lost):
    """Close ``transport`` and wait until it has let go of its descriptor."""
    if not lost.done():
        transport.abort()
        await asyncio.wait_for(lost, 10)


async def writer_closed(writer):
    """The same, of a StreamWriter, whose protocol is its own."""
    if not writer.is_closing():
        writer.transport.abort()
    with contextlib.suppress(Exception):  # what ended the connection was seen where it was expected
        await asyncio.wait_for(writer.wait_closed(), 10)


@line
async def pyserial_asyncio_transport(need_tool):
    loop = asyncio.get_running_loop()
    with PtyPair() as rig, rig.open_peer() as peer:
        transport, protocol = await serial_asyncio.create_serial_connection(loop, Protocol, rig.port, baudrate=115200)
        try:
            yield Line(transport, peer, lambda: rig.hang_up("port"), transport.close)
        finally:
            await closed(transport, protocol.lost)


@line
async def pyserial_asyncio_writer(need_tool):
    with PtyPair() as rig, rig.open_peer() as peer:
        _, writer = await serial_asyncio.open_serial_connection(url=rig.port, baudrate=115200)
        try:
            yield Line(writer, peer, lambda: rig.hang_up("port"), writer.close)
        finally:
            await writer_closed(writer)


async def socket_transport(rig):
    loop = asyncio.get_running_loop()
    with sockets(rig) as (pair, port, peer):
        mine = port.dup()  # a transport closes its socket
        transport, protocol = await loop.create_connection(Protocol, sock=mine)
        try:
            yield Line(transport, peer, lambda: pair.hang_up("port"), transport.close, unread_on(pair, port))
        finally:
            await closed(transport, protocol.lost)


@line
async def transport_unix(need_tool):
    async with contextlib.asynccontextmanager(socket_transport)(UnixPair) as made:
        yield made


@line
async def transport_tcp(need_tool):
    async with contextlib.asynccontextmanager(socket_transport)(TcpPair) as made:
        yield made


@line
async def transport_pipe(need_tool):
    loop = asyncio.get_running_loop()
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", 0) as peer:
        transport, protocol = await loop.connect_write_pipe(Protocol, os.fdopen(writer, "wb", 0))
        try:
            yield Line(transport, peer, peer.close, transport.close, lambda: pending_input(peer))
        finally:
            await closed(transport, protocol.lost)


@line
async def stream_writer(need_tool):
    with sockets(TcpPair) as (pair, port, peer):
        mine = port.dup()
        _, writer = await asyncio.open_connection(sock=mine)
        try:
            yield Line(writer, peer, lambda: pair.hang_up("port"), writer.close, unread_on(pair, port))
        finally:
            await writer_closed(writer)

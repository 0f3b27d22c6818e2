"""What is written to: a serial port in each way that it can be had, or a socket whose far side feeds the port."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import serial
import serial_asyncio

import serialwrite as sw
from serialwrite.testing import SimulatedUart, TcpPair, UnixPair, send
from tests.support.lines import writer_closed
from tests.support.telnet_server import telnet_server

BOUND = 60.0  # seconds for what takes well under one
CHUNK = 4096

Entry = Callable[[SimulatedUart], AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def serial_port(uart: SimulatedUart) -> AsyncIterator[Any]:
    with sw.SerialPort(uart.port, 115200) as port:
        yield port


@asynccontextmanager
async def pyserial(uart: SimulatedUart) -> AsyncIterator[Any]:
    with serial.Serial(uart.port, 115200) as port:
        yield port


@asynccontextmanager
async def descriptor(uart: SimulatedUart) -> AsyncIterator[Any]:
    with uart.open_port() as file:
        yield sw.DescriptorStream(file)


@asynccontextmanager
async def pyserial_asyncio(uart: SimulatedUart) -> AsyncIterator[Any]:
    _, writer = await serial_asyncio.open_serial_connection(url=uart.port, baudrate=115200)
    try:
        yield writer
    finally:
        await writer_closed(writer)


@asynccontextmanager
async def served(pair: Any, uart: SimulatedUart) -> AsyncIterator[Any]:
    """Feed the port with what comes out of the pair, as a serial server does; give the socket to write to."""

    def serve() -> None:
        with uart.open_port() as port:
            while data := pair.peer.recv(CHUNK):
                send(port, data, BOUND)

    pair.peer.settimeout(BOUND)
    server = asyncio.create_task(asyncio.to_thread(serve))
    try:
        yield pair.port
    finally:
        pair.port.close()  # in order: what is on its way still arrives, and then the server ends
        await server


@asynccontextmanager
async def tcp(uart: SimulatedUart) -> AsyncIterator[Any]:
    with TcpPair(4096) as pair:
        async with served(pair, uart) as port:
            yield port


@asynccontextmanager
async def unix(uart: SimulatedUart) -> AsyncIterator[Any]:
    with UnixPair(4096) as pair:
        async with served(pair, uart) as port:
            yield port


@asynccontextmanager
async def stream_writer(uart: SimulatedUart) -> AsyncIterator[Any]:
    with TcpPair(4096) as pair:
        async with served(pair, uart) as port:
            _, writer = await asyncio.open_connection(sock=port.dup())
            try:
                yield writer
            finally:
                await writer_closed(writer)


@asynccontextmanager
async def rfc2217(uart: SimulatedUart, **settings: Any) -> AsyncIterator[Any]:
    with UnixPair(4096) as pair:
        async with served(pair, uart) as sink:
            with telnet_server(sink=sink) as server:
                async with await asyncio.to_thread(sw.SerialPort, server.url, 921600, **settings) as port:
                    yield port


@asynccontextmanager
async def rfc2217_without_a_window(uart: SimulatedUart) -> AsyncIterator[Any]:
    async with rfc2217(uart, in_flight=None) as port:
        yield port


PORTS: list[Entry] = [serial_port, pyserial, descriptor, pyserial_asyncio]
SOCKETS: list[Entry] = [tcp, unix, stream_writer, rfc2217, rfc2217_without_a_window]

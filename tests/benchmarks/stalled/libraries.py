"""Who takes part: how each library opens a line, writes with a timeout, and closes, as its documentation says."""

# ruff: noqa: PLC0415 # a library is imported only in the process that looks at it

import asyncio
import importlib
import importlib.util
import socket
from collections.abc import Awaitable, Callable
from typing import Any

BAUDRATE = 115_200


class Library:
    """A library, and one open line.

    Attributes:
        link: "pty" (it opens a path) or "tcp" (it is given a connected socket).
        requires: the modules that it needs.
        concurrent: whether two of its writes can be begun at once, on one event loop.
    """

    link = "pty"
    requires: tuple[str, ...] = ()
    concurrent = True

    def __init__(self, name: str) -> None:
        self.name = name

    def missing(self) -> list[str]:
        return [module for module in self.requires if importlib.util.find_spec(module) is None]

    def run(self, main: Callable[[], Awaitable[None]]) -> None:
        asyncio.run(main())  # type: ignore[arg-type] # an async function's coroutine

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def open(self, end: Any) -> None:
        """Open the line; `end` is a path or a socket."""
        raise NotImplementedError

    async def write(self, data: Any) -> None:
        """Write everything."""
        raise NotImplementedError

    async def write_within(self, data: Any, seconds: float) -> None:
        """Write everything, or raise what the library raises after that many seconds."""
        await asyncio.wait_for(self.write(data), seconds)

    async def close(self) -> None:
        raise NotImplementedError


class StreamWriter(Library):
    """``writer.write(data)``; ``await writer.drain()``."""

    link = "tcp"

    async def open(self, end: socket.socket) -> None:
        self.reader, self.writer = await asyncio.open_connection(sock=end)

    async def write(self, data: Any) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


class SockSendall(Library):
    """``await loop.sock_sendall(sock, data)``."""

    link = "tcp"

    async def open(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.sock = end

    async def write(self, data: Any) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def close(self) -> None:
        self.sock.close()


class Pyserial(Library):
    """``port.write(data)``, with ``write_timeout``."""

    requires = ("serial",)
    concurrent = False

    async def open(self, end: str) -> None:
        import serial

        self.port = serial.Serial(end, BAUDRATE)

    async def write_within(self, data: Any, seconds: float) -> None:
        self.port.write_timeout = seconds
        self.port.write(data)

    async def close(self) -> None:
        self.port.close()


class SerialStreams(StreamWriter):
    """``reader, writer = await open_serial_connection(url=..., baudrate=...)``: pyserial-asyncio and its forks."""

    link = "pty"

    def __init__(self, name: str, module: str) -> None:
        super().__init__(name)
        self.requires = (module,)

    async def open(self, end: Any) -> None:
        module = importlib.import_module(self.requires[0])
        self.reader, self.writer = await module.open_serial_connection(url=end, baudrate=BAUDRATE)


class Serialx(SerialStreams):
    async def open(self, end: Any) -> None:
        import serialx

        self.reader, self.writer = await serialx.open_serial_connection(end, baudrate=BAUDRATE)


class Aioserial(Library):
    """``await port.write_async(data)``."""

    requires = ("aioserial",)

    async def open(self, end: str) -> None:
        import aioserial

        self.port = aioserial.AioSerial(end, BAUDRATE)

    async def write(self, data: Any) -> None:
        await self.port.write_async(data)

    async def close(self) -> None:
        self.port.close()


class TrioSerial(Library):
    """``await stream.send_all(data)`` in ``trio.fail_after``."""

    requires = ("trio_serial", "trio")
    concurrent = False

    def run(self, main: Callable[[], Awaitable[None]]) -> None:
        import trio

        trio.run(main)

    async def sleep(self, seconds: float) -> None:
        import trio

        await trio.sleep(seconds)

    async def open(self, end: str) -> None:
        import trio_serial

        self.stream = trio_serial.SerialStream(end, baudrate=BAUDRATE)
        await self.stream.aopen()

    async def write_within(self, data: Any, seconds: float) -> None:
        import trio

        with trio.fail_after(seconds):
            await self.stream.send_all(data)

    async def close(self) -> None:
        await self.stream.aclose()


class Serialwrite(Library):
    """``await async_write(port, data, timeout=...)``."""

    async def open(self, end: str) -> None:
        import serialwrite

        self.port = serialwrite.SerialPort(end, BAUDRATE)

    async def write(self, data: Any) -> None:
        import serialwrite

        await serialwrite.async_write(self.port, data)

    async def write_within(self, data: Any, seconds: float) -> None:
        import serialwrite

        await serialwrite.async_write(self.port, data, timeout=seconds)

    async def close(self) -> None:
        self.port.close()


LIBRARIES: list[Library] = [
    StreamWriter("asyncio StreamWriter"),
    SockSendall("loop.sock_sendall"),
    Pyserial("pyserial"),
    SerialStreams("pyserial-asyncio", "serial_asyncio"),
    SerialStreams("pyserial-asyncio-fast", "serial_asyncio_fast"),
    Serialx("serialx", "serialx"),
    Aioserial("aioserial"),
    TrioSerial("trio-serial"),
    Serialwrite("serialwrite"),
]
OURS = "serialwrite"


def by_name(name: str) -> Library:
    (found,) = [library for library in LIBRARIES if library.name == name]
    return found

"""Who reads lines: ours, asyncio's StreamReader, pyserial. Each is fed by a process of its own."""

# ruff: noqa: PLC0415 # a peer is imported only where it is measured

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Any, Self

import serialwrite as sw

from ..links import Links
from ..meter import Meter
from ..workloads import Work
from ._shapes import Awaited, Contestant, End
from .peers import BAUDRATE


class Fed:
    """A link whose far end writes lines once it is told to; left, it is killed."""

    def __init__(self, work: Work) -> None:
        self.line = b"x" * (work.size - 1) + b"\n"
        self._data = self.line * work.times
        self._links = Links(work.link, 1)
        self._start, self._started = os.pipe()
        self.end = End(work.link, self._links.names(paths=True)[0])

    def __enter__(self) -> Self:
        self._child = os.fork()
        if self._child == 0:
            try:
                os.read(self._start, 1)
                rest = memoryview(self._data)
                while rest:
                    rest = rest[os.write(self._links.far[0], rest) :]
                os.read(self._start, 1)  # hung up too early, a pty loses what was not read
            finally:
                os._exit(0)
        return self

    def go(self) -> None:
        """Let it write."""
        os.write(self._started, b"x")

    def __exit__(self, *_: object) -> None:
        os.write(self._started, b"x")
        os.waitpid(self._child, 0)


class Reader(Contestant):
    """Reads so many lines, by a loop of its own."""

    actions = ("lines",)
    works = ("W7",)

    def perform(self, work: Work, ends: Sequence[End]) -> None:
        with Fed(work) as fed:
            last = self.run(fed, work.times)
            assert last == fed.line
        sys.stdin.readline()

    def run(self, fed: Fed, times: int) -> bytes:
        """Read them, print what the meter says, and return the last one."""
        raise NotImplementedError


class BlockingReader(Reader):
    """Calls that block."""

    def open(self, end: End) -> Any:
        raise NotImplementedError

    def run(self, fed: Fed, times: int) -> bytes:
        stream, meter, line = self.open(fed.end), Meter(), b""
        fed.go()
        meter.start()
        for _ in range(times):
            line = stream.readline()
        print(meter.stop(), flush=True)
        return line


class AwaitedReader(Reader, Awaited):
    """Awaitables on asyncio, or on uvloop."""

    async def open(self, end: End) -> Any:
        raise NotImplementedError

    async def read(self, stream: Any, times: int) -> bytes:
        line = b""
        for _ in range(times):
            line = await stream.readline()
        return line

    def run(self, fed: Fed, times: int) -> bytes:
        async def main() -> bytes:
            stream, meter = await self.open(fed.end), Meter()
            fed.go()
            meter.start()
            line = await self.read(stream, times)
            print(meter.stop(), flush=True)
            return line

        if self.uvloop:
            import uvloop

            return uvloop.run(main())
        return asyncio.run(main())

    perform = Reader.perform


def buffered(end: End) -> sw.Buffered:
    return sw.Buffered(sw.SocketStream(end.socket()) if end.link == "socketpair" else sw.SerialPort(end.name, BAUDRATE))


class Iterated(AwaitedReader):
    """``async for line in lines``."""

    async def open(self, end: End) -> Any:
        return buffered(end)

    async def read(self, stream: Any, times: int) -> bytes:
        left = times
        async for line in stream:
            left -= 1
            if not left:
                return line
        raise AssertionError("the lines ended too early")


class Readline(AwaitedReader):
    """``await lines.async_readline()``."""

    async def open(self, end: End) -> Any:
        return buffered(end)

    async def read(self, stream: Any, times: int) -> bytes:
        line = b""
        for _ in range(times):
            line = await stream.async_readline()
        return line


class ReadUntil(Readline):
    r"""``await lines.async_read_until(b"\n")``."""

    async def read(self, stream: Any, times: int) -> bytes:
        line = b""
        for _ in range(times):
            line = await stream.async_read_until(b"\n")
        return line


class Blocking(BlockingReader):
    """``lines.readline()``."""

    def open(self, end: End) -> Any:
        return buffered(end)


class StreamReader(AwaitedReader):
    """``await reader.readline()``; on a pty, pyserial-asyncio's."""

    requires = ("serial_asyncio",)

    async def open(self, end: End) -> Any:
        if end.link == "socketpair":
            reader, self._writer = await asyncio.open_unix_connection(sock=end.socket())
        else:
            import serial_asyncio

            reader, self._writer = await serial_asyncio.open_serial_connection(url=end.name, baudrate=BAUDRATE)
        return reader


class Readuntil(StreamReader):
    r"""``await reader.readuntil(b"\n")``."""

    async def read(self, stream: Any, times: int) -> bytes:
        line = b""
        for _ in range(times):
            line = await stream.readuntil(b"\n")
        return line


class IteratedStreamReader(StreamReader, Iterated):
    """``async for line in reader``."""

    open = StreamReader.open


class Pyserial(BlockingReader):
    """``port.readline()``."""

    links = ("pty",)
    requires = ("serial",)

    def open(self, end: End) -> Any:
        import serial

        return serial.Serial(end.name, BAUDRATE)


CONTESTANTS: list[Contestant] = [
    Iterated("Buffered, async for"),
    Iterated("Buffered, async for", uvloop=True),
    Readline("Buffered, async_readline"),
    ReadUntil("Buffered, async_read_until"),
    Blocking("Buffered, readline"),
    StreamReader("StreamReader, readline"),
    StreamReader("StreamReader, readline", uvloop=True),
    Readuntil("StreamReader, readuntil"),
    IteratedStreamReader("StreamReader, async for"),
    Pyserial("pyserial, readline"),
]

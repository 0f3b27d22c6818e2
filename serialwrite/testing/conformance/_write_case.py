"""WriteCase: what each rule about writing gets: a stream, full or not, and its far end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from ..._buffers import Buffers
from ..._direction import WRITING
from ..._operation import Operation
from ..._write import async_write
from ._case import Case, FarEnd
from ._recorder import PATTERN, SILENCE_S, Made, difference, entered, require, settled, unchanged

Receive: TypeAlias = Callable[[], "bytes | Awaitable[bytes]"]
MakeWriteStream: TypeAlias = Callable[[], "Made[tuple[Any, Receive]]"]
Clog: TypeAlias = Callable[[Any], "int | Awaitable[int]"]


class Sink(FarEnd):
    """The far end, and all that has come there after what clogged the stream."""

    def __init__(self, receive: Receive, timeout: float) -> None:
        self._receive = receive
        self._timeout = timeout
        self._came = bytearray()
        self._expected = b""
        self.ahead = 0

    @property
    def received(self) -> bytes:
        return bytes(self._came[self.ahead :])

    async def pull(self) -> None:
        self._came += await settled(self._receive())

    async def pull_until(self, condition: Callable[[], object], what: str) -> None:
        """Receive until ``condition()`` holds."""
        deadline = time.monotonic() + self._timeout
        while not condition():
            await self.pull()
            require(time.monotonic() < deadline, f"{what}; {len(self.received):,} bytes came at the far end")
            await asyncio.sleep(0)

    async def offer(self, data: bytes) -> bytearray:
        return bytearray(data)

    async def moved(self, data: bytes | bytearray, what: str, *, exact: bool = True) -> None:
        self._expected += data
        expected = self._expected
        deadline = time.monotonic() + self._timeout
        quiet_since = time.monotonic()
        while time.monotonic() < deadline:
            before = len(self._came)
            await self.pull()
            if len(self._came) != before:
                quiet_since = time.monotonic()
            enough = len(self.received) >= len(expected)
            if enough and time.monotonic() - quiet_since > SILENCE_S:
                break
            await asyncio.sleep(0.001)
        found = self.received if exact else self.received[: len(expected)]
        require(found == expected, f"{what}: {difference(found, expected)}")
        self._expected = self.received

    async def nothing_more(self, memory: bytes | bytearray, n: int, what: str) -> None:
        await self.moved(b"", f"{what}, and later more went out")


class WriteCase(Case[Sink]):
    """What every rule is given: streams of the kind that is checked."""

    way = WRITING
    peer = "read"
    doubt = ": does clog do what it must?"

    def __init__(self, make_stream: MakeWriteStream, clog: Clog | None, timeout: float) -> None:
        super().__init__(timeout)
        self._make_stream = make_stream
        self._clog = clog
        self.waits = clog is not None

    @asynccontextmanager
    async def made(self) -> AsyncGenerator[tuple[Any, Sink]]:
        async with entered(self._make_stream()) as (stream, receive):
            yield stream, Sink(receive, self.timeout)

    @asynccontextmanager
    async def stuck(self) -> AsyncGenerator[tuple[Any, Sink, bytes | bytearray]]:
        assert self._clog is not None
        async with self.made() as (stream, sink):
            sink.ahead = await settled(self._clog(stream))
            yield stream, sink, PATTERN

    async def until_stuck(self, operation: Operation[int], far: Sink) -> None:
        await unchanged(lambda: operation.bytes_transferred)

    def operation(self, stream: Any, memory: Buffers) -> Operation[int]:
        return async_write(stream, memory)

"""ReadCase: what each rule about reading gets: a stream, and memory that shows a stray byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from ..._buffers import Buffers
from ..._direction import READING
from ..._operation import Operation
from ..._read import async_read
from ._case import Case, FarEnd
from ._recorder import PATTERN, SILENCE_S, Made, broken, difference, entered, require, settled, until

Send: TypeAlias = Callable[[bytes], "Awaitable[object] | object"]
MakeReadStream: TypeAlias = Callable[[], "Made[tuple[Any, Send]]"]

UNTOUCHED = 0xFF  # not in PATTERN


class Source(FarEnd):
    """The far end, and all that was sent there and not yet read."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._sent = bytearray()

    async def send(self, data: bytes) -> None:
        self._sent += data
        await settled(self._send(data))

    async def offer(self, data: bytes) -> bytearray:
        await self.send(data)
        return untouched(len(data))

    async def moved(self, data: bytes | bytearray, what: str, *, exact: bool = True) -> None:
        sent = self._sent[: len(data)]
        require(data == sent, f"{what}: {difference(data, sent)}")
        del self._sent[: len(data)]

    async def nothing_more(self, memory: bytes | bytearray, n: int, what: str) -> None:
        await asyncio.sleep(SILENCE_S)
        check_untouched(memory, n, f"{what}, and later more came in")


class ReadCase(Case[Source]):
    """What every rule is given: streams of the kind that is checked."""

    way = READING
    peer = "send"

    def __init__(self, make_stream: MakeReadStream, timeout: float) -> None:
        super().__init__(timeout)
        self._make_stream = make_stream

    @asynccontextmanager
    async def made(self) -> AsyncGenerator[tuple[Any, Source]]:
        async with entered(self._make_stream()) as (stream, send):
            yield stream, Source(send)

    @asynccontextmanager
    async def stuck(self) -> AsyncGenerator[tuple[Any, Source, bytearray]]:
        async with self.made() as (stream, source):
            yield stream, source, untouched(100)

    async def until_stuck(self, operation: Operation[int], far: Source) -> None:
        await far.send(PATTERN[:10])
        await progressed(operation, 10, self)

    def operation(self, stream: Any, memory: Buffers) -> Operation[int]:
        return async_read(stream, memory)


async def progressed(operation: Operation[int], n: int, case: ReadCase) -> None:
    """Wait until so many bytes have been read."""
    if not await until(lambda: operation.bytes_transferred >= n, case.timeout):
        broken(f"async_read has {operation.bytes_transferred:,} of the {n:,} bytes that were sent")


def untouched(size: int) -> bytearray:
    """Memory in which a byte that was not read shows."""
    return bytearray([UNTOUCHED]) * size


def check_untouched(memory: bytes | bytearray, n: int, what: str) -> None:
    require(memory[n:] == untouched(len(memory) - n), f"{what}: it reported {n:,} bytes, and wrote to more")

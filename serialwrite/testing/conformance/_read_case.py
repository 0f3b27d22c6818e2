"""ReadCase: what each rule about reading gets: a stream, and memory that shows a stray byte."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from ..._buffers import Buffers
from ..._operation import Operation
from ..._read import async_read
from ._recorder import Made, Probe, broken, difference, entered, require, settled, until

Send: TypeAlias = Callable[[bytes], "Awaitable[object] | object"]
MakeReadStream: TypeAlias = Callable[[], "Made[tuple[Any, Send]]"]

UNTOUCHED = 0xFF  # not in PATTERN


class ReadCase:
    """What every rule is given: streams of the kind that is checked."""

    def __init__(self, make_stream: MakeReadStream, timeout: float) -> None:
        self._make_stream = make_stream
        self.timeout = timeout

    @asynccontextmanager
    async def made(self) -> AsyncGenerator[tuple[Any, Callable[[bytes], Awaitable[None]]]]:
        async with entered(self._make_stream()) as (stream, send):

            async def sent(data: bytes) -> None:
                await settled(send(data))

            yield stream, sent

    def start(self, stream: Any, into: Buffers) -> tuple[Operation[int], Probe]:
        """An async_read that has been launched."""
        operation = async_read(stream, into)
        probe = Probe(stream, self.timeout)
        probe.initiate(operation)
        return operation, probe

    def start_some(self, stream: Any, into: list[memoryview]) -> Probe:
        """A read_some that has been started."""
        probe = Probe(stream, self.timeout)
        probe.initiate(lambda handler: stream.async_read_some(into, handler))
        return probe

    async def expect(self, stream: Any, data: bytes, what: str) -> None:
        """``data`` is what comes next."""
        into = bytearray(len(data))
        _, probe = self.start(stream, into)
        found = await probe.result(what)
        require(found == (None, len(data)), f"{what}: async_read ended with {found!r}")
        require(bytes(into) == data, f"{what}: {difference(into, data)}")


async def progressed(operation: Operation[int], n: int, case: ReadCase) -> None:
    """Wait until so many bytes have been read."""
    if not await until(lambda: operation.bytes_transferred >= n, case.timeout):
        broken(f"async_read has {operation.bytes_transferred:,} of the {n:,} bytes that were sent")


def untouched(size: int) -> bytearray:
    """Memory in which a byte that was not read shows."""
    return bytearray([UNTOUCHED]) * size


def check_untouched(memory: bytearray, n: int, what: str) -> None:
    require(memory[n:] == untouched(len(memory) - n), f"{what}: it reported {n:,} bytes, and wrote to more")

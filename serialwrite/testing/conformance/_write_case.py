"""WriteCase: what each rule about writing gets: a stream, full or not, and its far end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from ..._operation import Operation
from ..._write import async_write
from ._recorder import (
    PATTERN,
    SILENCE_S,
    Made,
    Probe,
    broken,
    difference,
    entered,
    require,
    settled,
    unchanged,
)

Receive: TypeAlias = Callable[[], "bytes | Awaitable[bytes]"]
MakeWriteStream: TypeAlias = Callable[[], "Made[tuple[Any, Receive]]"]
Clog: TypeAlias = Callable[[Any], "int | Awaitable[int]"]


class Far:
    """The far end, and all that has come there after what clogged the stream."""

    def __init__(self, receive: Receive, timeout: float) -> None:
        self._receive = receive
        self._timeout = timeout
        self._came = bytearray()
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

    async def expect(self, expected: bytes, what: str, *, exact: bool = True) -> None:
        """Just ``expected`` comes, and nothing after it; where not ``exact``, more may have come already."""
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


class WriteCase:
    """What every rule is given: streams of the kind that is checked."""

    def __init__(self, make_stream: MakeWriteStream, clog: Clog | None, timeout: float) -> None:
        self._make_stream = make_stream
        self._clog = clog
        self.timeout = timeout

    @property
    def clogs(self) -> bool:
        return self._clog is not None

    @asynccontextmanager
    async def ordinary(self) -> AsyncGenerator[tuple[Any, Far]]:
        async with entered(self._make_stream()) as (stream, receive):
            yield stream, Far(receive, self.timeout)

    @asynccontextmanager
    async def clogged(self) -> AsyncGenerator[tuple[Any, Far]]:
        assert self._clog is not None
        async with self.ordinary() as (stream, far):
            far.ahead = await settled(self._clog(stream))
            yield stream, far

    def start(self, stream: Any, data: Any) -> tuple[Operation[int], Probe]:
        """An async_write that has been launched."""
        operation = async_write(stream, data)
        probe = Probe(stream, self.timeout)
        probe.initiate(operation)
        return operation, probe

    def start_some(self, stream: Any, buffers: list[memoryview]) -> Probe:
        """A write_some that has been started."""
        probe = Probe(stream, self.timeout)
        probe.initiate(lambda handler: stream.async_write_some(buffers, handler))
        return probe

    async def start_stuck(self, stream: Any) -> tuple[Operation[int], Probe]:
        """An async_write of PATTERN that waits."""
        operation, probe = self.start(stream, PATTERN)
        await unchanged(lambda: operation.bytes_transferred)
        if probe.ended:
            error, n = await probe.result("a write on a clogged stream")
            broken(f"a write on a clogged stream ended ({error!r}, {n:,} bytes): does clog do what it must?")
        return operation, probe

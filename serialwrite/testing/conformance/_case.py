"""Case and FarEnd: what each rule gets, whichever way the bytes go: a stream, its far end, operations on the stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

from ..._buffers import Buffers
from ..._direction import Way
from ..._operation import Operation
from ._recorder import Probe, broken, require


class FarEnd(ABC):
    """The other end of a stream. It knows what is to be transferred, and what was."""

    @abstractmethod
    async def offer(self, data: bytes) -> bytearray:
        """Memory for an operation that is to transfer ``data``, which now can be."""

    @abstractmethod
    async def moved(self, data: bytes | bytearray, what: str, *, exact: bool = True) -> None:
        """``data`` is what was transferred after all before; where not ``exact``, more may have gone out already."""

    @abstractmethod
    async def nothing_more(self, memory: bytes | bytearray, n: int, what: str) -> None:
        """No byte of ``memory`` is transferred after the first ``n``."""

    async def pull(self) -> None:
        """Take what has come here, if bytes come here."""
        return


FarT = TypeVar("FarT", bound=FarEnd)


class Case(ABC, Generic[FarT]):
    """What every rule is given: streams of the kind that is checked."""

    way: Way
    peer: str  # what its peer does not do where it is stuck
    doubt = ""  # what may be wrong instead, where it does not wait
    waits = True  # whether it can be made to wait

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.whole = f"async_{self.way.name}"  # in messages, as the next
        self.some = f"{self.way.name}_some"

    @abstractmethod
    def made(self) -> AbstractAsyncContextManager[tuple[Any, FarT]]:
        """A stream, and its far end."""

    @abstractmethod
    def stuck(self) -> AbstractAsyncContextManager[tuple[Any, FarT, bytes | bytearray]]:
        """A stream, its far end, and memory that is not transferred all: an operation on it has to wait."""

    @abstractmethod
    async def until_stuck(self, operation: Operation[int], far: FarT) -> None:
        """Let an operation on that memory come to where it waits."""

    @abstractmethod
    def operation(self, stream: Any, memory: Buffers) -> Operation[int]:
        """An async_write or async_read."""

    def initiate_some(self, stream: Any, memory: list[memoryview]) -> Callable[[Any], object]:
        """What starts a write_some or read_some with a handler."""
        return lambda handler: getattr(stream, self.way.some)(memory, handler)

    def start(self, stream: Any, memory: Buffers) -> tuple[Operation[int], Probe]:
        """An operation that has been launched."""
        operation = self.operation(stream, memory)
        probe = Probe(stream, self.timeout)
        probe.initiate(operation)
        return operation, probe

    def start_some(self, stream: Any, memory: list[memoryview]) -> Probe:
        """A write_some or read_some that has been started."""
        probe = Probe(stream, self.timeout)
        probe.initiate(self.initiate_some(stream, memory))
        return probe

    async def start_stuck(self, stream: Any, far: FarT, memory: bytes | bytearray) -> Probe:
        """An operation that waits."""
        operation, probe = self.start(stream, memory)
        await self.until_stuck(operation, far)
        if probe.ended:
            error, n = await probe.result(f"{self.whole} that is to wait")
            broken(f"{self.whole} that is to wait ended ({error!r}, {n:,} bytes){self.doubt}")
        return probe

    async def transfer(self, stream: Any, far: FarT, memory: bytearray, what: str) -> None:
        """All of ``memory`` is transferred."""
        _, probe = self.start(stream, memory)
        found = await probe.result(what)
        require(found == (None, len(memory)), f"{what}: {self.whole} ended with {found!r}")
        await far.moved(memory, what)

"""The account of one line: what was reported as accepted, and what came, compared byte by byte as it comes."""

import asyncio
import contextlib
import os
import random
from collections.abc import Callable
from typing import Any

from serialwrite import Operation

SIZE = 1 << 20
# What all lines send, over and over, each from a place of its own: random, so that what is lost or doubled shows.
PATTERN = memoryview(random.Random("soak").randbytes(SIZE) * 2)
CHUNK = 65536
GLANCE = 0.1  # seconds between two looks at what will tell nobody that it has changed


class Wrong(AssertionError):
    """A promise that did not hold."""


class Account:
    """What is written at one end of a line and read at the other, `peer`: it is to come as it was accepted.

    `start`: where in the pattern this line begins.
    `counted_live`: whether the count of a write that goes on is never behind what can be read; on a thread it is.
    """

    def __init__(self, peer: Any, start: int, *, counted_live: bool = True) -> None:
        self._counted_live = counted_live
        self.accepted = 0  # as reported by the writes that have ended
        self.received = 0
        self.operation: Operation[int] | None = None  # the write that goes on now
        self._start = start
        self._peer = peer
        self._reading = False
        self._came = asyncio.Event()
        self._wrong: Wrong | None = None

    def pattern(self, at: int, size: int) -> memoryview:
        """What is sent from byte `at` of this line on."""
        first = (self._start + at) % SIZE
        return PATTERN[first : first + size]

    # -- the far end -----------------------------------------------------------------------------------------

    def read_on(self) -> None:
        """Read whatever comes, from now on."""
        if not self._reading and (fd := self._descriptor()) >= 0:
            self._reading = True
            asyncio.get_running_loop().add_reader(fd, self._read)

    def stop_reading(self) -> None:
        """Be a peer that does not read."""
        if self._reading:
            self._reading = False
            asyncio.get_running_loop().remove_reader(self._peer.fileno())

    def _descriptor(self) -> int:
        try:
            return self._peer.fileno()
        except ValueError:  # a closed file; a closed socket says -1
            return -1

    def _read(self) -> None:
        data = b""
        with contextlib.suppress(OSError):  # hung up: a reset, or a pty whose other end has gone
            try:
                data = os.read(self._peer.fileno(), CHUNK)
            except BlockingIOError:
                return
        if data:
            self.note(data)
        else:
            self.stop_reading()
        self._came.set()

    def note(self, data: bytes) -> None:
        """Compare what has come."""
        at, self.received = self.received, self.received + len(data)
        reported = self.accepted + (self.operation.bytes_transferred if self.operation else 0)
        if self._wrong is not None:
            return
        if data != self.pattern(at, len(data)):
            self._wrong = Wrong(f"what came from byte {at:,} on is not what was sent: lost, doubled or changed")
        elif self._counted_live and self.received > reported:
            self._wrong = Wrong(
                f"{self.received:,} bytes came, {reported:,} were reported as accepted; writing: {self.operation!r}"
            )

    # -- what must be true -----------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise what was seen to be wrong."""
        if self._wrong is not None:
            raise self._wrong

    def is_complete(self) -> bool:
        """Whether all has come that was accepted."""
        return self.received == self.accepted

    async def settle(self, bound: float) -> None:
        """Read until all that was accepted has come; raise `Wrong` where it doesn't, or where more does."""
        self.read_on()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(bound):
                while not self.is_complete():
                    self.check()
                    await self._something_comes(GLANCE)
        self.check()
        if not self.is_complete():
            raise Wrong(f"{self.accepted:,} bytes were accepted, {self.received:,} came within {bound:g} s")

    async def drain(self) -> None:
        """Read what still comes of a line that was cut: a beginning of what was accepted, and no more."""
        self.read_on()
        while self._reading and await self._something_comes(GLANCE):
            pass
        self.check()

    async def _something_comes(self, bound: float) -> bool:
        self._came.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(bound):  # wait_for of Python 3.11 loses a cancellation that comes with a byte
                await self._came.wait()
        return self._came.is_set()


class HarmedAccount(Account):
    """The same of a line that changes bytes on purpose; `arrives` tells what must come for those that were sent."""

    def __init__(self, peer: Any, start: int, arrives: Callable[[bytes], bytes]) -> None:
        super().__init__(peer, start)
        self._arrives = arrives
        self.kept = bytearray()

    def note(self, data: bytes) -> None:
        self.received += len(data)
        self.kept += data

    def is_complete(self) -> bool:
        return self.kept == self._arrives(bytes(self.pattern(0, self.accepted)))

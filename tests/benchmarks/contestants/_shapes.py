"""The shape of a contestant: what the harness asks of one, and how its process goes about it.

=========================================  ====================================================================
a contestant gives                         which is
=========================================  ====================================================================
``open(end)``                              a stream over one end of a link
``repeat(stream, data, times)``            ``data`` written ``times`` times in a row, each write awaited
``gather(stream, buffers)``                all of ``buffers`` in one call; joined, where the library has none
``timeout(stream, data, seconds)``         ``data`` written to a peer that does not read, until ``seconds`` are
                                           over; the bytes that the library reports as written, None for nothing
=========================================  ====================================================================

The loops are the contestant's own, written as its users would write them: nothing of the harness runs in between.
"""

# ruff: noqa: PLC0415 # uvloop is imported only where it is measured

import asyncio
import importlib.util
import os
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..meter import Meter
from ..pattern import pattern
from ..workloads import Work


@dataclass(frozen=True)
class End:
    """The writer's end of a link, as its process finds it: an inherited descriptor, or the path of a tty."""

    link: str
    name: str

    def socket(self) -> socket.socket:
        sock = socket.socket(fileno=int(self.name))
        sock.setblocking(False)
        return sock

    def descriptor(self) -> int:
        """A non-blocking descriptor."""
        if self.link == "socketpair":
            fd = int(self.name)
            os.set_blocking(fd, False)
            return fd
        return os.open(self.name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


class Contestant:
    """Who takes part, where, and what it needs for that."""

    links: tuple[str, ...] = ("socketpair", "pty")
    actions: tuple[str, ...] = ("repeat", "gather")
    works: tuple[str, ...] = ("W1", "W2", "W3", "W4", "W5")  # W6 asks how our own costs grow
    requires: tuple[str, ...] = ()
    ends_are_paths = True  # on a pty; else an inherited descriptor
    environment: Mapping[str, str] = MappingProxyType({})  # of its process, beside that of the run

    def __init__(self, name: str) -> None:
        self.name = name

    def takes(self, work: Work) -> bool:
        return work.link in (*self.links, "") and work.action in self.actions and work.name in self.works

    def missing(self) -> str | None:
        """What it lacks to take part, in words; None where nothing."""
        lacking = [module for module in self.requires if importlib.util.find_spec(module) is None]
        return f"not installed: {', '.join(lacking)}" if lacking else None

    def command(self, work: Work, ends: Sequence[str]) -> list[str]:
        """The process that does ``work``."""
        return [*worker(self), work.link, *arguments(work), *ends]

    def perform(self, work: Work, ends: Sequence[End]) -> None:
        """Do the work in this process, print what the meter says, and stay until told to end."""
        raise NotImplementedError


def worker(contestant: Contestant) -> list[str]:
    """A process of Python for it, which imports its module and no other contestant's."""
    module = type(contestant).__module__.rpartition(".")[2]
    return [sys.executable, "-m", "tests.benchmarks.worker", module, contestant.name]


def arguments(work: Work) -> list[str]:
    """``work`` as every contestant's process takes it."""
    numbers = (work.times, work.size, work.warmup, work.buffers, work.period, round(work.timeout * 1e6))
    return [work.action, *map(str, numbers)]


def payload(work: Work) -> bytes:
    return pattern(work.size * work.buffers, work.period)


def buffers(work: Work) -> list[bytes]:
    data = payload(work)
    return [data[i : i + work.size] for i in range(0, len(data), work.size)]


def late_us(begun: float, seconds: float) -> float:
    """How much later than asked for it is now, in µs."""
    return (time.monotonic() - begun - seconds) * 1e6


def _compute() -> None:
    while True:
        pass


class Synchronous(Contestant):
    """Calls that block."""

    def open(self, end: End) -> Any:
        raise NotImplementedError

    def repeat(self, stream: Any, data: bytes, times: int) -> None:
        raise NotImplementedError

    def gather(self, stream: Any, buffers: list[bytes]) -> None:
        self.repeat(stream, b"".join(buffers), 1)

    def timeout(self, stream: Any, data: bytes, seconds: float) -> int | None:
        raise NotImplementedError

    def perform(self, work: Work, ends: Sequence[End]) -> None:
        streams, meter, more = [self.open(end) for end in ends], Meter(), {}
        if work.action == "repeat":
            data = payload(work)
            self.repeat(streams[0], data, work.warmup)
            meter.start()
            if len(streams) == 1:
                self.repeat(streams[0], data, work.times)
            else:
                for _ in range(work.times):
                    for stream in streams:
                        self.repeat(stream, data, 1)
        elif work.action == "gather":
            parts = buffers(work)
            meter.start()
            self.gather(streams[0], parts)
        else:
            data = payload(work)
            meter.start()
            more = {"late_us": [], "counts": []}
            for _ in range(work.times):
                begun = time.monotonic()
                count = self.timeout(streams[0], data, work.timeout)
                more["late_us"].append(late_us(begun, work.timeout))
                more["counts"].append(count)
        print(meter.stop(**more), flush=True)
        sys.stdin.readline()


class Awaited(Contestant):
    """Awaitables on asyncio, or on uvloop."""

    def __init__(self, name: str, *, uvloop: bool = False) -> None:
        super().__init__(f"{name} (uvloop)" if uvloop else name)
        self.uvloop = uvloop

    def missing(self) -> str | None:
        if self.uvloop and importlib.util.find_spec("uvloop") is None:
            return "not installed: uvloop"
        return super().missing()

    def made(self, work: Work) -> list[Any]:
        """The buffers that are gathered."""
        return buffers(work)

    async def open(self, end: End) -> Any:
        raise NotImplementedError

    async def repeat(self, stream: Any, data: bytes, times: int) -> None:
        raise NotImplementedError

    async def gather(self, stream: Any, buffers: list[bytes]) -> None:
        await self.repeat(stream, b"".join(buffers), 1)

    async def timeout(self, stream: Any, data: bytes, seconds: float) -> int | None:
        try:
            async with asyncio.timeout(seconds):
                while True:  # a first write may end with most of it in a buffer of the library's own
                    await self.repeat(stream, data, 1)
        except TimeoutError:
            return None

    async def blocked(self, times: int) -> None:
        """``times`` writes, each on a stream that is full when it starts."""
        raise NotImplementedError

    async def pending(self, times: int, seconds: float) -> None:
        """``times`` writes at once, each waiting on a stream that stays full, until their timeouts."""
        raise NotImplementedError

    def perform(self, work: Work, ends: Sequence[End]) -> None:
        if self.uvloop:
            import uvloop

            uvloop.run(self._perform(work, ends))
        else:
            asyncio.run(self._perform(work, ends))

    async def _perform(self, work: Work, ends: Sequence[End]) -> None:
        streams, meter, more = [await self.open(end) for end in ends], Meter(), {}
        if work.action in ("repeat", "busy"):
            data = payload(work)
            if work.action == "busy":
                threading.Thread(target=_compute, daemon=True).start()
            if work.warmup:
                await self.repeat(streams[0], data, work.warmup)
            meter.start()
            if len(streams) == 1:
                await self.repeat(streams[0], data, work.times)
            else:
                await asyncio.gather(*(self.repeat(stream, data, work.times) for stream in streams))
        elif work.action == "gather":
            parts = self.made(work)
            meter.start()
            await self.gather(streams[0], parts)
        elif work.action == "blocked":
            await self.blocked(work.warmup)
            meter.start()
            await self.blocked(work.times)
        elif work.action == "pending":
            meter.start()
            await self.pending(work.times, work.timeout)
        else:
            data = payload(work)
            meter.start()
            more = {"late_us": [], "counts": []}
            for _ in range(work.times):
                begun = time.monotonic()
                count = await self.timeout(streams[0], data, work.timeout)
                more["late_us"].append(late_us(begun, work.timeout))
                more["counts"].append(count)
        print(meter.stop(**more), flush=True)
        # Some peers still hold bytes of their own here: their loop has to go on until these have gone out.
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        sys.stdout.flush()
        os._exit(0)  # a contestant that does not end by itself is not waited for

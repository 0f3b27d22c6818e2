"""The floor: the bare system calls, from Python and from C."""

import os
import select
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from .. import native
from ..workloads import Work
from ._shapes import Contestant, End, Synchronous, arguments

MAX_BUFFER_COUNT = 1024


class BareWrite(Synchronous):
    """A loop of ``os.write`` on a blocking descriptor: the least that a Python program can do."""

    actions = ("repeat", "gather", "timeout")
    works = ("W1", "W2", "W3", "W4", "W5", "W6")  # what grows here is the kernel's

    def open(self, end: End) -> int:
        fd = end.descriptor()
        os.set_blocking(fd, True)
        return fd

    def repeat(self, stream: int, data: bytes, times: int) -> None:
        write, size = os.write, len(data)
        for _ in range(times):
            n = write(stream, data)
            while n < size:
                n += write(stream, memoryview(data)[n:])

    def gather(self, stream: int, buffers: Sequence[Any]) -> None:
        first, buffers = 0, list(buffers)
        while first < len(buffers):
            n = os.writev(stream, buffers[first : first + MAX_BUFFER_COUNT])
            while first < len(buffers) and n >= len(buffers[first]):
                n -= len(buffers[first])
                first += 1
            if n:
                buffers[first] = memoryview(buffers[first])[n:]

    def timeout(self, stream: int, data: bytes, seconds: float) -> int:
        end = time.monotonic() + seconds
        os.set_blocking(stream, False)
        poller, n = select.poll(), 0
        poller.register(stream, select.POLLOUT)
        while (left := end - time.monotonic()) > 0:
            try:
                n += os.write(stream, memoryview(data)[n:])
            except BlockingIOError:
                poller.poll(left * 1000)
        return n


class Native(Contestant):
    """A program of ``native/``, compiled here."""

    ends_are_paths = False

    def __init__(self, name: str, source: str, *first: str) -> None:
        super().__init__(name)
        self._source, self._first = source, first

    @cached_property
    def _program(self) -> native.Program:
        return native.build(self._source)

    def missing(self) -> str | None:
        return self._program.missing

    def command(self, work: Work, ends: Sequence[str]) -> list[str]:
        assert self._program.path
        first = [*self._first, work.link] if self._first else []
        return [str(self._program.path), *first, *arguments(work), *ends]


class AsioCallback(Native):
    """Its timeouts are those of every token of Asio's: a timer that emits a cancellation."""

    actions = ("repeat", "gather", "timeout")


CONTESTANTS: list[Contestant] = [
    Native("C write", "bare.c"),
    BareWrite("os.write"),
    Native("Asio C++ co_await", "asio.cpp", "co_await"),
    AsioCallback("Asio C++ callback", "asio.cpp", "callback"),
    Native("Asio C++ use_future", "asio.cpp", "use_future"),
]

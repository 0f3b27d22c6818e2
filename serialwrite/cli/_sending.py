"""Sending a source to a port: the count at every moment, a stall noticed, a resume by itself."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import serialwrite as sw

from ._source import Source

LOOK_EVERY = 0.02  # seconds between two looks at the driver's queue


class Watcher(Protocol):
    """Who is told how it goes."""

    def advanced(self, offset: int) -> None:
        """All bytes before ``offset`` are accepted."""

    def retrying(self, error: sw.TransferTimeout, retry: int) -> None:
        """The port took nothing for the whole timeout; the same byte is tried again."""


class Sending:
    """One source on its way to one port.

    Attributes:
        accepted: bytes that the operating system took, true at every moment and after every ending.
        timeouts: how often the port took nothing for the whole timeout.
    """

    def __init__(self, port: sw.SerialPort, source: Source, timeout: float | None, retries: int, chunk: int) -> None:
        self._port = port
        self._source = source
        self._timeout = timeout
        self._retries = retries
        self._chunk = chunk
        self._began = self._ended = time.monotonic()
        self.accepted = 0
        self.timeouts = 0

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self._ended - self._began

    async def run(self, first: int, watcher: Watcher) -> None:
        """Send the source from the byte ``first`` on.

        Raises TransferTimeout and Disconnected as async_write does; SourceError when the source gives no more.
        """
        await self._source.skip_to(first)
        self._began = time.monotonic()
        try:
            while data := await self._source.read(self._chunk):
                await self._send(memoryview(data), first, watcher)
            await self._drain()
        finally:
            self._ended = time.monotonic()

    async def _send(self, rest: memoryview, first: int, watcher: Watcher) -> None:
        while rest:
            # At least one byte, then back here: the time allowed begins anew whenever the port takes something,
            # so that a slow port is not mistaken for one that has stalled.
            writing = sw.async_write(
                self._port, rest, timeout=self._timeout, completion_condition=sw.transfer_at_least(1)
            )
            try:
                await writing
            except sw.TransferTimeout as error:
                self.timeouts += 1
                if self.timeouts > self._retries:
                    raise
                watcher.retrying(error, self.timeouts)
            finally:  # Ctrl-C comes as a CancelledError: the operation still knows its count
                if n := writing.bytes_transferred:
                    self.accepted += n
                    rest = rest[n:]
                    watcher.advanced(first + self.accepted)

    async def _drain(self) -> None:
        """Wait until the driver's queue is empty, where it can tell: a port that is closed may lose what is in it."""
        left, moved = self._port.queued, time.monotonic()
        while left:
            await asyncio.sleep(LOOK_EVERY)
            before, left = left, self._port.queued
            idle = time.monotonic() - moved
            if left is None:
                raise sw.Disconnected(bytes_transferred=self.accepted, queued=before)
            if left < before:
                moved = time.monotonic()
            elif self._timeout is not None and idle > self._timeout:
                raise sw.TransferTimeout(bytes_transferred=self.accepted, queued=left, stall=self._port.held_by())
